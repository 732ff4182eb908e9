/** Releases on loopback, laid out as GitHub does, over ways that the first part of the path names: good and bad ones. */
import { existsSync, readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** What becomes of a file on its way. `hold` sends half of it and then nothing more. */
export type Way = 'good' | 'cut' | 'short' | 'changed' | 'hold' | 'broken' | 'portal' | 'partial'

export interface ReleaseServer {
  /** The base URL of a way. */
  url(way?: Way): string
  /** Paths asked for below the base, in their order. */
  readonly asked: string[]
  latest: string
  stop(): Promise<void>
}

/** Serves the release folders by their versions; redirects `latest` to the version that stands in `latest`. */
export async function serveReleases(folders: Readonly<Record<string, string>>, latest: string): Promise<ReleaseServer> {
  const asked: string[] = []
  const http = createServer((request, response) => {
    const [, way = '', ...rest] = (request.url ?? '').split('/')
    asked.push(rest.join('/'))
    const named = /^latest\/download\/(.+)$/.exec(rest.join('/'))?.[1]
    if (named !== undefined) {
      response.writeHead(302, { location: `/${way}/download/v${server.latest}/${named}` }).end()
      return
    }
    const [, version = '', file = ''] = /^download\/v([^/]+)\/(.+)$/.exec(rest.join('/')) ?? []
    const path = join(folders[version] ?? '/nowhere', file)
    if (!existsSync(path)) response.writeHead(404).end('Not Found')
    else send(response, way as Way, file, readFileSync(path))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const server: ReleaseServer = {
    url: (way = 'good') => `http://127.0.0.1:${(http.address() as AddressInfo).port}/${way}`,
    asked,
    latest,
    stop: () =>
      new Promise((resolve) => {
        http.close(() => resolve())
        http.closeAllConnections()
      }),
  }
  return server
}

function send(response: ServerResponse, way: Way, file: string, bytes: Buffer): void {
  const isArchive = file.endsWith('.tar.gz')
  const half = bytes.subarray(0, bytes.length / 2)
  if (way === 'broken') response.writeHead(500).end()
  else if (way === 'portal') response.end('<html>Please log in to this network</html>')
  else if (way === 'partial' && file === 'SHA256SUMS')
    response.end(bytes.toString().replace(/^.*linux-x64\.tar.*\n/m, ''))
  else if (!isArchive || way === 'good' || way === 'partial')
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
  else if (way === 'short') response.writeHead(200, { 'content-length': half.length }).end(half)
  else if (way === 'changed') response.end(Buffer.concat([half, Buffer.from([1]), bytes.subarray(half.length + 1)]))
  else {
    response.writeHead(200, { 'content-length': bytes.length })
    response.write(half, () => way === 'cut' && response.destroy())
  }
}
