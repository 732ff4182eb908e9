/**
 * Builds dist/claude-otel, and knows when it is out of date.
 * Run as a program it builds always, or with `--if-stale` only when a source is newer.
 */
import { statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import { readRevision } from './revision.ts'

const ROOT = join(import.meta.dir, '..')

/** The binary under test, under measurement and for the user. */
export const BINARY = join(ROOT, 'dist', process.platform === 'win32' ? 'claude-otel.exe' : 'claude-otel')

/** The same, with fault points: see test/faults/main.ts. */
export const FAULTS_BINARY = join(ROOT, 'dist', 'claude-otel-faults')

/**
 * Splitting and bytecode make lazy imports free, `require` keeps grpc-js working in a compiled file,
 * and no autoload means that a repository in which a hook runs cannot run code in us.
 */
const FLAGS = [
  '--compile',
  '--minify',
  '--bytecode',
  '--format=esm',
  '--splitting',
  '--conditions=require',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
]

/** Else packages of CommonJS that ask where they lie (grpc-js) would be told the builder's folder, in the bytes. */
const PLACELESS = { __dirname: '/', __filename: '/index.js' }

/** The suite that kills processes puts something behind these calls; the product does without them. */
export const DROP_FAULTS = '--drop=globalThis.faultPoint'

/** A folder's own time counts too: it changes when a file is taken out. */
const SOURCES = [
  'src',
  'src/**',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'scripts/build.ts',
  'scripts/revision.ts',
  'test/faults/main.ts',
]

if (import.meta.main) {
  if (process.argv.includes('--if-stale')) await buildIfStale()
  else await build()
}

/**
 * Compiles `entry` to `outfile` with the flags of the product, stamped with version and commit; throws with the
 * compiler's words if that fails. The name of `outfile` goes into the bytes, its folder does not.
 */
export async function compile(entry: string, outfile: string, more: readonly string[] = [DROP_FAULTS]): Promise<void> {
  const stamp = { CLAUDE_OTEL_VERSION: packageJson.version, CLAUDE_OTEL_COMMIT: readRevision(ROOT)?.commit ?? '' }
  const defines = Object.entries({ ...stamp, ...PLACELESS }).map(
    ([name, value]) => `--define=${name}=${JSON.stringify(value)}`,
  )
  const compiler = Bun.spawn(
    [process.execPath, 'build', ...FLAGS, ...more, ...defines, `--outfile=${outfile}`, entry],
    { cwd: ROOT, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
  )
  const [stdout, stderr, code] = await Promise.all([
    new Response(compiler.stdout).text(),
    new Response(compiler.stderr).text(),
    compiler.exited,
  ])
  if (code !== 0) throw new Error(`bun build ${entry} failed (${code})\n${stdout}${stderr}`)
}

/** Builds the binary and tells its size and the time it took in one line on stderr. */
export async function build(): Promise<void> {
  const startMs = performance.now()
  await mkdir(join(ROOT, 'dist'), { recursive: true })
  await compile(join('src', 'main.ts'), BINARY)
  const megabytes = (Bun.file(BINARY).size / 1e6).toFixed(1)
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  console.error(`dist/claude-otel ${packageJson.version}: ${megabytes} MB, built in ${seconds} s`)
}

/** Builds only if the binary is missing or older than a source. */
export async function buildIfStale(): Promise<void> {
  if (isStale(BINARY)) await build()
}

/** Builds the binary that can be told to kill itself, unless it is newer than every source. */
export async function buildFaultsIfStale(): Promise<void> {
  if (isStale(FAULTS_BINARY)) await compile(join('test', 'faults', 'main.ts'), FAULTS_BINARY, [])
}

/** Whether a file that was made of our sources, and of `more` patterns of files, is missing or older than one of them. */
export function isStale(made: string, more: readonly string[] = []): boolean {
  const madeMs = statSync(made, { throwIfNoEntry: false })?.mtimeMs
  if (madeMs === undefined) return true
  return [...SOURCES, ...more].flatMap(matches).some((path) => statSync(path).mtimeMs > madeMs)
}

function matches(pattern: string): string[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: ROOT, absolute: true, onlyFiles: false })]
}
