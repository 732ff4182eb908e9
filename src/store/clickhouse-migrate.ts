/** Brings a ClickHouse database to the schema of this version. */
import { Failure } from '../base/errors.ts'
import type { ClickHouse } from './clickhouse-client.ts'
import {
  agingStatements,
  clickhouseMigrations,
  type KeptDays,
  rememberVersion,
  schemaTable,
} from './clickhouse-schema.ts'

/**
 * Without `kept`, rows are kept as long as they are now. Says which version it found (0 is none). A step that was interrupted is taken again from its beginning, which changes nothing.
 * Throws a Failure ('data') for a database that a later version has written.
 */
export async function migrateClickHouse(
  clickhouse: Pick<ClickHouse, 'run' | 'rows'>,
  kept?: KeptDays,
): Promise<number> {
  await clickhouse.run(schemaTable)
  const [{ found } = { found: 0 }] = await clickhouse.rows<{ found: number }>(
    'SELECT max(Version) AS found FROM claude_otel_schema',
  )
  if (found > clickhouseMigrations.length) {
    throw new Failure(
      'data',
      `ClickHouse has schema ${found}, this version knows ${clickhouseMigrations.length}`,
      'update claude-otel',
    )
  }
  for (const [index, statements] of clickhouseMigrations.entries()) {
    if (index < found) continue
    for (const statement of statements) await clickhouse.run(statement)
    await clickhouse.run(rememberVersion(index + 1))
  }
  if (kept !== undefined) for (const statement of agingStatements(kept)) await clickhouse.run(statement)
  return found
}
