/**
 * Runs the suites named on the command line, each to its end, says once more what failed, and closes with `N passed, N failed`.
 * Fails if anything failed, if nothing ran, and, with CI set, if anything was left out.
 *
 * The suites run real programs side by side, and share the machine with whatever else goes on there. Where one or
 * two of their tests fail, these run again alone; what passes then has passed, and is told with what it had said before.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { chromiumPath } from '../test/hub/browser.ts'
import { missingPrograms } from '../test/ship/kit.ts'
import { buildIfStale } from './build.ts'
import { collectorBinary } from './collector.ts'
import { engineModules } from './engine.ts'
import { foreignObstacle } from './foreign-clients.ts'
import { type Counts, type FailedTest, failedTests, parseReport, secondAttempt } from './report.ts'

const ROOT = join(import.meta.dir, '..')
/** More failures than this are no accident. */
const mostAgain = 2
const mostLines = 60
/** What begins the lines that `.ci/run` says again at its end. */
const recapMark = '!!'

interface Suite {
  /** Glob patterns of its test files, and of those that belong to another suite. */
  readonly files: string
  readonly except?: RegExp
  readonly needsBinary: boolean
  readonly timeoutMs: number
  /** Why it cannot run on this machine, if it cannot. */
  readonly obstacle?: () => Promise<string | undefined>
}

const SUITES: Readonly<Record<string, Suite>> = {
  unit: {
    files: 'test/**/*.test.ts',
    except: /^test\/(sessions|faults|collector|privacy|health|hub|ship|stack|rich)\//,
    needsBinary: true,
    timeoutMs: 20_000,
  },
  sessions: { files: 'test/sessions/**/*.test.ts', needsBinary: true, timeoutMs: 120_000 },
  faults: { files: 'test/faults/**/*.test.ts', needsBinary: true, timeoutMs: 240_000 },
  privacy: { files: 'test/privacy/**/*.test.ts', needsBinary: true, timeoutMs: 120_000 },
  health: { files: 'test/health/**/*.test.ts', needsBinary: true, timeoutMs: 60_000 },
  hub: {
    files: 'test/hub/**/*.test.ts',
    needsBinary: true,
    timeoutMs: 120_000,
    obstacle: async () => (chromiumPath ? await foreignObstacle() : 'there is no Chromium: apt-get install chromium'),
  },
  collector: {
    files: 'test/collector/**/*.test.ts',
    needsBinary: true,
    timeoutMs: 120_000,
    obstacle: noCollector,
  },
  ship: {
    files: 'test/ship/**/*.test.ts',
    needsBinary: false,
    timeoutMs: 240_000,
    obstacle: async () => {
      if (process.platform !== 'linux') return 'it drives programs of Linux'
      return missingPrograms.length === 0
        ? undefined
        : `apt-get install what these are in: ${missingPrograms.join(', ')}`
    },
  },
  stack: {
    files: 'test/stack/**/*.test.ts',
    needsBinary: true,
    timeoutMs: 120_000,
    obstacle: async () => (await noCollector()) ?? (await noEngine()),
  },
  rich: { files: 'test/rich/**/*.test.ts', needsBinary: true, timeoutMs: 120_000 },
}

async function noCollector(): Promise<string | undefined> {
  return (await collectorBinary()) ? undefined : 'Go is not installed, so no Collector can be built'
}

async function noEngine(): Promise<string | undefined> {
  return (await engineModules()) ? undefined : 'ClickHouse’s engine has no build for this platform'
}

/** Whole-project checks; each counts as one test. */
const CHECKS: Readonly<Record<string, readonly string[]>> = {
  types: ['tsc', '-p', '.'],
  'types of the page': ['tsc', '-p', 'src/dashboard/page'],
  lint: ['biome', 'check', '--error-on-warnings', '.'],
}

if (import.meta.main) process.exit(await main(process.argv.slice(2)))

async function main(names: readonly string[]): Promise<number> {
  const results: Counts[] = []
  for (const name of names) {
    const startMs = performance.now()
    const counts = name === 'check' ? await runChecks() : await runSuite(name)
    const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
    console.log(`\n${name}: ${renderCounts(counts)} in ${seconds} s\n`)
    results.push(counts)
  }
  const total = results.reduce(add, { passed: 0, failed: 0, skipped: 0 })
  console.log(`${total.passed} passed, ${total.failed} failed`)
  const hasGap = results.some(({ passed, skipped }) => passed === 0 || skipped > 0)
  if (total.failed > 0 || total.passed === 0) return 1
  return process.env.CI && hasGap ? 1 : 0
}

