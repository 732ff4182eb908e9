/**
 * Installs ClickHouse's engine (chdb) and the official client for the tests, once per lockfile, into the user's cache: half a
 * gigabyte that no other suite needs and that is never a part of the product.
 */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedBuild, runIn } from './cache.ts'

const WORKSPACE = join(import.meta.dir, '../test/stack/engine')
const FILES = ['package.json', 'package-lock.json']

if (import.meta.main) console.log((await engineModules()) ?? 'ClickHouse’s engine does not run on this platform')

/** The `node_modules` with both packages, installed first if need be; undefined on platforms that chdb has no build for. */
export async function engineModules(): Promise<string | undefined> {
  if (!['linux', 'darwin'].includes(process.platform)) return undefined
  const lock = await Bun.file(join(WORKSPACE, 'package-lock.json')).text()
  return join(await cachedBuild('clickhouse-engine', [lock], install), 'node_modules')
}

async function install(folder: string): Promise<void> {
  console.log('Installing ClickHouse’s engine for the tests (once, 550 MB) …')
  for (const file of FILES) await copyFile(join(WORKSPACE, file), join(folder, file))
  // Not `npm ci`: it wants builds for other platforms in the lockfile, which a registry need not have.
  await runIn(folder, ['npm', 'install', '--no-save', '--loglevel=error', '--no-audit', '--no-fund'])
}
