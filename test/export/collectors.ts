/** Loopback OTLP servers that behave as they are told: one for HTTP and one for gRPC, alike for the contract suite. */

import * as grpc from '@grpc/grpc-js'
import type { Protocol } from '../../src/config/config.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'

export type Behaviour =
  | 'accept'
  | 'slow'
  | 'partial'
  | 'overloaded'
  | 'throttled'
  | 'unauthorized'
  | 'forbidden'
  | 'moved'
  | 'missing'
  | 'bad'
  | 'broken'
  | 'tooLarge'
  | 'hang'
  | 'cut'

/** How long a slow collector takes for each answer. */
const slowMs = 300

export interface Received {
  readonly type: SignalType
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  /** What it did with it. */
  readonly behaviour: Behaviour
}

export interface Collector {
  readonly url: string
  readonly received: Received[]
  /** What it does with every request from now on; one after the other for a list, the last for all that follow. */
  behave(...behaviours: Behaviour[]): void
  stop(): void
}

const types = ['traces', 'logs', 'metrics'] as const

/** An Export…ServiceResponse that says: 3 records refused, "too old". */
const partialAnswer = Buffer.concat([Buffer.from([0x0a, 11, 0x08, 3, 0x12, 7]), Buffer.from('too old')])
/** A google.rpc.Status with a RetryInfo of 7.5 seconds. */
const retryInfo = retryStatus(7, 500_000_000)

