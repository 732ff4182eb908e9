/**
 * One open SQLite file: its schema brought up to date, statements prepared, rows written and read. Throws what SQLite throws; what
 * becomes of that is the store's business.
 */
import { Database } from 'bun:sqlite'
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Failure } from '../base/errors.ts'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import type { OtlpBatch, OtlpPoint } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import { createPrices, type Prices } from '../usage/pricing.ts'
import type { UsageRecord } from '../usage/record.ts'
import {
  type LogRow,
  logRow,
  type PointRow,
  pointRow,
  type SeriesRow,
  type SessionRow,
  type SpanRow,
  seriesRow,
  sessionRow,
  spanRow,
} from './rows.ts'
import { migrations } from './schema.ts'
import { readSessionFacts } from './session-facts.ts'
import {
  insert,
  logColumns,
  pointColumns,
  run,
  Sources,
  seriesColumns,
  sessionColumns,
  sessionConflict,
  spanColumns,
} from './sqlite-inserts.ts'
import { SqliteUsage } from './sqlite-usage.ts'
import type { Mark } from './store.ts'

/** How long another process may hold the file: a reader's checkpoint, a person with a shell. */
const busyMs = 5000
/** Of one kind, in one transaction, so that nobody waits for long. */
const rowsPerSweep = 5000

/** Opens or makes it, for its owner alone. Throws a Failure where a later version has written it. */
export function openSqliteFile(path: string, prices: Prices = createPrices()): SqliteFile {
  ensurePrivateFolder(dirname(path))
  // SQLite gives its other files the mode of this one.
  closeSync(openSync(path, 'a', 0o600))
  const database = new Database(path)
  try {
    migrate(database, path)
    const file = new SqliteFile(database, prices)
    file.usage.priceUnpriced()
    return file
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: Database, path: string): void {
  database.run(`PRAGMA busy_timeout = ${busyMs}`)
  const version = database.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
  if (version > migrations.length) {
    const found = `schema ${version}, this one knows ${migrations.length}`
    throw new Failure(
      'data',
      `${path} was written by a later version (${found})`,
      'update claude-otel, or name another file',
    )
  }
  // Before the first table, or it has no effect.
  if (version === 0) database.run('PRAGMA auto_vacuum = INCREMENTAL')
  database.run('PRAGMA journal_mode = WAL')
  database.run('PRAGMA synchronous = NORMAL')
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue
    database.transaction(() => {
      database.run(step)
      database.run(`PRAGMA user_version = ${index + 1}`)
    })()
  }
  // A page that cannot be read shows now and not in the middle of a request.
  for (const table of ['source', 'span', 'log_record', 'series', 'point', 'session'])
    database.query(`SELECT * FROM ${table} LIMIT 1`).get()
}

/** A connection with what was prepared for it. */
export class SqliteFile {
  readonly statements
  readonly sources: Sources
  readonly usage: SqliteUsage
  private readonly inserts
  private readonly seriesIds = new Map<bigint, number>()

  constructor(
    readonly database: Database,
    prices: Prices,
  ) {
    this.usage = new SqliteUsage(database, prices)
    this.sources = new Sources(database)
    this.inserts = {
      span: insert(database, 'OR REPLACE', 'span', spanColumns),
      log: insert(database, 'OR IGNORE', 'log_record', logColumns),
      series: insert(database, 'OR IGNORE', 'series', seriesColumns),
      point: insert(database, 'OR IGNORE', 'point', ['series', ...pointColumns]),
      session: insert(database, 'OR ABORT', 'session', sessionColumns, sessionConflict),
    }
    this.statements = {
      trace: database.query<SpanRow, [string]>('SELECT * FROM span WHERE trace_id = ? ORDER BY start_time, span_id'),
      span: database.query<SpanRow, [string, string]>('SELECT * FROM span WHERE trace_id = ? AND span_id = ?'),
      sessionSpans: database.query<SpanRow, [string, number, string, string, number]>(
        `SELECT * FROM span WHERE session_id = ? AND (start_time, trace_id, span_id) > (?, ?, ?)
         ORDER BY start_time, trace_id, span_id LIMIT ?`,
      ),
      sessionLogs: database.query<LogRow, [string, number, number]>(
        'SELECT * FROM log_record WHERE session_id = ? ORDER BY time, id LIMIT ? OFFSET ?',
      ),
      points: database.query<SeriesRow & PointRow, [string, number, number]>(
        `SELECT * FROM series JOIN point ON point.series = series.id
         WHERE name = ? AND time >= ? AND time < ? ORDER BY time, series`,
      ),
      sessions: database.query<SessionRow, [number, number, number]>(
        'SELECT * FROM session WHERE last_time >= ? AND first_time < ? ORDER BY last_time DESC LIMIT ?',
      ),
      session: database.query<SessionRow, [string]>('SELECT * FROM session WHERE id = ?'),
      marks: database.query<Mark, [number, string, number]>(
        `SELECT key, time AS timeUnixMicro, value FROM mark WHERE substr(key, 1, ?) = ?
         ORDER BY time DESC, key DESC LIMIT ?`,
      ),
      putMark: database.query('INSERT OR REPLACE INTO mark (key, time, value) VALUES (?, ?, ?)'),
      seriesId: database.query<{ id: number }, [bigint]>('SELECT id FROM series WHERE hash = ?'),
    }
  }

