/** What is kept of a run's delivery between processes: how much of its stream each destination has settled. */

import type { SignalType } from '../telemetry/signal.ts'
import { isRecord } from '../telemetry/summary.ts'

/** One export of metrics: the first `upTo` measurements of the stream, told as of these times. */
export interface Collection {
  readonly upTo: number
  readonly fromUnixMicro: number
  readonly toUnixMicro: number
}

/** The first N signals in the stream are settled: delivered, or finally refused. */
export type DestinationAcks = Readonly<Record<SignalType, number>> & {
  /** The last export of metrics that was begun. Where it goes beyond what is settled, it may have arrived. */
  readonly collection?: Collection
}

/** By the destination's name. */
export type Acks = Readonly<Record<string, DestinationAcks>>

export const noAcks: DestinationAcks = { traces: 0, logs: 0, metrics: 0 }

/** As it is written down. */
export function acksToJson(destinations: Acks): unknown {
  return { v: 1, destinations }
}

/** Undefined for what is none of ours or was damaged. Throws for a later version's: to write over that would lose what it says. */
export function readAcks(value: unknown): Acks | undefined {
  if (!isRecord(value)) return undefined
  if (typeof value.v === 'number' && value.v > 1) {
    throw new Error(`acknowledgements of version ${value.v} are not known here`)
  }
  const { destinations } = value
  if (value.v !== 1 || !isRecord(destinations)) return undefined
  return Object.values(destinations).every(isDestination) ? (destinations as Acks) : undefined
}

function isDestination(value: unknown): boolean {
  if (!isRecord(value) || !['traces', 'logs', 'metrics'].every((type) => isCount(value[type]))) return false
  const { collection } = value
  if (collection === undefined) return true
  return isRecord(collection) && ['upTo', 'fromUnixMicro', 'toUnixMicro'].every((name) => isCount(collection[name]))
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
