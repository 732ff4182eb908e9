/**
 * The feed as Server-Sent Events. A client that comes back with the id of what it heard last hears what it missed, or `reset` where
 * that is not known any more. One that does not read is let go, not waited for: it comes back when it can.
 */
import type { Change, Feed } from './feed.ts'

/** Silence of a heartbeat or two means that a client is gone; without the limit one that was let go would keep its socket. */
export const silenceSeconds = 40

export interface EventStreams {
  /** The answer to a request for events; 503 where too many listen. */
  open(lastEventId: string | null): Response
  readonly count: number
  close(): void
}

export interface EventStreamOptions {
  readonly heartbeatMs?: number
  /** What may wait for a client to read it. */
  readonly maxWaitingBytes?: number
  readonly maxClients?: number
}

/** After how long a browser tries again. */
const retryMs = 1000

export function openEventStreams(feed: Feed, options: EventStreamOptions = {}): EventStreams {
  const { heartbeatMs = 15_000, maxWaitingBytes = 256 * 1024, maxClients = 64 } = options
  const clients = new Set<Client>()
  const broadcast = (words: string) => {
    for (const client of clients) if (!client.send(words)) clients.delete(client)
  }
  const unsubscribe = feed.onChange((change) => broadcast(renderChange(change)))
  const heartbeat = setInterval(() => broadcast(': still here\n\n'), heartbeatMs)
  return {
    open(lastEventId) {
      if (clients.size >= maxClients) return new Response(null, { status: 503, headers: { 'retry-after': '10' } })
      const client = new Client(maxWaitingBytes, () => clients.delete(client))
      clients.add(client)
      client.send(renderOpening(feed, lastEventId))
      return new Response(client.body, { headers: { 'content-type': 'text/event-stream' } })
    },
    get count() {
      return clients.size
    },
    close() {
      unsubscribe()
      clearInterval(heartbeat)
      for (const client of clients) client.end()
      clients.clear()
    },
  }
}

class Client {
  readonly body: ReadableStream<Uint8Array>
  private controller: ReadableStreamDefaultController<Uint8Array> | undefined

  constructor(maxWaitingBytes: number, onGone: () => void) {
    const source = {
      start: (controller: ReadableStreamDefaultController<Uint8Array>) => {
        this.controller = controller
      },
      cancel: () => {
        this.controller = undefined
        onGone()
      },
    }
    this.body = new ReadableStream(source, { highWaterMark: maxWaitingBytes, size: (chunk) => chunk?.byteLength ?? 0 })
  }

  /** false: it is gone, or has been let go because too much waits for it. */
  send(words: string): boolean {
    if (this.controller === undefined) return false
    if ((this.controller.desiredSize ?? 0) <= 0) {
      this.controller.error(new DOMException('It does not read.', 'AbortError'))
      this.controller = undefined
      return false
    }
    this.controller.enqueue(new TextEncoder().encode(words))
    return true
  }

  end(): void {
    this.controller?.close()
    this.controller = undefined
  }
}

function renderOpening(feed: Feed, lastEventId: string | null): string {
  const retry = `retry: ${retryMs}\n\n`
  const missed = lastEventId === null ? undefined : feed.after(lastEventId)
  if (missed !== undefined) return `${retry}${missed.map(renderChange).join('')}`
  return `${retry}id: ${feed.lastId}\nevent: reset\ndata: {}\n\n`
}

function renderChange({ id, sessions, signals }: Change): string {
  return `id: ${id}\nevent: change\ndata: ${JSON.stringify({ sessions, signals })}\n\n`
}
