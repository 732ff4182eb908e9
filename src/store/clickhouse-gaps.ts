/**
 * Usage that a SQLite store has only sums of, since its records have gone by their age, beside what ClickHouse is told of the same
 * sessions: the gap is kept as sums, so that both say the same. Whoever fills it again finds it filled.
 */
import type { UsageSource } from '../usage/record.ts'
import type { ClickHouse } from './clickhouse-client.ts'
import { quote } from './clickhouse-place.ts'
import { timeText } from './clickhouse-rows.ts'
import type { ClickHouseUsageStore, ToldUsage } from './clickhouse-usage.ts'
import type { SessionSums, SlotSum } from './sqlite-history.ts'

/** A row of `claude_usage_sums`, with its times in microseconds. */
export interface KeptSum extends SlotSum {
  readonly sessionId: string
  readonly requests: number
}

const kinds = ['inputTokens', 'outputTokens', 'cacheReadTokens', 'cacheCreationTokens'] as const
type Counts = Readonly<Record<(typeof kinds)[number], number>> & { readonly costUsd: number | null }
const nothing: Counts = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0, costUsd: null }

/** Says how many sums are new or other than they were. */
export async function fillGaps(
  clickhouse: ClickHouse,
  usage: ClickHouseUsageStore,
  sessions: readonly SessionSums[],
): Promise<number> {
  const ids = sessions.map(({ sessionId }) => sessionId)
  if (ids.length === 0) return 0
  const told = Map.groupBy(await usage.told(ids), ({ sessionId }) => sessionId)
  const missing = sessions.flatMap((session) => missingSums(session, told.get(session.sessionId) ?? []))
  const known = new Map((await keptSums(clickhouse, ids)).map((sum) => [keyOf(sum), sum]))
  const keys = new Set(missing.map(keyOf))
  const filled = [...known.values()].filter((sum) => !keys.has(keyOf(sum)))
  const wanted = [...missing, ...filled.map((sum) => ({ ...sum, ...nothing, requests: 0 }))]
  const changed = wanted.filter((sum) => !isSame(known.get(keyOf(sum)), sum))
  await clickhouse.insert('claude_usage_sums', changed.map(sumColumns))
  return changed.length
}

/** What the session used by its sums beyond what is told of it, source by source. */
export function missingSums(
  { sessionId, repository, requests, slots }: SessionSums,
  told: readonly ToldUsage[],
): readonly KeptSum[] {
  return [...Map.groupBy(slots, ({ source }) => source)].flatMap(([source, ofSource]) => {
    const heard = told.filter((each) => each.source === source)
    const gaps = gapsOf(source, ofSource, heard)
    const own = new Set(ofSource.map(cellOf))
    const count = heard.reduce((sum, each) => sum + (own.has(cellOf(each)) ? each.requests : 0), 0)
    const fewer = Math.max(0, (requests[source] ?? 0) - count)
    return gaps.map((gap, at) => ({
      ...gap,
      sessionId,
      repository: repository ?? gap.repository,
      requests: at === 0 ? fewer : 0,
      lastUnixMicro: Math.floor(gap.lastUnixMicro),
    }))
  })
}

function gapsOf(source: UsageSource, slots: readonly SlotSum[], heard: readonly ToldUsage[]): readonly SlotSum[] {
  const last = Math.max(...slots.map(({ slotUnixMicro }) => slotUnixMicro))
  const heardByCell = new Map(heard.map((each) => [cellOf(each), each]))
  const cells = [...Map.groupBy(slots, cellOf)].map(([cell, rows]) => gapOf(rows, heardByCell.get(cell)))
  // As long as nothing is missing, whatever is told beyond it was told by others.
  if (!cells.some(({ counts }) => kinds.some((kind) => counts[kind] > 0))) return []
  if (source !== 'metrics') return cells.flatMap(({ rows, counts }) => rowsOf(rows, atLeastNothing(counts)))
  // Of a total whose first points are gone the next one tells all: later than it was used.
  const own = new Set(slots.map(cellOf))
  const late = heard.filter((each) => each.slotUnixMicro <= last && !own.has(cellOf(each)))
  return [...cells, ...late.map((each) => gapOf([slotOfTold(each)], each))].flatMap(({ rows, counts }) =>
    rowsOf(rows, counts),
  )
}

