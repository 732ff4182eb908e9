/**
 * Sessions told in a few words: hook calls and transcript facts become journal entries as the pump would write them, and
 * what the assembler says of them can be asked for. Every story is held to what must be true of all of them.
 */
import { expect } from 'bun:test'
import { parseHookPayload } from '../../src/claude/events.ts'
import { createToolResponse } from '../../src/claude/tool-call.ts'
import { noUsage, type TranscriptDetail, type Usage } from '../../src/claude/transcript.ts'
import { createAssembler } from '../../src/session/assembler.ts'
import type { Entry, RunEntry } from '../../src/session/entries.ts'
import type { Attributes, LogSignal, MetricSignal, Signal, SpanSignal } from '../../src/telemetry/signal.ts'
import { keeperOf } from '../kit/keeper.ts'

export const begin = 1_795_000_000_000_000
export const keeper = keeperOf(200)

type Fields = Readonly<Record<string, unknown>>

export const run: RunEntry = {
  k: 'run',
  v: 1,
  at: begin,
  runId: 'run',
  resource: {},
  sampler: { kind: 'always_on', parentBased: true, ratio: 1 },
}

/** Each step happens 10 ms after the one before, in the session, prompt and process that were named last. */
export class Story {
  readonly entries: Entry[]
  at = begin
  private session = 's1'
  private pid = 100
  private promptId: string | undefined
  private traceparent: string | undefined
  private hooks = 0

  constructor(entry: Partial<RunEntry> = {}) {
    this.entries = [{ ...run, ...entry }]
  }

  /** Waits, in milliseconds; back in time with a negative number. */
  wait(ms: number): this {
    this.at += ms * 1000
    return this
  }

  by(pid: number, traceparent?: string): this {
    this.pid = pid
    this.traceparent = traceparent
    return this
  }

  in(session: string): this {
    this.session = session
    return this
  }

  during(promptId: string | undefined): this {
    this.promptId = promptId
    return this
  }

  hook(name: string, fields: Fields = {}): this {
    const payload = {
      session_id: this.session,
      transcript_path: `/t/${this.session}.jsonl`,
      cwd: '/home/dev/proj',
      ...(this.promptId === undefined ? {} : { prompt_id: this.promptId }),
      hook_event_name: name,
      ...fields,
    }
    const event = parseHookPayload(JSON.stringify(payload), keeper)
    if ('broken' in event) throw new Error(event.broken)
    this.hooks += 1
    const { pid, traceparent } = this
    const from = `${this.at}-${this.hooks}`
    return this.entry({ k: 'hook', at: this.at, from, pid, ...(traceparent ? { traceparent } : {}), event })
  }

  line(detail: TranscriptDetail, agent?: string): this {
    const promptId = this.promptId
    return this.entry({
      k: 'line',
      at: this.at,
      session: this.session,
      file: `/t/${this.session}.jsonl`,
      offset: this.entries.length,
      ...(agent === undefined ? {} : { agent }),
      ...(promptId === undefined ? {} : { promptId }),
      detail,
    })
  }

  entry(entry: Entry): this {
    this.entries.push(entry)
    this.at += 10_000
    return this
  }

  start(session = 's1', source = 'startup'): this {
    this.session = session
    this.promptId = undefined
    return this.hook('SessionStart', { source })
  }

  prompt(promptId: string, text = 'do it'): this {
    return this.during(promptId).hook('UserPromptSubmit', { prompt: text, permission_mode: 'default' })
  }

  pre(id: string, fields: Fields = {}): this {
    return this.hook('PreToolUse', { ...call(id), ...fields })
  }

  post(id: string, fields: Fields = {}): this {
    return this.hook('PostToolUse', { ...call(id), duration_ms: 5, tool_response: { stdout: 'ok' }, ...fields })
  }

  failed(id: string, error: string, fields: Fields = {}): this {
    return this.hook('PostToolUseFailure', { ...call(id), duration_ms: 5, is_interrupt: false, error, ...fields })
  }

  batch(responses: Readonly<Record<string, string>>, fields: Fields = {}): this {
    const calls = Object.entries(responses).map(([id, response]) => ({ ...call(id), tool_response: response }))
    return this.hook('PostToolBatch', { tool_calls: calls, ...fields })
  }

  stop(fields: Fields = {}): this {
    return this.hook('Stop', { last_assistant_message: 'done', background_tasks: [], ...fields })
  }

  end(reason = 'other'): this {
    return this.hook('SessionEnd', { reason })
  }

  exit(how: { code?: number; signal?: string } = { code: 0 }): this {
    return this.entry({ k: 'exit', at: this.at, pid: this.pid, ...how })
  }

  message(messageId: string, more: Partial<Extract<TranscriptDetail, { type: 'message' }>> = {}, agent?: string): this {
    const startUnixMicro = this.at - 5000
    return this.line({ type: 'message', messageId, model: 'opus', usage: usage(10, 2), startUnixMicro, ...more }, agent)
  }

  result(useId: string, more: Partial<Extract<TranscriptDetail, { type: 'tool-result' }>> = {}): this {
    const message = { text: '', bytes: 0, truncated: false }
    const response = createToolResponse('', keeper)
    return this.line({ type: 'tool-result', useId, isError: false, message, refused: false, response, ...more })
  }

