/** `claude-otel serve`: the hub, until it is told to end. */

import { Failure } from '../base/errors.ts'
import { createLog, noLog } from '../base/log.ts'
import { resolveStatePaths } from '../base/paths.ts'
import type { HubConfig } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { startHub } from '../hub/hub.ts'
import { defineOurCommand } from './command.ts'
import { resolveSettings } from './settings.ts'

/** Senders that wait for an answer get it within this time. */
const closeMs = 2000

export default defineOurCommand({
  meta: { name: 'serve', description: 'Receive OTLP, keep it, count what Claude Code uses, and show it.' },
  args: {
    host: { type: 'string', description: 'The address to listen at.' },
    'grpc-port': { type: 'string', description: 'OTLP over gRPC; 0 is a free one.' },
    'http-port': { type: 'string', description: 'OTLP over HTTP; 0 is a free one.' },
    port: { type: 'string', description: 'The dashboard; 0 is a free one.' },
    store: { type: 'string', description: 'Where to keep it: a path or URL.' },
    json: { type: 'boolean', description: 'Print one line of JSON when it accepts.' },
  },
  async run({ args, data }) {
    const env = readEnvironment()
    const { config, problems } = await resolveSettings(env, data)
    const [problem] = problems
    if (problem !== undefined) throw problem
    const paths = resolveStatePaths(env)
    const hub = await startHub({
      config: withArguments(config.hub, args),
      notice: (message) => process.stderr.write(`claude-otel: ${message}\n`),
      log: config.debug && paths !== undefined ? createLog(paths.log) : noLog,
    })
    const { grpcPort, httpPort, dashboard, store } = hub
    const ready = { ready: true, grpcPort, httpPort, port: dashboard.port, store: store.url }
    if (args.json) process.stdout.write(`${JSON.stringify(ready)}\n`)
    else process.stdout.write(renderReady(args.host ?? config.hub.host, ready, dashboard.url))
    await askedToEnd()
    await hub.close(AbortSignal.timeout(closeMs))
  },
})

interface Given {
  readonly host?: string | undefined
  readonly 'grpc-port'?: string | undefined
  readonly 'http-port'?: string | undefined
  readonly port?: string | undefined
  readonly store?: string | undefined
}

function withArguments(config: HubConfig, given: Given): HubConfig {
  return {
    ...config,
    host: given.host ?? config.host,
    grpcPort: portOf('--grpc-port', given['grpc-port']) ?? config.grpcPort,
    httpPort: portOf('--http-port', given['http-port']) ?? config.httpPort,
    port: portOf('--port', given.port) ?? config.port,
    store: given.store ?? config.store,
  }
}

function portOf(flag: string, given: string | undefined): number | undefined {
  if (given === undefined) return undefined
  const port = /^\d+$/.test(given) ? Number(given) : Number.NaN
  if (port <= 65_535) return port
  throw new Failure('usage', `${flag} is "${given}"`, 'give a number from 0 to 65535')
}

interface Ready {
  readonly grpcPort: number
  readonly httpPort: number
  readonly store: string
}

function renderReady(host: string, { grpcPort, httpPort, store }: Ready, dashboard: string): string {
  const at = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  const receiver = `OTLP over gRPC at http://${at}:${grpcPort}, over HTTP at http://${at}:${httpPort}; kept in ${store}`
  return `dashboard at ${dashboard}\n${receiver}\n`
}

function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve())
  })
}
