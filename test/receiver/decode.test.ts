/** Both encodings give the same records: everything OTLP has, as written here, and what the real claude sent. */
import { describe, expect, test } from 'bun:test'
import { decodeJson } from '../../src/receiver/json.ts'
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import type { Decoded } from '../../src/receiver/records.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import {
  encodeJson,
  encodeMessage,
  encodeProtobuf,
  everything,
  field,
  type Request,
  readRecorded,
  recordedCases,
  spanId,
  traceId,
} from './messages.ts'

const decoders: readonly [string, (signal: SignalType, request: Request) => Decoded][] = [
  ['protobuf', (signal, request) => decodeProtobuf(signal, encodeProtobuf(signal, request))],
  ['JSON', (signal, request) => decodeJson(signal, encodeJson(request))],
]

const source = {
  resource: { 'service.name': 'sender', 'process.pid': 4711 },
  ...{ scopeName: 'scope', scopeVersion: '1.2', scopeAttributes: { short: true } },
}

const attributes = {
  ...{ text: 'grüße 👋', yes: true, no: false, int: 42, negative: -7, large: 9007199254740991 },
  ...{ largest: '9223372036854775807', smallest: '-9223372036854775808', double: 1.5, bytes: '3q2+7w==' },
  ...{ list: ['a', 1, null], map: { inner: [false] }, nothing: null },
  ['__proto__']: { polluted: true },
}

const attribute = { a: 'b' }
const exemplars = [
  { timeUnixMicro: 1795247341297000, value: 2.5, traceId, spanId, attributes: attribute },
  { timeUnixMicro: 1795247341297000, value: -3, attributes: {} },
]

describe.each(decoders)('%s', (_name, decode) => {
  test('gives spans with all that they have', () => {
    expect(decode('traces', everything.traces)).toEqual({
      rejected: 0,
      batch: {
        signal: 'traces',
        spans: [
          {
            ...{ source, traceId, spanId, parentSpanId: '00f067aa0ba902b7', traceState: 'vendor=1', flags: 257 },
            ...{ name: 'a span', kind: 3, startUnixMicro: 1795247342795000, endUnixMicro: 1795247342875427 },
            attributes,
            events: [{ timeUnixMicro: 1795247343177216, name: 'an event', attributes: attribute }],
            links: [{ traceId, spanId, attributes: attribute }],
            ...{ statusCode: 2, statusMessage: 'broken' },
          },
          {
            ...{ source, traceId, spanId, flags: 0, name: '', kind: 0, startUnixMicro: 0, endUnixMicro: 0 },
            ...{ attributes: {}, events: [], links: [], statusCode: 0 },
          },
        ],
      },
    })
  })

  test('gives log records with all that they have, absent fields absent', () => {
    const { batch } = decode('logs', everything.logs)
    expect(batch).toStrictEqual({
      signal: 'logs',
      logs: [
        {
          ...{ source, timeUnixMicro: 1795247342795000, observedUnixMicro: 1795247342795001 },
          ...{ severityNumber: 17, severityText: 'ERROR', body: 'words', attributes, traceId, spanId },
          eventName: 'an.event',
        },
        {
          ...{ source, timeUnixMicro: 0, observedUnixMicro: 0, severityNumber: 0, body: attribute },
          ...{ attributes: { 'event.name': 'by.attribute' }, eventName: 'by.attribute' },
        },
      ],
    })
  })

  test('gives points of every type with all that they have', () => {
    const common = { source, unit: '', description: '', startUnixMicro: 1795247339559000 }
    const at = { ...common, timeUnixMicro: 1795247341297000, isAbsent: false, exemplars: [] }
    const gauge = { ...at, type: 'gauge' as const, name: 'gauge', unit: 'By', description: 'a gauge' }
    const histogram = { ...at, type: 'histogram' as const, name: 'histogram', temporality: 'delta' as const }
    const expected: OtlpBatch = {
      signal: 'metrics',
      points: [
        { ...gauge, value: 0.5, attributes, exemplars },
        { ...gauge, value: -9, attributes: {} },
        { ...gauge, value: 0, attributes: {}, isAbsent: true },
        { ...at, type: 'sum', name: 'sum', value: 12, temporality: 'cumulative', isMonotonic: true, attributes: {} },
        {
          ...{ ...histogram, attributes: attribute, exemplars, count: 6, sum: 12.5, min: 0.5, max: 8 },
          ...{ bounds: [1, 5], bucketCounts: [1, 2, 3] },
        },
        { ...histogram, attributes: {}, count: 1, bounds: [], bucketCounts: [], isAbsent: true },
        {
          ...{ ...at, type: 'exponential_histogram', name: 'exponential', temporality: 'cumulative', isAbsent: true },
          ...{ attributes: attribute, exemplars, count: 7, sum: 3, min: -1, max: 2 },
          ...{ scale: -3, zeroCount: 1, zeroThreshold: 0.25 },
          ...{ positive: { offset: -2, bucketCounts: [1, 300] }, negative: { offset: 4, bucketCounts: [2] } },
        },
        {
          ...{ ...at, type: 'summary', name: 'summary', attributes: attribute, count: 3, sum: 9, isAbsent: true },
          quantiles: [
            { quantile: 0.5, value: 3 },
            { quantile: 1, value: 0 },
          ],
        },
      ],
    }
    expect(decode('metrics', everything.metrics).batch).toStrictEqual(expected)
  })

  test('never touches a prototype, whatever a key is called', () => {
    const { batch } = decode('traces', everything.traces)
    const read = batch.signal === 'traces' ? batch.spans[0]?.attributes : undefined
    expect(Object.getOwnPropertyDescriptor(read, '__proto__')?.value).toEqual({ polluted: true })
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  })

  test('shares one source between the records of a scope', () => {
    const { batch } = decode('logs', everything.logs)
    expect(batch.signal === 'logs' && batch.logs[0]?.source === batch.logs[1]?.source).toBe(true)
  })

  test('rejects spans without ids, takes the others and says so', () => {
    const spans = [
      { traceId, spanId, name: 'good' },
      { traceId: '0'.repeat(32), spanId, name: 'no trace' },
      { traceId, name: 'no id' },
    ]
    const { batch, rejected, message } = decode('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
    expect(batch.signal === 'traces' && batch.spans.map(({ name }) => name)).toEqual(['good'])
    expect({ rejected, message }).toEqual({ rejected: 2, message: 'a span without a trace id: "no trace"' })
  })

  test('refuses ids of a wrong length', () => {
    const spans = [{ traceId: 'abcd', spanId }]
    expect(() => decode('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] })).toThrow(/abcd|2 bytes/)
  })

  test('takes a number without a value as absent', () => {
    const metrics = [{ name: 'm', gauge: { dataPoints: [{ timeUnixNano: '1000' }] } }]
    const { batch } = decode('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
    expect(batch.signal === 'metrics' && batch.points[0]?.isAbsent).toBe(true)
  })

  test('takes a point as absent when the sender says so, with or without a value', () => {
    const dataPoints = [
      { timeUnixNano: '1000', asDouble: 1, flags: 1 },
      { timeUnixNano: '1000', asDouble: 1, flags: 2 },
    ]
    const metrics = [{ name: 'm', sum: { dataPoints } }]
    const { batch } = decode('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] })
    expect(batch.signal === 'metrics' && batch.points.map(({ isAbsent }) => isAbsent)).toEqual([true, false])
  })

  test('believes the name of an event rather than its attribute', () => {
    const attributes = [{ key: 'event.name', value: { stringValue: 'attribute' } }]
    const logRecords = [{ eventName: 'field', attributes }, { attributes }]
    const { batch } = decode('logs', { resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
    expect(batch.signal === 'logs' && batch.logs.map(({ eventName }) => eventName)).toEqual(['field', 'attribute'])
  })

  test('takes hundreds of everything beside one another', () => {
    const many = <T>(one: T): T[] => new Array(150).fill(one)
    const dataPoints = many({ timeUnixNano: '1000', asInt: '1' })
    const resourceMetrics = [
      { scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints } }] }] },
      ...many({ scopeMetrics: many({ scope: { name: 's' } }) }),
      { scopeMetrics: [{ metrics: many({ name: 'm', gauge: { dataPoints: dataPoints.slice(0, 1) } }) }] },
    ]
    const { batch } = decode('metrics', { resourceMetrics })
    expect(batch.signal === 'metrics' && batch.points).toHaveLength(300)
  })

  test('takes empty requests', () => {
    expect(decode('logs', {})).toEqual({ batch: { signal: 'logs', logs: [] }, rejected: 0 })
  })

  test('lets values be in one another', () => {
    const nest = (depth: number): Request => (depth === 0 ? {} : { arrayValue: { values: [nest(depth - 1)] } })
    const request = (depth: number) => ({ resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: nest(depth) }] }] }] })
    const { batch } = decode('logs', request(40))
    expect(batch.signal === 'logs' && JSON.stringify(batch.logs[0]?.body)).toBe(
      `${'['.repeat(40)}null${']'.repeat(40)}`,
    )
  })
})

