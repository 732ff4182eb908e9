/**
 * Requests that went wrong on the way, made from real ones by a generator with a seed, and requests of any shape: each is decoded or
 * refused as malformed, in bounded time, and what is decoded is the same from both encodings.
 */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { decodeJson } from '../../src/receiver/json.ts'
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import { type Decoded, Malformed, TooLarge } from '../../src/receiver/records.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { processorMs } from '../kit/cost.ts'
import { openReceiver } from './kit.ts'
import { encodeJson, encodeProtobuf, everything, type Request, readRecorded, signals } from './messages.ts'

type Decode = (signal: SignalType, message: Uint8Array) => Decoded

const seed = 20_261_121
const mutants = 3000
/** Of a request of some ten kilobytes; a real one takes one or two. */
const longestMs = 250

/** Small requests of all signals, so that a mutation hits something. */
const samples: readonly (readonly [SignalType, Request])[] = [
  ...signals.map((signal) => [signal, everything[signal]] as const),
  ...readRecorded('20-dies-restarts-cumulative').map(({ signal, body }) => [signal, body] as const),
]

describe.each<[string, Decode, (signal: SignalType, request: Request) => Buffer]>([
  ['protobuf', decodeProtobuf, encodeProtobuf],
  ['JSON', decodeJson, (_signal, request) => encodeJson(request)],
])('A request in %s with mistakes', (_name, decode, encode) => {
  test('is decoded or malformed, in time, and holds no more memory afterwards', () => {
    const random = generator(seed)
    const outcomes = { decoded: 0, refused: 0 }
    const messages = samples.map(([signal, request]) => [signal, encode(signal, request)] as const)
    Bun.gc(true)
    const heldBefore = process.memoryUsage().heapUsed
    for (let round = 0; round < mutants; round++) {
      const [signal, message] = messages[round % messages.length] as (typeof messages)[number]
      const from = processorMs()
      outcomes[outcomeOf(decode, signal, mutate(message, random))]++
      expect(processorMs(from)).toBeLessThan(longestMs)
    }
    Bun.gc(true)
    expect(process.memoryUsage().heapUsed - heldBefore).toBeLessThan(20_000_000)
    expect(outcomes.decoded).toBeGreaterThan(mutants / 50)
    expect(outcomes.refused).toBeGreaterThan(mutants / 5)
  })
})

test('A receiver answers requests with mistakes as the sender’s, and goes on', async () => {
  const receiver = await openReceiver()
  const random = generator(seed)
  const answers: Record<number, number> = {}
  for (let round = 0; round < 400; round++) {
    const [signal, request] = samples[round % samples.length] as (typeof samples)[number]
    const [type, body] =
      round % 2 === 0
        ? ['application/json', encodeJson(request)]
        : ['application/x-protobuf', encodeProtobuf(signal, request)]
    const headers = { 'content-type': type }
    const url = `${receiver.http}/v1/${signal}`
    const { status } = await fetch(url, { method: 'POST', headers, body: mutate(body, random) })
    answers[status] = (answers[status] ?? 0) + 1
  }
  await receiver.stop()
  expect(Object.keys(answers)).toEqual(['200', '400'])
  expect(receiver.counts().refused.malformed).toBe(answers[400] ?? 0)
})

describe('Any JSON', () => {
  test('is decoded or malformed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...signals), fc.json(), (signal, text) => {
        outcomeOf(decodeJson, signal, Buffer.from(text))
      }),
      { seed, numRuns: 500 },
    )
  })

  test('in the place of any part of a request is passed over, decoded or malformed', () => {
    const places = samples.flatMap(([signal, request]) => pathsOf(request).map((path) => ({ signal, request, path })))
    const anything = fc.jsonValue({ maxDepth: 3 })
    fc.assert(
      fc.property(fc.constantFrom(...places), anything, ({ signal, request, path }, value) => {
        outcomeOf(decodeJson, signal, encodeJson(replaced(request, path, value) as Request))
      }),
      { seed, numRuns: 2000 },
    )
  })
})

