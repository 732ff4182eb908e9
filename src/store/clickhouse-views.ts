/** What is read from signals as they arrive, into narrow tables with one row each, and the views that sum those up when they are asked. */
import { moment, text } from './clickhouse-columns.ts'

/** One row for each request that was answered, per teller: spans of ours, events of Claude Code's own, transcripts. */
export const requests = `CREATE TABLE IF NOT EXISTS claude_requests (
  SessionId ${text},
  Source LowCardinality(String),
  Id ${text},
  Time DateTime64(6) CODEC(Delta(8), ZSTD(1)),
  TraceId ${text},
  SpanId ${text},
  Model LowCardinality(String),
  QuerySource LowCardinality(String),
  AgentName LowCardinality(String),
  InputTokens UInt64 CODEC(T64, ZSTD(1)),
  OutputTokens UInt64 CODEC(T64, ZSTD(1)),
  CacheReadTokens UInt64 CODEC(T64, ZSTD(1)),
  CacheCreationTokens UInt64 CODEC(T64, ZSTD(1)),
  CacheCreation1hTokens UInt64 CODEC(T64, ZSTD(1)),
  Speed LowCardinality(String),
  CostUsd Nullable(Float64) CODEC(ZSTD(1)),
  DurationMs Float64 CODEC(ZSTD(1)),
  -- Of a transcript, whose session nobody else may tell of.
  Repository LowCardinality(String),
  INDEX idx_time Time TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(Time)
ORDER BY (SessionId, Source, Id)
SETTINGS ttl_only_drop_parts = 1`

export const requestsFromTraces = `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_requests_from_traces TO claude_requests AS
SELECT
  SpanAttributes['session.id'] AS SessionId,
  'wrapper' AS Source,
  if(SpanAttributes['gen_ai.response.id'] != '', SpanAttributes['gen_ai.response.id'], concat(TraceId, SpanId)) AS Id,
  toDateTime64(Timestamp + toIntervalNanosecond(Duration), 6) AS Time,
  TraceId,
  SpanId,
  multiIf(SpanAttributes['gen_ai.response.model'] != '', SpanAttributes['gen_ai.response.model'],
    SpanAttributes['gen_ai.request.model'] != '', SpanAttributes['gen_ai.request.model'], 'unknown') AS Model,
  SpanAttributes['claude.query_source'] AS QuerySource,
  if(SpanAttributes['gen_ai.agent.id'] = '', '', SpanAttributes['gen_ai.agent.name']) AS AgentName,
  toUInt64OrZero(SpanAttributes['tokens.input']) AS InputTokens,
  toUInt64OrZero(SpanAttributes['tokens.output']) AS OutputTokens,
  toUInt64OrZero(SpanAttributes['tokens.cache_read']) AS CacheReadTokens,
  toUInt64OrZero(SpanAttributes['tokens.cache_creation']) AS CacheCreationTokens,
  toUInt64OrZero(SpanAttributes['tokens.cache_creation_1h']) AS CacheCreation1hTokens,
  SpanAttributes['claude.speed'] AS Speed,
  CAST(NULL, 'Nullable(Float64)') AS CostUsd,
  Duration / 1e6 AS DurationMs
FROM otel_traces
WHERE ScopeName = 'claude-otel' AND SpanAttributes['gen_ai.operation.name'] = 'chat'
  AND mapContains(SpanAttributes, 'tokens.input')`

export const requestsFromLogs = `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_requests_from_logs TO claude_requests AS
SELECT
  LogAttributes['session.id'] AS SessionId,
  'events' AS Source,
  hex(sipHash128(LogAttributes['request_id'], LogAttributes['event.sequence'],
    if(LogAttributes['event.timestamp'] != '', LogAttributes['event.timestamp'], toString(Timestamp)))) AS Id,
  toDateTime64(Timestamp, 6) AS Time,
  TraceId,
  SpanId,
  if(LogAttributes['model'] != '', LogAttributes['model'], 'unknown') AS Model,
  multiIf(LogAttributes['query_source'] = 'sdk' OR startsWith(LogAttributes['query_source'], 'repl_main_thread'), 'main',
    startsWith(LogAttributes['query_source'], 'agent:'), 'subagent',
    LogAttributes['query_source'] = '', '', 'auxiliary') AS QuerySource,
  LogAttributes['agent.name'] AS AgentName,
  toUInt64OrZero(LogAttributes['input_tokens']) AS InputTokens,
  toUInt64OrZero(LogAttributes['output_tokens']) AS OutputTokens,
  toUInt64OrZero(LogAttributes['cache_read_tokens']) AS CacheReadTokens,
  toUInt64OrZero(LogAttributes['cache_creation_tokens']) AS CacheCreationTokens,
  toUInt64OrZero(LogAttributes['cache_creation_1h_tokens']) AS CacheCreation1hTokens,
  LogAttributes['speed'] AS Speed,
  toFloat64OrNull(LogAttributes['cost_usd']) AS CostUsd,
  toFloat64OrZero(LogAttributes['duration_ms']) AS DurationMs
FROM otel_logs
WHERE startsWith(ScopeName, 'com.anthropic.claude_code')
  AND multiIf(EventName != '', EventName, LogAttributes['event.name'] != '', LogAttributes['event.name'], Body)
    IN ('api_request', 'claude_code.api_request')`

