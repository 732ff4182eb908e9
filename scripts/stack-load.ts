/**
 * How ClickHouse does under the stack's schema, on its own engine: rows per second through the store's inserts and through SQL, then
 * how long every panel of Grafana and every question of the dashboard takes over so many spans.
 *
 *   bun scripts/stack-load.ts [spans, by default 1000000]
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dashboards } from '../src/stack/dashboards.ts'
import { openClickHouseStore } from '../src/store/clickhouse.ts'
import type { OtlpSpan } from '../src/telemetry/otlp.ts'
import { expandMacros } from '../test/stack/grafana.ts'
import { type Engine, startEngine } from '../test/stack/kit.ts'

const SPANS = Number(process.argv[2] ?? 1_000_000)
const PER_SESSION = 1000
const BLOCK = 1_000_000
const ROUNDS = 7
const SENT = 50_000
const PER_REQUEST = 500

const folder = await mkdtemp(join(tmpdir(), 'claude-otel-stack-load-'))
const engine = await startEngine(folder)
try {
  console.log(`store: ${rate(SENT, await timed(() => send(engine)))} spans/s, in requests of ${PER_REQUEST}`)
  console.log(`SQL: ${rate(SPANS, await timed(() => fill(engine)))} spans/s with all views`)
  console.log(
    await engine.ask(
      "SELECT concat('on disk: ', formatReadableSize(sum(bytes_on_disk))) FROM system.parts WHERE active AND database = 'otel'",
    ),
  )
  for (const [name, ask] of questions(engine)) console.log(`${name}: p50 ${await percentiles(ask)}`)
} finally {
  await engine.stop()
  await rm(folder, { recursive: true })
}

async function send({ place }: Engine): Promise<void> {
  const store = await openClickHouseStore(place)
  const source = {
    resource: { 'service.name': 'claude-code' },
    scopeName: 'claude-otel',
    scopeVersion: '1',
    scopeAttributes: {},
  }
  const span = (n: number): OtlpSpan => ({
    source,
    traceId: String(n).padStart(32, '0'),
    spanId: String(n).padStart(16, '0'),
    flags: 1,
    name: 'execute_tool Bash',
    kind: 1,
    startUnixMicro: Date.now() * 1000,
    endUnixMicro: Date.now() * 1000 + 5000,
    attributes: {
      'session.id': `sent ${n % 100}`,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'Bash',
      'tool.status': 'success',
    },
    events: [],
    links: [],
    statusCode: 0,
  })
  const batches = Array.from({ length: SENT / PER_REQUEST }, (_, at) => ({
    signal: 'traces' as const,
    spans: Array.from({ length: PER_REQUEST }, (_, n) => span(at * PER_REQUEST + n)),
  }))
  await Promise.all(batches.map((batch) => store.append(batch)))
}

/** Of five spans one is a request of the model, three are tool calls. */
async function fill({ ask }: Engine): Promise<void> {
  for (let from = 0; from < SPANS; from += BLOCK) {
    const count = Math.min(BLOCK, SPANS - from)
    await ask(`INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, ServiceName, ScopeName, Duration, SpanAttributes)
      SELECT now64(9) - toIntervalMillisecond((${SPANS} - number) * 2592000000 / ${SPANS}),
        hex(intDiv(number, ${PER_SESSION})), hex(number), if(number % 5 = 0, 'chat claude-x', 'execute_tool Bash'),
        'claude-code', 'claude-otel', 1000000 * (number % 1000),
        if(number % 5 = 0,
          map('session.id', concat('session ', toString(intDiv(number, ${PER_SESSION}))), 'gen_ai.operation.name', 'chat',
            'gen_ai.response.model', concat('claude-', toString(number % 3)), 'gen_ai.response.id', toString(number),
            'tokens.input', toString(number % 5000), 'tokens.output', toString(number % 500), 'tokens.cache_read', '20000'),
          map('session.id', concat('session ', toString(intDiv(number, ${PER_SESSION}))), 'gen_ai.operation.name',
            if(number % 5 = 4, 'invoke_agent', 'execute_tool'), 'gen_ai.tool.name', concat('Tool', toString(number % 20)),
            'tool.status', if(number % 17 = 0, 'error', 'success'), 'input.summary', 'echo and what it was asked to do'))
      FROM numbers(${from}, ${count})`)
  }
}

function questions({ ask, place }: Engine): readonly (readonly [string, () => Promise<unknown>])[] {
  const panels = dashboards.flatMap(({ id, panels }) =>
    panels
      .filter(({ query }) => query.source === 'clickhouse')
      .map((panel) => [`Grafana, ${id}, ${panel.title}`, () => ask(expandMacros(panel.query.text))] as const),
  )
  const now = Date.now() * 1000
  const day = { sinceUnixMicro: now - 86_400_000_000, untilUnixMicro: now }
  const month = { sinceUnixMicro: now - 30 * 86_400_000_000, untilUnixMicro: now }
  const store = openClickHouseStore(place)
  return [
    ['dashboard, sessions of a day', async () => (await store).sessions(day, 200)],
    [
      'dashboard, a session',
      async () => (await store).sessionSpans(`session ${Math.floor(SPANS / PER_SESSION / 2)}`, { limit: 500 }),
    ],
    ['dashboard, a session’s facts', async () => (await store).session('session 1')],
    [
      'dashboard, usage today by minute',
      async () => (await store).usage(['minute'], { ...day, sinceUnixMicro: now - 3_600_000_000 }),
    ],
    ['usage, a month by day', async () => (await store).usage(['day'], month)],
    ['usage, a month by session', async () => (await store).usage(['session'], month)],
    ...panels,
  ]
}

async function percentiles(ask: () => Promise<unknown>): Promise<string> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) times.push(await timed(ask))
  const sorted = times.toSorted((one, other) => one - other)
  return `${Math.round(sorted[Math.floor(ROUNDS / 2)] ?? 0)} ms, p95 ${Math.round(sorted.at(-1) ?? 0)} ms`
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

function rate(count: number, ms: number): string {
  return Math.round((count / ms) * 1000).toLocaleString('en')
}
