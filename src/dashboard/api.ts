/** What the page asks for, as JSON: a table of paths. What can be long comes part by part. */
import type { AnyStore, Later, StoreCounts } from '../store/store.ts'
import { type HealthReader, healthView } from './health-view.ts'
import type { Live } from './live.ts'
import { logView } from './log-view.ts'
import { historyKeys, historyView, type Notice, nowView } from './overview.ts'
import { createSessionViews } from './session-view.ts'
import type { UsageReader } from './usage-reader.ts'

export interface ApiOptions {
  readonly store: AnyStore
  readonly live: Live
  readonly health: HealthReader
  readonly usage?: UsageReader
  readonly notices?: () => readonly Notice[]
}

type Answer = object | undefined | Promise<object | undefined>
type Route = (params: readonly string[], query: URLSearchParams) => Answer

const maxRows = 2000
const maxLogs = 500
const maxDays = 3650
/** Counting a million rows takes a while. */
const countsMs = 10_000

/** The answer to a path below /api/, or 404. */
export function createApi({
  store,
  live,
  health,
  usage,
  notices = () => [],
}: ApiOptions): (url: URL) => Promise<Response> {
  const views = createSessionViews(store, live)
  const counts = slowly(countsMs, () => store.counts())
  const routes: readonly (readonly [pattern: RegExp, route: Route])[] = [
    [/^now$/, () => nowView(store, live, usage, notices(), Date.now())],
    [
      /^history$/,
      (_, query) => {
        const by = historyKeys.find((key) => key === query.get('by')) ?? 'day'
        return historyView(store, usage, { by, days: whole(query.get('days'), 30, maxDays), nowMs: Date.now() })
      },
    ],
    [/^health$/, async () => healthView(store, live, health, await counts(), Date.now())],
    [/^sessions\/([^/]+)$/, async ([id = '']) => (await views.read(id))?.view],
    [
      /^sessions\/([^/]+)\/rows$/,
      async ([id = ''], query) => {
        const found = await views.read(id)
        if (found === undefined) return undefined
        const { offset, limit } = range(query, maxRows)
        const { rowCount, revision } = found.view
        return { revision, rowCount, rows: found.rows.slice(offset, offset + limit) }
      },
    ],
    [
      /^sessions\/([^/]+)\/logs$/,
      async ([id = ''], query) => (await store.sessionLogs(id, range(query, maxLogs))).map(logView),
    ],
    [/^sessions\/([^/]+)\/rows\/([^/]+)$/, ([id = '', spanId = '']) => views.row(id, spanId)],
  ]
  return async ({ pathname, searchParams }) => {
    const path = pathname.slice('/api/'.length)
    for (const [pattern, route] of routes) {
      const match = pattern.exec(path)
      if (match === null) continue
      const answer = await route(match.slice(1).map(decode), searchParams)
      if (answer !== undefined) return json(answer, 200)
    }
    return json({ error: 'There is nothing here.' }, 404)
  }
}

function json(value: object, status: number): Response {
  return Response.json(value, { status })
}

function range(query: URLSearchParams, max: number): { readonly offset: number; readonly limit: number } {
  return { offset: whole(query.get('offset'), 0, Number.MAX_SAFE_INTEGER), limit: whole(query.get('limit'), max, max) }
}

function whole(words: string | null, otherwise: number, max: number): number {
  return words !== null && /^\d+$/.test(words) ? Math.min(Number(words), max) : otherwise
}

/** Malformed escapes stay as they are: no session is called so. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

function slowly(everyMs: number, read: () => Later<StoreCounts>): () => Later<StoreCounts> {
  let known: { readonly counts: Later<StoreCounts>; readonly untilMs: number } | undefined
  return () => {
    const nowMs = performance.now()
    if (known === undefined || nowMs > known.untilMs) known = { counts: read(), untilMs: nowMs + everyMs }
    return known.counts
  }
}
