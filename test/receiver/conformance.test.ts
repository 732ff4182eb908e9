/**
 * Our reader of protobuf against another library's, over generated requests in all the liberties of the wire format, and against the
 * schema, field by field. What this library does otherwise than the format says is in test/hub, with Google's as the judge.
 */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { Type } from 'protobufjs'
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import type { OtlpLogRecord } from '../../src/telemetry/otlp.ts'
import {
  encodeMessage,
  encodeProtobuf,
  everything,
  field,
  type Request,
  requestType,
  schemaTypes,
  signals,
  spanId,
  traceId,
} from './messages.ts'
import { ourOutcome, protobufjsOutcome } from './oracle.ts'
import { longVarint, wireMessage } from './wire-messages.ts'

const seed = 20_261_121

describe.each(signals)('A request of %s', (signal) => {
  const type = requestType(signal)

  test('is read as protobufjs reads it, in any liberty of the wire format', () => {
    let decoded = 0
    const any = wireMessage(type, 'some')
    fc.assert(
      fc.property(any, (message) => {
        const ours = ourOutcome(signal, message)
        if (ours !== 'refused') decoded++
        expect(ours).toStrictEqual(protobufjsOutcome(signal, message))
      }),
      { seed, numRuns: 400 },
    )
    expect(decoded).toBeGreaterThan(350)
  })

  test('that is cut anywhere is refused, or is what protobufjs makes of it', () => {
    const [message = Buffer.alloc(0)] = fc
      .sample(wireMessage(type, 'some'), { seed, numRuns: 100 })
      .sort((one, other) => other.length - one.length)
    expect(message.length).toBeGreaterThan(500)
    for (let length = 0; length < message.length; length++) {
      const cut = message.subarray(0, length)
      expect(ourOutcome(signal, cut)).toStrictEqual(protobufjsOutcome(signal, cut))
    }
  })
})

/** What means nothing to us, so that no record tells of it. */
const passedOver = [
  ...['ResourceSpans', 'ScopeSpans', 'ResourceLogs', 'ScopeLogs', 'ResourceMetrics', 'ScopeMetrics', 'EntityRef'].map(
    (name) => `${name}.schemaUrl`,
  ),
  ...['Resource', 'InstrumentationScope', 'Span', 'Event', 'Link', 'LogRecord'].map(
    (name) => `${name}.droppedAttributesCount`,
  ),
  ...['Resource.entityRefs', 'EntityRef.type', 'EntityRef.idKeys', 'EntityRef.descriptionKeys'],
  ...['Span.droppedEventsCount', 'Span.droppedLinksCount', 'Link.traceState', 'Link.flags'],
  ...['LogRecord.flags', 'Metric.metadata'],
]

test('Every field of the schema changes the records, but for those that are passed over', () => {
  const unsaid: string[] = []
  const untold: string[] = []
  for (const { name: message, fieldsArray } of schemaTypes()) {
    for (const { name } of fieldsArray) {
      const lacking = signals.map(
        (signal) => [signal, without(requestType(signal), everything[signal], message, name)] as const,
      )
      const encoded = lacking.map(([signal, request]) => [signal, encodeProtobuf(signal, request)] as const)
      if (encoded.every(([signal, bytes]) => bytes.equals(full[signal]))) unsaid.push(`${message}.${name}`)
      const isTold = encoded.some(
        ([signal, bytes]) => !Bun.deepEquals(ourOutcome(signal, bytes), ourOutcome(signal, full[signal]), true),
      )
      if (!isTold) untold.push(`${message}.${name}`)
    }
  }
  expect(unsaid).toEqual([])
  expect(untold.sort()).toEqual([...passedOver].sort())
})

const full = {
  traces: encodeProtobuf('traces', everything.traces),
  logs: encodeProtobuf('logs', everything.logs),
  metrics: encodeProtobuf('metrics', everything.metrics),
}

/** The message with one field of one type of message left out wherever it stands. */
function without(type: Type, message: Request, of: string, name: string): Request {
  const kept = Object.entries(message).filter(([key]) => type.name !== of || key !== name)
  const entries = kept.map(([key, value]) => {
    const inner = type.fields[key]?.resolvedType
    if (!(inner instanceof Type)) return [key, value]
    const each = (one: unknown) => without(inner, one as Request, of, name)
    return [key, Array.isArray(value) ? value.map(each) : each(value)]
  })
  return Object.fromEntries(entries)
}

