/**
 * What a request says of sessions as wholes: when they were last heard of, where they run, whose they are, how they ended. Read from
 * our own spans and log records and from Claude Code's own. Saying it twice changes nothing.
 */
import type { OtlpAttributes, OtlpBatch, OtlpSource, OtlpValue } from '../telemetry/otlp.ts'

export interface SessionFacts {
  readonly id: string
  /** The first and the last time at which it was heard of, microseconds since the Unix epoch. */
  firstTime: number
  lastTime: number
  conversationId?: string
  /** Of our own trace; Claude Code's own spans have others. */
  traceId?: string
  source?: string
  cwd?: string
  /** `owner/name`, or what is known of it. */
  repository?: string
  branch?: string
  user?: string
  model?: string
  version?: string
  /** The beginning of its first prompt, where prompts are told. */
  title?: string
  endTime?: number
  endReason?: string
}

/** By session id. */
export function readSessionFacts(batch: OtlpBatch): ReadonlyMap<string, SessionFacts> {
  const facts = new Map<string, SessionFacts>()
  const of = (attributes: OtlpAttributes, from: number, to: number) => {
    const id = sessionIdOf(attributes)
    return id === undefined || to === 0 ? undefined : touch(facts, id, from === 0 ? to : from, to)
  }
  switch (batch.signal) {
    case 'traces':
      for (const { source, attributes, name, traceId, startUnixMicro, endUnixMicro } of batch.spans) {
        const session = of(attributes, startUnixMicro, endUnixMicro)
        if (session === undefined) continue
        addCommon(session, attributes, source)
        if (!name.startsWith('claude_code.')) session.traceId = traceId
        if (name === 'claude.session') addEnd(session, attributes, endUnixMicro)
      }
      break
    case 'logs':
      for (const { source, attributes, eventName, timeUnixMicro, observedUnixMicro, traceId } of batch.logs) {
        const at = timeUnixMicro === 0 ? observedUnixMicro : timeUnixMicro
        const session = of(attributes, at, at)
        if (session === undefined) continue
        addCommon(session, attributes, source)
        if (eventName?.startsWith('claude.') && traceId !== undefined) session.traceId = traceId
        if (eventName === 'session.end') addEnd(session, attributes, at)
        const prompt = promptOf(eventName, attributes)
        if (prompt !== undefined) session.title ??= prompt
      }
      break
    case 'metrics':
      for (const { source, attributes, timeUnixMicro } of batch.points) {
        const session = of(attributes, timeUnixMicro, timeUnixMicro)
        if (session !== undefined) addCommon(session, attributes, source)
      }
  }
  return facts
}

/** Claude Code and we tell it with every signal; a resource can say anything, and holds for all sessions of its process. */
export function sessionIdOf(attributes: OtlpAttributes): string | undefined {
  return text(attributes['session.id'])
}

function touch(facts: Map<string, SessionFacts>, id: string, from: number, to: number): SessionFacts {
  const known = facts.get(id)
  if (known === undefined) {
    const session: SessionFacts = { id, firstTime: from, lastTime: to }
    facts.set(id, session)
    return session
  }
  known.firstTime = Math.min(known.firstTime, from)
  known.lastTime = Math.max(known.lastTime, to)
  return known
}

type CommonFact = 'conversationId' | 'source' | 'cwd' | 'branch' | 'user' | 'version'

/** The attributes that tell each fact, ours and Claude Code's. */
const names = Object.entries({
  conversationId: ['gen_ai.conversation.id'],
  source: ['session.source'],
  cwd: ['process.working_directory'],
  branch: ['vcs.ref.head.name'],
  // Not `user.id`, which is a random number of the installation.
  user: ['user.email', 'user.account_uuid'],
  version: ['claude.version', 'app.version'],
} as const) as readonly (readonly [CommonFact, readonly string[]])[]

function addCommon(session: SessionFacts, attributes: OtlpAttributes, { resource }: OtlpSource): void {
  for (const [fact, attributeNames] of names) {
    for (const name of attributeNames) {
      const found = text(attributes[name]) ?? text(resource[name])
      if (found === undefined) continue
      session[fact] = found
      break
    }
  }
  const repository = text(attributes['vcs.repository.name'])
  const owner = text(attributes['vcs.owner.name'])
  if (repository !== undefined) session.repository = owner === undefined ? repository : `${owner}/${repository}`
  const model = text(attributes['gen_ai.response.model']) ?? text(attributes.model)
  // A subagent's or an auxiliary request's model is not the session's.
  const isMain = attributes['gen_ai.agent.id'] === undefined && attributes.agent_id === undefined
  const lane = text(attributes.query_source) ?? text(attributes['claude.query_source']) ?? 'main'
  if (model !== undefined && isMain && ['main', 'sdk', 'repl_main_thread'].includes(lane)) session.model = model
}

function addEnd(session: SessionFacts, attributes: OtlpAttributes, at: number): void {
  const reason = text(attributes['session.end_reason'])
  if (reason === undefined) return
  session.endTime = at
  session.endReason = reason
}

function promptOf(eventName: string | undefined, attributes: OtlpAttributes): string | undefined {
  if (eventName === 'claude.user_prompt') return text(attributes['prompt.preview'])
  if (eventName !== 'user_prompt' && eventName !== 'claude_code.user_prompt') return undefined
  const prompt = text(attributes.prompt)
  return prompt === '<REDACTED>' ? undefined : prompt
}

function text(value: OtlpValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
