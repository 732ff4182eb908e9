/**
 * The life of a stack: its files laid down, brought up, seen, stopped, brought up again. The real Collector, Loki and ClickHouse's engine
 * run from the files in its folder; only the containers around them are missing (daemon.ts).
 */
import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStack } from '../../src/stack/folder.ts'
import { clickhouseOf } from '../../src/stack/proof.ts'
import { publishedPorts, readStackSettings, renderStackSettings } from '../../src/stack/settings.ts'
import { clickhouseMigrations } from '../../src/store/clickhouse-schema.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { until } from '../kit/until.ts'
import { type Daemon, startDaemon } from './daemon.ts'
import { ask, freePorts, temporaryFolder } from './kit.ts'

const folder = temporaryFolder()
const dir = join(folder.path, 'stack')
let daemon: Daemon

beforeAll(async () => {
  const settings = readStackSettings('')
  const names = Object.keys(settings.ports) as (keyof typeof settings.ports)[]
  const free: readonly number[] = freePorts(names.length)
  const ports = Object.fromEntries(names.map((name, at) => [name, free[at]])) as unknown as typeof settings.ports
  mkdirSync(dir)
  writeFileSync(join(dir, '.env'), renderStackSettings({ ...settings, ports }))
  expect((await start('init', '--with-loki').ended).code).toBe(0)
  daemon = startDaemon(folder.path)
})
beforeEach(() => {
  daemon.asked.length = 0
})
afterAll(async () => {
  await daemon.stop()
  await folder.remove()
})

interface Ended {
  readonly code: number | null
  readonly signal: string | number | null
  readonly stdout: string
  readonly stderr: string
}

function start(...args: string[]): {
  readonly child: Bun.Subprocess
  readonly said: () => string
  readonly ended: Promise<Ended>
} {
  const child = Bun.spawn([claudeOtelBinary, 'stack', ...args, '--dir', dir], {
    env: { HOME: folder.path, PATH: `${join(folder.path, 'bin')}:/usr/bin:/bin` },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let stderr = ''
  const ended = (async () => {
    const stdout = new Response(child.stdout).text()
    for await (const chunk of child.stderr) stderr += new TextDecoder().decode(chunk)
    await child.exited
    return { code: child.exitCode, signal: child.signalCode, stdout: await stdout, stderr }
  })()
  return { child, said: () => stderr, ended }
}

const stack = (...args: string[]) => start(...args).ended
const asked = (query: string) => ask(clickhouseOf(openStack(dir)), query)

test('A port that somebody else listens at is named before anything is started', async () => {
  const { ports } = openStack(dir)
  const other = Bun.listen({ hostname: '127.0.0.1', port: ports.otlpGrpc, socket: { data() {} } })
  const { code, stderr } = await stack('up')
  other.stop(true)
  expect(stderr).toContain(
    `somebody else listens at 127.0.0.1: ${ports.otlpGrpc} (OTLP_GRPC_PORT)\n  give the stack other`,
  )
  expect(code).toBe(69)
  expect(daemon.asked).toEqual(['ps --quiet'])
})

test('What is not wanted takes no port', () => {
  const variables = publishedPorts(openStack(dir)).map(({ variable }) => variable)
  expect(variables).toContain('LOKI_PORT')
  expect(variables).not.toContain('GRAFANA_PORT')
})

test('A part that does not get ready is named, with the last that it said', async () => {
  daemon.broken.set('collector', 'Error: failed to get config: no such thing as a thing\n')
  const { code, stderr } = await stack('up', '--timeout', '12')
  daemon.broken.clear()
  expect(stderr).toMatch(/ClickHouse is ready after/)
  expect(stderr).toMatch(/waiting for Collector \(does not answer\).* 1\d\.\d s/)
  expect(stderr).toMatch(/Collector at http\S+ does not answer/)
  expect(stderr).toContain('the last that Collector said:\n    Error: failed to get config: no such thing as a thing\n')
  expect(stderr).not.toContain('ClickHouse said')
  expect(code).toBe(69)
}, 60_000)

test('Who stops waiting is told what goes on, and dies of the signal', async () => {
  daemon.broken.set('collector', '')
  const { child, said, ended } = start('up')
  await until('ClickHouse', () => said().includes('ClickHouse is ready'), { timeoutMs: 60_000 })
  child.kill('SIGINT')
  const { signal, stderr } = await ended
  daemon.broken.clear()
  expect(stderr).toContain(
    'stopped waiting; what was started goes on: claude-otel stack status, claude-otel stack down',
  )
  expect(signal).toBe('SIGINT')
  expect(daemon.process('clickhouse')?.exitCode).toBe(null)
}, 90_000)

test('It comes up from its files, is waited for, and proven', async () => {
  const { code, stdout, stderr } = await stack('up')
  expect(stderr).toMatch(/ClickHouse is ready after[\s\S]*is ready after[\s\S]*is ready after/)
  expect(stderr).toContain(`the schema is up to date (it was version ${clickhouseMigrations.length})`)
  expect(stdout).toContain('were read back from ClickHouse')
  expect(stdout).toContain(`telemetry-env.sh`)
  expect(code).toBe(0)
  expect(daemon.asked.filter((each) => !each.startsWith('ps'))).toEqual(['up --detach --remove-orphans'])
}, 120_000)

test('It is what telemetry-env.sh leads to: ClickHouse, and Loki for logs', async () => {
  const script = `. ${join(dir, 'telemetry-env.sh')} && exec '${claudeOtelBinary}' status --send --json`
  const child = Bun.spawn(['sh', '-c', script], {
    env: { HOME: folder.path, PATH: '/usr/bin:/bin' },
    stdout: 'ignore',
    stderr: 'pipe',
  })
  expect(await new Response(child.stderr).text()).toBe('')
  const tables = ['otel_traces', 'otel_logs', 'otel_metrics_sum']
  for (const table of tables)
    await until(
      table,
      async () => Number(await asked(`SELECT count() FROM ${table} WHERE ScopeName LIKE 'claude-otel%'`)) > 0,
    )
  const { ports } = openStack(dir)
  const url = `http://127.0.0.1:${ports.loki}/loki/api/v1/query_range?since=1h&query=${encodeURIComponent('{service_name=~".+"}')}`
  await until('Loki', async () => (await (await fetch(url)).text()).includes('"values"'))
}, 60_000)

test('status tells of every part, logs of one', async () => {
  const { code, stdout } = await stack('status')
  expect(stdout.match(/ ready /g)?.length).toBe(3)
  expect(code).toBe(0)
  expect((await stack('logs', 'collector')).stdout).toContain('Everything is ready')
}, 20_000)

test('Brought up while it is up it stays as it is, and is proven again', async () => {
  const before = daemon.process('collector')?.pid
  const { code, stdout } = await stack('up')
  expect(stdout).toContain('were read back from ClickHouse')
  expect(code).toBe(0)
  expect(daemon.process('collector')?.pid).toBe(before)
}, 60_000)

test('down stops it, and status says so', async () => {
  expect((await stack('down')).code).toBe(0)
  const { code, stdout, stderr } = await stack('status')
  expect(stdout.match(/does not answer/g)?.length).toBe(3)
  expect(stderr).toContain('start them: claude-otel stack up')
  expect(code).toBe(69)
}, 60_000)

test('Brought up again it has what it had', async () => {
  const { code } = await stack('up')
  expect(code).toBe(0)
  expect(await asked("SELECT count() FROM otel_traces FINAL WHERE SpanName = 'stack test'")).toBe('3')
}, 120_000)
