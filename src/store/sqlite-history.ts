/** Everything that a SQLite store has kept, part by part, in an order that stays: whoever was interrupted goes on behind the last part. */
import type { OtlpBatch } from '../telemetry/otlp.ts'
import type { UsageRecord } from '../usage/record.ts'
import {
  type LogRow,
  type PointRow,
  type RecordRow,
  readPoint,
  readRecord,
  type SeriesRow,
  type SpanRow,
} from './rows.ts'
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

export interface SqliteHistory {
  readonly rows: number
  /** From behind these cursors on. */
  parts(cursors: ReadonlyMap<HistoryKind, string>): Generator<HistoryPart>
  close(): void
}

const rowsPerPart = 2000

/** The file may be in use by a hub. Throws what `openSqliteFile` throws. */
export function openSqliteHistory(path: string): SqliteHistory {
  const file = openSqliteFile(path)
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
    close: () => file.close(),
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
