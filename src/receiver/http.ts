/**
 * OTLP over HTTP: `POST /v1/traces`, `/v1/logs` and `/v1/metrics` in protobuf or JSON, plain, gzip or zstd, answered as the protocol
 * says. What the headers tell is refused before the body is read; the server passes over the rest of it, so that the connection stays.
 */

import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describeError } from '../base/errors.ts'
import { isLoopback } from '../base/loopback.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { type Encoding, type Refusal, refusalCodes, renderRefusal, renderTaken, type Taken } from './answers.ts'
import type { Intake, Place } from './intake.ts'

export interface HttpServer {
  readonly port: number
  /** Takes no more connections and answers what is there; cuts what is left when `signal` says so. */
  close(signal: AbortSignal): Promise<void>
}

const signalOfPath: { readonly [path: string]: SignalType } = {
  '/v1/traces': 'traces',
  '/v1/logs': 'logs',
  '/v1/metrics': 'metrics',
}

const encodingOfType: { readonly [type: string]: Encoding } = {
  'application/x-protobuf': 'protobuf',
  'application/protobuf': 'protobuf',
  'application/json': 'json',
}

const contentTypes: { readonly [E in Encoding]: string } = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

type Unpack = (body: Uint8Array, options: { maxOutputLength: number }) => Uint8Array

const unpackers: { readonly [name: string]: Unpack } = {
  identity: (body) => body,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
}

/** Senders keep their connection from one export to the next, mostly a minute; this is the longest the server knows. */
const idleSeconds = 255

/** Starts to listen. Throws what the system says of a port that cannot be had. */
export function startHttp(host: string, port: number, intake: Intake): HttpServer {
  const server = Bun.serve({
    hostname: host,
    port,
    idleTimeout: idleSeconds,
    // Ours is the answer to what is too large, in the sender's encoding.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request) => receive(request, intake),
    // A bug of ours: the sender keeps what it has.
    error: () => new Response(null, { status: 503, headers: { 'retry-after': '5' } }),
  })
  return {
    port: Number(server.port),
    async close(signal) {
      const cut = () => void server.stop(true)
      signal.addEventListener('abort', cut, { once: true })
      await server.stop(signal.aborted)
      signal.removeEventListener('abort', cut)
    },
  }
}

/** What a request is, as its headers tell. */
interface Head {
  readonly signal: SignalType
  readonly encoding: Encoding
  readonly unpack: Unpack
  /** Of the body, where it is told. */
  readonly length: number | undefined
}

async function receive(request: Request, intake: Intake): Promise<Response> {
  const encoding = encodingOf(request) ?? 'json'
  const head = readHead(request, intake)
  if ('refused' in head) return respondRefused(encoding, head)
  const place = intake.enter()
  if (place === undefined) return respondRefused(encoding, intake.refuseOverload())
  try {
    const body = await readBody(request, head, place, intake)
    const answer = 'refused' in body ? body : await intake.take(head.signal, encoding, body)
    return 'refused' in answer ? respondRefused(encoding, answer) : respondTaken(head, answer)
  } finally {
    place.leave()
  }
}

function readHead(request: Request, intake: Intake): Head | Refusal {
  const path = pathOf(request.url)
  const signal = Object.hasOwn(signalOfPath, path) ? signalOfPath[path] : undefined
  if (signal === undefined) return intake.refuse('notFound', `nothing is at ${path}; use ${Object.keys(signalOfPath)}`)
  if (request.method !== 'POST') return intake.refuse('wrongMethod', `${request.method} is not possible here; use POST`)
  const { headers } = request
  const foreign = intake.hasToken ? undefined : refuseForeign(headers, intake)
  if (foreign !== undefined) return foreign
  if (!intake.isAuthorized(headers.get('authorization') ?? undefined)) return intake.refuseUnauthorized()
  const encoding = encodingOf(request)
  if (encoding === undefined) {
    const type = headers.get('content-type') ?? 'none'
    return intake.refuse('unsupported', `content-type is ${type}; use application/x-protobuf or application/json`)
  }
  const packing = (headers.get('content-encoding') ?? 'identity').trim().toLowerCase()
  const unpack = Object.hasOwn(unpackers, packing) ? unpackers[packing] : undefined
  if (unpack === undefined) {
    return intake.refuse('unsupported', `content-encoding is ${packing}; use ${Object.keys(unpackers).join(', ')}`)
  }
  const length = headers.get('content-length')
  const head = { signal, encoding, unpack, length: length === null ? undefined : Number(length) }
  return (head.length ?? 0) > intake.limits.requestBytes ? intake.refuseSize('the body') : head
}

