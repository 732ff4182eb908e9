/** When a lane sends, on a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, jest, test } from 'bun:test'
import type { Outcome } from '../../src/export/exporter.ts'
import { Lane } from '../../src/export/lane.ts'
import { QueueSource } from '../../src/export/sources.ts'
import { Window } from '../../src/export/window.ts'
import type { Signal, SpanSignal } from '../../src/telemetry/signal.ts'
import { each, span } from './signals.ts'

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

/** Promises that are ready, and those that they make ready. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    jest.advanceTimersByTime(Math.min(100, left))
    await settle()
  }
}

function open(answer: (at: number) => Outcome, room = 2048) {
  const began = Date.now()
  const stream: Signal[] = []
  const attempts: { readonly at: number; readonly names: readonly string[] }[] = []
  const window = new Window<SpanSignal>(0, room, 'span', () => stream)
  const source = new QueueSource(
    window,
    Promise.resolve((signal: SpanSignal) => signal.name),
  )
  const lane = new Lane<string[]>({
    settled: 0,
    delayMs: 1000,
    batchSize: 512,
    source,
    send: async (names) => {
      attempts.push({ at: Date.now() - began, names })
      return answer(Date.now() - began)
    },
    onSettled() {},
    now: Date.now,
  })
  const add = (signals: readonly Signal[]) => {
    stream.push(...signals)
    for (const signal of signals) source.add(signal)
    lane.wake()
  }
  return { lane, attempts, add, times: () => attempts.map(({ at }) => at) }
}

const away: Outcome = { status: 'retry', reason: 'ECONNREFUSED' }
const accepted: Outcome = { status: 'accepted' }
const tenMinutes = 600_000

describe('a collector that is away', () => {
  test('is asked again after 1, 2, 4, 8, 16, then every 30 seconds, with up to half of it taken off', async () => {
    const { add, times } = open(() => away)
    add([span()])
    await pass(tenMinutes)
    const gaps = times().map((at, index) => at - (times()[index - 1] ?? 0))
    expect(gaps[0]).toBe(1000)
    for (const [index, gap] of gaps.slice(1).entries()) {
      const full = Math.min(30_000, 1000 * 2 ** index)
      expect(gap).toBeWithin(full / 2 - 100, full + 101)
    }
    expect(times().length).toBeWithin(20, 45)
  })

  test('for 10 minutes, while more comes than the queue has room for, gets everything in order when it is back', async () => {
    const { add, attempts, lane } = open((at) => (at < tenMinutes ? away : accepted), 600)
    const total = 5000
    for (let number = 0; number < total; number += 50) {
      add(each(50, (at) => span(number + at)))
      await pass(6000)
    }
    // The wait that was under way when it came back.
    await pass(40_000)
    expect(lane.settled).toBe(total)
    const delivered = attempts.filter(({ at }) => at >= tenMinutes).flatMap(({ names }) => names)
    expect(delivered).toEqual(each(total, (number) => `span ${number}`))
    expect(Math.max(...attempts.map(({ names }) => names.length))).toBeLessThanOrEqual(512)
    add([span(total)])
    await pass(1000)
    expect(lane.settled).toBe(total + 1)
  })
})

describe('what a server wants', () => {
  test('is done: not before its time, and then at once', async () => {
    const { add, times } = open((at) => (at < 61_000 ? { ...away, afterMs: 60_000 } : accepted))
    add([span()])
    await pass(59_000)
    add([span(1)])
    await pass(5000)
    expect(times()).toEqual([1000, 61_000])
  })

  test('is done for 15 minutes at most, however long it says', async () => {
    for (const afterMs of [3_600_000, 2 ** 31, 1e300, Number.POSITIVE_INFINITY]) {
      const { add, times } = open((at) => (at < 900_000 ? { ...away, afterMs } : accepted))
      add([span()])
      await pass(901_000)
      expect(times()).toEqual([1000, 901_000])
    }
  })

  test('at once is after the wait that everybody has', async () => {
    const { add, times } = open(() => ({ ...away, afterMs: 0 }))
    add([span()])
    await pass(10_000)
    expect(times().length).toBeWithin(3, 7)
  })
})

describe('what a person has to mend', () => {
  const refused: Outcome = { status: 'held', reason: 'HTTP 401', hint: 'check the headers of this destination' }

  test('is asked for once in the life of a process, also at its end, and nothing is settled', async () => {
    const { add, times, lane } = open(() => refused)
    add(each(600, span))
    await pass(tenMinutes)
    add([span(600)])
    await lane.flush(AbortSignal.timeout(1000))
    await pass(tenMinutes)
    expect(times()).toHaveLength(1)
    expect([lane.settled, lane.dropped, lane.lastError, lane.hint]).toEqual([0, 0, refused.reason, refused.hint])
  })
})

describe('what is refused for good', () => {
  test('is sent once, and what comes after it passes', async () => {
    const { add, attempts, lane } = open((at) => (at < 2000 ? { status: 'rejected', reason: 'HTTP 400' } : accepted))
    add([span(0)])
    await pass(2000)
    add([span(1)])
    await pass(tenMinutes)
    expect(attempts.map(({ names }) => names)).toEqual([['span 0'], ['span 1']])
    expect([lane.settled, lane.dropped]).toEqual([2, 1])
  })
})
