/** What measurements have in common: programs that run in turns, medians, sessions of the real claude. */
import { readFileSync } from 'node:fs'
import { createClaudeHome, type RunResult, run } from '../../test/kit/claude-home.ts'
import { type Script, startMessagesApi, text, tools, toolUse } from '../../test/kit/messages-api.ts'
import { type SinkMode, startOtlpSink } from '../../test/kit/otlp-sink.ts'
import { BINARY } from '../build.ts'

export interface Measure {
  /** Its key in scripts/budgets.json. */
  readonly name: string
  readonly title: string
  readonly value: number
  readonly unit: '×' | 'ms' | 'MiB' | 'MB/s' | 'rows/s'
  /** What the value was made from, for a person. */
  readonly from: string
}

export const PRINT = ['-p', '--permission-mode', 'bypassPermissions']
export const STREAM = ['--output-format', 'stream-json', '--verbose']

export interface SessionOptions {
  readonly program: readonly string[]
  readonly toolCalls: number
  /** Behind the prompt. */
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly sinkMode?: SinkMode
}

/** What a session came to, while its home is still there. */
export interface PlayedSession extends RunResult {
  /** When the program had ended, milliseconds since the epoch. */
  readonly endedAt: number
  readonly toolSpans: number
}

/** Plays a session with this many tool calls, one after another, in a home of its own; throws if claude's part went wrong. */
export async function playSession(options: SessionOptions): Promise<PlayedSession> {
  const { program, toolCalls, args = [], env, sinkMode = 'accept' } = options
  const call = tools(toolUse('Bash', { command: 'true', description: 'Nothing' }))
  const script: Script = { main: [...Array.from({ length: toolCalls }, () => call), text('Done.')] }
  const [home, api, sink] = await Promise.all([createClaudeHome(), startMessagesApi(script), startOtlpSink()])
  sink.mode = sinkMode
  try {
    const result = await run({
      command: [...program, ...PRINT, 'Go', ...args],
      cwd: home.project,
      env: home.environment(api.url, { ...sink.environment(), ...env }),
    })
    const endedAt = performance.timeOrigin + performance.now()
    if (result.exitCode !== 0 || api.surprises().length > 0)
      throw new Error(`the session went wrong: exit ${result.exitCode}\n${result.stderr}`)
    return { ...result, endedAt, toolSpans: sink.spans().filter(({ name }) => name === 'execute_tool Bash').length }
  } finally {
    await Promise.all([api.close(), sink.close()])
    await home.remove()
  }
}

/** A session under the wrapper; throws unless every tool call was delivered. */
export async function playWrapped(toolCalls: number, args: readonly string[] = []): Promise<PlayedSession> {
  const played = await playSession({ program: [BINARY], toolCalls, args })
  if (played.toolSpans !== toolCalls)
    throw new Error(`${played.toolSpans} of ${toolCalls} tool spans came\n${played.stderr}`)
  return played
}

interface SpawnOptions {
  readonly env: Record<string, string>
  readonly stdin?: Uint8Array
}

export function spawnTimed(command: string[], { env, stdin }: SpawnOptions): number {
  const startMs = performance.now()
  const { exitCode } = Bun.spawnSync(command, { env, stdin: stdin ?? 'ignore', stdout: 'ignore', stderr: 'ignore' })
  const wallMs = performance.now() - startMs
  if (exitCode !== 0) throw new Error(`${command.join(' ')} failed (${exitCode})`)
  return wallMs
}

/** Times of programs that run in turns, A B B A; the first round, which warms the page cache, is not counted. */
export function inTurns<Name extends string>(
  rounds: number,
  programs: Record<Name, () => number>,
): Record<Name, number[]> {
  const names = Object.keys(programs) as Name[]
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const wallMs = programs[name]()
      if (round > 0) times[name].push(wallMs)
    }
  return times
}

export function cleanEnvironment(): Record<string, string> {
  return { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
}

/** `VmRSS` is what is resident, `VmHWM` the most that ever was. */
export function processMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024
}

export function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`
}
