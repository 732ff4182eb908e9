/**
 * Usage request by request: Claude Code's `api_request` events, the `chat` spans of claude-otel, messages in transcripts. Each
 * becomes one record, whose id is the request's: however often it is sent, it is known again.
 */
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { OtlpLogRecord, OtlpSpan } from '../telemetry/otlp.ts'
import { compact, numberOf, textOf } from './correlation.ts'
import type { Prices } from './pricing.ts'
import type { Correlation, UsageRecord } from './record.ts'
import { deriveKey } from './stream.ts'

/** Whether a scope is Claude Code's own telemetry or ours; nothing else is looked at. */
export function isKnownScope(scopeName: string): boolean {
  return scopeName === 'claude-otel' || scopeName.startsWith('com.anthropic.claude_code')
}

/** Whether a log record of theirs tells of a served request. */
export function isRequestEvent({ eventName = '' }: OtlpLogRecord): boolean {
  return /^(claude_code\.)?api_request$/.test(eventName)
}

/** Whether a span of ours tells of a served request; agents' repeat what their requests say, failed ones have no tokens. */
export function isRequestSpan({ attributes }: OtlpSpan): boolean {
  return attributes['gen_ai.operation.name'] === 'chat' && 'tokens.input' in attributes
}

/** The record of an `api_request` event. */
export function readRequestEvent(log: OtlpLogRecord, who: Correlation): UsageRecord {
  const { attributes, timeUnixMicro } = log
  const requestId = textOf(attributes.request_id)
  const purpose = textOf(attributes.query_source)
  const count = (name: string): number => numberOf(attributes[name]) ?? 0
  // The sequence begins anew in every process, and a gateway may give no request ids; what is sent again is the same in all three.
  const identity = [requestId ?? '', count('event.sequence'), textOf(attributes['event.timestamp']) ?? timeUnixMicro]
  return compact({
    ...who,
    id: deriveKey('events', who.sessionId, ...identity),
    source: 'events' as const,
    timeUnixMicro,
    model: textOf(attributes.model) ?? 'unknown',
    inputTokens: count('input_tokens'),
    outputTokens: count('output_tokens'),
    cacheReadTokens: count('cache_read_tokens'),
    cacheCreationTokens: count('cache_creation_tokens'),
    cacheCreation1hTokens: numberOf(attributes.cache_creation_1h_tokens),
    costUsd: numberOf(attributes.cost_usd) ?? null,
    querySource: purpose === undefined ? undefined : querySourceOf(purpose),
    purpose,
    agentName: textOf(attributes['agent.name']),
    agentId: textOf(attributes.agent_id),
    promptId: textOf(attributes['prompt.id']),
    effort: textOf(attributes.effort),
    speed: textOf(attributes.speed),
    skill: textOf(attributes['skill.name']),
    mcpServer: textOf(attributes['mcp_server.name']),
    mcpTool: textOf(attributes['mcp_tool.name']),
    requestId,
    traceId: log.traceId,
    spanId: log.spanId,
    durationMs: numberOf(attributes.duration_ms),
    timeToFirstTokenMs: numberOf(attributes.ttft_ms),
  })
}

/** The record of a `chat` span of ours. A message counts once in its session, also where two observers tell of it. */
export function readRequestSpan(span: OtlpSpan, who: Correlation): UsageRecord {
  const { attributes } = span
  const count = (name: string): number => numberOf(attributes[name]) ?? 0
  const messageId = textOf(attributes['gen_ai.response.id'])
  const agentId = textOf(attributes['gen_ai.agent.id'])
  return compact({
    ...who,
    id:
      messageId === undefined
        ? deriveKey('wrapper', span.traceId, span.spanId)
        : deriveKey('wrapper', who.sessionId, messageId),
    source: 'wrapper' as const,
    timeUnixMicro: span.endUnixMicro,
    model: textOf(attributes['gen_ai.response.model']) ?? textOf(attributes['gen_ai.request.model']) ?? 'unknown',
    inputTokens: count('tokens.input'),
    outputTokens: count('tokens.output'),
    cacheReadTokens: count('tokens.cache_read'),
    cacheCreationTokens: count('tokens.cache_creation'),
    cacheCreation1hTokens: numberOf(attributes['tokens.cache_creation_1h']),
    costUsd: null,
    querySource: textOf(attributes['claude.query_source']),
    agentName: agentId === undefined ? undefined : textOf(attributes['gen_ai.agent.name']),
    agentId,
    promptId: textOf(attributes['prompt.id']),
    effort: textOf(attributes['gen_ai.request.reasoning.level']),
    speed: textOf(attributes['claude.speed']),
    requestId: textOf(attributes['request.id']),
    traceId: span.traceId,
    spanId: span.spanId,
    durationMs: (span.endUnixMicro - span.startUnixMicro) / 1000,
  })
}

/**
 * The record of a message of the model in a transcript. A message that stands in several files (a fork begins with a copy) counts
 * once; of its several lines in one file the caller takes the last, since older ones can have less.
 */
export function readMessage(message: Message, place: MessagePlace, who: Correlation): UsageRecord {
  const { usage } = message
  return compact({
    ...who,
    id: deriveKey('transcript', message.messageId, message.requestId ?? ''),
    source: 'transcript' as const,
    timeUnixMicro: place.timeUnixMicro,
    model: message.model,
    inputTokens: usage.input,
    outputTokens: usage.output,
    cacheReadTokens: usage.cacheRead,
    cacheCreationTokens: usage.cacheCreation,
    cacheCreation1hTokens: usage.cacheCreation1h,
    costUsd: null,
    querySource: place.agentId === undefined ? 'main' : 'subagent',
    agentName: place.agentName,
    agentId: place.agentId,
    promptId: place.promptId,
    effort: message.effort,
    speed: message.speed,
    requestId: message.requestId,
    durationMs: Math.max(0, place.timeUnixMicro - message.startUnixMicro) / 1000,
  })
}

type Message = Extract<TranscriptDetail, { type: 'message' }>

/** Where in the transcripts a message stands. */
export interface MessagePlace {
  readonly timeUnixMicro: number
  readonly promptId?: string
  readonly agentId?: string
  readonly agentName?: string
}

/** The record with its cost: Claude's own figure, or the table's, which has none for faster answers. */
export function priced(record: UsageRecord, prices: Prices): UsageRecord {
  if (record.costUsd !== null) return { ...record, costSource: 'claude' }
  const isListed = record.speed === undefined || record.speed === 'normal' || record.speed === 'standard'
  const price = isListed ? prices.priceOf(record.model, record, record.timeUnixMicro) : undefined
  return price === undefined ? record : { ...record, costUsd: price.usd, costSource: price.source }
}

/** The metrics' coarse word for an event's fine one. */
function querySourceOf(purpose: string): string {
  if (purpose === 'sdk' || purpose.startsWith('repl_main_thread')) return 'main'
  return purpose.startsWith('agent:') ? 'subagent' : 'auxiliary'
}
