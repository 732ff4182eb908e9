/**
 * The Bun executables that a compiled file begins with, one per target: from npm's registry, by npm, so that
 * its configuration (registry, proxy, credentials) holds, and checked against what package-lock.json pins.
 */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import lock from '../../package-lock.json' with { type: 'json' }
import type { Target } from './targets.ts'

const BUN_VERSION = packageJson.devDependencies.bun

type Locked = Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>

/**
 * Unpacks the Bun of a target into `folder` and returns the path of its executable. Its tarball stays in the user's
 * cache and is checked whenever it is used; throws if it is not the one that the lockfile pins.
 */
export async function unpackBase(target: Target, folder: string): Promise<string> {
  const name = packageName(target)
  const { version, integrity } = (lock.packages as Locked)[`node_modules/${name}`] ?? {}
  if (version !== BUN_VERSION || integrity === undefined) throw new Error(`package-lock.json pins no ${name}`)
  const tarball = await cachedTarball(name)
  await checkIntegrity(tarball, integrity)
  await mkdir(folder, { recursive: true })
  await run(['tar', '-xzf', tarball, '-C', folder], folder)
  return join(folder, 'package', 'bin', target.format === 'PE' ? 'bun.exe' : 'bun')
}

function packageName(target: Target): string {
  return `@oven/bun-${target.name.replace('arm64', 'aarch64')}`
}

async function cachedTarball(name: string): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'claude-otel', `bun-${BUN_VERSION}`)
  const file = `${name.slice(1).replace('/', '-')}-${BUN_VERSION}.tgz`
  const tarball = join(cache, file)
  if (existsSync(tarball)) return tarball
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'download-'))
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
    await run([npm, 'pack', '--silent', '--pack-destination', folder, `${name}@${BUN_VERSION}`], folder)
    await rename(join(folder, file), tarball)
  } finally {
    await rm(folder, { recursive: true })
  }
  return tarball
}

/** Throws, and takes the file away, if it has another digest than `integrity` (`sha512-` and base64) says. */
async function checkIntegrity(path: string, integrity: string): Promise<void> {
  const [algorithm = '', expected] = integrity.split(/-(.*)/s)
  const actual = createHash(algorithm)
    .update(await readFile(path))
    .digest('base64')
  if (actual === expected) return
  await rm(path)
  throw new Error(`${path} is not what package-lock.json pins: ${algorithm}-${actual} instead of ${integrity}`)
}

async function run(command: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(command, { cwd, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  const [stderr, code] = await Promise.all([new Response(child.stderr).text(), child.exited])
  if (code !== 0) throw new Error(`${command.join(' ')} failed (${code})\n${stderr}`)
}
