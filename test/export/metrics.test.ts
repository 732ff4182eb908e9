/**
 * Metrics that are told once, whenever a process dies. A receiver that keys points by stream, start and time, and takes a point
 * that it has got for what it is, counts exactly; and where nobody dies, one that only adds does.
 */
import { describe, expect, test } from 'bun:test'
import { type Collection, readAcks } from '../../src/export/acks.ts'
import { MetricSource } from '../../src/export/sources.ts'
import { Window } from '../../src/export/window.ts'
import { createMetricState } from '../../src/telemetry/provider.ts'
import type { MetricSignal } from '../../src/telemetry/signal.ts'
import { configOf, each, metric, start } from './signals.ts'

interface Acked {
  settled: number
  last: Collection | undefined
}

const noneAcked = (): Acked => ({ settled: 0, last: undefined })

const histogram = 'claude.tool_call_duration_ms'
const inFlight = 'claude.tools_in_flight'

/** Several streams, of all kinds, many at the same time and some that come late. */
const stream: MetricSignal[] = each(60, (number) => {
  const timeUnixMicro = start + 1000 * Math.floor(number / 4) - (number % 3) * 1500
  const attributes = { outcome: number % 2 === 0 ? 'ok' : 'error' }
  if (number % 5 === 1) return metric(number, { instrument: histogram, value: number * 1.5, timeUnixMicro, attributes })
  if (number % 5 === 2) return metric(number, { instrument: inFlight, value: 1, timeUnixMicro, attributes: {} })
  if (number % 5 === 3) return metric(number, { instrument: inFlight, value: -1, timeUnixMicro, attributes: {} })
  return metric(number, { value: number, timeUnixMicro, attributes })
})

interface Point {
  readonly stream: string
  readonly isDelta: boolean
  readonly isHistogram: boolean
  readonly from: string
  readonly to: string
  readonly value: number
}

class Receiver {
  readonly points: Point[] = []

  take(payload: Awaited<ReturnType<ReturnType<typeof createMetricState>['collect']>>): void {
    for (const { descriptor, dataPoints, aggregationTemporality } of payload.scopeMetrics.flatMap(
      (each) => each.metrics,
    )) {
      for (const { attributes, startTime, endTime, value } of dataPoints) {
        const number = typeof value === 'number' ? value : (value.sum ?? 0)
        this.points.push({
          stream: `${descriptor.name} ${JSON.stringify(attributes)}`,
          isDelta: aggregationTemporality === 0,
          isHistogram: typeof value !== 'number',
          from: startTime.join('.'),
          to: endTime.join('.'),
          value: number,
        })
      }
    }
  }

  /** By stream, as a receiver counts that knows what it has got already. */
  keyed(): Record<string, number> {
    const keys = new Map<string, Point>()
    for (const point of this.points) {
      const key = `${point.stream} ${point.from} ${point.to}`
      const known = keys.get(key)
      // The same key is the same point.
      if (known !== undefined) expect(point.value).toBeCloseTo(known.value, 9)
      keys.set(key, point)
    }
    return sums([...keys.values()])
  }

  added(): Record<string, number> {
    return sums(this.points)
  }
}

function sums(points: readonly Point[]): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const { stream, isDelta, value } of points) totals[stream] = isDelta ? (totals[stream] ?? 0) + value : value
  return rounded(totals)
}

function rounded(totals: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(totals)
      .map(([key, value]) => [key, Math.round(value * 1000) / 1000])
      .sort(),
  )
}

/** Of the first `count` measurements. */
function expected(count = stream.length): Record<string, number> {
  const totals: Record<string, number> = {}
  for (const { instrument, attributes, value } of stream.slice(0, count)) {
    const key = `${instrument} ${JSON.stringify(attributes)}`
    totals[key] = (totals[key] ?? 0) + value
  }
  return rounded(totals)
}

const temporalities = ['cumulative', 'delta', 'lowmemory'] as const

