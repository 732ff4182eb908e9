/**
 * Plays a case twice, against bare claude and against claude-otel, and holds the two together:
 * the second must look like the first from the outside, and its telemetry must be whole and exact.
 * Every expectation that fails shows the span tree.
 */

import { expect } from 'bun:test'
import {
  type ClaudeHome,
  claudeBinary,
  claudeOtelBinary,
  createClaudeHome,
  type RunOptions,
  type RunResult,
  run,
} from '../kit/claude-home.ts'
import { type MessagesApi, type Script, startMessagesApi, totals } from '../kit/messages-api.ts'
import { chatTokens, metricTotals, type OtlpSink, renderTree, type Span, startOtlpSink } from '../kit/otlp-sink.ts'

import { until } from '../kit/until.ts'
import { expectTold } from './told.ts'

/** Fixed, so that it does not differ between runs; each has a home of its own. */
export const sessionId = '5e551011-0000-4000-8000-00000000e2e0'

export interface Case {
  readonly title: string
  /** Claude's arguments, after the session's id. */
  readonly args: (home: ClaudeHome) => readonly string[]
  readonly script: (home: ClaudeHome) => Script
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
  readonly prepare?: (home: ClaudeHome) => Promise<void>
  readonly signal?: (home: ClaudeHome, api: MessagesApi) => NonNullable<RunOptions['signal']>
  /** What claude says on stdout only if it finds the time. */
  readonly maySay?: string
  /** What the run leaves behind besides stdout and stderr, compared with the bare run's. */
  readonly leaves?: (home: ClaudeHome) => Promise<string>
  /** Lines of `tree`, indentation from the first; several sessions in their order; none where nothing is to be sent. */
  readonly tree: string | readonly string[]
  readonly exit: { readonly exitCode: number | null; readonly signal: string | null }
  /** More expectations on the run under claude-otel. */
  readonly also?: (played: Played) => void
}

/** Where claude runs: a home, the API it talks to, the collector it is told of. */
export interface Stage {
  readonly home: ClaudeHome
  readonly api: MessagesApi
  readonly sink: OtlpSink
}

/** One run, after its end. */
export interface Played extends Stage {
  readonly result: RunResult
  readonly left: string
}

/** Plays the case both ways, checks everything that holds for any case, and cleans up. */
export async function check(theCase: Case): Promise<void> {
  const [bare, wrapped] = await Promise.all([play(theCase, claudeBinary), play(theCase, claudeOtelBinary)])
  try {
    showingTree(wrapped.sink.spans(), () => {
      expectSameFromOutside(bare, wrapped, theCase.maySay)
      expect({ exitCode: wrapped.result.exitCode, signal: wrapped.result.signal }).toEqual(theCase.exit)
      expect(wrapped.api.surprises()).toEqual([])
      if (typeof theCase.tree === 'string') expectSessionSums(wrapped.sink)
      expectSessions(wrapped, [theCase.tree].flat())
      theCase.also?.(wrapped)
    })
  } finally {
    await Promise.all([bare, wrapped].map(clear))
  }
}

/** Each session's tree and everything that holds of any; of no session at all, not a word was sent. */
export function expectSessions(
  { sink, api }: Pick<Stage, 'sink' | 'api'>,
  trees: readonly string[],
  render = tree,
): void {
  const spans = sink.spans()
  const traces = sessionsOf(spans).map(({ traceId }) => spans.filter((span) => span.traceId === traceId))
  expect(traces.map(render)).toEqual(trees.map(outdent))
  for (const trace of traces) expectWhole(trace)
  expectTold(sink)
  if (trees.length > 0) expectExactTokens(sink, api)
  else expect([spans, sink.logs(), sink.points()]).toEqual([[], [], []])
}

/** The sessions' spans, in their order. */
export function sessionsOf(spans: readonly Span[]): Span[] {
  return spans.filter((span) => span.name === 'claude.session').sort((a, b) => a.startUnixMicro - b.startUnixMicro)
}

