/** OTLP's JSON: what senders write in more than one way, and what is no OTLP. */
import { describe, expect, test } from 'bun:test'
import { decodeJson } from '../../src/receiver/json.ts'
import { Malformed } from '../../src/receiver/records.ts'
import type { OtlpLogRecord, OtlpPoint, OtlpSpan } from '../../src/telemetry/otlp.ts'
import { encodeJson, everything, type Request, signals, spanId, traceId } from './messages.ts'

function span(fields: Request): OtlpSpan | undefined {
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId, spanId, ...fields }] }] }] }
  const { batch } = decodeJson('traces', encodeJson(request))
  return batch.signal === 'traces' ? batch.spans[0] : undefined
}

function log(fields: Request): OtlpLogRecord | undefined {
  const { batch } = decodeJson('logs', encodeJson({ resourceLogs: [{ scopeLogs: [{ logRecords: [fields] }] }] }))
  return batch.signal === 'logs' ? batch.logs[0] : undefined
}

function point(data: Request): OtlpPoint | undefined {
  const request = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', ...data }] }] }] }
  const { batch } = decodeJson('metrics', encodeJson(request))
  return batch.signal === 'metrics' ? batch.points[0] : undefined
}

const value = (any: unknown) => log({ body: any })?.body

describe('Keys', () => {
  test('are understood in snake case too', () => {
    for (const signal of signals) {
      const snake = decodeJson(signal, encodeJson(inSnakeCase(everything[signal]) as Request))
      expect(snake).toStrictEqual(decodeJson(signal, encodeJson(everything[signal])))
    }
  })

  test('that nobody knows are passed over, whatever they hold', () => {
    expect(span({ name: 'n', later: { a: [1, { b: null }] }, toString: 1 })?.name).toBe('n')
  })

  test('with null are absent', () => {
    const fields = { name: null, parentSpanId: null, attributes: null, status: null, startTimeUnixNano: null }
    expect(span(fields)).toStrictEqual(span({}) as OtlpSpan)
    expect(value(null)).toBeUndefined()
    expect(value({ stringValue: null })).toBeNull()
  })
})

