/** Between OTLP as plain data and rows of the SQLite store. Pure; the order of attributes is that of their arrival. */
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
import { type SessionFacts, sessionIdOf } from './session-facts.ts'

/** `id` says where the rest of it is: see blocks.ts. */
export interface SpanRow {
  readonly id: number
  readonly trace_id: string
  readonly span_id: string
  readonly session_id: string | null
  readonly start_time: number
  readonly end_time: number
  readonly source: number
}

export interface LogRow {
  readonly id: number
  readonly hash: bigint
  readonly time: number
  readonly session_id: string | null
  readonly source: number
}

export interface SeriesRow {
  readonly hash: bigint
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly type: string
  readonly temporality: string
  readonly is_monotonic: number
  readonly session_id: string | null
  readonly attributes: string
  readonly source: number
}

export interface PointRow {
  readonly start_time: number
  readonly time: number
  readonly value: number | null
  readonly count: number | null
  readonly detail: string | null
}

export interface SourceRow {
  readonly hash: bigint
  readonly service: string
  readonly resource: string
  readonly scope_name: string
  readonly scope_version: string
  readonly scope_attributes: string
}

export function sourceRow({ resource, scopeName, scopeVersion, scopeAttributes }: OtlpSource): SourceRow {
  return {
    hash: hashOf([sorted(resource), scopeName, scopeVersion, sorted(scopeAttributes)]),
    service: String(resource['service.name'] ?? ''),
    resource: JSON.stringify(resource),
    scope_name: scopeName,
    scope_version: scopeVersion,
    scope_attributes: JSON.stringify(scopeAttributes),
  }
}

export function readSource(row: Omit<SourceRow, 'hash' | 'service'>): OtlpSource {
  return {
    resource: JSON.parse(row.resource),
    scopeName: row.scope_name,
    scopeVersion: row.scope_version,
    scopeAttributes: JSON.parse(row.scope_attributes),
  }
}

export interface SessionRow {
  readonly id: string
  readonly first_time: number
  readonly last_time: number
  readonly conversation_id: string | null
  readonly trace_id: string | null
  readonly source: string | null
  readonly cwd: string | null
  readonly repository: string | null
  readonly branch: string | null
  readonly user: string | null
  readonly model: string | null
  readonly version: string | null
  readonly title: string | null
  readonly end_time: number | null
  readonly end_reason: string | null
}

export function sessionRow(facts: SessionFacts): SessionRow {
  return {
    id: facts.id,
    first_time: facts.firstTime,
    last_time: facts.lastTime,
    conversation_id: facts.conversationId ?? null,
    trace_id: facts.traceId ?? null,
    source: facts.source ?? null,
    cwd: facts.cwd ?? null,
    repository: facts.repository ?? null,
    branch: facts.branch ?? null,
    user: facts.user ?? null,
    model: facts.model ?? null,
    version: facts.version ?? null,
    title: facts.title ?? null,
    end_time: facts.endTime ?? null,
    end_reason: facts.endReason ?? null,
  }
}

export function readSession(row: SessionRow): SessionFacts {
  const facts = {
    id: row.id,
    firstTime: row.first_time,
    lastTime: row.last_time,
    conversationId: row.conversation_id,
    traceId: row.trace_id,
    source: row.source,
    cwd: row.cwd,
    repository: row.repository,
    branch: row.branch,
    user: row.user,
    model: row.model,
    version: row.version,
    title: row.title,
    endTime: row.end_time,
    endReason: row.end_reason,
  }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== null)) as unknown as SessionFacts
}

export function spanRow(span: OtlpSpan, id: number, source: number): SpanRow {
  return {
    id,
    trace_id: span.traceId,
    span_id: span.spanId,
    session_id: sessionOf(span.attributes),
    start_time: span.startUnixMicro,
    end_time: span.endUnixMicro,
    source,
  }
}

export function logRow(log: OtlpLogRecord, id: number, source: number): LogRow {
  const { timeUnixMicro, observedUnixMicro, attributes, traceId, spanId, body, eventName } = log
  const uid = attributes['log.record.uid']
  const identity = uid ?? [timeUnixMicro, observedUnixMicro, eventName, body, attributes, traceId, spanId]
  return { id, hash: hashOf([identity, source]), time: timeOf(log), session_id: sessionOf(attributes), source }
}

/** Of a record that tells no time of its own, when it was seen. */
export function timeOf({ timeUnixMicro, observedUnixMicro }: OtlpLogRecord): number {
  return timeUnixMicro === 0 ? observedUnixMicro : timeUnixMicro
}

type PackedSpan = Omit<OtlpSpan, 'source' | 'traceId' | 'spanId' | 'startUnixMicro' | 'endUnixMicro'>

/** What of a span goes into its block: all that its row does not say. */
export function packSpan(span: OtlpSpan): PackedSpan {
  const { source: _, traceId: __, spanId: ___, startUnixMicro: ____, endUnixMicro: _____, ...rest } = span
  return rest
}

/** `packed` is what `packSpan` gave. */
export function readSpan(row: SpanRow, packed: object, source: OtlpSource): OtlpSpan {
  const { trace_id: traceId, span_id: spanId, start_time: startUnixMicro, end_time: endUnixMicro } = row
  return { source, traceId, spanId, startUnixMicro, endUnixMicro, ...(packed as PackedSpan) }
}