  write(batches: readonly OtlpBatch[]): void {
    try {
      this.database.transaction(() => {
        for (const batch of batches) {
          this.writeBatch(batch)
          this.usage.onBatch(batch)
        }
      })()
    } catch (error) {
      // What was numbered in a transaction that is undone has no number.
      this.seriesIds.clear()
      this.sources.forget()
      throw error
    }
  }

  /** Says how many were new. */
  writeHistory(requests: readonly UsageRecord[], file: TranscriptFile | undefined): number {
    return this.database.transaction(() => {
      if (file !== undefined) this.usage.rememberFile(file)
      return this.usage.onRequests(requests).outcomes.counted ?? 0
    })()
  }

  /** What nobody asks for again: the tracker's memory of what nobody will send again, and marks. */
  forget(beforeUnixMicro: number): void {
    this.usage.forget(beforeUnixMicro)
    this.database.run('DELETE FROM mark WHERE time < ?', [beforeUnixMicro])
  }

  /** Everything that ended before; says how many rows that were. */
  sweep(beforeUnixMicro: number): number {
    const steps = [
      `DELETE FROM span WHERE (trace_id, span_id) IN
        (SELECT trace_id, span_id FROM span WHERE end_time < ? ORDER BY end_time LIMIT ${rowsPerSweep})`,
      `DELETE FROM log_record WHERE id IN (SELECT id FROM log_record WHERE time < ? ORDER BY time LIMIT ${rowsPerSweep})`,
      `DELETE FROM session WHERE id IN (SELECT id FROM session WHERE last_time < ? ORDER BY last_time LIMIT ${rowsPerSweep})`,
      `DELETE FROM point WHERE (series, start_time, time) IN
        (SELECT series, start_time, time FROM point WHERE time < ? ORDER BY time LIMIT ${rowsPerSweep})`,
    ]
    let rows = 0
    for (const step of steps) {
      for (let gone = rowsPerSweep; gone === rowsPerSweep; rows += gone) {
        gone = this.database.query(step).run(beforeUnixMicro).changes
      }
    }
    return rows
  }

  /** When the oldest row was; undefined when there is none. */
  oldest(): number | undefined {
    const times = [
      'SELECT min(end_time) AS t FROM span',
      'SELECT min(time) AS t FROM log_record',
      'SELECT min(time) AS t FROM point',
    ]
    const found = times.map((sql) => this.database.query<{ t: number | null }, []>(sql).get()?.t ?? null)
    const known = found.filter((time) => time !== null)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  /** Of pages that hold something. */
  usedBytes(): number {
    const pragma = (name: string): number =>
      Number(Object.values(this.database.query<Record<string, number>, []>(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size')
  }

  /** The log goes into the file, so that this alone can be copied. */
  close(): void {
    try {
      this.database.run('PRAGMA wal_checkpoint(TRUNCATE)')
    } catch {
      // A full disk, a damaged file, a reader that takes its time: the log stays beside it and is read by whoever opens it.
    }
    this.database.close()
  }

  private writeBatch(batch: OtlpBatch): void {
    const { span, log, point, session } = this.inserts
    for (const facts of readSessionFacts(batch).values()) run(session, sessionRow(facts))
    switch (batch.signal) {
      case 'traces':
        for (const each of batch.spans) run(span, spanRow(each, this.sources.idOf(each.source)))
        return
      case 'logs':
        for (const each of batch.logs) run(log, logRow(each, this.sources.idOf(each.source)))
        return
      case 'metrics':
        for (const each of batch.points) run(point, { series: this.seriesOf(each), ...pointRow(each) })
    }
  }

  private seriesOf(point: OtlpPoint): number {
    const row = seriesRow(point, this.sources.idOf(point.source))
    const known = this.seriesIds.get(row.hash)
    if (known !== undefined) return known
    run(this.inserts.series, row)
    const id = this.statements.seriesId.get(row.hash)?.id ?? 0
    this.seriesIds.set(row.hash, id)
    return id
  }
}
