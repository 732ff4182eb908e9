/**
 * Where the time of a session went. At each moment one thing counts, the first of `activities` that goes on, so that the parts add
 * up to the whole. The whole is the time of the runs of a session: what lies between them, until it was resumed, is nobody's time.
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

/** Of a tree, microseconds; the sum over all activities is `wallMicro` exactly. */
export function timeSpent(spans: readonly SpanFacts[]): TimeSpent {
  const containers = parentsOf(spans)
  const intervals = [...runIntervals(spans), ...spans.flatMap((span) => intervalsOf(span, containers))]
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

/** A silence that ends a run, where only Claude Code tells: it says neither when a session begins nor when it ends. */
const silenceMicro = 30 * 60 * 1_000_000

/** Each run has a trace of ours; of what nobody but Claude Code tells, the silence between two runs is longer than within one. */
function runIntervals(spans: readonly SpanFacts[]): Interval[] {
  const ours = Map.groupBy(
    spans.filter(({ teller }) => teller === 'claude-otel'),
    ({ traceId }) => traceId,
  )
  const theirs = spans.filter(({ teller }) => teller !== 'claude-otel')
  const runs = [...ours.values()].map(extentOf)
  if (runs.length > 0) return [...runs, ...theirs.map((span) => extentOf([span]))]
  for (const span of theirs.toSorted((a, b) => a.startUnixMicro - b.startUnixMicro)) {
    const last = runs.at(-1)
    const isOfLast = last !== undefined && span.startUnixMicro - last.to < silenceMicro
    if (isOfLast) runs[runs.length - 1] = { ...last, to: Math.max(last.to, span.endUnixMicro) }
    else runs.push(extentOf([span]))
  }
  return runs
}

function extentOf(spans: readonly SpanFacts[]): Interval {
  const edges = { from: Number.POSITIVE_INFINITY, to: 0 }
  for (const { startUnixMicro, endUnixMicro } of spans) {
    edges.from = Math.min(edges.from, startUnixMicro)
    edges.to = Math.max(edges.to, endUnixMicro)
  }
  return { activity: 'idle', ...edges }
}

const workKinds: ReadonlySet<string> = new Set(['model', 'tool', 'agent'])

/** Tool calls with work below them: a subagent's call is its subagent's time. */
function parentsOf(spans: readonly SpanFacts[]): ReadonlySet<string> {
  return new Set(spans.flatMap(({ kind, parentSpanId = '' }) => (workKinds.has(kind) ? [parentSpanId] : [])))
}

function intervalsOf(span: SpanFacts, containers: ReadonlySet<string>): Interval[] {
  const { kind, spanId, startUnixMicro: from, endUnixMicro: to } = span
  if (span.isSum) return []
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