describe('What is said again', () => {
  const read = (log: Buffer): OtlpLogRecord | undefined => {
    const { batch } = decodeProtobuf('logs', field(1, field(2, field(2, log))))
    return batch.signal === 'logs' ? batch.logs[0] : undefined
  }
  const body = (...values: Buffer[]) => read(Buffer.concat(values.map((value) => field(5, value))))?.body
  const text = (value: string) => field(1, Buffer.from(value))
  const list = (...values: Buffer[]) => field(5, Buffer.concat(values.map((value) => field(1, value))))

  test('counts as it was said last, also when that is nothing', () => {
    expect(read(Buffer.concat([field(3, Buffer.from('INFO')), field(3, Buffer.from('WARN'))]))?.severityText).toBe(
      'WARN',
    )
    expect(read(Buffer.concat([field(9, Buffer.from(traceId, 'hex')), field(9, Buffer.alloc(0))]))).not.toHaveProperty(
      'traceId',
    )
  })

  test('goes on where a message is said again, and begins anew where another kind was between', () => {
    expect(body(text('one'), Buffer.alloc(0))).toBe('one')
    expect(body(list(text('one')), list(text('two')))).toEqual(['one', 'two'])
    expect(body(list(text('one')), text('two'), list(text('three')))).toEqual(['three'])
    const key = field(1, Buffer.from('key'))
    const attribute = field(6, Buffer.concat([field(2, list(text('one'))), key, field(2, list(text('two')))]))
    expect(read(attribute)?.attributes).toEqual({ key: ['one', 'two'] })
  })

  test('of a metric is its type: the points of another are nothing', () => {
    const gauge = { gauge: { dataPoints: [{ asInt: '1' }] } }
    const sum = { sum: { dataPoints: [{ asInt: '2' }], isMonotonic: true, aggregationTemporality: 2 } }
    const types = (...said: object[]) => {
      const metric = Buffer.concat(said.map((each) => encodeMessage('Metric', { ...each })))
      const { batch } = decodeProtobuf('metrics', field(1, field(2, field(2, metric))))
      const points = batch.signal === 'metrics' ? batch.points : []
      return points.map((point) =>
        point.type === 'sum'
          ? [point.type, point.value, point.temporality, point.isMonotonic]
          : [point.type, 'value' in point && point.value],
      )
    }
    expect(types(gauge, sum)).toEqual([['sum', 2, 'cumulative', true]])
    expect(types(sum, gauge)).toEqual([['gauge', 1]])
    expect(types(sum, gauge, { sum: { dataPoints: [{ asInt: '3' }] } })).toEqual([['sum', 3, 'unspecified', false]])
    expect(types(sum, gauge, sum, sum)).toEqual([
      ['sum', 2, 'cumulative', true],
      ['sum', 2, 'cumulative', true],
    ])
  })
})

describe('A length or a tag', () => {
  const long = (value: bigint, more: number) => Buffer.concat([Buffer.from([0x0a]), longVarint(value, more)])

  test('of more than 32 bits is refused, not cut to a smaller one', () => {
    const message = encodeProtobuf('logs', everything.logs)
    const content = message.subarray(3)
    expect(message).toEqual(Buffer.concat([long(BigInt(content.length), 0), content]))
    for (const bit of [32n, 35n, 63n]) {
      const wrong = Buffer.concat([long(BigInt(content.length) + (1n << bit), 0), content])
      expect(ourOutcome('logs', wrong)).toBe('refused')
      expect(ourOutcome('logs', Buffer.concat([longVarint((1n << bit) + 10n, 0), message.subarray(1)]))).toBe('refused')
    }
  })

  test('may be longer than it needs, within its five bytes', () => {
    const content = encodeProtobuf('logs', everything.logs).subarray(3)
    const padded = Buffer.concat([long(BigInt(content.length), 3), content])
    expect(ourOutcome('logs', padded)).toStrictEqual(ourOutcome('logs', full.logs))
  })
})

test('An enum that nobody knows stays what it is, below nothing too', () => {
  const spans = [
    { traceId, spanId, kind: -1, status: { code: -2 } },
    { traceId, spanId, kind: 77 },
  ]
  const outcome = ourOutcome('traces', encodeProtobuf('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] }))
  expect(outcome).toMatchObject({ batch: { spans: [{ kind: -1, statusCode: -2 }, { kind: 77 }] } })
})
