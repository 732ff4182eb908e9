/** Loopback OTLP servers that behave as they are told: one for HTTP and one for gRPC, alike for the contract suite. */

import * as grpc from '@grpc/grpc-js'
import type { Protocol } from '../../src/config/config.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'

export type Behaviour = 'accept' | 'partial' | 'overloaded' | 'bad' | 'broken' | 'tooLarge' | 'hang' | 'cut'

export interface Received {
  readonly type: SignalType
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
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
      received.push({ type, path: pathname, headers: request.headers.toJSON(), body })
      const partial = JSON.stringify({ partialSuccess: { [refused[type]]: '3', errorMessage: 'too old' } })
      const answers: Record<Behaviour, () => Response | Promise<Response>> = {
        accept: () => new Response(),
        partial: () => new Response(protocol === 'http/json' ? partial : new Uint8Array(partialAnswer)),
        overloaded: () => new Response('', { status: 503, headers: { 'retry-after': '7' } }),
        bad: () => Response.json({ message: 'no such field' }, { status: 400 }),
        broken: () => new Response('', { status: 500 }),
        tooLarge: () => new Response('', { status: 413 }),
        hang: () => new Promise<Response>(() => {}),
        cut: () => {
          server.stop(true)
          return new Response()
        },
      }
      return answers[next()]()
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
      received.push({ type, path, headers, body: request })
      const fail = (code: grpc.status, details: string, more = new grpc.Metadata()) =>
        answer({ code, details, metadata: more })
      const wait = new grpc.Metadata()
      wait.set('grpc-status-details-bin', retryInfo)
      const answers: Record<Behaviour, () => void> = {
        accept: () => answer(null, Buffer.alloc(0)),
        partial: () => answer(null, partialAnswer),
        overloaded: () => fail(grpc.status.UNAVAILABLE, 'busy', wait),
        bad: () => fail(grpc.status.INVALID_ARGUMENT, 'no such field'),
        broken: () => fail(grpc.status.INTERNAL, 'broken'),
        tooLarge: () => fail(grpc.status.RESOURCE_EXHAUSTED, 'message too large'),
        hang: () => {},
        cut: () => server.forceShutdown(),
      }
      answers[next()]()
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
    let rest = value
    while (rest > 127) {
      bytes.push((rest % 128) | 128)
      rest = Math.floor(rest / 128)
    }
    return Buffer.from([...bytes, rest])
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
