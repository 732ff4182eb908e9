/** The hub as the page sees it: JSON to read, and a stream that says when to read again. One stream for the whole page. */
import { useEffect, useState } from 'preact/hooks'

export type Connection = 'connecting' | 'live' | 'away'

interface Link {
  readonly state: Connection
  readonly sinceMs: number
}

interface News {
  /** undefined: everything may be other than it was. */
  readonly sessions: readonly string[] | undefined
}

const listeners = new Set<(news: News) => void>()
const watchers = new Set<(link: Link) => void>()
let link: Link = { state: 'connecting', sinceMs: Date.now() }

/** The browser comes back by itself with the id of what it heard last, unless the hub turned it away. */
export function connect(): void {
  const source = new EventSource('/events')
  source.addEventListener('open', () => {
    // What could not be read while it was away is read now.
    if (link.state === 'away') tell({ sessions: undefined })
    setConnection('live')
  })
  source.addEventListener('change', (event) => tell({ sessions: JSON.parse(event.data).sessions }))
  source.addEventListener('reset', () => tell({ sessions: undefined }))
  source.addEventListener('error', () => {
    setConnection('away')
    if (source.readyState !== EventSource.CLOSED) return
    source.close()
    setTimeout(connect, 2000)
  })
}

function tell(news: News): void {
  for (const listener of listeners) listener(news)
}

function setConnection(state: Connection): void {
  if (state === link.state) return
  link = { state, sinceMs: Date.now() }
  for (const watcher of watchers) watcher(link)
}

export function useConnection(): Link {
  const [known, setKnown] = useState(link)
  useEffect(() => {
    watchers.add(setKnown)
    // It may have come about between the first picture and now.
    setKnown(link)
    return () => void watchers.delete(setKnown)
  }, [])
  return known
}

/** Calls at once, and when there is news of the session, or of any where none is named. */
export function onNews(sessionId: string | undefined, call: () => void): () => void {
  const listener = ({ sessions }: News) => {
    if (sessionId === undefined || sessions === undefined || sessions.includes(sessionId)) call()
  }
  listeners.add(listener)
  call()
  return () => void listeners.delete(listener)
}

/** What is said of what the hub does not have. */
export const unknown = 'The hub does not know it.'

/** An answer that takes longer will not come. */
const patienceMs = 30_000

/** Rejects with words for people. */
export async function readJson<Answer>(path: string): Promise<Answer> {
  const signal = AbortSignal.timeout(patienceMs)
  const response = await fetch(path, { headers: { accept: 'application/json' }, signal }).catch(() => {
    throw new Error('The hub does not answer; it is asked again by itself.')
  })
  if (response.ok) return response.json()
  const words = response.status === 404 ? unknown : (await response.text()).slice(0, 200)
  throw new Error(words)
}

export type Loaded<Answer> =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly words: string }
  | { readonly state: 'loaded'; readonly answer: Answer }

/** What the hub answers to a path, kept up to date; one question at a time, and seldom what takes long. */
export function useAnswer<Answer>(path: string, sessionId?: string): Loaded<Answer> {
  const [loaded, setLoaded] = useState<Loaded<Answer>>({ state: 'loading' })
  useEffect(() => {
    setLoaded({ state: 'loading' })
    return keepReading(
      sessionId,
      () => readJson<Answer>(path),
      (answer) => setLoaded({ state: 'loaded', answer }),
      (words) => setLoaded((known) => (known.state === 'loaded' ? known : { state: 'failed', words })),
    )
  }, [path, sessionId])
  return loaded
}

/** Between two questions lies at least this, and as long as five answers took, up to a limit. */
const restMs = 150
const longestRestMs = 3000

/** Reads now and whenever there is news, until the function it returns is called. */
export function keepReading<Answer>(
  sessionId: string | undefined,
  read: () => Promise<Answer>,
  onAnswer: (answer: Answer) => void,
  onFailure: (words: string) => void,
): () => void {
  let isOver = false
  let isBusy = false
  let isStale = false
  const ask = async () => {
    if (isBusy) {
      isStale = true
      return
    }
    isBusy = true
    isStale = false
    const startMs = performance.now()
    try {
      const answer = await read()
      if (!isOver) onAnswer(answer)
    } catch (error) {
      if (!isOver) onFailure(error instanceof Error ? error.message : String(error))
    }
    setTimeout(
      () => {
        isBusy = false
        if (isStale && !isOver) void ask()
      },
      Math.min(longestRestMs, Math.max(restMs, 5 * (performance.now() - startMs))),
    )
  }
  const stop = onNews(sessionId, () => void ask())
  return () => {
    isOver = true
    stop()
  }
}

/** The time, renewed while somebody looks. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return now
}
