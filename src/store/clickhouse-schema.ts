/**
 * The tables in ClickHouse, as steps from one version to the next. A step that was released never changes; a new one is added.
 * Those that the Collector's exporter writes have its columns, by name and type, and more that are computed; all are keyed so that
 * what is sent twice becomes one row: when parts merge, or at once for whoever reads with FINAL.
 */
import { sessionsFrom, sessionsView, sessionTable, sessionTellers } from './clickhouse-sessions.ts'
import { logs, metricTable, metricTables, traces, traceTimes, traceTimesView } from './clickhouse-tables.ts'
import * as used from './clickhouse-usage-views.ts'
import * as views from './clickhouse-views.ts'
import type { KeptAge } from './store.ts'

/** How long each kind of row is kept, in days. */
export interface KeptDays {
  readonly traces: number
  readonly logs: number
  readonly metrics: number
  /** Sessions, requests and tool calls: a hundredth of the size of what they were read from. */
  readonly usage: number
}

/** `claude_otel_schema` says how many of these a database has had. */
export const clickhouseMigrations: readonly (readonly string[])[] = [
  [
    traces,
    traceTimes,
    traceTimesView,
    logs,
    ...metricTables.map(metricTable),
    views.requests,
    views.requestsFromTraces,
    views.requestsFromLogs,
    views.toolCalls,
    views.toolCallsFromTraces,
    sessionTable,
    ...sessionTellers.map(sessionsFrom),
    sessionsView,
    views.transcriptFiles,
    views.marks,
    used.usagePoints,
    used.usagePointsFromMetrics,
    used.usageSums,
    used.usageTold,
    used.usageRecords,
    used.usage,
    used.usageWithin,
    used.usageHourly,
    views.costs,
    views.toolLatency,
    views.spanLogs,
  ],
]

/** The column that a row's age is told by, and which of the ages it is held to. */
const agingColumns: Readonly<Record<string, readonly [keyof KeptDays, string]>> = {
  otel_traces: ['traces', 'Timestamp'],
  otel_traces_trace_id_ts: ['traces', 'End'],
  otel_logs: ['logs', 'Timestamp'],
  ...Object.fromEntries(metricTables.map((kind) => [`otel_metrics_${kind}`, ['metrics', 'TimeUnix'] as const])),
  claude_requests: ['usage', 'Time'],
  claude_usage_points: ['usage', 'Time'],
  claude_usage_sums: ['usage', 'Slot'],
  claude_tool_calls: ['usage', 'Time'],
  claude_session_facts: ['usage', 'LastTime'],
  claude_transcript_files: ['usage', 'Time'],
  claude_marks: ['usage', 'Time'],
}

/** Statements that hold tables to their ages, those of the kinds named; rows that are too old already go with the next merge. */
export function agingStatements(kept: Partial<KeptDays>): readonly string[] {
  return Object.entries(agingColumns).flatMap(([table, [kind, column]]) => {
    if (kept[kind] === undefined) return []
    const age = `INTERVAL ${kept[kind]} DAY`
    return `ALTER TABLE ${table} MODIFY TTL toDateTime(${column}) + ${age} SETTINGS materialize_ttl_after_modify = 0`
  })
}

/** The age of each kind's largest table, as ClickHouse says it; empty for one that is kept for ever. */
export const agesQuestion = `SELECT name, extract(engine_full, ' TTL (.+?)(?: SETTINGS |$)') AS ttl FROM system.tables
  WHERE database = currentDatabase() AND name IN ('otel_traces', 'otel_logs', 'otel_metrics_sum', 'claude_requests')`

export interface AgeRow {
  readonly name: string
  readonly ttl: string
}

const aged = { otel_traces: 'spans', otel_logs: 'log records', otel_metrics_sum: 'points', claude_requests: 'usage' }

/** In the order in which people think of them. */
export function readAges(rows: readonly AgeRow[]): readonly KeptAge[] {
  return Object.entries(aged).map(([table, what]) => {
    const ttl = rows.find(({ name }) => name === table)?.ttl ?? ''
    const [, days] = /toIntervalDay\((\d+)\)$/.exec(ttl) ?? []
    return { what, ...(ttl === '' ? {} : { age: days === undefined ? ttl : `${days} days` }) }
  })
}

export const schemaTable = `CREATE TABLE IF NOT EXISTS claude_otel_schema (
  Version UInt32,
  Time DateTime DEFAULT now()
) ENGINE = ReplacingMergeTree ORDER BY Version`

export function rememberVersion(version: number): string {
  return `INSERT INTO claude_otel_schema (Version) VALUES (${version})`
}
