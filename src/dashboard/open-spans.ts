/** The spans that go on: nobody has sent them yet, but log records of claude-otel tell that they have begun. Pure. */
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import { compact, keyOf, type SpanFacts, type SpanKind, text } from './span-facts.ts'

const begins: Readonly<Record<string, SpanKind>> = {
  'session.start': 'session',
  'claude.user_prompt': 'turn',
  'claude.tool.start': 'tool',
}
const ends = new Set(['session.end', 'claude.turn.end', 'claude.tool.end', 'claude.tool.error'])

const asks = 'claude.permission.asked'
const decisions = new Set(['claude.permission.granted', 'claude.permission.denied'])

/** Whether a log record says that a span began or ended, or that somebody is asked, or has decided. */
export function marksSpan({ eventName = '' }: OtlpLogRecord): boolean {
  return eventName in begins || ends.has(eventName) || eventName === asks || decisions.has(eventName)
}

/**
 * Spans that log records say have begun, that no record says have ended and that nobody has sent: as if they ended at `atUnixMicro`.
 * Subagents have no record of their own: one is known by what it has already done.
 */
export function openSpans(
  spans: readonly SpanFacts[],
  logs: readonly OtlpLogRecord[],
  atUnixMicro: number,
): readonly SpanFacts[] {
  const sent = new Set(spans.map(({ spanId }) => spanId))
  const over = new Set(logs.flatMap(({ eventName, spanId }) => (ends.has(eventName ?? '') ? [spanId] : [])))
  const open = new Map<string, SpanFacts>()
  for (const log of logs) {
    const { spanId, eventName = '' } = log
    const call = spanId === undefined ? undefined : open.get(spanId)
    if (call !== undefined) open.set(call.spanId, withWait(call, log))
    const kind = begins[eventName]
    if (kind === undefined || spanId === undefined || over.has(spanId) || sent.has(spanId)) continue
    open.set(spanId, openSpan(log, kind, atUnixMicro))
  }
  const ours = spans.filter(({ teller }) => teller === 'claude-otel')
  for (const agent of openAgents([...ours, ...open.values()], sent, atUnixMicro)) open.set(agent.spanId, agent)
  return [...open.values()].map((span) => withParent(span, [...open.values()]))
}

function openSpan(log: OtlpLogRecord, kind: SpanKind, atUnixMicro: number): SpanFacts {
  const { attributes, traceId = '', spanId = '', timeUnixMicro } = log
  const names = { session: 'Session', turn: 'Turn', tool: text(attributes['tool.name']) ?? 'tool' }
  const facts = {
    detail: text(attributes['input.summary']) ?? text(attributes['prompt.preview']),
    agentId: text(attributes['gen_ai.agent.id']),
    agentName: text(attributes['gen_ai.agent.name']),
    promptId: text(attributes['prompt.id']),
    key: keyOf(kind, attributes),
  }
  return {
    traceId,
    spanId,
    kind,
    name: kind in names ? names[kind as keyof typeof names] : kind,
    startUnixMicro: timeUnixMicro,
    endUnixMicro: Math.max(timeUnixMicro, atUnixMicro),
    hasFailed: false,
    teller: 'claude-otel',
    isOpen: true,
    ...compact(facts),
  }
}

/** Until somebody decides, all of the call is waiting. */
function withWait(call: SpanFacts, { eventName = '', timeUnixMicro }: OtlpLogRecord): SpanFacts {
  const until = eventName === asks ? call.endUnixMicro : decisions.has(eventName) ? timeUnixMicro : undefined
  return until === undefined ? call : { ...call, waitMicro: until - call.startUnixMicro }
}

function openAgents(spans: readonly SpanFacts[], sent: ReadonlySet<string>, atUnixMicro: number): SpanFacts[] {
  const agents = new Map<string, SpanFacts>()
  for (const { kind, agentId, agentName, parentSpanId, promptId, traceId, startUnixMicro } of spans) {
    if (agentId === undefined || parentSpanId === undefined || kind === 'agent' || sent.has(parentSpanId)) continue
    const known = agents.get(parentSpanId)
    agents.set(parentSpanId, {
      traceId,
      spanId: parentSpanId,
      kind: 'agent',
      name: agentName ?? 'agent',
      startUnixMicro: Math.min(startUnixMicro, known?.startUnixMicro ?? startUnixMicro),
      endUnixMicro: Math.max(startUnixMicro, atUnixMicro),
      hasFailed: false,
      teller: 'claude-otel',
      key: `agent ${agentId}`,
      isOpen: true,
      agentId,
      ...compact({ agentName, promptId }),
    })
  }
  return [...agents.values()]
}

/** A log record does not name the parent of its span: what else goes on tells, where only one thing can be meant. */
function withParent(span: SpanFacts, open: readonly SpanFacts[]): SpanFacts {
  const others = open.filter(({ traceId, spanId }) => traceId === span.traceId && spanId !== span.spanId)
  const only = (found: readonly SpanFacts[]) => (found.length === 1 ? found[0] : undefined)
  const turn = others.findLast(({ kind, promptId }) => kind === 'turn' && promptId === span.promptId)
  const parents: Partial<Record<SpanKind, () => SpanFacts | undefined>> = {
    turn: () => others.find(({ kind }) => kind === 'session'),
    tool: () => others.find(({ kind, agentId }) => kind === 'agent' && agentId === span.agentId) ?? turn,
    agent: () => only(others.filter(({ kind, name }) => kind === 'tool' && /^(Agent|Task)$/.test(name))) ?? turn,
  }
  const parent = parents[span.kind]?.()
  return parent === undefined ? span : { ...span, parentSpanId: parent.spanId }
}
