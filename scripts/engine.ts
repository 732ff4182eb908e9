/**
 * ClickHouse's engine (chdb) and the official client for the tests: half a gigabyte that no other suite needs and that is never a
 * part of the product.
 */
import { join } from 'node:path'
import { workspaceModules } from './workspace.ts'

const WORKSPACE = join(import.meta.dir, '../test/stack/engine')

if (import.meta.main) console.log((await engineModules()) ?? 'ClickHouse’s engine does not run on this platform')

/** The `node_modules` with both packages, installed first if need be; undefined on platforms that chdb has no build for. */
export async function engineModules(): Promise<string | undefined> {
  return ['linux', 'darwin'].includes(process.platform)
    ? await workspaceModules('clickhouse-engine', WORKSPACE)
    : undefined
}
