/**
 * What the compiled binary answers, row by row of what OTLP asks of a server: by HTTP in both encodings and by gRPC, with a raw
 * client. Retryable is only what says when to come again.
 */

import { Database } from 'bun:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { Client, compressionAlgorithms, credentials, status } from '@grpc/grpc-js'
import { buildIfStale } from '../../scripts/build.ts'
import { until } from '../kit/until.ts'
import { call, exportPaths } from '../receiver/grpc-client.ts'
import { openDialogue } from '../receiver/kit.ts'
import { encodeJson, encodeProtobuf, everything, signals, spanId, traceId } from '../receiver/messages.ts'
import { createHubHome, type HubProcess } from './kit.ts'

const json = 'application/json'
const protobuf = 'application/x-protobuf'
/** One more than a request may have, unpacked. */
const tooLarge = Buffer.alloc(64 * 1024 * 1024 + 1, 32)
const heldRequests = 512

await buildIfStale()

const cleanups: (() => void | Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

let hub: HubProcess
beforeAll(async () => {
  hub = await startHub()
})

async function startHub(env: Record<string, string> = {}): Promise<HubProcess> {
  const home = createHubHome()
  const started = await home.start([], env)
  cleanups.push(home.remove, async () => void (await started.end()))
  return started
}

interface Sent {
  readonly path?: string
  readonly method?: string
  readonly type?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array
}

async function post(to: HubProcess, { path = '/v1/logs', method = 'POST', type = json, headers, body }: Sent) {
  const response = await fetch(`http://127.0.0.1:${to.httpPort}${path}`, {
    method,
    headers: { 'content-type': type, ...headers },
    ...(body === undefined ? {} : { body }),
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  const said = Object.fromEntries(response.headers)
  return { status: response.status, type: said['content-type'], retryAfter: said['retry-after'] ?? null, bytes, said }
}

function clientOf({ grpcPort }: HubProcess, options: object = {}): Client {
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), {
    'grpc.max_send_message_length': -1,
    ...options,
  })
  cleanups.push(() => client.close())
  return client
}

const encode = { [json]: (_: string, request: object) => encodeJson({ ...request }), [protobuf]: encodeProtobuf }

describe.each([json, protobuf] as const)('By HTTP, in %s,', (type) => {
  const empty = type === json ? '{}' : ''

  test.each(signals)('%s are taken with an empty answer, and so is an empty request', async (signal) => {
    for (const request of [everything[signal], {}]) {
      const answer = await post(hub, { path: `/v1/${signal}`, type, body: encode[type](signal, request) })
      expect({ ...answer, said: {} }).toEqual({
        status: 200,
        type,
        retryAfter: null,
        bytes: Buffer.from(empty),
        said: {},
      })
    }
  })

  test('what is taken in part is told as such', async () => {
    const spans = [{ traceId, spanId }, { traceId }]
    const body = encode[type]('traces', { resourceSpans: [{ scopeSpans: [{ spans }] }] })
    const answer = await post(hub, { path: '/v1/traces', type, body })
    expect([answer.status, answer.type, answer.retryAfter]).toEqual([200, type, null])
    const words = 'a span without a span id: ""'
    expect(answer.bytes.toString('latin1')).toBe(
      type === json
        ? `{"partialSuccess":{"rejectedSpans":"1","errorMessage":${JSON.stringify(words)}}}`
        : `\n${String.fromCharCode(words.length + 4)}\b\u0001\u0012${String.fromCharCode(words.length)}${words}`,
    )
  })

  test.each<[string, Sent, number, status, RegExp]>([
    ['is no OTLP', { body: Buffer.from([0x0a, 0x7f]) }, 400, status.INVALID_ARGUMENT, /^no OTLP logs in /],
    ['is wrongly packed', { headers: { 'content-encoding': 'gzip' }, body: Buffer.from('x') }, 400, 3, /unpacked/],
    ['is too large', { body: tooLarge }, 413, status.RESOURCE_EXHAUSTED, /is larger than 67108864 bytes/],
    [
      'is too large unpacked',
      { headers: { 'content-encoding': 'gzip' }, body: gzipSync(tooLarge) },
      413,
      status.RESOURCE_EXHAUSTED,
      /the unpacked body is larger than 67108864 bytes/,
    ],
    ['has no place', { path: '/v1/profiles', body: Buffer.alloc(0) }, 404, status.UNIMPLEMENTED, /nothing is at/],
    ['is another method', { method: 'PUT', body: Buffer.alloc(0) }, 405, status.UNIMPLEMENTED, /PUT is not possible/],
    ['comes from a page', { headers: { origin: 'http://evil.example' } }, 403, status.PERMISSION_DENIED, /a page of/],
    [
      'comes by a name',
      { headers: { host: 'evil.example' } },
      421,
      status.PERMISSION_DENIED,
      /evil.example is no name/,
    ],
  ])('what %s is refused for good, with a status of its kind', async (_what, sent, code, grpcCode, words) => {
    const answer = await post(hub, { type, ...sent })
    expect([answer.status, answer.type, answer.retryAfter]).toEqual([code, type, null])
    expect(readStatus(type, answer.bytes)).toEqual({ code: grpcCode, message: expect.stringMatching(words) })
  })
})

test('By HTTP, other content types are refused, with a status in JSON', async () => {
  const answer = await post(hub, { type: 'text/plain', body: Buffer.from('{}') })
  expect([answer.status, answer.type]).toEqual([415, json])
  expect(readStatus(json, answer.bytes).code).toBe(status.UNIMPLEMENTED)
})

describe.each([false, true])('By gRPC (packed: %p)', (isPacked) => {
  const options = isPacked ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {}
  const answered = (path: string, message: Buffer) => call(clientOf(hub, options), path, message)

  test.each(signals)('%s are taken with an empty answer, and so is an empty request', async (signal) => {
    for (const request of [everything[signal], {}]) {
      const answer = await answered(exportPaths[signal], encodeProtobuf(signal, request))
      expect(answer).toEqual({ code: status.OK, details: '', bytes: Buffer.alloc(0) })
    }
  })

  test('what is taken in part is told as such', async () => {
    const message = encodeProtobuf('traces', { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId }] }] }] })
    const { code, bytes } = await answered(exportPaths.traces, message)
    expect(code).toBe(status.OK)
    expect(bytes?.toString('latin1')).toBe('\n \b\u0001\u0012\u001ca span without a span id: ""')
  })

  test.each<[string, string, Buffer, status, RegExp]>([
    ['is no OTLP', exportPaths.logs, Buffer.from([0x0a, 0x7f]), status.INVALID_ARGUMENT, /^no OTLP logs in protobuf/],
    ['is too large', exportPaths.logs, tooLarge, status.RESOURCE_EXHAUSTED, /larger than/],
    ['is of another service', '/other.Service/Export', Buffer.alloc(0), status.UNIMPLEMENTED, /other.Service/],
  ])('what %s is refused for good', async (_what, path, message, code, words) => {
    const answer = await answered(path, message)
    expect(answer).toEqual({ code, details: expect.stringMatching(words), retryAfterMs: undefined })
  })
})

