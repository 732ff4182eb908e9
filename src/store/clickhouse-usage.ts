/**
 * Usage as ClickHouse tells it, whoever wrote there: the Collector, from claude-otel's spans, Claude Code's events or its metrics.
 * Summed up by ClickHouse; only what a price has to be found for is multiplied here.
 */
import { createPrices, type Prices } from '../usage/pricing.ts'
import type { SessionUsage, TokenCounts, UsageSource, UsageTotals } from '../usage/record.ts'
import { chooseSource } from '../usage/sources.ts'
import type { ClickHouse } from './clickhouse-client.ts'
import { quote } from './clickhouse-place.ts'
import { sessionsWithin } from './clickhouse-usage-views.ts'
import type { Later, Period, UsageGroup, UsageSum } from './store.ts'
import { slotMicro } from './usage-sums.ts'

/** What `claude-otel usage` asks of a store; one that is elsewhere answers later. */
export interface UsageStore {
  usage(by: readonly UsageGroup[], period: Period): Later<readonly UsageSum[]>
  /** Of all sessions, or of one. */
  sessionUsages(period: Period, sessionId?: string): Later<readonly SessionUsage[]>
  close(): void
}

/** What one teller says of a quarter of an hour of a session, by model and purpose. */
export interface ToldUsage extends UsageTotals {
  readonly sessionId: string
  readonly source: UsageSource
  readonly slotUnixMicro: number
  readonly model: string
  readonly querySource: string
}

/** In ClickHouse also without what there are only sums of. */
export interface ClickHouseUsageStore extends UsageStore {
  told(sessionIds: readonly string[]): Promise<readonly ToldUsage[]>
}

/** Nothing is asked before the first question; `close` closes the ClickHouse. */
export function openClickHouseUsage(clickhouse: ClickHouse, prices: Prices = createPrices()): ClickHouseUsageStore {
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
    project: "if(Known = '', Repository, Known)",
    querySource: 'QuerySource',
  }
}

/** What is known of a session's repository; of those of transcripts each request tells it. */
const knownRepositories = `LEFT JOIN (
  SELECT SessionId, max(claude_sessions.Repository) AS Known FROM claude_sessions GROUP BY SessionId
) AS known USING SessionId`

/** From here on a request costs more as a whole, with some models. */
const longContextTokens = 200_000

/** Rows of which one price holds for all: of one model, one day, on one side of the long context. */
interface Cell extends TokenCounts {
  readonly keys: readonly string[]
  readonly sessions: readonly string[]
  readonly firstUnixMicro: number
  readonly lastUnixMicro: number
  readonly model: string
  readonly rows: number
  readonly requests: number
  readonly cacheCreation1hTokens: number
  readonly statedUsd: number | null
  /** Who stated it; empty for nobody. */
  readonly costSource: string
  /** Nobody has stated a price, and one can be looked up. */
  readonly isListed: boolean
}

type PricedCell = Omit<Cell, 'statedUsd' | 'isListed'> & { readonly costUsd: number | null }

/** Which rows, and by what they are told apart, in SQL. */
interface CellQuestion {
  readonly view: string
  readonly keys: readonly string[]
  readonly condition: string
}

class ClickHouseUsage implements ClickHouseUsageStore {
  constructor(
    private readonly clickhouse: ClickHouse,
    private readonly prices: Prices,
  ) {}

  async usage(by: readonly UsageGroup[], period: Period): Promise<readonly UsageSum[]> {
    const known = groupings(Intl.DateTimeFormat().resolvedOptions().timeZone)
    const keys = by.flatMap((group) => (group === 'costSource' ? [] : [known[group]]))
    const told = isAlways(period) ? 'claude_usage' : usageWithin(period)
    const view = `${told} ${by.includes('project') ? knownRepositories : ''}`
    const cells = await this.cells({ view, keys, condition: within('Time', period) })
    const sums = Map.groupBy(cells, (cell) => JSON.stringify(groupsOf(by, cell)))
    return [...sums.values()]
      .map((cells) => ({ cells, keys: cells[0] === undefined ? [] : groupsOf(by, cells[0]) }))
      .toSorted((a, b) => compare(a.keys, b.keys))
      .map(({ keys, cells }) => sumOf(by, keys, cells))
  }