describe('Numbers', () => {
  test('of 64 bits may be texts or numbers', () => {
    expect(value({ intValue: '-12' })).toBe(-12)
    expect(value({ intValue: -12 })).toBe(-12)
    expect(value({ intValue: '9223372036854775807' })).toBe('9223372036854775807')
    expect(span({ startTimeUnixNano: '1795247342795000999' })?.startUnixMicro).toBe(1795247342795000)
    expect(span({ startTimeUnixNano: '999' })?.startUnixMicro).toBe(0)
    expect(span({ startTimeUnixNano: 1999 })?.startUnixMicro).toBe(1)
  })

  test('of nanoseconds that JSON has rounded are the microseconds that were meant', () => {
    for (let micro = 1795247341297000; micro < 1795247341297100; micro++) {
      expect(span({ startTimeUnixNano: micro * 1000 })?.startUnixMicro).toBe(micro)
    }
  })

  test('may be no numbers', () => {
    expect(value({ doubleValue: 'NaN' })).toBeNaN()
    expect(value({ doubleValue: '-Infinity' })).toBe(-Infinity)
    expect(value({ doubleValue: '1.5e3' })).toBe(1500)
    expect(value({ doubleValue: 0 })).toBe(0)
  })

  test('of enums may be names', () => {
    expect(span({ kind: 'SPAN_KIND_CLIENT' })?.kind).toBe(3)
    expect(span({ status: { code: 'STATUS_CODE_ERROR' } })?.statusCode).toBe(2)
    expect(log({ severityNumber: 'SEVERITY_NUMBER_WARN2' })?.severityNumber).toBe(14)
    expect(log({ severityNumber: 'SEVERITY_NUMBER_FATAL4' })?.severityNumber).toBe(24)
    const sum = { aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE', dataPoints: [{ asInt: 1 }] }
    expect(point({ sum })).toMatchObject({ temporality: 'cumulative', value: 1 })
    expect(span({ kind: 77 })?.kind).toBe(77)
  })
})

describe('Ids and bytes', () => {
  test('are hex of either case and base64 of either alphabet', () => {
    expect(span({ traceId: traceId.toUpperCase(), parentSpanId: 'B7AD6B7169203331' })).toMatchObject({
      traceId,
      parentSpanId: spanId,
    })
    expect(value({ bytesValue: '-_-_' })).toBe('+/+/')
    expect(value({ bytesValue: '3q2-7w' })).toBe('3q2+7w==')
  })
})

describe('What is no OTLP', () => {
  const at = 'resourceSpans[0].scopeSpans[0].spans[0]'
  test.each<[Request, string]>([
    [{ name: 5 }, `${at}.name is 5; it must be a text`],
    [{ kind: 'CLIENT' }, `${at}.kind is "CLIENT"; it must be a number or one of SPAN_KIND_UNSPECIFIED`],
    [{ kind: 'toString' }, `${at}.kind is "toString"`],
    [{ kind: 1.5 }, `${at}.kind is 1.5; it must be a whole number`],
    [{ kind: 2 ** 40 }, `${at}.kind is 1099511627776; it must be of 32 bits`],
    [{ startTimeUnixNano: 'soon' }, `${at}.startTimeUnixNano is "soon"; it must be nanoseconds`],
    [{ startTimeUnixNano: -1 }, `${at}.startTimeUnixNano is -1`],
    [{ traceId: 'CvdlGRbNQ92ESOshHIAxnA==' }, `${at}.traceId is "CvdlGRbNQ92ESOshHIAxnA=="; it must be 32 hex digits`],
    [{ spanId: 'g7ad6b7169203331' }, `${at}.spanId is "g7ad6b7169203331"; it must be 16 hex digits`],
    [{ attributes: {} }, `${at}.attributes is {}; it must be a list`],
    [{ attributes: ['a'] }, `${at}.attributes[0] is "a"; it must be an object`],
    [{ attributes: [{ key: 1 }] }, `${at}.attributes[0].key is 1`],
    [{ attributes: [{ key: 'a', value: 'b' }] }, `${at}.attributes[0].value is "b"; it must be an object`],
    [{ status: [] }, `${at}.status is []; it must be an object`],
    [{ status: {}, events: [{ name: 5 }] }, `${at}.events[0].name is 5`],
    [{ events: [{}, { name: {} }] }, `${at}.events[1].name is {}; it must be a text`],
  ])('is told with its path and value: %j', (fields, words) => {
    expect(() => span(fields)).toThrow(words)
    expect(() => span(fields)).toThrow(Malformed)
  })

  test.each<[Request, string]>([
    [{ intValue: '1.5' }, 'body.intValue is "1.5"; it must be a whole number'],
    [{ intValue: '9223372036854775808' }, 'it must be of 64 bits'],
    [{ intValue: 1e300 }, 'it must be of 64 bits'],
    [{ boolValue: 'true' }, 'body.boolValue is "true"; it must be true or false'],
    [{ doubleValue: 'many' }, 'body.doubleValue is "many"; it must be a number'],
    [{ doubleValue: '0x10' }, 'body.doubleValue is "0x10"'],
    [{ bytesValue: '*' }, 'body.bytesValue is "*"; it must be base64'],
    [{ arrayValue: { values: [{ stringValue: 1 }] } }, 'body.arrayValue.values[0].stringValue is 1; it must be a text'],
  ])('is told of a value: %j', (any, words) => {
    expect(() => value(any)).toThrow(words)
  })

  test('is told of a count that is negative, and of long values in short', () => {
    expect(() => point({ histogram: { dataPoints: [{ count: '-1' }] } })).toThrow(
      'count is "-1"; it must be not negative',
    )
    const words = (() => {
      try {
        span({ name: ['x'.repeat(5000)] })
      } catch (error) {
        return String(error)
      }
    })()
    expect(words?.length).toBeLessThan(250)
  })

  test.each(['', '{', '[]', '"text"', '7', 'null', '\u0000'])('is a body like %j', (text) => {
    expect(() => decodeJson('logs', Buffer.from(text))).toThrow(Malformed)
  })

  test('is a body of values in one another without end', () => {
    const text = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${'{"arrayValue":{"values":['.repeat(50_000)}`
    const request = `${text}{}${']}}'.repeat(50_000)}}]}]}]}`
    expect(() => decodeJson('logs', Buffer.from(request))).toThrow('more than 100 objects')
    expect(() => decodeJson('logs', Buffer.from('['.repeat(1_000_000)))).toThrow(Malformed)
  })

  test('is a body of nothing but empty records', () => {
    const records = new Array(1_000_001).fill('{}').join()
    const request = `{"resourceLogs":[{"scopeLogs":[{"logRecords":[${records}]}]}]}`
    expect(() => decodeJson('logs', Buffer.from(request))).toThrow('more than 1000000 records')
  })

  test('is a body of nothing but empty values, which is told before they are made', () => {
    const body = Buffer.from(`{"later":[${'[],'.repeat(4_100_000)}`)
    expect(() => decodeJson('logs', body)).toThrow('more than 8000000 values')
  })

  test('is not a long text that is full of commas and quotes', () => {
    const text = ',,,,[[[{{"'.repeat(2_000_000)
    expect(value({ stringValue: text })).toBe(text)
  })
})

function inSnakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inSnakeCase)
  if (typeof value !== 'object' || value === null) return value
  const snake = (key: string) => key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snake(key), inSnakeCase(inner)]))
}
