/** How rows get into the tables of the SQLite store: their columns, the statements that insert them, and sources by number. */
import type { Database, SQLQueryBindings, Statement } from 'bun:sqlite'
import type { OtlpSource } from '../telemetry/otlp.ts'
import { readSource, type SourceRow, sourceRow } from './rows.ts'

/** Resource and scope, of which thousands of rows have the same. */
export class Sources {
  private readonly insert
  private readonly idByHash
  private readonly byId
  private ids = new WeakMap<OtlpSource, number>()
  private readonly found = new Map<number, OtlpSource>()

  constructor(database: Database) {
    this.insert = insert(database, 'OR IGNORE', 'source', sourceColumns)
    this.idByHash = database.query<{ id: number }, [bigint]>('SELECT id FROM source WHERE hash = ?')
    this.byId = database.query<SourceRow, [number]>('SELECT * FROM source WHERE id = ?')
  }

  idOf(source: OtlpSource): number {
    const known = this.ids.get(source)
    if (known !== undefined) return known
    const row = sourceRow(source)
    run(this.insert, [row])
    const id = this.idByHash.get(row.hash)?.id ?? 0
    this.ids.set(source, id)
    return id
  }

  read(id: number): OtlpSource {
    const known = this.found.get(id)
    if (known !== undefined) return known
    const row = this.byId.get(id)
    const source = row === null ? noSource : readSource(row)
    if (this.found.size >= mostKnown) this.found.clear()
    this.found.set(id, source)
    return source
  }

  forget(): void {
    this.ids = new WeakMap()
  }
}

/** Every process is a source of its own, and a hub lives for long. */
export const mostKnown = 10_000

const noSource: OtlpSource = { resource: {}, scopeName: '', scopeVersion: '', scopeAttributes: {} }

const sourceColumns = ['hash', 'service', 'resource', 'scope_name', 'scope_version', 'scope_attributes'] as const
export const spanColumns = ['id', 'trace_id', 'span_id', 'session_id', 'start_time', 'end_time', 'source'] as const
export const logColumns = ['id', 'hash', 'time', 'session_id', 'source'] as const
export const seriesColumns = [
  'hash',
  'name',
  'unit',
  'description',
  'type',
  'temporality',
  'is_monotonic',
  'session_id',
  'attributes',
  'source',
] as const
export const sessionColumns = [
  'id',
  'first_time',
  'last_time',
  'conversation_id',
  'trace_id',
  'source',
  'cwd',
  'repository',
  'branch',
  'user',
  'model',
  'version',
  'title',
  'end_time',
  'end_reason',
] as const
/** The first prompt stays its title, and one that is heard of after its end goes on; what else is told later is right. */
export const sessionConflict = `ON CONFLICT (id) DO UPDATE SET
  first_time = min(first_time, excluded.first_time),
  last_time = max(last_time, excluded.last_time),
  title = coalesce(title, excluded.title),
  end_time = coalesce(excluded.end_time, end_time),
  ${sessionColumns
    .filter((column) => !['id', 'first_time', 'last_time', 'title', 'end_time'].includes(column))
    .map((column) => `${column} = coalesce(excluded.${column}, ${column})`)
    .join(', ')}`
export const pointColumns = ['start_time', 'time', 'value', 'count', 'detail'] as const

interface Insert<Column extends string> {
  readonly columns: readonly Column[]
  /** The largest first; the last for one row. */
  readonly statements: readonly { readonly rows: number; readonly statement: Statement<unknown, SQLQueryBindings[]> }[]
}

/** One statement for many rows costs a third less than one for each. */
const rowsAtOnce = [64, 8, 1]

export function insert<Column extends string>(
  database: Database,
  conflict: string,
  table: string,
  columns: readonly Column[],
  otherwise = '',
): Insert<Column> {
  const row = `(${columns.map(() => '?').join(', ')})`
  const statements = rowsAtOnce.map((rows) => {
    const places = Array.from({ length: rows }, () => row).join(', ')
    const sql = `INSERT ${conflict} INTO ${table} (${columns.join(', ')}) VALUES ${places} ${otherwise}`
    return { rows, statement: database.prepare<unknown, SQLQueryBindings[]>(sql) }
  })
  return { columns, statements }
}

/** Says how many rows were written. */
export function run<Column extends string>(
  { columns, statements }: Insert<Column>,
  rows: readonly Readonly<Record<Column, SQLQueryBindings>>[],
): number {
  let written = 0
  let at = 0
  for (const { rows: many, statement } of statements)
    for (; rows.length - at >= many; at += many) {
      const values: SQLQueryBindings[] = []
      for (const row of rows.slice(at, at + many)) for (const column of columns) values.push(row[column])
      written += statement.run(...values).changes
    }
  return written
}
