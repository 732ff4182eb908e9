/**
 * How well we do ourselves: sums of our own measurements (`claude_otel.*`) over one run, small enough to be kept after it, and
 * what they say together over many.
 */
import { type InstrumentName, instruments } from '../telemetry/metrics.ts'
import type { MetricSignal, Signal } from '../telemetry/signal.ts'

export interface Health {
  /** Hook calls by duration: one count per bucket of `claude_otel.hook.duration`, the last for all that took longer. */
  readonly hooks: readonly number[]
  /** By instrument, then by its attributes' values (`PreToolUse`, `jwt`; several with commas). */
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
}

const hookDuration = 'claude_otel.hook.duration' satisfies InstrumentName
const { boundaries } = instruments[hookDuration]

export const noHealth: Health = { hooks: boundaries.map(() => 0).concat(0), counts: {} }

/** Sums up what passes. */
export class HealthMeter {
  private readonly hooks = [...noHealth.hooks]
  private readonly counts: Record<string, Record<string, number>> = {}

  add(signals: readonly Signal[]): void {
    for (const signal of signals) if (signal.kind === 'metric') this.measure(signal)
  }

  read(): Health {
    return { hooks: [...this.hooks], counts: structuredClone(this.counts) }
  }

  private measure({ instrument, value, attributes }: MetricSignal): void {
    if (!instrument.startsWith('claude_otel.')) return
    if (instrument === hookDuration) {
      const bucket = boundaries.findIndex((bound) => value <= bound)
      this.hooks.splice(bucket, 1, (this.hooks.at(bucket) ?? 0) + 1)
      return
    }
    this.counts[instrument] ??= {}
    const sums = this.counts[instrument]
    const label = Object.values(attributes).join(',')
    sums[label] = (sums[label] ?? 0) + value
  }
}

export function addHealth(left: Health, right: Health): Health {
  const counts = structuredClone(left.counts) as Record<string, Record<string, number>>
  for (const [instrument, labels] of Object.entries(right.counts)) {
    counts[instrument] ??= {}
    const sums = counts[instrument]
    for (const [label, count] of Object.entries(labels)) sums[label] = (sums[label] ?? 0) + count
  }
  return { hooks: left.hooks.map((count, index) => count + (right.hooks[index] ?? 0)), counts }
}

/** Milliseconds that a share (0 to 1) of the hook calls did not exceed, estimated within its bucket; undefined without calls. */
export function hookPercentile({ hooks }: Health, share: number): number | undefined {
  const total = hooks.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  let below = 0
  for (const [index, count] of hooks.entries()) {
    if (below + count >= share * total && count > 0) {
      const from = boundaries[index - 1] ?? 0
      const to = boundaries[index] ?? from
      return from + ((share * total - below) / count) * (to - from)
    }
    below += count
  }
  return boundaries.at(-1)
}
