/** What the tests build of other people's programs: once for all that it is made of, into the user's cache. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'

const BUILD_LIMIT_MS = 25 * 60_000
const LOCK_POLL_MS = 500

/**
 * The folder that `build` fills, made first if the cache has none for these parts. A build that fails leaves nothing there and
 * throws what it threw.
 */
export async function cachedBuild(
  name: string,
  parts: readonly string[],
  build: (folder: string) => Promise<void>,
): Promise<string> {
  const digest = createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12)
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'claude-otel')
  const home = join(cache, `${name}-${digest}`)
  if (existsSync(home)) return home

  await mkdir(cache, { recursive: true })
  await withLock(`${home}.lock`, async () => {
    if (existsSync(home)) return
    const folder = await mkdtemp(`${home}.`)
    try {
      await build(folder)
      await rename(folder, home)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
  return home
}

/** Runs one step of a build; throws with what it said when it fails. */
export async function runIn(folder: string, command: string[], env: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn(command, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: BUILD_LIMIT_MS,
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0) throw new Error(`${command.join(' ')} failed in ${basename(folder)} (${code})\n${stdout}${stderr}`)
}

/** Two test runs that begin at once build one. The lock of a build that was killed is taken over. */
async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  while (!(await tryLock(path))) await Bun.sleep(LOCK_POLL_MS)
  try {
    await work()
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    await mkdir(path)
    return true
  } catch {
    const lock = await stat(path).catch(() => undefined)
    if (lock && Date.now() - lock.mtimeMs > BUILD_LIMIT_MS) await rm(path, { recursive: true, force: true })
    return false
  }
}
