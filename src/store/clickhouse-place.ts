/** Where a ClickHouse is and who asks it: what a URL says of it. */
import { Failure } from '../base/errors.ts'

export interface ClickHousePlace {
  /** Scheme and host: what may be shown. */
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
  /** The client's own options, such as `?compression_request=1&request_timeout=30000`; empty where there are none. */
  readonly options?: string
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
    options: url.search,
  }
}

/** A text as a literal of SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}
