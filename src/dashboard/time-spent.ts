/**
 * Where the time of a session went. At each moment one thing counts, the first of `activities` that goes on, so that the parts add
 * up to the whole. The whole is the time from the first to the last span of each trace: what lies between the runs of a session
 * that was resumed later is nobody's time.
 */
import type { SpanFacts } from './span-facts.ts'

/** `hooks` is whatever of a turn is neither model nor tool nor a person: hooks, and Claude Code itself. */
export const activities = ['model', 'tool', 'permission', 'hooks', 'idle'] as const
export type Activity = (typeof activities)[number]

export interface TimeSpent {
  readonly wallMicro: number
  readonly byActivity: Readonly<Record<Activity, number>>
}

interface Interval {
  readonly activity: Activity
  readonly from: number
  readonly to: number
}

/** Microseconds; the sum over all activities is `wallMicro` exactly. */
export function timeSpent(spans: readonly SpanFacts[]): TimeSpent {
  const containers = parentsOf(spans)
  const intervals = [...traceIntervals(spans), ...spans.flatMap((span) => intervalsOf(span, containers))]
  const byActivity = sweep(intervals.filter(({ from, to }) => to > from))
  return { wallMicro: activities.reduce((sum, activity) => sum + byActivity[activity], 0), byActivity }
}

function sweep(intervals: readonly Interval[]): Record<Activity, number> {
  const edges = intervals.flatMap(({ activity, from, to }) => [
    { at: from, rank: activities.indexOf(activity), step: 1 },
    { at: to, rank: activities.indexOf(activity), step: -1 },
  ])
  edges.sort((a, b) => a.at - b.at)
  const spent: Record<Activity, number> = { model: 0, tool: 0, permission: 0, hooks: 0, idle: 0 }
  const running = activities.map(() => 0)
  let last = edges[0]?.at ?? 0
  for (const { at, rank, step } of edges) {
    const activity = activities[running.findIndex((count) => count > 0)]
    if (activity !== undefined) spent[activity] += at - last
    running[rank] = (running[rank] ?? 0) + step
    last = at
  }
  return spent
}

function traceIntervals(spans: readonly SpanFacts[]): Interval[] {
  const traces = new Map<string, { from: number; to: number }>()
  for (const { traceId, startUnixMicro, endUnixMicro } of spans) {
    const known = traces.get(traceId)
    if (known === undefined) traces.set(traceId, { from: startUnixMicro, to: endUnixMicro })
    else {
      known.from = Math.min(known.from, startUnixMicro)
      known.to = Math.max(known.to, endUnixMicro)
    }
  }
  return [...traces.values()].map(({ from, to }) => ({ activity: 'idle', from, to }))
}

/** Tool calls with something below them: a subagent's call is its subagent's time, Claude Code's own span that of its parts. */
function parentsOf(spans: readonly SpanFacts[]): ReadonlySet<string> {
  return new Set(spans.flatMap(({ kind, parentSpanId }) => (kind === 'other' || !parentSpanId ? [] : [parentSpanId])))
}

function intervalsOf(span: SpanFacts, containers: ReadonlySet<string>): Interval[] {
  const { kind, spanId, startUnixMicro: from, endUnixMicro: to } = span
  switch (kind) {
    case 'model':
    case 'permission':
      return [{ activity: kind, from, to }]
    case 'tool':
      return toolIntervals(span, containers.has(spanId))
    case 'turn':
    case 'agent':
    case 'hook':
      return [{ activity: 'hooks', from, to }]
    case 'session':
    case 'other':
      return []
  }
}

/** Permission comes first, and the call ends when the tool does. */
function toolIntervals(
  { startUnixMicro: from, endUnixMicro: to, ...call }: SpanFacts,
  isContainer: boolean,
): Interval[] {
  const { waitMicro = 0, runMicro, status } = call
  const permitted = Math.min(to, from + waitMicro)
  const hasRun = status !== 'denied'
  const began = runMicro === undefined ? permitted : Math.max(permitted, to - runMicro)
  return [
    { activity: 'permission', from, to: permitted },
    { activity: isContainer || !hasRun ? 'hooks' : 'tool', from: began, to },
    { activity: 'hooks', from, to },
  ]
}
