/** Where a lane's batches come from: spans and log records are queued, metrics are summed up until somebody asks. */

import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { MetricState } from '../telemetry/provider.ts'
import type { LogSignal, MetricSignal, Signal, SpanSignal } from '../telemetry/signal.ts'
import type { Collection } from './acks.ts'
import type { Window } from './window.ts'

/** Something to send, and the number of signals, from the start of the stream, that are settled with it. */
export interface Batch<P> {
  /** `undefined`: nothing of it is to be sent, all of it was sampled out. */
  readonly payload: P | undefined
  readonly upTo: number
  /** Why it is given up unsent. */
  readonly lost?: string
}

export interface Source<P> {
  /** Whether a smaller `limit` makes a smaller batch. */
  readonly isDivisible: boolean
  /** Takes the next signal of the stream. */
  add(signal: Signal): void
  /** Signals that are not settled. */
  waiting(): number
  /** What comes next, of at most `limit` signals; the same again until it is settled. */
  next(limit: number): Promise<Batch<P> | undefined>
  settle(upTo: number): void
  /** Nothing is asked for any more. */
  close(): void
}

/** Spans or log records, in order. */
export class QueueSource<S extends SpanSignal | LogSignal, R> implements Source<R[]> {
  readonly isDivisible = true

  constructor(
    private readonly window: Window<S>,
    /** Makes a record of a signal, or `undefined` if it is sampled out. */
    private readonly factory: Promise<(signal: S) => R | undefined>,
  ) {
    // Who asks for a batch hears of it.
    factory.catch(() => {})
  }

  add(signal: Signal): void {
    this.window.add(signal)
  }

  waiting(): number {
    return this.window.left()
  }

  async next(limit: number): Promise<Batch<R[]> | undefined> {
    const make = await this.factory
    await this.window.refill()
    const signals = this.window.held.slice(0, limit)
    if (signals.length === 0) return undefined
    const records = signals.map(make).filter((record) => record !== undefined)
    return { payload: records.length === 0 ? undefined : records, upTo: this.window.start + signals.length }
  }

  settle(upTo: number): void {
    this.window.drop(upTo - this.window.start)
  }

  close(): void {
    this.window.close()
  }
}

export interface MetricSourceOptions {
  /** From the first measurement on: all of them are needed for the sums. */
  readonly window: Window<MetricSignal>
  readonly state: Promise<MetricState>
  /** Measurements that earlier processes have settled; undefined when that is not known and must not be guessed. */
  readonly settled: number | undefined
  /** The last collection that any process has begun. */
  readonly last: Collection | undefined
  readonly startUnixMicro: number
  /** Keeps where a collection ends before it is sent; nothing is sent when that throws. */
  begin(collection: Collection): void
}

/**
 * One collection is under way at a time, and its bounds are kept before it leaves: whoever takes the run over collects the same
 * measurements with the same times again, so that a receiver knows what it has got already.
 */
export class MetricSource implements Source<ResourceMetrics> {
  readonly isDivisible = false
  private readonly window: Window<MetricSignal>
  private state: MetricState | undefined
  private settled: number
  private isUnknown: boolean
  private last: Collection | undefined
  private lastUnixMicro: number
  private collected: Batch<ResourceMetrics> | undefined

  constructor(private readonly options: MetricSourceOptions) {
    const { window, state, settled, last, startUnixMicro } = options
    this.window = window
    this.settled = settled ?? 0
    this.isUnknown = settled === undefined
    this.last = last
    this.lastUnixMicro = startUnixMicro
    state.then(
      (loaded) => {
        this.state = loaded
        this.record()
      },
      () => {},
    )
  }

  add(signal: Signal): void {
    this.window.add(signal)
    this.record()
  }

  waiting(): number {
    return Math.max(0, this.window.seen - this.settled)
  }

  async next(): Promise<Batch<ResourceMetrics> | undefined> {
    if (this.waiting() === 0) return undefined
    const state = await this.options.state
    if (this.isUnknown) {
      return { payload: undefined, upTo: this.window.seen, lost: 'what was delivered before is not known any more' }
    }
    this.collected ??= await this.collect(state)
    return this.collected
  }

  settle(upTo: number): void {
    this.settled = upTo
    this.isUnknown = false
    this.collected = undefined
  }

  close(): void {
    this.window.close()
  }

  private async collect(state: MetricState): Promise<Batch<ResourceMetrics>> {
    await this.catchUp()
    const collection = this.underWay() ?? this.begin()
    return { payload: await state.collect(collection), upTo: collection.upTo }
  }

  /** Records everything that belongs to the collection, also what memory had no room for. */
  private async catchUp(): Promise<void> {
    for (let before = -1; before < this.window.start && this.window.start < this.end(); ) {
      before = this.window.start
      await this.window.refill()
      this.record()
    }
  }

  private begin(): Collection {
    const fromUnixMicro = this.last?.toUnixMicro ?? this.options.startUnixMicro
    // Two collections never have the same times: a receiver may know them apart by nothing else.
    const toUnixMicro = Math.max(this.lastUnixMicro, fromUnixMicro + 1)
    const collection = { upTo: this.window.start, fromUnixMicro, toUnixMicro }
    this.options.begin(collection)
    this.last = collection
    return collection
  }

  /** Begun, by whomever, and not settled. */
  private underWay(): Collection | undefined {
    return this.last !== undefined && this.last.upTo > this.settled ? this.last : undefined
  }

  /** Up to here measurements may be recorded now: what comes in while an export is collected belongs to the next. */
  private end(): number {
    const { seen } = this.window
    return this.collected === undefined ? Math.min(seen, this.underWay()?.upTo ?? seen) : seen
  }

  private record(): void {
    const { state, window } = this
    if (state === undefined || this.isUnknown) return
    const count = Math.min(window.held.length, this.end() - window.start)
    for (const [at, signal] of window.held.slice(0, count).entries()) {
      this.lastUnixMicro = Math.max(this.lastUnixMicro, signal.timeUnixMicro)
      state.record(signal, window.start + at < this.settled)
    }
    window.drop(count)
  }
}
