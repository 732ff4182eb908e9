/**
 * An OTLP/HTTP receiver for the tests: JSON bodies on loopback, kept as plain objects, and a way to look at them.
 * It can be told to refuse, to hang or to drop the connection, and it counts what it turned away.
 */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import type { Tokens } from './messages-api.ts'

export type Value = string | number | boolean | null | readonly Value[] | { readonly [key: string]: Value }
export type Attributes = Readonly<Record<string, Value>>

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly attributes: Attributes
  readonly status: 'unset' | 'ok' | 'error'
  readonly statusMessage?: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string; readonly attributes: Attributes }[]
  readonly events: readonly { readonly name: string; readonly timeUnixMicro: number; readonly attributes: Attributes }[]
  readonly resource: Attributes
}

export interface LogRecord {
  readonly timeUnixMicro: number
  readonly eventName: string
  readonly severity: string
  readonly body: Value
  readonly traceId: string
  readonly spanId: string
  readonly attributes: Attributes
  readonly resource: Attributes
}

export interface MetricPoint {
  readonly name: string
  readonly unit: string
  readonly kind: 'sum' | 'gauge' | 'histogram'
  /** 1 is delta, 2 is cumulative; a gauge has none. */
  readonly temporality?: number
  /** A histogram's sum. */
  readonly value: number
  /** Set for a histogram only. */
  readonly count?: number
  readonly startUnixMicro: number
  readonly timeUnixMicro: number
  readonly attributes: Attributes
  readonly resource: Attributes
}

/** `refuse` answers 503, `hang` never answers, `close` drops the connection. */
export type SinkMode = 'accept' | 'refuse' | 'hang' | 'close'

export interface OtlpSink {
  readonly url: string
  mode: SinkMode
  spans(): readonly Span[]
  logs(): readonly LogRecord[]
  /** Every point of every export, in the order of arrival. */
  points(): readonly MetricPoint[]
  /** Requests by path, whatever became of them. */
  requests(): Readonly<Record<string, number>>
  /** What makes claude-otel send here. */
  environment(): Record<string, string>
  close(): Promise<void>
}

/** Starts the receiver on a free port of loopback, or on the port given. */
export async function startOtlpSink({ port = 0 }: { readonly port?: number } = {}): Promise<OtlpSink> {
  const spans: Span[] = []
  const logs: LogRecord[] = []
  const points: MetricPoint[] = []
  const requests: Record<string, number> = {}
  const server = createServer((request, response) => void receive(request, response))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? ''
    requests[path] = (requests[path] ?? 0) + 1
    if (sink.mode === 'hang') return
    if (sink.mode === 'close') return void request.socket.destroy()
    if (sink.mode === 'refuse') return respond(response, 503)
    const body = await readJson(request)
    if (path === '/v1/traces') spans.push(...readSpans(body))
    else if (path === '/v1/logs') logs.push(...readLogs(body))
    else if (path === '/v1/metrics') points.push(...readPoints(body))
    else return respond(response, 404)
    respond(response, 200)
  }

  const sink: OtlpSink = {
    url,
    mode: 'accept',
    spans: () => spans,
    logs: () => logs,
    points: () => points,
    requests: () => requests,
    environment: () => ({ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_EXPORTER_OTLP_ENDPOINT: url }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return sink
}

/** Sums the usage of all `chat` spans; `input` leaves cached tokens out, as the API does. */
export function chatTokens(spans: readonly Span[]): Omit<Tokens, 'thinking'> {
  const sum = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 }
  for (const { attributes } of spans.filter((span) => span.name.startsWith('chat '))) {
    sum.input += number(attributes['tokens.input'])
    sum.output += number(attributes['tokens.output'])
    sum.cacheRead += number(attributes['tokens.cache_read'])
    sum.cacheCreation += number(attributes['tokens.cache_creation'])
  }
  return sum
}

