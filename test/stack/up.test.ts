/**
 * `claude-otel stack up`, `status`, `down` and `logs`. The program for containers is a stand-in, which writes down what it was asked
 * for; what it would have started is there: ClickHouse's engine and the real Collector.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { initStack, openStack } from '../../src/stack/folder.ts'
import { problemOf, waitForParts } from '../../src/stack/health.ts'
import { proveStack } from '../../src/stack/proof.ts'
import { readStackSettings, renderStackSettings } from '../../src/stack/settings.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import {
  type Collector,
  type Engine,
  enginePassword,
  freePorts,
  settingsFor,
  startCollector,
  startEngine,
  temporaryFolder,
} from './kit.ts'

const folder = temporaryFolder()
afterAll(() => folder.remove())

/** A folder for PATH with programs that do what their script says. */
function programs(name: string, scripts: Readonly<Record<string, string>>): string {
  const path = join(folder.path, name)
  mkdirSync(path, { recursive: true })
  for (const [program, script] of Object.entries(scripts)) {
    writeFileSync(join(path, program), `#!/bin/sh\n${script}\n`)
    chmodSync(join(path, program), 0o755)
  }
  return path
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(path: string, ...args: string[]): Promise<Ended> {
  const child = Bun.spawn([claudeOtelBinary, 'stack', ...args], {
    env: { HOME: folder.path, PATH: path },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

const asked = () => readFileSync(join(folder.path, 'asked'), 'utf8').trim().split('\n')
/** A stack that runs already. */
const recorder = `case "$*" in "compose version"|info*) exit 0;; *" ps "*) echo 1; exit 0;; esac
echo "$PWD: $@" >> ${join(folder.path, 'asked')}`

/** As Docker's own program says it. */
const asleep = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
const forbidden = 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock'
/** Compose is there, who would do what it says does not answer. */
const failing = (words: string) => `test "$1" = compose || { printf '%s\\n' '${words}' >&2; echo '{"ID":""}'; exit 1; }`

describe('Without what it needs, stack up', () => {
  const dir = join(folder.path, 'lonely')
  beforeAll(() => void initStack(dir, { force: false, dryRun: false, nowMs: 0 }))

  test.each([
    ['nothing', {}, 'neither docker nor podman is installed', 127],
    ['docker alone', { docker: 'exit 1' }, 'docker is here, its compose plugin is not', 127],
    ['podman alone', { podman: 'exit 1' }, 'podman is here, and nothing that composes', 127],
    ['docker that sleeps', { docker: failing(asleep) }, `docker does not answer: ${asleep}`, 69],
    ['docker that sleeps: how to wake it', { docker: failing(asleep) }, 'systemctl start docker', 69],
    [
      'docker that is for others',
      { docker: failing(`WARNING: Error loading config file: x\n${forbidden}`) },
      `docker does not answer: ${forbidden}\n  you may not use it: sudo usermod -aG docker`,
      69,
    ],
    [
      'podman whose machine sleeps',
      { podman: failing('Cannot connect to Podman. Please verify your connection') },
      'podman does not answer: Cannot connect to Podman. Please verify your connection\n  where it runs in a machine: podman machine start',
      69,
    ],
  ])('says what is missing where there is %s', async (name, scripts, message, code) => {
    const ended = await run(programs(name, scripts), 'up', '--dir', dir)
    expect(ended.stderr).toContain(message)
    expect(ended.code).toBe(code)
  })

  test('says that there is no stack where none was laid down', async () => {
    const ended = await run('/nowhere', 'up', '--dir', join(folder.path, 'none'))
    expect(ended.stderr).toContain('make one: claude-otel stack init')
    expect(ended.code).toBe(65)
  })

  test('names each part that does not answer in time', async () => {
    const ended = await run(programs('recorder', { docker: recorder }), 'up', '--dir', dir, '--timeout', '0')
    expect(ended.stderr).toMatch(/ClickHouse at http\S+ does not answer; Collector at http\S+ does not answer/)
    expect(ended.code).toBe(69)
  })

  test('passes on that containers could not be started', async () => {
    const ended = await run(programs('failing', { docker: 'case "$*" in *up*) exit 17;; esac' }), 'up', '--dir', dir)
    expect(ended.stderr).toContain('docker compose up --detach --remove-orphans ended with 17')
    expect(ended.code).toBe(69)
  })
})

describe('With a stack that starts', () => {
  const dir = join(folder.path, 'stack')
  const [grpc, http, health] = freePorts(3)
  let engine: Engine
  let collector: Collector
  beforeAll(async () => {
    engine = await startEngine(folder.path, 0, { isEmpty: true })
    const base = readStackSettings('')
    const ports = { ...base.ports, otlpGrpc: grpc, otlpHttp: http, health, clickhouseHttp: engine.port }
    const settings = { ...base, ports, secrets: { ...base.secrets, clickhouse: enginePassword } }
    mkdirSync(dir)
    writeFileSync(join(dir, '.env'), renderStackSettings(settings))
    initStack(dir, { force: false, dryRun: false, nowMs: 0 })
    collector = await startCollector({
      settings,
      folder: folder.path,
      clickhousePort: engine.port,
      ports: [grpc, http, health],
    })
  }, 120_000)
  afterAll(async () => {
    await collector.stop()
    await engine.stop()
  })
  let path: string
  beforeEach(() => {
    path = programs('recorder', { docker: recorder })
    writeFileSync(join(folder.path, 'asked'), '')
  })

  test('up starts it, waits, brings the schema up to date, and proves it with a span, a log record and a metric', async () => {
    const ended = await run(path, 'up', '--dir', dir)
    expect(ended).toMatchObject({ code: 0 })
    expect(asked()).toEqual([`${dir}: compose -f docker-compose.yml up --detach --remove-orphans`])
    expect(ended.stderr).toMatch(/ClickHouse is ready after [\d.]+ s/)
    expect(ended.stderr).toMatch(/Collector is ready after [\d.]+ s/)
    expect(ended.stderr).toContain('it was version 0')
    expect(ended.stdout).toContain('were read back from ClickHouse')
    expect(await engine.ask("SELECT count() FROM otel_traces FINAL WHERE SpanName = 'stack test'")).toBe('1')
    expect(await engine.ask("SELECT count() FROM otel_logs FINAL WHERE Body = 'stack test'")).toBe('1')
    expect(
      await engine.ask("SELECT count() FROM otel_metrics_gauge FINAL WHERE MetricName = 'claude_otel.stack.test'"),
    ).toBe('1')
    for (const secret of Object.values(openStack(dir).secrets))
      expect(`${ended.stdout}${ended.stderr}`).not.toContain(secret)
  })

  test('up says so when somebody else listens where its Collector should', async () => {
    const { places } = collector
    const other = settingsFor()
    const elsewhere = join(folder.path, 'elsewhere')
    const ports = {
      ...other.ports,
      otlpGrpc: places.grpcPort,
      otlpHttp: places.httpPort,
      health,
      clickhouseHttp: engine.port,
    }
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, '.env'), renderStackSettings({ ...other, ports }))
    initStack(elsewhere, { force: false, dryRun: false, nowMs: 0 })
    const ended = await run(path, 'up', '--dir', elsewhere)
    expect(ended.stderr).toContain(`something else than this stack's Collector listens at http://127.0.0.1:${http}`)
    expect(ended.code).toBe(69)
  })

  test('up names what did not arrive', async () => {
    await engine.ask('RENAME TABLE otel_logs TO otel_logs_away')
    const error = await proveStack(openStack(dir), engine.clickhouse, 1500).catch((reason: unknown) => reason)
    await engine.ask('RENAME TABLE otel_logs_away TO otel_logs')
    expect(String(error)).toContain('otel_logs')
    await engine.ask('CREATE TABLE otel_logs_empty AS otel_logs')
    await engine.ask('EXCHANGE TABLES otel_logs AND otel_logs_empty')
    await engine.ask('ALTER TABLE otel_logs ADD CONSTRAINT nothing CHECK false')
    const late = await proveStack(openStack(dir), engine.clickhouse, 6000).catch((reason: unknown) => reason)
    await engine.ask('EXCHANGE TABLES otel_logs AND otel_logs_empty')
    expect(String(late)).toContain("took the test's log record, and ClickHouse does not have it")
  }, 60_000)

  test('a part that answers that it is not ready is not', async () => {
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('starting', { status: 503 }) })
    const part = { name: 'Loki', service: 'loki', url: `http://127.0.0.1:${server.port}/ready` }
    expect(await problemOf(part)).toBe('answers 503')
    expect([...(await waitForParts([part], 0, () => {}))]).toEqual([[part, 'answers 503']])
    await server.stop(true)
  })

  test('status tells of each part', async () => {
    const ended = await run(path, 'status', '--dir', dir)
    expect(ended.stdout).toMatch(/ClickHouse +ready/)
    expect(ended.stdout).toMatch(/Collector +ready/)
    expect(ended.code).toBe(0)
  })

  test('down and logs go to the program that runs containers', async () => {
    await run(path, 'down', '--dir', dir)
    await run(path, 'logs', 'collector', '--dir', dir)
    await run(path, 'logs', '--follow', '--dir', dir)
    const words = asked().map((line) => line.split('docker-compose.yml ')[1])
    expect(words).toEqual(['down', 'logs --tail=200 collector', 'logs --follow'])
  })

  test('a word that is none of its own is refused', async () => {
    const ended = await run(path, 'start', '--dir', dir)
    expect(ended.stderr).toContain('stack has no "start"')
    expect(ended.code).toBe(64)
  })
})