/**
 * Where no token is asked for, a page in a browser of this machine must not write here: not by a request of its own, which tells its
 * Origin, and not by a name of its site that it has made to point at us. Others than browsers may leave out the name.
 */
function refuseForeign(headers: Headers, intake: Intake): Refusal | undefined {
  const origin = headers.get('origin')
  if (origin !== null) return intake.refuse('foreignPage', `a page of ${origin} may not send here`)
  const name = (headers.get('host') ?? '').replace(/:\d*$/, '')
  if (name === '' || isLoopback(name)) return undefined
  return intake.refuse(
    'foreignName',
    `${name} is no name of the receiver: send to localhost, or set a token for the hub`,
  )
}

/** Not by URL, which throws where a client has named no host or a strange one. */
function pathOf(url: string): string {
  const path = url.replace(/^\w+:\/\/[^/?#]*/, '')
  return path.replace(/[?#].*$/, '')
}

function encodingOf(request: Request): Encoding | undefined {
  const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return Object.hasOwn(encodingOfType, type) ? encodingOfType[type] : undefined
}

/** The whole body, unpacked. */
async function readBody(
  request: Request,
  { length, unpack }: Head,
  place: Place,
  intake: Intake,
): Promise<Uint8Array | Refusal> {
  if (!place.hold(length ?? 0)) return intake.refuseOverload()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<Refusal>((resolve) => {
    timer = setTimeout(() => resolve(intake.refuseSlow()), intake.limits.arrivalMs)
  })
  try {
    const packed = await Promise.race([late, length === undefined ? gather(request, place, intake) : request.bytes()])
    return 'refused' in packed ? packed : unpackBody(packed, unpack, place, intake)
  } catch (error) {
    // The sender is gone, or what it sends is no HTTP: nobody reads the answer.
    return intake.refuse('cut', `the body cannot be read: ${describeError(error)}`)
  } finally {
    clearTimeout(timer)
  }
}

/** A body of unknown length: no more of it than may be. */
async function gather(request: Request, place: Place, intake: Intake): Promise<Uint8Array | Refusal> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    chunks.push(chunk)
    size += chunk.length
    if (size > intake.limits.requestBytes) return intake.refuseSize('the body')
    if (!place.hold(chunk.length)) return intake.refuseOverload()
  }
  return Buffer.concat(chunks)
}

function unpackBody(packed: Uint8Array, unpack: Unpack, place: Place, intake: Intake): Uint8Array | Refusal {
  try {
    const body = unpack(packed, { maxOutputLength: intake.limits.requestBytes })
    return body === packed || place.hold(body.length) ? body : intake.refuseOverload()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      return intake.refuseSize('the unpacked body')
    }
    return intake.refuse('malformed', `the body cannot be unpacked: ${describeError(error)}`)
  }
}

function respondTaken({ signal, encoding }: Head, taken: Taken): Response {
  const headers = { 'content-type': contentTypes[encoding] }
  return new Response(renderTaken(signal, encoding, taken), { headers })
}

function respondRefused(encoding: Encoding, refusal: Refusal): Response {
  const { refused, retryAfterMs } = refusal
  const headers = {
    'content-type': contentTypes[encoding],
    ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) }),
    ...(refused === 'unauthorized' ? { 'www-authenticate': 'Bearer' } : {}),
    ...(refused === 'wrongMethod' ? { allow: 'POST' } : {}),
    ...(refused === 'unsupported' ? { 'accept-encoding': Object.keys(unpackers).join(', ') } : {}),
  }
  return new Response(renderRefusal(encoding, refusal), { status: refusalCodes[refused].http, headers })
}