/**
 * The last value of every cumulative stream of an instrument and each delta once, as a receiver has them that keys points by stream,
 * start and time; summed by one attribute, or over all as ''.
 */
export function metricTotals(points: readonly MetricPoint[], name: string, by?: string): Record<string, number> {
  const streams = new Map<string, MetricPoint>()
  for (const point of points.filter((candidate) => candidate.name === name)) {
    const run = point.resource['service.instance.id']
    const time = point.temporality === 1 ? point.timeUnixMicro : undefined
    const key = JSON.stringify([run, point.startUnixMicro, time, Object.entries(point.attributes).sort()])
    const last = streams.get(key)
    if (last === undefined || last.timeUnixMicro <= point.timeUnixMicro) streams.set(key, point)
  }
  const totals: Record<string, number> = {}
  for (const point of streams.values()) {
    const group = by === undefined ? '' : String(point.attributes[by])
    totals[group] = (totals[group] ?? 0) + (point.count ?? point.value)
  }
  return totals
}

/** What a tree is drawn from; a store's spans have it too. */
export type TreeSpan = Pick<Span, 'spanId' | 'parentSpanId' | 'name' | 'startUnixMicro' | 'endUnixMicro' | 'status'> & {
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface TreeOptions<S extends TreeSpan = Span> {
  /** Attributes to show after the name, where a span has them. */
  readonly attributes?: readonly string[]
  /** More words for a span, such as its duration. */
  readonly describe?: (span: S) => string
}

/**
 * Spans as an indented tree, one line each: name, chosen attributes, `!` where the status is error.
 * Siblings stand in the order of their start, tool calls that follow one another in the order of their use id,
 * because calls of one message start together. A span whose parent is not there is a root; each trace has its own.
 */
export function renderTree<S extends TreeSpan>(spans: readonly S[], options: TreeOptions<S> = {}): string {
  const known = new Set(spans.map((span) => span.spanId))
  const roots = spans.filter((span) => span.parentSpanId === undefined || !known.has(span.parentSpanId))
  const children = Map.groupBy(spans, (span) => span.parentSpanId)
  const render = (span: S, depth: number): string[] => [
    `${'  '.repeat(depth)}${renderSpan(span, options)}`,
    ...inOrder(children.get(span.spanId) ?? []).flatMap((child) => render(child, depth + 1)),
  ]
  return inOrder(roots)
    .flatMap((span) => render(span, 0))
    .join('\n')
}

function renderSpan<S extends TreeSpan>(span: S, { attributes = [], describe }: TreeOptions<S>): string {
  const shown = attributes
    .filter((key) => key in span.attributes)
    .map((key) => `${key}=${String(span.attributes[key])}`)
  const error = span.status === 'error' ? '!' : ''
  return [span.name, ...shown, describe?.(span) ?? '', error].filter((word) => word !== '').join(' ')
}

function inOrder<S extends TreeSpan>(siblings: readonly S[]): S[] {
  const byStart = [...siblings].sort((a, b) => a.startUnixMicro - b.startUnixMicro || a.endUnixMicro - b.endUnixMicro)
  const groups: S[][] = []
  for (const span of byStart) {
    const group = groups.at(-1)
    if (group !== undefined && isToolCall(span) && group.every(isToolCall)) group.push(span)
    else groups.push([span])
  }
  return groups.flatMap((group) => group.sort((a, b) => useId(a).localeCompare(useId(b))))
}

function isToolCall(span: TreeSpan): boolean {
  return 'tool.use_id' in span.attributes
}

function useId(span: TreeSpan): string {
  return String(span.attributes['tool.use_id'] ?? '')
}

type Json = Readonly<Record<string, unknown>>

function* eachOf(body: Json, resourceKey: string, scopeKey: string, itemKey: string): Generator<[Json, Attributes]> {
  for (const group of objects(body[resourceKey])) {
    const resource = readAttributes(object(group.resource).attributes)
    for (const scope of objects(group[scopeKey])) for (const item of objects(scope[itemKey])) yield [item, resource]
  }
}

function readSpans(body: Json): Span[] {
  return Array.from(eachOf(body, 'resourceSpans', 'scopeSpans', 'spans'), ([span, resource]) => {
    const status = object(span.status)
    return {
      traceId: String(span.traceId),
      spanId: String(span.spanId),
      ...(span.parentSpanId ? { parentSpanId: String(span.parentSpanId) } : {}),
      name: String(span.name),
      kind: number(span.kind),
      startUnixMicro: micro(span.startTimeUnixNano),
      endUnixMicro: micro(span.endTimeUnixNano),
      attributes: readAttributes(span.attributes),
      status: (['unset', 'ok', 'error'] as const)[number(status.code)] ?? 'unset',
      ...(status.message ? { statusMessage: String(status.message) } : {}),
      links: objects(span.links).map((link) => ({
        traceId: String(link.traceId),
        spanId: String(link.spanId),
        attributes: readAttributes(link.attributes),
      })),
      events: objects(span.events).map((event) => ({
        name: String(event.name),
        timeUnixMicro: micro(event.timeUnixNano),
        attributes: readAttributes(event.attributes),
      })),
      resource,
    }
  })
}

function readLogs(body: Json): LogRecord[] {
  return Array.from(eachOf(body, 'resourceLogs', 'scopeLogs', 'logRecords'), ([record, resource]) => ({
    timeUnixMicro: micro(record.timeUnixNano),
    eventName: String(record.eventName ?? ''),
    severity: String(record.severityText ?? ''),
    body: readValue(record.body),
    traceId: String(record.traceId ?? ''),
    spanId: String(record.spanId ?? ''),
    attributes: readAttributes(record.attributes),
    resource,
  }))
}

function readPoints(body: Json): MetricPoint[] {
  return [...eachOf(body, 'resourceMetrics', 'scopeMetrics', 'metrics')].flatMap(([metric, resource]) => {
    const kind = (['sum', 'gauge', 'histogram'] as const).find((candidate) => candidate in metric)
    if (kind === undefined) throw new Error(`a metric of a kind the sink does not know: ${JSON.stringify(metric)}`)
    const data = object(metric[kind])
    return objects(data.dataPoints).map((point) => ({
      name: String(metric.name),
      unit: String(metric.unit ?? ''),
      kind,
      ...(data.aggregationTemporality === undefined ? {} : { temporality: number(data.aggregationTemporality) }),
      value: number(point.asDouble ?? point.asInt ?? point.sum),
      ...(point.count === undefined ? {} : { count: number(point.count) }),
      startUnixMicro: micro(point.startTimeUnixNano),
      timeUnixMicro: micro(point.timeUnixNano),
      attributes: readAttributes(point.attributes),
      resource,
    }))
  })
}

function readAttributes(list: unknown): Attributes {
  return Object.fromEntries(objects(list).map((entry) => [String(entry.key), readValue(entry.value)]))
}

function readValue(value: unknown): Value {
  const any = object(value)
  if (typeof any.stringValue === 'string') return any.stringValue
  if (typeof any.boolValue === 'boolean') return any.boolValue
  if (any.intValue !== undefined) return number(any.intValue)
  if (any.doubleValue !== undefined) return number(any.doubleValue)
  if (any.arrayValue !== undefined) return objects(object(any.arrayValue).values).map(readValue)
  if (any.kvlistValue !== undefined) return readAttributes(object(any.kvlistValue).values)
  return null
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.map(object) : []
}

/** OTLP/JSON writes 64-bit integers as text. */
function number(value: unknown): number {
  return Number(value ?? 0)
}

function micro(unixNano: unknown): number {
  return Number(BigInt(String(unixNano ?? 0)) / 1000n)
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
  return object(JSON.parse(plain.toString()))
}

function respond(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end('{}')
}
