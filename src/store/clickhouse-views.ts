/** What is read from signals as they arrive, into narrow tables with one row each, and the views that sum those up when they are asked. */
import { settledDays, text } from './clickhouse-columns.ts'

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
PARTITION BY toDate(Time)
ORDER BY (SessionId, Source, Id)
${settledDays}`

export const requestsFromTraces = `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_requests_from_traces TO claude_requests AS
SELECT
  if(SpanAttributes['session.id'] = '', 'unknown', SpanAttributes['session.id']) AS SessionId,
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
  if(LogAttributes['session.id'] = '', 'unknown', LogAttributes['session.id']) AS SessionId,
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
PARTITION BY toDate(Time)
ORDER BY (SessionId, Time, TraceId, SpanId)
${settledDays}`

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
