/**
 * The dashboard's HTTP server: the page, `/api/…` for what it shows, `/events` for when to ask again. It reads and changes nothing.
 * Everything goes through `access.ts` first.
 */
import { describeError, Failure } from '../base/errors.ts'
import { isLoopback } from '../base/loopback.ts'
import type { AnyStore } from '../store/store.ts'
import { createAccess } from './access.ts'
import { createApi } from './api.ts'
import { answerAsset } from './assets.ts'
import { type EventStreamOptions, openEventStreams, silenceSeconds } from './event-stream.ts'
import type { Feed } from './feed.ts'
import type { HealthReader } from './health-view.ts'
import { createLive, type Live, readLive } from './live.ts'
import type { Notice } from './overview.ts'
import type { UsageReader } from './usage-reader.ts'

export interface DashboardOptions {
  readonly host: string
  /** 0: any that is free. */
  readonly port: number
  readonly store: AnyStore
  /** Where it is missing, the page says that usage is not tracked. */
  readonly usage?: UsageReader
  readonly health: HealthReader
  /** Whoever appends to the store publishes there. The dashboard listens, it does not close it. */
  readonly feed: Feed
  /** What goes on now, where somebody else has to know it too; the dashboard fills it. */
  readonly live?: Live
  /** What a person should see on the page Now, the last first. */
  readonly notices?: () => readonly Notice[]
  /** Asked for when it is given; needed beyond loopback. */
  readonly token?: string
  readonly streams?: EventStreamOptions
}

export interface Dashboard {
  readonly port: number
  /** Without the token. */
  readonly url: string
  /** How many pages are open. */
  readonly watchers: number
  close(): Promise<void>
}

/** Sessions that were heard of so long ago may still go on. */
const recentMicro = 30 * 60 * 1_000_000

/** Nothing that the page has not brought with it, and nobody may frame it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * Listens, and knows what the store has of sessions that go on. Rejects with a Failure for a port that is taken, an address that is
 * not ours, or one beyond loopback without a token.
 */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const { host, token, store, feed } = options
  if (!isLoopback(host) && token === undefined) {
    throw new Failure(
      'config',
      `the dashboard would show prompts to everybody who reaches ${host}`,
      'set a token, or bind it to 127.0.0.1',
    )
  }
  const { live = createLive() } = options
  const unsubscribe = feed.onBatch((batch) => live.take(batch))
  const streams = openEventStreams(feed, options.streams)
  try {
    const server = listen(options, (request) => answer(request))
    const access = createAccess({ host, port: server.port ?? 0, ...(token === undefined ? {} : { token }) })
    const api = createApi({ ...options, live })
    const answer = async (request: Request): Promise<Response> => {
      const refusal = access.refuse(request)
      if (refusal !== undefined) return refusal
      const url = new URL(request.url)
      if (url.pathname.startsWith('/api/')) return api(url)
      if (url.pathname === '/events' && request.method === 'GET') {
        server.timeout(request, silenceSeconds)
        return streams.open(request.headers.get('last-event-id'))
      }
      const asset = answerAsset(url.pathname, request.headers.get('if-none-match'))
      return asset ?? new Response('There is nothing here.\n', { status: 404 })
    }
    await readLive(live, store, Date.now() * 1000 - recentMicro)
    return {
      port: server.port ?? 0,
      url: `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`,
      get watchers() {
        return streams.count
      },
      close: async () => {
        unsubscribe()
        streams.close()
        await server.stop(true)
      },
    }
  } catch (error) {
    unsubscribe()
    streams.close()
    throw error
  }
}

function listen(
  { host, port }: DashboardOptions,
  answer: (request: Request) => Promise<Response>,
): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname: host,
      port,
      development: false,
      // A store that is elsewhere may take its time.
      idleTimeout: 120,
      // Outside of development Bun shares ports by itself: a second hub would take half of the first one's requests.
      reusePort: false,
      fetch: async (request) => hardened(await answer(request), request.method),
      error: () => hardened(new Response('This went wrong inside the dashboard.\n', { status: 500 }), 'GET'),
    })
  } catch (error) {
    const isTaken = /EADDRINUSE|in use/.test(`${(error as { code?: string }).code} ${describeError(error)}`)
    if (isTaken) {
      throw new Failure(
        'unavailable',
        `port ${port} on ${host} is taken`,
        'stop what listens there, or choose another with --port',
      )
    }
    throw new Failure(
      'unavailable',
      `cannot listen on ${host}:${port}: ${describeError(error)}`,
      'check --host and --port',
    )
  }
}

function hardened(response: Response, method: string): Response {
  const { headers } = response
  headers.set('content-security-policy', contentSecurityPolicy)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('cross-origin-resource-policy', 'same-origin')
  headers.set('cross-origin-opener-policy', 'same-origin')
  // What is told of sessions stays out of every cache; the page's own files say otherwise.
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
  return method === 'HEAD' ? new Response(null, { status: response.status, headers }) : response
}