describe.each(recordedCases)('What claude sent in %s', (name) => {
  test('is the same from protobuf as from JSON, nothing rejected', () => {
    for (const { signal, body } of readRecorded(name)) {
      const fromJson = decodeJson(signal, encodeJson(body))
      expect(decodeProtobuf(signal, encodeProtobuf(signal, body))).toStrictEqual(fromJson)
      expect(fromJson.rejected).toBe(0)
      expect(Object.values(fromJson.batch).flat()).toHaveLength(1 + countRecords(body))
    }
  })
})

describe('Protobuf', () => {
  test('may tell what belongs to all records after them', () => {
    const [group] = everything.metrics.resourceMetrics as [Request]
    const [scopeGroup] = group.scopeMetrics as [Request]
    const metrics = (scopeGroup.metrics as Request[]).map((metric) => {
      const { name, unit, description, ...data } = metric
      return field(2, Buffer.concat([message('Metric', data), message('Metric', without({ name, unit, description }))]))
    })
    const scopeBytes = Buffer.concat([...metrics, message('ScopeMetrics', { scope: scopeGroup.scope })])
    const groupBytes = Buffer.concat([field(2, scopeBytes), message('ResourceMetrics', { resource: group.resource })])
    const expected = decodeProtobuf('metrics', encodeProtobuf('metrics', everything.metrics))
    expect(decodeProtobuf('metrics', field(1, groupBytes))).toStrictEqual(expected)
  })
})

function message(type: string, content: Request): Buffer {
  return encodeMessage(type, content)
}

function without(content: Request): Request {
  return Object.fromEntries(Object.entries(content).filter(([, value]) => value !== undefined))
}

/** Records of all kinds: whatever stands in the innermost list of a request. */
function countRecords(body: Request): number {
  let count = 0
  JSON.stringify(body, (key, value) => {
    if (/^(spans|logRecords|dataPoints)$/.test(key)) count += value.length
    return value
  })
  return count
}
