/** `claude-otel serve`: the hub, until it is told to end. */

import { Failure } from '../base/errors.ts'
import { createLog, noLog } from '../base/log.ts'
import { resolveStatePaths, type StatePaths } from '../base/paths.ts'
import type { HubConfig } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { startHub } from '../hub/hub.ts'
import { readPresence } from '../hub/presence.ts'
import { type Registration, registerHub } from '../hub/registration.ts'
import { resolveSettings } from '../run/settings.ts'
import { isProcessAlive } from '../session/processes.ts'
import { storeUrl } from '../store/store.ts'
import { defineOurCommand } from './command.ts'

/** Senders that wait for an answer get it within this time. */
export const closeMs = 2000

export default defineOurCommand({
  meta: { name: 'serve', description: 'Receive OTLP, keep it, count what Claude Code uses, and show it.' },
  args: {
    host: { type: 'string', description: 'The address to listen at.' },
    'grpc-port': { type: 'string', description: 'OTLP over gRPC; 0 is a free one.' },
    'http-port': { type: 'string', description: 'OTLP over HTTP; 0 is a free one.' },
    port: { type: 'string', description: 'The dashboard; 0 is a free one.' },
    store: { type: 'string', description: 'Where to keep it: a path or URL.' },
    json: { type: 'boolean', description: 'Print one line of JSON when it accepts.' },
    stop: { type: 'boolean', description: 'End the hub that runs, and wait for that.' },
  },
  async run({ args, data }) {
    const env = readEnvironment()
    const paths = resolveStatePaths(env)
    if (args.stop) return stopHub(paths, (line) => process.stdout.write(`${line}\n`))
    const { config, problems } = await resolveSettings(env, data)
    const [problem] = problems
    if (problem !== undefined) throw problem
    const hubConfig = withArguments(config.hub, args)
    const registration = paths === undefined ? undefined : await register(paths, hubConfig)
    const log = config.debug && paths !== undefined ? createLog(paths.log) : noLog
    const notice = (message: string) => void process.stderr.write(`claude-otel: ${message}\n`)
    try {
      const hub = await startHub({ config: hubConfig, env, redaction: config.redaction, notice, log })
      const { grpcPort, httpPort, dashboard, store } = hub
      const ready = { ready: true, grpcPort, httpPort, port: dashboard.port, store: store.url }
      registration?.announce(hub.place(), false)
      if (args.json) process.stdout.write(`${JSON.stringify(ready)}\n`)
      else process.stdout.write(renderReady(hubConfig.host, ready, dashboard.url))
      await askedToEnd()
      await hub.close(AbortSignal.timeout(closeMs))
    } finally {
      registration?.release()
    }
  },
})

/**
 * A hub that is started while another runs is one more, which nobody finds who is not told of it. Two at one store would be one
 * too many.
 */
async function register(paths: StatePaths, config: HubConfig): Promise<Registration | undefined> {
  const registration = registerHub(paths)
  if (registration !== undefined) return registration
  const other = await readPresence(paths.hubPresence)
  if (other === undefined || storeUrl(other.store)?.href !== storeUrl(config.store)?.href) return undefined
  const mend = 'stop it with `claude-otel serve --stop`, or name another store'
  throw new Failure(
    'config',
    `a hub keeps ${other.store} already: process ${other.pid}, dashboard at ${other.url}`,
    mend,
  )
}

/** Asks the registered hub to end, and waits until it has. */
async function stopHub(paths: StatePaths | undefined, tell: (line: string) => unknown): Promise<void> {
  const hub = paths === undefined ? undefined : await readPresence(paths.hubPresence)
  if (hub === undefined || !isProcessAlive(hub.pid, hub.birth)) return void tell('no hub runs')
  process.kill(hub.pid, 'SIGTERM')
  const untilMs = Date.now() + 2 * closeMs
  while (isProcessAlive(hub.pid, hub.birth)) {
    if (Date.now() > untilMs)
      throw new Failure(
        'unavailable',
        `process ${hub.pid} does not end`,
        `kill -9 ${hub.pid} loses nothing that it has taken`,
      )
    await Bun.sleep(20)
  }
  tell(`the hub, process ${hub.pid}, has ended`)
}

interface Given {
  readonly host?: string | undefined
  readonly 'grpc-port'?: string | undefined
  readonly 'http-port'?: string | undefined
  readonly port?: string | undefined
  readonly store?: string | undefined
}

export function withArguments(config: HubConfig, given: Given): HubConfig {
  return {
    ...config,
    host: given.host ?? config.host,
    grpcPort: portOf('--grpc-port', given['grpc-port']) ?? config.grpcPort,
    httpPort: portOf('--http-port', given['http-port']) ?? config.httpPort,
    port: portOf('--port', given.port) ?? config.port,
    store: given.store ?? config.store,
  }
}

export function portOf(flag: string, given: string | undefined): number | undefined {
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

/** Who asks again changes nothing: the end takes `closeMs` at most, and several sessions ask an outdated hub. */
export function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
  })
}
