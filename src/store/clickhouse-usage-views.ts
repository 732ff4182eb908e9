/** Usage in ClickHouse: what metrics tell of it, sums of what nobody can tell any more, and the views over all. */
import { moment, settledDays, text } from './clickhouse-columns.ts'

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
PARTITION BY toDate(Time)
ORDER BY (SessionId, Stream, IsDelta, Start, Time, Kind, Model, QuerySource)
${settledDays}`

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

/**
 * Usage of which nothing is left but sums by quarters of an hour, from a store whose records have gone by their age: what a session
 * used beyond what is told of it here. A sum can be less than nothing, where what is told is told later than it was used.
 */
export const usageSums = `CREATE TABLE IF NOT EXISTS claude_usage_sums (
  SessionId ${text},
  Source LowCardinality(String),
  Slot DateTime CODEC(Delta, ZSTD(1)),
  Model LowCardinality(String),
  QuerySource LowCardinality(String),
  CostSource LowCardinality(String),
  Repository LowCardinality(String),
  Time DateTime64(6) CODEC(Delta(8), ZSTD(1)),
  Requests Int64 CODEC(T64, ZSTD(1)),
  InputTokens Int64 CODEC(T64, ZSTD(1)),
  OutputTokens Int64 CODEC(T64, ZSTD(1)),
  CacheReadTokens Int64 CODEC(T64, ZSTD(1)),
  CacheCreationTokens Int64 CODEC(T64, ZSTD(1)),
  CostUsd Nullable(Float64) CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(Slot)
ORDER BY (SessionId, Source, Slot, Model, QuerySource, CostSource, Repository)
SETTINGS ttl_only_drop_parts = 1`

/**
 * Everything that any teller says of usage; of metrics what each point adds to the one before, in the order of time. With who has
 * stated a cost, and whether a price can be looked up.
 */
export const usageTold = `CREATE VIEW IF NOT EXISTS claude_usage_told AS
SELECT
  SessionId, CAST(Source, 'String') AS Source, toDateTime64(Time, 6) AS Time,
  CAST(Model, 'String') AS Model, CAST(QuerySource, 'String') AS QuerySource,
  -- Of an answer that was cut short a span tells what its message did not; that is no request of its own.
  toInt64(InputTokens + CacheReadTokens + CacheCreationTokens > 0) AS Requests,
  toInt64(InputTokens) AS InputTokens, toInt64(OutputTokens) AS OutputTokens, toInt64(CacheReadTokens) AS CacheReadTokens,
  toInt64(CacheCreationTokens) AS CacheCreationTokens, toInt64(CacheCreation1hTokens) AS CacheCreation1hTokens, CostUsd,
  if(isNull(CostUsd), '', 'claude') AS CostSource, isNull(CostUsd) AND Speed IN ('', 'normal', 'standard') AS IsListed,
  CAST(Repository, 'String') AS Repository
FROM claude_requests FINAL
UNION ALL
SELECT
  SessionId, 'metrics' AS Source, toDateTime64(Time, 6) AS Time, CAST(Model, 'String') AS Model,
  CAST(QuerySource, 'String') AS QuerySource, toInt64(0) AS Requests,
  if(Kind = 'input', toInt64(Step), 0) AS InputTokens,
  if(Kind = 'output', toInt64(Step), 0) AS OutputTokens,
  if(Kind = 'cacheRead', toInt64(Step), 0) AS CacheReadTokens,
  if(Kind = 'cacheCreation', toInt64(Step), 0) AS CacheCreationTokens,
  toInt64(0) AS CacheCreation1hTokens, if(Kind = 'cost', Step, NULL) AS CostUsd,
  'claude' AS CostSource, 0 AS IsListed, '' AS Repository
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

/** With what there are only sums of. */
export const usageRecords = `CREATE VIEW IF NOT EXISTS claude_usage_records AS
SELECT * FROM claude_usage_told
UNION ALL
SELECT SessionId, CAST(Source, 'String') AS Source, Time, CAST(Model, 'String') AS Model, CAST(QuerySource, 'String') AS QuerySource,
  Requests, InputTokens, OutputTokens, CacheReadTokens, CacheCreationTokens, toInt64(0) AS CacheCreation1hTokens, CostUsd,
  CAST(CostSource, 'String') AS CostSource, 0 AS IsListed, CAST(Repository, 'String') AS Repository
FROM claude_usage_sums FINAL`

/** Of each session the teller that knows the most, as pairs; `sessions` is a WHERE over their ids, or nothing. */
export function believed(sessions: string): string {
  return `SELECT SessionId, argMax(Source, (Tokens, indexOf(['transcript', 'events', 'wrapper', 'metrics'], Source))) FROM (
    SELECT SessionId, Source, sum(InputTokens + OutputTokens + CacheReadTokens + CacheCreationTokens) AS Tokens
    FROM claude_usage_records ${sessions} GROUP BY SessionId, Source
  ) GROUP BY SessionId`
}

/** Of each session only the teller that knows the most. None counts anything twice, and they are never added. */
export const usage = `CREATE VIEW IF NOT EXISTS claude_usage AS
SELECT * FROM claude_usage_records
WHERE (SessionId, Source) IN (
  ${believed('')}
)`

/** A condition: sessions of which anything was told of this time, whatever else they did. */
export function sessionsWithin(since: string, until: string): string {
  const tables = ['claude_requests', 'claude_usage_points', 'claude_usage_sums']
  const each = tables.map((table) => `SELECT SessionId FROM ${table} WHERE Time >= ${since} AND Time < ${until}`)
  return `SessionId IN (${each.join(' UNION DISTINCT ')})`
}

/** claude_usage of a time, which asks nothing of the sessions of other times: `claude_usage_within(since = …, until = …)`, both seconds. */
export const usageWithin = renderUsageWithin('fromUnixTimestamp({since:UInt32})', 'fromUnixTimestamp({until:UInt32})')

function renderUsageWithin(since: string, until: string): string {
  const sessions = sessionsWithin(since, until)
  return `CREATE VIEW IF NOT EXISTS claude_usage_within AS
SELECT * FROM claude_usage_records
WHERE Time >= ${since} AND Time < ${until} AND ${sessions} AND (SessionId, Source) IN (
  ${believed(`WHERE ${sessions}`)}
)`
}

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
