/** Spans for a receiver: as many requests as are wanted, no two spans the same, and who sends them by HTTP or gRPC. */
import { Client, compressionAlgorithms, credentials, Metadata } from '@grpc/grpc-js'
import { encodeProtobuf } from '../test/receiver/messages.ts'

export interface Sender {
  /** Resolves when the receiver has answered that it keeps it; rejects where it does not. */
  send(message: Uint8Array): Promise<void>
  close(): void
}

export function sendByHttp(url: string, type = 'application/x-protobuf', encoding?: string): Sender {
  const headers = { 'content-type': type, ...(encoding === undefined ? {} : { 'content-encoding': encoding }) }
  return {
    async send(body) {
      const response = await fetch(url, { method: 'POST', headers, body })
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      await response.arrayBuffer()
    },
    close: () => {},
  }
}

export function sendByGrpc(port: number, isPacked = false): Sender {
  const options = isPacked ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {}
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options)
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
  const as = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        const done = (error: unknown) => (error === null ? resolve() : reject(error))
        client.makeUnaryRequest(path, as, (bytes) => bytes, message, new Metadata(), done)
      }),
    close: () => client.close(),
  }
}

/** Sends so many requests, so many at a time; gives the milliseconds that each took. */
export async function sendAll(
  { send }: Sender,
  next: () => Uint8Array,
  { requests, atOnce }: { readonly requests: number; readonly atOnce: number },
): Promise<number[]> {
  const times: number[] = []
  let sent = 0
  const sender = async () => {
    while (sent++ < requests) {
      const message = next()
      const sentMs = performance.now()
      await send(message)
      times.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, sender))
  return times
}

/** Spans of tool calls with 15 attributes each, 32 to a trace, 256 to a session. */
export function makeSpans(count: number): readonly { readonly [field: string]: unknown }[] {
  const hex = (number: number, length: number) => number.toString(16).padStart(length, '0')
  return Array.from({ length: count }, (_, index) => {
    const texts = {
      ...{ 'user.id': hex(7, 64), 'session.id': `00000000-c405-4c2c-a542-${hex(index >> 8, 12)}` },
      ...{ model: 'claude-opus-5-5', 'terminal.type': 'xterm-256color', 'gen_ai.provider.name': 'anthropic' },
      ...{ 'span.type': 'tool', tool_name: 'Bash', speed: 'normal', 'gen_ai.operation.name': 'execute_tool' },
      ...{ request_id: `req_${hex(index * 7919, 12)}`, 'prompt.id': hex(index >> 4, 16) },
    }
    const numbers = { input_tokens: index, output_tokens: index * 3, cache_read_tokens: 20_000 + index, attempt: 1 }
    const attributes = [
      ...Object.entries(texts).map(([key, stringValue]) => ({ key, value: { stringValue } })),
      ...Object.entries(numbers).map(([key, value]) => ({ key, value: { intValue: String(value) } })),
    ]
    const startMs = Date.now() - 60_000 + index
    return {
      ...{ traceId: `00000000${hex(1 + (index >> 5), 24)}`, spanId: `00000000${hex(index + 1, 8)}` },
      ...{ parentSpanId: `00000000${hex(1 + (index >> 1), 8)}`, name: 'claude_code.tool', kind: 1, flags: 257 },
      ...{ attributes, status: { code: 1 } },
      ...{ startTimeUnixNano: `${startMs}000000`, endTimeUnixNano: `${startMs + 20}000000` },
    }
  })
}

export function requestOf(spans: readonly object[]): { readonly [field: string]: unknown } {
  const attributes = [{ key: 'service.name', value: { stringValue: 'claude-code' } }]
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: { name: 'load' }, spans }] }] }
}

/** Of the session ids, and of those in bytes: what the first request has there, and each has another. */
const blankText = Buffer.from('00000000-c405')
const blankBytes = Buffer.alloc(4)

/** Requests whose spans are nobody else's, made by writing over the ids of one that was encoded. */
export class UniqueRequests {
  private readonly template: Buffer
  private readonly ids: readonly number[]
  private readonly sessions: readonly number[]
  private count = 0

  /** `perSession` requests belong to the same sessions. */
  constructor(
    readonly spansPerRequest: number,
    private readonly perSession = 10,
  ) {
    this.template = encodeProtobuf('traces', requestOf(makeSpans(spansPerRequest)))
    // The fields of ids: trace of 16 bytes, span and parent of 8.
    const fields = [0x0a10, 0x1208, 0x2208].map((head) => Buffer.from([head >> 8, head & 255, ...blankBytes]))
    this.ids = fields.flatMap((field) => placesOf(this.template, field).map((at) => at + 2))
    this.sessions = placesOf(this.template, blankText)
    if (this.ids.length !== 3 * spansPerRequest || this.sessions.length !== spansPerRequest)
      throw new Error('the encoded spans are not as they were expected')
  }

  readonly next = (): Buffer => {
    const message = Buffer.from(this.template)
    this.count += 1
    const session = Buffer.from(
      scattered(Math.ceil(this.count / this.perSession))
        .toString(16)
        .padStart(8, '0'),
    )
    for (const at of this.ids) message.writeUInt32BE(scattered(this.count), at)
    for (const at of this.sessions) session.copy(message, at)
    return message
  }
}

/** Another for each, and no two neighbours beside one another, as drawn ids are. */
function scattered(number: number): number {
  return Math.imul(number, 0x9e3779b1) >>> 0
}

function placesOf(bytes: Buffer, part: Buffer): number[] {
  const places: number[] = []
  for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + part.length)) places.push(at)
  return places
}
