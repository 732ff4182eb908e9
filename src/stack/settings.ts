/**
 * What a person can say of a stack: its `.env` file, which docker compose reads too. Secrets are made once and kept; everything
 * else that the stack consists of is rendered from these.
 */
import { randomBytes } from 'node:crypto'
import { Failure } from '../base/errors.ts'

export interface StackSettings {
  readonly withLoki: boolean
  readonly withGrafana: boolean
  readonly ports: Ports
  readonly keptDays: KeptDays
  readonly secrets: Secrets
}

type Ports = Readonly<Record<keyof typeof portVariables, number>>
type KeptDays = Readonly<Record<keyof typeof dayVariables, number>>
type Secrets = Readonly<Record<keyof typeof secretVariables, string>>

/** On this machine, at loopback; inside the containers they never change. */
const portVariables = {
  otlpGrpc: ['OTLP_GRPC_PORT', 4317],
  otlpHttp: ['OTLP_HTTP_PORT', 4318],
  health: ['COLLECTOR_HEALTH_PORT', 13133],
  clickhouseHttp: ['CLICKHOUSE_HTTP_PORT', 8123],
  clickhouseNative: ['CLICKHOUSE_NATIVE_PORT', 9000],
  loki: ['LOKI_PORT', 3100],
  grafana: ['GRAFANA_PORT', 3000],
} as const

const dayVariables = {
  traces: ['KEEP_TRACES_DAYS', 30],
  logs: ['KEEP_LOGS_DAYS', 30],
  metrics: ['KEEP_METRICS_DAYS', 90],
  usage: ['KEEP_USAGE_DAYS', 400],
} as const

const secretVariables = {
  /** Writes and reads everything. */
  clickhouse: 'CLICKHOUSE_PASSWORD',
  /** Reads: Grafana's. */
  reader: 'CLICKHOUSE_READER_PASSWORD',
  /** Of those who send to the Collector. */
  otlpToken: 'OTLP_TOKEN',
  grafana: 'GRAFANA_PASSWORD',
} as const

const largestPort = 65_535
/** ClickHouse's times end in 2106. */
const mostDays = 9000

/**
 * Reads a `.env` file, and makes what it does not say: defaults, secrets that nobody else knows. Throws a Failure ('config') for a
 * value that cannot be meant.
 */
export function readStackSettings(text: string): StackSettings {
  const values = readVariables(text)
  const number = ([name, fallback]: readonly [string, number], least: number, most: number): number => {
    const value = values.get(name)
    if (value === undefined || value === '') return fallback
    const found = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (found >= least && found <= most) return found
    throw new Failure('config', `${name} in .env is "${value}"`, `give a number from ${least} to ${most}`)
  }
  const ports = mapValues(portVariables, (each) => number(each, 1, largestPort))
  refuseEqual(ports)
  return {
    withLoki: values.get('WITH_LOKI') === '1',
    withGrafana: values.get('WITH_GRAFANA') === '1',
    ports,
    keptDays: mapValues(dayVariables, (each) => number(each, 1, mostDays)),
    secrets: mapValues(secretVariables, (name) => values.get(name) || randomBytes(18).toString('hex')),
  }
}

/** The whole `.env` file; reading it gives the same settings. */
export function renderStackSettings({ withLoki, withGrafana, ports, keptDays, secrets }: StackSettings): string {
  const lines = <Key extends string>(names: Readonly<Record<Key, string | readonly [string, number]>>, of: object) =>
    Object.entries<string | readonly [string, number]>(names).map(
      ([key, name]) => `${typeof name === 'string' ? name : name[0]}=${of[key as keyof typeof of]}`,
    )
  return `${[
    '# What you can change of the stack; `claude-otel stack init` brings its files in line with it. Keep it to yourself.',
    '',
    '# Parts that are wanted besides ClickHouse and the Collector: 1 or 0.',
    `WITH_LOKI=${withLoki ? 1 : 0}`,
    `WITH_GRAFANA=${withGrafana ? 1 : 0}`,
    '',
    '# Ports of this machine, all at 127.0.0.1.',
    ...lines(portVariables, ports),
    '',
    '# How many days ClickHouse and Loki keep what.',
    ...lines(dayVariables, keptDays),
    '',
    ...lines(secretVariables, secrets),
  ].join('\n')}\n`
}

/** What the containers listen at on this machine, and by which name `.env` says so. */
export function publishedPorts({
  ports,
  withLoki,
  withGrafana,
}: StackSettings): readonly { readonly variable: string; readonly port: number }[] {
  const isWanted: Partial<Readonly<Record<keyof Ports, boolean>>> = { loki: withLoki, grafana: withGrafana }
  const names = Object.keys(ports) as (keyof Ports)[]
  return names
    .filter((name) => isWanted[name] !== false)
    .map((name) => ({ variable: portVariables[name][0], port: ports[name] }))
}

/** Lines of `NAME=value`; quotes around a value are not part of it. */
function readVariables(text: string): ReadonlyMap<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [, name, value] = /^\s*(?:export\s+)?([A-Z0-9_]+)=(.*?)\s*$/.exec(line) ?? []
      return name === undefined || value === undefined ? [] : [[name, value.replace(/^(["'])(.*)\1$/, '$2')] as const]
    }),
  )
}

function refuseEqual(ports: Ports): void {
  const seen = new Map<number, string>()
  for (const [key, port] of Object.entries(ports)) {
    const name = portVariables[key as keyof Ports][0]
    const other = seen.get(port)
    if (other !== undefined)
      throw new Failure('config', `${other} and ${name} in .env are both ${port}`, 'give each a port of its own')
    seen.set(port, name)
  }
}

function mapValues<Key extends string, From, To>(
  table: Readonly<Record<Key, From>>,
  to: (value: From) => To,
): Readonly<Record<Key, To>> {
  return Object.fromEntries(Object.entries<From>(table).map(([key, value]) => [key, to(value)])) as Record<Key, To>
}
