/**
 * What claude-otel costs, measured on the compiled binary: every value is a ratio or a difference of medians
 * of programs that ran in turns in this process, so that a slow or busy machine slows both.
 */
import { readdirSync, rmSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { wrappedRunName } from '../src/hook/run-folder.ts'
import { claudeBinary, createClaudeHome, run } from '../test/kit/claude-home.ts'
import { type Script, startMessagesApi, text, tools, toolUse } from '../test/kit/messages-api.ts'
import { startOtlpSink } from '../test/kit/otlp-sink.ts'
import { until } from '../test/kit/until.ts'
import { BINARY, compile } from './build.ts'

export type MeasureName = 'hook' | 'wrapper' | 'session' | 'tool' | 'hookCall' | 'rss' | 'pss'

export interface Measure {
  readonly name: MeasureName
  readonly title: string
  readonly value: number
  readonly unit: '×' | 'ms' | 'MiB'
  /** What the value was made from, for a person. */
  readonly from: string
}

/** Each gives one or more measures; `effort` multiplies the number of runs. */
export const measurements: readonly ((effort: number) => Promise<Measure[]>)[] = [
  measureHook,
  measureWrapper,
  measureSession,
  measureMemory,
]

const HOOK_COPIES = 4
/** Of each copy. */
const HOOK_RUNS = 60
const HOOK_PAYLOAD_BYTES = 2048
const WRAPPER_RUNS = 40
/** On a quiet machine: milliseconds are gated at that speed, or the gate would measure the machine. */
const HELLO_MS = 3.6
const SESSION_RUNS = 3
const SESSION_TOOLS = 60
const IDLE_MS = 2000
/** Nothing listens there. */
const NO_COLLECTOR = 'http://127.0.0.1:1'

/** A hook with a usual payload beside a compiled program that does nothing and gets the same. */
async function measureHook(effort: number): Promise<Measure[]> {
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
    if (kept !== HOOK_COPIES * (HOOK_RUNS * effort + 1))
      throw new Error(`the spool holds ${kept} records: the hook did not work`)
    const hook = Math.min(...rounds.map((times) => median(times.hook)))
    const hello = Math.min(...rounds.map((times) => median(times.hello)))
    const runs = HOOK_COPIES * HOOK_RUNS * effort
    return [
      {
        name: 'hook',
        title: 'Hook (2 KB on stdin) / compiled program that does nothing',
        value: hook / hello,
        unit: '×',
        from: `${ms(hook)} / ${ms(hello)}: medians of the luckiest of ${HOOK_COPIES} copies, ${runs} runs each`,
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
  const pairs = Array.from({ length: HOOK_COPIES }, (_, index) => ({
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

/** The wrapper around a program that ends at once. */
async function measureWrapper(effort: number): Promise<Measure[]> {
  const state = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  try {
    const program = Bun.which('true')
    if (!program) throw new Error('there is no program `true` on the PATH')
    const env = { ...cleanEnvironment(), CLAUDE_OTEL_HOME: state, OTEL_EXPORTER_OTLP_ENDPOINT: NO_COLLECTOR }
    settleDisk()
    const [pair] = await copyPrograms(state)
    if (pair === undefined) throw new Error('there is no copy of the programs to measure')
    const times = inTurns(WRAPPER_RUNS * effort, {
      wrapped: () => spawnTimed([pair.hook], { env: { ...env, CLAUDE_BIN: program } }),
      bare: () => spawnTimed([program], { env }),
      hello: () => spawnTimed([pair.hello], { env }),
    })
    const differenceMs = median(times.wrapped) - median(times.bare)
    const speed = HELLO_MS / median(times.hello)
    return [
      {
        name: 'wrapper',
        title: 'Wrapper around `true` − `true`',
        value: differenceMs * speed,
        unit: 'ms',
        from: `${ms(median(times.wrapped))} − ${ms(median(times.bare))} = ${ms(differenceMs)} where a compiled program that does nothing takes ${ms(median(times.hello))}, told for a machine where it takes ${ms(HELLO_MS)}; ${times.wrapped.length} runs each`,
      },
    ]
  } finally {
    await rm(state, { recursive: true })
  }
}

/** The real claude with a scripted model: what a session, a tool call and a hook call cost in wall time. */
async function measureSession(effort: number): Promise<Measure[]> {
  const times = {
    bare: [] as number[],
    wrapped: [] as number[],
    bareEmpty: [] as number[],
    wrappedEmpty: [] as number[],
  }
  for (let round = 0; round <= SESSION_RUNS * effort; round++) {
    const taken = {
      bare: (await playSession([claudeBinary], SESSION_TOOLS)).wallMs,
      wrapped: (await playSession([BINARY], SESSION_TOOLS)).wallMs,
      bareEmpty: (await playSession([claudeBinary], 0)).wallMs,
      wrappedEmpty: (await playSession([BINARY], 0)).wallMs,
    }
    // The first round warms the page cache.
    if (round > 0)
      for (const key of ['bare', 'wrapped', 'bareEmpty', 'wrappedEmpty'] as const) times[key].push(taken[key])
  }
  const [bare, wrapped] = [median(times.bare), median(times.wrapped)]
  const fixedMs = median(times.wrappedEmpty) - median(times.bareEmpty)
  const toolsMs = wrapped - bare - fixedMs
  const hookCalls = (await countHookCalls(SESSION_TOOLS)) - (await countHookCalls(0))
  return [
    {
      name: 'session',
      title: `Session of ${SESSION_TOOLS} tool calls / the same under bare claude`,
      value: wrapped / bare,
      unit: '×',
      from: `${ms(wrapped)} / ${ms(bare)}, ${times.wrapped.length} runs each; start and end ${ms(fixedMs)}`,
    },
    {
      name: 'tool',
      title: 'Added wall time per tool call',
      value: toolsMs / SESSION_TOOLS,
      unit: 'ms',
      from: 'that session, without what one of no tool calls adds',
    },
    {
      name: 'hookCall',
      title: 'Added wall time per hook call',
      value: toolsMs / hookCalls,
      unit: 'ms',
      from: `the same, over ${hookCalls} hook calls`,
    },
  ]
}

/** Resident and proportional memory of the wrapper while claude waits for the next prompt. */
async function measureMemory(): Promise<Measure[]> {
  if (process.platform !== 'linux') return []
  const [home, api, sink] = await Promise.all([
    createClaudeHome(),
    startMessagesApi({ main: [tools(toolUse('Bash', { command: 'true' })), text('Done.')] }),
    startOtlpSink(),
  ])
  const child = Bun.spawn([BINARY, ...PRINT, '--input-format', 'stream-json', ...STREAM], {
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
    stdin: 'pipe',
    stdout: 'ignore',
    stderr: 'ignore',
  })
  try {
    child.stdin.write(`${JSON.stringify({ type: 'user', message: { role: 'user', content: 'Go' } })}\n`)
    child.stdin.flush()
    await until('the turn to end', () => sink.spans().some(({ name }) => name === 'execute_tool Bash'))
    await Bun.sleep(IDLE_MS)
    const memory = await Bun.file(`/proc/${child.pid}/smaps_rollup`).text()
    const from = `${IDLE_MS / 1000} s after a turn with a tool call, everything sent`
    return [
      { name: 'rss', title: 'Idle wrapper, resident (RSS)', value: mebibytes(memory, 'Rss'), unit: 'MiB', from },
      {
        name: 'pss',
        title: 'Idle wrapper, its share of shared pages (PSS)',
        value: mebibytes(memory, 'Pss'),
        unit: 'MiB',
        from,
      },
    ]
  } finally {
    child.stdin.end()
    await child.exited
    await Promise.all([api.close(), sink.close()])
    await home.remove()
  }
}

const PRINT = ['-p', '--permission-mode', 'bypassPermissions']
const STREAM = ['--output-format', 'stream-json', '--verbose']

interface PlayedSession {
  readonly wallMs: number
  readonly stdout: string
}

/** Plays a session with this many tool calls, one after another, in a home of its own; throws if anything is missing. */
async function playSession(
  program: readonly string[],
  toolCalls: number,
  more: readonly string[] = [],
): Promise<PlayedSession> {
  const call = tools(toolUse('Bash', { command: 'true', description: 'Nothing' }))
  const script: Script = { main: [...Array.from({ length: toolCalls }, () => call), text('Done.')] }
  const [home, api, sink] = await Promise.all([createClaudeHome(), startMessagesApi(script), startOtlpSink()])
  try {
    const result = await run({
      command: [...program, ...PRINT, 'Go', ...more],
      cwd: home.project,
      env: home.environment(api.url, sink.environment()),
    })
    const spans = sink.spans().filter(({ name }) => name === 'execute_tool Bash').length
    const expected = program[0] === BINARY ? toolCalls : 0
    if (result.exitCode !== 0 || api.surprises().length > 0 || spans !== expected)
      throw new Error(
        `the session went wrong: exit ${result.exitCode}, ${spans} of ${expected} tool spans\n${result.stderr}`,
      )
    return { wallMs: result.wallMs, stdout: result.stdout }
  } finally {
    await Promise.all([api.close(), sink.close()])
    await home.remove()
  }
}

/** Claude itself tells of every hook call when it is asked to. */
async function countHookCalls(toolCalls: number): Promise<number> {
  const { stdout } = await playSession([BINARY], toolCalls, [...STREAM, '--include-hook-events'])
  return stdout.split('"subtype":"hook_started"').length - 1
}

interface SpawnOptions {
  readonly env: Record<string, string>
  readonly stdin?: Uint8Array
}

function spawnTimed(command: string[], { env, stdin }: SpawnOptions): number {
  const startMs = performance.now()
  const { exitCode } = Bun.spawnSync(command, { env, stdin: stdin ?? 'ignore', stdout: 'ignore', stderr: 'ignore' })
  const wallMs = performance.now() - startMs
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed (${exitCode})`)
  return wallMs
}

/** Times of programs that run in turns, A B B A; the first round, which warms the page cache, is not counted. */
function inTurns<Name extends string>(rounds: number, programs: Record<Name, () => number>): Record<Name, number[]> {
  const names = Object.keys(programs) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const wallMs = programs[name]()
      if (round > 0) times[name].push(wallMs)
    }
  return times
}

function payload(bytes: number): Uint8Array {
  const event = { session_id: crypto.randomUUID(), hook_event_name: 'PreToolUse', tool_name: 'Bash' }
  const frame = JSON.stringify({ ...event, tool_input: { command: '' } }).length
  return new TextEncoder().encode(JSON.stringify({ ...event, tool_input: { command: 'x'.repeat(bytes - frame) } }))
}

function cleanEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
}

function mebibytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) / 1024
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2
}

function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`
}
