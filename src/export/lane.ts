/**
 * The way of one signal to one destination: a bounded queue in stream order, one request at a time, retries with
 * backoff, and a count of what is settled. It knows nothing of the SDK: a source makes its batches, a sender sends.
 */

import { describeError } from '../base/errors.ts'
import type { Outcome } from './exporter.ts'
import type { Batch, Source } from './sources.ts'

export interface LaneOptions<P> {
  /** Signals settled by earlier processes. */
  readonly settled: number
  readonly delayMs: number
  readonly batchSize: number
  readonly source: Source<P>
  send(payload: P, deadline: AbortSignal): Promise<Outcome>
  /** Keeps the new count; what it cannot keep now it is told again with the next one. */
  onSettled(): void
  now(): number
}

const firstBackoffMs = 1000
const longestBackoffMs = 30_000
/** No server is obeyed for longer: what it says may be a slip, and a timer of more than 24 days would go off at once. */
const longestWaitMs = 15 * 60_000

export class Lane<P> {
  settled: number
  /** Of the settled ones, those that were finally refused. */
  dropped = 0
  /** What a person can do about it, where that is known. */
  hint: string | undefined
  private batchSize: number
  private failures = 0
  /** Before this time the server does not want to be asked. */
  private notBefore = 0
  private timer: Timer | undefined
  private error: string | undefined
  private isSending = false
  private isAsking = false
  private isHeld = false
  private running: Promise<void> = Promise.resolve()
  private readonly closing = new AbortController()

  constructor(private readonly options: LaneOptions<P>) {
    this.settled = options.settled
    this.batchSize = options.batchSize
  }

  /** Why the last attempt failed, or what the server refused; or that it has not said anything so far. */
  get lastError(): string | undefined {
    return this.error ?? (this.isAsking ? 'no answer so far' : undefined)
  }

  /** Something may have come in: it leaves after the delay, or at once when it fills a batch. */
  wake(): void {
    const waiting = this.options.source.waiting()
    if (waiting === 0 || this.isHeld) return
    const isFull = this.failures === 0 && waiting >= this.batchSize
    if (isFull) this.unschedule()
    this.schedule(isFull ? 0 : this.failures > 0 ? this.backoff() : this.options.delayMs)
  }

  /** Sends everything now, batch after batch, until nothing is left, one attempt fails, or the deadline. */
  flush(deadline: AbortSignal): Promise<void> {
    this.unschedule()
    this.running = this.running.then(() => this.send(deadline, true))
    return this.running
  }

  /** After this nothing runs: no timer, no request. */
  close(): void {
    this.closing.abort()
    this.unschedule()
  }

  /** One timer or one run at a time: while it sends, what comes in waits for its end. */
  private schedule(delayMs: number): void {
    if (this.timer !== undefined || this.isSending || this.closing.signal.aborted) return
    this.timer = setTimeout(() => {
      this.timer = undefined
      this.running = this.running.then(() => this.send(this.closing.signal, false))
    }, delayMs)
    this.timer.unref()
  }

  private unschedule(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }

  private async send(deadline: AbortSignal, everything: boolean): Promise<void> {
    this.isSending = true
    try {
      await this.sendBatches(AbortSignal.any([deadline, this.closing.signal]), everything)
    } catch (error) {
      this.postpone({ status: 'retry', reason: describeError(error) })
    }
    this.isSending = false
    this.wake()
  }

  private async sendBatches(stop: AbortSignal, everything: boolean): Promise<void> {
    const { source, now } = this.options
    do {
      if (this.isHeld || stop.aborted || now() < this.notBefore) return
      const batch = await source.next(this.batchSize)
      if (batch === undefined || stop.aborted) return
      const outcome = await this.attempt(batch, stop)
      if (outcome.status === 'retry') return this.postpone(outcome)
      if (outcome.status === 'held') return this.hold(outcome)
      const size = batch.upTo - this.settled
      const isDivisible = source.isDivisible && size > 1
      if (outcome.status === 'rejected' && outcome.tooLarge && isDivisible) this.batchSize = Math.ceil(size / 2)
      else this.settle(batch, outcome)
    } while (everything || source.waiting() >= this.batchSize)
  }

  private async attempt({ payload, lost }: Batch<P>, stop: AbortSignal): Promise<Outcome> {
    if (lost !== undefined) return { status: 'rejected', reason: lost }
    if (payload === undefined) return { status: 'accepted' }
    this.isAsking = true
    globalThis.faultPoint?.('export.begin')
    try {
      return await this.options.send(payload, stop)
    } catch (error) {
      // What cannot even be encoded will not be better next time.
      return { status: 'rejected', reason: describeError(error) }
    } finally {
      this.isAsking = false
    }
  }

  private settle({ upTo }: Batch<P>, outcome: Exclude<Outcome, { status: 'retry' | 'held' }>): void {
    const size = upTo - this.settled
    this.dropped += outcome.status === 'rejected' ? size : Math.min(size, outcome.lost ?? 0)
    this.error = outcome.reason
    this.hint = undefined
    this.failures = 0
    if (outcome.status === 'accepted') this.batchSize = Math.min(this.batchSize * 2, this.options.batchSize)
    this.settled = upTo
    this.options.source.settle(upTo)
    this.options.onSettled()
  }

  private postpone({ afterMs, reason, hint }: Extract<Outcome, { status: 'retry' }>): void {
    this.error = reason
    this.hint = hint
    this.failures++
    if (afterMs !== undefined) this.notBefore = this.options.now() + Math.min(afterMs, longestWaitMs)
  }

  /** Nothing more in this process; the next one tries once. */
  private hold({ reason, hint }: Extract<Outcome, { status: 'held' }>): void {
    this.error = reason
    this.hint = hint
    this.isHeld = true
  }

  /** Doubles from 1 s to 30 s, with up to half of it taken off by chance; the server's own wish wins. */
  private backoff(): number {
    const asked = this.notBefore - this.options.now()
    if (asked > 0) return asked
    const full = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (this.failures - 1))
    return full * (1 - Math.random() / 2)
  }
}
