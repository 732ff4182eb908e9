/**
 * The tables that the Collector's exporter writes: its columns by name and type, what we compute of them, and our keys, by which what
 * is sent twice becomes one row.
 */
import { map, moment, text, word } from './clickhouse-columns.ts'

const exemplars = `Exemplars Nested (
    FilteredAttributes Map(LowCardinality(String), String),
    TimeUnix DateTime64(9),
    Value Float64,
    SpanId String,
    TraceId String
  ) CODEC(ZSTD(1))`

/** What the hub was told, with its types; empty in what a Collector wrote, and preferred where both have told the same. */
const original = `Original String CODEC(ZSTD(3)),
  HasOriginal UInt8 MATERIALIZED Original != ''`

export const traces = `CREATE TABLE IF NOT EXISTS otel_traces (
  Timestamp ${moment},
  TraceId ${text},
  SpanId ${text},
  ParentSpanId ${text},
  TraceState ${text},
  SpanName ${word},
  SpanKind ${word},
  ServiceName ${word},
  ResourceAttributes ${map},
  ScopeName ${text},
  ScopeVersion ${text},
  SpanAttributes ${map},
  Duration UInt64 CODEC(ZSTD(1)),
  StatusCode ${word},
  StatusMessage ${text},
  Events Nested (
    Timestamp DateTime64(9),
    Name LowCardinality(String),
    Attributes Map(LowCardinality(String), String)
  ) CODEC(ZSTD(1)),
  Links Nested (
    TraceId String,
    SpanId String,
    TraceState String,
    Attributes Map(LowCardinality(String), String)
  ) CODEC(ZSTD(1)),
  ${original},
  SessionId String MATERIALIZED SpanAttributes['session.id'] CODEC(ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_time Timestamp TYPE minmax GRANULARITY 1,
  INDEX idx_name SpanName TYPE set(256) GRANULARITY 4,
  INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(HasOriginal)
PARTITION BY toDate(Timestamp)
ORDER BY (SessionId, Timestamp, TraceId, SpanId)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`

export const logs = `CREATE TABLE IF NOT EXISTS otel_logs (
  Timestamp ${moment},
  TraceId ${text},
  SpanId ${text},
  TraceFlags UInt8,
  SeverityText ${word},
  SeverityNumber UInt8,
  ServiceName ${word},
  Body ${text},
  ResourceSchemaUrl ${word},
  ResourceAttributes ${map},
  ScopeSchemaUrl ${word},
  ScopeName ${text},
  ScopeVersion ${word},
  ScopeAttributes ${map},
  LogAttributes ${map},
  -- Left out by a Collector that could not ask for the columns when it began.
  EventName String DEFAULT LogAttributes['event.name'] CODEC(ZSTD(1)),
  ${original},
  SessionId String MATERIALIZED LogAttributes['session.id'] CODEC(ZSTD(1)),
  -- Its own id, or that of its words: one that is sent again is the same, by another sender too, in whatever order it has them.
  RecordId String MATERIALIZED if(LogAttributes['log.record.uid'] != '', LogAttributes['log.record.uid'],
    hex(sipHash128(Timestamp, TraceId, SpanId, if(EventName != '', EventName, LogAttributes['event.name']), Body,
      mapSort(LogAttributes), mapSort(ResourceAttributes)))) CODEC(ZSTD(1)),
  INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX idx_time Timestamp TYPE minmax GRANULARITY 1,
  INDEX idx_event EventName TYPE set(256) GRANULARITY 4,
  INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8
) ENGINE = ReplacingMergeTree(HasOriginal)
PARTITION BY toDate(Timestamp)
ORDER BY (SessionId, Timestamp, RecordId)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`

/** What each kind of metric has of its own. */
const metricColumns = {
  gauge: ['Value Float64 CODEC(ZSTD(1))', exemplars],
  sum: [
    'Value Float64 CODEC(ZSTD(1))',
    exemplars,
    'AggregationTemporality Int32 CODEC(ZSTD(1))',
    'IsMonotonic Boolean CODEC(Delta, ZSTD(1))',
  ],
  summary: [
    'Count UInt64 CODEC(Delta, ZSTD(1))',
    'Sum Float64 CODEC(ZSTD(1))',
    'ValueAtQuantiles Nested (Quantile Float64, Value Float64) CODEC(ZSTD(1))',
  ],
  histogram: [
    'Count UInt64 CODEC(Delta, ZSTD(1))',
    'Sum Float64 CODEC(ZSTD(1))',
    'BucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'ExplicitBounds Array(Float64) CODEC(ZSTD(1))',
    exemplars,
    'Min Float64 CODEC(ZSTD(1))',
    'Max Float64 CODEC(ZSTD(1))',
    'AggregationTemporality Int32 CODEC(ZSTD(1))',
  ],
  exponential_histogram: [
    'Count UInt64 CODEC(Delta, ZSTD(1))',
    'Sum Float64 CODEC(ZSTD(1))',
    'Scale Int32 CODEC(ZSTD(1))',
    'ZeroCount UInt64 CODEC(ZSTD(1))',
    'PositiveOffset Int32 CODEC(ZSTD(1))',
    'PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    'NegativeOffset Int32 CODEC(ZSTD(1))',
    'NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1))',
    exemplars,
    'Min Float64 CODEC(ZSTD(1))',
    'Max Float64 CODEC(ZSTD(1))',
    'AggregationTemporality Int32 CODEC(ZSTD(1))',
  ],
} as const

export type MetricTable = keyof typeof metricColumns

/** Each kind of metric has a table of its own, as the Collector writes them. */
export const metricTables = Object.keys(metricColumns) as readonly MetricTable[]

export function metricTable(kind: MetricTable): string {
  return `CREATE TABLE IF NOT EXISTS otel_metrics_${kind} (
  ResourceAttributes ${map},
  ResourceSchemaUrl ${text},
  ScopeName ${text},
  ScopeVersion ${text},
  ScopeAttributes ${map},
  ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
  ScopeSchemaUrl ${text},
  ServiceName ${word},
  MetricName ${word},
  MetricDescription ${text},
  MetricUnit ${text},
  Attributes ${map},
  StartTimeUnix ${moment},
  TimeUnix ${moment},
  Flags UInt32 CODEC(ZSTD(1)),
  ${metricColumns[kind].join(',\n  ')},
  ${original},
  SessionId String MATERIALIZED if(Attributes['session.id'] != '', Attributes['session.id'], ResourceAttributes['session.id'])
    CODEC(ZSTD(1)),
  SeriesId UInt64 MATERIALIZED cityHash64(mapSort(ResourceAttributes), ScopeName, MetricName, MetricUnit, mapSort(Attributes)),
  INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
  INDEX idx_session SessionId TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = ReplacingMergeTree(HasOriginal)
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, SeriesId, StartTimeUnix, TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1`
}

export const traceTimes = `CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts (
  TraceId ${text},
  Start SimpleAggregateFunction(min, DateTime) CODEC(Delta, ZSTD(1)),
  End SimpleAggregateFunction(max, DateTime) CODEC(Delta, ZSTD(1))
) ENGINE = AggregatingMergeTree
ORDER BY TraceId`

export const traceTimesView = `CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT TraceId, toDateTime(min(Timestamp)) AS Start, toDateTime(max(Timestamp)) AS End
FROM otel_traces WHERE TraceId != '' GROUP BY TraceId`
