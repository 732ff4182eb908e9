/** OTLP over gRPC as clients see it: codes, details, packing, and callers who never end what they began. */
import { afterEach, describe, expect, test } from 'bun:test'
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { Client, compressionAlgorithms, credentials, status } from '@grpc/grpc-js'
import { decodeJson } from '../../src/receiver/json.ts'
import type { ReceiverOptions } from '../../src/receiver/receiver.ts'
import { until } from '../kit/until.ts'
import { call, exportPaths as paths } from './grpc-client.ts'
import { gate, openReceiver, type TestReceiver } from './kit.ts'
import { encodeJson, encodeProtobuf, everything, signals, spanId, traceId } from './messages.ts'

const cleanups: (() => void | Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function open(options: Partial<ReceiverOptions> = {}): Promise<TestReceiver> {
  const receiver = await openReceiver(options)
  cleanups.push(receiver.stop)
  return receiver
}

function clientOf(receiver: TestReceiver, gzip = false): Client {
  const client = new Client(`127.0.0.1:${receiver.grpcPort}`, credentials.createInsecure(), {
    ...{ 'grpc.max_send_message_length': -1 },
    ...(gzip ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {}),
  })
  cleanups.push(() => client.close())
  return client
}

const logs = encodeProtobuf('logs', everything.logs)

describe('A call', () => {
  test.each(signals)('with %s is accepted with an empty answer, packed or not', async (signal) => {
    const receiver = await open()
    for (const gzip of [false, true]) {
      const answer = await call(clientOf(receiver, gzip), paths[signal], encodeProtobuf(signal, everything[signal]))
      expect(answer).toEqual({ code: status.OK, details: '', bytes: Buffer.alloc(0) })
    }
    const expected = decodeJson(signal, encodeJson(everything[signal])).batch
    expect(receiver.batches).toStrictEqual([expected, expected])
  })

  test('with nothing in it is accepted', async () => {
    const receiver = await open()
    expect((await call(clientOf(receiver), paths.logs, Buffer.alloc(0))).code).toBe(status.OK)
    expect(receiver.batches).toEqual([])
  })

  test('of which a part is not taken is told so', async () => {
    const receiver = await open()
    const spans = [{ traceId, spanId }, { name: 'bad' }]
    const message = encodeProtobuf('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
    const { bytes } = await call(clientOf(receiver), paths.traces, message)
    const words = Buffer.from('a span without a trace id: "bad"')
    expect(bytes).toEqual(Buffer.from([0x0a, words.length + 4, 0x08, 1, 0x12, words.length, ...words]))
  })

  test('that is no OTLP is an invalid argument', async () => {
    const receiver = await open()
    expect(await call(clientOf(receiver), paths.logs, Buffer.from([0x0a, 0x7f]))).toEqual({
      code: status.INVALID_ARGUMENT,
      details: 'no OTLP logs in protobuf: field 1 is longer than its message (byte 2)',
      retryAfterMs: undefined,
    })
  })

  test('of another service is unimplemented', async () => {
    const receiver = await open()
    const path = '/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export'
    expect((await call(clientOf(receiver), path, Buffer.alloc(0))).code).toBe(status.UNIMPLEMENTED)
  })

  test('may carry ten megabytes, many of them at once', async () => {
    const receiver = await open()
    const body = { stringValue: 'x'.repeat(10_000_000) }
    const message = encodeProtobuf('logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [{ body }] }] }] })
    const client = clientOf(receiver)
    const answers = await Promise.all(Array.from({ length: 8 }, () => call(client, paths.logs, message)))
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([status.OK]))
    expect(receiver.counts().accepted.logs).toBe(8)
  })

  test.each([false, true])('that is too large is refused for good (packed: %p)', async (gzip) => {
    const receiver = await open({ limits: { requestBytes: 100_000 } })
    const answer = await call(clientOf(receiver, gzip), paths.logs, Buffer.alloc(100_001))
    expect(answer.code).toBe(status.RESOURCE_EXHAUSTED)
    expect(answer.retryAfterMs).toBeUndefined()
    expect(receiver.batches).toEqual([])
    expect(receiver.counts().refused).toEqual({ tooLarge: 1 })
  })
})

describe('A token', () => {
  test.each<[Record<string, string>, status]>([
    [{}, status.UNAUTHENTICATED],
    [{ authorization: 'Bearer wrong' }, status.UNAUTHENTICATED],
    [{ authorization: 'Bearer right' }, status.OK],
  ])('given as %j is answered with %p', async (headers, code) => {
    const receiver = await open({ token: 'right' })
    expect((await call(clientOf(receiver), paths.logs, logs, headers)).code).toBe(code)
    expect(receiver.batches).toHaveLength(code === status.OK ? 1 : 0)
  })
})

describe('Too much at once', () => {
  test('is put off with RESOURCE_EXHAUSTED and a time, until there is room again', async () => {
    const receiver = await open({ limits: { heldRequests: 2 } })
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const client = clientOf(receiver)
    const held = [call(client, paths.logs, logs), call(client, paths.logs, logs)]
    await until('two calls inside', () => receiver.batches.length === 2)
    expect(await call(client, paths.logs, logs)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, retryAfterMs: 1000 })
    store({ rejected: 0 })
    expect((await Promise.all(held)).map(({ code }) => code)).toEqual([status.OK, status.OK])
    expect((await call(client, paths.logs, logs)).code).toBe(status.OK)
  })

  test('is counted in bytes as well', async () => {
    const receiver = await open({ limits: { heldBytes: logs.length + 10 } })
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const client = clientOf(receiver)
    const held = call(client, paths.logs, logs)
    await until('one call inside', () => receiver.batches.length === 1)
    expect((await call(client, paths.logs, logs)).code).toBe(status.RESOURCE_EXHAUSTED)
    store({ rejected: 0 })
    expect((await held).code).toBe(status.OK)
    expect((await call(client, paths.logs, logs)).code).toBe(status.OK)
  })

  test('is what the store says, with UNAVAILABLE and its time', async () => {
    const receiver = await open()
    receiver.verdict = async () => ({ retryAfterMs: 2500 })
    const answer = await call(clientOf(receiver), paths.logs, logs)
    expect(answer).toEqual({ code: status.UNAVAILABLE, details: 'cannot store now', retryAfterMs: 2500 })
  })

  test('is also a store that fails', async () => {
    const receiver = await open()
    receiver.verdict = async () => Promise.reject(new Error('disk on fire'))
    const answer = await call(clientOf(receiver), paths.logs, logs)
    expect(answer).toMatchObject({ code: status.UNAVAILABLE, retryAfterMs: 5000 })
  })
})

describe('Callers who never end what they began', () => {
  const session = (receiver: TestReceiver): ClientHttp2Session => {
    const opened = connect(receiver.grpc)
    opened.on('error', () => {})
    cleanups.push(() => opened.destroy())
    return opened
  }
  const begin = (from: ClientHttp2Session, bytes: Buffer): ClientHttp2Stream => {
    const headers = { ':method': 'POST', ':path': paths.logs, 'content-type': 'application/grpc', te: 'trailers' }
    const stream = from.request(headers)
    stream.on('error', () => {})
    stream.write(bytes)
    return stream
  }
  const half = Buffer.from([0, 0, 0, 0, 10, 1])

  test('hold the lanes for a time only: then the others come in', async () => {
    const limits = { requestBytes: 1_000_000, heldBytes: 2_000_000, arrivalMs: 400 }
    const receiver = await open({ limits })
    const callers = session(receiver)
    const codes: unknown[] = []
    for (let count = 0; count < 2; count++) {
      begin(callers, half).on('response', (headers) => codes.push(headers['grpc-status']))
    }
    const client = clientOf(receiver)
    expect((await call(client, paths.logs, logs)).code).toBe(status.OK)
    await until('both to be told', () => codes.length === 2)
    expect(codes.map(Number)).toEqual([status.DEADLINE_EXCEEDED, status.DEADLINE_EXCEEDED])
    expect(receiver.counts().refused).toEqual({ tooSlow: 2 })
  })

  test('are others than those who wait for the store: they have arrived', async () => {
    const receiver = await open({ limits: { arrivalMs: 50 } })
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const held = call(clientOf(receiver), paths.logs, logs)
    await until('the call inside', () => receiver.batches.length === 1)
    begin(session(receiver), half)
    await until('the other to be too slow', () => receiver.counts().refused.tooSlow === 1)
    store({ rejected: 0 })
    expect((await held).code).toBe(status.OK)
    expect(receiver.counts().refused).toEqual({ tooSlow: 1 })
  })

  test('give their places back when they go', async () => {
    const receiver = await open({ limits: { heldRequests: 3, heldBytes: 1000, requestBytes: 1000 } })
    const callers = session(receiver)
    const streams = [begin(callers, half), begin(callers, half), begin(callers, half)]
    const client = clientOf(receiver)
    const code = async () => (await call(client, paths.logs, Buffer.alloc(0))).code
    await until('all places to be taken', async () => (await code()) === status.RESOURCE_EXHAUSTED)
    for (const stream of streams) stream.close()
    await until('a place to be free', async () => (await code()) === status.OK)
    expect(receiver.counts().refused).toMatchObject({ cut: 3 })
  })

  test('are not read ahead of: what they send waits on their side', async () => {
    const receiver = await open({ limits: { requestBytes: 50_000_000, heldBytes: 50_000_000 } })
    const callers = session(receiver)
    begin(callers, half)
    const waiting = begin(callers, Buffer.concat([Buffer.from([0, 1, 0, 0, 0]), Buffer.alloc(16_000_000)]))
    await until('the window to be full', () => waiting.writableNeedDrain)
    const { promise: drained, resolve } = Promise.withResolvers<string>()
    waiting.once('drain', () => resolve('drained'))
    expect(await Promise.race([drained, Bun.sleep(300).then(() => 'waits')])).toBe('waits')
  })
})

describe('Packing', () => {
  test.each<[string, string, Buffer, status, object]>([
    ['is broken', 'gzip', Buffer.from('nonsense'), status.INVALID_ARGUMENT, { malformed: 1 }],
    ['ends too early', 'gzip', gzipSync(logs).subarray(0, 40), status.INVALID_ARGUMENT, { malformed: 1 }],
    ['is of another kind', 'zstd', zstdCompressSync(logs), status.UNIMPLEMENTED, { unsupported: 1 }],
    ['holds nothing', 'gzip', gzipSync(''), status.OK, {}],
    ['is as it should be', 'gzip', gzipSync(logs), status.OK, {}],
  ])('that %s is told so, and counted', async (_what, encoding, message, code, refused) => {
    const receiver = await open()
    const client = connect(receiver.grpc)
    cleanups.push(() => client.destroy())
    const stream = client.request({
      ...{ ':method': 'POST', ':path': paths.logs, 'content-type': 'application/grpc', te: 'trailers' },
      'grpc-encoding': encoding,
    })
    const { promise: said, resolve } = Promise.withResolvers<status>()
    stream.on('response', (answer) => {
      if (answer['grpc-status'] !== undefined) resolve(Number(answer['grpc-status']))
    })
    stream.on('trailers', (answer) => resolve(Number(answer['grpc-status'])))
    const length = Buffer.alloc(5, 1)
    length.writeUInt32BE(message.length, 1)
    stream.end(Buffer.concat([length, message]))
    expect(await said).toBe(code)
    expect(receiver.counts().refused).toEqual(refused)
    expect((await call(clientOf(receiver), paths.logs, logs)).code).toBe(status.OK)
  })
})
