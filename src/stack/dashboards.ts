/**
 * What Grafana shows and warns of: dashboards panel by panel, alerts rule by rule. Everything in its files comes from here. Queries
 * use the plugin's macros (`$__timeFilter`, `$__timeInterval`); `expandMacros` in the tests says what they mean.
 */

export interface Query {
  readonly source: 'clickhouse' | 'loki'
  readonly text: string
}

export interface Panel {
  readonly title: string
  readonly type: 'stat' | 'timeseries' | 'table' | 'logs' | 'barchart' | 'bargauge'
  readonly width: number
  readonly height: number
  readonly unit?: string
  readonly query: Query
}

export interface Dashboard {
  readonly id: string
  readonly title: string
  readonly panels: readonly Panel[]
}

export interface AlertRule {
  readonly id: string
  readonly title: string
  readonly summary: string
  /** One row with one number. */
  readonly query: string
  readonly above: number
  readonly pendingFor: string
}

function sql(text: string): Query {
  return { source: 'clickhouse', text }
}

function logql(text: string): Query {
  return { source: 'loki', text }
}

function stat(title: string, unit: string, text: string): Panel {
  return { title, type: 'stat', width: 6, height: 4, unit, query: sql(text) }
}

function series(title: string, unit: string, text: string): Panel {
  return { title, type: 'timeseries', width: 12, height: 8, unit, query: sql(text) }
}

function table(title: string, text: string): Panel {
  return { title, type: 'table', width: 24, height: 10, query: sql(text) }
}

/** A view that asks nothing of the sessions of other times. */
const used = 'claude_usage_within(since = toUnixTimestamp($__fromTime), until = toUnixTimestamp($__toTime))'
const tokens = 'InputTokens + OutputTokens + CacheReadTokens + CacheCreationTokens'

const overview: Dashboard = {
  id: 'overview',
  title: 'claude-otel: overview',
  panels: [
    stat(
      'Sessions',
      'short',
      'SELECT uniqExact(SessionId) AS Sessions FROM claude_sessions WHERE LastTime >= $__fromTime AND FirstTime <= $__toTime',
    ),
    stat('Cost', 'currencyUSD', 'SELECT sum(Usd) AS Cost FROM claude_costs WHERE $__timeFilter(Time)'),
    stat('Tokens', 'short', `SELECT sum(${tokens}) AS Tokens FROM ${used}`),
    stat('Tool calls', 'short', 'SELECT count() AS Calls FROM claude_tool_calls FINAL WHERE $__timeFilter(Time)'),
    series(
      'Tokens by model',
      'short',
      `SELECT $__timeInterval(Time) AS time, Model, sum(${tokens}) AS Tokens FROM ${used}
GROUP BY time, Model ORDER BY time`,
    ),
    series(
      'Tool calls by status',
      'short',
      `SELECT $__timeInterval(Time) AS time, Status, count() AS Calls FROM claude_tool_calls FINAL
WHERE $__timeFilter(Time) GROUP BY time, Status ORDER BY time`,
    ),
    {
      title: 'Logs',
      type: 'logs',
      width: 24,
      height: 10,
      query: logql('{service_name="claude-code"}'),
    },
  ],
}

const cost: Dashboard = {
  id: 'cost',
  title: 'claude-otel: cost',
  panels: [
    series(
      'Cost by model',
      'currencyUSD',
      `SELECT $__timeInterval(Time) AS time, Model, sum(Usd) AS Cost FROM claude_costs
WHERE $__timeFilter(Time) GROUP BY time, Model ORDER BY time`,
    ),
    {
      title: 'Cost by day',
      type: 'barchart',
      width: 12,
      height: 8,
      unit: 'currencyUSD',
      query: sql(`SELECT toString(toDate(Time)) AS Day, sum(Usd) AS Cost FROM claude_costs
WHERE $__timeFilter(Time) GROUP BY Day ORDER BY Day`),
    },
    series(
      'Tokens by kind',
      'short',
      `SELECT $__timeInterval(Time) AS time, sum(InputTokens) AS Input, sum(OutputTokens) AS Output,
  sum(CacheReadTokens) AS "Cache read", sum(CacheCreationTokens) AS "Cache creation"
FROM ${used} GROUP BY time ORDER BY time`,
    ),
    series(
      'Input from the cache',
      'percentunit',
      `SELECT $__timeInterval(Time) AS time,
  sum(CacheReadTokens) / greatest(1, sum(InputTokens + CacheReadTokens + CacheCreationTokens)) AS Share
FROM ${used} GROUP BY time ORDER BY time`,
    ),
    table(
      'By repository',
      `SELECT if(Repository = '', '(unknown)', Repository) AS Repository, uniqExact(SessionId) AS Sessions, sum(Tokens) AS Tokens
FROM (SELECT SessionId, sum(${tokens}) AS Tokens FROM ${used} GROUP BY SessionId) AS used
LEFT JOIN (SELECT SessionId, max(claude_sessions.Repository) AS Repository FROM claude_sessions GROUP BY SessionId) AS known
USING SessionId GROUP BY Repository ORDER BY Tokens DESC LIMIT 100`,
    ),
  ],
}

