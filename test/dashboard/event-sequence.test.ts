/** Lost events: what is missing between the numbers that have come, whatever the order, over several processes of a session. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { EventSequence } from '../../src/dashboard/event-sequence.ts'
import { createLive } from '../../src/dashboard/live.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { type CaseName, readBatches, recordedCases } from '../usage/recorded.ts'

type Event = readonly [number: number, unixMicro: number]

function lost(events: readonly Event[]): number {
  const sequence = new EventSequence()
  for (const [number, unixMicro] of events) sequence.add(number, unixMicro)
  return sequence.lost
}

/** One process, from a number and a time on. */
const run = (from: number, to: number, at: number): Event[] =>
  Array.from({ length: to - from + 1 }, (_, index) => [from + index, at + 10 * index])

const without = (events: readonly Event[], ...gone: readonly number[]) => events.filter((_, at) => !gone.includes(at))

describe('The events of a session', () => {
  const twice = [...run(0, 20, 1000), ...run(0, 40, 9000)]
  const cases: readonly [string, readonly Event[], number][] = [
    ['are all there', run(0, 30, 1000), 0],
    ['are all there from where another session left off', run(30, 34, 1000), 0],
    ['are all there over two processes', twice, 0],
    ['are missing in the middle', without(run(0, 30, 1000), 4, 5, 20), 3],
    ['are missing in both of two processes', without(twice, 3, 30, 31), 3],
    ['are missing where nobody can know: at the ends', run(3, 28, 1000), 0],
    ['have all the same time', run(0, 30, 1000).map(([number]): Event => [number, 7]), 0],
  ]
  test.each(cases)('%s', (_, events, expected) => {
    expect(lost(events)).toBe(expected)
    expect(lost(events.toReversed())).toBe(expected)
    expect(lost([...events, ...events])).toBe(expected)
    fc.assert(
      fc.property(fc.shuffledSubarray([...events], { minLength: events.length }), (order) => {
        expect(lost(order)).toBe(expected)
      }),
      { numRuns: 50 },
    )
  })

  test('are counted in the same way when they are many', () => {
    const events = without(run(0, 5000, 1000), 3, 501, 502, 1200, 4000)
    expect(lost(events)).toBe(5)
    expect(lost([...events, ...events])).toBe(5)
    const every = Array.from({ length: 3000 }, (_, at): Event => [2 * at, 1000 + at])
    expect(lost(every)).toBe(2999)
  })
})

describe.each([...recordedCases])('the recorded case %s', (name: CaseName) => {
  const batches = readBatches(name)
  const gaps = (all: readonly OtlpBatch[]) => {
    const live = createLive()
    for (const batch of all) live.take(batch)
    const ids = new Set(
      all.flatMap((batch) =>
        batch.signal === 'logs' ? batch.logs.map((log) => String(log.attributes['session.id'])) : [],
      ),
    )
    return [...ids].reduce((sum, id) => sum + (live.session(id)?.lostEvents ?? 0), 0)
  }

  test('has lost none; without some of its events these are missed', () => {
    expect(gaps(batches)).toBe(0)
    const inner = new Set(['3', '4'])
    let gone = 0
    const fewer = batches.map((batch): OtlpBatch => {
      if (batch.signal !== 'logs') return batch
      const logs = batch.logs.filter((log) => !inner.has(String(log.attributes['event.sequence'])))
      gone += batch.logs.length - logs.length
      return { ...batch, logs }
    })
    expect(gone).toBeGreaterThan(1)
    expect(gaps(fewer)).toBeGreaterThan(0)
  })
})