  /** What the assembler says, having been held to the laws. */
  tell(): Told {
    const signals = assemble(this.entries)
    expectLawful(signals)
    expect(assemble(JSON.parse(JSON.stringify(this.entries)))).toEqual(signals)
    return new Told(signals)
  }
}

export function usage(input: number, output: number, more: Partial<Usage> = {}): Usage {
  return { ...noUsage, input, output, ...more }
}

function call(id: string): Fields {
  return { tool_name: 'Bash', tool_input: { command: `run ${id}` }, tool_use_id: id }
}

export function assemble(entries: readonly Entry[]): Signal[] {
  const assembler = createAssembler()
  return entries.flatMap((entry) => assembler.apply(entry))
}

/** No span ends before it begins or is told twice, none hangs below one that is never told, every log record has its own id. */
export function expectLawful(signals: readonly Signal[]): void {
  const spans = signals.filter((signal) => signal.kind === 'span')
  const ids = spans.map(({ ref }) => `${ref.traceId}-${ref.spanId}`)
  const known = new Set(ids)
  expect(spans.filter(({ startUnixMicro, endUnixMicro }) => endUnixMicro < startUnixMicro)).toEqual([])
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  const orphans = spans.filter(
    ({ parent }) =>
      parent !== undefined && parent.isRemote !== true && !known.has(`${parent.traceId}-${parent.spanId}`),
  )
  expect(orphans.map(({ name, attributes }) => `${name} ${attributes['tool.use_id'] ?? ''}`)).toEqual([])
  const uids = signals.filter((signal) => signal.kind === 'log').map(({ attributes }) => attributes['log.record.uid'])
  for (const uid of uids) expect(uid).toMatch(/^[0-9A-Z]{26}$/)
  expect(new Set(uids).size).toBe(uids.length)
  for (const { event, inFlight } of inFlightByTool(signals)) expect([event, inFlight]).toEqual([event, 0])
}

function inFlightByTool(signals: readonly Signal[]): { event: string; inFlight: number }[] {
  const steps = signals.filter((signal) => signal.kind === 'metric' && signal.instrument === 'claude.tools_in_flight')
  const byTool = Map.groupBy(steps as MetricSignal[], ({ attributes }) => String(attributes['tool.name']))
  return [...byTool].map(([event, changes]) => ({
    event,
    inFlight: changes.reduce((sum, { value }) => sum + value, 0),
  }))
}

/** The signals of a story, to be asked by short names. */
export class Told {
  readonly spans: readonly SpanSignal[]
  readonly logs: readonly LogSignal[]
  readonly metrics: readonly MetricSignal[]

  constructor(readonly signals: readonly Signal[]) {
    this.spans = signals.filter((signal) => signal.kind === 'span')
    this.logs = signals.filter((signal) => signal.kind === 'log')
    this.metrics = signals.filter((signal) => signal.kind === 'metric')
  }

  tool(useId: string): SpanSignal {
    return this.one(`call ${useId}`, ({ attributes }) => attributes['tool.use_id'] === useId)
  }

  session(id = 's1'): SpanSignal {
    return this.one(id, ({ name, attributes }) => name === 'claude.session' && attributes['session.id'] === id)
  }

  turns(session = 's1'): readonly SpanSignal[] {
    const ofSession = ({ name, attributes }: SpanSignal) =>
      name === 'invoke_agent claude-code' && attributes['session.id'] === session
    return this.spans.filter(ofSession)
  }

  turn(promptId: string): SpanSignal {
    return this.one(
      `turn ${promptId}`,
      ({ name, attributes }) => name === 'invoke_agent claude-code' && attributes['prompt.id'] === promptId,
    )
  }

  agents(id: string): readonly SpanSignal[] {
    return this.spans.filter(
      ({ name, attributes }) => name.startsWith('invoke_agent') && attributes['gen_ai.agent.id'] === id,
    )
  }

  agent(id: string): SpanSignal {
    const [agent, more] = this.agents(id)
    if (agent === undefined || more !== undefined) throw new Error(`not exactly one agent ${id}`)
    return agent
  }

  chats(): readonly SpanSignal[] {
    return this.spans.filter(({ name }) => name.startsWith('chat'))
  }

  log(event: string): readonly LogSignal[] {
    return this.logs.filter(({ eventName }) => eventName === event)
  }

  /** The sum of an instrument, over the measurements that have these attributes. */
  sum(instrument: string, having: Attributes = {}): number {
    return this.metrics
      .filter((metric) => metric.instrument === instrument)
      .filter(({ attributes }) => Object.entries(having).every(([key, value]) => attributes[key] === value))
      .reduce((sum, { value }) => sum + value, 0)
  }

  private one(what: string, is: (span: SpanSignal) => boolean): SpanSignal {
    const [span, more] = this.spans.filter(is)
    if (span === undefined) throw new Error(`no span of ${what}`)
    if (more !== undefined) throw new Error(`several spans of ${what}`)
    return span
  }
}

/** How long a span took, in milliseconds. */
export function lasted({ startUnixMicro, endUnixMicro }: SpanSignal): number {
  return (endUnixMicro - startUnixMicro) / 1000
}