export const toolCalls = `CREATE TABLE IF NOT EXISTS claude_tool_calls (
  SessionId ${text},
  Time DateTime64(6) CODEC(Delta(8), ZSTD(1)),
  TraceId ${text},
  SpanId ${text},
  Tool LowCardinality(String),
  Status LowCardinality(String),
  ErrorType LowCardinality(String),
  DurationMs Float64 CODEC(ZSTD(1)),
  PermissionWaitMs Float64 CODEC(ZSTD(1)),
  INDEX idx_time Time TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(Time)
ORDER BY (SessionId, Time, TraceId, SpanId)
SETTINGS ttl_only_drop_parts = 1`

export const toolCallsFromTraces = `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_tool_calls_from_traces TO claude_tool_calls AS
SELECT
  SpanAttributes['session.id'] AS SessionId,
  toDateTime64(Timestamp, 6) AS Time,
  TraceId,
  SpanId,
  SpanAttributes['gen_ai.tool.name'] AS Tool,
  SpanAttributes['tool.status'] AS Status,
  SpanAttributes['error.type'] AS ErrorType,
  if(SpanAttributes['duration_ms'] != '', toFloat64OrZero(SpanAttributes['duration_ms']), Duration / 1e6) AS DurationMs,
  toFloat64OrZero(SpanAttributes['permission_wait_ms']) AS PermissionWaitMs
FROM otel_traces
WHERE ScopeName = 'claude-otel' AND SpanAttributes['gen_ai.operation.name'] = 'execute_tool'`

/** Transcript files whose usage is known, as they were then. */
export const transcriptFiles = `CREATE TABLE IF NOT EXISTS claude_transcript_files (
  Path String,
  Bytes UInt64,
  ChangedMs Float64,
  Time DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY Path`

/** Small things that a hub knows after a restart. */
export const marks = `CREATE TABLE IF NOT EXISTS claude_marks (
  Key String,
  Time DateTime64(6),
  Value String
) ENGINE = ReplacingMergeTree(Time) ORDER BY Key`

/**
 * Points of Claude Code's two counters of usage. A stream is a metric with its points' attributes and its start; the resource is no
 * part of it, since one point may come by two roads.
 */
export const usagePoints = `CREATE TABLE IF NOT EXISTS claude_usage_points (
  SessionId ${text},
  Stream UInt128,
  IsDelta Bool,
  Start ${moment},
  Time ${moment},
  Kind LowCardinality(String),
  Model LowCardinality(String),
  QuerySource LowCardinality(String),
  Value SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(Time)
ORDER BY (SessionId, Stream, IsDelta, Start, Time, Kind, Model, QuerySource)
SETTINGS ttl_only_drop_parts = 1`

export const usagePointsFromMetrics = `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_usage_points_from_metrics TO claude_usage_points AS
SELECT
  if(Attributes['session.id'] = '', 'unknown', Attributes['session.id']) AS SessionId,
  reinterpretAsUInt128(sipHash128(MetricName, mapSort(Attributes))) AS Stream,
  AggregationTemporality = 1 AS IsDelta,
  StartTimeUnix AS Start,
  TimeUnix AS Time,
  if(MetricName = 'claude_code.cost.usage', 'cost', Attributes['type']) AS Kind,
  if(Attributes['model'] = '', 'unknown', Attributes['model']) AS Model,
  Attributes['query_source'] AS QuerySource,
  Value
FROM otel_metrics_sum
WHERE IsMonotonic AND AggregationTemporality IN (1, 2) AND bitAnd(Flags, 1) = 0 AND isFinite(Value) AND Value >= 0
  AND (MetricName = 'claude_code.cost.usage' OR MetricName = 'claude_code.token.usage'
    AND Attributes['type'] IN ('input', 'output', 'cacheRead', 'cacheCreation'))`