/** A process: is told the journal so far, then goes on, and exports at the given places; dies where `dies` says so. */
async function live(
  temporality: string,
  acked: Acked,
  {
    from,
    exportsAt,
    dies,
    receiver,
    room = 2048,
    answer = () => true,
  }: {
    readonly from: number
    readonly exportsAt: readonly number[]
    /** At which export of this process, and before or after the receiver got it. */
    readonly dies?: { readonly at: number; readonly when: 'before send' | 'after send' }
    readonly receiver: Receiver
    readonly room?: number
    readonly answer?: (attempt: number) => boolean
  },
): Promise<{ readonly seen: number }> {
  const config = configOf({ OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality })
  const source = new MetricSource({
    window: new Window<MetricSignal>(0, room, 'metric', () => stream),
    state: Promise.resolve(createMetricState(config, {}, start)),
    settled: acked.settled,
    last: acked.last,
    startUnixMicro: start,
    begin: (collection) => {
      acked.last = structuredClone(collection)
    },
  })
  let seen = 0
  for (const signal of stream.slice(0, from)) {
    source.add(signal)
    seen++
  }
  let exported = 0
  let attempts = 0
  for (const place of exportsAt) {
    for (const signal of stream.slice(seen, place)) source.add(signal)
    seen = Math.max(seen, place)
    // As a lane does at a flush: until nothing is left.
    for (let batch = await source.next(); batch?.payload !== undefined; batch = await source.next()) {
      const isLast = dies?.at === exported
      if (isLast && dies.when === 'before send') return { seen }
      receiver.take(batch.payload)
      if (isLast) return { seen }
      if (!answer(attempts++)) continue
      exported++
      acked.settled = batch.upTo
      source.settle(batch.upTo)
    }
  }
  return { seen }
}

const places = [1, 7, 8, 20, 21, 40, 55, 60]

for (const temporality of temporalities) {
  describe(`metrics as ${temporality}`, () => {
    test('are exact by plain addition where nobody dies', async () => {
      const receiver = new Receiver()
      await live(temporality, noneAcked(), { from: 0, exportsAt: places, receiver })
      expect(receiver.added()).toEqual(expected())
      expect(receiver.keyed()).toEqual(expected())
    })

    test('are exact where a process dies at any export, before or after it arrived', async () => {
      for (const when of ['before send', 'after send'] as const) {
        for (const at of places.keys()) {
          const [receiver, acked] = [new Receiver(), noneAcked()]
          const { seen } = await live(temporality, acked, { from: 0, exportsAt: places, dies: { at, when }, receiver })
          await live(temporality, acked, { from: seen, exportsAt: places, receiver })
          expect(receiver.keyed()).toEqual(expected())
          if (when === 'before send') expect(receiver.added()).toEqual(expected())
        }
      }
    })

    test('are exact where every process dies at its second export, with the same bounds each time', async () => {
      const [receiver, acked] = [new Receiver(), noneAcked()]
      let seen = 0
      for (let process = 0; process < 40 && acked.settled < stream.length; process++) {
        const dies = { at: 1, when: process % 2 === 0 ? 'after send' : 'before send' } as const
        seen = (await live(temporality, acked, { from: seen, exportsAt: places, dies, receiver })).seen
      }
      expect(acked.settled).toBe(stream.length)
      expect(receiver.keyed()).toEqual(expected())
    })

    test('are exact where memory has room for three measurements', async () => {
      const [receiver, acked] = [new Receiver(), noneAcked()]
      const dies = { at: 3, when: 'after send' } as const
      const { seen } = await live(temporality, acked, { from: 0, exportsAt: places, dies, receiver, room: 3 })
      await live(temporality, acked, { from: seen, exportsAt: places, receiver, room: 3 })
      expect(receiver.keyed()).toEqual(expected())
    })

    test('are sent again as they were until somebody answers', async () => {
      const receiver = new Receiver()
      const answer = (attempt: number) => attempt % 3 === 2
      await live(temporality, noneAcked(), { from: 0, exportsAt: places, receiver, answer })
      expect(receiver.keyed()).toEqual(expected())
    })

    test('that come in while an export is collected belong to the next, at whatever moment', async () => {
      for (let moment = 0; moment < 30; moment++) {
        const receiver = new Receiver()
        const config = configOf({ OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality })
        const source = new MetricSource({
          window: new Window<MetricSignal>(0, 2048, 'metric', () => stream),
          state: Promise.resolve(createMetricState(config, {}, start)),
          settled: 0,
          last: undefined,
          startUnixMicro: start,
          begin() {},
        })
        for (const signal of stream.slice(0, 30)) source.add(signal)
        const collecting = source.next()
        for (let turn = 0; turn < moment; turn++) await Promise.resolve()
        for (const signal of stream.slice(30)) source.add(signal)
        const first = await collecting
        const again = await source.next()
        expect(again).toBe(first)
        source.settle(first?.upTo ?? 0)
        const second = await source.next()
        for (const batch of [first, second]) if (batch?.payload !== undefined) receiver.take(batch.payload)
        expect(second?.upTo ?? first?.upTo).toBe(stream.length)
        expect(receiver.added()).toEqual(expected())
        const upTo = first?.upTo ?? 0
        const told = new Receiver()
        if (first?.payload !== undefined) told.take(first.payload)
        expect(told.added()).toEqual(expected(upTo))
      }
    })

    test('of two exports never have the same times', async () => {
      const receiver = new Receiver()
      await live(temporality, noneAcked(), { from: 0, exportsAt: each(60, (number) => number + 1), receiver })
      const times = receiver.points.map(({ stream, to }) => `${stream} ${to}`)
      expect(new Set(times).size).toBe(times.length)
      expect(receiver.points.some(({ isDelta }) => isDelta)).toBe(temporality !== 'cumulative')
      expect(receiver.points.some(({ isHistogram }) => isHistogram)).toBe(true)
    })
  })
}

