/**
 * The mathematics of metric streams: how much a point adds to what was counted before, whatever the order, the batches and the
 * repetitions it comes in. A stream is a metric with all attributes of its points, and for cumulative ones with their start,
 * which is another for each process: two processes of one session differ in nothing else, one after the other or at a time.
 * The resource is no part of it: Claude Code's is the same for all sessions, and one point may come by two roads.
 */
import type { OtlpAttributes, OtlpPoint } from '../telemetry/otlp.ts'
import type { Outcome, StreamState } from './record.ts'

export type SumPoint = Extract<OtlpPoint, { type: 'sum' }>

export interface Advance {
  readonly outcome: Outcome
  /** What was not counted yet. */
  readonly increment: number
  /** What is to be remembered now; absent: as before. */
  readonly state?: StreamState
}

/** A short key that stays the same for the same parts, in any order of attributes. */
export function deriveKey(...parts: readonly (string | number | OtlpAttributes)[]): string {
  const text = JSON.stringify(parts.map((part) => (typeof part === 'object' ? sorted(part) : part)))
  return new Bun.CryptoHasher('sha256').update(text).digest('hex').slice(0, 32)
}

/** Whether the point can be counted: a rising sum with a value. */
export function isCountable(point: OtlpPoint): point is SumPoint {
  if (point.type !== 'sum' || !point.isMonotonic || point.isAbsent) return false
  return point.temporality !== 'unspecified' && Number.isFinite(point.value) && point.value >= 0
}

/** `memory` gives the state as the points before left it. */
export function advance(point: SumPoint, memory: (key: string) => StreamState | undefined): Advance {
  const { name, attributes, startUnixMicro: start, timeUnixMicro: time, temporality } = point
  if (temporality === 'delta') return advanceDelta(point, deriveKey(name, attributes, 'delta', start, time), memory)
  return advanceCumulative(point, deriveKey(name, attributes, 'cumulative', start), memory)
}

/**
 * Each counts once. Points that overlap without being equal are of several processes that resumed one session, and all count:
 * Claude Code's points name no process.
 */
function advanceDelta({ value, timeUnixMicro }: SumPoint, key: string, memory: UsageStates): Advance {
  if (memory(key) !== undefined) return { outcome: 'repeated', increment: 0 }
  return { outcome: 'counted', increment: value, state: { key, timeUnixMicro, value } }
}

function advanceCumulative(point: SumPoint, key: string, memory: UsageStates): Advance {
  const { value, timeUnixMicro, startUnixMicro } = point
  const state = { key, timeUnixMicro, value }
  const past = memory(key)
  if (past === undefined) {
    if (startUnixMicro === 0) return { outcome: 'baseline', increment: 0, state }
    return { outcome: 'counted', increment: value, state }
  }
  if (timeUnixMicro < past.timeUnixMicro) return { outcome: 'late', increment: 0 }
  if (value === past.value) return { outcome: 'repeated', increment: 0, ...(isStale(past, point) ? { state } : {}) }
  if (value > past.value) return { outcome: 'counted', increment: value - past.value, state }
  if (timeUnixMicro === past.timeUnixMicro) return { outcome: 'repeated', increment: 0 }
  return { outcome: 'reset', increment: value, state }
}

type UsageStates = (key: string) => StreamState | undefined

/** An idle stream is sent again and again for as long as its process lives: its row is written anew only once an hour. */
function isStale(past: StreamState, { timeUnixMicro }: SumPoint): boolean {
  return timeUnixMicro - past.timeUnixMicro > 3_600_000_000
}

function sorted(attributes: OtlpAttributes): unknown {
  return Object.entries(attributes).sort(([left], [right]) => (left < right ? -1 : 1))
}