/** Everything that any teller says of usage; of metrics what each point adds to the one before, in the order of time. */
export const usageRecords = `CREATE VIEW IF NOT EXISTS claude_usage_records AS
SELECT
  if(SessionId = '', 'unknown', SessionId) AS SessionId, CAST(Source, 'String') AS Source, toDateTime64(Time, 6) AS Time,
  CAST(Model, 'String') AS Model, CAST(QuerySource, 'String') AS QuerySource,
  -- Of an answer that was cut short a span tells what its message did not; that is no request of its own.
  toUInt64(InputTokens + CacheReadTokens + CacheCreationTokens > 0) AS Requests,
  InputTokens, OutputTokens, CacheReadTokens, CacheCreationTokens, CacheCreation1hTokens, CAST(Speed, 'String') AS Speed, CostUsd, CAST(Repository, 'String') AS Repository
FROM claude_requests FINAL
UNION ALL
SELECT
  SessionId, 'metrics' AS Source, toDateTime64(Time, 6) AS Time, CAST(Model, 'String') AS Model,
  CAST(QuerySource, 'String') AS QuerySource, toUInt64(0) AS Requests,
  if(Kind = 'input', toUInt64(Step), 0) AS InputTokens,
  if(Kind = 'output', toUInt64(Step), 0) AS OutputTokens,
  if(Kind = 'cacheRead', toUInt64(Step), 0) AS CacheReadTokens,
  if(Kind = 'cacheCreation', toUInt64(Step), 0) AS CacheCreationTokens,
  toUInt64(0) AS CacheCreation1hTokens, '' AS Speed, if(Kind = 'cost', Step, NULL) AS CostUsd, '' AS Repository
FROM (
  SELECT *,
    lagInFrame(Value, 1, -1) OVER (
      PARTITION BY SessionId, Stream, IsDelta, Start ORDER BY Time ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS Before,
    -- The first value of a stream that does not say when it began is where it stands; one that falls has begun anew.
    multiIf(IsDelta, Value, Before < 0, if(Start = 0, 0, Value), Value < Before, Value, Value - Before) AS Step
  FROM claude_usage_points FINAL
)
WHERE Step > 0`

/** Of each session only the teller that knows the most. None counts anything twice, and they are never added. */
export const usage = `CREATE VIEW IF NOT EXISTS claude_usage AS
SELECT * FROM claude_usage_records
WHERE (SessionId, Source) IN (
  SELECT SessionId, argMax(Source, (Tokens, indexOf(['transcript', 'events', 'wrapper', 'metrics'], Source))) FROM (
    SELECT SessionId, Source, sum(InputTokens + OutputTokens + CacheReadTokens + CacheCreationTokens) AS Tokens
    FROM claude_usage_records GROUP BY SessionId, Source
  ) GROUP BY SessionId
)`

export const usageHourly = `CREATE VIEW IF NOT EXISTS claude_usage_hourly AS
SELECT
  toStartOfHour(Time) AS Hour,
  SessionId,
  Model,
  sum(Requests) AS Requests,
  sum(InputTokens) AS InputTokens,
  sum(OutputTokens) AS OutputTokens,
  sum(CacheReadTokens) AS CacheReadTokens,
  sum(CacheCreationTokens) AS CacheCreationTokens
FROM claude_usage GROUP BY Hour, SessionId, Model`

/** What each export of a counter of costs adds; of a session that two tell of, the one that says more. */
export const costs = `CREATE VIEW IF NOT EXISTS claude_costs AS
WITH increments AS (
  SELECT
    TimeUnix AS Time,
    SessionId,
    MetricName,
    if(Attributes['gen_ai.request.model'] != '', Attributes['gen_ai.request.model'], Attributes['model']) AS Model,
    lagInFrame(Value, 1, 0) OVER (
      PARTITION BY SeriesId, StartTimeUnix ORDER BY TimeUnix ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS Before,
    -- One that falls has begun anew without saying so.
    if(AggregationTemporality = 1 OR Value < Before, Value, Value - Before) AS Usd
  FROM otel_metrics_sum FINAL
  WHERE MetricName IN ('claude.cost_usd_total', 'claude_code.cost.usage')
)
SELECT Time, SessionId, Model, Usd FROM increments
WHERE SessionId = '' AND MetricName = 'claude.cost_usd_total' OR (SessionId, MetricName) IN (
  SELECT SessionId, argMax(MetricName, Total)
  FROM (SELECT SessionId, MetricName, sum(Usd) AS Total FROM increments GROUP BY SessionId, MetricName)
  GROUP BY SessionId
)`

export const toolLatency = `CREATE VIEW IF NOT EXISTS claude_tool_latency AS
SELECT
  toStartOfHour(Time) AS Hour,
  Tool,
  count() AS Calls,
  countIf(Status != 'success') AS Errors,
  quantile(0.5)(DurationMs) AS P50Ms,
  quantile(0.95)(DurationMs) AS P95Ms,
  max(DurationMs) AS MaxMs
FROM claude_tool_calls FINAL GROUP BY Hour, Tool`

/** Every span as a log record, without a copy of anything: a view that Grafana shows as logs. */
export const spanLogs = `CREATE VIEW IF NOT EXISTS claude_span_logs AS
SELECT
  Timestamp + toIntervalNanosecond(Duration) AS Timestamp,
  TraceId,
  SpanId,
  ServiceName,
  SessionId,
  SpanName,
  if(StatusCode = 'Error', 'error', 'info') AS Level,
  concat(SpanName, ' ', toString(round(Duration / 1e6, 1)), ' ms',
    if(SpanAttributes['input.summary'] = '', '', concat(': ', SpanAttributes['input.summary'])),
    if(StatusMessage = '', '', concat(' (', StatusMessage, ')'))) AS Body,
  SpanAttributes AS LogAttributes
FROM otel_traces FINAL`
