/**
 * One open SQLite file: its schema brought up to date, statements prepared, rows written and read. Throws what SQLite throws; what
 * becomes of that is the store's business.
 */
import { Database } from 'bun:sqlite'
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { Failure } from '../base/errors.ts'
import { makePrivateFolder } from '../base/private-folder.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSpan } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import { createPrices, type Prices } from '../usage/pricing.ts'
import type { UsageRecord } from '../usage/record.ts'
import { Blocks, type Kind } from './blocks.ts'
import {
  type LogRow,
  logRow,
  type PointRow,
  packLog,
  packSpan,
  pointRow,
  readLog,
  readSpan,
  type SeriesRow,
  type SessionRow,
  type SpanRow,
  seriesRow,
  sessionRow,
  spanRow,
  timeOf,
} from './rows.ts'
import { migrations } from './schema.ts'
import { readSessionFacts } from './session-facts.ts'
import {
  insert,
  logColumns,
  mostKnown,
  pointColumns,
  run,
  Sources,
  seriesColumns,
  sessionColumns,
  sessionConflict,
  spanColumns,
} from './sqlite-inserts.ts'
import { SqliteUsage } from './sqlite-usage.ts'
import type { Mark, StoreOptions } from './store.ts'

/** How long another process may hold the file while it is opened: a reader's checkpoint, a person with a shell. */
const openBusyMs = 5000
/** Of one kind, in one transaction, so that nobody waits for long. */
const rowsPerSweep = 5000
const blocksPerSweep = 50

/** Opens or makes it, for its owner alone. Throws a Failure where a later version has written it. */
export function openSqliteFile(
  path: string,
  { prices = createPrices(), busyMs = openBusyMs }: StoreOptions = {},
): SqliteFile {
  makePrivateFolder(dirname(path))
  // SQLite gives its other files the mode of this one.
  closeSync(openSync(path, 'a', 0o600))
  const database = new Database(path)
  try {
    migrate(database, path)
    const file = new SqliteFile(database, prices)
    file.usage.priceUnpriced()
    database.run(`PRAGMA busy_timeout = ${busyMs}`)
    return file
  } catch (error) {
    database.close()
    throw error
  }
}

function migrate(database: Database, path: string): void {
  database.run(`PRAGMA busy_timeout = ${openBusyMs}`)
  const version = database.query<{ user_version: number }, []>('PRAGMA user_version').get()?.user_version ?? 0
  if (version > migrations.length) {
    const found = `schema ${version}, this one knows ${migrations.length}`
    throw new Failure(
      'data',
      `${path} was written by a later version (${found})`,
      'update claude-otel, or name another file',
    )
  }
  // Before the first table, or they have no effect.
  if (version === 0) {
    database.run('PRAGMA page_size = 8192')
    database.run('PRAGMA auto_vacuum = INCREMENTAL')
  }
  database.run('PRAGMA journal_mode = WAL')
  database.run('PRAGMA synchronous = NORMAL')
  // The upper pages of all indexes of a store of gigabytes.
  database.run('PRAGMA cache_size = -16000')
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue
    database.transaction(() => {
      database.run(step)
      database.run(`PRAGMA user_version = ${index + 1}`)
    })()
  }
  // A page that cannot be read shows now and not in the middle of a request.
  for (const table of ['source', 'block', 'span', 'log_record', 'series', 'point', 'session'])
    database.query(`SELECT * FROM ${table} LIMIT 1`).get()
}

type Tallied = 'span' | 'log_record' | 'point'

/** A connection with what was prepared for it. */
export class SqliteFile {
  readonly statements
  readonly sources: Sources
  readonly blocks: Blocks
  readonly usage: SqliteUsage
  private readonly inserts
  private readonly seriesIds = new Map<bigint, number>()

  constructor(
    readonly database: Database,
    prices: Prices,
  ) {
    this.usage = new SqliteUsage(database, prices)
    this.sources = new Sources(database)
    this.blocks = new Blocks(database)
    this.inserts = {
      span: insert(database, 'OR IGNORE', 'span', spanColumns),
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
      tally: database.query<{ rows: number }, [Tallied]>('SELECT rows FROM tally WHERE name = ?'),
      count: database.query<unknown, [number, Tallied]>('UPDATE tally SET rows = rows + ? WHERE name = ?'),
      seriesId: database.query<{ id: number }, [bigint]>('SELECT id FROM series WHERE hash = ?'),
    }
  }

