/**
 * Packages that only tests need and that are too large, or too foreign, for the project's own lockfile: each set is a folder with a
 * `package.json` and a lockfile, installed once into the user's cache.
 */
import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cachedBuild, runIn } from './cache.ts'

const FILES = ['package.json', 'package-lock.json']

/** The `node_modules` of the packages that this folder names, installed first if need be. Throws with npm's words if it fails. */
export async function workspaceModules(name: string, folder: string): Promise<string> {
  const lock = await Bun.file(join(folder, 'package-lock.json')).text()
  const install = async (home: string) => {
    console.log(`Installing what the tests need of ${Object.keys(await packagesOf(folder)).join(', ')} (once) …`)
    for (const file of FILES) await copyFile(join(folder, file), join(home, file))
    // Not `npm ci`: it wants builds for other platforms in the lockfile, which a registry need not have.
    const options = ['--no-save', '--ignore-scripts', '--loglevel=error', '--no-audit', '--no-fund']
    await runIn(home, ['npm', 'install', ...options])
  }
  return join(await cachedBuild(name, [lock], install), 'node_modules')
}

async function packagesOf(folder: string): Promise<Readonly<Record<string, string>>> {
  return (await Bun.file(join(folder, 'package.json')).json()).dependencies
}
