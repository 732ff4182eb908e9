/**
 * Usage as ClickHouse tells it, whoever wrote there: the Collector, from claude-otel's spans, Claude Code's events or its metrics.
 * Summed up by ClickHouse; only what a price has to be found for is multiplied here.
 */
import { createPrices, type Prices } from '../usage/pricing.ts'
import type { SessionUsage, TokenCounts, UsageSource, UsageTotals } from '../usage/record.ts'
import { chooseSource } from '../usage/sources.ts'
import type { ClickHouse } from './clickhouse-client.ts'
import { quote } from './clickhouse-place.ts'
import type { Later, Period, UsageGroup, UsageSum } from './store.ts'

/** What `claude-otel usage` asks of a store; one that is elsewhere answers later. */
export interface UsageStore {
  usage(by: readonly UsageGroup[], period: Period): Later<readonly UsageSum[]>
  /** Of all sessions, or of one. */
  sessionUsages(period: Period, sessionId?: string): Later<readonly SessionUsage[]>
  close(): void
}

/** Nothing is asked before the first question; `close` closes the ClickHouse. */
export function openClickHouseUsage(clickhouse: ClickHouse, prices: Prices = createPrices()): UsageStore {
  return new ClickHouseUsage(clickhouse, prices)
}

/** Days and weeks (from Monday) are those of this machine's time zone. */
function groupings(zone: string): Readonly<Record<Exclude<UsageGroup, 'costSource'>, string>> {
  return {
    minute: 'toString(toUnixTimestamp(toStartOfMinute(Time)))',
    day: `toString(toDate(Time, '${zone}'))`,
    week: `toString(toMonday(toDate(Time, '${zone}')))`,
    session: 'SessionId',
    model: 'Model',
    project: `coalesce(nullIf((SELECT mapFromArrays(groupArray(SessionId), groupArray(Repository)) FROM (
      SELECT SessionId, max(claude_sessions.Repository) AS Repository FROM claude_sessions GROUP BY SessionId))[SessionId], ''), Repository)`,
    querySource: 'QuerySource',
  }
}

/** From here on a request costs more as a whole, with some models. */
const longContextTokens = 200_000

/** Requests of which one price holds for all: of one model, one day, on one side of the long context. */
interface Cell extends TokenCounts {
  readonly keys: readonly string[]
  readonly sessions: readonly string[]
  readonly lastUnixMicro: number
  readonly model: string
  readonly requests: number
  readonly cacheCreation1hTokens: number
  /** Claude Code's own figure. */
  readonly statedUsd: number | null
  /** Nobody has stated a price, and one can be looked up. */
  readonly isListed: boolean
}

interface PricedCell extends Cell {
  readonly costUsd: number | null
  readonly costSource: string
}

class ClickHouseUsage implements UsageStore {
  constructor(
    private readonly clickhouse: ClickHouse,
    private readonly prices: Prices,
  ) {}

  async usage(by: readonly UsageGroup[], period: Period): Promise<readonly UsageSum[]> {
    const cells = (await this.cells(by, period)).map((cell) => this.priced(cell))
    const sums = new Map<string, { readonly keys: readonly string[]; readonly cells: PricedCell[] }>()
    for (const cell of cells) {
      const rest = [...cell.keys]
      const keys = by.map((group) => (group === 'costSource' ? cell.costSource : (rest.shift() ?? '')))
      const key = JSON.stringify(keys)
      const found = sums.get(key)
      if (found === undefined) sums.set(key, { keys, cells: [cell] })
      else found.cells.push(cell)
    }
    return [...sums.values()]
      .toSorted((a, b) => compare(a.keys, b.keys))
      .map(({ keys, cells }) => sumOf(by, keys, cells))
  }

  async sessionUsages(
    { sinceUnixMicro, untilUnixMicro }: Period,
    sessionId?: string,
  ): Promise<readonly SessionUsage[]> {
    const rows = await this.clickhouse.rows<TokenCounts & SessionRow>(`SELECT SessionId AS sessionId, Source AS source,
      toUnixTimestamp64Micro(min(Time)) AS firstUnixMicro, toUnixTimestamp64Micro(max(Time)) AS lastUnixMicro,
      sum(Requests) AS requests, ${tokenSums}, sum(CostUsd) AS costUsd, sumIf(Requests, isNull(CostUsd)) AS unpricedRequests
      FROM claude_usage_records ${sessionId === undefined ? '' : `WHERE SessionId = ${quote(sessionId)}`}
      GROUP BY SessionId, Source ORDER BY SessionId`)
    const bySession = Map.groupBy(rows, ({ sessionId }) => sessionId)
    return [...bySession]
      .map(([sessionId, rows]) => sessionUsage(sessionId, rows))
      .filter(({ firstUnixMicro, lastUnixMicro }) => lastUnixMicro >= sinceUnixMicro && firstUnixMicro < untilUnixMicro)
  }

  close(): void {
    void this.clickhouse.close()
  }

