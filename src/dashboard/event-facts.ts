/**
 * What Claude Code's events say of turns, model calls, tool calls and subagents, as spans would: the page of a session is whole where
 * nothing but events comes, and knows auxiliary requests, of which no transcript tells. Pure.
 */
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import { compact, keyOf, micros, purposeOf, type SpanFacts, type SpanKind, text, tokensOf } from './span-facts.ts'

export interface EventFacts {
  /** By the time of their events. */
  readonly spans: readonly SpanFacts[]
  /** Prompt ids by the ids of Claude Code's spans, which do not tell them. */
  readonly prompts: ReadonlyMap<string, string>
}

/** Takes a session's log records, all of them, in their order. */
export class EventReader {
  private count = 0
  private readonly spans: SpanFacts[] = []
  private readonly prompts = new Map<string, string>()
  private readonly lastOfPrompt = new Map<string, number>()

  take(log: OtlpLogRecord): void {
    const place = this.count++
    const name = nativeEvent(log)
    if (name === undefined) return
    const promptId = text(log.attributes['prompt.id'])
    if (promptId !== undefined) {
      const last = this.lastOfPrompt.get(promptId) ?? 0
      this.lastOfPrompt.set(promptId, Math.max(last, log.timeUnixMicro))
      if (name === 'user_prompt' && log.spanId !== undefined) this.prompts.set(log.spanId, promptId)
    }
    const span = readers[name]?.(log)
    if (span !== undefined) this.spans.push({ ...span, log: place })
  }

  /** A turn lasts as long as there are events of its prompt. */
  facts(): EventFacts {
    const spans = this.spans.map((span) => {
      const last = span.kind === 'turn' ? this.lastOfPrompt.get(span.promptId ?? '') : undefined
      return last === undefined ? span : { ...span, endUnixMicro: Math.max(span.endUnixMicro, last) }
    })
    return { spans, prompts: this.prompts }
  }
}

/** The event's name where it is one of Claude Code's own, without the prefix that some senders give it. */
export function nativeEvent({ eventName = '' }: OtlpLogRecord): string | undefined {
  const name = eventName.replace(/^claude_code\./, '')
  return name === '' || /^(claude|session|claude_otel)\./.test(name) ? undefined : name
}

const readers: Readonly<Record<string, (log: OtlpLogRecord) => SpanFacts | undefined>> = {
  user_prompt: readPrompt,
  api_request: readRequest,
  api_error: (log) => ({ ...readRequest(log), hasFailed: true }),
  tool_result: readTool,
  tool_decision: readRefusal,
  subagent_completed: (log) => eventSpan(log, 'agent', text(log.attributes.agent_type) ?? 'agent'),
}

function readPrompt(log: OtlpLogRecord): SpanFacts {
  const { attributes, spanId } = log
  const command = text(attributes.command_name)
  const prompt = text(attributes.prompt)
  const turn = eventSpan(log, 'turn', command === undefined ? 'Turn' : `/${command}`)
  const detail = prompt === '<REDACTED>' ? undefined : prompt
  // The id is that of Claude Code's own span of the turn, which comes at its end.
  return { ...turn, ...compact({ detail, spanId }) }
}

function readRequest(log: OtlpLogRecord): SpanFacts {
  const { attributes } = log
  const told = {
    tokens: tokensOf(attributes),
    detail: purposeOf(attributes),
    agentName: text(attributes['agent.name']),
  }
  return { ...eventSpan(log, 'model', text(attributes.model) ?? 'model'), ...compact(told) }
}

function readTool(log: OtlpLogRecord): SpanFacts {
  const { attributes } = log
  const isOk = attributes.success !== 'false' && attributes.success !== false
  return {
    ...eventSpan(log, 'tool', text(attributes.tool_name) ?? 'tool'),
    hasFailed: !isOk,
    status: isOk ? 'success' : 'error',
    ...compact({ detail: commandOf(log), runMicro: micros(attributes.duration_ms) }),
  }
}

/** A call that was refused has no result. */
function readRefusal(log: OtlpLogRecord): SpanFacts | undefined {
  if (log.attributes.decision !== 'reject') return undefined
  const call = eventSpan(log, 'tool', text(log.attributes.tool_name) ?? 'tool')
  return { ...call, hasFailed: true, status: 'denied', ...compact({ detail: commandOf(log) }) }
}

function commandOf({ attributes }: OtlpLogRecord): string | undefined {
  const parameters = text(attributes.tool_parameters)
  try {
    const told: unknown = parameters === undefined ? undefined : JSON.parse(parameters)
    return told instanceof Object && 'full_command' in told ? String(told.full_command) : undefined
  } catch {
    return undefined
  }
}

/** An event is told at the end of what it tells of. */
function eventSpan(log: OtlpLogRecord, kind: SpanKind, name: string): SpanFacts {
  const { attributes, timeUnixMicro, traceId = '', spanId } = log
  const key = keyOf(kind, attributes)
  const about = {
    key,
    parentSpanId: spanId,
    promptId: text(attributes['prompt.id']),
    agentId: text(attributes.agent_id),
    agentName: kind === 'agent' ? name : undefined,
  }
  return {
    traceId,
    spanId: key ?? `${kind} ${timeUnixMicro} ${String(attributes['event.sequence'] ?? '')}`,
    kind,
    name,
    startUnixMicro: timeUnixMicro - (micros(attributes.duration_ms) ?? 0),
    endUnixMicro: timeUnixMicro,
    hasFailed: false,
    teller: 'event',
    ...compact(about),
  }
}