async function runChecks(): Promise<Counts> {
  const codes = await Promise.all(Object.entries(CHECKS).map(([name, command]) => runCheck(name, command)))
  const passed = codes.filter((code) => code === 0).length
  return { passed, failed: codes.length - passed, skipped: 0 }
}

async function runCheck(name: string, [program = '', ...args]: readonly string[]): Promise<number> {
  const child = Bun.spawn([join(ROOT, 'node_modules', '.bin', program), ...args], {
    cwd: ROOT,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  console.log(code === 0 ? `${name}: clean` : `${name}: failed\n${stdout}${stderr}`)
  return code
}

async function runSuite(name: string): Promise<Counts> {
  const suite = SUITES[name]
  if (!suite) throw new Error(`no suite is called ${name}: use check, ${Object.keys(SUITES).join(', ')}`)
  const obstacle = await suite.obstacle?.()
  if (obstacle) return refuse(name, obstacle)
  const files = testFiles(suite)
  if (files.length === 0) return refuse(name, `there is no test in ${suite.files}`)
  if (suite.needsBinary) await buildIfStale()
  return runFiles(suite, files)
}

/** A suite that cannot run is not a suite that passed: it has no tests, and in CI that is a failure. */
function refuse(name: string, reason: string): Counts {
  console.log(`${name}: NOT RUN: ${reason}`)
  return { passed: 0, failed: process.env.CI ? 1 : 0, skipped: 0 }
}

function testFiles(suite: Suite): string[] {
  const paths = [...new Bun.Glob(suite.files).scanSync({ cwd: ROOT })].map((path) => path.replaceAll(sep, '/'))
  return paths.filter((path) => !suite.except?.test(path)).sort()
}

async function runFiles(suite: Suite, files: readonly string[]): Promise<Counts> {
  const { counts, failures } = await attempt(suite, files)
  if (counts.failed === 0) return counts
  const isBroken = failures.length !== counts.failed || failures.length > mostAgain
  if (isBroken) {
    tell('failed', failures)
    return counts
  }
  console.log(`\n${failures.length} failed: once more, alone\n`)
  const pattern = failures.map(({ name }) => `${name.replace(/[^\p{L}\p{N} ]/gu, '.')}$`).join('|')
  const again = await attempt(suite, [...new Set(failures.map(({ file }) => file))], pattern)
  const isStill = ({ file, name }: FailedTest) =>
    again.failures.some((test) => test.file === file && test.name === name)
  tell('failed twice', failures.filter(isStill))
  tell(
    'failed, and passed when it ran alone',
    failures.filter((test) => !isStill(test)),
  )
  return again.counts.passed + again.counts.failed < failures.length ? counts : secondAttempt(counts, again.counts)
}

function tell(what: string, failures: readonly FailedTest[]): void {
  for (const { file, group, name, message } of failures) {
    const title = group === '' ? name : `${group} > ${name}`
    const words = message.split('\n').slice(0, mostLines)
    console.log([`${recapMark} ${what}: ${file}: ${title}`, ...words].join(`\n${recapMark}   `))
  }
}

interface Attempt {
  readonly counts: Counts
  readonly failures: readonly FailedTest[]
}

async function attempt(suite: Suite, files: readonly string[], pattern?: string): Promise<Attempt> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-test-'))
  const report = join(folder, 'junit.xml')
  try {
    const child = Bun.spawn(
      [
        process.execPath,
        'test',
        `--timeout=${suite.timeoutMs}`,
        '--reporter=junit',
        `--reporter-outfile=${report}`,
        ...(pattern === undefined ? [] : ['--test-name-pattern', pattern]),
        ...files.map((path) => `./${path}`),
      ],
      { cwd: ROOT, stdin: 'ignore', stdout: 'inherit', stderr: 'inherit' },
    )
    const code = await child.exited
    const xml = await Bun.file(report)
      .text()
      .catch(() => '')
    return { counts: parseReport(xml, files, code), failures: failedTests(xml) }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function add(left: Counts, right: Counts): Counts {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  }
}

function renderCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