test('Nothing is sent while the bounds of an export cannot be kept, and nothing is counted twice when they can', async () => {
  let isFull = true
  const acked = noneAcked()
  const source = new MetricSource({
    window: new Window<MetricSignal>(0, 2048, 'metric', () => stream),
    state: Promise.resolve(
      createMetricState(configOf({ OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }), {}, start),
    ),
    settled: 0,
    last: undefined,
    startUnixMicro: start,
    begin: (collection) => {
      if (isFull) throw new Error('disk full')
      acked.last = collection
    },
  })
  const receiver = new Receiver()
  for (const [at, signal] of stream.entries()) {
    source.add(signal)
    if (at % 10 === 9) expect(await source.next().catch((error: Error) => error.message)).toBe('disk full')
  }
  isFull = false
  const batch = await source.next()
  if (batch?.payload === undefined) throw new Error('nothing to send')
  receiver.take(batch.payload)
  expect(receiver.added()).toEqual(expected())
})

describe('the file of acknowledgements', () => {
  const destination = { traces: 1, logs: 2, metrics: 3, collection: { upTo: 4, fromUnixMicro: 5, toUnixMicro: 6 } }

  test('is read as it was written', () => {
    expect(readAcks({ v: 1, destinations: { a: destination } })).toEqual({ a: destination })
    expect(readAcks({ v: 1, destinations: {} })).toEqual({})
  })

  test('that is damaged or foreign says nothing', () => {
    const wrong = [
      undefined,
      null,
      [],
      'text',
      {},
      { v: 1 },
      { a: destination },
      { v: 1, destinations: [1] },
      ...['traces', 'logs', 'metrics'].flatMap((type) =>
        [-1, 1.5, '1', null, undefined].map((value) => ({
          v: 1,
          destinations: { a: { ...destination, [type]: value } },
        })),
      ),
      { v: 1, destinations: { a: { ...destination, collection: { upTo: 4 } } } },
      { v: 1, destinations: { a: { ...destination, collection: 7 } } },
    ]
    for (const value of wrong) expect(readAcks(value)).toBeUndefined()
  })

  test('of a later version is left to those who know it', () => {
    expect(() => readAcks({ v: 2, destinations: {} })).toThrow('version 2')
  })
})