  private async cells(by: readonly UsageGroup[], { sinceUnixMicro, untilUnixMicro }: Period): Promise<readonly Cell[]> {
    const known = groupings(Intl.DateTimeFormat().resolvedOptions().timeZone)
    const keys = by.flatMap((group) => (group === 'costSource' ? [] : [`toString(${known[group]})`]))
    const rows = await this.clickhouse.rows<Omit<Cell, 'isListed'> & { readonly isListed: number }>(`SELECT
      [${keys.join(', ')}]::Array(String) AS keys, groupUniqArray(SessionId) AS sessions,
      toUnixTimestamp64Micro(max(Time)) AS lastUnixMicro, any(Model) AS model, count() AS requests, ${tokenSums},
      sum(CacheCreation1hTokens) AS cacheCreation1hTokens, sum(CostUsd) AS statedUsd,
      any(isNull(CostUsd) AND Source != 'metrics' AND Speed IN ('', 'normal', 'standard')) AS isListed
      FROM claude_usage
      WHERE Time >= fromUnixTimestamp64Micro(${bounded(sinceUnixMicro)}) AND Time < fromUnixTimestamp64Micro(${bounded(untilUnixMicro)})
      GROUP BY keys, Model, toDate(Time), Source, Speed, isNull(CostUsd) AND Source != 'metrics',
        Source != 'metrics' AND InputTokens + CacheReadTokens + CacheCreationTokens > ${longContextTokens}`)
    return rows.map((row) => ({ ...row, isListed: row.isListed === 1 }))
  }

  /** A price is linear in tokens, so that of the mean request times their number is that of all. */
  private priced(cell: Cell): PricedCell {
    if (cell.statedUsd !== null) return { ...cell, costUsd: cell.statedUsd, costSource: 'claude' }
    const { requests, model, lastUnixMicro } = cell
    const mean = (tokens: number): number => tokens / requests
    const tokens = {
      inputTokens: mean(cell.inputTokens),
      outputTokens: mean(cell.outputTokens),
      cacheReadTokens: mean(cell.cacheReadTokens),
      cacheCreationTokens: mean(cell.cacheCreationTokens),
      cacheCreation1hTokens: mean(cell.cacheCreation1hTokens),
    }
    const price = cell.isListed ? this.prices.priceOf(model, tokens, lastUnixMicro) : undefined
    if (price === undefined) return { ...cell, costUsd: null, costSource: '' }
    return { ...cell, costUsd: price.usd * requests, costSource: price.source }
  }
}

const tokenSums = `sum(InputTokens) AS inputTokens, sum(OutputTokens) AS outputTokens, sum(CacheReadTokens) AS cacheReadTokens,
      sum(CacheCreationTokens) AS cacheCreationTokens`

/** Within what ClickHouse's times can say. */
function bounded(unixMicro: number): number {
  return Math.max(0, Math.min(Math.floor(unixMicro), Date.UTC(2200, 0) * 1000))
}

interface SessionRow extends UsageTotals {
  readonly sessionId: string
  readonly source: UsageSource
  readonly firstUnixMicro: number
  readonly lastUnixMicro: number
}

function sessionUsage(sessionId: string, rows: readonly SessionRow[]): SessionUsage {
  const totals = rows.map(({ sessionId: _, source, firstUnixMicro: __, lastUnixMicro: ___, ...totals }) => [
    source,
    totals,
  ])
  const bySource: SessionUsage['bySource'] = Object.fromEntries(totals)
  const source = chooseSource(bySource)
  return {
    sessionId,
    orchestrationId: sessionId,
    firstUnixMicro: Math.min(...rows.map(({ firstUnixMicro }) => firstUnixMicro)),
    lastUnixMicro: Math.max(...rows.map(({ lastUnixMicro }) => lastUnixMicro)),
    ...(source === undefined ? {} : { source }),
    bySource,
  }
}

function sumOf(by: readonly UsageGroup[], keys: readonly string[], cells: readonly PricedCell[]): UsageSum {
  const sum = (of: (cell: PricedCell) => number): number => cells.reduce((total, cell) => total + of(cell), 0)
  const isPriced = cells.some(({ costUsd }) => costUsd !== null)
  return {
    ...Object.fromEntries(by.map((group, at) => [group, keys[at] ?? ''])),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    cacheReadTokens: sum(({ cacheReadTokens }) => cacheReadTokens),
    cacheCreationTokens: sum(({ cacheCreationTokens }) => cacheCreationTokens),
    costUsd: isPriced ? sum(({ costUsd }) => costUsd ?? 0) : null,
    sessions: new Set(cells.flatMap(({ sessions }) => sessions)).size,
    lastUnixMicro: Math.max(...cells.map(({ lastUnixMicro }) => lastUnixMicro)),
  }
}

function compare(left: readonly string[], right: readonly string[]): number {
  for (const [at, word] of left.entries()) {
    const other = right[at] ?? ''
    if (word !== other) return word < other ? -1 : 1
  }
  return 0
}
