/** Where a lane's batches come from: spans and log records are queued, metrics are summed up until somebody asks. */

import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { MetricState } from '../telemetry/provider.ts'
import type { MetricSignal, Signal } from '../telemetry/signal.ts'

/** Something to send, and the number of signals, from the start of the stream, that are settled with it. */
export interface Batch<P> {
  /** `undefined`: nothing of it is to be sent, all of it was sampled out. */
  readonly payload: P | undefined
  readonly upTo: number
}

export interface Source<P> {
  /** Whether a smaller `limit` makes a smaller batch. */
  readonly isDivisible: boolean
  /** Takes the next signal of the stream; `isSettled`: an earlier process has delivered it. */
  add(signal: Signal, isSettled: boolean): void
  /** Signals that could be sent. */
  waiting(): number
  /** What comes next, of at most `limit` signals; the same again until it is settled. */
  next(limit: number): Promise<Batch<P> | undefined>
  settle(upTo: number): void
}

/**
 * Holds at most `room` signals. Once it is full it takes no more: what is settled is always a prefix of the stream,
 * so that a gap could not be told from a delivery. The rest is the next process's.
 */
export class QueueSource<R> implements Source<R[]> {
  readonly isDivisible = true
  private readonly queue: Signal[] = []
  private isFull = false

  constructor(
    private settled: number,
    private readonly room: number,
    /** Makes a record of a signal, or `undefined` if it is sampled out. */
    private readonly factory: Promise<(signal: Signal) => R | undefined>,
  ) {
    // Who asks for a batch hears of it.
    factory.catch(() => {})
  }

  add(signal: Signal, isSettled: boolean): void {
    if (isSettled) return
    this.isFull ||= this.queue.length >= this.room
    if (!this.isFull) this.queue.push(signal)
  }

  waiting(): number {
    return this.queue.length
  }

  async next(limit: number): Promise<Batch<R[]> | undefined> {
    if (this.queue.length === 0) return undefined
    const make = await this.factory
    const signals = this.queue.slice(0, limit)
    const records = signals.map(make).filter((record) => record !== undefined)
    return { payload: records.length === 0 ? undefined : records, upTo: this.settled + signals.length }
  }

  settle(upTo: number): void {
    this.queue.splice(0, upTo - this.settled)
    this.settled = upTo
  }
}

/** One collection is under way at a time: a delta that was not delivered must be sent again, not collected anew. */
export class MetricSource implements Source<ResourceMetrics> {
  readonly isDivisible = false
  private readonly unrecorded: { signal: MetricSignal; isSettled: boolean }[] = []
  private state: MetricState | undefined
  private seen = 0
  private lastUnixMicro = 0
  private collected: Batch<ResourceMetrics> | undefined
  private isCollecting = false

  constructor(
    private settled: number,
    private readonly loading: Promise<MetricState>,
  ) {
    loading.catch(() => {})
  }

  /** Settled ones are counted too: the sums of a run go on from what an earlier process has told. */
  add(signal: Signal, isSettled: boolean): void {
    if (signal.kind !== 'metric') return
    this.seen++
    this.unrecorded.push({ signal, isSettled })
    this.record()
  }

  waiting(): number {
    return Math.max(0, this.seen - this.settled)
  }

  async next(): Promise<Batch<ResourceMetrics> | undefined> {
    if (this.waiting() === 0) return undefined
    this.state ??= await this.loading
    this.collected ??= await this.collect(this.state)
    return this.collected
  }

  private async collect(state: MetricState): Promise<Batch<ResourceMetrics>> {
    this.record()
    // What comes in meanwhile belongs to the next collection.
    this.isCollecting = true
    const upTo = this.seen
    try {
      return { payload: await state.collect(this.lastUnixMicro), upTo }
    } finally {
      this.isCollecting = false
    }
  }

  settle(upTo: number): void {
    this.settled = upTo
    this.collected = undefined
  }

  private record(): void {
    if (this.state === undefined || this.isCollecting) return
    for (const { signal, isSettled } of this.unrecorded.splice(0)) {
      this.lastUnixMicro = Math.max(this.lastUnixMicro, signal.timeUnixMicro)
      this.state.record(signal, isSettled)
    }
  }
}
