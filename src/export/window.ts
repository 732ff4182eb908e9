/**
 * A part of the signal stream that is held in memory. It slides along the stream: what had no room when it came is read again
 * from the replay once there is room, so that the size of a session does not matter to memory.
 */

import type { Signal } from '../telemetry/signal.ts'

/** After so many signals that are read again, others have a turn. */
const turnSize = 500

export class Window<S extends Signal> {
  /** Signals of the stream so far. */
  seen = 0
  /** The signals after the first `start`. */
  readonly held: S[] = []
  private again: Iterator<Signal> | undefined
  /** How far `again` is. */
  private read = 0
  private isBehind = false

  constructor(
    /** Signals that nobody needs any more. */
    public start: number,
    private readonly room: number,
    private readonly kind: S['kind'],
    /** The stream from its beginning, at least as far as it has been seen. */
    private readonly replay: () => Iterable<Signal>,
  ) {}

  add(signal: Signal): void {
    if (signal.kind !== this.kind) return
    this.seen++
    if (this.seen <= this.start) return
    this.isBehind ||= this.held.length >= this.room
    if (!this.isBehind) this.held.push(signal as S)
  }

  /** Signals that are left, in memory or not. */
  left(): number {
    return Math.max(0, this.seen - this.start)
  }

  /** The first `count` of those that are held are done with. */
  drop(count: number): void {
    this.held.splice(0, count)
    this.start += count
  }

  /** Once nothing is held any more: as much of what is missing as there is room for. */
  async refill(): Promise<void> {
    if (!this.isBehind || this.held.length > 0) return
    if (this.again === undefined) {
      this.again = this.replay()[Symbol.iterator]()
      this.read = 0
    }
    for (let turn = 1; this.isBehind && this.held.length < this.room; turn++) {
      if (turn % turnSize === 0) await Bun.sleep(0)
      if (this.again === undefined) return
      this.step(this.again)
    }
  }

  /** Reads nothing any more: what it would read from may go. */
  close(): void {
    this.again?.return?.()
    this.again = undefined
    this.isBehind = false
  }

  private step(again: Iterator<Signal>): void {
    const { done, value } = again.next()
    if (done) {
      this.again = undefined
      throw new Error('the journal has less than what was read from it')
    }
    if (value.kind !== this.kind) return
    this.read++
    if (this.read > this.start + this.held.length) this.held.push(value as S)
    if (this.read < this.seen) return
    // Caught up: what comes now goes in directly, and so long as nothing came meanwhile nothing is missing.
    again.return?.()
    this.again = undefined
    this.isBehind = false
  }
}
