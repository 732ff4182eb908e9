/**
 * What happened, as numbered changes: which sessions have news. The last of them are kept, so that whoever was away for a moment
 * hears what it missed. A change tells that there is something to read, never what.
 */

import { sessionIdOf } from '../store/session-facts.ts'
import type { OtlpBatch } from '../telemetry/otlp.ts'

export interface Change {
  /** Names the life of the feed too: a number of an earlier life is not one of this. */
  readonly id: string
  readonly sessions: readonly string[]
  /** `guard`: not what came, but what the hub made of it. */
  readonly signals: readonly (OtlpBatch['signal'] | 'guard')[]
}

export interface Feed {
  readonly lastId: string
  /** What a request brought, when it is in the store. */
  publish(batch: OtlpBatch): void
  /** Something else is to be read: the guard has acted. */
  announce(sessions: readonly string[]): void
  /** What happened since; undefined where the feed does not go back so far. */
  after(id: string): readonly Change[] | undefined
  /** Both return how not to listen any more. */
  onBatch(listener: (batch: OtlpBatch) => void): () => void
  onChange(listener: (change: Change) => void): () => void
  close(): void
}

export interface FeedOptions {
  /** How many changes are kept. */
  readonly capacity?: number
  /** Changes that come together within this time are one; the first is told at once. */
  readonly gatherMs?: number
}

export function createFeed({ capacity = 1000, gatherMs = 50 }: FeedOptions = {}): Feed {
  return new RingFeed(capacity, gatherMs)
}

class RingFeed implements Feed {
  private readonly life = crypto.randomUUID().slice(0, 8)
  private readonly ring: Change[] = []
  private readonly batchListeners = new Set<(batch: OtlpBatch) => void>()
  private readonly changeListeners = new Set<(change: Change) => void>()
  private readonly sessions = new Set<string>()
  private readonly signals = new Set<Change['signals'][number]>()
  private number = 0
  private toldMs = Number.NEGATIVE_INFINITY
  private timer: Timer | undefined

  constructor(
    private readonly capacity: number,
    private readonly gatherMs: number,
  ) {}

  get lastId(): string {
    return `${this.life}-${this.number}`
  }

  publish(batch: OtlpBatch): void {
    for (const listener of this.batchListeners) listener(batch)
    this.add(sessionsOf(batch), batch.signal)
  }

  announce(sessions: readonly string[]): void {
    this.add(sessions, 'guard')
  }

  private add(sessions: Iterable<string>, signal: Change['signals'][number]): void {
    for (const id of sessions) this.sessions.add(id)
    this.signals.add(signal)
    if (this.timer !== undefined) return
    const waitMs = this.toldMs + this.gatherMs - performance.now()
    if (waitMs <= 0) this.tell()
    else this.timer = setTimeout(() => this.tell(), waitMs)
  }

  after(id: string): readonly Change[] | undefined {
    const [, life, number] = /^([0-9a-z]+)-(\d+)$/.exec(id) ?? []
    const since = this.number - Number(number)
    if (life !== this.life || since < 0 || since > this.ring.length) return undefined
    return since === 0 ? [] : this.ring.slice(-since)
  }

  onBatch(listener: (batch: OtlpBatch) => void): () => void {
    this.batchListeners.add(listener)
    return () => this.batchListeners.delete(listener)
  }

  onChange(listener: (change: Change) => void): () => void {
    this.changeListeners.add(listener)
    return () => this.changeListeners.delete(listener)
  }

  close(): void {
    clearTimeout(this.timer)
    this.batchListeners.clear()
    this.changeListeners.clear()
  }

  private tell(): void {
    this.timer = undefined
    this.toldMs = performance.now()
    this.number += 1
    const change = { id: this.lastId, sessions: [...this.sessions], signals: [...this.signals] }
    this.sessions.clear()
    this.signals.clear()
    this.ring.push(change)
    if (this.ring.length > this.capacity) this.ring.shift()
    for (const listener of this.changeListeners) listener(change)
  }
}

function sessionsOf(batch: OtlpBatch): Set<string> {
  const items = batch.signal === 'traces' ? batch.spans : batch.signal === 'logs' ? batch.logs : batch.points
  const ids = new Set<string>()
  for (const { attributes } of items) {
    const id = sessionIdOf(attributes)
    if (id !== undefined) ids.add(id)
  }
  return ids
}
