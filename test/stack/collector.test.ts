/** The real Collector with the stack's configuration, writing into ClickHouse's own engine by its own exporter. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { collectorBinary } from '../../scripts/collector.ts'
import { describeCollector } from '../../src/stack/collector.ts'
import { stackVariables } from '../../src/stack/env-files.ts'
import { renderStack } from '../../src/stack/files.ts'
import { metricTables } from '../../src/store/clickhouse-tables.ts'
import { playSession } from '../collector/session.ts'
import { until } from '../kit/until.ts'
import { everything } from '../receiver/messages.ts'
import {
  type Collector,
  type CollectorConfig,
  type Engine,
  freePorts,
  sendJson,
  settingsFor,
  startCollector,
  startEngine,
  temporaryFolder,
} from './kit.ts'
import { chat, logsOf, tracesOf } from './signals.ts'

const exporterTables = ['otel_traces', 'otel_logs', ...metricTables.map((kind) => `otel_metrics_${kind}`)]

describe.each([
  ['plain', {}],
  ['with Loki', { withLoki: true }],
  ['with Grafana', { withGrafana: true }],
  ['with both', { withLoki: true, withGrafana: true }],
])('The configuration of a stack %s', (_, parts) => {
  test('is valid to the Collector of the pinned version', async () => {
    const folder = temporaryFolder()
    const file = renderStack(settingsFor(parts)).find(({ path }) => path === 'collector.yaml')
    await Bun.write(join(folder.path, 'collector.yaml'), file?.text ?? '')
    const binary = (await collectorBinary()) ?? ''
    // The folder of the queue is a volume's, which only the container has.
    const data = `yaml:extensions::file_storage::directory: ${folder.path}`
    const compaction = `yaml:extensions::file_storage::compaction::directory: ${folder.path}`
    const command = [
      binary,
      'validate',
      ...[join(folder.path, 'collector.yaml'), data, compaction].map((each) => `--config=${each}`),
    ]
    const { exitCode, stderr } = Bun.spawnSync(command, { env: { OTLP_TOKEN: 'x', CLICKHOUSE_PASSWORD: 'y' } })
    await folder.remove()
    expect(stderr.toString()).toBe('')
    expect(exitCode).toBe(0)
  })
})

test('A Collector refuses a configuration that has something it does not know', async () => {
  const folder = temporaryFolder()
  const config = { ...describeCollector(settingsFor()), processors: { memory_limiter: { limit_mb: 1 } } }
  await Bun.write(join(folder.path, 'collector.yaml'), Bun.YAML.stringify(config))
  const command = [(await collectorBinary()) ?? '', 'validate', `--config=${join(folder.path, 'collector.yaml')}`]
  expect(Bun.spawnSync(command).exitCode).not.toBe(0)
  await folder.remove()
})

describe('A Collector of the stack', () => {
  const settings = settingsFor()
  const folder = temporaryFolder()
  let engine: Engine
  let collector: Collector
  beforeAll(async () => {
    engine = await startEngine(folder.path)
    collector = await startCollector({ settings, folder: folder.path, clickhousePort: engine.port })
  }, 120_000)
  afterAll(async () => {
    await collector.stop()
    await engine.stop()
    await folder.remove()
  })
  const rows = (query: string, count: string) =>
    until(`${query} to be ${count}`, async () => (await engine.ask(query)) === count, { everyMs: 200 })

  test('lets nobody in who does not know the token', async () => {
    const url = `http://127.0.0.1:${collector.places.httpPort}/v1/traces`
    const send = (headers: Record<string, string>) =>
      fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: '{}' })
    expect((await send({})).status).toBe(401)
    expect((await send({ authorization: 'Bearer x' })).status).toBe(401)
    expect((await send({ authorization: `Bearer ${settings.secrets.otlpToken}` })).status).toBe(200)
  })

  test('finds in our tables every column that its exporter would have made, of the same type', async () => {
    const other = temporaryFolder()
    const own = await startCollector({
      settings,
      folder: other.path,
      clickhousePort: engine.port,
      change: ({ exporters }) =>
        Object.assign(exporters.clickhouse, { create_schema: true, database: 'by_the_exporter' }),
    })
    await until('its tables', async () => Number(await engine.ask(tableCount)) >= exporterTables.length, {
      everyMs: 200,
    })
    await own.stop()
    await other.remove()
    const columns = async (database: string, table: string) => {
      const kinds = "default_kind IN ('', 'DEFAULT') AND name != 'Original'"
      const where = `database = '${database}' AND table = '${table}' AND ${kinds}`
      const text = await engine.ask(`SELECT name, type FROM system.columns WHERE ${where} ORDER BY name`)
      // Its times of metrics are whole seconds, which would make points of one second the same.
      return text
        .split('\n')
        .map((line) => (table.startsWith('otel_metrics') ? line.replace(/DateTime(?!64)/, 'DateTime64(9)') : line))
    }
    for (const table of exporterTables) {
      expect({ table, columns: await columns('otel', table) }).toEqual({
        table,
        columns: await columns('by_the_exporter', table),
      })
    }
  })

  const tableCount = `SELECT count() FROM system.tables WHERE database = 'by_the_exporter' AND name IN (${exporterTables.map((name) => `'${name}'`).join(', ')})`

  test('writes everything that OTLP knows', async () => {
    for (const [signal, body] of Object.entries(everything))
      expect(await sendJson(collector, settings, signal, body)).toBe(200)
    const traces = await rows("SELECT count() FROM otel_traces WHERE SpanName = 'a span'", '1').then(() =>
      engine.ask(`SELECT SpanKind, StatusCode, StatusMessage, SpanAttributes['text'], SpanAttributes['largest'],
        Events.Name, Links.TraceState, Duration FROM otel_traces WHERE SpanName = 'a span'`),
    )
    expect(traces.split('\t')).toEqual([
      'Client',
      'Error',
      'broken',
      'grüße 👋',
      '9223372036854775807',
      "['an event']",
      "['x=y']",
      '80426542',
    ])
    for (const kind of metricTables) await rows(`SELECT count() > 0 FROM otel_metrics_${kind}`, '1')
    await rows('SELECT count() > 0 FROM otel_logs', '1')
    // Beside ClickHouse: a file, and what it says of itself.
    await until('all kinds of signals in the file', async () => {
      const lines = (await Bun.file(join(folder.path, 'signals.jsonl')).text()).split('\n').slice(0, -1)
      const kinds = new Set(lines.flatMap((line) => Object.keys(JSON.parse(line))))
      return ['resourceLogs', 'resourceMetrics', 'resourceSpans'].every((kind) => kinds.has(kind))
    })
    expect(await collector.log()).toMatch(/"otelcol.component.id": "debug".*"spans": \d/)
  })

  test('has what is sent twice once, in the tables and in what is counted from them', async () => {
    const at = Date.now()
    const traceId = 'd'.repeat(32)
    const body = tracesOf(
      traceId,
      [1, 2, 3, 4].map((number) => chat('twice', number, at + number)),
    )
    const logs = logsOf('twice', [{ name: 'claude.tool.end', atMs: at, attributes: { 'log.record.uid': 'U1' } }])
    for (const table of ['otel_traces', 'otel_logs', 'claude_requests']) await engine.ask(`SYSTEM STOP MERGES ${table}`)
    for (const time of [1, 2, 3]) {
      await sendJson(collector, settings, 'traces', body)
      await sendJson(collector, settings, 'logs', logs)
      await rows("SELECT count() FROM otel_traces WHERE SessionId = 'twice'", String(4 * time))
      await rows("SELECT count() FROM otel_logs WHERE SessionId = 'twice'", String(time))
    }
    await rows(`SELECT count() FROM otel_traces FINAL WHERE TraceId = '${traceId}'`, '4')
    await rows("SELECT count() FROM otel_logs FINAL WHERE SessionId = 'twice'", '1')
    const sums =
      "SELECT Requests, InputTokens, OutputTokens, CacheReadTokens, CacheCreationTokens FROM claude_usage_hourly WHERE SessionId = 'twice'"
    await rows(sums, '4\t10\t20\t30\t40')
  })

  test('has the whole session of a real claude, with every token that was served', async () => {
    const { ports: _, ...rest } = settings
    const variables = stackVariables({ ...rest, ports: { ...settings.ports, otlpGrpc: collector.places.grpcPort } })
    const { result, served, requests } = await playSession(variables)
    expect(result).toMatchObject({ exitCode: 0 })
    const id = "(SELECT SessionId FROM claude_sessions WHERE Version != '' LIMIT 1)"
    const sums = `SELECT sum(InputTokens), sum(OutputTokens), sum(CacheReadTokens), sum(CacheCreationTokens)
      FROM claude_usage WHERE SessionId = ${id}`
    await rows(sums, [served.input, served.output, served.cacheRead, served.cacheCreation].join('\t'))
    await rows(
      `SELECT count() FROM claude_requests FINAL WHERE Source = 'wrapper' AND SessionId = ${id}`,
      String(requests),
    )
    // Claude Code itself knows from the same variables where to send.
    const tellers = `SELECT arraySort(groupUniqArray(Source)) FROM claude_usage_records WHERE SessionId = ${id}`
    await rows(tellers, "['events','metrics','wrapper']")
    await rows(`SELECT count(), countIf(Status = 'error') FROM claude_tool_calls FINAL WHERE SessionId = ${id}`, '4\t1')
    await rows(`SELECT count() FROM otel_logs FINAL WHERE SessionId = ${id} AND EventName = 'session.end'`, '1')
  }, 120_000)
})

describe('A Collector whose ClickHouse is away', () => {
  /** So many calls in one trace of their own. */
  const request = (number: number, spans: number) =>
    tracesOf(
      (number + 1).toString(16).padStart(32, '0'),
      Array.from({ length: spans }, (_, at) => chat(`s${number}`, at + 1, Date.now())),
    )
  const expectSpans = async ({ ask }: Engine, spans: number) => {
    const count = 'SELECT count(), uniqExact(TraceId, SpanId) FROM otel_traces FINAL'
    await until(`${spans} spans`, async () => (await ask(count)) === `${spans}\t${spans}`, {
      everyMs: 250,
      timeoutMs: 60_000,
    })
  }

  test.each([
    ['keeps what it took over a kill of its own, and delivers all of it once', 4, {}, 300],
    [
      'whose queue is full too says so, and has lost nothing of what it took when it was killed',
      500,
      { queue_size: 6000 },
      20,
    ],
  ])(
    '%s',
    async (_, spans, queue, requests) => {
      const settings = settingsFor()
      const folder = temporaryFolder()
      const [port] = freePorts(1)
      const ports = freePorts(3)
      const change = ({ exporters }: CollectorConfig) =>
        void Object.assign(exporters.clickhouse.sending_queue as object, queue)
      const start = () => startCollector({ settings, folder: folder.path, clickhousePort: port, ports, change })
      const first = await start()
      const refused: number[] = []
      for (let number = 0; number < requests; number++) {
        const status = await sendJson(first, settings, 'traces', request(number, spans))
        if (status === 200) continue
        expect([429, 503]).toContain(status)
        refused.push(number)
      }
      expect(refused.length > 0).toBe('queue_size' in queue)
      expect(refused.length).toBeLessThan(requests)
      await first.kill()
      const second = await start()
      let engine: Engine | undefined
      try {
        engine = await startEngine(folder.path, port)
        await expectSpans(engine, spans * (requests - refused.length))
        for (const number of refused)
          expect(await sendJson(second, settings, 'traces', request(number, spans))).toBe(200)
        await expectSpans(engine, spans * requests)
      } finally {
        await second.stop()
        await engine?.stop()
        await folder.remove()
      }
    },
    120_000,
  )
})
