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
    run(this.insert, row)
    const id = this.idByHash.get(row.hash)?.id ?? 0
    this.ids.set(source, id)
    return id
  }

  read(id: number): OtlpSource {
    const known = this.found.get(id)
    if (known !== undefined) return known
    const row = this.byId.get(id)
    const source = row === null ? noSource : readSource(row)
    this.found.set(id, source)
    return source
  }

  forget(): void {
    this.ids = new WeakMap()
  }
}

const noSource: OtlpSource = { resource: {}, scopeName: '', scopeVersion: '', scopeAttributes: {} }

const sourceColumns = ['hash', 'service', 'resource', 'scope_name', 'scope_version', 'scope_attributes'] as const
export const spanColumns = [
  'trace_id',
  'span_id',
  'parent_span_id',
  'session_id',
  'name',
  'kind',
  'start_time',
  'end_time',
  'status_code',
  'status_message',
  'flags',
  'trace_state',
  'attributes',
  'events',
  'links',
  'source',
] as const
export const logColumns = [
  'hash',
  'time',
  'observed_time',
  'severity_number',
  'severity_text',
  'event_name',
  'session_id',
  'trace_id',
  'span_id',
  'body',
  'attributes',
  'source',
] as const
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
  readonly statement: Statement<unknown, SQLQueryBindings[]>
  readonly columns: readonly Column[]
}

export function insert<Column extends string>(
  database: Database,
  conflict: string,
  table: string,
  columns: readonly Column[],
  otherwise = '',
): Insert<Column> {
  const places = columns.map(() => '?').join(', ')
  const sql = `INSERT ${conflict} INTO ${table} (${columns.join(', ')}) VALUES (${places}) ${otherwise}`
  return { statement: database.prepare<unknown, SQLQueryBindings[]>(sql), columns }
}

export function run<Column extends string>(
  { statement, columns }: Insert<Column>,
  row: Readonly<Record<Column, SQLQueryBindings>>,
): void {
  statement.run(...columns.map((column) => row[column]))
}
