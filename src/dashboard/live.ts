/**
 * What goes on now, from what came in: tools in flight, the context of each session, failures, who sends what. Held in memory and
 * bounded; what it cannot know after a restart it reads from the store. Order and repetition do not matter to it.
 */
import { sessionIdOf } from '../store/session-facts.ts'
import type { AnyStore } from '../store/store.ts'
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSpan } from '../telemetry/otlp.ts'
import type { ContextSample } from './context.ts'
import { EventSequence } from './event-sequence.ts'
import { Failures, type LiveError } from './failures.ts'
import { forgetOldest } from './forget.ts'
import { type Arrival, Senders } from './senders.ts'
import { logParts, spanParts } from './session-parts.ts'
import { number, readSpanFacts, text } from './span-facts.ts'

export interface ToolInFlight {
  readonly useId: string
  readonly name: string
  readonly detail?: string
  readonly sinceUnixMicro: number
  /** A person is asked. */
  readonly isAsking: boolean
}

export interface LiveSession {
  readonly id: string
  readonly inFlight: readonly ToolInFlight[]
  /** By time, since the last compaction. */
  readonly context: readonly ContextSample[]
  /** Who tells of it: claude-otel, Claude Code itself. */
  readonly sources: readonly ('claude-otel' | 'claude-code')[]
  /** Of Claude Code's own events, how many never came. */
  readonly lostEvents: number
}

export interface Live {
  /** What has just arrived. */
  take(batch: OtlpBatch): void
  /** What arrived earlier, in the same words. */
  recall(batch: OtlpBatch): void
  session(id: string): LiveSession | undefined
  /** Another one each time that something came of the session. */
  revision(id: string): number
  /** The last first. */
  errors(): readonly LiveError[]
  /** Since the hub was started. */
  arrivals(): readonly Arrival[]
  /** Our own counters of what is missing, added up over the processes that are heard of, by the name of the instrument. */
  troubles(): ReadonlyMap<string, number>
}

const maxSessions = 300
const maxSamples = 200
const maxKnownEnds = 500
export function createLive(): Live {
  return new LiveState()
}

/** Reads what the store has of sessions that were heard of since; others have their turn in between. */
export async function readLive(live: Live, store: AnyStore, sinceUnixMicro: number): Promise<void> {
  const period = { sinceUnixMicro, untilUnixMicro: Number.MAX_SAFE_INTEGER }
  for (const { id } of await store.sessions(period, maxSessions)) {
    for await (const logs of logParts(store, id)) live.recall({ signal: 'logs', logs })
    for await (const spans of spanParts(store, id)) live.recall({ signal: 'traces', spans })
  }
}

interface State {
  readonly inFlight: Map<string, ToolInFlight>
  /** Calls that are over; a start that comes later than its end is none. */
  readonly ended: Set<string>
  readonly asked: Set<string>
  readonly sources: Set<'claude-otel' | 'claude-code'>
  readonly events: EventSequence
  context: ContextSample[]
  compactedUnixMicro: number
  revision: number
}

class LiveState implements Live {
  /** The one heard of last is the last. */
  private readonly states = new Map<string, State>()
  private readonly failures = new Failures()
  private readonly senders = new Senders()
  private changes = 0

  take(batch: OtlpBatch): void {
    this.recall(batch)
    this.senders.count(batch)
  }

  recall(batch: OtlpBatch): void {
    const touched = new Set<State>()
    const stateOf = (item: OtlpSpan | OtlpLogRecord | OtlpPoint) => {
      const id = sessionIdOf(item.attributes)
      if (id === undefined) return undefined
      const state = this.stateOf(id)
      touched.add(state)
      return { id, state }
    }
    switch (batch.signal) {
      case 'traces':
        for (const span of batch.spans) onSpan(span, stateOf(span)?.state)
        break
      case 'logs':
        for (const log of batch.logs) {
          const found = stateOf(log)
          if (found === undefined) continue
          onLog(log, found.state)
          this.failures.take(log, found.id)
        }
        break
      case 'metrics':
        for (const point of batch.points) {
          stateOf(point)
          this.senders.takeTrouble(point)
        }
    }
    this.changes += 1
    for (const state of touched) state.revision = this.changes
  }

  session(id: string): LiveSession | undefined {
    const state = this.states.get(id)
    if (state === undefined) return undefined
    const { inFlight, context, sources, events } = state
    return { id, inFlight: [...inFlight.values()], context, sources: [...sources], lostEvents: events.lost }
  }

  revision(id: string): number {
    return this.states.get(id)?.revision ?? 0
  }

  errors(): readonly LiveError[] {
    return this.failures.list()
  }

  arrivals(): readonly Arrival[] {
    return this.senders.list()
  }

