/**
 * Sums of usage in the SQLite store: whole slots of time are read as they were summed up when they were written, and only what a
 * period has beside them from the records.
 */
import type { Database } from 'bun:sqlite'
import type { Period, UsageGroup, UsageSum } from './store.ts'

/** A quarter of an hour: in every time zone days consist of them. */
export const slotMicro = 15 * 60_000_000

/** When the slot of a time begins. */
export function slotOf(unixMicro: number): number {
  return Math.floor(unixMicro / slotMicro) * slotMicro
}

/** How each grouping is had of a part; days and weeks (from Monday) are those of this machine's time zone. */
const groups: Readonly<Record<UsageGroup, string>> = {
  minute: 'cast(time / 60000000 * 60 AS TEXT)',
  querySource: 'query_source',
  costSource: 'cost_source',
  day: "date(time / 1000000, 'unixepoch', 'localtime')",
  week: "date(time / 1000000, 'unixepoch', 'localtime', 'weekday 0', '-6 days')",
  session: 'session_id',
  model: 'model',
  project: "coalesce(believed_repository, repository, '')",
}

const sums = [
  'sum(input) AS inputTokens',
  'sum(output) AS outputTokens',
  'sum(cache_read) AS cacheReadTokens',
  'sum(cache_creation) AS cacheCreationTokens',
  'sum(cost_usd) AS costUsd',
  'count(DISTINCT session_id) AS sessions',
  'max(last_time) AS lastUnixMicro',
]

/** Session by session: of each there are few slots. */
const slots = `
  SELECT s.repository AS believed_repository, s.session_id, u.time, u.model, u.query_source, u.repository,
    u.input, u.output, u.cache_read, u.cache_creation, u.cost_usd, u.cost_source, u.last_time
  FROM usage_session s CROSS JOIN usage_slot u ON u.session_id = s.session_id AND u.source = s.source
  WHERE s.last_time >= ?1 AND u.time >= ?2 AND u.time < ?3`

/** Metrics tell tokens and cost apart, and the cost is always Claude Code's. */
const costSource = "CASE r.source WHEN 'metrics' THEN 'claude' ELSE coalesce(r.cost_source, '') END"

const records = (period: string): string => `
  SELECT s.repository, s.session_id, r.time, r.model, coalesce(r.query_source, ''), r.repository,
    r.input, r.output, r.cache_read, r.cache_creation, r.cost_usd, ${costSource}, r.time
  FROM usage_record r CROSS JOIN usage_session s ON s.session_id = r.session_id AND s.source = r.source
  WHERE ${period}`

const parts = [slots, records('r.time >= ?1 AND r.time < ?2'), records('r.time >= ?3 AND r.time < ?4')]

/** Of each session the records of the source that is believed, summed by what is asked, in its order. */
export function readSums(database: Database, by: readonly UsageGroup[], period: Period): readonly UsageSum[] {
  const { sinceUnixMicro: since, untilUnixMicro: until } = period
  const [from, to] = slotsWithin(by, period)
  const keys = by.map((group) => `${groups[group]} AS "${group}"`)
  const order = by.map((_, index) => index + 1).join(', ')
  const grouping = order === '' ? '' : `GROUP BY ${order} ORDER BY ${order}`
  const sql = `SELECT ${[...keys, ...sums].join(', ')} FROM (${parts.join(' UNION ALL ')}) ${grouping}`
  const rows = database.query<UsageSum, [number, number, number, number]>(sql).all(since, from, to, until)
  // Without a grouping SQL gives one row of nothing for nothing.
  return rows.filter(({ inputTokens }) => inputTokens !== null)
}

/** The whole slots of a period: from, to. None where minutes are asked for. */
function slotsWithin(by: readonly UsageGroup[], period: Period): readonly [number, number] {
  const { sinceUnixMicro, untilUnixMicro } = period
  const [from, to] = [slotOf(sinceUnixMicro + slotMicro - 1), slotOf(untilUnixMicro)]
  return to <= from || by.includes('minute') ? [untilUnixMicro, untilUnixMicro] : [from, to]
}
