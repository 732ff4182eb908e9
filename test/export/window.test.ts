/** The part of the stream that is in memory. */
import { describe, expect, test } from 'bun:test'
import { Window } from '../../src/export/window.ts'
import type { Signal, SpanSignal } from '../../src/telemetry/signal.ts'
import { log, span } from './signals.ts'

function open(room: number, start = 0) {
  const stream: Signal[] = []
  let replays = 0
  function* replay(): Generator<Signal> {
    replays++
    // Grows while it is read, as a journal does.
    for (let at = 0; at < stream.length; at++) yield stream[at] as Signal
  }
  const window = new Window<SpanSignal>(start, room, 'span', replay)
  const add = (...signals: Signal[]) => {
    stream.push(...signals)
    for (const signal of signals) window.add(signal)
  }
  const names = () => window.held.map(({ name }) => Number(name.slice('span '.length)))
  return { window, add, names, replays: () => replays, stream }
}

const spans = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => span(from + at))

describe('a window', () => {
  test('holds what has room, in order, of its own kind alone, after what is settled', () => {
    const { window, add, names } = open(3, 2)
    add(span(0), log(0), span(1), span(2), log(1), span(3))
    expect(names()).toEqual([2, 3])
    expect([window.seen, window.left()]).toEqual([4, 2])
  })

  test('never holds more than it has room for, whatever comes', async () => {
    const { window, add, names } = open(3)
    for (let round = 0; round < 50; round++) {
      add(...spans(round * 4, round * 4 + 4))
      expect(names().length).toBeLessThanOrEqual(3)
      if (round % 2 === 0) window.drop(names().length)
      await window.refill()
      expect(names().length).toBeLessThanOrEqual(3)
    }
  })

  test('reads on where it stopped, with one replay, until it has what came meanwhile too', async () => {
    const { window, add, names, replays } = open(3)
    add(...spans(0, 7))
    const got: number[] = []
    const take = async () => {
      await window.refill()
      got.push(...names())
      window.drop(names().length)
    }
    await take()
    await take()
    add(...spans(7, 9))
    await take()
    expect([got, replays()]).toEqual([[0, 1, 2, 3, 4, 5, 6, 7, 8], 1])
    add(span(9))
    expect([names(), replays()]).toEqual([[9], 1])
    add(...spans(10, 15))
    for (let left = window.left(); left > 0; left = window.left()) await take()
    expect(got.slice(9)).toEqual([9, 10, 11, 12, 13, 14])
    expect(replays()).toBe(2)
  })

  test('reads nothing again while it still holds something', async () => {
    const { window, add, names, replays } = open(3)
    add(...spans(0, 5))
    window.drop(2)
    await window.refill()
    expect([names(), replays(), window.left()]).toEqual([[2], 0, 3])
  })

  test('lets others have a turn while it passes what is settled', async () => {
    const { window, add, names } = open(2, 2990)
    add(...spans(0, 3000))
    window.drop(2)
    let turns = 0
    let other = setImmediate(function again() {
      turns++
      other = setImmediate(again)
    })
    await window.refill()
    clearImmediate(other)
    expect(turns).toBeGreaterThan(1)
    expect(names()).toEqual([2992, 2993])
  })

  test('that is closed reads no further', async () => {
    const { window, add, names } = open(2, 2000)
    add(...spans(0, 3000))
    window.drop(2)
    const reading = window.refill()
    window.close()
    await reading
    expect(names()).toEqual([])
  })

  test('fails where the replay has less than what was there, and tries anew the next time', async () => {
    const { window, add, names, replays, stream } = open(2)
    add(...spans(0, 4))
    window.drop(2)
    const [cut] = stream.splice(3)
    const failed = await window.refill().catch((error: Error) => error.message)
    expect(failed).toContain('has less')
    expect(names()).toEqual([2])
    window.drop(1)
    stream.push(cut as Signal)
    await window.refill()
    expect([names(), replays()]).toEqual([[3], 2])
  })
})
