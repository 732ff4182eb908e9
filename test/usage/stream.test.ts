/** The mathematics of streams, rule by rule; recorded.test.ts has them all together. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { OtlpAttributes, OtlpPoint } from '../../src/telemetry/otlp.ts'
import type { StreamState } from '../../src/usage/record.ts'
import { advance, deriveKey, isCountable, type SumPoint } from '../../src/usage/stream.ts'

const second = 1_000_000
const begin = 1_795_247_000 * second

function point(value: number, timeSecond: number, more: Partial<SumPoint> = {}): SumPoint {
  return {
    source: { resource: {}, scopeName: 'com.anthropic.claude_code', scopeVersion: '', scopeAttributes: {} },
    type: 'sum',
    name: 'claude_code.token.usage',
    unit: 'tokens',
    description: '',
    temporality: 'cumulative',
    isMonotonic: true,
    isAbsent: false,
    exemplars: [],
    attributes: { type: 'input' },
    startUnixMicro: begin,
    timeUnixMicro: begin + timeSecond * second,
    value,
    ...more,
  }
}

/** What each point adds, in their order. */
function increments(points: readonly SumPoint[]): readonly (readonly [string, number])[] {
  const states = new Map<string, StreamState>()
  return points.map((each) => {
    const { outcome, increment, state } = advance(each, (key) => states.get(key))
    if (state !== undefined) states.set(state.key, state)
    return [outcome, increment]
  })
}

describe('a cumulative stream', () => {
  test('counts what it grew by', () => {
    expect(increments([point(10, 1), point(10, 2), point(25, 3)])).toEqual([
      ['counted', 10],
      ['repeated', 0],
      ['counted', 15],
    ])
  })

  test('has in its latest value what comes late', () => {
    expect(increments([point(25, 3), point(10, 1), point(30, 4)])).toEqual([
      ['counted', 25],
      ['late', 0],
      ['counted', 5],
    ])
  })

  test('counts from nothing at a new start, and goes on under the old one', () => {
    const other = { startUnixMicro: begin + 2 * second }
    expect(increments([point(10, 1), point(4, 3, other), point(12, 4), point(5, 5, other)])).toEqual([
      ['counted', 10],
      ['counted', 4],
      ['counted', 2],
      ['counted', 1],
    ])
  })

  test('that falls under the same start began anew: all of it is new', () => {
    expect(increments([point(10, 1), point(4, 2), point(6, 3)])).toEqual([
      ['counted', 10],
      ['reset', 4],
      ['counted', 2],
    ])
  })

  test('of two values at one time has the larger', () => {
    expect(increments([point(10, 1), point(12, 1), point(9, 1)])).toEqual([
      ['counted', 10],
      ['counted', 2],
      ['repeated', 0],
    ])
  })

  test('counts its first value when it began in the same moment: Claude Code’s times are milliseconds', () => {
    expect(increments([point(10, 0)])).toEqual([['counted', 10]])
  })

  test('is of one metric and one set of attributes', () => {
    const others = [{ name: 'claude_code.cost.usage' }, { attributes: { type: 'output' } }]
    expect(increments([point(10, 1), ...others.map((each) => point(10, 1, each))])).toEqual([
      ['counted', 10],
      ['counted', 10],
      ['counted', 10],
    ])
  })

  test('that does not say when it began counts from where it first stood', () => {
    const without = { startUnixMicro: 0 }
    expect(increments([point(10, 1, without), point(12, 2, without), point(3, 3, without)])).toEqual([
      ['baseline', 0],
      ['counted', 2],
      ['reset', 3],
    ])
  })

  test('that is idle writes its row once an hour, so that it is not forgotten', () => {
    const states = new Map<string, StreamState>()
    const written = [0, 60, 3000, 3700, 3800, 7400].map((at) => {
      const { state } = advance(point(10, at), (key) => states.get(key))
      if (state !== undefined) states.set(state.key, state)
      return state !== undefined
    })
    expect(written).toEqual([true, false, false, true, false, true])
  })
})

describe('deltas', () => {
  const delta = (value: number, from: number, to: number) =>
    point(value, to, { temporality: 'delta', startUnixMicro: begin + from * second })

  test('count once each, in any order', () => {
    expect(increments([delta(5, 2, 3), delta(4, 1, 2), delta(5, 2, 3), delta(4, 1, 2)])).toEqual([
      ['counted', 5],
      ['counted', 4],
      ['repeated', 0],
      ['repeated', 0],
    ])
  })

  test('of processes that run at the same time overlap, and all count', () => {
    expect(increments([delta(5, 0, 10), delta(5, 1, 9), delta(5, 1, 10)])).toEqual([
      ['counted', 5],
      ['counted', 5],
      ['counted', 5],
    ])
  })

  test('and cumulative values of one start are different streams', () => {
    expect(increments([delta(5, 0, 1), point(5, 1)])).toEqual([
      ['counted', 5],
      ['counted', 5],
    ])
  })
})

test('processes at any times, each cumulative from its start: the sum of what each counted to its end, in any order', () => {
  const process = fc.record({
    startUnixMicro: fc.integer({ min: begin, max: begin + 60 * second }),
    steps: fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }),
  })
  fc.assert(
    fc.property(
      fc.uniqueArray(process, { selector: ({ startUnixMicro }) => startUnixMicro, maxLength: 5 }),
      fc.infiniteStream(fc.nat()),
      (processes, weights) => {
        const points = processes.flatMap(({ startUnixMicro, steps }) =>
          steps.map((_, at) => {
            const value = steps.slice(0, at + 1).reduce((sum, step) => sum + step, 0)
            return point(value, at + 61, { startUnixMicro })
          }),
        )
        const shuffled = points
          .map((each) => ({ each, weight: weights.next().value ?? 0 }))
          .sort((left, right) => left.weight - right.weight)
          .map(({ each }) => each)
        const total = processes.flatMap(({ steps }) => steps).reduce((sum, step) => sum + step, 0)
        expect(increments([...shuffled, ...points]).reduce((sum, [, increment]) => sum + increment, 0)).toBe(total)
      },
    ),
    { numRuns: 100 },
  )
})

describe('a key', () => {
  test('is the same for attributes in another order, and another for anything else', () => {
    const keys = (sets: readonly OtlpAttributes[]) => new Set(sets.map((set) => deriveKey('name', set, 1))).size
    expect(
      keys([
        { a: 1, b: '2' },
        { b: '2', a: 1 },
      ]),
    ).toBe(1)
    expect(keys([{ a: 1 }, { a: '1' }, { a: 2 }, { b: 1 }, { a: 1, b: null }, { 'a,1': '' }])).toBe(6)
    expect(deriveKey('name', {}, 1)).not.toBe(deriveKey('name', {}, 2))
  })
})

describe('what cannot be counted', () => {
  const cases: Readonly<Record<string, OtlpPoint>> = {
    'a value that is no number': point(Number.NaN, 1),
    'an infinite one': point(Number.POSITIVE_INFINITY, 1),
    'a negative one': point(-1, 1),
    'a stream that ends': point(5, 1, { isAbsent: true }),
    'a sum that may fall': point(5, 1, { isMonotonic: false }),
    'a sum of unknown temporality': point(5, 1, { temporality: 'unspecified' }),
    'a gauge': { ...point(5, 1), type: 'gauge' },
  }
  for (const [what, each] of Object.entries(cases)) {
    test(what, () => expect(isCountable(each)).toBe(false))
  }

  test('but an ordinary point can', () => expect(isCountable(point(0, 1))).toBe(true))
})
