/**
 * The road to the engine, on which things can happen: answers get lost, nobody answers, ClickHouse refuses. What is asked on it is
 * written down.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { ClickHousePlace } from '../../src/store/clickhouse-place.ts'

/** What becomes of a request instead of an answer. */
export type Mishap =
  /** It arrives and is done; whoever asked does not hear of it. */
  | 'answer lost'
  /** The connection ends before it arrives. */
  | 'cut'
  /** Nobody answers. */
  | 'silence'
  /** ClickHouse says so itself. */
  | { readonly refusal: string; readonly code: number }

export interface Asked {
  readonly sql: string
  readonly parameters: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
}

export interface Road {
  readonly place: ClickHousePlace
  readonly asked: readonly Asked[]
  connections(): number
  /** The next requests whose SQL is like that fare so, one each. */
  befall(pattern: RegExp, ...mishaps: readonly Mishap[]): void
  /** As on the first day. */
  clear(): void
  close(): Promise<void>
}

export interface RoadOptions {
  /** Makes it HTTPS. */
  readonly tls?: { readonly key: string; readonly cert: string }
  /** Where another road was, or an engine. */
  readonly port?: number
}

export async function openRoad(to: ClickHousePlace, { tls, port = 0 }: RoadOptions = {}): Promise<Road> {
  const asked: Asked[] = []
  const waiting: { readonly pattern: RegExp; readonly mishap: Mishap }[] = []
  let connections = 0
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const url = new URL(request.url ?? '/', to.url)
    const { query, ...parameters } = Object.fromEntries(url.searchParams)
    const sql = query ?? body.toString()
    asked.push({ sql, parameters, headers: request.headers })
    const at = waiting.findIndex(({ pattern }) => pattern.test(sql))
    const [{ mishap } = { mishap: undefined }] = at < 0 ? [] : waiting.splice(at, 1)
    if (mishap === 'silence') return
    if (mishap === 'cut') return void request.socket.destroy()
    if (typeof mishap === 'object') {
      response.writeHead(500, { 'x-clickhouse-exception-code': String(mishap.code) })
      return void response.end(`Code: ${mishap.code}. DB::Exception: ${mishap.refusal}\n`)
    }
    await forward(request, body, url, mishap === 'answer lost' ? undefined : response)
    if (mishap === 'answer lost') request.socket.destroy()
  }
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void take(request, response).catch(() => request.socket.destroy())
  const server: Server = tls === undefined ? createServer(handle) : createSecureServer({ ...tls }, handle)
  server.on(tls === undefined ? 'connection' : 'secureConnection', () => connections++)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const { port: taken } = server.address() as AddressInfo
  return {
    place: { ...to, url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${taken}` },
    asked,
    connections: () => connections,
    befall: (pattern, ...mishaps) => void waiting.push(...mishaps.map((mishap) => ({ pattern, mishap }))),
    clear: () => {
      asked.length = 0
      waiting.length = 0
      connections = 0
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

async function forward(request: IncomingMessage, body: Buffer, url: URL, response?: ServerResponse): Promise<void> {
  const headers = Object.entries(request.headers).filter(
    ([name]) => !['host', 'connection', 'transfer-encoding'].includes(name),
  )
  const answer = await fetch(url, {
    method: request.method ?? 'GET',
    headers: headers.map(([name, value]) => [name, String(value)] as [string, string]),
    ...(request.method === 'GET' ? {} : { body: new Uint8Array(body) }),
    decompress: false,
  })
  const bytes = await answer.bytes()
  response?.writeHead(answer.status, Object.fromEntries(answer.headers))
  response?.end(bytes)
}
