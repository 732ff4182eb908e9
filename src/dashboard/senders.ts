/** Who sends what since the hub was started, and what claude-otel counts of itself that is missing; in memory and bounded. */
import type { OtlpBatch, OtlpPoint, OtlpSource } from '../telemetry/otlp.ts'
import { forgetOldest } from './forget.ts'
import { text } from './span-facts.ts'

export interface Arrival {
  readonly service: string
  readonly scope: string
  readonly spans: number
  readonly logs: number
  readonly points: number
  readonly lastUnixMs: number
}

const maxSenders = 300
const maxStreams = 2000

const troubleNames = new Set([
  'claude_otel.hooks_lost_total',
  'claude_otel.hooks_duplicate_total',
  'claude_otel.records_broken_total',
  'claude_otel.unknown_total',
])

export class Senders {
  private readonly arrivals = new Map<string, { -readonly [K in keyof Arrival]: Arrival[K] }>()
  private readonly streams = new Map<string, { readonly name: string; value: number }>()

  count(batch: OtlpBatch): void {
    const items = batch.signal === 'traces' ? batch.spans : batch.signal === 'logs' ? batch.logs : batch.points
    const what = ({ traces: 'spans', logs: 'logs', metrics: 'points' } as const)[batch.signal]
    const sources = new Map<OtlpSource, number>()
    for (const { source } of items) sources.set(source, (sources.get(source) ?? 0) + 1)
    for (const [source, count] of sources) {
      const service = text(source.resource['service.name']) ?? 'unknown'
      const scope = source.scopeName
      const key = `${service} ${scope}`
      const known = this.arrivals.get(key) ?? { service, scope, spans: 0, logs: 0, points: 0, lastUnixMs: 0 }
      known[what] += count
      known.lastUnixMs = Date.now()
      this.arrivals.set(key, known)
      forgetOldest(this.arrivals, maxSenders)
    }
  }

  list(): readonly Arrival[] {
    return [...this.arrivals.values()]
  }

  takeTrouble(point: OtlpPoint): void {
    if (point.type !== 'sum' || !troubleNames.has(point.name)) return
    const { name, value, temporality, source, attributes } = point
    const instance = source.resource['service.instance.id'] ?? ''
    const key = JSON.stringify([name, instance, attributes])
    const known = this.streams.get(key)
    const sum = temporality === 'delta' ? (known?.value ?? 0) + value : Math.max(known?.value ?? 0, value)
    this.streams.set(key, { name, value: sum })
    forgetOldest(this.streams, maxStreams)
  }

  /** Added up over the processes that are heard of, by the name of the instrument. */
  troubles(): ReadonlyMap<string, number> {
    const sums = new Map<string, number>()
    for (const { name, value } of this.streams.values()) sums.set(name, (sums.get(name) ?? 0) + value)
    return sums
  }
}