  async sessionUsages(period: Period, sessionId?: string): Promise<readonly SessionUsage[]> {
    const known = sessionsWithin(moment(period.sinceUnixMicro), moment(period.untilUnixMicro))
    const ofTime = `SessionId IN (SELECT SessionId FROM claude_usage_records WHERE ${known} GROUP BY SessionId
      HAVING ${within('max(Time)', period)})`
    const ofAll = isAlways(period) ? '1' : ofTime
    const condition = sessionId === undefined ? ofAll : `SessionId = ${quote(sessionId)}`
    const cells = await this.cells({ view: 'claude_usage_records', keys: ['SessionId', 'Source'], condition })
    return [...Map.groupBy(cells, ({ keys }) => keys[0] ?? '')]
      .map(([id, cells]) => sessionUsage(id, cells))
      .toSorted((one, other) => one.lastUnixMicro - other.lastUnixMicro)
  }

  async told(sessionIds: readonly string[]): Promise<readonly ToldUsage[]> {
    const keys = ['SessionId', 'Source', `intDiv(toUnixTimestamp64Micro(Time), ${slotMicro})`, 'Model', 'QuerySource']
    const condition = `SessionId IN (${sessionIds.map(quote).join(', ')})`
    const cells = await this.cells({ view: 'claude_usage_told', keys, condition })
    return [...Map.groupBy(cells, (cell) => JSON.stringify(cell.keys)).values()].map((cells) => {
      const [sessionId = '', source = '', slot = '', model = '', querySource = ''] = cells[0]?.keys ?? []
      const slotUnixMicro = Number(slot) * slotMicro
      return { sessionId, source: source as UsageSource, slotUnixMicro, model, querySource, ...totalsOf(cells) }
    })
  }

  close(): void {
    void this.clickhouse.close()
  }

  private async cells({ view, keys, condition }: CellQuestion): Promise<readonly PricedCell[]> {
    const rows = await this.clickhouse.rows<Omit<Cell, 'isListed'> & { readonly isListed: number }>(`SELECT
      [${keys.map((key) => `toString(${key})`).join(', ')}]::Array(String) AS keys, groupUniqArray(SessionId) AS sessions,
      toUnixTimestamp64Micro(min(Time)) AS firstUnixMicro, toUnixTimestamp64Micro(max(Time)) AS lastUnixMicro,
      any(Model) AS model, count() AS rows, sum(Requests) AS requests, ${tokenSums},
      sum(CacheCreation1hTokens) AS cacheCreation1hTokens, sum(CostUsd) AS statedUsd, any(CostSource) AS costSource,
      any(IsListed) AS isListed
      FROM ${view} WHERE ${condition}
      GROUP BY keys, Model, toDate(Time), CostSource, IsListed,
        IsListed AND InputTokens + CacheReadTokens + CacheCreationTokens > ${longContextTokens}`)
    return rows.map((row) => this.priced({ ...row, isListed: Boolean(row.isListed) }))
  }

  /** A price is linear in tokens, so that of the mean row times their number is that of all. */
  private priced({ statedUsd, isListed, ...cell }: Cell): PricedCell {
    if (!isListed) return { ...cell, costUsd: statedUsd }
    const mean = (tokens: number): number => tokens / cell.rows
    const tokens = {
      inputTokens: mean(cell.inputTokens),
      outputTokens: mean(cell.outputTokens),
      cacheReadTokens: mean(cell.cacheReadTokens),
      cacheCreationTokens: mean(cell.cacheCreationTokens),
      cacheCreation1hTokens: mean(cell.cacheCreation1hTokens),
    }
    const price = this.prices.priceOf(cell.model, tokens, cell.lastUnixMicro)
    if (price === undefined) return { ...cell, costUsd: null }
    return { ...cell, costUsd: price.usd * cell.rows, costSource: price.source }
  }
}

