/**
 * The store in ClickHouse, in the tables that a Collector writes to as well: whoever wrote, it is read the same way. Requests that
 * come together are inserted together; each is answered when ClickHouse has all of it. One that is sent again becomes the same rows.
 */
import { describeError, Failure } from '../base/errors.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSpan } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import type { SessionUsage, UsageRecord } from '../usage/record.ts'
import { type ClickHouse, openClickHouse } from './clickhouse-client.ts'
import { fillGaps } from './clickhouse-gaps.ts'
import { migrateClickHouse } from './clickhouse-migrate.ts'
import { type ClickHousePlace, quote } from './clickhouse-place.ts'
import {
  type LogRow,
  logColumns,
  logSelection,
  pointColumns,
  readLog,
  readPoint,
  readSpan,
  requestColumns,
  type SpanRow,
  spanColumns,
  spanSelection,
  timeText,
} from './clickhouse-rows.ts'
import { type AgeRow, agesQuestion, agingStatements, readAges } from './clickhouse-schema.ts'
import { keepSessions } from './clickhouse-sessions.ts'
import { metricTables } from './clickhouse-tables.ts'
import { type ClickHouseUsageStore, openClickHouseUsage } from './clickhouse-usage.ts'
import type { SessionFacts } from './session-facts.ts'
import type { SessionSums } from './sqlite-history.ts'
import type {
  AnyStore,
  KeptAge,
  LogPart,
  Mark,
  Period,
  SpanPart,
  StoreCounts,
  StoreOptions,
  UsageGroup,
  UsageSum,
} from './store.ts'

/** One that takes what a SQLite store has kept. */
export type HistoryStore = AnyStore & {
  /** What is known of sessions as wholes, beside what their records tell. */
  appendSessions(sessions: readonly SessionFacts[]): Promise<void>
  /** Sums of which nothing else is left, so that usage is what it was there; says how many are new. Of all that was copied before. */
  appendSums(sessions: readonly SessionSums[]): Promise<number>
}

/** Brings the schema up to date first. Rejects with a Failure where ClickHouse does not answer or does not let us in. */
export async function openClickHouseStore(place: ClickHousePlace, options: StoreOptions = {}): Promise<HistoryStore> {
  const clickhouse = openClickHouse(place)
  try {
    const found = await migrateClickHouse(clickhouse)
    if (found === 0 && options.maxAgeMs !== undefined) await ageNewTables(clickhouse, options.maxAgeMs)
  } catch (error) {
    await clickhouse.close()
    throw error
  }
  return new ClickHouseStore(
    `${place.url}/${place.database}`,
    clickhouse,
    openClickHouseUsage(clickhouse, options.prices),
  )
}

/** As in SQLite: what was sent goes, usage stays. */
async function ageNewTables(clickhouse: ClickHouse, maxAgeMs: number): Promise<void> {
  const days = Math.ceil(maxAgeMs / 86_400_000)
  for (const statement of agingStatements({ traces: days, logs: days, metrics: days })) await clickhouse.run(statement)
}

/** What waits goes in one insert for each table, up to so many requests. */
const mostTogether = 200

interface Waiting {
  readonly batch: OtlpBatch
  readonly resolve: () => void
  readonly reject: (reason: Failure) => void
}

class ClickHouseStore implements HistoryStore {
  private waiting: Waiting[] = []
  private isWriting = false

  constructor(
    readonly url: string,
    private readonly clickhouse: ClickHouse,
    private readonly usages: ClickHouseUsageStore,
  ) {}

