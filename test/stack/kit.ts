/** The parts of a stack for one test, on free ports of loopback: ClickHouse's engine, and a Collector with our configuration. */
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectorBinary } from '../../scripts/collector.ts'
import { engineModules } from '../../scripts/engine.ts'
import { type CollectorPlaces, describeCollector } from '../../src/stack/collector.ts'
import { readStackSettings, type StackSettings } from '../../src/stack/settings.ts'
import { type ClickHouse, openClickHouse } from '../../src/store/clickhouse-client.ts'
import { migrateClickHouse } from '../../src/store/clickhouse-migrate.ts'
import type { ClickHousePlace } from '../../src/store/clickhouse-place.ts'
import { until } from '../kit/until.ts'

export const keptDays = { traces: 30, logs: 30, metrics: 90, usage: 400 }
export const enginePassword = 'a-password-of-the-test'

export interface Engine {
  readonly port: number
  readonly place: ClickHousePlace
  /** As the product reaches it. */
  readonly clickhouse: ClickHouse
  /** One statement in the database `otel`, by no client; the answer as tab-separated lines. */
  ask(statement: string): Promise<string>
  /** Ends it; its data stays for the next that is started on the same folder. */
  stop(): Promise<void>
  /** The same, as it would end when the machine loses power. */
  kill(): Promise<void>
}

/** ClickHouse's engine on a folder, with our schema unless it is said otherwise. */
export async function startEngine(folder: string, port = 0, options: { isEmpty?: boolean } = {}): Promise<Engine> {
  const { child, place } = await spawnEngine(folder, port)
  const clickhouse = openClickHouse(place)
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    await clickhouse.close()
    child.kill(signal)
    await child.exited
  }
  if (options.isEmpty !== true) await migrateClickHouse(clickhouse, keptDays)
  return {
    port: Number(new URL(place.url).port),
    place,
    clickhouse,
    ask: (statement) => ask(place, statement),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** One statement in its database; the answer as tab-separated lines. Rejects with ClickHouse's words. */
export async function ask({ url, user, password, database }: ClickHousePlace, statement: string): Promise<string> {
  const headers = { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password }
  const response = await fetch(`${url}/?database=${database}`, { method: 'POST', headers, body: statement })
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return text.trimEnd()
}

/** Its process, which ends with ours, and where it answers. */
export async function spawnEngine(
  folder: string,
  port: number,
  password = enginePassword,
): Promise<{ readonly child: Bun.Subprocess; readonly place: ClickHousePlace }> {
  const modules = await engineModules()
  if (modules === undefined) throw new Error('ClickHouse’s engine has no build for this platform')
  const server = join(import.meta.dir, 'engine/server.ts')
  const child = Bun.spawn([process.execPath, server, modules, folder, String(port)], {
    env: { ...process.env, ENGINE_PASSWORD: password },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: Bun.file(join(folder, 'engine.log')),
  })
  const { value } = await child.stdout.getReader().read()
  if (value === undefined) throw new Error(`the engine ended\n${await Bun.file(join(folder, 'engine.log')).text()}`)
  const ready: { port: number } = JSON.parse(new TextDecoder().decode(value))
  return { child, place: { url: `http://127.0.0.1:${ready.port}`, user: 'otel', password, database: 'otel' } }
}

export interface Collector {
  readonly places: CollectorPlaces
  /** The process ends as it would when the machine loses power. */
  kill(): Promise<void>
  stop(): Promise<void>
  log(): Promise<string>
}

export interface CollectorWishes {
  readonly settings: StackSettings
  readonly folder: string
  readonly clickhousePort: number
  readonly lokiPort?: number
  /** Of one that runs in this folder again. */
  readonly ports?: readonly [number, number, number]
  /** What is other than in our configuration. */
  readonly change?: (config: CollectorConfig) => void
}

export interface CollectorConfig {
  exporters: { clickhouse: Record<string, unknown> }
}

/** The real Collector with the stack's configuration; only the places differ, and that ClickHouse is reached over HTTP. */
export async function startCollector(wishes: CollectorWishes): Promise<Collector> {
  const binary = await collectorBinary()
  if (binary === undefined) throw new Error('Go is not installed, so no Collector can be built')
  const { settings, folder, clickhousePort, lokiPort = 1 } = wishes
  const [grpcPort, httpPort, healthPort] = wishes.ports ?? freePorts(3)
  if (grpcPort === undefined || httpPort === undefined || healthPort === undefined) throw new Error('no port is free')
  const places: CollectorPlaces = {
    host: '127.0.0.1',
    grpcPort,
    httpPort,
    healthPort,
    clickhouse: `http://127.0.0.1:${clickhousePort}?dial_timeout=2s&compress=none`,
    loki: `http://127.0.0.1:${lokiPort}/otlp`,
    data: folder,
  }
  const config = JSON.parse(JSON.stringify(describeCollector(settings, places)))
  wishes.change?.(config)
  const file = join(folder, 'collector.yaml')
  await Bun.write(file, Bun.YAML.stringify(config, null, 2))
  const log = join(folder, 'collector.log')
  const child = Bun.spawn([binary, `--config=${file}`], {
    env: { ...process.env, OTLP_TOKEN: settings.secrets.otlpToken, CLICKHOUSE_PASSWORD: settings.secrets.clickhouse },
    stdin: 'ignore',
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  })
  await until('the Collector to be healthy', async () => {
    if (child.exitCode !== null) throw new Error(`the Collector ended\n${await Bun.file(log).text()}`)
    return fetch(`http://127.0.0.1:${healthPort}/`).then(
      ({ ok }) => ok,
      () => false,
    )
  })
  const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
    child.kill(signal)
    await child.exited
  }
  return { places, kill: () => end('SIGKILL'), stop: () => end('SIGTERM'), log: () => Bun.file(log).text() }
}

/** Settings as `stack init` would make them, with the engine's password. */
export function settingsFor(wishes: Partial<StackSettings> = {}): StackSettings {
  const settings = readStackSettings('')
  return { ...settings, ...wishes, secrets: { ...settings.secrets, clickhouse: enginePassword } }
}

/** Sends one OTLP request as JSON, as the environment file says it. */
export async function sendJson(
  { places }: Collector,
  { secrets }: StackSettings,
  signal: string,
  body: object,
): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${places.httpPort}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${secrets.otlpToken}` },
    body: JSON.stringify(body),
  })
  await response.body?.cancel()
  return response.status
}

/** All held at once, so that they differ. */
export function freePorts(count: number): readonly [number, number, number] {
  const held = Array.from({ length: count }, () =>
    Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } }),
  )
  const ports = held.map(({ port }) => port)
  for (const each of held) each.stop()
  return ports as unknown as readonly [number, number, number]
}

/** A folder of the test's own; `remove` takes it away. */
export function temporaryFolder(): { readonly path: string; remove(): Promise<void> } {
  const path = mkdtempSync(join(tmpdir(), 'claude-otel-stack-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