const tokenSums = `sum(InputTokens) AS inputTokens, sum(OutputTokens) AS outputTokens, sum(CacheReadTokens) AS cacheReadTokens,
      sum(CacheCreationTokens) AS cacheCreationTokens`

/** The fullest tellers of those sessions that the period has anything of; in whole seconds, which it may not begin and end with. */
function usageWithin({ sinceUnixMicro, untilUnixMicro }: Period): string {
  const seconds = (unixMicro: number) => Math.max(0, Math.min(unixMicro / 1_000_000, 4_294_967_295))
  return `claude_usage_within(since = ${Math.floor(seconds(sinceUnixMicro))}, until = ${Math.ceil(seconds(untilUnixMicro))})`
}

function within(time: string, { sinceUnixMicro, untilUnixMicro }: Period): string {
  return `${time} >= ${moment(sinceUnixMicro)} AND ${time} < ${moment(untilUnixMicro)}`
}

function isAlways({ sinceUnixMicro, untilUnixMicro }: Period): boolean {
  return sinceUnixMicro <= 0 && untilUnixMicro === Number.MAX_SAFE_INTEGER
}

/** Within what ClickHouse's times can say. */
function moment(unixMicro: number): string {
  return `fromUnixTimestamp64Micro(${Math.max(0, Math.min(Math.floor(unixMicro), Date.UTC(2200, 0) * 1000))})`
}

function groupsOf(by: readonly UsageGroup[], cell: PricedCell): readonly string[] {
  const rest = [...cell.keys]
  return by.map((group) => (group === 'costSource' ? cell.costSource : (rest.shift() ?? '')))
}

function sessionUsage(sessionId: string, cells: readonly PricedCell[]): SessionUsage {
  const bySource: SessionUsage['bySource'] = Object.fromEntries(
    [...Map.groupBy(cells, ({ keys }) => keys[1] ?? '')].map(([source, cells]) => [source, totalsOf(cells)]),
  )
  const source = chooseSource(bySource)
  return {
    sessionId,
    orchestrationId: sessionId,
    firstUnixMicro: Math.min(...cells.map(({ firstUnixMicro }) => firstUnixMicro)),
    lastUnixMicro: Math.max(...cells.map(({ lastUnixMicro }) => lastUnixMicro)),
    ...(source === undefined ? {} : { source }),
    bySource,
  }
}

function totalsOf(cells: readonly PricedCell[]): UsageTotals {
  const sum = (of: (cell: PricedCell) => number): number => cells.reduce((total, cell) => total + of(cell), 0)
  const isPriced = cells.some(({ costUsd }) => costUsd !== null)
  return {
    requests: sum(({ requests }) => requests),
    inputTokens: sum(({ inputTokens }) => inputTokens),
    outputTokens: sum(({ outputTokens }) => outputTokens),
    cacheReadTokens: sum(({ cacheReadTokens }) => cacheReadTokens),
    cacheCreationTokens: sum(({ cacheCreationTokens }) => cacheCreationTokens),
    costUsd: isPriced ? sum(({ costUsd }) => costUsd ?? 0) : null,
    unpricedRequests: sum(({ costUsd, requests }) => (costUsd === null ? requests : 0)),
  }
}

function sumOf(by: readonly UsageGroup[], keys: readonly string[], cells: readonly PricedCell[]): UsageSum {
  const { requests: _, unpricedRequests: __, ...totals } = totalsOf(cells)
  return {
    ...Object.fromEntries(by.map((group, at) => [group, keys[at] ?? ''])),
    ...totals,
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