  span(row: SpanRow): OtlpSpan {
    return readSpan(row, this.blocks.read(row.id), this.sources.read(row.source))
  }

  log(row: LogRow): OtlpLogRecord {
    return readLog(row, this.blocks.read(row.id), this.sources.read(row.source))
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
      this.blocks.forget()
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
    const sessions = 'SELECT id FROM session WHERE last_time < ? ORDER BY last_time'
    const key = 'series, start_time, time'
    const points = `SELECT ${key} FROM point WHERE time < ? ORDER BY time`
    const remove = (sql: string): number => this.database.query<unknown, [number]>(sql).run(beforeUnixMicro).changes
    const steps = [
      () => this.sweepBlocks(beforeUnixMicro),
      () => remove(`DELETE FROM session WHERE id IN (${sessions} LIMIT ${rowsPerSweep})`),
      () => -this.count('point', -remove(`DELETE FROM point WHERE (${key}) IN (${points} LIMIT ${rowsPerSweep})`)),
    ]
    let rows = 0
    for (const step of steps) {
      const once = this.database.transaction(step)
      for (let gone = once(); gone > 0; gone = once()) rows += gone
    }
    return rows
  }

  /** Some blocks with their rows; says how many rows that were. */
  private sweepBlocks(beforeUnixMicro: number): number {
    let rows = 0
    const removeFrom = (table: Tallied, ids: [number, number]): void => {
      const sql = `DELETE FROM ${table} WHERE id >= ? AND id < ?`
      rows -= this.count(table, -this.database.query<unknown, [number, number]>(sql).run(...ids).changes)
    }
    this.blocks.sweep(beforeUnixMicro, blocksPerSweep, (...ids) => {
      removeFrom('span', ids)
      removeFrom('log_record', ids)
    })
    return rows
  }

  /** How many rows there are. */
  tally(table: Tallied): number {
    return this.statements.tally.get(table)?.rows ?? 0
  }

  /** So many came, or went; gives the same back. */
  private count(table: Tallied, change: number): number {
    if (change !== 0) this.statements.count.run(change, table)
    return change
  }

  /** When the oldest row was; undefined when there is none. */
  oldest(): number | undefined {
    const times = ['SELECT min(last_time) AS t FROM block', 'SELECT min(time) AS t FROM point']
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
    const { point, session } = this.inserts
    run(session, [...readSessionFacts(batch).values()].map(sessionRow))
    switch (batch.signal) {
      case 'traces':
        this.blocks.write(batch.spans, this.spans)
        return
      case 'logs':
        this.blocks.write(batch.logs, this.logs)
        return
      case 'metrics':
        this.count(
          'point',
          run(
            point,
            batch.points.map((each) => ({ series: this.seriesOf(each), ...pointRow(each) })),
          ),
        )
    }
  }

  private readonly spans: Kind<OtlpSpan> = {
    put: (spans, id) => {
      const rows = spans.map((span, place) => spanRow(span, id + place, this.sources.idOf(span.source)))
      return this.count('span', run(this.inserts.span, rows))
    },
    pack: packSpan,
    endOf: ({ endUnixMicro }) => endUnixMicro,
  }

  private readonly logs: Kind<OtlpLogRecord> = {
    put: (logs, id) => {
      const rows = logs.map((log, place) => logRow(log, id + place, this.sources.idOf(log.source)))
      return this.count('log_record', run(this.inserts.log, rows))
    },
    pack: packLog,
    endOf: timeOf,
  }

  private seriesOf(point: OtlpPoint): number {
    const row = seriesRow(point, this.sources.idOf(point.source))
    const known = this.seriesIds.get(row.hash)
    if (known !== undefined) return known
    run(this.inserts.series, [row])
    const id = this.statements.seriesId.get(row.hash)?.id ?? 0
    if (this.seriesIds.size >= mostKnown) this.seriesIds.clear()
    this.seriesIds.set(row.hash, id)
    return id
  }
}