test('Who has no token is told so, by HTTP and by gRPC', async () => {
  const closed = await startHub({ CLAUDE_OTEL_HUB_TOKEN: 'right' })
  const body = encodeJson(everything.logs)
  const message = encodeProtobuf('logs', everything.logs)
  for (const [authorization, code, grpcCode] of [
    ['Bearer wrong', 401, status.UNAUTHENTICATED],
    ['Bearer right', 200, status.OK],
  ] as const) {
    const answer = await post(closed, { headers: { authorization }, body })
    expect([answer.status, answer.retryAfter]).toEqual([code, null])
    const told = await call(clientOf(closed), exportPaths.logs, message, { authorization })
    expect([told.code, told.retryAfterMs]).toEqual([grpcCode, undefined])
  }
})

test('Too much at once is put off with a time, by HTTP and by gRPC, until there is room', async () => {
  const busy = await startHub()
  const body = encodeJson(everything.logs)
  const held = await Promise.all(Array.from({ length: heldRequests }, () => openDialogue(busy.httpPort)))
  for (const dialogue of held) {
    dialogue.write(`POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: 10\r\n\r\n{`)
  }
  const answer = await until('no room', async () => {
    const answered = await post(busy, { body })
    return answered.status === 429 && answered
  })
  expect(answer.retryAfter).toBe('1')
  const message = encodeProtobuf('logs', everything.logs)
  const told = await call(clientOf(busy), exportPaths.logs, message)
  expect(told).toMatchObject({ code: status.RESOURCE_EXHAUSTED, retryAfterMs: 1000 })
  for (const dialogue of held) dialogue.end()
  await until('room', async () => (await post(busy, { body })).status === 200)
  expect((await call(clientOf(busy), exportPaths.logs, message)).code).toBe(status.OK)
})

test('A store that cannot write is told as not available, with a time, by HTTP and by gRPC, and nothing is lost', async () => {
  const stuck = await startHub()
  const other = new Database(new URL(stuck.store.replace('sqlite:', 'file:')).pathname)
  for (const table of ['log_record', 'span']) other.run(`ALTER TABLE ${table} RENAME TO ${table}_gone`)
  const [answer, told] = await Promise.all([
    post(stuck, { body: encodeJson(everything.logs) }),
    call(clientOf(stuck), exportPaths.traces, encodeProtobuf('traces', everything.traces)),
  ])
  for (const table of ['log_record', 'span']) other.run(`ALTER TABLE ${table}_gone RENAME TO ${table}`)
  other.close()
  expect([answer.status, answer.retryAfter]).toEqual([503, '5'])
  expect(told).toMatchObject({ code: status.UNAVAILABLE, retryAfterMs: 5000 })
  expect((await post(stuck, { body: encodeJson(everything.logs) })).status).toBe(200)
})

test('Health tells of every refusal, by whichever way it came', async () => {
  const fresh = await startHub()
  await post(fresh, { body: tooLarge })
  await call(clientOf(fresh), exportPaths.logs, tooLarge)
  await post(fresh, { headers: { host: 'evil.example' } })
  const health = await (await fetch(`http://127.0.0.1:${fresh.port}/api/health`)).text()
  expect(health).toMatch(/requests that are too large[^}]*"value":2/)
  expect(health).toMatch(/requests that know the hub by a name[^}]*"value":1/)
})

/** A `google.rpc.Status`. */
function readStatus(type: string, bytes: Buffer): { code: number; message: string } {
  if (type === json) return JSON.parse(bytes.toString())
  // Field 1 a number, field 2 a text whose length has one byte or two.
  const start = (bytes[3] ?? 0) < 128 ? 4 : 5
  return { code: bytes[1] ?? 0, message: bytes.subarray(start).toString() }
}
