/** One statement at a time over ClickHouse's HTTP interface: for the schema, and for reading back what was sent. */
import { describeError, Failure } from '../base/errors.ts'

export interface ClickHousePlace {
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database?: string
}

const timeoutMs = 60_000

/** Resolves with the answer as tab-separated lines. Rejects with a Failure that has ClickHouse's own words. */
export async function askClickHouse(place: ClickHousePlace, statement: string): Promise<string> {
  const { url, user, password, database } = place
  const query = database === undefined ? '' : `?database=${encodeURIComponent(database)}`
  const response = await fetch(`${url}/${query}`, {
    method: 'POST',
    headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
    body: statement,
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((error: unknown) => {
    throw new Failure('unavailable', `ClickHouse at ${url} does not answer: ${describeError(error)}`)
  })
  const text = await response.text()
  if (response.ok) return text.trimEnd()
  const [message = ''] = text.split('\n')
  throw new Failure('data', `ClickHouse at ${url} answers ${response.status}: ${message.slice(0, 500)}`)
}

export const clickhouseExample = 'http://otel:<password>@127.0.0.1:8123/otel'

/** Of `http:`, `https:` and `clickhouse:` (which is HTTP too); undefined for any other. A Failure for one without a user. */
export function clickhousePlace(where: string): ClickHousePlace | undefined {
  const url = URL.parse(where)
  if (url === null || !['http:', 'https:', 'clickhouse:'].includes(url.protocol)) return undefined
  if (url.username === '')
    throw new Failure('config', `the ClickHouse at ${url.host} needs a user`, `for example ${clickhouseExample}`)
  const scheme = url.protocol === 'https:' ? 'https:' : 'http:'
  return {
    url: `${scheme}//${url.host}`,
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'otel',
  }
}

/** A text as a literal of SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
