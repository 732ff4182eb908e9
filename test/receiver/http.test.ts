/** OTLP over HTTP as clients see it: what is answered to what, byte by byte where it matters. */
import { afterEach, describe, expect, test } from 'bun:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { decodeJson } from '../../src/receiver/json.ts'
import type { ReceiverOptions } from '../../src/receiver/receiver.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { until } from '../kit/until.ts'
import { type Dialogue, gate, openDialogue, openReceiver, type TestReceiver } from './kit.ts'
import { encodeJson, encodeProtobuf, everything, signals, spanId, traceId } from './messages.ts'

const protobuf = 'application/x-protobuf'
const json = 'application/json'

const opened: TestReceiver[] = []
const dialogues: Dialogue[] = []
afterEach(async () => {
  for (const dialogue of dialogues.splice(0)) dialogue.end()
  for (const receiver of opened.splice(0)) await receiver.stop()
})

async function open(options: Partial<ReceiverOptions> = {}): Promise<TestReceiver> {
  const receiver = await openReceiver(options)
  opened.push(receiver)
  return receiver
}

async function dial(receiver: TestReceiver): Promise<Dialogue> {
  const dialogue = await openDialogue(receiver.httpPort)
  dialogues.push(dialogue)
  return dialogue
}

interface Post {
  readonly path?: string
  readonly method?: string
  readonly type?: string | null
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array | string
}

async function post({ http }: TestReceiver, { path = '/v1/logs', method = 'POST', type = json, headers, body }: Post) {
  const typed = type === null ? {} : { 'content-type': type }
  const sent = body === undefined ? {} : { body }
  const response = await fetch(http + path, { method, headers: { ...typed, ...headers }, ...sent })
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, headers: response.headers, bytes, text: bytes.toString() }
}

const logs = encodeJson(everything.logs)
const encode = {
  [protobuf]: encodeProtobuf,
  [json]: (_signal: SignalType, request: object) => encodeJson({ ...request }),
}

describe.each([protobuf, json])('A request of %s', (type) => {
  test.each(signals)('of %s is accepted with an empty answer of its kind', async (signal) => {
    const receiver = await open()
    const body = encode[type as typeof json](signal, everything[signal])
    const answer = await post(receiver, { path: `/v1/${signal}`, type: `${type}; charset=utf-8`, body })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe(type)
    expect(answer.text).toBe(type === json ? '{}' : '')
    expect(receiver.batches).toStrictEqual([decodeJson(signal, encodeJson(everything[signal])).batch])
    expect(receiver.counts().accepted[signal]).toBeGreaterThan(0)
  })

  test('may be packed by gzip or zstd', async () => {
    const receiver = await open()
    const body = encode[type as typeof json]('logs', everything.logs)
    for (const [name, packed] of [
      ['gzip', gzipSync(body)],
      ['zstd', zstdCompressSync(body)],
      ['identity', body],
      ['GZip', gzipSync(body)],
    ] as const) {
      expect((await post(receiver, { type, headers: { 'content-encoding': name }, body: packed })).status).toBe(200)
    }
    expect(receiver.batches).toHaveLength(4)
    expect(receiver.batches[1]).toStrictEqual(receiver.batches[2])
  })

  test('that holds nothing is accepted and troubles nobody', async () => {
    const receiver = await open()
    expect((await post(receiver, { type, body: encode[type as typeof json]('logs', {}) })).status).toBe(200)
    expect(receiver.batches).toEqual([])
  })

  test('that is no OTLP is told so, with a status of its kind', async () => {
    const receiver = await open()
    const body = type === json ? '{"resourceLogs": 5}' : Buffer.from([0x0a, 0x7f])
    const answer = await post(receiver, { type, body })
    expect(answer.status).toBe(400)
    expect(answer.headers.get('content-type')).toBe(type)
    if (type === json) {
      const message = 'no OTLP logs in json: resourceLogs is 5; it must be a list'
      expect(JSON.parse(answer.text)).toEqual({ code: 3, message })
    } else {
      const message = 'no OTLP logs in protobuf: field 1 is longer than its message (byte 2)'
      expect(answer.bytes).toEqual(Buffer.from(`\b\u0003\u0012${String.fromCharCode(message.length)}${message}`))
    }
    expect(receiver.counts().refused).toEqual({ malformed: 1 })
    expect(receiver.batches).toEqual([])
  })
})

