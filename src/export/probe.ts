/**
 * Whether a destination would take what we send, tried out now: an empty OTLP request, or a test span, log record and measurement,
 * by the exporters that sessions use. And what stands behind a failure, as far as it can be seen from here.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { emptyResource } from '@opentelemetry/resources'
import { describeError } from '../base/errors.ts'
import type { Config, Destination, OtlpTarget } from '../config/config.ts'
import { showText } from '../config/kinds.ts'
import { signalTypes } from '../config/settings.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { type Outcome, openExporter, type Payloads } from './exporter.ts'

export interface Probe {
  /** Its name. */
  readonly destination: string
  readonly signal: SignalType
  /** A URL without credentials, or a path. */
  readonly place: string
  readonly ms: number
  readonly status: Outcome['status']
  readonly reason?: string
  /** What to do about it. */
  readonly hint?: string
}

export interface ProbeOptions {
  /** Of all together: they are tried at the same time. */
  readonly timeoutMs: number
  /** What to send to it; empty requests when absent. */
  readonly payloads?: (destination: Destination) => Promise<Payloads>
}

/** One probe per destination and kind of signal. Never rejects, and takes little longer than the time that is given. */
export async function probeDestinations(config: Config, options: ProbeOptions): Promise<Probe[]> {
  if (config.disabled) return []
  const probes = signalTypes.flatMap((type) =>
    config.signals[type].destinations.map((destination) => probe(type, destination, config, options)),
  )
  return await Promise.all(probes)
}

async function probe(
  signal: SignalType,
  destination: Destination,
  config: Config,
  { timeoutMs, payloads }: ProbeOptions,
): Promise<Probe> {
  const began = performance.now()
  const deadline = AbortSignal.timeout(timeoutMs)
  const outcome =
    destination.kind === 'otlp' || payloads !== undefined
      ? await send(signal, destination, config, (await payloads?.(destination)) ?? nothing, deadline)
      : look(destination)
  const ms = Math.round(performance.now() - began)
  const found = { destination: destination.name, signal, place: placeOf(destination), ms, status: outcome.status }
  const reason = 'reason' in outcome && outcome.reason !== undefined ? { reason: outcome.reason } : {}
  if (outcome.status === 'accepted') return { ...found, ...reason }
  const seen = destination.kind === 'otlp' ? await mendOf(destination.target, timeoutMs) : undefined
  const hint = seen ?? ('hint' in outcome ? outcome.hint : undefined)
  return { ...found, ...reason, ...(hint === undefined ? {} : { hint }) }
}

const nothing: Payloads = { traces: [], logs: [], metrics: { resource: emptyResource(), scopeMetrics: [] } }

async function send<T extends SignalType>(
  type: T,
  destination: Destination,
  { signals }: Config,
  payloads: Payloads,
  deadline: AbortSignal,
): Promise<Outcome> {
  try {
    const exporter = await openExporter(type, destination, signals[type].batch)
    const outcome = await exporter.send(payloads[type], deadline)
    exporter.close()
    return outcome
  } catch (error) {
    return { status: 'held', reason: describeError(error), hint: 'check the files of this destination' }
  }
}

/** What is not sent anywhere is only looked at. */
function look(destination: Destination): Outcome {
  if (destination.kind !== 'file') return { status: 'accepted' }
  try {
    const place = existing(destination.path)
    accessSync(place, constants.W_OK)
    const isFolder = statSync(place).isDirectory()
    if (isFolder !== (place === destination.path)) return { status: 'accepted' }
    return { status: 'held', reason: `${place} is ${isFolder ? '' : 'not '}a folder`, hint: 'give another path' }
  } catch (error) {
    return { status: 'held', reason: describeError(error), hint: 'give a path that can be written to' }
  }
}

function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path))
}

function placeOf(destination: Destination): string {
  if (destination.kind === 'otlp') return showText(destination.target.url)
  return destination.kind === 'file' ? destination.path : 'stderr'
}

/** What is wrong with protocol or TLS, by what the other side says when it is spoken to; undefined when nothing is. */
async function mendOf({ url, protocol }: OtlpTarget, timeoutMs: number): Promise<string | undefined> {
  const { protocol: scheme, hostname, port } = new URL(url)
  const isTls = scheme === 'https:'
  const heard = await listen(hostname.replace(/^\[|\]$/g, ''), Number(port) || (isTls ? 443 : 80), timeoutMs)
  if (heard === 'tls') return isTls ? undefined : 'it wants TLS: begin the endpoint with https://'
  if (heard === undefined) return undefined
  if (isTls) return 'it speaks without TLS: begin the endpoint with http://'
  if (heard === 'http2' && protocol !== 'grpc') return 'it speaks gRPC: set the protocol to grpc'
  if (heard === 'http1' && protocol === 'grpc') return 'it speaks HTTP and not gRPC: set the protocol to http/protobuf'
  return undefined
}

/** How HTTP/2 begins: a server of HTTP/1 calls it a bad request, one of TLS sends an alert. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1')
const settingsFrame = 4
const tlsAlert = 0x15

/** What listens at the port; undefined when nobody does, or says nothing that can be told. */
async function listen(
  hostname: string,
  port: number,
  timeoutMs: number,
): Promise<'http1' | 'http2' | 'tls' | undefined> {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>()
  const timer = setTimeout(() => resolve(undefined), timeoutMs)
  const socket = await Bun.connect({
    hostname,
    port,
    socket: {
      open: (opened) => void opened.write(preface),
      data: (_, bytes) => resolve(bytes),
      close: () => resolve(undefined),
      error: () => resolve(undefined),
    },
  }).catch(() => undefined)
  const answer = socket === undefined ? undefined : await promise
  clearTimeout(timer)
  socket?.end()
  if (answer?.subarray(0, 5).toString('latin1') === 'HTTP/') return 'http1'
  if (answer?.[0] === tlsAlert) return 'tls'
  return answer?.[3] === settingsFrame ? 'http2' : undefined
}

/** How far the clock of the server is ahead of ours, in milliseconds, by the date of an answer; undefined without one. */
export async function clockSkew(
  { url, protocol, headers }: OtlpTarget,
  timeoutMs: number,
): Promise<number | undefined> {
  if (protocol === 'grpc') return undefined
  const isJson = protocol === 'http/json'
  const began = Date.now()
  try {
    // An empty request of OTLP; one who does not know us answers with a date too.
    const type = { 'content-type': isJson ? 'application/json' : 'application/x-protobuf' }
    const request = { method: 'POST', headers: { ...headers, ...type }, body: isJson ? '{}' : '' }
    const response = await fetch(url, { ...request, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
    const told = Date.parse(response.headers.get('date') ?? '')
    return Number.isNaN(told) ? undefined : told - Math.round((began + Date.now()) / 2)
  } catch {
    return undefined
  }
}
