/**
 * One tree of what several tell: claude-otel's spans, Claude Code's own spans, and events that stand for spans. What is of the same
 * turn, model call, tool call or subagent becomes one; what only Claude Code knows hangs where it belongs in our tree. Pure.
 */
import type { EventFacts } from './event-facts.ts'
import { addTokens, noTokens, type SpanFacts, type Tokens } from './span-facts.ts'

/** One thing, and who else tells of it. */
export interface TreeSpan extends SpanFacts {
  readonly also?: readonly Told[]
}

/** Where the words of another teller are: a span, or an event by its place among the session's log records. */
export type Told = Pick<SpanFacts, 'teller' | 'traceId' | 'spanId' | 'log'>

/** `spans` are those that were sent, of ours and theirs; `open` those of ours that go on. */
export function oneTree(
  spans: readonly SpanFacts[],
  open: readonly SpanFacts[] = [],
  events: EventFacts = { spans: [], prompts: new Map() },
): readonly TreeSpan[] {
  const tree = new Tree()
  const isOurs = ({ teller }: SpanFacts) => teller === 'claude-otel'
  for (const span of [...spans.filter(isOurs), ...open]) tree.add(span)
  const theirs = spans.filter((span) => !isOurs(span)).map((span) => withPrompt(span, events.prompts))
  // A call before the part of it in which the tool ran.
  theirs.sort((a, b) => a.startUnixMicro - b.startUnixMicro || b.endUnixMicro - a.endUnixMicro)
  for (const span of [...theirs, ...events.spans]) tree.take(span)
  return tree.spans()
}

function withPrompt(span: SpanFacts, prompts: ReadonlyMap<string, string>): SpanFacts {
  const promptId = span.kind === 'turn' ? prompts.get(span.spanId) : undefined
  return promptId === undefined ? span : { ...span, promptId, key: `turn ${promptId}` }
}

type Node = { span: TreeSpan }

/** Two tell of one request when one of them has no id of it, and both tell the same outcome at nearly the same time. */
const sameRequestMicro = 10_000_000

/** Between the beginnings of an agent and of the call that it runs under. */
const sameStartMicro = 5_000_000

class Tree {
  private readonly nodes: Node[] = []
  private readonly byKey = new Map<string, Node[]>()
  private readonly byId = new Map<string, Node>()
  private readonly byOutcome = new Map<string, Node[]>()

  add(span: SpanFacts): void {
    const node = { span }
    this.nodes.push(node)
    this.byId.set(span.spanId, node)
    if (span.key !== undefined) put(this.byKey, span.key, node)
    if (span.kind === 'model' && !span.isSum) put(this.byOutcome, outcomeOf(span), node)
  }

  /** Puts it to what is known of the same thing; else it is a thing of its own. */
  take(span: SpanFacts): void {
    if (span.kind === 'permission') this.wait(span)
    const node = this.find(span)
    if (node === undefined) {
      this.add(span)
      return
    }
    const hadKey = node.span.key !== undefined
    node.span = joined(node.span, span)
    this.byId.set(span.spanId, node)
    if (!hadKey && span.key !== undefined) put(this.byKey, span.key, node)
  }

  /** Of a call that we know nothing of, Claude Code tells by a span how long somebody was asked. */
  private wait({ parentSpanId = '', endUnixMicro }: SpanFacts): void {
    const call = this.byId.get(parentSpanId)
    if (call === undefined || call.span.waitMicro !== undefined) return
    call.span = { ...call.span, waitMicro: endUnixMicro - call.span.startUnixMicro }
  }

