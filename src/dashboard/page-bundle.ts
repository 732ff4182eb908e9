/**
 * The page's script and style as texts, made while this program is built: import these functions `with { type: 'macro' }`. Nothing of
 * the page's sources, packages or compiler is needed when it runs.
 */
import { join } from 'node:path'

const page = join(import.meta.dir, 'page')

export function bundleScript(): string {
  return bundle('main.tsx')
}

export function bundleStyle(): string {
  return bundle('style.css')
}

function bundle(entry: string): string {
  const { success, stdout, stderr } = Bun.spawnSync(
    [process.execPath, 'build', '--minify', '--target=browser', '--production', join(page, entry)],
    // The compiler that builds us may have been told to be something else.
    { env: {}, cwd: join(import.meta.dir, '../..') },
  )
  if (!success) throw new Error(`${entry} does not build:\n${new TextDecoder().decode(stderr)}`)
  return new TextDecoder().decode(stdout)
}
