/** Requests of OTLP for the tests: recorded ones, one of each signal with everything in it, and their protobuf by another library. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Namespace, parse, Type } from 'protobufjs'
import type { SignalType } from '../../src/telemetry/signal.ts'

export type Request = Readonly<Record<string, unknown>>

const schema = parse(readFileSync(join(import.meta.dir, 'otlp.proto'), 'utf8')).root

const requestTypes: { readonly [S in SignalType]: string } = {
  traces: 'ExportTraceServiceRequest',
  logs: 'ExportLogsServiceRequest',
  metrics: 'ExportMetricsServiceRequest',
}

export const signals = ['traces', 'logs', 'metrics'] as const

/** The request of a signal, as protobufjs knows it. */
export function requestType(signal: SignalType): Type {
  return schema.resolveAll().lookupType(`otlp.${requestTypes[signal]}`)
}

/** Every message of the schema. */
export function schemaTypes(): readonly Type[] {
  const { nestedArray } = schema.resolveAll().lookup('otlp') as Namespace
  return nestedArray.filter((each) => each instanceof Type)
}

/** Number and name of every field of every message, as they stand in the schema. */
export function schemaFields(): Record<string, Record<number, string>> {
  const numbers = ({ fieldsArray }: Type) => Object.fromEntries(fieldsArray.map(({ id, name }) => [id, snake(name)]))
  return Object.fromEntries(schemaTypes().map((type) => [type.name, numbers(type)]))
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** A request in OTLP/JSON's form as protobuf. */
export function encodeProtobuf(signal: SignalType, request: Request): Buffer {
  return encodeMessage(requestTypes[signal], request)
}

/** A message of the schema, in OTLP/JSON's form, as protobuf. */
export function encodeMessage(name: string, message: Request): Buffer {
  const type = schema.lookupType(`otlp.${name}`)
  return Buffer.from(type.encode(type.fromObject(withBinaryIds(message) as Request)).finish())
}

export function encodeJson(request: Request): Buffer {
  return Buffer.from(JSON.stringify(request))
}

/** A field that has a length: a message, a text, bytes. */
export function field(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint(number * 8 + 2), varint(content.length), content])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

export const idKeys = /^(traceId|spanId|parentSpanId)$/

function withBinaryIds(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => withBinaryIds(each))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([each, inner]) => [each, withBinaryIds(inner, each)]))
  }
  return idKeys.test(key) ? Buffer.from(String(value), 'hex') : value
}

export interface Recorded {
  readonly signal: SignalType
  readonly body: Request
}

/** What the real claude sent in a recorded case. */
export function readRecorded(name: string): Recorded[] {
  const text = readFileSync(join(import.meta.dir, '../fixtures/otlp', name, 'requests.jsonl'), 'utf8')
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

export const recordedCases = ['06-full-protobuf-gzip', '20-dies-restarts-cumulative', '70-tui-cumulative']

export const traceId = '0af7651916cd43dd8448eb211c80319c'
export const spanId = 'b7ad6b7169203331'

const resource = {
  attributes: [
    { key: 'service.name', value: { stringValue: 'sender' } },
    { key: 'process.pid', value: { intValue: '4711' } },
  ],
  droppedAttributesCount: 1,
  entityRefs: [{ schemaUrl: 'x', type: 'service', idKeys: ['service.name'], descriptionKeys: ['process.pid'] }],
}

const scope = {
  ...{ name: 'scope', version: '1.2', droppedAttributesCount: 3 },
  attributes: [{ key: 'short', value: { boolValue: true } }],
}

const schemaUrl = 'https://opentelemetry.io/schemas/1.37.0'

const attributes = [
  { key: 'text', value: { stringValue: 'grüße 👋' } },
  { key: 'yes', value: { boolValue: true } },
  { key: 'no', value: { boolValue: false } },
  { key: 'int', value: { intValue: '42' } },
  { key: 'negative', value: { intValue: '-7' } },
  { key: 'large', value: { intValue: '9007199254740991' } },
  { key: 'largest', value: { intValue: '9223372036854775807' } },
  { key: 'smallest', value: { intValue: '-9223372036854775808' } },
  { key: 'double', value: { doubleValue: 1.5 } },
  { key: 'bytes', value: { bytesValue: '3q2+7w==' } },
  { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }, {}] } } },
  {
    key: 'map',
    value: { kvlistValue: { values: [{ key: 'inner', value: { arrayValue: { values: [{ boolValue: false }] } } }] } },
  },
  { key: 'nothing', value: {} },
  { key: '__proto__', value: { kvlistValue: { values: [{ key: 'polluted', value: { boolValue: true } }] } } },
]