  spans(): readonly TreeSpan[] {
    const turns = this.ofKind('turn')
    const hasNumbers = turns.some(({ teller }) => teller === 'claude-otel')
    const prompts = turns.filter(({ name }) => !name.startsWith('/'))
    const sessions = this.ofKind('session')
    const tools = Map.groupBy(this.ofKind('tool'), (call) => `${call.parentSpanId} ${call.name}`)
    const placed = this.nodes.map(({ span }) => {
      if (span.teller === 'claude-otel') return span
      if (span.kind === 'turn') {
        const turn =
          hasNumbers || span.name.startsWith('/') ? span : { ...span, name: `Turn ${prompts.indexOf(span) + 1}` }
        return under(turn, during(sessions, span))
      }
      const parent = this.parentOf(span) ?? during(turns, span) ?? during(sessions, span)
      return under(span, (span.kind === 'hook' ? callOf(span, parent, tools) : undefined) ?? parent)
    })
    return withoutDoubleSums(placed)
  }

  private find(span: SpanFacts): Node | undefined {
    const same = span.key === undefined ? undefined : this.byKey.get(span.key)
    if (same !== undefined) return nearest(same, span.startUnixMicro, ({ span }) => span.startUnixMicro)
    if (span.kind === 'turn') return this.turnAt(span)
    if (span.kind !== 'model') return undefined
    const alike = (this.byOutcome.get(outcomeOf(span)) ?? []).filter(
      ({ span: { key, promptId } }) =>
        (key === undefined || span.key === undefined) && (promptId ?? span.promptId) === (span.promptId ?? promptId),
    )
    const found = nearest(alike, span.endUnixMicro, ({ span }) => span.endUnixMicro)
    const isNear = Math.abs((found?.span.endUnixMicro ?? 0) - span.endUnixMicro) < sameRequestMicro
    return isNear ? found : undefined
  }

  /** Where nothing says what prompt Claude Code's turn is of: its prompt came while it went on. */
  private turnAt(span: SpanFacts): Node | undefined {
    const isOf = (turn: SpanFacts, prompt: SpanFacts) =>
      turn.key === undefined &&
      prompt.startUnixMicro >= turn.startUnixMicro &&
      prompt.startUnixMicro <= turn.endUnixMicro
    return this.nodes.find(({ span: known }) => known.kind === 'turn' && (isOf(known, span) || isOf(span, known)))
  }

  private parentOf(span: SpanFacts): TreeSpan | undefined {
    const { parentSpanId = '', agentId, promptId } = span
    const told = this.byId.get(parentSpanId)?.span
    if (span.kind === 'agent') return this.callOfAgent(span) ?? told ?? this.turnOf(promptId)
    const agent = agentId === undefined ? undefined : this.byKey.get(`agent ${agentId}`)?.[0]?.span
    if (agent !== undefined && told?.agentId !== agentId) return agent
    return told ?? this.turnOf(promptId)
  }

  private turnOf(promptId: string | undefined): TreeSpan | undefined {
    return this.byKey.get(`turn ${promptId}`)?.[0]?.span
  }

  /** An agent's call has begun when the agent did. */
  private callOfAgent({ promptId, startUnixMicro: at }: SpanFacts): TreeSpan | undefined {
    const calls = this.nodes.filter(({ span }) => /^(Agent|Task)$/.test(span.name) && span.promptId === promptId)
    const call = nearest(calls, at, ({ span }) => span.startUnixMicro)?.span
    return call !== undefined && Math.abs(call.startUnixMicro - at) < sameStartMicro ? call : undefined
  }

  private ofKind(kind: SpanFacts['kind']): readonly TreeSpan[] {
    const found = this.nodes.flatMap(({ span }) => (span.kind === kind ? [span] : []))
    return found.sort((a, b) => a.startUnixMicro - b.startUnixMicro)
  }
}

/** Ours knows best when a tool was called; of all else the whole time is what any of them saw of it. */
function joined(known: TreeSpan, other: SpanFacts): TreeSpan {
  const isOver = known.isOpen === true && (other.teller === 'claude-code' || known.kind !== 'turn')
  const isCall = known.kind === 'tool' && !isOver
  return {
    ...other,
    ...(isOver ? withoutOpen(known) : known),
    name: known.teller === 'claude-code' && other.name.startsWith('/') ? other.name : known.name,
    startUnixMicro: known.kind === 'tool' ? known.startUnixMicro : Math.min(known.startUnixMicro, other.startUnixMicro),
    endUnixMicro: isCall
      ? known.endUnixMicro
      : Math.max(isOver ? known.startUnixMicro : known.endUnixMicro, other.endUnixMicro),
    hasFailed: known.hasFailed || other.hasFailed,
    also: [...(known.also ?? []), toldBy(other)],
  }
}

