/** Everything that a SQLite store has kept, part by part, in an order that stays: whoever was interrupted goes on behind the last part. */
import type { OtlpBatch } from '../telemetry/otlp.ts'
import type { SessionUsage, TokenCounts, UsageRecord, UsageSource } from '../usage/record.ts'
import {
  type LogRow,
  type PointRow,
  type RecordRow,
  readPoint,
  readRecord,
  readSession,
  type SeriesRow,
  type SessionRow,
  type SpanRow,
} from './rows.ts'
import type { SessionFacts } from './session-facts.ts'
import { openSqliteFile, type SqliteFile } from './sqlite-file.ts'

const kinds = ['span', 'log', 'point', 'transcript'] as const
export type HistoryKind = (typeof kinds)[number]

/** A part, and what to ask for to get the next one of its kind. */
export interface HistoryPart {
  readonly kind: HistoryKind
  readonly rows: number
  readonly cursor: string
  /** What came by OTLP; of transcripts the answers that they told of. */
  readonly content: OtlpBatch | readonly UsageRecord[]
}

/** What was used in a quarter of an hour, as it was summed up when it came; times in microseconds. */
export interface SlotSum extends TokenCounts {
  readonly source: UsageSource
  readonly slotUnixMicro: number
  readonly model: string
  readonly querySource: string
  readonly repository: string
  readonly costSource: string
  readonly costUsd: number | null
  readonly lastUnixMicro: number
}

/** A session's usage by what stays when records go. */
export interface SessionSums {
  readonly sessionId: string
  readonly repository?: string
  readonly requests: Readonly<Partial<Record<UsageSource, number>>>
  readonly slots: readonly SlotSum[]
}

export interface SqliteHistory {
  readonly rows: number
  /** From behind these cursors on. */
  parts(cursors: ReadonlyMap<HistoryKind, string>): Generator<HistoryPart>
  /** What is known of sessions as wholes, some at a time. */
  sessions(): Generator<readonly SessionFacts[]>
  /** Usage of all sessions, some at a time. */
  sums(): Generator<readonly SessionSums[]>
  close(): void
}

const rowsPerPart = 2000
const sessionsPerPart = 200

/** All of it as it is now; the file may be in use by a hub. Throws what `openSqliteFile` throws. */
export function openSqliteHistory(path: string): SqliteHistory {
  const file = openSqliteFile(path)
  // Whoever writes goes on, and is not seen.
  file.database.run('BEGIN')
  const rows = (['span', 'log_record', 'point', 'usage_record'] as const).map(
    (table) =>
      file.database
        .query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}${table === 'usage_record' ? told : ''}`)
        .get()?.n ?? 0,
  )
  return {
    rows: rows.reduce((sum, count) => sum + count, 0),
    *parts(cursors) {
      for (const kind of kinds) {
        for (let cursor = cursors.get(kind) ?? ''; ; ) {
          const part = readers[kind](file, cursor)
          if (part === undefined) break
          yield { kind, ...part }
          cursor = part.cursor
        }
      }
    },
    sessions: () =>
      pages(
        (after) => sessionsAfter(file, after),
        ({ id }) => id,
      ),
    sums: () =>
      pages(
        (after) => sumsAfter(file, after),
        ({ sessionId }) => sessionId,
      ),
    close: () => {
      file.database.run('ROLLBACK')
      file.close()
    },
  }
}

/** The other tellers' records are made anew of what they told. */
const told = " WHERE source = 'transcript'"

type Reader = (file: SqliteFile, cursor: string) => Omit<HistoryPart, 'kind'> | undefined

const readers: Readonly<Record<HistoryKind, Reader>> = {
  span: (file, cursor) => {
    const rows = after<SpanRow>(file, 'SELECT * FROM span WHERE id > ? ORDER BY id', Number(cursor))
    return part(rows, ({ id }) => String(id), { signal: 'traces', spans: rows.map((row) => file.span(row)) })
  },
  log: (file, cursor) => {
    const rows = after<LogRow>(file, 'SELECT * FROM log_record WHERE id > ? ORDER BY id', Number(cursor))
    return part(rows, ({ id }) => String(id), { signal: 'logs', logs: rows.map((row) => file.log(row)) })
  },
  point: (file, cursor) => {
    const sql = `SELECT * FROM point JOIN series ON series.id = point.series
      WHERE (series, start_time, time) > (?, ?, ?) ORDER BY series, start_time, time`
    const [series = -1, start = -1, time = -1] = cursor === '' ? [] : cursor.split(' ').map(Number)
    const rows = after<SeriesRow & PointRow & { readonly series: number }>(file, sql, series, start, time)
    const points = rows.map((row) => readPoint(row, row, file.sources.read(row.source)))
    return part(rows, (row) => `${row.series} ${row.start_time} ${row.time}`, { signal: 'metrics', points })
  },
  transcript: (file, cursor) => {
    const rows = after<RecordRow>(file, `SELECT * FROM usage_record${told} AND id > ? ORDER BY id`, cursor)
    return part(rows, ({ id }) => id, rows.map(readRecord))
  },
}

function after<Row>(file: SqliteFile, sql: string, ...cursor: readonly (string | number)[]): readonly Row[] {
  return file.database.query<Row, (string | number)[]>(`${sql} LIMIT ${rowsPerPart}`).all(...cursor)
}

function part<Row>(rows: readonly Row[], cursorOf: (row: Row) => string, content: HistoryPart['content']) {
  const last = rows.at(-1)
  return last === undefined ? undefined : { rows: rows.length, cursor: cursorOf(last), content }
}

function* pages<Item>(
  read: (after: string) => readonly Item[],
  idOf: (item: Item) => string,
): Generator<readonly Item[]> {
  for (let after = ''; ; ) {
    const items = read(after)
    const last = items.at(-1)
    if (last === undefined) return
    yield items
    after = idOf(last)
  }
}

function sessionsAfter(file: SqliteFile, after: string): readonly SessionFacts[] {
  const sql = 'SELECT * FROM session WHERE id > ? ORDER BY id LIMIT ?'
  return file.database.query<SessionRow, [string, number]>(sql).all(after, sessionsPerPart).map(readSession)
}

interface SumRow {
  readonly session_id: string
  readonly repository: string | null
  readonly usage: string
}

function sumsAfter(file: SqliteFile, after: string): readonly SessionSums[] {
  const sessions = file.database
    .query<SumRow, [string, number]>(
      'SELECT session_id, repository, usage FROM usage_session WHERE session_id > ? ORDER BY session_id LIMIT ?',
    )
    .all(after, sessionsPerPart)
  const slots = file.database.query<SlotSum, [string]>(`SELECT source, time AS slotUnixMicro, model,
    query_source AS querySource, repository, cost_source AS costSource, input AS inputTokens, output AS outputTokens,
    cache_read AS cacheReadTokens, cache_creation AS cacheCreationTokens, cost_usd AS costUsd, last_time AS lastUnixMicro
    FROM usage_slot WHERE session_id = ?`)
  return sessions.map(({ session_id: sessionId, repository, usage }) => {
    const { bySource } = JSON.parse(usage) as SessionUsage
    const requests = Object.fromEntries(Object.entries(bySource).map(([source, totals]) => [source, totals.requests]))
    const known = { sessionId, requests, slots: slots.all(sessionId) }
    return repository === null ? known : { ...known, repository }
  })
}