/** Plays the case with the program, and perhaps its command, in front of its arguments. Whoever calls clears what it gives. */
export async function play(theCase: Case, program: string, ...command: readonly string[]): Promise<Played> {
  const stage = await openStage(theCase.script)
  const { home, api } = stage
  const options: Partial<RunOptions> = {
    ...(theCase.env === undefined ? {} : { env: theCase.env }),
    ...(theCase.stdin === undefined ? {} : { stdin: theCase.stdin }),
    ...(theCase.signal === undefined ? {} : { signal: theCase.signal(home, api) }),
  }
  try {
    await theCase.prepare?.(home)
    const result = await runOn(stage, program, [...command, '--session-id', sessionId, ...theCase.args(home)], options)
    return { ...stage, result, left: (await theCase.leaves?.(home)) ?? '' }
  } catch (failure) {
    await clear(stage)
    throw failure
  }
}

/** A new home with servers of its own; `clear` ends it. */
export async function openStage(script: (home: ClaudeHome) => Script): Promise<Stage> {
  const home = await createClaudeHome()
  const [api, sink] = await Promise.all([startMessagesApi(script(home)), startOtlpSink()])
  return { home, api, sink }
}

/** Runs the program in the stage's project, with the stage's API and collector. */
export function runOn(
  { home, api, sink }: Stage,
  program: string,
  args: readonly string[],
  options: Partial<RunOptions> = {},
): Promise<RunResult> {
  return run({
    ...options,
    command: [program, ...args],
    cwd: home.project,
    env: home.environment(api.url, { ...sink.environment(), ...options.env }),
  })
}

/** Ends the servers of a stage and takes its home away. */
export async function clear({ home, api, sink }: Stage): Promise<void> {
  await Promise.all([api.close(), sink.close(), home.remove()])
}

/** Waits for the last that is sent of a session, where whoever delivers outlives what the test waits for. */
export async function delivered({ sink }: Pick<Stage, 'sink'>): Promise<void> {
  await until('the span of the session', () => sink.spans().some(({ name }) => name === 'claude.session'))
  await until('its last log record', () => sink.logs().some(({ eventName }) => eventName === 'session.end'))
  await until('its metrics', () => sink.points().some(({ name }) => name === 'claude.turns_total'))
}

/** The tree that cases state: names, the outcome of tools, what no transcript line tells of, error marks. */
export function tree(spans: readonly Span[]): string {
  const describe = ({ attributes }: Span) => (attributes['claude.query_source'] === 'auxiliary' ? '(auxiliary)' : '')
  return renderTree(spans, { attributes: ['tool.status'], describe })
}

/** Takes the first line's indentation from every line, and the empty lines around them away. */
export function outdent(lines: string): string {
  const written = lines.split('\n').filter((line) => line.trim() !== '')
  const indent = /^ */.exec(written[0] ?? '')?.[0].length ?? 0
  return written.map((line) => line.slice(indent)).join('\n')
}

/** Runs expectations; a failure carries the tree with everything that identifies a span. */
export function showingTree(spans: readonly Span[], expectations: () => void): void {
  try {
    expectations()
  } catch (failure) {
    const attributes = [
      'error.message',
      'session.id',
      'tool.use_id',
      'tool.status',
      'exit_code',
      'gen_ai.response.id',
      'claude.query_source',
    ]
    const describe = (span: Span) => `[${span.startUnixMicro % 1e9}..${span.endUnixMicro % 1e9}]`
    if (failure instanceof Error) failure.message += `\n\nThe spans:\n${renderTree(spans, { attributes, describe })}\n`
    throw failure
  }
}

