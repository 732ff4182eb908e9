/**
 * Between OTLP as plain data and rows of ClickHouse. The columns are those that the Collector writes, all texts; what was told beyond
 * that, with its types, goes beside them as it is. What a Collector wrote is read from the columns, numbers by how they look. Pure.
 */
import type {
  OtlpAttributes,
  OtlpLogRecord,
  OtlpPoint,
  OtlpSource,
  OtlpSpan,
  OtlpTemporality,
  OtlpValue,
} from '../telemetry/otlp.ts'
import type { UsageRecord } from '../usage/record.ts'

type TextMap = Readonly<Record<string, string>>

const kinds = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer']
const statuses = ['Unset', 'Ok', 'Error']
const temporalities: readonly OtlpTemporality[] = ['unspecified', 'delta', 'cumulative']

export function spanColumns(span: OtlpSpan): object {
  const { source, events, links } = span
  return {
    Timestamp: timeText(span.startUnixMicro),
    TraceId: span.traceId,
    SpanId: span.spanId,
    ParentSpanId: span.parentSpanId ?? '',
    TraceState: span.traceState ?? '',
    SpanName: span.name,
    SpanKind: kinds[span.kind] ?? 'Unspecified',
    ...sourceColumns(source),
    SpanAttributes: textsOf(span.attributes),
    Duration: Math.max(0, span.endUnixMicro - span.startUnixMicro) * 1000,
    StatusCode: statuses[span.statusCode] ?? 'Unset',
    StatusMessage: span.statusMessage ?? '',
    'Events.Timestamp': events.map(({ timeUnixMicro }) => timeText(timeUnixMicro)),
    'Events.Name': events.map(({ name }) => name),
    'Events.Attributes': events.map(({ attributes }) => textsOf(attributes)),
    'Links.TraceId': links.map(({ traceId }) => traceId),
    'Links.SpanId': links.map(({ spanId }) => spanId),
    'Links.TraceState': links.map(() => ''),
    'Links.Attributes': links.map(({ attributes }) => textsOf(attributes)),
    Original: JSON.stringify(span),
  }
}

export function logColumns(log: OtlpLogRecord): object {
  const { source, body } = log
  return {
    Timestamp: timeText(log.timeUnixMicro === 0 ? log.observedUnixMicro : log.timeUnixMicro),
    TraceId: log.traceId ?? '',
    SpanId: log.spanId ?? '',
    SeverityText: log.severityText ?? '',
    SeverityNumber: Math.max(0, Math.min(log.severityNumber, 255)),
    ...sourceColumns(source),
    ScopeAttributes: textsOf(source.scopeAttributes),
    Body: body === undefined ? '' : textOf(body),
    LogAttributes: textsOf(log.attributes),
    EventName: log.eventName ?? '',
    Original: JSON.stringify(log),
  }
}

export function pointColumns(point: OtlpPoint): object {
  return {
    ...sourceColumns(point.source),
    ScopeAttributes: textsOf(point.source.scopeAttributes),
    MetricName: point.name,
    MetricDescription: point.description,
    MetricUnit: point.unit,
    Attributes: textsOf(point.attributes),
    StartTimeUnix: timeText(point.startUnixMicro),
    TimeUnix: timeText(point.timeUnixMicro),
    Flags: point.isAbsent ? 1 : 0,
    ...numberColumns(point),
    Original: JSON.stringify(point),
  }
}

/** A request that a transcript tells of. */
export function requestColumns(record: UsageRecord): object {
  return {
    SessionId: record.sessionId,
    Source: record.source,
    Id: record.id,
    Time: timeText(record.timeUnixMicro),
    Model: record.model,
    QuerySource: record.querySource ?? '',
    AgentName: record.agentName ?? '',
    InputTokens: record.inputTokens,
    OutputTokens: record.outputTokens,
    CacheReadTokens: record.cacheReadTokens,
    CacheCreationTokens: record.cacheCreationTokens,
    CacheCreation1hTokens: record.cacheCreation1hTokens ?? 0,
    Speed: record.speed ?? '',
    CostUsd: record.costUsd,
    DurationMs: record.durationMs ?? 0,
    Repository: record.repository ?? '',
  }
}