type PackedLog = Omit<OtlpLogRecord, 'source' | 'timeUnixMicro'>

export function packLog(log: OtlpLogRecord): PackedLog {
  const { source: _, timeUnixMicro: __, ...rest } = log
  return rest
}

/** `packed` is what `packLog` gave. */
export function readLog(row: LogRow, packed: object, source: OtlpSource): OtlpLogRecord {
  return { source, timeUnixMicro: row.time, ...(packed as PackedLog) }
}

/** Its identity is what the metric is called, what kind it is, and its attributes in whatever order. */
export function seriesRow(point: OtlpPoint, source: number): SeriesRow {
  const { name, unit, description, type, attributes } = point
  const temporality = 'temporality' in point ? point.temporality : ''
  const isMonotonic = type === 'sum' && point.isMonotonic ? 1 : 0
  return {
    hash: hashOf([source, name, unit, type, temporality, isMonotonic, sorted(attributes)]),
    name,
    unit,
    description,
    type,
    temporality,
    is_monotonic: isMonotonic,
    session_id: sessionOf(attributes),
    attributes: JSON.stringify(attributes),
    source,
  }
}

export function pointRow(point: OtlpPoint): PointRow {
  const { startUnixMicro, timeUnixMicro, isAbsent, exemplars } = point
  const { value, count, ...more } = numbersOf(point)
  const detail = { ...more, ...(isAbsent ? { isAbsent } : {}), ...(exemplars.length === 0 ? {} : { exemplars }) }
  return {
    start_time: startUnixMicro,
    time: timeUnixMicro,
    value: value ?? null,
    count: count ?? null,
    detail: Object.keys(detail).length === 0 ? null : JSON.stringify(detail),
  }
}

interface Numbers {
  readonly value?: number | undefined
  readonly count?: number | undefined
  readonly [more: string]: unknown
}

function numbersOf(point: OtlpPoint): Numbers {
  switch (point.type) {
    case 'gauge':
    case 'sum':
      return { value: point.value }
    case 'histogram': {
      const { count, sum, min, max, bounds, bucketCounts } = point
      return { value: sum, count, min, max, bounds, bucketCounts }
    }
    case 'exponential_histogram': {
      const { count, sum, min, max, scale, zeroCount, zeroThreshold, positive, negative } = point
      return { value: sum, count, min, max, scale, zeroCount, zeroThreshold, positive, negative }
    }
    case 'summary':
      return { value: point.sum, count: point.count, quantiles: point.quantiles }
  }
}

export function readPoint(series: SeriesRow, row: PointRow, source: OtlpSource): OtlpPoint {
  const detail = row.detail === null ? {} : JSON.parse(row.detail)
  const isNumber = series.type === 'gauge' || series.type === 'sum'
  const point = {
    source,
    type: series.type,
    name: series.name,
    unit: series.unit,
    description: series.description,
    attributes: JSON.parse(series.attributes),
    startUnixMicro: row.start_time,
    timeUnixMicro: row.time,
    isAbsent: false,
    exemplars: [],
    ...(series.temporality === '' ? {} : { temporality: series.temporality as OtlpTemporality }),
    ...(series.type === 'sum' ? { isMonotonic: series.is_monotonic === 1 } : {}),
    // SQLite has no NaN, and keeps nothing in its place.
    ...(isNumber ? { value: row.value ?? Number.NaN } : row.value === null ? {} : { sum: row.value }),
    ...(row.count === null ? {} : { count: row.count }),
    ...detail,
  }
  // Written by pointRow and seriesRow from a point of this type.
  return point as OtlpPoint
}

function sessionOf(attributes: OtlpAttributes): string | null {
  return sessionIdOf(attributes) ?? null
}

/** 64 bits, as SQLite's integers are. */
function hashOf(identity: readonly unknown[]): bigint {
  return BigInt.asIntN(64, BigInt(Bun.hash(JSON.stringify(identity))))
}

function sorted(attributes: OtlpAttributes): readonly (readonly [string, OtlpValue])[] {
  return Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))
}

export interface RecordRow {
  readonly id: string
  readonly source: UsageRecord['source']
  readonly time: number
  readonly session_id: string
  readonly orchestration_id: string
  readonly model: string
  readonly input: number
  readonly output: number
  readonly cache_read: number
  readonly cache_creation: number
  readonly query_source: string | null
  readonly repository: string | null
  readonly detail: string | null
}

/** All of a record but its price, which is found anew. */
export function readRecord(row: RecordRow): UsageRecord {
  return {
    ...(row.detail === null ? {} : JSON.parse(row.detail)),
    id: row.id,
    source: row.source,
    timeUnixMicro: row.time,
    sessionId: row.session_id,
    orchestrationId: row.orchestration_id,
    model: row.model,
    inputTokens: row.input,
    outputTokens: row.output,
    cacheReadTokens: row.cache_read,
    cacheCreationTokens: row.cache_creation,
    ...(row.query_source === null ? {} : { querySource: row.query_source }),
    ...(row.repository === null ? {} : { repository: row.repository }),
    costUsd: null,
  }
}
