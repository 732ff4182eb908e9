/**
 * The way into every npm script, on a machine that has only Node and npm: installs what the
 * lockfile pins, mends installers that npm did not run, then hands the task to the pinned Bun.
 * Plain JavaScript of an old dialect without dependencies, because it runs before anything else exists.
 *
 *   node scripts/bootstrap.mjs <task> [arguments]
 */
import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const BUN = join(ROOT, 'node_modules', '.bin', process.platform === 'win32' ? 'bun.exe' : 'bun')
const OLDEST_NODE = 20

/** What each task runs, in order; the arguments of the command line go to the last step. */
const TASKS = {
  build: [['scripts/build.ts']],
  start: [['scripts/build.ts', '--if-stale'], ['scripts/demo.ts']],
  test: [['scripts/test.ts', 'check', 'unit', 'sessions']],
  check: [['scripts/test.ts', 'check']],
  'test:unit': [['scripts/test.ts', 'unit']],
  'test:sessions': [['scripts/test.ts', 'sessions']],
  'test:faults': [['scripts/test.ts', 'faults']],
  'test:privacy': [['scripts/test.ts', 'privacy']],
  'test:health': [['scripts/test.ts', 'health']],
  'test:hub': [['scripts/test.ts', 'hub']],
  'test:collector': [['scripts/test.ts', 'collector']],
  'test:ship': [['scripts/test.ts', 'ship']],
  release: [['scripts/release.ts']],
  'test:stack': [['scripts/test.ts', 'stack']],
  'test:rich': [['scripts/test.ts', 'rich']],
  bench: [['scripts/build.ts', '--if-stale'], ['scripts/bench.ts']],
}

/** Programs that npm packages unpack in an install script, which npm may have been told not to run. */
const UNPACKED = [
  { name: 'bun', installer: 'node_modules/bun/install.js' },
  { name: 'claude', installer: 'node_modules/@anthropic-ai/claude-code/install.cjs' },
]

/** npm explains itself at length; the reason stands at the beginning. */
const NPM_LINES = 8

const NPM_MENDS = [
  { symptom: /EUSAGE/, hint: 'package.json and package-lock.json do not agree: npm install' },
  {
    symptom: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH/,
    hint: 'the npm registry must be reachable: check the network and the proxy, then try again',
  },
]

/** Would change what Bun or Node does, from the outside. */
const FOREIGN_VARIABLES = ['BUN_BE_BUN', 'BUN_OPTIONS', 'BUN_INSPECT', 'NODE_OPTIONS']

const environment = { ...process.env }
for (const name of FOREIGN_VARIABLES) delete environment[name]

await main(process.argv[2], process.argv.slice(3))

async function main(task, args) {
  const steps = TASKS[task]
  if (!steps) fail(`there is no task ${JSON.stringify(task || '')}`, `use one of: ${Object.keys(TASKS).join(', ')}`)
  if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE)
    fail(`Node ${process.versions.node} is too old`, `install Node ${OLDEST_NODE} or newer: https://nodejs.org`)

  if (!isInstalled()) install()
  for (const program of UNPACKED) unpack(program)

  for (const [index, [script, ...options]] of steps.entries()) {
    const isLast = index === steps.length - 1
    await run(join(ROOT, script), isLast ? [...options, ...args] : options)
  }
}

/** Whether node_modules holds what package-lock.json names; npm notes there what it installed, when it has finished. */
function isInstalled() {
  const locked = readJson('package-lock.json')
  const installed = readJson('node_modules/.package-lock.json')
  if (!locked) fail('package-lock.json is missing or broken', 'restore it: git checkout package-lock.json')
  if (!installed) return false
  return Object.entries(locked.packages).every(
    ([path, { version, optional }]) => path === '' || optional || installed.packages[path]?.version === version,
  )
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(ROOT, path), 'utf8'))
  } catch {
    return undefined
  }
}

function install() {
  process.stderr.write('Installing the pinned packages (npm ci) …\n')
  const npm = process.env.npm_execpath?.endsWith('.js')
    ? { command: process.execPath, args: [process.env.npm_execpath] }
    : { command: 'npm', args: [] }
  const result = spawnSync(npm.command, [...npm.args, 'ci', '--loglevel=error', '--no-audit', '--no-fund'], {
    cwd: ROOT,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (result.status === 0) return
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`.trim()
  process.stderr.write(`${output.split('\n').slice(0, NPM_LINES).join('\n')}\n`)
  const mend = NPM_MENDS.find(({ symptom }) => symptom.test(output))
  fail('npm ci failed', mend ? mend.hint : 'see above')
}

function unpack({ name, installer }) {
  if (works(name)) return
  process.stderr.write(`Unpacking ${name} …\n`)
  const result = spawnSync(process.execPath, [join(ROOT, installer)], {
    cwd: dirname(join(ROOT, installer)),
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  })
  if (result.status === 0 && works(name)) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
  fail(
    `the ${name} of node_modules does not run on ${process.platform}-${process.arch}`,
    'remove node_modules and try again, without --omit=optional',
  )
}

function works(name) {
  const program = join(dirname(BUN), process.platform === 'win32' ? `${name}.exe` : name)
  const result = spawnSync(program, ['--version'], { env: environment, stdio: ['ignore', 'pipe', 'ignore'] })
  return result.status === 0 && /^\d+\.\d+/.test(String(result.stdout))
}

/** Runs one script to its end; this process takes over an exit code or a death by signal that is not success. */
async function run(script, args) {
  const child = spawn(BUN, [script, ...args], { cwd: ROOT, env: environment, stdio: 'inherit' })
  // The terminal sends Ctrl-C to both of us: the child decides. The others come to us alone.
  process.on('SIGINT', () => {})
  for (const name of ['SIGTERM', 'SIGHUP']) process.on(name, () => child.kill(name))
  const { code, signal } = await new Promise((resolve) => {
    child.on('error', (error) => fail(`cannot run ${BUN}: ${error.message}`, 'remove node_modules and try again'))
    child.on('exit', (code, signal) => resolve({ code, signal }))
  })
  if (signal) process.exit(128 + constants.signals[signal])
  if (code !== 0) process.exit(code)
}

function fail(message, hint) {
  process.stderr.write(`claude-otel: ${message}\n  ${hint}\n`)
  process.exit(1)
}