/** A server's key and certificate, and the authority that its clients must show one of. */
export interface TlsMaterial {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

export async function startCollector(protocol: Protocol, port = 0, tls?: TlsMaterial): Promise<Collector> {
  return protocol === 'grpc' ? startGrpc(port, tls) : startHttp(protocol, port, tls)
}

function script() {
  let behaviours: Behaviour[] = ['accept']
  return {
    behave: (...next: Behaviour[]) => {
      behaviours = next
    },
    next: (): Behaviour => (behaviours.length > 1 ? behaviours.shift() : behaviours[0]) ?? 'accept',
  }
}

function startHttp(protocol: Protocol, port: number, tls?: TlsMaterial): Collector {
  const received: Received[] = []
  const { behave, next } = script()
  const refused = { traces: 'rejectedSpans', logs: 'rejectedLogRecords', metrics: 'rejectedDataPoints' }
  const server = Bun.serve({
    port,
    hostname: '127.0.0.1',
    ...(tls === undefined ? {} : { tls: { ...tls, requestCert: true, rejectUnauthorized: true } }),
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const type = types.find((each) => pathname.endsWith(each)) ?? 'traces'
      const raw = new Uint8Array(await request.arrayBuffer())
      const body = request.headers.get('content-encoding') === 'gzip' ? Bun.gunzipSync(raw) : raw
      const behaviour = next()
      received.push({ type, path: pathname, headers: request.headers.toJSON(), body, behaviour })
      const partial = JSON.stringify({ partialSuccess: { [refused[type]]: '3', errorMessage: 'too old' } })
      const answers: Record<Behaviour, () => Response | Promise<Response>> = {
        accept: () => new Response(),
        slow: () => Bun.sleep(slowMs).then(() => new Response()),
        partial: () => new Response(protocol === 'http/json' ? partial : new Uint8Array(partialAnswer)),
        overloaded: () => new Response('', { status: 503, headers: { 'retry-after': '7' } }),
        throttled: () => new Response('', { status: 429, headers: { 'retry-after': '1' } }),
        unauthorized: () => new Response('who are you?', { status: 401, headers: { 'content-type': 'text/plain' } }),
        forbidden: () => new Response('', { status: 403 }),
        moved: () => new Response('', { status: 308, headers: { location: 'https://elsewhere.example/' } }),
        missing: () => new Response('', { status: 404 }),
        bad: () => Response.json({ message: 'no such field' }, { status: 400 }),
        broken: () => new Response('', { status: 500 }),
        tooLarge: () => new Response('', { status: 413 }),
        hang: () => new Promise<Response>(() => {}),
        cut: () => {
          server.stop(true)
          return new Response()
        },
      }
      return answers[behaviour]()
    },
  })
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${server.port}`,
    received,
    behave,
    stop: () => server.stop(true),
  }
}

async function startGrpc(port: number, tls?: TlsMaterial): Promise<Collector> {
  const received: Received[] = []
  const { behave, next } = script()
  const server = new grpc.Server()
  const as = (message: Buffer) => message
  const codecs = { requestSerialize: as, requestDeserialize: as, responseSerialize: as, responseDeserialize: as }
  for (const [type, service] of [
    ['traces', 'trace.v1.TraceService'],
    ['logs', 'logs.v1.LogsService'],
    ['metrics', 'metrics.v1.MetricsService'],
  ] as const) {
    const path = `/opentelemetry.proto.collector.${service}/Export`
    const definition = { Export: { path, requestStream: false, responseStream: false, ...codecs } } as const
    const Export: grpc.handleUnaryCall<Buffer, Buffer> = ({ request, metadata }, answer) => {
      const headers = Object.fromEntries(Object.entries(metadata.getMap()).map(([key, value]) => [key, String(value)]))
      const behaviour = next()
      received.push({ type, path, headers, body: request, behaviour })
      const fail = (code: grpc.status, details: string, more = new grpc.Metadata()) =>
        answer({ code, details, metadata: more })
      const wait = new grpc.Metadata()
      wait.set('grpc-status-details-bin', retryInfo)
      const soon = new grpc.Metadata()
      soon.set('grpc-status-details-bin', retryStatus(1, 0))
      const answers: Record<Behaviour, () => void> = {
        accept: () => answer(null, Buffer.alloc(0)),
        slow: () => void setTimeout(() => answer(null, Buffer.alloc(0)), slowMs),
        partial: () => answer(null, partialAnswer),
        overloaded: () => fail(grpc.status.UNAVAILABLE, 'busy', wait),
        throttled: () => fail(grpc.status.RESOURCE_EXHAUSTED, 'too many requests', soon),
        unauthorized: () => fail(grpc.status.UNAUTHENTICATED, 'who are you?'),
        forbidden: () => fail(grpc.status.PERMISSION_DENIED, 'not you'),
        moved: () => fail(grpc.status.PERMISSION_DENIED, 'moved'),
        missing: () => fail(grpc.status.UNIMPLEMENTED, 'no such service'),
        bad: () => fail(grpc.status.INVALID_ARGUMENT, 'no such field'),
        broken: () => fail(grpc.status.INTERNAL, 'broken'),
        tooLarge: () => fail(grpc.status.RESOURCE_EXHAUSTED, 'message too large'),
        hang: () => {},
        cut: () => server.forceShutdown(),
      }
      answers[behaviour]()
    }
    server.addService(definition, { Export })
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, grpcCredentials(tls), (error, at) => (error ? reject(error) : resolve(at)))
  })
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${bound}`,
    received,
    behave,
    stop: () => server.forceShutdown(),
  }
}

function grpcCredentials(tls?: TlsMaterial): grpc.ServerCredentials {
  if (tls === undefined) return grpc.ServerCredentials.createInsecure()
  const pair = { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }
  return grpc.ServerCredentials.createSsl(Buffer.from(tls.ca), [pair], true)
}

export function retryStatus(seconds: number, nanos: number): Buffer {
  const field = (number: number, content: Buffer) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])
  const varint = (number: number, value: number) => {
    const bytes = [number << 3]
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest > 127n) {
      bytes.push(Number(rest & 127n) | 128)
      rest >>= 7n
    }
    return Buffer.from([...bytes, Number(rest)])
  }
  const duration = Buffer.concat([varint(1, seconds), varint(2, nanos)])
  const any = Buffer.concat([
    field(1, Buffer.from('type.googleapis.com/google.rpc.RetryInfo')),
    field(2, field(1, duration)),
  ])
  return Buffer.concat([varint(1, 14), field(2, Buffer.from('busy')), field(3, any)])
}

/** A port of this machine where nobody listens. */
export function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { port } = server
  server.stop(true)
  return Number(port)
}
