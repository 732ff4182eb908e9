/**
 * Builds a release for every target on one machine, into dist/release: archives, install scripts, bill of
 * materials, SHA256SUMS and a Homebrew formula. Of the same commit it makes the same bytes, wherever and whenever.
 *
 *   npm run release -- [--target=<name> …] [--out=<folder>]
 */
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import packageJson from '../package.json' with { type: 'json' }
import { compile, DROP_FAULTS, isStale } from './build.ts'
import { type Entry, tarGz, zip } from './release/archive.ts'
import { unpackBase } from './release/bases.ts'
import { checkExecutable, inspectExecutable } from './release/executable.ts'
import { renderFormula } from './release/formula.ts'
import { renderNotices } from './release/notices.ts'
import { renderSbom } from './release/sbom.ts'
import { signAdHoc } from './release/signature.ts'
import { type Built, checkGates, renderSizes } from './release/sizes.ts'
import { archiveName, executableName, type Target, targets } from './release/targets.ts'
import { readRevision } from './revision.ts'

const ROOT = join(import.meta.dir, '..')
const VERSION = packageJson.version
const RUN_AT_ONCE = 2
const RELEASE_FOLDER = join(ROOT, 'dist', 'release')
const SOURCES = ['scripts/release.ts', 'scripts/release', 'scripts/release/**', 'LICENSE', 'install.sh', 'install.ps1']

if (import.meta.main) {
  const options = { target: { type: 'string', multiple: true }, out: { type: 'string' } } as const
  const { values } = parseArgs({ options })
  await release(resolve(values.out ?? RELEASE_FOLDER), values.target)
}

/** The folder of a release for every target, built first unless the one there is of the same commit and no older. */
export async function releaseIfStale(): Promise<string> {
  const bom = join(RELEASE_FOLDER, `claude-otel-${VERSION}.cdx.json`)
  if (isStale(bom, SOURCES) || !(await Bun.file(bom).text()).includes(`"${commitOf()}"`)) await release(RELEASE_FOLDER)
  return RELEASE_FOLDER
}

/**
 * Writes the release of the named targets, else of all, to `out`, whole or not at all, and its sizes to stdout;
 * throws over a gate.
 */
export async function release(out: string, names?: readonly string[]): Promise<void> {
  const chosen = names?.map(targetOf) ?? targets
  const work = await mkdtemp(join(tmpdir(), 'claude-otel-release-'))
  try {
    const time = sourceTime()
    const built = await inTurn(chosen, (target) => buildTarget(target, work, time))
    console.log(renderSizes(built))
    checkGates(built)
    await writeRelease(out, await releaseFiles(built, time))
    console.log(`\n${out}: claude-otel ${VERSION}, ${commitOf()}, ${built.length} of ${targets.length} targets`)
  } finally {
    await rm(work, { recursive: true })
  }
}

function targetOf(name: string): Target {
  const target = targets.find((candidate) => candidate.name === name)
  if (!target) throw new Error(`there is no target ${name}: use ${targets.map((each) => each.name).join(', ')}`)
  return target
}

function commitOf(): string {
  return readRevision(ROOT)?.commit ?? 'of an unknown commit'
}

/** Seconds since 1970 that stand for the time of building: the commit's. */
function sourceTime(): number {
  const given = process.env.SOURCE_DATE_EPOCH
  const time = given ? Number(given) : readRevision(ROOT)?.committedAt
  if (time === undefined || !Number.isInteger(time))
    throw new Error('no commit to take the time from: set SOURCE_DATE_EPOCH')
  return time
}

async function inTurn(chosen: readonly Target[], work: (target: Target) => Promise<Built>): Promise<Built[]> {
  const waiting = [...chosen]
  const built: Built[] = []
  const worker = async () => {
    for (let target = waiting.shift(); target; target = waiting.shift()) built.push(await work(target))
  }
  await Promise.all(Array.from({ length: RUN_AT_ONCE }, worker))
  return built.sort((left, right) => chosen.indexOf(left.target) - chosen.indexOf(right.target))
}

async function buildTarget(target: Target, work: string, time: number): Promise<Built> {
  const folder = join(work, target.name)
  const base = await unpackBase(target, folder)
  const outfile = join(folder, executableName(target))
  const flags = [DROP_FAULTS, `--target=bun-${target.name}`, `--compile-executable-path=${base}`]
  await compile(join('src', 'main.ts'), outfile, flags)
  const compiled = await readFile(outfile)
  const executable = inspectExecutable(compiled).signature === 'broken' ? signAdHoc(compiled) : compiled
  checkExecutable(executable, target)
  const archive = await pack(target, executable, time)
  await rm(folder, { recursive: true })
  return { target, executable, archive }
}

async function pack(target: Target, executable: Buffer, time: number): Promise<Buffer> {
  const folder = archiveName(target, VERSION).replace(/\.(tar\.gz|zip)$/, '')
  const entry = (name: string, bytes: Buffer, isExecutable = false): Entry => ({
    name: `${folder}/${name}`,
    bytes,
    isExecutable,
  })
  const entries = [
    entry('LICENSE', await readFile(join(ROOT, 'LICENSE'))),
    entry('THIRD-PARTY-NOTICES', Buffer.from(renderNotices())),
    entry(executableName(target), executable, true),
  ]
  return target.format === 'PE' ? zip(entries, time) : tarGz(entries, time)
}

/** Every file by its name; the formula only where all that it points to was built. */
async function releaseFiles(built: readonly Built[], time: number): Promise<Map<string, Buffer>> {
  const files = new Map(built.map(({ target, archive }) => [archiveName(target, VERSION), archive]))
  files.set(`claude-otel-${VERSION}.cdx.json`, Buffer.from(renderSbom(commitOf(), time)))
  for (const script of ['install.sh', 'install.ps1']) files.set(script, await readFile(join(ROOT, script)))
  const sums = new Map([...files].map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]))
  const lines = [...sums].sort().map(([name, sum]) => `${sum}  ${name}\n`)
  files.set('SHA256SUMS', Buffer.from(lines.join('')))
  if (built.length === targets.length) files.set('Formula/claude-otel.rb', Buffer.from(renderFormula(sums)))
  return files
}

async function writeRelease(out: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const partial = `${out}.partial`
  await rm(partial, { recursive: true, force: true })
  for (const [name, bytes] of files) {
    await mkdir(dirname(join(partial, name)), { recursive: true })
    await Bun.write(join(partial, name), bytes)
  }
  await rm(out, { recursive: true, force: true })
  await rename(partial, out)
}
