/** What a collector took, read from OTLP in JSON or protobuf: enough of it to see what is missing or came twice. */

import type { Received } from '../export/collectors.ts'

export interface Content {
  /** By span id, each time that it came. */
  readonly spans: readonly { readonly id: string; readonly name: string }[]
  /** By `log.record.uid`. */
  readonly logs: readonly { readonly id: string; readonly name: string }[]
  /** Cumulative sums as they were last told, over all streams of an instrument. */
  readonly sums: Readonly<Record<string, number>>
}

/** Of requests in the order in which they came. */
export function contentOf(received: readonly Received[]): Content {
  const bodies = received.map(({ type, body }) => ({ type, message: readBody(body) }))
  const of = (type: Received['type']) => bodies.filter((each) => each.type === type).map(({ message }) => message)
  return {
    spans: of('traces').flatMap((message) => message.items.map(({ id, name }) => ({ id, name }))),
    logs: of('logs').flatMap((message) => message.items.map(({ uid, event }) => ({ id: uid, name: event }))),
    sums: lastSums(of('metrics').flatMap((message) => message.points)),
  }
}

interface Point {
  readonly instrument: string
  readonly stream: string
  readonly value: number
}

interface Message {
  readonly items: readonly {
    readonly id: string
    readonly name: string
    readonly uid: string
    readonly event: string
  }[]
  readonly points: readonly Point[]
}

function lastSums(points: readonly Point[]): Record<string, number> {
  const last = new Map(points.map((point) => [`${point.instrument} ${point.stream}`, point]))
  const sums: Record<string, number> = {}
  for (const { instrument, value } of last.values()) sums[instrument] = (sums[instrument] ?? 0) + value
  return sums
}

function readBody(body: Uint8Array): Message {
  const bytes = Buffer.from(body)
  return bytes[0] === 0x7b ? readJson(JSON.parse(bytes.toString())) : readProtobuf(bytes)
}

// JSON.parse gives what it gives; a shape that is not OTLP's fails the test that reads it.
type Json = { readonly [key: string]: Json } & readonly Json[] & string

function readJson(request: Json): Message {
  const [groups = []] = Object.values(request)
  const inner = [...groups].flatMap((group) => [...(group.scopeSpans ?? group.scopeLogs ?? group.scopeMetrics ?? [])])
  const items = inner.flatMap((scope) => [...(scope.spans ?? scope.logRecords ?? [])])
  const metrics = inner.flatMap((scope) => [...(scope.metrics ?? [])])
  const attribute = (item: Json, key: string) =>
    String([...(item.attributes ?? [])].find((each) => each.key === key)?.value?.stringValue ?? '')
  return {
    items: items.map((item) => ({
      id: String(item.spanId),
      name: String(item.name),
      uid: attribute(item, 'log.record.uid'),
      event: String(item.eventName),
    })),
    points: metrics.flatMap((metric) =>
      [...(metric.sum?.dataPoints ?? [])].map((point) => ({
        instrument: String(metric.name),
        stream: JSON.stringify(point.attributes),
        value: Number(point.asDouble ?? point.asInt),
      })),
    ),
  }
}

/** Export…ServiceRequest {1: Resource… {2: Scope… {2: Span, LogRecord or Metric}}}: all three are alike down to there. */
function readProtobuf(request: Buffer): Message {
  const scopes = all(request, 1).flatMap((group) => all(group, 2))
  const items = scopes.flatMap((scope) => all(scope, 2))
  return {
    items: items.map((item) => ({
      id: (all(item, 2)[0] ?? Buffer.alloc(0)).toString('hex'),
      name: String(all(item, 5)[0] ?? ''),
      uid: attributeOf(item, 6, 'log.record.uid'),
      event: String(all(item, 12)[0] ?? ''),
    })),
    points: items.flatMap((metric) =>
      all(metric, 7).flatMap((sum) =>
        all(sum, 1).map((point) => ({
          instrument: String(all(metric, 1)[0]),
          stream: all(point, 7)
            .map((each) => each.toString('hex'))
            .join(' '),
          value: all(point, 4)[0]?.readDoubleLE() ?? Number(all(point, 6)[0]?.readBigInt64LE() ?? 0n),
        })),
      ),
    ),
  }
}

/** KeyValue {1: key, 2: AnyValue {1: text}}. */
function attributeOf(item: Buffer, field: number, key: string): string {
  const found = all(item, field).find((each) => String(all(each, 1)[0]) === key)
  return String(all(all(found ?? Buffer.alloc(0), 2)[0] ?? Buffer.alloc(0), 1)[0] ?? '')
}

/** Every value of a field that has a length or a fixed size; what is no message at all has none. */
function all(message: Buffer, wanted: number): Buffer[] {
  const found: Buffer[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; at < message.length; factor *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 127) * factor
      if (byte < 128) break
    }
    return value
  }
  while (at < message.length) {
    const key = varint()
    const size = { 0: 0, 1: 8, 2: -1, 5: 4 }[key & 7]
    if (size === undefined) return []
    if (size === 0) varint()
    else {
      const length = size === -1 ? varint() : size
      if (key >> 3 === wanted) found.push(message.subarray(at, at + length))
      at += length
    }
  }
  return found
}
