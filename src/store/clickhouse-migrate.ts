/** Brings a ClickHouse database to the schema of this version, by whatever way its statements are sent. */
import { Failure } from '../base/errors.ts'
import {
  agingStatements,
  clickhouseMigrations,
  type KeptDays,
  rememberVersion,
  schemaTable,
} from './clickhouse-schema.ts'

/** Runs one statement in the database; resolves with what it printed, as tab-separated lines. */
export type Execute = (statement: string) => Promise<string>

/**
 * Without `kept`, rows are kept as long as they are now. Says which version it found (0 is none). A step that was interrupted is taken again from its beginning, which changes nothing.
 * Throws a Failure ('data') for a database that a later version has written.
 */
export async function migrateClickHouse(execute: Execute, kept?: KeptDays): Promise<number> {
  await execute(schemaTable)
  const found = Number(await execute('SELECT max(Version) FROM claude_otel_schema'))
  if (found > clickhouseMigrations.length) {
    throw new Failure(
      'data',
      `ClickHouse has schema ${found}, this version knows ${clickhouseMigrations.length}`,
      'update claude-otel',
    )
  }
  for (const [index, statements] of clickhouseMigrations.entries()) {
    if (index < found) continue
    for (const statement of statements) await execute(statement)
    await execute(rememberVersion(index + 1))
  }
  if (kept !== undefined) for (const statement of agingStatements(kept)) await execute(statement)
  return found
}