const tools: Dashboard = {
  id: 'tools',
  title: 'claude-otel: tools',
  panels: [
    series(
      'Latency, 95th percentile',
      'ms',
      `SELECT $__timeInterval(Time) AS time, Tool, quantile(0.95)(DurationMs) AS P95 FROM claude_tool_calls FINAL
WHERE $__timeFilter(Time) GROUP BY time, Tool ORDER BY time`,
    ),
    series(
      'Errors',
      'percentunit',
      `SELECT $__timeInterval(Time) AS time, countIf(Status != 'success') / count() AS Errors FROM claude_tool_calls FINAL
WHERE $__timeFilter(Time) GROUP BY time ORDER BY time`,
    ),
    table(
      'Tools',
      `SELECT Tool, count() AS Calls, countIf(Status != 'success') AS Failed, quantile(0.5)(DurationMs) AS "p50 ms",
  quantile(0.95)(DurationMs) AS "p95 ms", max(DurationMs) AS "max ms", avg(PermissionWaitMs) AS "permission wait ms"
FROM claude_tool_calls FINAL WHERE $__timeFilter(Time) GROUP BY Tool ORDER BY Calls DESC LIMIT 200`,
    ),
    table(
      'Why they failed',
      `SELECT Tool, Status, ErrorType, count() AS Calls, max(Time) AS Last FROM claude_tool_calls FINAL
WHERE $__timeFilter(Time) AND Status != 'success' GROUP BY Tool, Status, ErrorType ORDER BY Calls DESC LIMIT 200`,
    ),
  ],
}

const sessions: Dashboard = {
  id: 'sessions',
  title: 'claude-otel: sessions',
  panels: [
    table(
      'Sessions',
      `SELECT known.SessionId AS Session, First, Last, Repository, Version, EndReason AS "End", Requests, Tokens, known.TraceId AS Trace
FROM (
  SELECT SessionId, min(FirstTime) AS First, max(LastTime) AS Last, max(Repository) AS Repository, max(Version) AS Version,
    max(EndReason) AS EndReason, max(TraceId) AS TraceId
  FROM claude_sessions GROUP BY SessionId
) AS known
LEFT JOIN (SELECT SessionId, sum(Requests) AS Requests, sum(${tokens}) AS Tokens FROM ${used} GROUP BY SessionId) AS used
ON used.SessionId = known.SessionId
WHERE Last >= $__fromTime AND First <= $__toTime ORDER BY Last DESC LIMIT 500`,
    ),
    table(
      'Longest turns',
      `SELECT Timestamp AS Time, SessionId AS Session, TraceId AS Trace, SpanName AS Span, Duration / 1e9 AS Seconds,
  SpanAttributes['turn.status'] AS Status, SpanAttributes['prompt.preview'] AS Prompt
FROM otel_traces FINAL WHERE $__timeFilter(Timestamp) AND SpanAttributes['turn.index'] != '' ORDER BY Duration DESC LIMIT 100`,
    ),
    {
      title: 'Spans as logs',
      type: 'logs',
      width: 24,
      height: 12,
      query:
        sql(`SELECT Timestamp AS timestamp, Body AS body, Level AS level, LogAttributes AS labels, TraceId AS traceID
FROM claude_span_logs WHERE $__timeFilter(Timestamp) ORDER BY Timestamp DESC LIMIT 1000`),
    },
  ],
}

