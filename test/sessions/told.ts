/** What must hold of the log records and metrics of any run: they say what the spans say, each once, at its time. */

import { expect } from 'bun:test'
import { type LogRecord, type MetricPoint, metricTotals, type OtlpSink, type Span } from '../kit/otlp-sink.ts'

/** Every log record and every metric of the run, held to its spans. */
export function expectTold(sink: OtlpSink): void {
  expectLogs(sink.logs(), sink.spans())
  expectMetrics(sink.points(), sink.spans())
  expect(metricTotals(sink.points(), 'claude_otel.unknown_total'), 'an event or a field that we do not know').toEqual(
    {},
  )
}

/** Attributes that every span of the kind has, whatever became of the session. */
const sessionNames = [
  'session.id',
  'gen_ai.conversation.id',
  'gen_ai.agent.name',
  'session.source',
  'session.end_reason',
  'turns',
  'tools.total',
  'tools_used',
  'tool_names',
  'tokens.input',
  'tokens.output',
  'tokens.cache_read',
  'tokens.cache_creation',
  'tokens.total',
  'gen_ai.usage.input_tokens',
  'gen_ai.usage.output_tokens',
  'vcs.repository.url.full',
  'vcs.repository.name',
  'vcs.ref.head.name',
  'vcs.ref.head.revision',
  'process.pid',
  'process.working_directory',
]

const toolNames = [
  'tool.name',
  'gen_ai.tool.name',
  'gen_ai.operation.name',
  'tool.use_id',
  'gen_ai.tool.call.id',
  'tool.status',
  'tool.is_error',
  'input.summary',
  'input.bytes',
  'input.truncated',
  'interrupted',
  'timeout',
  'prompt.id',
  'session.id',
  'gen_ai.agent.name',
]

const chatNames = ['gen_ai.request.model', 'gen_ai.response.model', 'gen_ai.operation.name', 'gen_ai.provider.name']

function expectLogs(logs: readonly LogRecord[], spans: readonly Span[]): void {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  for (const log of logs) {
    const span = byId.get(log.spanId)
    expect(span?.traceId, `${log.eventName} belongs to no span`).toBe(log.traceId)
    if (span === undefined) continue
    expect(log.attributes['session.id'], `${log.eventName} of another session`).toBe(
      span.attributes['session.id'] ?? '',
    )
    expect(log.timeUnixMicro, `${log.eventName} before ${span.name}`).toBeGreaterThanOrEqual(span.startUnixMicro)
    expect(log.attributes['event.name']).toBe(log.eventName)
  }
  const of = (event: string) => sorted(logs.filter(({ eventName }) => eventName === event).map(({ spanId }) => spanId))
  const named = (prefix: string, also: (span: Span) => boolean = () => true) =>
    sorted(spans.filter((span) => span.name.startsWith(prefix) && also(span)).map(({ spanId }) => spanId))
  const isFine = ({ attributes }: Span) => attributes['tool.status'] === 'success'
  expect(of('session.start')).toEqual(named('claude.session'))
  expect(of('session.end')).toEqual(named('claude.session'))
  expect(of('claude.turn.end')).toEqual(named('invoke_agent claude-code'))
  expect(of('claude.tool.start')).toEqual(named('execute_tool '))
  expect(of('claude.tool.end')).toEqual(named('execute_tool ', isFine))
  expect(of('claude.tool.error')).toEqual(named('execute_tool ', (span) => !isFine(span)))
  const isDenied = ({ attributes }: Span) => attributes['tool.status'] === 'denied'
  expect(of('claude.permission.denied')).toEqual(named('execute_tool ', isDenied))
  const asked = of('claude.permission.asked')
  expect(new Set(asked).size, 'a call is asked for once').toBe(asked.length)
  for (const id of of('claude.permission.granted')) expect(asked).toContain(id)
  const answers = of('claude.assistant_response')
  expect(new Set(answers).size, 'an answer is told once').toBe(answers.length)
  for (const id of answers) expect(byId.get(id)?.name).toStartWith('chat ')
}

