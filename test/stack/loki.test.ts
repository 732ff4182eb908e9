/** The real Loki with the stack's configuration, written to by the real Collector with the stack's own. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { goProgram } from '../../scripts/go-programs.ts'
import { dashboards } from '../../src/stack/dashboards.ts'
import { describeLoki } from '../../src/stack/loki.ts'
import { until } from '../kit/until.ts'
import { type Collector, freePorts, sendJson, settingsFor, startCollector, temporaryFolder } from './kit.ts'
import { logsOf } from './signals.ts'

const settings = settingsFor({ withLoki: true })
const folder = temporaryFolder()
const [port, grpcPort, unused] = freePorts(3)
let loki: Bun.Subprocess
let collector: Collector

beforeAll(async () => {
  const binary = await goProgram('loki')
  if (binary === undefined) throw new Error('Go is not installed, so no Loki can be built')
  const config = join(folder.path, 'loki.yaml')
  const places = { host: '127.0.0.1', port, grpcPort, data: join(folder.path, 'loki') }
  await Bun.write(config, Bun.YAML.stringify(JSON.parse(JSON.stringify(describeLoki(settings, places))), null, 2))
  const log = Bun.file(join(folder.path, 'loki.log'))
  loki = Bun.spawn([binary, `-config.file=${config}`], { stdin: 'ignore', stdout: log, stderr: log })
  const ready = () => {
    if (loki.exitCode !== null) throw new Error('Loki ended')
    return fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
  await until('Loki to be ready', ready, { timeoutMs: 90_000, everyMs: 200 }).catch(async (error) => {
    throw new Error(`${error}\n${await log.text()}`)
  })
  collector = await startCollector({ settings, folder: folder.path, clickhousePort: unused, lokiPort: port })
}, 150_000)

afterAll(async () => {
  await collector?.stop()
  loki?.kill('SIGKILL')
  await loki?.exited
  await folder.remove()
})

interface Stream {
  readonly stream: Readonly<Record<string, string>>
  readonly values: readonly (readonly [string, string])[]
}

async function query(text: string): Promise<readonly Stream[]> {
  const url = new URL(`http://127.0.0.1:${port}/loki/api/v1/query_range`)
  url.search = new URLSearchParams({ query: text, since: '1h', limit: '1000' }).toString()
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return ((await response.json()) as { data: { result: readonly Stream[] } }).data.result
}

describe('Logs in Loki', () => {
  test('are found by a session’s id, which is no label', async () => {
    const at = Date.now()
    const events = ['claude.user_prompt', 'claude.tool.end'].map((name, n) => ({ name, atMs: at + n }))
    for (const id of ['one', 'two']) expect(await sendJson(collector, settings, 'logs', logsOf(id, events))).toBe(200)
    const found = await until('both records of a session', async () => {
      const streams = await query('{service_name="claude-code"} | session_id="one"')
      const lines = streams.flatMap(({ values }) => values.map(([, line]) => line))
      return lines.length === 2 && lines
    })
    expect(found.toSorted()).toEqual(['claude.tool.end', 'claude.user_prompt'])
    const labels = await fetch(`http://127.0.0.1:${port}/loki/api/v1/labels?since=1h`)
    const { data } = (await labels.json()) as { data: readonly string[] }
    expect(data.filter((name) => !name.startsWith('__'))).toEqual(['service_name'])
  })

  test('are taken when they are long, and when they are late', async () => {
    const late = {
      name: 'claude.tool.end',
      atMs: Date.now() - 1_800_000,
      attributes: { 'tool.response': 'x'.repeat(1_000_000) },
    }
    await sendJson(collector, settings, 'logs', logsOf('late', [late]))
    await until('it', async () => (await query('{service_name="claude-code"} | session_id="late"')).length === 1)
  })

  test('are what Grafana’s panels ask for', async () => {
    const queries = dashboards
      .flatMap(({ panels }) => panels.map((panel) => panel.query))
      .filter(({ source }) => source === 'loki')
    expect(queries.length).toBeGreaterThan(0)
    for (const { text } of queries) expect((await query(text)).length).toBeGreaterThan(0)
  })
})

test('Loki’s own check of its health, which the container uses, says that it is', async () => {
  const check = Bun.spawn([(await goProgram('loki')) ?? '', '-health', `-health.url=http://127.0.0.1:${port}/ready`])
  expect(await check.exited).toBe(0)
  const other = Bun.spawn([(await goProgram('loki')) ?? '', '-health', `-health.url=http://127.0.0.1:${unused}/ready`])
  expect(await other.exited).not.toBe(0)
})
