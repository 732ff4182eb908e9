/**
 * Who may look. A page of another site must not read the dashboard through its visitor's browser: not by a request of its own
 * (Origin, Sec-Fetch-Site), and not by a name that it has made to point at this machine (Host). Beyond loopback a token is asked for.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { hostname, networkInterfaces } from 'node:os'

export interface Access {
  /** undefined: go on. */
  refuse(request: Request): Response | undefined
}

export interface AccessOptions {
  /** As it was bound. */
  readonly host: string
  readonly port: number
  readonly token?: string
}

export function createAccess({ host, port, token }: AccessOptions): Access {
  const names = allowedNames(host)
  // Cookies know no ports: two hubs on one machine would log each other out.
  const cookieName = `claude_otel_${port}`
  return {
    refuse(request) {
      const url = new URL(request.url)
      if (!names.has(nameOf(request.headers.get('host') ?? ''))) {
        return answer(
          421,
          'This name is not one of the dashboard’s: open it as http://localhost, or by the address it is bound to.',
        )
      }
      if (isFromElsewhere(request)) return answer(403, 'Another site may not read this.')
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return answer(405, 'There is only reading here.', { allow: 'GET, HEAD' })
      }
      if (token === undefined) return undefined
      const given = url.pathname === '/' ? url.searchParams.get('token') : null
      if (given !== null && isSame(given, token)) return logIn(cookieName, token)
      return hasToken(request, cookieName, token)
        ? undefined
        : answer(401, 'Open the dashboard by the address with ?token=… that the hub has printed.', {
            'www-authenticate': 'Bearer',
          })
    },
  }
}

/** Without port and brackets, in lower case. */
function nameOf(host: string): string {
  return host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase()
}

function allowedNames(host: string): ReadonlySet<string> {
  const names = ['localhost', '127.0.0.1', '::1', host.toLowerCase()]
  if (host !== '0.0.0.0' && host !== '::') return new Set(names)
  const addresses = Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address))
  return new Set([...names, ...addresses, hostname().toLowerCase()])
}

function isFromElsewhere({ headers }: Request): boolean {
  const origin = headers.get('origin')
  if (origin !== null) return URL.parse(origin)?.host !== headers.get('host')
  // A link on another site may lead here: what it opens, it cannot read.
  return headers.get('sec-fetch-site') === 'cross-site' && headers.get('sec-fetch-mode') !== 'navigate'
}

/** The token leaves the address bar, the history and what is sent as Referer. */
function logIn(cookieName: string, token: string): Response {
  const cookie = `${cookieName}=${digest(token).toString('hex')}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000`
  return new Response(null, {
    status: 303,
    headers: { location: '/', 'set-cookie': cookie, 'cache-control': 'no-store' },
  })
}

function hasToken({ headers }: Request, cookieName: string, token: string): boolean {
  const [scheme = '', bearer = ''] = (headers.get('authorization') ?? '').split(' ')
  if (scheme.toLowerCase() === 'bearer' && isSame(bearer, token)) return true
  const cookies = (headers.get('cookie') ?? '').split(';').map((cookie) => cookie.trim())
  const given = cookies.find((cookie) => cookie.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1)
  return given !== undefined && isSame(given, digest(token).toString('hex'))
}

/** In a time that tells nothing of how much is right. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

function digest(words: string): Buffer {
  return createHash('sha256').update(words).digest()
}

function answer(status: number, words: string, headers: Readonly<Record<string, string>> = {}): Response {
  const plain = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }
  return new Response(`${words}\n`, { status, headers: { ...plain, ...headers } })
}
