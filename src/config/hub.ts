/** What the settings say of the hub: where it listens and what it keeps, and whether signals go to it. */
import { resolveStatePaths } from '../base/paths.ts'
import { type GuardRule, guardRules } from './guard.ts'
import { settings, signalTypes } from './settings.ts'
import type { ConfigSources, Environment, Report, Values } from './values.ts'

export interface HubPorts {
  readonly grpcPort: number
  readonly httpPort: number
}

/** Where the hub is for a sender on this machine. */
export interface HubAddress extends HubPorts {
  readonly host: string
  readonly token?: string
}

/** Where the hub listens and what it keeps. */
export interface HubConfig extends HubPorts {
  readonly host: string
  /** 0: a free one, here as for OTLP. */
  readonly port: number
  /** A path or URL; empty where no home is known. */
  readonly store: string
  readonly token?: string
  readonly storage: { readonly maxBytes: number; readonly maxAgeMs: number }
  /** After so long without anybody a hub in the background ends. */
  readonly idleMs: number
  /** A file of the user's, as it is named. */
  readonly prices?: string
  readonly guard: readonly GuardRule[]
}

/** What `serve` goes by. */
export function hubConfig(values: Values, env: Environment, report: Report): HubConfig {
  const token = values.of('hub.token').value
  const prices = values.of('prices').value
  return {
    host: values.get('hub.host'),
    grpcPort: values.get('hub.grpcPort'),
    httpPort: values.get('hub.httpPort'),
    port: values.get('hub.port'),
    store: values.of('hub.store').value ?? resolveStatePaths(env)?.hubStore ?? '',
    ...(token === undefined ? {} : { token }),
    storage: { maxBytes: values.get('hub.size'), maxAgeMs: values.get('hub.age') },
    idleMs: values.get('hub.idle'),
    ...(prices === undefined ? {} : { prices }),
    guard: guardRules(values, report),
  }
}

/** A list or an endpoint, of one signal too, says that somebody else collects. A port of 0 is known only once a hub runs. */
export function hubInUse(values: Values, { runningHub }: ConfigSources): HubAddress | undefined {
  const isElsewhere = signalTypes.some((type) => values.otlp(type, 'endpoint').value !== undefined)
  const isWanted = signalTypes.some((type) => values.get(`${type}.exporter`).includes('otlp'))
  if (!values.get('hub.enabled') || isElsewhere || !isWanted || values.of('destinations').value !== undefined)
    return undefined
  const port = (name: keyof HubPorts): number => {
    const { value = 0, origin } = values.of(`hub.${name}`)
    if (runningHub !== undefined && (origin === 'default' || value === 0)) return runningHub[name]
    return value || settings[`hub.${name}`].fallback
  }
  const token = values.of('hub.token').value
  const address = { host: reachable(values.get('hub.host')), grpcPort: port('grpcPort'), httpPort: port('httpPort') }
  return token === undefined ? address : { ...address, token }
}

/** What listens everywhere is on this machine too. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::' || host === '[::]') return '127.0.0.1'
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
