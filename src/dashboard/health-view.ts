/** The health of the telemetry itself: what arrives, what is missing, what was dropped. The hub adds what only it knows. */
import type { AnyStore, Later, StoreCounts } from '../store/store.ts'
import type { UsageSource } from '../usage/record.ts'
import { type Captured, capturedBy, disagreements } from '../usage/sources.ts'
import type { Live } from './live.ts'
import type { Arrival } from './senders.ts'
import { type SessionRow, sessionRow } from './views.ts'

export interface HealthLine {
  readonly label: string
  readonly value: string | number
  readonly level: 'ok' | 'warning' | 'error'
  /** What to do about it. */
  readonly hint?: string
}

export interface HealthSection {
  readonly title: string
  readonly lines: readonly HealthLine[]
}

/** What the hub knows of itself: its receiver, its queue, what was refused. */
export type HealthReader = () => Later<readonly HealthSection[]>

export interface HealthView {
  readonly sections: readonly HealthSection[]
  readonly arrivals: readonly Arrival[]
  /** Active sessions that only one side tells of. */
  readonly incomplete: readonly { readonly session: SessionRow; readonly missing: 'claude-otel' | 'claude-code' }[]
  /** Sessions of the last day of which events of Claude Code were lost. */
  readonly lost: readonly { readonly session: SessionRow; readonly events: number }[]
  /** Those whose sources tell of different amounts: what each has of the fullest, from 0 to 1, where that is not all. */
  readonly disagreeing: readonly {
    readonly session: SessionRow
    readonly source: UsageSource
    readonly captured: Captured
  }[]
  readonly store: StoreCounts & { readonly url: string }
}

const dayMicro = 24 * 3_600_000_000

const troubles: readonly { readonly name: string; readonly label: string; readonly hint: string }[] = [
  {
    name: 'claude_otel.hooks_lost_total',
    label: 'hooks that never came',
    hint: 'The transcript stood in for them. `claude-otel status` says which.',
  },
  {
    name: 'claude_otel.hooks_duplicate_total',
    label: 'hooks that came twice',
    hint: 'They are registered twice; each counts once. Take one registration out.',
  },
  {
    name: 'claude_otel.records_broken_total',
    label: 'records that could not be read',
    hint: 'Look for a full disk, or for two versions of claude-otel.',
  },
  {
    name: 'claude_otel.unknown_total',
    label: 'unknown events and fields',
    hint: 'Claude Code is newer than claude-otel: update it.',
  },
]

export async function healthView(
  store: AnyStore,
  live: Live,
  health: HealthReader,
  counts: StoreCounts,
  nowMs: number,
): Promise<HealthView> {
  const sums = live.troubles()
  const lines = troubles.map(({ name, label, hint }): HealthLine => {
    const value = sums.get(name) ?? 0
    return value === 0 ? { label, value, level: 'ok' } : { label, value, level: 'warning', hint }
  })
  const nowUnixMicro = nowMs * 1000
  const period = { sinceUnixMicro: nowUnixMicro - dayMicro, untilUnixMicro: Number.MAX_SAFE_INTEGER }
  const recent = (await store.sessions(period, 200)).map((facts) => sessionRow(facts, nowUnixMicro))
  const usages = new Map((await store.sessionUsages(period)).map((usage) => [usage.sessionId, usage]))
  return {
    sections: [...(await health()), { title: 'What claude-otel says of itself', lines }],
    arrivals: live.arrivals(),
    lost: recent.flatMap((session) => {
      const events = live.session(session.id)?.lostEvents ?? 0
      return events === 0 ? [] : [{ session, events }]
    }),
    disagreeing: recent.flatMap((session) => {
      const { source, ...usage } = usages.get(session.id) ?? { bySource: {} }
      // What is on its way to a session that goes on is not lost.
      if (source === undefined || session.state === 'active') return []
      const captured = disagreements(capturedBy({ ...usage, source }))
      return Object.keys(captured).length === 0 ? [] : [{ session, source, captured }]
    }),
    incomplete: recent.flatMap((session) => {
      const sources = live.session(session.id)?.sources ?? []
      if (session.state !== 'active' || sources.length !== 1) return []
      return [{ session, missing: sources[0] === 'claude-code' ? 'claude-otel' : 'claude-code' } as const]
    }),
    store: { ...counts, url: store.url },
  }
}
