/** Sessions recorded from the real claude, as a receiver would have decoded what claude-otel sends of them. */
import { readFileSync } from 'node:fs'
import type {
  OtlpAttributes,
  OtlpBatch,
  OtlpLogRecord,
  OtlpSource,
  OtlpSpan,
  OtlpValue,
} from '../../src/telemetry/otlp.ts'
import { playInto, readRecording, runsOf } from '../session/recording.ts'

export interface Recorded {
  readonly spans: readonly OtlpSpan[]
  readonly logs: readonly OtlpLogRecord[]
}

export function recorded(name: string): Promise<Recorded> {
  return playInto(runsOf(readRecording(name)), readRecorded)
}

export function batchesOf({ spans, logs }: Recorded): readonly OtlpBatch[] {
  return [
    { signal: 'logs', logs },
    { signal: 'traces', spans },
  ]
}

type Json = { readonly [key: string]: Json[] } & Readonly<Record<string, unknown>>

function readRecorded(path: string): Recorded {
  const requests = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json)
  return {
    spans: requests.flatMap((request) => itemsOf(request.resourceSpans, 'scopeSpans', 'spans')).map(readSpan),
    logs: requests.flatMap((request) => itemsOf(request.resourceLogs, 'scopeLogs', 'logRecords')).map(readLog),
  }
}

interface Item {
  readonly source: OtlpSource
  readonly item: Readonly<Record<string, unknown>>
}

function itemsOf(resources: readonly Json[] | undefined, scopes: string, items: string): Item[] {
  return (resources ?? []).flatMap((resource) =>
    (resource[scopes] ?? []).flatMap((scope) => {
      const { name = '', version = '' } = scope.scope as { name?: string; version?: string }
      const source = {
        resource: attributesOf((resource.resource as { attributes?: unknown }).attributes),
        scopeName: name,
        scopeVersion: version,
        scopeAttributes: {},
      }
      return ((scope as Json)[items] ?? []).map((item) => ({ source, item }))
    }),
  )
}

function readSpan({ source, item }: Item): OtlpSpan {
  const status = item.status as { code?: number; message?: string } | undefined
  return {
    source,
    traceId: String(item.traceId),
    spanId: String(item.spanId),
    ...(item.parentSpanId ? { parentSpanId: String(item.parentSpanId) } : {}),
    flags: Number(item.flags ?? 0),
    name: String(item.name),
    kind: Number(item.kind),
    startUnixMicro: micros(item.startTimeUnixNano),
    endUnixMicro: micros(item.endTimeUnixNano),
    attributes: attributesOf(item.attributes),
    events: [],
    links: [],
    statusCode: status?.code ?? 0,
    ...(status?.message === undefined ? {} : { statusMessage: status.message }),
  }
}

function readLog({ source, item }: Item): OtlpLogRecord {
  return {
    source,
    timeUnixMicro: micros(item.timeUnixNano),
    observedUnixMicro: micros(item.observedTimeUnixNano),
    severityNumber: Number(item.severityNumber),
    eventName: String(item.eventName),
    body: readValue((item.body ?? {}) as Readonly<Record<string, unknown>>),
    attributes: attributesOf(item.attributes),
    ...(item.traceId ? { traceId: String(item.traceId) } : {}),
    ...(item.spanId ? { spanId: String(item.spanId) } : {}),
  }
}

function attributesOf(list: unknown): OtlpAttributes {
  const entries = (list ?? []) as { key: string; value: Readonly<Record<string, unknown>> }[]
  return Object.fromEntries(entries.map(({ key, value }) => [key, readValue(value)]))
}

function readValue(value: Readonly<Record<string, unknown>>): OtlpValue {
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.arrayValue === undefined)
    return (value.stringValue ?? value.doubleValue ?? value.boolValue ?? null) as OtlpValue
  const { values = [] } = value.arrayValue as { values?: Readonly<Record<string, unknown>>[] }
  return values.map(readValue)
}

function micros(nanos: unknown): number {
  return Number(BigInt(String(nanos)) / 1000n)
}