interface Gap {
  readonly rows: readonly SlotSum[]
  readonly counts: Counts
}

function gapOf(rows: readonly SlotSum[], heard: Counts = nothing): Gap {
  const sum = (of: (counts: Counts) => number): number => rows.reduce((total, row) => total + of(row), 0)
  const [input, output, read, creation] = kinds.map((kind) => sum((row) => row[kind]) - heard[kind])
  const isPriced = rows.some(({ costUsd }) => costUsd !== null)
  const usd = sum(({ costUsd }) => costUsd ?? 0) - (heard.costUsd ?? 0)
  const counts = {
    inputTokens: input ?? 0,
    outputTokens: output ?? 0,
    cacheReadTokens: read ?? 0,
    cacheCreationTokens: creation ?? 0,
    // Floats that are summed in another order are not quite the same.
    costUsd: isPriced ? Number(usd.toFixed(9)) : null,
  }
  return { rows, counts }
}

function atLeastNothing(counts: Counts): Counts {
  const [input = 0, output = 0, read = 0, creation = 0] = kinds.map((kind) => Math.max(0, counts[kind]))
  const isNothing = input + output + read + creation === 0
  const costUsd = isNothing || counts.costUsd === null ? null : Math.max(0, counts.costUsd)
  return { inputTokens: input, outputTokens: output, cacheReadTokens: read, cacheCreationTokens: creation, costUsd }
}

/** The rows of a cell of which nothing is told as they are; else one that has the rest. */
function rowsOf(rows: readonly SlotSum[], counts: Counts): readonly SlotSum[] {
  const [first] = rows
  if (first === undefined || (kinds.every((kind) => counts[kind] === 0) && !counts.costUsd)) return []
  const isWhole = kinds.every((kind) => counts[kind] === rows.reduce((sum, row) => sum + row[kind], 0))
  return isWhole ? rows : [{ ...first, ...counts }]
}

function slotOfTold({ source, slotUnixMicro, model, querySource }: ToldUsage): SlotSum {
  const rest = { repository: '', costSource: 'claude', lastUnixMicro: slotUnixMicro }
  return { source, slotUnixMicro, model, querySource, ...rest, ...nothing, costUsd: 0 }
}

function cellOf({
  slotUnixMicro,
  model,
  querySource,
}: Pick<SlotSum, 'slotUnixMicro' | 'model' | 'querySource'>): string {
  return JSON.stringify([slotUnixMicro, model, querySource])
}

function keyOf({ sessionId, source, costSource, repository, ...rest }: KeptSum): string {
  return JSON.stringify([sessionId, source, cellOf(rest), costSource, repository])
}

function isSame(known: KeptSum | undefined, sum: KeptSum): boolean {
  const facts = [...kinds, 'costUsd', 'requests', 'lastUnixMicro'] as const
  return known !== undefined && facts.every((fact) => known[fact] === sum[fact])
}

function keptSums(clickhouse: ClickHouse, ids: readonly string[]): Promise<readonly KeptSum[]> {
  return clickhouse.rows<KeptSum>(`SELECT SessionId AS sessionId, Source AS source,
    toUnixTimestamp(Slot) * 1000000 AS slotUnixMicro, Model AS model, QuerySource AS querySource, CostSource AS costSource,
    Repository AS repository, toUnixTimestamp64Micro(Time) AS lastUnixMicro, Requests AS requests,
    InputTokens AS inputTokens, OutputTokens AS outputTokens, CacheReadTokens AS cacheReadTokens,
    CacheCreationTokens AS cacheCreationTokens, CostUsd AS costUsd
    FROM claude_usage_sums FINAL WHERE SessionId IN (${ids.map(quote).join(', ')})`)
}

function sumColumns(sum: KeptSum): object {
  return {
    SessionId: sum.sessionId,
    Source: sum.source,
    Slot: timeText(sum.slotUnixMicro),
    Model: sum.model,
    QuerySource: sum.querySource,
    CostSource: sum.costSource,
    Repository: sum.repository,
    Time: timeText(sum.lastUnixMicro),
    Requests: sum.requests,
    InputTokens: sum.inputTokens,
    OutputTokens: sum.outputTokens,
    CacheReadTokens: sum.cacheReadTokens,
    CacheCreationTokens: sum.cacheCreationTokens,
    CostUsd: sum.costUsd,
  }
}