  troubles(): ReadonlyMap<string, number> {
    return this.senders.troubles()
  }

  private stateOf(id: string): State {
    const known = this.states.get(id)
    const state = known ?? {
      inFlight: new Map(),
      ended: new Set(),
      asked: new Set(),
      sources: new Set(),
      events: new EventSequence(),
      context: [],
      compactedUnixMicro: 0,
      revision: 0,
    }
    this.states.delete(id)
    this.states.set(id, state)
    forgetOldest(this.states, maxSessions)
    return state
  }
}

function onSpan(span: OtlpSpan, state: State | undefined): void {
  if (state === undefined) return
  const isOurs = !span.name.startsWith('claude_code.')
  state.sources.add(isOurs ? 'claude-otel' : 'claude-code')
  if (!isOurs) return
  const { kind, agentId, tokens, endUnixMicro } = readSpanFacts(span)
  const isMain = agentId === undefined && (text(span.attributes['claude.query_source']) ?? 'main') === 'main'
  if (kind !== 'model' || !isMain || tokens === undefined) return
  addContext(
    state,
    span.attributes,
    endUnixMicro,
    tokens.input + tokens.cacheRead + tokens.cacheCreation + tokens.output,
  )
}

function onLog(log: OtlpLogRecord, state: State): void {
  const { eventName = '', attributes, timeUnixMicro } = log
  state.sources.add(/^(claude|session)\./.test(eventName) ? 'claude-otel' : 'claude-code')
  const useId = text(attributes['tool.use_id'])
  const sequence = number(attributes['event.sequence'])
  if (sequence !== undefined && log.source.scopeName.startsWith('com.anthropic.claude_code'))
    state.events.add(sequence, timeUnixMicro)
  const context = contextOfRequest(log)
  if (context !== undefined && !state.sources.has('claude-otel')) addContext(state, attributes, timeUnixMicro, context)
  switch (eventName) {
    case 'claude.tool.start':
      if (useId !== undefined) onToolStart(state, useId, log)
      return
    case 'claude.permission.asked':
    case 'claude.permission.granted':
    case 'claude.permission.denied':
      if (useId !== undefined) onPermission(state, useId, eventName)
      return
    case 'claude.tool.end':
    case 'claude.tool.error':
      if (useId !== undefined) onToolEnd(state, useId)
      return
    case 'session.end':
      for (const id of state.inFlight.keys()) onToolEnd(state, id)
      return
    case 'claude.compaction':
    case 'compaction':
      state.compactedUnixMicro = Math.max(state.compactedUnixMicro, timeUnixMicro)
      state.context = state.context.filter(({ unixMicro }) => unixMicro > state.compactedUnixMicro)
  }
}

function onToolStart(state: State, useId: string, { attributes, timeUnixMicro }: OtlpLogRecord): void {
  if (state.ended.has(useId)) return
  const detail = text(attributes['input.summary'])
  state.inFlight.set(useId, {
    useId,
    name: text(attributes['tool.name']) ?? 'tool',
    sinceUnixMicro: timeUnixMicro,
    isAsking: state.asked.has(useId),
    ...(detail === undefined ? {} : { detail }),
  })
}

function onPermission(state: State, useId: string, event: string): void {
  const isAsking = event === 'claude.permission.asked'
  if (isAsking) state.asked.add(useId)
  else state.asked.delete(useId)
  const call = state.inFlight.get(useId)
  if (call !== undefined) state.inFlight.set(useId, { ...call, isAsking })
}

function onToolEnd(state: State, useId: string): void {
  state.inFlight.delete(useId)
  state.asked.delete(useId)
  state.ended.add(useId)
  forgetOldest(state.ended, maxKnownEnds)
}

function addContext(state: State, attributes: OtlpAttributes, unixMicro: number, tokens: number): void {
  if (unixMicro <= state.compactedUnixMicro) return
  const promptId = text(attributes['prompt.id'])
  const others = state.context.filter((sample) => sample.unixMicro !== unixMicro)
  const sample = { unixMicro, tokens, ...(promptId === undefined ? {} : { promptId }) }
  const context = [...others, sample].sort((a, b) => a.unixMicro - b.unixMicro)
  state.context = context.slice(-maxSamples)
}

/** Claude Code's own event stands in where claude-otel sends no `chat` spans. */
function contextOfRequest({ eventName, attributes }: OtlpLogRecord): number | undefined {
  if (eventName !== 'api_request') return undefined
  const source = text(attributes.query_source) ?? ''
  if (!['sdk', 'repl_main_thread'].includes(source)) return undefined
  const names = ['input_tokens', 'cache_read_tokens', 'cache_creation_tokens', 'output_tokens']
  return names.reduce((sum, name) => sum + (number(attributes[name]) ?? 0), 0)
}