function expectMetrics(points: readonly MetricPoint[], spans: readonly Span[]): void {
  const tools = spans.filter(({ name }) => name.startsWith('execute_tool '))
  const agents = spans.filter(({ name }) => name.startsWith('invoke_agent '))
  const turns = agents.filter(({ name }) => name === 'invoke_agent claude-code')
  const sessions = spans.filter(({ name }) => name === 'claude.session')
  const chats = spans.filter(({ name, attributes }) => name.startsWith('chat') && 'tokens.input' in attributes)
  const requests = chats.filter(({ attributes }) => Number(attributes['gen_ai.usage.input_tokens']) > 0)
  const hits = requests.filter(({ attributes }) => Number(attributes['tokens.cache_read']) > 0)
  const failed = tools.filter(({ attributes }) => attributes['tool.is_error'] === true)
  const ran = tools.filter(({ attributes }) => 'duration_ms' in attributes && attributes['tool.status'] !== 'denied')
  for (const session of sessions) expect(Object.keys(session.attributes)).toEqual(expect.arrayContaining(sessionNames))
  for (const tool of tools) expect(Object.keys(tool.attributes)).toEqual(expect.arrayContaining(toolNames))
  for (const chat of chats) expect(Object.keys(chat.attributes)).toEqual(expect.arrayContaining(chatNames))
  const total = (name: string, by?: string) => metricTotals(points, name, by)
  expect(total('claude.tool_calls_total', 'tool.name')).toEqual(countBy(tools, 'tool.name'))
  expect(total('claude.tool_calls_total', 'tool.status')).toEqual(countBy(tools, 'tool.status'))
  expect(total('claude.tool_calls_errors_total', 'error.type')).toEqual(countBy(failed, 'error.type'))
  expect(total('claude.tool_call_duration_ms', 'tool.name')).toEqual(countBy(ran, 'tool.name'))
  expect(total('gen_ai.execute_tool.duration', 'gen_ai.tool.name')).toEqual(countBy(tools, 'tool.name'))
  for (const open of Object.values(total('claude.tools_in_flight', 'tool.name'))) expect(open).toBe(0)
  expect(total('claude.turns_total', 'outcome')).toEqual(countBy(turns, 'turn.status'))
  expect(total('gen_ai.invoke_agent.duration', 'gen_ai.agent.name')).toEqual(countBy(agents, 'gen_ai.agent.name'))
  expect(total('claude.sessions_total', 'source')).toEqual(countBy(sessions, 'session.source'))
  expect(total('claude.model_requests_total')).toEqual(counted(requests.length))
  expect(total('claude.cache_hits_total')).toEqual(counted(hits.length))
  expect(total('claude.cache_misses_total')).toEqual(counted(requests.length - hits.length))
  for (const kind of ['input', 'output', 'cache_read', 'cache_creation']) {
    const tokens = chats.reduce((sum, { attributes }) => sum + Number(attributes[`tokens.${kind}`]), 0)
    expect(total('claude.tokens_total', 'token.kind')[kind] ?? 0, `${kind} tokens`).toBe(tokens)
  }
  const cost = sessions.reduce((sum, { attributes }) => sum + Number(attributes['cost.usd'] ?? 0), 0)
  expect(total('claude.cost_usd_total')[''] ?? 0).toBeCloseTo(cost, 9)
  expectSum(sessions, 'compactions.total', total('claude.compactions_total'))
  expectSum(sessions, 'api_errors.total', total('claude.api_errors_total'))
}

function expectSum(sessions: readonly Span[], attribute: string, total: Readonly<Record<string, number>>): void {
  expect(total[''] ?? 0, attribute).toBe(
    sessions.reduce((sum, { attributes }) => sum + Number(attributes[attribute]), 0),
  )
}

function countBy(spans: readonly Span[], attribute: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { attributes } of spans) {
    const key = String(attributes[attribute])
    counts[key] = (counts[key] ?? 0) + 1
  }
  return counts
}

function counted(count: number): Record<string, number> {
  return count === 0 ? {} : { '': count }
}

function sorted(ids: readonly string[]): string[] {
  return [...ids].sort()
}