/** stdout, stderr, exit code, death by signal, what the run leaves and what it asked the model are those of bare claude. */
export function expectSameFromOutside(bare: Played, wrapped: Played, maySay = ''): void {
  const outside = ({ result, home }: Played) => ({
    stdout: normalise(result.stdout, home).replace(maySay, ''),
    stderr: normalise(result.stderr, home),
    exitCode: result.exitCode,
    signal: result.signal,
  })
  expect(outside(wrapped)).toEqual(outside(bare))
  expect(wrapped.left).toBe(bare.left)
  expectSameText(asked(wrapped), asked(bare))
}

/** Equality of long texts: what differs is shown from a little before the first difference. */
export function expectSameText(received: string, expected: string): void {
  if (received === expected) return
  let at = 0
  while (received[at] === expected[at]) at += 1
  expect(received.slice(at - 100, at + 200)).toBe(expected.slice(at - 100, at + 200))
}

/** What the model was told in each lane: everything of the request that is not drawn or measured. */
export function asked({ api, home }: Stage): string {
  const told = api.requests().map(({ lane, agent, body: { model, system, messages, tools } }) => {
    return normalise(JSON.stringify({ lane, agent, model, system, messages, tools }, inOrderOfCalls), home)
  })
  return told.sort().join('\n')
}

/** Results of calls that run at the same time stand in the order in which they came; the last one, whichever it is, ends what is cached. */
function inOrderOfCalls(_: string, value: unknown): unknown {
  if (!Array.isArray(value) || !value.every((block) => block?.type === 'tool_result')) return value
  const blocks = value.map(({ cache_control, ...block }) => block)
  return blocks.toSorted((a, b) => (a.tool_use_id < b.tool_use_id ? -1 : 1))
}

/**
 * Takes out what differs between two bare runs too: the home's path everywhere, and in lines of JSON
 * drawn ids, times, measured durations, agents and the socket that is named after a process id; the API's port.
 */
export function normalise(output: string, home: ClaudeHome): string {
  return output
    .replaceAll(home.path, '<home>')
    .replaceAll(home.path.replaceAll('/', '-'), '<home>')
    .replace(/127\.0\.0\.1:\d+/g, '<api>')
    .split('\n')
    .map(normaliseLine)
    .join('\n')
}