function withoutOpen({ isOpen: _, ...known }: TreeSpan): TreeSpan {
  return known
}

function toldBy({ teller, traceId, spanId, log }: SpanFacts): Told {
  return { teller, traceId, spanId, ...(log === undefined ? {} : { log }) }
}

function under(span: TreeSpan, parent: TreeSpan | undefined): TreeSpan {
  if (parent?.spanId === span.parentSpanId) return span
  const { parentSpanId: _, ...rest } = span
  return parent === undefined || parent.spanId === span.spanId ? rest : { ...rest, parentSpanId: parent.spanId }
}

/** The last of them, by start, that had begun and was not over. */
function during(sorted: readonly TreeSpan[], { startUnixMicro, endUnixMicro }: SpanFacts): TreeSpan | undefined {
  return sorted.findLast((each) => each.startUnixMicro <= endUnixMicro && each.endUnixMicro >= startUnixMicro)
}

/** The call that a hook belongs to, by the name that the hook's has behind a colon, beside it in the tree. */
function callOf(
  hook: TreeSpan,
  parent: TreeSpan | undefined,
  tools: ReadonlyMap<string, readonly TreeSpan[]>,
): TreeSpan | undefined {
  const name = /ToolUse(?:Failure)?:(.+)$/.exec(hook.name)?.[1]
  return name === undefined ? undefined : during(tools.get(`${parent?.spanId} ${name}`) ?? [], hook)
}

/** What requests of their own tell is taken out of the sum that they are in; of a sum with nothing left nothing is told. */
function withoutDoubleSums(spans: readonly TreeSpan[]): readonly TreeSpan[] {
  const sums = spans.filter(({ isSum }) => isSum)
  if (sums.length === 0) return spans
  const single = spans.filter(({ kind, teller }) => kind === 'model' && teller !== 'claude-otel')
  return spans.flatMap((span) => {
    if (!span.isSum) return [span]
    const parts = single.filter(
      ({ name, ...part }) => name === span.name && during([span], { ...part, name }) !== undefined,
    )
    const told = parts.reduce((sum, { tokens = noTokens }) => addTokens(sum, tokens), noTokens)
    const tokens = subtract(span.tokens ?? noTokens, told)
    return tokens === undefined ? [] : [{ ...span, tokens }]
  })
}

/** No figure below nothing; undefined where nothing is left. */
function subtract(a: Tokens, b: Tokens): Tokens | undefined {
  const left = {
    input: Math.max(0, a.input - b.input),
    output: Math.max(0, a.output - b.output),
    cacheRead: Math.max(0, a.cacheRead - b.cacheRead),
    cacheCreation: Math.max(0, a.cacheCreation - b.cacheCreation),
  }
  return Object.values(left).every((count) => count === 0) ? undefined : left
}

function outcomeOf({ tokens, hasFailed, agentId }: SpanFacts): string {
  if (hasFailed || tokens === undefined) return `${agentId} ${hasFailed ? 'failed' : 'unknown'}`
  return [agentId, tokens.input, tokens.output, tokens.cacheRead, tokens.cacheCreation].join(' ')
}

function put<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const known = map.get(key)
  if (known === undefined) map.set(key, [value])
  else known.push(value)
}

function nearest<Value>(values: readonly Value[], at: number, timeOf: (value: Value) => number): Value | undefined {
  let best = values[0]
  for (const value of values) {
    if (best !== undefined && Math.abs(timeOf(value) - at) < Math.abs(timeOf(best) - at)) best = value
  }
  return best
}