  append(batch: OtlpBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ batch, resolve, reject })
      if (!this.isWriting) void this.write()
    })
  }

  trace(traceId: string): Promise<readonly OtlpSpan[]> {
    return this.spans(`TraceId = ${quote(traceId)}`)
  }

  sessionSpans(sessionId: string, part?: SpanPart): Promise<readonly OtlpSpan[]> {
    const { after } = part ?? {}
    const start = after === undefined ? '' : `fromUnixTimestamp64Micro(${after.startUnixMicro})`
    const later =
      after === undefined
        ? ''
        : ` AND (Timestamp, TraceId, SpanId) > (${start}, ${quote(after.traceId)}, ${quote(after.spanId)})`
    return this.spans(`SessionId = ${quote(sessionId)}${later}`, part?.limit)
  }

  async span(traceId: string, spanId: string): Promise<OtlpSpan | undefined> {
    const [span] = await this.spans(`TraceId = ${quote(traceId)} AND SpanId = ${quote(spanId)}`, 1)
    return span
  }

  async sessionLogs(sessionId: string, part?: LogPart): Promise<readonly OtlpLogRecord[]> {
    const limit = part === undefined ? '' : `LIMIT ${part.offset}, ${part.limit}`
    const rows = await this.clickhouse.rows<LogRow>(
      `SELECT ${logSelection} FROM otel_logs FINAL WHERE SessionId = ${quote(sessionId)} ORDER BY Timestamp, RecordId ${limit}`,
    )
    return rows.map(readLog)
  }

  async sessions({ sinceUnixMicro, untilUnixMicro }: Period, limit: number): Promise<readonly SessionFacts[]> {
    const within = `last >= ${sinceUnixMicro} AND first < ${untilUnixMicro}`
    return this.sessionFacts(`WHERE ${within} ORDER BY last DESC LIMIT ${limit}`)
  }

  async session(id: string): Promise<SessionFacts | undefined> {
    const [facts] = await this.sessionFacts(`WHERE SessionId = ${quote(id)}`)
    return facts
  }

  async appendHistory(requests: readonly UsageRecord[], file?: TranscriptFile): Promise<number> {
    const ids = requests.map(({ id }) => quote(id)).join(', ')
    const known =
      requests.length === 0
        ? []
        : await this.clickhouse.rows<{ Id: string }>(`SELECT DISTINCT Id FROM claude_requests WHERE Id IN (${ids})`)
    const knownIds = new Set(known.map(({ Id }) => Id))
    const fresh = new Map(requests.filter(({ id }) => !knownIds.has(id)).map((each) => [each.id, each]))
    await this.clickhouse.insert('claude_requests', [...fresh.values()].map(requestColumns))
    if (file !== undefined) {
      const { path, bytes, changedMs } = file
      await this.clickhouse.insert('claude_transcript_files', [{ Path: path, Bytes: bytes, ChangedMs: changedMs }])
    }
    return fresh.size
  }

  async appendSessions(sessions: readonly SessionFacts[]): Promise<void> {
    if (sessions.length > 0) await this.clickhouse.run(keepSessions(sessions))
  }

  appendSums(sessions: readonly SessionSums[]): Promise<number> {
    return fillGaps(this.clickhouse, this.usages, sessions)
  }

  async knowsFile({ path, bytes, changedMs }: TranscriptFile): Promise<boolean> {
    const [row] = await this.clickhouse.rows<{ Bytes: number; ChangedMs: number }>(
      `SELECT Bytes, ChangedMs FROM claude_transcript_files FINAL WHERE Path = ${quote(path)}`,
    )
    return row?.Bytes === bytes && row.ChangedMs === changedMs
  }

  async usage(by: readonly UsageGroup[], period: Period): Promise<readonly UsageSum[]> {
    return this.usages.usage(by, period)
  }

  async sessionUsage(sessionId: string): Promise<SessionUsage | undefined> {
    const all = await this.usages.sessionUsages(
      { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER },
      sessionId,
    )
    return all[0]
  }

  async sessionUsages(period: Period): Promise<readonly SessionUsage[]> {
    return this.usages.sessionUsages(period)
  }

  /** Of what the hub wrote. */
  async points(name: string, { sinceUnixMicro, untilUnixMicro }: Period): Promise<readonly OtlpPoint[]> {
    const micros = 'toUnixTimestamp64Micro(TimeUnix)'
    const parts = metricTables.map(
      (kind) => `SELECT Original, SeriesId, ${micros} AS time FROM otel_metrics_${kind} FINAL
        WHERE MetricName = ${quote(name)} AND ${micros} >= ${sinceUnixMicro} AND ${micros} < ${untilUnixMicro} AND Original != ''`,
    )
    const rows = await this.clickhouse.rows<{ Original: string }>(
      `SELECT Original FROM (${parts.join(' UNION ALL ')}) ORDER BY time, SeriesId`,
    )
    return rows.map(({ Original }) => readPoint(Original))
  }

  /** As the tables say it, which count repeats until these are merged. */
  async counts(): Promise<StoreCounts> {
    const [row] = await this.clickhouse.rows<StoreCounts>(`SELECT sumIf(total_rows, name = 'otel_traces') AS spans,
      sumIf(total_rows, name = 'otel_logs') AS logs, sumIf(total_rows, startsWith(name, 'otel_metrics_')) AS points,
      sum(total_bytes) AS bytes FROM system.tables WHERE database = currentDatabase()`)
    return row ?? { spans: 0, logs: 0, points: 0, bytes: 0 }
  }

  async marks(prefix: string, limit: number): Promise<readonly Mark[]> {
    return this.clickhouse.rows<Mark>(`SELECT Key AS key, toUnixTimestamp64Micro(Time) AS timeUnixMicro, Value AS value
      FROM claude_marks FINAL WHERE startsWith(Key, ${quote(prefix)}) ORDER BY Time DESC LIMIT ${limit}`)
  }

  async putMark({ key, timeUnixMicro, value }: Mark): Promise<void> {
    await this.clickhouse.insert('claude_marks', [{ Key: key, Time: timeText(timeUnixMicro), Value: value }])
  }

  async ages(): Promise<readonly KeptAge[]> {
    return readAges(await this.clickhouse.rows<AgeRow>(agesQuestion))
  }

  close(): void {
    void this.clickhouse.close()
  }

  private async write(): Promise<void> {
    this.isWriting = true
    // Those that come in the same turn go together.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      const turn = this.waiting.splice(0, mostTogether)
      const failed = await this.keep(turn)
      if (failed === undefined) continue
      // One that is refused takes none of the others with it; a ClickHouse that does not answer takes none at all.
      const isOneOfThem = turn.length > 1 && failed.kind === 'data'
      for (const each of turn) {
        const failure = isOneOfThem ? await this.keep([each]) : failed
        if (failure !== undefined) each.reject(new Failure('io', `not kept: ${failure.message}`, failure.hint))
      }
    }
    // At once: whoever hears now that theirs is kept may append the next.
    this.isWriting = false
  }

  private async keep(turn: readonly Waiting[]): Promise<Failure | undefined> {
    try {
      await this.insertAll(turn.map(({ batch }) => batch))
      for (const { resolve } of turn) resolve()
      return undefined
    } catch (error) {
      return error instanceof Failure ? error : new Failure('unavailable', describeError(error))
    }
  }

  private async insertAll(batches: readonly OtlpBatch[]): Promise<void> {
    const spans = batches.flatMap((batch) => (batch.signal === 'traces' ? batch.spans : []))
    const logs = batches.flatMap((batch) => (batch.signal === 'logs' ? batch.logs : []))
    const points = batches.flatMap((batch) => (batch.signal === 'metrics' ? batch.points : []))
    const ofKind = Map.groupBy(points, ({ type }) => type)
    await Promise.all([
      this.clickhouse.insert('otel_traces', spans.map(spanColumns)),
      this.clickhouse.insert('otel_logs', logs.map(logColumns)),
      ...[...ofKind].map(([kind, each]) => this.clickhouse.insert(`otel_metrics_${kind}`, each.map(pointColumns))),
    ])
  }

  private async spans(condition: string, limit?: number): Promise<readonly OtlpSpan[]> {
    const rows = await this.clickhouse.rows<SpanRow>(
      `SELECT ${spanSelection} FROM otel_traces FINAL WHERE ${condition}
       ORDER BY Timestamp, TraceId, SpanId ${limit === undefined ? '' : `LIMIT ${limit}`}`,
    )
    return rows.map(readSpan)
  }

  private async sessionFacts(rest: string): Promise<readonly SessionFacts[]> {
    const rows = await this.clickhouse.rows<Readonly<Record<string, string | number>>>(`SELECT * FROM (
      SELECT SessionId, toUnixTimestamp64Micro(FirstTime) AS first, toUnixTimestamp64Micro(LastTime) AS last,
        toUnixTimestamp64Micro(EndTime) AS endTime, ConversationId AS conversationId, TraceId AS traceId, Source AS source,
        Cwd AS cwd, Repository AS repository, Branch AS branch, User AS user, Model AS model, Version AS version,
        Title AS title, EndReason AS endReason
      FROM claude_sessions) ${rest}`)
    return rows.map(({ SessionId, first, last, ...facts }) => {
      const told = Object.entries(facts).filter(([, value]) => value !== '' && value !== 0)
      return { id: String(SessionId), firstTime: Number(first), lastTime: Number(last), ...Object.fromEntries(told) }
    })
  }
}