function normaliseLine(line: string): string {
  if (!line.startsWith('{')) return line
  return line
    .replace(/"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, (id) => (id === `"${sessionId}"` ? id : '"<uuid>"'))
    .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"<time>"')
    .replace(/"(\w+_ms|\w+Ms)":[\d.]+/g, '"$1":"<ms>"')
    .replace(/\/cc-socks\/\d+\.sock/g, '/cc-socks/<pid>.sock')
    .replace(/duration_ms(: |>)\d+/g, 'duration_ms$1<ms>')
    .replace(/\ba[0-9a-f]{16}\b/g, '<agent>')
    .replace(/(Resuming agent )a\w{6}\b|(\bref\W+)[0-9a-f]{6}\b/g, '$1$2<agent>')
    .replace(/(ID: |tasks\/|task-id>)b\w{8}\b/g, '$1<task>')
}

/** One trace, no span twice, every parent there, no span before or beyond its parent, one session. */
export function expectWhole(spans: readonly Span[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  expect(byId.size).toBe(spans.length)
  expect(new Set(spans.map((span) => span.traceId)).size).toBe(1)
  expect(new Set(spans.map((span) => span.attributes['session.id'])).size).toBe(1)
  const roots = spans.filter((span) => span.parentSpanId === undefined)
  expect(roots.map((span) => span.name)).toEqual(['claude.session'])
  for (const span of spans) {
    expect(span.startUnixMicro, `${span.name} ends before it starts`).toBeLessThanOrEqual(span.endUnixMicro)
    if (span.parentSpanId === undefined) continue
    const parent = byId.get(span.parentSpanId)
    if (parent === undefined) throw new Error(`${span.name} (${span.spanId}) has no parent`)
    expect(span.startUnixMicro, `${span.name} starts before ${parent.name}`).toBeGreaterThanOrEqual(
      parent.startUnixMicro,
    )
    // A background subagent goes on after the call that started it, and after the turn of that call.
    if (span.name.startsWith('invoke_agent ') && parent.name.startsWith('execute_tool ')) continue
    expect(span.endUnixMicro, `${span.name} ends after ${parent.name}`).toBeLessThanOrEqual(parent.endUnixMicro)
  }
}

/** Every message served stands in exactly one `chat` span with its own figures, and nothing else is counted. */
export function expectExactTokens(sink: OtlpSink, api: MessagesApi): void {
  const chats = Map.groupBy(
    sink.spans().filter((span) => span.name.startsWith('chat ')),
    (span) => String(span.attributes['gen_ai.response.id']),
  )
  for (const message of api.served().filter(({ lane }) => lane !== 'auxiliary')) {
    const { input, output, cacheRead, cacheCreation } = message
    const spans = chats.get(message.messageId) ?? []
    expect(spans.map(({ name, attributes }): Usage => ({ name, ...usageOf(attributes) }))).toEqual([
      {
        name: `chat ${message.requestedModel}`,
        'gen_ai.request.model': message.requestedModel,
        'gen_ai.response.model': message.model,
        'gen_ai.usage.input_tokens': input + cacheRead + cacheCreation,
        'gen_ai.usage.output_tokens': output,
        'gen_ai.usage.cache_read.input_tokens': cacheRead,
        'gen_ai.usage.cache_write.input_tokens': cacheCreation,
        'tokens.input': input,
        'tokens.output': output,
        'tokens.cache_read': cacheRead,
        'tokens.cache_creation': cacheCreation,
      },
    ])
  }
  const { output, ...told } = chatTokens(sink.spans())
  const { output: servedOutput, thinking: _, ...begun } = totals([...api.served(), ...api.cutShort()])
  expect(told).toEqual(begun)
  // Of a message that was cut claude estimates the output; nobody knows it.
  if (api.cutShort().length === 0) expect(output).toBe(servedOutput)
  else expect(output).toBeGreaterThanOrEqual(servedOutput)
}

const usageNames = [
  'gen_ai.request.model',
  'gen_ai.response.model',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'gen_ai.usage.cache_read.input_tokens',
  'gen_ai.usage.cache_write.input_tokens',
  'tokens.input',
  'tokens.output',
  'tokens.cache_read',
  'tokens.cache_creation',
]

type Usage = Readonly<Record<string, unknown>>

function usageOf(attributes: Span['attributes']): Usage {
  return Object.fromEntries(usageNames.map((name) => [name, attributes[name]]))
}

/** The session's own sums, and the metrics, say what its spans say. */
export function expectSessionSums(sink: OtlpSink): void {
  const spans = sink.spans()
  const session = spans.find((span) => span.name === 'claude.session')
  const tokens = chatTokens(spans)
  const calls = spans.filter((span) => span.name.startsWith('execute_tool '))
  const turns = spans.filter((span) => span.name === 'invoke_agent claude-code')
  expect(session?.attributes).toMatchObject({
    turns: turns.length,
    'tools.total': calls.length,
    'tokens.input': tokens.input,
    'tokens.output': tokens.output,
    'tokens.cache_read': tokens.cacheRead,
    'tokens.cache_creation': tokens.cacheCreation,
  })
  const points = sink.points()
  expect(metricTotals(points, 'claude.tool_calls_total')['']).toBe(calls.length === 0 ? undefined : calls.length)
  expect(metricTotals(points, 'claude.turns_total')[''] ?? 0).toBe(turns.length)
  expect(metricTotals(points, 'claude.sessions_total')['']).toBe(1)
  const all = Object.values(tokens).reduce((sum, count) => sum + count, 0)
  expect(metricTotals(points, 'claude.tokens_total')[''] ?? 0).toBe(all)
}