describe('Any content', () => {
  const text = fc.string({ unit: 'binary', maxLength: 80 })
  const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
  const double = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0)
  const nano = fc.bigInt({ min: 0n, max: 9_007_199_254_740_991_999n }).map(String)
  const { any } = fc.letrec<{ any: Request }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.constant({}),
      fc.record({ stringValue: text }),
      fc.record({ boolValue: fc.boolean() }),
      fc.record({ intValue: int64 }),
      fc.record({ doubleValue: double }),
      fc.record({ bytesValue: fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('base64')) }),
      fc.record({ arrayValue: fc.record({ values: fc.array(tie('any'), { maxLength: 4 }) }) }),
      fc.record({
        kvlistValue: fc.record({ values: fc.array(fc.record({ key: text, value: tie('any') }), { maxLength: 4 }) }),
      }),
    ),
  }))
  const attributes = fc.array(fc.record({ key: text, value: any }), { maxLength: 6 })
  const log = fc.record({
    ...{ timeUnixNano: nano, observedTimeUnixNano: nano, severityNumber: fc.nat(24), severityText: text },
    ...{ body: any, attributes, eventName: text },
  })
  const number = fc.record({ startTimeUnixNano: nano, timeUnixNano: nano, asInt: int64, attributes })

  test('gives the same records from protobuf and from JSON', () => {
    const logs = fc
      .array(log, { maxLength: 4 })
      .map((logRecords) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] }))
    const metrics = fc.array(number, { maxLength: 4 }).map((dataPoints) => ({
      resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', sum: { dataPoints } }] }] }],
    }))
    const same = (signal: SignalType) => (request: Request) => {
      const fromJson = decodeJson(signal, encodeJson(request))
      expect(decodeProtobuf(signal, encodeProtobuf(signal, request))).toStrictEqual(fromJson)
    }
    fc.assert(fc.property(logs, same('logs')), { seed, numRuns: 300 })
    fc.assert(fc.property(metrics, same('metrics')), { seed, numRuns: 300 })
  })
})

/** Anything but these two answers is a crash, and fails the test that asked. */
function outcomeOf(decode: Decode, signal: SignalType, message: Uint8Array): 'decoded' | 'refused' {
  try {
    decode(signal, message)
    return 'decoded'
  } catch (error) {
    if (error instanceof Malformed || error instanceof TooLarge) return 'refused'
    throw error
  }
}

/** One to four mistakes: a byte changed, a bit turned, bytes lost, doubled or put elsewhere, an end too early. */
function mutate(message: Buffer, random: (below: number) => number): Buffer {
  let bytes = Buffer.from(message)
  for (let count = 1 + random(4); count > 0 && bytes.length > 0; count--) {
    const at = random(bytes.length)
    const length = 1 + random(Math.min(64, bytes.length - at))
    const part = bytes.subarray(at, at + length)
    const kind = random(6)
    if (kind === 0) bytes[at] = random(256)
    else if (kind === 1) bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8))
    else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)])
    else if (kind === 3) bytes = Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
    else if (kind === 4) bytes.copy(bytes, random(bytes.length), at, at + length)
    else bytes = Buffer.from(bytes.subarray(0, at))
  }
  return bytes
}

/** Numbers from 0 up to `below`, the same for the same seed (xorshift). */
function generator(start: number): (below: number) => number {
  let state = start
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

type Path = readonly (string | number)[]

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  const inner = Array.isArray(value) ? value.map((each, index) => [index, each] as const) : Object.entries(value)
  return [path, ...inner.flatMap(([key, each]) => pathsOf(each, [...path, key]))]
}

function replaced(value: unknown, [key, ...rest]: Path, by: unknown): unknown {
  if (key === undefined) return by
  if (Array.isArray(value)) return value.map((each, index) => (index === key ? replaced(each, rest, by) : each))
  const record = value as Request
  return { ...record, [key]: replaced(record[key], rest, by) }
}
