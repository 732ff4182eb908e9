/**
 * A session that has everything in it, played under the binary that can be told to kill itself, and what must be true of its
 * telemetry when whoever comes next has cleaned up.
 */
import { expect } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildFaultsIfStale, FAULTS_BINARY } from '../../scripts/build.ts'
import type { FaultPoint } from '../../src/hook/fault-point.ts'
import type { ClaudeHome, RunOptions, RunResult } from '../kit/claude-home.ts'
import { type Script, text, tools, toolUse } from '../kit/messages-api.ts'
import { type LogRecord, metricTotals, type Span } from '../kit/otlp-sink.ts'
import { until } from '../kit/until.ts'
import { clear, openStage, outdent, runOn, type Stage } from '../sessions/play.ts'
import { bash, read } from '../sessions/words.ts'

await buildFaultsIfStale()

export { FAULTS_BINARY }

/** `point[@command][#n]`, see main.ts. */
export type Fault = FaultPoint | `${FaultPoint}@${string}` | `${FaultPoint}#${number}`

export const agentCall = toolUse('Agent', {
  description: 'look around',
  prompt: 'SUB-ONE: look around',
  subagent_type: 'general-purpose',
  run_in_background: false,
})

/** Parallel tools of which one fails, a subagent with a tool, an answer. */
export const script = ({ project }: { readonly project: string }): Script => ({
  main: [tools(bash('echo out'), bash('exit 3'), read(join(project, 'README.md'))), tools(agentCall), text('Done.')],
  agents: { 'SUB-ONE': [tools(bash('echo from-sub')), text('Sub done.')] },
})

const model = 'claude-opus-5-5'
/** What is told of it when nothing of the session is lost. */
export const wholeTree = outdent(`
  claude.session
    invoke_agent claude-code
      chat ${model}
      execute_tool Bash tool.status=success
      execute_tool Bash tool.status=error !
      execute_tool Read tool.status=success
      chat ${model}
      execute_tool Agent tool.status=success
        invoke_agent general-purpose
          chat ${model}
          execute_tool Bash tool.status=success
          chat ${model}
      chat ${model}
`)

export const prompt = ['-p', 'Go', '--permission-mode', 'bypassPermissions']

/** As many at a time as the machine stands; each has a home and servers of its own. */
const seats = 3
let taken = 0

export async function withStage(
  play: (stage: Stage) => Promise<void>,
  of: (home: ClaudeHome) => Script = script,
): Promise<void> {
  while (taken >= seats) await Bun.sleep(20)
  taken++
  try {
    const stage = await openStage(of)
    try {
      await play(stage)
    } finally {
      await endOurs(stage)
      await clear(stage)
    }
  } finally {
    taken--
  }
}

/** The environment that makes these faults happen, and those of them that have not gone off. */
export function arm(
  { home }: { readonly home: { readonly path: string } },
  ...faults: readonly Fault[]
): { readonly env: Record<string, string>; unexploded(): Fault[] } {
  const folder = mkdtempSync(join(home.path, 'passages-'))
  for (const fault of faults) mkdirSync(join(folder, fault))
  return {
    env: { CLAUDE_OTEL_FAULT: faults.join(','), CLAUDE_OTEL_FAULT_COUNT: folder },
    unexploded: () => faults.filter((fault) => !existsSync(join(folder, fault, fault.split('#')[1] ?? '1'))),
  }
}

export function runFaulty(
  stage: Stage,
  args: readonly string[],
  options: Partial<RunOptions> = {},
): Promise<RunResult> {
  return runOn(stage, FAULTS_BINARY, args, options)
}

/** Processes of claude-otel that keep their state in this stage's home. */
export function oursOf({ home }: Pick<Stage, 'home'>): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      const isOurs = readOr(`/proc/${pid}/cmdline`).startsWith(FAULTS_BINARY)
      return isOurs && readOr(`/proc/${pid}/environ`).includes(`CLAUDE_OTEL_HOME=${home.state}\0`)
    })
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function endOurs(stage: Stage): Promise<void> {
  for (const pid of oursOf(stage)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended in the meantime.
    }
  }
}

/** Everything of ours has ended by itself, then drain takes what is left, until there is none. */
export async function recover(stage: Stage): Promise<void> {
  await until('everything of ours to end', () => oursOf(stage).length === 0)
  await until('the runs to be gone', async () => {
    const { exitCode, stderr } = await runFaulty(stage, ['drain'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    return runsOf(stage).length === 0
  })
  expect(oursOf(stage)).toEqual([])
}

export function runsOf({ home }: { readonly home: { readonly state: string } }): string[] {
  try {
    return readdirSync(join(home.state, 'runs'))
  } catch {
    return []
  }
}

/** Each span and log record once; what was sent twice was sent with the same words. */
export function deliveredOnce({ sink }: Stage): {
  readonly spans: readonly Span[]
  readonly logs: readonly LogRecord[]
} {
  const spans = new Map(sink.spans().map((span) => [span.spanId, span]))
  for (const span of sink.spans()) expect(span).toEqual(spans.get(span.spanId) ?? span)
  const logs = new Map(sink.logs().map((record) => [JSON.stringify(record), record]))
  return { spans: [...spans.values()], logs: [...logs.values()] }
}

/** One trace below one session, and every parent is there. Times are the business of other suites. */
export function expectConnected(spans: readonly Span[]): void {
  const ids = new Set(spans.map(({ spanId }) => spanId))
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId))
  expect(roots.map(({ name, parentSpanId }) => ({ name, parentSpanId }))).toEqual([
    { name: 'claude.session', parentSpanId: undefined },
  ])
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
  expect(new Set(spans.map(({ attributes }) => attributes['session.id'])).size).toBe(1)
}

/** What the metrics say is what the spans say: no counter has counted twice, over however many processes. */
export function expectMetricsOf({ sink }: Stage, spans: readonly Span[]): void {
  const count = (prefix: string) => spans.filter(({ name }) => name.startsWith(prefix)).length || undefined
  const total = (name: string) => metricTotals(sink.points(), name)[''] || undefined
  expect({
    sessions: total('claude.sessions_total'),
    turns: total('claude.turns_total'),
    tools: total('claude.tool_calls_total'),
    requests: total('claude.model_requests_total'),
    tokens: total('claude.tokens_total'),
    inFlight: total('claude.tools_in_flight'),
  }).toEqual({
    sessions: count('claude.session'),
    turns: count('invoke_agent claude-code'),
    tools: count('execute_tool '),
    requests: count('chat '),
    tokens: sum(spans, 'tokens.total') || undefined,
    inFlight: undefined,
  })
}

function sum(spans: readonly Span[], name: string): number {
  const chats = spans.filter((span) => span.name.startsWith('chat '))
  return chats.reduce((total, { attributes }) => total + Number(attributes[name] ?? 0), 0)
}