function sourceColumns({ resource, scopeName, scopeVersion }: OtlpSource): object {
  return {
    ServiceName: textOf(resource['service.name'] ?? ''),
    ResourceAttributes: textsOf(resource),
    ScopeName: scopeName,
    ScopeVersion: scopeVersion,
  }
}

function numberColumns(point: OtlpPoint): object {
  switch (point.type) {
    case 'gauge':
      return { Value: finite(point.value) }
    case 'sum':
      return { Value: finite(point.value), ...temporalityColumn(point.temporality), IsMonotonic: point.isMonotonic }
    case 'summary':
      return {
        Count: counted(point.count),
        Sum: finite(point.sum),
        'ValueAtQuantiles.Quantile': point.quantiles.map(({ quantile }) => quantile),
        'ValueAtQuantiles.Value': point.quantiles.map(({ value }) => finite(value)),
      }
    case 'histogram':
      return {
        ...statisticColumns(point),
        BucketCounts: point.bucketCounts.map(counted),
        ExplicitBounds: point.bounds,
      }
    case 'exponential_histogram':
      return {
        ...statisticColumns(point),
        Scale: point.scale,
        ZeroCount: counted(point.zeroCount),
        PositiveOffset: point.positive.offset,
        PositiveBucketCounts: point.positive.bucketCounts.map(counted),
        NegativeOffset: point.negative.offset,
        NegativeBucketCounts: point.negative.bucketCounts.map(counted),
      }
  }
}

type Histogram = Extract<OtlpPoint, { type: 'histogram' | 'exponential_histogram' }>

function statisticColumns({ count, sum = 0, min = 0, max = 0, temporality }: Histogram): object {
  return {
    Count: counted(count),
    Sum: finite(sum),
    Min: finite(min),
    Max: finite(max),
    ...temporalityColumn(temporality),
  }
}

function temporalityColumn(temporality: OtlpTemporality): object {
  return { AggregationTemporality: temporalities.indexOf(temporality) }
}

/** Of 64 bits, and without an exponent. */
function counted(count: number): number {
  return Math.max(0, Math.min(count, 2 ** 63))
}

/** JSON has no other numbers. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : 0
}

function textsOf(attributes: OtlpAttributes): TextMap {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, textOf(value)]))
}

function textOf(value: OtlpValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** In the year 2262, where ClickHouse's nanoseconds end. */
const lastUnixMicro = 2 ** 63 / 1000 - 1_000_000

/** To the microsecond, in UTC; a time that ClickHouse cannot say is the next that it can. */
export function timeText(unixMicro: number): string {
  const micro = Math.floor(Math.max(0, Math.min(unixMicro, lastUnixMicro)))
  const rest = String(micro % 1_000_000).padStart(6, '0')
  return `${new Date(Math.floor(micro / 1000)).toISOString().slice(0, 19)}.${rest}Z`
}

/** What is read of a row, by whatever table; times in microseconds. */
export interface SpanRow {
  readonly Original: string
  readonly TraceId: string
  readonly SpanId: string
  readonly ParentSpanId: string
  readonly TraceState: string
  readonly SpanName: string
  readonly SpanKind: string
  readonly ResourceAttributes: TextMap
  readonly ScopeName: string
  readonly ScopeVersion: string
  readonly SpanAttributes: TextMap
  readonly StatusCode: string
  readonly StatusMessage: string
  readonly start: number
  readonly end: number
  readonly events: readonly (readonly [number, string, TextMap])[]
  readonly links: readonly (readonly [string, string, TextMap])[]
}

export const spanSelection = `Original, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ResourceAttributes, ScopeName,
  ScopeVersion, SpanAttributes, StatusCode, StatusMessage, toUnixTimestamp64Micro(Timestamp) AS start,
  intDiv(toUnixTimestamp64Nano(Timestamp) + Duration, 1000) AS end,
  arrayMap((time, name, each) -> (toUnixTimestamp64Micro(time), name, each), Events.Timestamp, Events.Name, Events.Attributes) AS events,
  arrayMap((trace, span, each) -> (trace, span, each), Links.TraceId, Links.SpanId, Links.Attributes) AS links`