const reliability: Dashboard = {
  id: 'reliability',
  title: 'claude-otel: reliability of the telemetry',
  panels: [
    series(
      'What arrives',
      'short',
      `SELECT time, Signal, sum(Rows) AS Rows FROM (
  SELECT $__timeInterval(Timestamp) AS time, 'spans' AS Signal, count() AS Rows FROM otel_traces
  WHERE $__timeFilter(Timestamp) GROUP BY time
  UNION ALL
  SELECT $__timeInterval(Timestamp) AS time, 'log records' AS Signal, count() AS Rows FROM otel_logs
  WHERE $__timeFilter(Timestamp) GROUP BY time
  UNION ALL
  SELECT $__timeInterval(TimeUnix) AS time, 'sums' AS Signal, count() AS Rows FROM otel_metrics_sum
  WHERE $__timeFilter(TimeUnix) GROUP BY time
) GROUP BY time, Signal ORDER BY time`,
    ),
    series(
      'Failed model requests',
      'short',
      `SELECT $__timeInterval(Timestamp) AS time, LogAttributes['http.response.status_code'] AS Status, count() AS Requests
FROM otel_logs FINAL WHERE $__timeFilter(Timestamp) AND EventName = 'claude.api_error' GROUP BY time, Status ORDER BY time`,
    ),
    table(
      'Lost, broken, unknown',
      `SELECT MetricName AS Counter, Attributes AS Of, sum(Most) AS Count FROM (
  SELECT MetricName, Attributes, SeriesId, StartTimeUnix, max(Value) AS Most FROM otel_metrics_sum FINAL
  WHERE $__timeFilter(TimeUnix) AND MetricName IN ('claude_otel.hooks_lost_total', 'claude_otel.hooks_duplicate_total',
    'claude_otel.records_broken_total', 'claude_otel.unknown_total')
  GROUP BY MetricName, Attributes, SeriesId, StartTimeUnix
) GROUP BY Counter, Of ORDER BY Count DESC LIMIT 200`,
    ),
    table(
      'Sessions that two tell of: what each has captured',
      `SELECT SessionId AS Session, sumIf(Tokens, Source = 'wrapper') AS "Our spans", sumIf(Tokens, Source = 'events') AS "Its events"
FROM (SELECT SessionId, Source, sum(${tokens}) AS Tokens FROM claude_requests FINAL WHERE $__timeFilter(Time) GROUP BY SessionId, Source)
GROUP BY SessionId HAVING count() > 1 ORDER BY Session LIMIT 200`,
    ),
    table(
      'Size',
      `SELECT table AS Table, sum(rows) AS Rows, formatReadableSize(sum(bytes_on_disk)) AS "On disk" FROM system.parts
WHERE active AND database = 'otel' GROUP BY table ORDER BY sum(bytes_on_disk) DESC`,
    ),
  ],
}

export const dashboards: readonly Dashboard[] = [overview, cost, tools, sessions, reliability]

export const alertRules: readonly AlertRule[] = [
  {
    id: 'cost-per-day',
    title: 'Claude costs more than 100 USD in a day',
    summary: 'More than 100 USD were spent within 24 hours.',
    query: 'SELECT sum(Usd) AS Cost FROM claude_costs WHERE Time >= now() - INTERVAL 1 DAY',
    above: 100,
    pendingFor: '0s',
  },
  {
    id: 'tool-errors',
    title: 'More than a third of the tool calls fail',
    summary: 'Of at least 20 tool calls of the last hour, more than a third did not succeed.',
    query: `SELECT if(count() < 20, 0, countIf(Status != 'success') / count()) AS Rate FROM claude_tool_calls FINAL
WHERE Time >= now() - INTERVAL 1 HOUR`,
    above: 1 / 3,
    pendingFor: '10m',
  },
  {
    id: 'silent',
    title: 'Telemetry has fallen silent',
    summary: 'A session that has not ended was heard of within a day, and nothing at all for half an hour.',
    query: `SELECT countIf(EndReason = '' AND Last >= now() - INTERVAL 1 DAY) > 0 AND max(Last) < now() - INTERVAL 30 MINUTE AS Silent
FROM (SELECT SessionId, max(LastTime) AS Last, max(EndReason) AS EndReason FROM claude_sessions GROUP BY SessionId)`,
    above: 0,
    pendingFor: '5m',
  },
]
