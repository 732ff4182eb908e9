/** What every foreign client sends, as the store must hold it; what an SDK cannot say, or says otherwise, is a trait of its language. */
import type { OtlpLogRecord, OtlpSource, OtlpSpan, OtlpTemporality } from '../../../src/telemetry/otlp.ts'

export const startUnixNano = 1_795_247_342_795_000_999n
const start = 1_795_247_342_795_000

/** The ids of its spans, as a client prints them. */
export interface Ids {
  readonly traceId: string
  readonly parent: string
  readonly child: string
}

export interface Traits {
  readonly language: string
  /** Integers beyond 2^53, bytes and maps as attributes of spans; attributes of scopes; exemplars. */
  readonly isFull: boolean
  /** Of its spans: 0x100 for known to be of this process, 1 for sampled, which not every SDK says. */
  readonly flags: number
}

const plain = {
  ...{ 'session.id': 'foreign', text: 'grüße 👋', yes: true, int: 42, negative: -7, double: 1.5 },
  ...{ texts: ['a', 'b'], ints: [1, 2], doubles: [0.5, 2.5], bools: [true, false] },
}
const odd = { bytes: '3q2+7w==', map: { inner: { list: [1, 'two', null] } } }
const large = { large: '9007199254740993' }

export function expectedSpans({ traceId, parent, child }: Ids, traits: Traits): Omit<OtlpSpan, 'source'>[] {
  const empty = { attributes: {}, events: [], links: [], statusCode: 0 }
  return [
    {
      ...{ traceId, spanId: parent, flags: traits.flags, name: 'parent', kind: 2 },
      ...{ startUnixMicro: start, endUnixMicro: start + 2_000_000, statusCode: 2, statusMessage: 'it broke' },
      attributes: traits.isFull ? { ...plain, ...large, ...odd } : plain,
      events: [{ timeUnixMicro: start + 1_000_000, name: 'happened', attributes: { ok: true } }],
      links: [
        { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708', attributes: { why: 'before' } },
      ],
    },
    {
      ...{ ...empty, traceId, spanId: child, parentSpanId: parent, flags: traits.flags, name: 'child', kind: 3 },
      ...{ startUnixMicro: start, endUnixMicro: start + 1000 },
    },
  ]
}

export function expectedLog({ traceId, parent }: Ids, { isFull }: Traits): Omit<OtlpLogRecord, 'source'> {
  return {
    ...{ timeUnixMicro: start, observedUnixMicro: start + 1_000_000, severityNumber: 13, severityText: 'WARN' },
    ...{ eventName: 'an.event', body: { words: 'something', count: 2 }, traceId, spanId: parent },
    attributes: isFull ? { ...plain, ...large, ...odd } : { ...plain, ...odd },
  }
}

/** A point without what no test can know: its times, those of its exemplars, and the buckets that a scale gives. */
export type KnownPoint = Record<string, unknown>

export function expectedPoints(ids: Ids, traits: Traits, temporality: OtlpTemporality): Record<string, KnownPoint> {
  const taken = (value: number, attributes = {}) =>
    traits.isFull ? [{ value, traceId: ids.traceId, spanId: ids.parent, attributes }] : []
  const common = { unit: '', description: '', attributes: {}, isAbsent: false }
  const sum = { ...common, type: 'sum', temporality, isMonotonic: true }
  const counter = { unit: '1', description: 'counts', attributes: { by: 'a' } }
  const other = { other: 'b' }
  return {
    'foreign.counter': { ...sum, ...counter, value: 5, exemplars: taken(5) },
    'foreign.fraction': { ...sum, value: 0.75, exemplars: taken(0.75) },
    'foreign.level': { ...sum, isMonotonic: false, temporality: 'cumulative', value: -2, exemplars: taken(-2) },
    'foreign.gauge': { ...common, type: 'gauge', value: 1.5, exemplars: taken(1.5) },
    'foreign.observed': { ...common, type: 'gauge', value: 7, exemplars: [] },
    'foreign.histogram': {
      ...{ ...common, type: 'histogram', unit: 'ms', temporality, attributes: { by: 'a' }, count: 3, sum: 321 },
      ...{ min: 1, max: 300, bounds: [5, 50], bucketCounts: [1, 1, 1] },
      exemplars: [...taken(1, other), ...taken(20, other), ...taken(300, other)],
    },
    'foreign.exponential': {
      ...{ ...common, type: 'exponential_histogram', temporality, count: 4, sum: 7, min: 0, max: 4 },
      ...{ zeroCount: 1, zeroThreshold: 0, values: [1, 2, 4] },
    },
  }
}

export function expectedSource({ isFull }: Traits): Partial<OtlpSource> {
  return { scopeName: 'foreign', scopeVersion: '1.2.3', scopeAttributes: isFull ? { kind: 'test' } : {} }
}