describe('A part that is not taken', () => {
  const spans = [{ traceId, spanId, name: 'good' }, { name: 'bad' }]
  const request = { resourceSpans: [{ scopeSpans: [{ spans }] }] }

  test('is told as partial success, the store’s share and ours in one', async () => {
    const receiver = await open()
    receiver.verdict = async () => ({ rejected: 1, message: 'too old' })
    const answer = await post(receiver, { path: '/v1/traces', body: encodeJson(request) })
    expect(answer.status).toBe(200)
    const errorMessage = 'a span without a trace id: "bad"; too old'
    expect(JSON.parse(answer.text)).toEqual({ partialSuccess: { rejectedSpans: '2', errorMessage } })
    expect(receiver.counts()).toEqual({
      accepted: { traces: 0, logs: 0, metrics: 0 },
      rejected: { traces: 2, logs: 0, metrics: 0 },
      refused: {},
    })
  })

  test('is told in protobuf too', async () => {
    const receiver = await open()
    receiver.verdict = async () => ({ rejected: 300, message: 'old' })
    const answer = await post(receiver, { type: protobuf, body: encodeProtobuf('logs', everything.logs) })
    expect(answer.bytes).toEqual(Buffer.from([0x0a, 8, 0x08, 0xac, 0x02, 0x12, 3, ...Buffer.from('old')]))
  })

  test.each([
    ['metrics', 'rejectedDataPoints'],
    ['logs', 'rejectedLogRecords'],
  ] as const)('is named as that of %s', async (signal, key) => {
    const receiver = await open()
    receiver.verdict = async () => ({ rejected: 1 })
    const answer = await post(receiver, { path: `/v1/${signal}`, body: encodeJson(everything[signal]) })
    expect(JSON.parse(answer.text)).toEqual({ partialSuccess: { [key]: '1', errorMessage: '' } })
  })

  test('may be nothing, with a warning', async () => {
    const receiver = await open()
    receiver.verdict = async () => ({ rejected: 0, message: 'slow down' })
    const answer = await post(receiver, { body: logs })
    expect(JSON.parse(answer.text)).toEqual({ partialSuccess: { rejectedLogRecords: '0', errorMessage: 'slow down' } })
  })
})

describe('What nobody can take', () => {
  test.each<[string, Post, number, string]>([
    ['another path', { path: '/v1/profiles' }, 404, 'nothing is at /v1/profiles; use /v1/traces,/v1/logs,/v1/metrics'],
    ['a path of a prototype', { path: '/toString' }, 404, 'nothing is at /toString'],
    ['another method', { method: 'PUT' }, 405, 'PUT is not possible here; use POST'],
    ['no content type', { type: null }, 415, 'content-type is none; use application/x-protobuf or application/json'],
    ['another content type', { type: 'text/plain' }, 415, 'content-type is text/plain'],
    ['another packing', { headers: { 'content-encoding': 'br' } }, 415, 'content-encoding is br; use identity, gzip'],
    [
      'a broken packing',
      { headers: { 'content-encoding': 'gzip' } },
      400,
      'the body cannot be unpacked: incorrect head',
    ],
    ['a broken zstd', { headers: { 'content-encoding': 'zstd' } }, 400, 'the body cannot be unpacked'],
  ])('is %s', async (_what, request, status, words) => {
    const receiver = await open()
    const answer = await post(receiver, { body: logs, ...request })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe(json)
    expect(JSON.parse(answer.text).message).toStartWith(words)
    expect(receiver.batches).toEqual([])
  })

  test('is told what is possible', async () => {
    const receiver = await open()
    expect((await post(receiver, { method: 'GET' })).headers.get('allow')).toBe('POST')
    const packed = await post(receiver, { body: logs, headers: { 'content-encoding': 'br' } })
    expect(packed.headers.get('accept-encoding')).toBe('identity, gzip, zstd')
  })
})

