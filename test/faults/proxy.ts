/** A forwarding HTTP proxy on loopback that remembers whom it was asked for. */

import { createServer, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'

export interface Proxy {
  readonly url: string
  /** `host:port` of every request and every tunnel. */
  asked(): readonly string[]
  close(): Promise<void>
}

export async function startProxy(): Promise<Proxy> {
  const asked: string[] = []
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '')
    asked.push(url.host)
    const onward = request(url, { method: incoming.method ?? 'GET', headers: incoming.headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.on('connect', ({ url = '' }, socket, head) => {
    asked.push(url)
    const [host = '', port = '80'] = url.split(':')
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.write(head)
      onward.pipe(socket).pipe(onward)
    })
    for (const end of [onward, socket]) end.on('error', () => end.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: () => asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