const attribute = [{ key: 'a', value: { stringValue: 'b' } }]
const times = { startTimeUnixNano: '1795247339559000999', timeUnixNano: '1795247341297000000' }
const exemplars = [
  { timeUnixNano: '1795247341297000000', asDouble: 2.5, traceId, spanId, filteredAttributes: attribute },
  { timeUnixNano: '1795247341297000000', asInt: '-3' },
]

/** One request of each signal that has everything OTLP knows. */
export const everything: { readonly [S in SignalType]: Request } = {
  traces: {
    resourceSpans: [
      {
        ...{ resource, schemaUrl },
        scopeSpans: [
          {
            ...{ scope, schemaUrl },
            spans: [
              {
                ...{ traceId, spanId, parentSpanId: '00f067aa0ba902b7', traceState: 'vendor=1', flags: 257 },
                ...{ name: 'a span', kind: 3, attributes, droppedAttributesCount: 2 },
                ...{ droppedEventsCount: 4, droppedLinksCount: 5 },
                ...{ startTimeUnixNano: '1795247342795000999', endTimeUnixNano: '1795247342875427541' },
                events: [
                  {
                    ...{ timeUnixNano: '1795247343177216996', name: 'an event' },
                    ...{ attributes: attribute, droppedAttributesCount: 6 },
                  },
                ],
                links: [
                  { traceId, spanId, traceState: 'x=y', attributes: attribute, flags: 1, droppedAttributesCount: 7 },
                ],
                status: { code: 2, message: 'broken' },
              },
              { traceId, spanId, name: '' },
            ],
          },
        ],
      },
    ],
  },
  logs: {
    resourceLogs: [
      {
        ...{ resource, schemaUrl },
        scopeLogs: [
          {
            ...{ scope, schemaUrl },
            logRecords: [
              {
                ...{ timeUnixNano: '1795247342795000999', observedTimeUnixNano: '1795247342795001000' },
                ...{ severityNumber: 17, severityText: 'ERROR', body: { stringValue: 'words' }, attributes },
                ...{ traceId, spanId, flags: 1, eventName: 'an.event', droppedAttributesCount: 8 },
              },
              {
                body: { kvlistValue: { values: attribute } },
                attributes: [{ key: 'event.name', value: { stringValue: 'by.attribute' } }],
                traceId: '00000000000000000000000000000000',
              },
            ],
          },
        ],
      },
    ],
  },
  metrics: {
    resourceMetrics: [
      {
        ...{ resource, schemaUrl },
        scopeMetrics: [
          {
            ...{ scope, schemaUrl },
            metrics: [
              {
                ...{ name: 'gauge', unit: 'By', description: 'a gauge', metadata: attribute },
                gauge: {
                  dataPoints: [
                    { ...times, asDouble: 0.5, attributes, exemplars },
                    { ...times, asInt: '-9' },
                    { ...times, asDouble: 0, flags: 1 },
                  ],
                },
              },
              {
                name: 'sum',
                sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...times, asInt: '12' }] },
              },
              {
                name: 'histogram',
                histogram: {
                  aggregationTemporality: 1,
                  dataPoints: [
                    {
                      ...{ ...times, attributes: attribute, exemplars, count: '6', sum: 12.5, min: 0.5, max: 8 },
                      ...{ bucketCounts: ['1', '2', '3'], explicitBounds: [1, 5] },
                    },
                    { ...times, count: '1', flags: 1 },
                  ],
                },
              },
              {
                name: 'exponential',
                exponentialHistogram: {
                  aggregationTemporality: 2,
                  dataPoints: [
                    {
                      ...{ ...times, attributes: attribute, exemplars, count: '7', sum: 3, min: -1, max: 2 },
                      ...{ scale: -3, zeroCount: '1', zeroThreshold: 0.25, flags: 1 },
                      positive: { offset: -2, bucketCounts: ['1', '300'] },
                      negative: { offset: 4, bucketCounts: ['2'] },
                    },
                  ],
                },
              },
              {
                name: 'summary',
                summary: {
                  dataPoints: [
                    {
                      ...{ ...times, attributes: attribute, count: '3', sum: 9, flags: 1 },
                      quantileValues: [{ quantile: 0.5, value: 3 }, { quantile: 1 }],
                    },
                  ],
                },
              },
            ],
          },
        ],
      },
    ],
  },
}
