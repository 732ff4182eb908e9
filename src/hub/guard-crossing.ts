/** A threshold that was crossed: what is measured, and what a command, a webhook and a person are told of it. Pure. */
import type { GuardRule } from '../config/config.ts'

/** What was used, with all four kinds of tokens together. */
export interface Spent {
  readonly tokens: number
  /** What is known of it; null where nothing is. */
  readonly costUsd: number | null
}

export interface GuardedSession extends Spent {
  readonly id: string
  /** The main conversation's last; absent where nothing recent is known. */
  readonly contextTokens?: number
  /** What the model sees at once, where that is known. */
  readonly contextLimit?: number
  readonly project?: string
  readonly branch?: string
  readonly model?: string
  readonly cwd?: string
  /** Its transcript file, where it lies on this machine. */
  readonly transcript?: string
}

export interface GuardedDay extends Spent {
  /** `YYYY-MM-DD` in this machine's time zone. */
  readonly date: string
}

export interface Crossing extends Pick<GuardRule, 'on' | 'per' | 'above' | 'unit'> {
  /** The rule's name. */
  readonly rule: string
  /** In the unit of `above`. */
  readonly value: number
  /** ISO 8601, UTC. */
  readonly time: string
  /** For people, in one line. */
  readonly text: string
  /** For a day: the one whose news made it cross. */
  readonly session: GuardedSession
  readonly day: GuardedDay
}

/** What a rule looks at, in its unit; undefined where it is not known. `spent` is the session's, or the day's. */
export function measure(rule: GuardRule, session: GuardedSession, spent: Spent): number | undefined {
  if (rule.on === 'context') {
    const { contextTokens: tokens, contextLimit: limit } = session
    if (rule.unit === 'tokens' || tokens === undefined) return tokens
    return limit === undefined ? undefined : tokens / limit
  }
  return rule.on === 'tokens' ? spent.tokens : (spent.costUsd ?? undefined)
}

/** The crossing as it is told. */
export function crossingOf(
  rule: GuardRule,
  value: number,
  session: GuardedSession,
  day: GuardedDay,
  nowMs: number,
): Crossing {
  const { name, on, per, above, unit } = rule
  const time = new Date(nowMs).toISOString()
  const text = describe(rule, value, session, day)
  return { rule: name, on, per, above, unit, value, time, text, session, day }
}

function describe({ name, on, per, unit }: GuardRule, value: number, session: GuardedSession, day: GuardedDay): string {
  const project = session.project === undefined ? '' : ` in ${session.project}`
  const who = per === 'day' ? `all sessions of ${day.date}` : `session ${session.id.slice(0, 8)}${project}`
  const { contextTokens = 0, contextLimit } = session
  const of = contextLimit === undefined ? '' : ` of ${grouped(contextLimit)}`
  const context = `${grouped(contextTokens)}${of} tokens`
  const amount = unit === 'usd' ? `$${value.toFixed(2)}` : on === 'context' ? context : `${grouped(value)} tokens`
  const share = unit === 'share' ? `${(value * 100).toFixed(1)}%, ` : ''
  return `${who} ${per === 'day' ? 'are' : 'is'} at ${share}${amount} (${name})`
}

function grouped(count: number): string {
  return Math.round(count).toLocaleString('en')
}

/** The facts as variables for a command; what is not known is absent. */
export function crossingEnvironment({
  session,
  day,
  ...crossing
}: Crossing): Readonly<Record<`CLAUDE_OTEL_GUARD_${string}`, string>> {
  const facts = {
    RULE: crossing.rule,
    ON: crossing.on,
    PER: crossing.per,
    ABOVE: crossing.above,
    UNIT: crossing.unit,
    VALUE: crossing.value,
    TIME: crossing.time,
    TEXT: crossing.text,
    SESSION_ID: session.id,
    SESSION_PROJECT: session.project,
    SESSION_BRANCH: session.branch,
    SESSION_MODEL: session.model,
    SESSION_CWD: session.cwd,
    SESSION_TRANSCRIPT: session.transcript,
    SESSION_CONTEXT_TOKENS: session.contextTokens,
    SESSION_CONTEXT_LIMIT: session.contextLimit,
    SESSION_TOKENS: session.tokens,
    SESSION_COST_USD: session.costUsd ?? undefined,
    TODAY: day.date,
    TODAY_TOKENS: day.tokens,
    TODAY_COST_USD: day.costUsd ?? undefined,
  }
  const known = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [[`CLAUDE_OTEL_GUARD_${name}`, String(value).replaceAll('\0', '')]],
  )
  return Object.fromEntries(known)
}
