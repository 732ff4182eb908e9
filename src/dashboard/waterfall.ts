/**
 * The spans of a session as rows: parents before children, children by start, and the spans that go on, which nobody has sent yet
 * but which log records tell of. Pure.
 */
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import { compact, type SpanFacts, type SpanKind, text } from './span-facts.ts'

export interface WaterfallRow extends SpanFacts {
  readonly depth: number
  /** It has not ended, or nobody told: `endUnixMicro` is what is known of it. */
  readonly isOpen: boolean
  /** Index into `lanes`. */
  readonly lane: number
}

export interface Waterfall {
  readonly rows: readonly WaterfallRow[]
  /** Who worked: the main conversation, then each subagent in the order of its start. */
  readonly lanes: readonly string[]
}

/** `open` are spans that go on. A span whose parent is unknown stands at the top. */
export function renderWaterfall(spans: readonly SpanFacts[], open: readonly SpanFacts[] = []): Waterfall {
  const all = [...new Map([...open, ...spans].map((span) => [keyOf(span), span])).values()]
  all.sort((a, b) => a.startUnixMicro - b.startUnixMicro || b.endUnixMicro - a.endUnixMicro)
  const finished = new Set(spans.map(keyOf))
  const known = new Set(all.map(keyOf))
  const children = Map.groupBy(all, (span) => parentKey(span, known))
  const lanes = new Lanes()
  const rows: WaterfallRow[] = []
  const seen = new Set<string>()
  const visit = (top: SpanFacts): void => {
    const stack = [{ span: top, depth: 0 }]
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { span, depth } = next
      const key = keyOf(span)
      if (seen.has(key)) continue
      seen.add(key)
      rows.push({ ...span, depth, isOpen: !finished.has(key), lane: lanes.of(span) })
      for (const child of (children.get(key) ?? []).toReversed()) stack.push({ span: child, depth: depth + 1 })
    }
  }
  for (const span of children.get('') ?? []) visit(span)
  // Spans that name each other as parents have no top.
  for (const span of all) visit(span)
  return { rows, lanes: lanes.names }
}

class Lanes {
  readonly names = ['main']
  private readonly indices = new Map<string, number>()

  of({ agentId, agentName }: SpanFacts): number {
    if (agentId === undefined) return 0
    const known = this.indices.get(agentId)
    if (known !== undefined) return known
    this.indices.set(agentId, this.names.length)
    return this.names.push(agentName ?? 'agent') - 1
  }
}

function keyOf({ traceId, spanId }: SpanFacts): string {
  return `${traceId} ${spanId}`
}

function parentKey({ traceId, parentSpanId }: SpanFacts, known: ReadonlySet<string>): string {
  const key = `${traceId} ${parentSpanId}`
  return parentSpanId !== undefined && known.has(key) ? key : ''
}

const begins: Readonly<Record<string, SpanKind>> = {
  'session.start': 'session',
  'claude.user_prompt': 'turn',
  'claude.tool.start': 'tool',
}
const ends = new Set(['session.end', 'claude.turn.end', 'claude.tool.end', 'claude.tool.error'])

/** Whether a log record says that a span began or ended. */
export function marksSpan({ eventName = '' }: OtlpLogRecord): boolean {
  return eventName in begins || ends.has(eventName)
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
    const kind = begins[eventName]
    if (kind === undefined || spanId === undefined || over.has(spanId) || sent.has(spanId)) continue
    open.set(spanId, openSpan(log, kind, atUnixMicro))
  }
  for (const agent of openAgents([...spans, ...open.values()], sent, atUnixMicro)) open.set(agent.spanId, agent)
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
  }
  return {
    traceId,
    spanId,
    kind,
    name: kind in names ? names[kind as keyof typeof names] : kind,
    startUnixMicro: timeUnixMicro,
    endUnixMicro: Math.max(timeUnixMicro, atUnixMicro),
    hasFailed: false,
    isOurs: true,
    ...compact(facts),
  }
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
      isOurs: true,
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
