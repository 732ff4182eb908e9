/** The hook and the wrapper beside programs that do nothing. */
import { readdirSync, rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wrappedRunName } from '../../src/hook/run-folder.ts'
import { BINARY, compile } from '../build.ts'
import { cleanEnvironment, inTurns, type Measure, median, ms, spawnTimed } from './kit.ts'

const COPIES = 4
/** Of each copy. */
const HOOK_RUNS = 60
const HOOK_PAYLOAD_BYTES = 2048
const WRAPPER_RUNS = 20
const SPEED_RUNS = 40
/** On a quiet machine: milliseconds are gated at that speed, or the gate would measure the machine. */
const HELLO_MS = 3.6
/** Nothing listens there. */
const NO_COLLECTOR = 'http://127.0.0.1:1'

/** A hook with a usual payload beside a compiled program that does nothing and gets the same. */
export async function measureHook(effort: number): Promise<Measure[]> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  try {
    const pairs = await copyPrograms(folder)
    const runFolder = join(folder, wrappedRunName(Date.now() * 1000, process.pid, 'bench'))
    const spool = join(runFolder, 'spool')
    await mkdir(spool, { recursive: true })
    const options = { stdin: payload(HOOK_PAYLOAD_BYTES), env: { ...cleanEnvironment(), CLAUDE_OTEL_RUN: runFolder } }
    // As the pump does: a spool that nobody empties gets slower with every file.
    let kept = 0
    const rounds = pairs.map(({ hook, hello }) =>
      inTurns(HOOK_RUNS * effort, {
        hook: () => {
          const wallMs = spawnTimed([hook, 'hook', 'pre'], options)
          kept += emptyFolder(spool)
          return wallMs
        },
        hello: () => spawnTimed([hello], options),
      }),
    )
    if (kept !== COPIES * (HOOK_RUNS * effort + 1))
      throw new Error(`the spool holds ${kept} records: the hook did not work`)
    const hook = Math.min(...rounds.map((times) => median(times.hook)))
    const hello = Math.min(...rounds.map((times) => median(times.hello)))
    const runs = COPIES * HOOK_RUNS * effort
    return [
      {
        name: 'hook',
        title: 'Hook (2 KB on stdin) / compiled program that does nothing',
        value: hook / hello,
        unit: '×',
        from: `${ms(hook)} / ${ms(hello)}: medians of the luckiest of ${COPIES} copies, ${runs} runs each`,
      },
    ]
  } finally {
    await rm(folder, { recursive: true })
  }
}

interface Pair {
  readonly hook: string
  readonly hello: string
}

/**
 * The same program starts up to a sixth faster or slower by how its file came to lie in the page cache.
 * So both are copies, made in the same way, there are several of each, and the luckiest of either are compared.
 */
async function copyPrograms(folder: string): Promise<Pair[]> {
  const built = join(folder, 'built')
  await Bun.write(`${built}.ts`, 'process.exit(0)\n')
  await compile(`${built}.ts`, built)
  const pairs = Array.from({ length: COPIES }, (_, index) => ({
    hook: join(folder, `hook-${index}`),
    hello: join(folder, `hello-${index}`),
  }))
  for (const { hook, hello } of pairs) {
    await copyFile(built, hello)
    await copyFile(BINARY, hook)
  }
  settleDisk()
  return pairs
}

/** Removes the files in it, and says how many there were. */
function emptyFolder(folder: string): number {
  const names = readdirSync(folder)
  for (const name of names) rmSync(join(folder, name))
  return names.length
}

/** Half a gigabyte on its way to the disk would slow whatever writes a file meanwhile. */
function settleDisk(): void {
  Bun.spawnSync(['sync'])
}

/** By how much this machine is faster just now than the one for which milliseconds are gated. */
export async function relativeSpeed(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  try {
    const [pair] = await copyPrograms(folder)
    if (pair === undefined) throw new Error('there is no copy of the programs to measure')
    return (
      HELLO_MS /
      median(inTurns(SPEED_RUNS, { hello: () => spawnTimed([pair.hello], { env: cleanEnvironment() }) }).hello)
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The wrapper around a program that ends at once. */
export async function measureWrapper(effort: number): Promise<Measure[]> {
  const state = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  try {
    const program = Bun.which('true')
    if (!program) throw new Error('there is no program `true` on the PATH')
    const env = { ...cleanEnvironment(), CLAUDE_OTEL_HOME: state, OTEL_EXPORTER_OTLP_ENDPOINT: NO_COLLECTOR }
    settleDisk()
    const rounds = (await copyPrograms(state)).map(({ hook, hello }) =>
      inTurns(WRAPPER_RUNS * effort, {
        wrapped: () => spawnTimed([hook], { env: { ...env, CLAUDE_BIN: program } }),
        bare: () => spawnTimed([program], { env }),
        hello: () => spawnTimed([hello], { env }),
      }),
    )
    const least = (name: 'wrapped' | 'bare' | 'hello') => Math.min(...rounds.map((times) => median(times[name])))
    const [wrapped, bare, hello] = [least('wrapped'), least('bare'), least('hello')]
    const value = (wrapped - bare) * (HELLO_MS / hello)
    const runs = COPIES * WRAPPER_RUNS * effort
    return [
      {
        name: 'wrapper',
        title: 'Wrapper around `true` − `true`',
        value,
        unit: 'ms',
        from: `${ms(wrapped)} − ${ms(bare)} = ${ms(wrapped - bare)} where a compiled program that does nothing takes ${ms(hello)}, told for a machine where it takes ${ms(HELLO_MS)}; medians of the luckiest of ${COPIES} copies, ${runs} runs each`,
      },
    ]
  } finally {
    await rm(state, { recursive: true })
  }
}

function payload(bytes: number): Uint8Array {
  const event = { session_id: crypto.randomUUID(), hook_event_name: 'PreToolUse', tool_name: 'Bash' }
  const frame = JSON.stringify({ ...event, tool_input: { command: '' } }).length
  return new TextEncoder().encode(JSON.stringify({ ...event, tool_input: { command: 'x'.repeat(bytes - frame) } }))
}