export function readSpan(row: SpanRow): OtlpSpan {
  if (row.Original !== '') return JSON.parse(row.Original)
  return {
    source: readSource(row),
    traceId: row.TraceId,
    spanId: row.SpanId,
    ...(row.ParentSpanId === '' ? {} : { parentSpanId: row.ParentSpanId }),
    ...(row.TraceState === '' ? {} : { traceState: row.TraceState }),
    flags: 0,
    name: row.SpanName,
    kind: Math.max(0, kinds.indexOf(row.SpanKind)),
    startUnixMicro: row.start,
    endUnixMicro: row.end,
    attributes: valuesOf(row.SpanAttributes),
    events: row.events.map(([timeUnixMicro, name, attributes]) => ({
      timeUnixMicro,
      name,
      attributes: valuesOf(attributes),
    })),
    links: row.links.map(([traceId, spanId, attributes]) => ({ traceId, spanId, attributes: valuesOf(attributes) })),
    statusCode: Math.max(0, statuses.indexOf(row.StatusCode)),
    ...(row.StatusMessage === '' ? {} : { statusMessage: row.StatusMessage }),
  }
}

export interface LogRow {
  readonly Original: string
  readonly TraceId: string
  readonly SpanId: string
  readonly SeverityText: string
  readonly SeverityNumber: number
  readonly ResourceAttributes: TextMap
  readonly ScopeName: string
  readonly ScopeVersion: string
  readonly ScopeAttributes: TextMap
  readonly Body: string
  readonly LogAttributes: TextMap
  readonly EventName: string
  readonly time: number
}

export const logSelection = `Original, TraceId, SpanId, SeverityText, SeverityNumber, ResourceAttributes, ScopeName, ScopeVersion,
  ScopeAttributes, Body, LogAttributes, EventName, toUnixTimestamp64Micro(Timestamp) AS time`

export function readLog(row: LogRow): OtlpLogRecord {
  if (row.Original !== '') {
    const log: OtlpLogRecord = JSON.parse(row.Original)
    return { ...log, timeUnixMicro: log.timeUnixMicro === 0 ? log.observedUnixMicro : log.timeUnixMicro }
  }
  return {
    source: readSource(row),
    timeUnixMicro: row.time,
    observedUnixMicro: row.time,
    severityNumber: row.SeverityNumber,
    ...(row.SeverityText === '' ? {} : { severityText: row.SeverityText }),
    ...(row.EventName === '' ? {} : { eventName: row.EventName }),
    ...(row.Body === '' ? {} : { body: row.Body }),
    attributes: valuesOf(row.LogAttributes),
    ...(row.TraceId === '' ? {} : { traceId: row.TraceId }),
    ...(row.SpanId === '' ? {} : { spanId: row.SpanId }),
  }
}

interface SourceRow {
  readonly ResourceAttributes: TextMap
  readonly ScopeName: string
  readonly ScopeVersion: string
  readonly ScopeAttributes?: TextMap
}

/** Of what the hub wrote. JSON has no NaN, and null in its place. */
export function readPoint(original: string): OtlpPoint {
  const point = JSON.parse(original)
  return point.value === null ? { ...point, value: Number.NaN } : point
}

function readSource({ ResourceAttributes, ScopeName, ScopeVersion, ScopeAttributes = {} }: SourceRow): OtlpSource {
  return {
    resource: valuesOf(ResourceAttributes),
    scopeName: ScopeName,
    scopeVersion: ScopeVersion,
    scopeAttributes: valuesOf(ScopeAttributes),
  }
}

function valuesOf(texts: TextMap): OtlpAttributes {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, typedValue(name, text)]))
}

/** Ids and versions can look like numbers. */
const wordNames = /(?:^|[._])(?:id|uid|version|name|revision|preview)$/

function typedValue(name: string, text: string): OtlpValue {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^-?(?:0|[1-9]\d{0,14})(?:\.\d+)?$/.test(text)) return wordNames.test(name) ? text : Number(text)
  if (!/^(?:\[.*\]|\{.*\})$/s.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
