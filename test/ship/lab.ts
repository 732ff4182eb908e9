/**
 * The lab in which install.sh is tried: two releases on loopback, worlds of few programs, a home for each test, and
 * what must hold after every one of them.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { releaseIfStale } from '../../scripts/release.ts'
import { binFolder, copySources, type Ended, must, program, ROOT, run } from './kit.ts'
import { type ReleaseServer, serveReleases, type Way } from './server.ts'

/** The version of these sources, and one that is published after it. */
export const OLD = packageJson.version
export const NEW = '99.0.0-next.1'

/** What install.sh may use, which is all that is in PATH. */
const TOOLS = 'awk cat chmod cp df dirname find grep gzip head id ls mkdir mktemp mv rm sleep tail tar tr uname'.split(
  ' ',
)
const GNU = [...TOOLS, 'getconf', 'ldd', 'sha256sum']
const SHELL_FILES = ['.bashrc', '.profile', '.zshrc']

/** A shell, and the programs that it finds. */
export interface World {
  readonly shell: readonly string[]
  readonly tools: Readonly<Record<string, string>>
}

export interface InstallOptions {
  readonly in?: World
  readonly way?: Way
  readonly env?: Readonly<Record<string, string>>
  /** In front of the shell: another user, limits. */
  readonly under?: readonly string[]
  readonly piped?: boolean
}

/** The tools of an ordinary Linux, by their names. */
export function gnu(...more: string[]): Record<string, string> {
  return Object.fromEntries([...GNU, ...more].map((name) => [name, program(name)]))
}

function busybox(...applets: string[]): Record<string, string> {
  return Object.fromEntries([...TOOLS, 'sha256sum', ...applets].map((name) => [name, program('busybox')]))
}

export const usual: World = { shell: [program('dash')], tools: gnu('curl') }
export const small: World = { shell: [program('busybox'), 'sh'], tools: busybox('wget') }
export const everywhere: readonly (readonly [string, World])[] = [
  ['dash with curl', usual],
  ['dash with wget', { shell: [program('dash')], tools: gnu('wget') }],
  ['bash with curl', { shell: [program('bash')], tools: gnu('curl') }],
  ['bash with wget', { shell: [program('bash')], tools: gnu('wget') }],
  ['busybox with curl', { shell: [program('busybox'), 'sh'], tools: { ...busybox(), curl: program('curl') } }],
  ['busybox with its own wget', small],
]

/** The sources, as of a later version, in a folder of their own. */
export async function copyNewSources(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  await copySources(folder)
  const manifest = join(folder, 'package.json')
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(`"version": "${OLD}"`, `"version": "${NEW}"`))
}

/** A release of that version for this machine, kept beside the other as long as that one is the same. */
async function newRelease(old: string): Promise<string> {
  const folder = `${old}-next`
  const mark = `${folder}.of`
  const of = readFileSync(join(old, 'SHA256SUMS'), 'utf8')
  if (existsSync(folder) && existsSync(mark) && readFileSync(mark, 'utf8') === of) return folder
  const sources = mkdtempSync(join(tmpdir(), 'claude-otel-next-'))
  try {
    await copyNewSources(sources)
    const build = [process.execPath, join(sources, 'scripts/release.ts'), '--target=linux-x64', `--out=${folder}`]
    await must(build, { cwd: sources, env: { ...process.env, PATH: process.env.PATH ?? '' } })
    writeFileSync(mark, of)
  } finally {
    rmSync(sources, { recursive: true })
  }
  return folder
}

export class Lab {
  root = ''
  /** For each test its own. */
  home = ''
  temporary = ''
  dir = ''
  #server: ReleaseServer | undefined
  readonly #paths = new Map<World, string>()

  /** A copy of install.sh that lies in no checkout. */
  get installer(): string {
    return join(this.root, 'install.sh')
  }

  get server(): ReleaseServer {
    return this.#server ?? expect.unreachable()
  }

  async open(): Promise<void> {
    const old = await releaseIfStale()
    this.root = mkdtempSync(join(tmpdir(), 'claude-otel-install-'))
    chmodSync(this.root, 0o755)
    copyFileSync(join(ROOT, 'install.sh'), this.installer)
    this.#server = await serveReleases({ [OLD]: old, [NEW]: await newRelease(old), '5.5.5': old }, NEW)
  }

  async close(): Promise<void> {
    await this.server.stop()
    rmSync(this.root, { recursive: true })
  }

  begin(): void {
    this.home = mkdtempSync(join(this.root, 'home of '))
    this.temporary = join(this.home, 'tmp')
    mkdirSync(this.temporary)
    for (const file of SHELL_FILES) writeFileSync(join(this.home, file), '# mine\n')
    this.dir = join(this.home, '.local', 'bin')
    this.server.asked.length = 0
    this.server.latest = NEW
  }

  /** Whatever happened: nothing is left behind, and no file of the shell was touched. */
  end(): void {
    expect(readdirSync(this.temporary)).toEqual([])
    if (existsSync(this.dir)) expect(readdirSync(this.dir).filter((name) => name !== 'claude-otel')).toEqual([])
    for (const file of SHELL_FILES) expect(readFileSync(join(this.home, file), 'utf8')).toBe('# mine\n')
  }

  /** What PATH is in a world. */
  path(world: World): string {
    const path = this.#paths.get(world) ?? binFolder(join(this.root, `bin-${this.#paths.size}`), world.tools)
    this.#paths.set(world, path)
    return path
  }

  install(args: readonly string[], options: InstallOptions = {}): Promise<Ended> {
    const { in: where = usual, way = 'good', env = {}, under = [], piped = false } = options
    const command = piped ? ['-s', '--', ...args] : [this.installer, ...args]
    const { home, temporary } = this
    return run([...under, ...where.shell, ...command], {
      env: {
        PATH: this.path(where),
        HOME: home,
        TMPDIR: temporary,
        SHELL: '/bin/bash',
        CLAUDE_OTEL_BASE_URL: this.server.url(way),
        ...env,
      },
      cwd: home,
      ...(piped ? { stdin: readFileSync(this.installer, 'utf8') } : {}),
    })
  }

  /** What the installed one says of itself, by which it is known. */
  async versionIn(folder = this.dir): Promise<string | undefined> {
    const installed = join(folder, 'claude-otel')
    if (!existsSync(installed)) return undefined
    return /^claude-otel (\S+)/.exec(await must([installed, '--version'], { env: {} }))?.[1]
  }

  async installedBefore(): Promise<void> {
    expect((await this.install(['--version', OLD])).code).toBe(0)
    this.server.asked.length = 0
  }
}

/** A lab for the tests of one file. */
export function useLab(): Lab {
  const lab = new Lab()
  beforeAll(() => lab.open(), 240_000)
  beforeEach(() => lab.begin())
  afterEach(() => lab.end())
  afterAll(() => lab.close())
  return lab
}
