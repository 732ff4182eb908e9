/** Log records as the page shows them, and which of them say the same: claude-otel and Claude Code both tell of most things. Pure. */
import type { OtlpAttributes, OtlpLogRecord } from '../telemetry/otlp.ts'
import { nativeEvent } from './event-facts.ts'
import { compact, keyOf, text } from './span-facts.ts'

export interface LogView {
  readonly unixMicro: number
  readonly severity: 'error' | 'warning' | 'info'
  readonly event: string
  readonly text: string
  readonly traceId?: string
  readonly spanId?: string
  /** Of the span that it is of, where it names it. */
  readonly key?: string
  /** What it is about, where both tell of it: two with the same subject at nearly the same time say the same. */
  readonly subject?: string
  /** Claude Code's event that says the same, and is not shown. */
  readonly twin?: string
}

export function logView(log: OtlpLogRecord): LogView {
  const { timeUnixMicro: unixMicro, eventName, body, attributes, traceId, spanId } = log
  const words = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body)
  const event = eventName ?? 'log'
  const key =
    keyOf('tool', attributes) ??
    keyOf('model', attributes) ??
    (/user_prompt$/.test(event) ? keyOf('turn', attributes) : undefined)
  return {
    unixMicro,
    severity: severityOf(log),
    event,
    text: words === '' || words === event || words === `claude_code.${event}` ? told(attributes) : words,
    ...compact({ traceId, spanId, key, subject: subjectOf(log) }),
  }
}

/** Whether it tells that something went wrong; Claude Code's own events have no severity. */
export function isFailure(log: OtlpLogRecord): boolean {
  return severityOf(log) === 'error'
}

function severityOf(log: OtlpLogRecord): LogView['severity'] {
  const { severityNumber, attributes } = log
  const native = nativeEvent(log)
  const hasFailed = native === 'api_error' || (native === 'tool_result' && attributes.success === 'false')
  return severityNumber >= 17 || hasFailed ? 'error' : severityNumber >= 13 ? 'warning' : 'info'
}

const toldNames = [
  'command_name',
  'tool_name',
  'error',
  'model',
  'query_source',
  'decision',
  'hook_name',
  'hook_event',
  'mcp_server_name',
  'agent_type',
  'plugin.name',
  'trigger',
  'status',
]

/** Claude Code's own records say everything in attributes. */
function told(attributes: OtlpAttributes): string {
  const prompt = text(attributes.prompt)
  const words = toldNames.flatMap((name) => text(attributes[name]) ?? [])
  return [...(prompt === undefined || prompt === '<REDACTED>' ? [] : [prompt]), ...words].join(' · ')
}

/** Pairs of events, ours and Claude Code's, and the attribute that both name the thing by. */
const subjects: Readonly<Record<string, readonly [subject: string, id?: string]>> = {
  'claude.user_prompt': ['prompt', 'prompt.id'],
  user_prompt: ['prompt', 'prompt.id'],
  'claude.assistant_response': ['answer', 'prompt.id'],
  assistant_response: ['answer', 'prompt.id'],
  'claude.tool.end': ['result', 'tool.use_id'],
  'claude.tool.error': ['result', 'tool.use_id'],
  tool_result: ['result', 'tool_use_id'],
  'claude.permission.granted': ['decision', 'tool.use_id'],
  'claude.permission.denied': ['decision', 'tool.use_id'],
  tool_decision: ['decision', 'tool_use_id'],
  'claude.api_error': ['api error'],
  api_error: ['api error'],
  'claude.compaction': ['compaction'],
  compaction: ['compaction'],
}

function subjectOf(log: OtlpLogRecord): string | undefined {
  const [subject, id] = subjects[nativeEvent(log) ?? log.eventName ?? ''] ?? []
  if (subject === undefined || id === undefined) return subject
  const named = text(log.attributes[id])
  return named === undefined ? undefined : `${subject} ${named}`
}

/** Hooks and transcripts tell of a thing somewhat earlier or later than Claude Code's events do. */
const nearMicro = 10_000_000

/** Each thing once, in the order of the list: where both tell of it, our record stands for Claude Code's, one for one. */
export function withoutTwins<View extends LogView>(logs: readonly View[]): View[] {
  const ours = new Map<string, number[]>()
  for (const [index, { subject, event }] of logs.entries()) {
    if (subject === undefined || !isOurs(event)) continue
    const known = ours.get(subject)
    if (known === undefined) ours.set(subject, [index])
    else known.push(index)
  }
  const shown: (View | undefined)[] = [...logs]
  for (const [index, log] of logs.entries()) {
    if (log.subject === undefined || isOurs(log.event)) continue
    const open = ours.get(log.subject) ?? []
    const distance = (at: number) => Math.abs((logs[at]?.unixMicro ?? 0) - log.unixMicro)
    const best = open.reduce<number | undefined>(
      (a, b) => (a === undefined || distance(b) < distance(a) ? b : a),
      undefined,
    )
    const stands = best === undefined || distance(best) > nearMicro ? undefined : shown[best]
    if (best === undefined || stands === undefined) continue
    open.splice(open.indexOf(best), 1)
    shown[best] = { ...stands, twin: log.event }
    shown[index] = undefined
  }
  return shown.filter((log) => log !== undefined)
}

function isOurs(event: string): boolean {
  return event.startsWith('claude.')
}
