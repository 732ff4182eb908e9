/**
 * Who and where: reads session, orchestration, repository, branch and user from what a signal carries. The session is read from the
 * signal's own attributes alone, because a resource can say anything (`OTEL_RESOURCE_ATTRIBUTES`) and holds for all sessions.
 */
import type { OtlpAttributes, OtlpSource, OtlpValue } from '../telemetry/otlp.ts'
import type { Correlation } from './record.ts'

/** The session of signals that name none (`OTEL_METRICS_INCLUDE_SESSION_ID=false`). */
export const unknownSession = 'unknown'

type Found = { readonly [Name in keyof Correlation]?: string | undefined }

/** What the signal says, and for the rest what is known of its session; `known` gives that. */
export function correlate(
  source: OtlpSource,
  attributes: OtlpAttributes,
  known: (sessionId: string) => Correlation | undefined,
): Correlation {
  const sessionId = textOf(attributes['session.id']) ?? unknownSession
  const past: Found = known(sessionId) ?? {}
  const said = (...names: readonly string[]): string | undefined => {
    for (const name of names) {
      const value = textOf(attributes[name]) ?? textOf(source.resource[name])
      if (value !== undefined) return value
    }
    return undefined
  }
  const name = said('vcs.repository.name')
  const owner = said('vcs.owner.name')
  const repository = (name && owner ? `${owner}/${name}` : (name ?? said('vcs.repository.url.full'))) ?? past.repository
  const branch = said('vcs.ref.head.name') ?? past.branch
  const user = said('user.email', 'user.account_uuid') ?? past.user ?? said('user.id')
  // Every span and log record comes by here: no detour over entries.
  const found: { -readonly [Name in keyof Correlation]: Correlation[Name] } = {
    sessionId,
    orchestrationId: said('orchestration.id') ?? past.orchestrationId ?? sessionId,
  }
  if (repository !== undefined) found.repository = repository
  if (branch !== undefined) found.branch = branch
  if (user !== undefined) found.user = user
  return found
}

/** A text that is not empty. */
export function textOf(value: OtlpValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A number that can be counted, or a whole one as a text, as some senders write them; undefined for anything else. */
export function numberOf(value: OtlpValue | undefined): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}

/** Without what is undefined. */
export function compact<Fields extends object>(fields: Fields): Compact<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Compact<Fields>
}

type Compact<Fields> = { [Name in keyof Fields as undefined extends Fields[Name] ? never : Name]: Fields[Name] } & {
  [Name in keyof Fields as undefined extends Fields[Name] ? Name : never]?: Exclude<Fields[Name], undefined>
}