describe('A body that is too large', () => {
  const limits = { requestBytes: 100_000 }
  const large = Buffer.alloc(100_001, 32)

  test('is refused by its length, before it has come, and the connection goes on', async () => {
    const receiver = await open({ limits })
    const dialogue = await dial(receiver)
    dialogue.write(
      `POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: 100001\r\n\r\n`,
    )
    await until('the answer', () => dialogue.said().includes('is larger than 100000 bytes'))
    expect(dialogue.said()).toStartWith('HTTP/1.1 413 ')
    dialogue.write(large)
    dialogue.write(`POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: 2\r\n\r\n{}`)
    await until('the second answer', () => dialogue.said().includes('HTTP/1.1 200 OK'))
  })

  test('is refused when it has no length', async () => {
    const receiver = await open({ limits })
    const dialogue = await dial(receiver)
    dialogue.write(
      `POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    dialogue.write('186a1\r\n')
    dialogue.write(large)
    await until('the answer', () => dialogue.said().includes('HTTP/1.1 413 '))
  })

  test.each([
    ['gzip', gzipSync(large)],
    ['zstd', zstdCompressSync(large)],
  ])('is refused when %s has made it small', async (name, body) => {
    const receiver = await open({ limits })
    expect(body.length).toBeLessThan(1000)
    const answer = await post(receiver, { body, headers: { 'content-encoding': name } })
    expect(answer.status).toBe(413)
    expect(JSON.parse(answer.text)).toEqual({ code: 8, message: 'the unpacked body is larger than 100000 bytes' })
    expect(receiver.counts().refused).toEqual({ tooLarge: 1 })
  })

  test('is not one of exactly the limit, whether its length is told or not', async () => {
    const receiver = await open({ limits })
    const body = Buffer.concat([Buffer.from('{'), Buffer.alloc(99_998, 32), Buffer.from('}')])
    expect((await post(receiver, { body })).status).toBe(200)
    const dialogue = await dial(receiver)
    dialogue.write(
      `POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ntransfer-encoding: chunked\r\n\r\n`,
    )
    dialogue.write(Buffer.concat([Buffer.from('186a0\r\n'), body, Buffer.from('\r\n0\r\n\r\n')]))
    await until('the answer', () => dialogue.said().includes('HTTP/1.1 200 OK'))
  })
})

describe('Too much at once', () => {
  test('is put off with 429 and a time, until there is room again', async () => {
    const receiver = await open({ limits: { heldRequests: 2 } })
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const held = [post(receiver, { body: logs }), post(receiver, { body: logs })]
    await until('two requests inside', () => receiver.batches.length === 2)
    const answer = await post(receiver, { body: logs })
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(receiver.counts().refused).toEqual({ overloaded: 1 })
    store({ rejected: 0 })
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200])
    expect((await post(receiver, { body: logs })).status).toBe(200)
  })

  test('is counted in bytes as well, packed and unpacked', async () => {
    const receiver = await open({ limits: { heldBytes: logs.length + 10 } })
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const held = post(receiver, { body: logs })
    await until('one request inside', () => receiver.batches.length === 1)
    expect((await post(receiver, { body: logs })).status).toBe(429)
    store({ rejected: 0 })
    expect((await held).status).toBe(200)
    const packed = { body: gzipSync(logs), headers: { 'content-encoding': 'gzip' } }
    expect((await post(receiver, packed)).status).toBe(429)
    expect((await post(receiver, { body: logs })).status).toBe(200)
  })

  test('is what the store says, with 503 and its time in whole seconds', async () => {
    const receiver = await open()
    receiver.verdict = async () => ({ retryAfterMs: 2001 })
    const answer = await post(receiver, { body: logs })
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('3')
    expect(receiver.counts()).toMatchObject({ accepted: { logs: 0 }, refused: { unavailable: 1 } })
  })

  test('is also a store that fails: the sender keeps what it has, and the log says why', async () => {
    const lines: string[] = []
    const receiver = await open({ log: (line) => lines.push(line) })
    receiver.verdict = async () => Promise.reject(new Error('disk on fire'))
    const answer = await post(receiver, { body: logs })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect(lines).toEqual(['receiver: the store failed: disk on fire'])
  })

  test('is a request that does not come to its end', async () => {
    const receiver = await open({ limits: { arrivalMs: 50, heldRequests: 1 } })
    const dialogue = await dial(receiver)
    dialogue.write(`POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: 10\r\n\r\n{`)
    await until('the answer', () => dialogue.said().startsWith('HTTP/1.1 408 '))
    expect((await post(receiver, { body: logs })).status).toBe(200)
  })

  test('is not a sender that went away: its place is free again', async () => {
    const receiver = await open({ limits: { heldRequests: 1 } })
    const dialogue = await dial(receiver)
    dialogue.write(`POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: 10\r\n\r\n{`)
    await until('the place to be taken', async () => (await post(receiver, { body: logs })).status === 429)
    dialogue.end()
    await until('the place to be free', async () => (await post(receiver, { body: logs })).status === 200)
    expect(receiver.counts().refused.cut).toBe(1)
  })
})

describe('A token', () => {
  test.each<[string | undefined, number]>([
    [undefined, 401],
    ['Bearer wrong', 401],
    ['Basic right', 401],
    ['right', 401],
    ['Bearer right', 200],
    ['bearer  right', 200],
  ])('given as %p is answered with %p', async (authorization, status) => {
    const receiver = await open({ token: 'right' })
    const headers = authorization === undefined ? {} : { authorization }
    const answer = await post(receiver, { body: logs, headers })
    expect(answer.status).toBe(status)
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null)
    expect(receiver.batches).toHaveLength(status === 200 ? 1 : 0)
  })
})

describe('A page in a browser of this machine', () => {
  const names = ['localhost:4318', '127.0.0.1', '127.1.2.3:80', '[::1]:4318', 'LOCALHOST']
  const others = [
    'evil.example.com',
    'evil.example.com:4318',
    'localhost.evil.example.com',
    '127.0.0.1.evil.example.com',
  ]

  test.each([...names.map((host) => [host, 200] as const), ...others.map((host) => [host, 421] as const)])(
    'that knows us as %s is answered with %p',
    async (host, status) => {
      const receiver = await open()
      const answer = await post(receiver, { body: logs, headers: { host } })
      expect(answer.status).toBe(status)
      expect(receiver.batches).toHaveLength(status === 200 ? 1 : 0)
      expect(receiver.counts().refused).toEqual(status === 200 ? {} : { foreignName: 1 })
    },
  )

  test.each(['https://evil.example.com', 'http://localhost:8080', 'null'])('of %s may not send', async (origin) => {
    const receiver = await open()
    const answer = await post(receiver, { body: logs, headers: { origin } })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([403, null])
    const asked = await post(receiver, { method: 'OPTIONS', headers: { origin } })
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([405, null])
    expect(receiver.batches).toEqual([])
    expect(receiver.counts().refused).toEqual({ foreignPage: 1, wrongMethod: 1 })
  })

  test('may send by any name when it has the token', async () => {
    const receiver = await open({ token: 'right' })
    const headers = { host: 'hub.example.com', origin: 'https://app.example.com' }
    expect((await post(receiver, { body: logs, headers })).status).toBe(401)
    expect((await post(receiver, { body: logs, headers: { ...headers, authorization: 'Bearer right' } })).status).toBe(
      200,
    )
  })
})

describe('A connection', () => {
  test('carries one request after the other', async () => {
    const receiver = await open()
    const dialogue = await dial(receiver)
    for (let count = 1; count <= 20; count++) {
      dialogue.write(
        `POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${json}\r\ncontent-length: ${logs.length}\r\n\r\n`,
      )
      dialogue.write(logs)
      await until(`answer ${count}`, () => dialogue.said().split('HTTP/1.1 200 OK').length === count + 1)
    }
    expect(dialogue.isClosed()).toBe(false)
    expect(receiver.batches).toHaveLength(20)
  })

  test.each<[string, number]>([
    ['HTTP/1.1\r\nhost: ', 200],
    ['HTTP/1.0\r\nx: y', 200],
    ['HTTP/1.1\r\nhost: a b', 421],
    ['HTTP/1.1\r\nhost: [::1', 421],
  ])('may come with a host that is none: %j is answered with %p', async (words, status) => {
    const receiver = await open()
    const dialogue = await dial(receiver)
    dialogue.write(`POST /v1/logs?a=b ${words}\r\ncontent-type: ${json}\r\ncontent-length: 2\r\n\r\n{}`)
    await until('the answer', () => dialogue.said().includes('\r\n\r\n{'))
    expect(dialogue.said()).toMatch(new RegExp(`^HTTP/1\\.[01] ${status} `))
  })

  test.each([
    'nonsense\r\n\r\n',
    'POST /v1/logs HTTP/1.1\r\ncontent-length: many\r\n\r\n',
    '\u0016\u0003\u0001\r\n\r\n',
  ])('that speaks something else is ended: %j', async (words) => {
    const receiver = await open()
    const dialogue = await dial(receiver)
    dialogue.write(words)
    await until('the end', dialogue.isClosed)
    expect(dialogue.said()).not.toContain(' 500 ')
    expect((await post(receiver, { body: logs })).status).toBe(200)
  })
})
