/** What the pages Now, History and Health ask for, from store, usage and what goes on. */
import type { AnyStore } from '../store/store.ts'
import { type SessionContext, sessionContext } from './context.ts'
import type { LiveError } from './failures.ts'
import type { Live, LiveSession } from './live.ts'
import type { UsageKey, UsageReader, UsageRow } from './usage-reader.ts'
import { type SessionRow, sessionRow } from './views.ts'

export interface NowSession extends SessionRow {
  readonly live?: Omit<LiveSession, 'context'>
  readonly context?: SessionContext
  readonly today?: UsageRow
}

/** A threshold of the guard was crossed. */
export interface Notice {
  readonly unixMicro: number
  readonly text: string
  readonly sessionId: string
}

export interface NowView {
  readonly atUnixMs: number
  readonly notices: readonly Notice[]
  /** Active ones, the last heard of first. */
  readonly sessions: readonly NowSession[]
  /** The last that are over. */
  readonly recent: readonly SessionRow[]
  /** undefined: usage is not tracked. */
  readonly usage?: {
    readonly today?: UsageRow
    readonly byModel: readonly UsageRow[]
    /** Who gave today's prices. */
    readonly byCostSource: readonly UsageRow[]
    /** Of the last hour, those in which something was used, by time. */
    readonly minutes: readonly UsageRow[]
    /** Over the last ten minutes. */
    readonly burn: { readonly tokensPerMinute: number; readonly usdPerHour: number | null }
  }
  readonly errors: readonly LiveError[]
}

const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs
const burnMinutes = 10
const shownNotices = 5

export async function nowView(
  store: AnyStore,
  live: Live,
  usage: UsageReader | undefined,
  notices: readonly Notice[],
  nowMs: number,
): Promise<NowView> {
  const period = { sinceUnixMicro: (nowMs - dayMs) * 1000, untilUnixMicro: Number.MAX_SAFE_INTEGER }
  const rows = (await store.sessions(period, 200)).map((facts) => sessionRow(facts, nowMs * 1000))
  const midnightMs = new Date(nowMs).setHours(0, 0, 0, 0)
  const today = { sinceMs: midnightMs, untilMs: nowMs + minuteMs }
  const sums = (await usage?.sums({ ...today, by: ['sessionId'], limit: 500 })) ?? []
  const perSession = new Map(sums.map((row) => [row.sessionId ?? '', row]))
  const active = rows.filter(({ state }) => state === 'active')
  return {
    atUnixMs: nowMs,
    notices: notices.slice(0, shownNotices),
    sessions: active.map((row) => withLive(row, live, usage, perSession.get(row.id))),
    recent: rows.filter(({ state }) => state !== 'active').slice(0, 8),
    ...(usage === undefined ? {} : { usage: await usageNow(usage, today, nowMs) }),
    errors: live.errors(),
  }
}

function withLive(
  row: SessionRow,
  live: Live,
  usage: UsageReader | undefined,
  today: UsageRow | undefined,
): NowSession {
  const found = live.session(row.id)
  const used = today === undefined ? {} : { today }
  if (found === undefined) return { ...row, ...used }
  const { context: samples, ...rest } = found
  const context = sessionContext(samples, row.model === undefined ? undefined : usage?.contextTokens?.(row.model))
  return { ...row, ...used, live: rest, ...(context === undefined ? {} : { context }) }
}

async function usageNow(
  usage: UsageReader,
  period: { readonly sinceMs: number; readonly untilMs: number },
  nowMs: number,
): Promise<NonNullable<NowView['usage']>> {
  const hour = { sinceMs: nowMs - 60 * minuteMs, untilMs: period.untilMs }
  const minutes = await usage.sums({ ...hour, by: ['minute'], limit: 100 })
  const recent = minutes.filter(({ minute = 0 }) => minute > nowMs - burnMinutes * minuteMs)
  const costs = recent.flatMap(({ costUsd }) => costUsd ?? [])
  const [today] = await usage.sums({ ...period, by: [], limit: 1 })
  return {
    ...(today === undefined ? {} : { today }),
    byModel: await usage.sums({ ...period, by: ['model'], limit: 20 }),
    byCostSource: await usage.sums({ ...period, by: ['costSource'], limit: 10 }),
    minutes: minutes.toSorted((a, b) => (a.minute ?? 0) - (b.minute ?? 0)),
    burn: {
      tokensPerMinute: recent.reduce((sum, row) => sum + totalTokens(row), 0) / burnMinutes,
      usdPerHour: costs.length === 0 ? null : (costs.reduce((sum, usd) => sum + usd, 0) / burnMinutes) * 60,
    },
  }
}

export function totalTokens(row: UsageRow): number {
  return row.inputTokens + row.outputTokens + row.cacheReadTokens + row.cacheCreationTokens
}

export const historyKeys = ['day', 'model', 'project', 'sessionId'] as const
export type HistoryKey = (typeof historyKeys)[number]

export interface HistoryRow {
  readonly key: string
  /** Of sessions: what is known of it. */
  readonly session?: SessionRow
  /** Absent where usage is not tracked. */
  readonly usage?: UsageRow
}

export interface HistoryView {
  readonly by: HistoryKey
  readonly hasUsage: boolean
  readonly rows: readonly HistoryRow[]
}

/** By sessions it lists those of the period even where nothing is known of their usage. */
export async function historyView(
  store: AnyStore,
  usage: UsageReader | undefined,
  { by, days, nowMs }: { readonly by: HistoryKey; readonly days: number; readonly nowMs: number },
): Promise<HistoryView> {
  // A day is not always of 24 hours.
  const today = new Date(nowMs)
  const sinceMs = new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1)).getTime()
  const keys: readonly UsageKey[] = [by]
  const sums = (await usage?.sums({ sinceMs, untilMs: nowMs + minuteMs, by: keys, limit: 1000 })) ?? []
  const hasUsage = usage !== undefined
  if (by !== 'sessionId') return { by, hasUsage, rows: sums.map((row) => ({ key: row[by] ?? '', usage: row })) }
  const period = { sinceUnixMicro: sinceMs * 1000, untilUnixMicro: Number.MAX_SAFE_INTEGER }
  const rows = new Map<string, HistoryRow>()
  for (const facts of await store.sessions(period, 1000)) {
    rows.set(facts.id, { key: facts.id, session: sessionRow(facts, nowMs * 1000) })
  }
  for (const row of sums)
    rows.set(row.sessionId ?? '', { key: row.sessionId ?? '', ...rows.get(row.sessionId ?? ''), usage: row })
  return { by, hasUsage, rows: [...rows.values()] }
}
