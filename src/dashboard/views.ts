/** From what a store holds to what the page shows: sessions, turns, one span. Pure; times are microseconds. */
import type { SessionFacts } from '../store/session-facts.ts'
import type { OtlpAttributes, OtlpLogRecord, OtlpSpan, OtlpValue } from '../telemetry/otlp.ts'
import type { SessionUsage, UsageSource } from '../usage/record.ts'
import { type Captured, capturedBy, tokensOf } from '../usage/sources.ts'
import { addTokens, compact, noTokens, type SpanFacts, type Teller, type Tokens } from './span-facts.ts'
import type { TimeSpent } from './time-spent.ts'

/** `lost`: claude was gone without a word, or nothing was heard of it for so long that it must be. */
export type SessionState = 'active' | 'ended' | 'lost'

export interface SessionRow {
  readonly id: string
  readonly state: SessionState
  readonly title?: string
  readonly project?: string
  readonly branch?: string
  readonly model?: string
  readonly user?: string
  readonly version?: string
  readonly source?: string
  readonly endReason?: string
  readonly startUnixMicro: number
  /** Last heard of. */
  readonly lastUnixMicro: number
}

/** What an ended session's last metrics take to come. */
const afterwordMicro = 5_000_000
/** A person can sit before a prompt for long, but the wrapper's metrics come every minute. */
const silenceMicro = 30 * 60 * 1_000_000

export function sessionState(facts: SessionFacts, nowUnixMicro: number): SessionState {
  const { endTime, endReason, lastTime } = facts
  const goesOn = endTime === undefined || lastTime > endTime + afterwordMicro
  if (!goesOn) return endReason === 'crashed' ? 'lost' : 'ended'
  return nowUnixMicro - lastTime > silenceMicro ? 'lost' : 'active'
}

export function sessionRow(facts: SessionFacts, nowUnixMicro: number): SessionRow {
  const { id, title, repository, cwd, branch, model, user, version, source, endReason } = facts
  const state = sessionState(facts, nowUnixMicro)
  const project = repository ?? cwd?.split(/[\\/]/).findLast((part) => part !== '')
  const told = { title, project, branch, model, user, version, source }
  return {
    id,
    state,
    startUnixMicro: facts.firstTime,
    lastUnixMicro: facts.lastTime,
    ...compact(told),
    ...(state !== 'active' && endReason !== undefined ? { endReason } : {}),
  }
}

export interface TurnRow {
  readonly traceId: string
  readonly spanId: string
  readonly name: string
  readonly prompt?: string
  readonly status?: string
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly isOpen: boolean
  readonly tools: number
  readonly tokens: Tokens
}

/** Turns by start; the tokens and tools of one are those of everything below it, subagents included. */
export function turnRows(rows: readonly (SpanFacts & { readonly depth: number })[]): TurnRow[] {
  const turns: (TurnRow & { tokens: Tokens; tools: number })[] = []
  let turn: { readonly depth: number; readonly row: (typeof turns)[number] } | undefined
  for (const row of rows) {
    if (turn !== undefined && row.depth <= turn.depth) turn = undefined
    if (row.kind === 'turn' && turn === undefined) {
      turn = { depth: row.depth, row: emptyTurn(row) }
      turns.push(turn.row)
    }
    if (turn === undefined) continue
    if (row.kind === 'tool') turn.row.tools += 1
    if (row.kind === 'model' && row.tokens !== undefined) turn.row.tokens = addTokens(turn.row.tokens, row.tokens)
  }
  return turns.sort((a, b) => a.startUnixMicro - b.startUnixMicro)
}

function emptyTurn(row: SpanFacts): TurnRow & { tokens: Tokens; tools: number } {
  const { traceId, spanId, name, startUnixMicro, endUnixMicro, isOpen = false, detail: prompt, status } = row
  const known = { traceId, spanId, name, startUnixMicro, endUnixMicro, isOpen }
  return { ...known, tools: 0, tokens: noTokens, ...compact({ prompt, status }) }
}

/** Of all model calls of a tree, in which each stands once. */
export function modelTokens(tree: readonly SpanFacts[]): Tokens {
  const calls = tree.filter(({ kind }) => kind === 'model')
  return calls.reduce((sum, { tokens = noTokens }) => addTokens(sum, tokens), noTokens)
}

/** What `/api/sessions/<id>` answers; rows and log records come part by part. */
export interface SessionView {
  readonly session: SessionRow
  readonly lanes: readonly string[]
  readonly turns: readonly TurnRow[]
  readonly time: TimeSpent
  readonly tokens: Tokens
  /** Absent where usage knows nothing of it. */
  readonly usage?: SessionSources
  readonly rowCount: number
  /** Another one means that the rows are others. */
  readonly revision: string
}

/** What was used by the source that is believed, and what each has of it, from 0 to 1. */
export interface SessionSources {
  readonly source: UsageSource
  readonly captured: Captured
  readonly tokens: number
  readonly costUsd: number | null
}

export function sessionSources(usage: SessionUsage | undefined): SessionSources | undefined {
  const totals = usage?.source === undefined ? undefined : usage.bySource[usage.source]
  if (usage?.source === undefined || totals === undefined) return undefined
  return { source: usage.source, captured: capturedBy(usage), tokens: tokensOf(totals), costUsd: totals.costUsd }
}

/** A span, or an event that stands for one, with all that was recorded of it. */
export interface SpanView {
  readonly teller: Teller
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly statusMessage?: string
  readonly attributes: readonly (readonly [name: string, value: string])[]
  readonly events: readonly { readonly name: string; readonly unixMicro: number }[]
  readonly service: string
}

export function spanView(span: OtlpSpan): SpanView {
  const { name, traceId, spanId, startUnixMicro, endUnixMicro, statusMessage, attributes, events, source } = span
  return {
    teller: name.startsWith('claude_code.') ? 'claude-code' : 'claude-otel',
    name,
    traceId,
    spanId,
    startUnixMicro,
    endUnixMicro,
    attributes: renderAttributes(attributes),
    events: events.map((event) => ({ name: event.name, unixMicro: event.timeUnixMicro })),
    service: renderValue(source.resource['service.name'] ?? ''),
    ...compact({ statusMessage }),
  }
}

/** An event in the same words. */
export function eventView(log: OtlpLogRecord): SpanView {
  const { eventName = 'event', traceId = '', spanId = '', timeUnixMicro, attributes, source } = log
  return {
    teller: 'event',
    name: eventName,
    traceId,
    spanId,
    startUnixMicro: timeUnixMicro,
    endUnixMicro: timeUnixMicro,
    attributes: renderAttributes(attributes),
    events: [],
    service: renderValue(source.resource['service.name'] ?? ''),
  }
}

function renderAttributes(attributes: OtlpAttributes): SpanView['attributes'] {
  const shown = Object.entries(attributes).map(([key, value]) => [key, renderValue(value)] as const)
  return shown.sort(([a], [b]) => (a < b ? -1 : 1))
}

function renderValue(value: OtlpValue): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
