/**
 * The store in ClickHouse: it answers what the SQLite store answers to the same input, whoever sent it twice; a hub runs on it; what a
 * Collector wrote there is read too.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { decodeJson } from '../../src/receiver/json.ts'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import type { SessionFacts } from '../../src/store/session-facts.ts'
import { type AnyStore, openStore, type Store } from '../../src/store/store.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpSource, OtlpSpan } from '../../src/telemetry/otlp.ts'
import type { SessionUsage, UsageRecord } from '../../src/usage/record.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { until } from '../kit/until.ts'
import { encodeJson, everything, signals } from '../receiver/messages.ts'
import { readBatches } from '../usage/recorded.ts'
import {
  type Engine,
  enginePassword,
  sendJson,
  settingsFor,
  startCollector,
  startEngine,
  temporaryFolder,
} from './kit.ts'
import { chat, logsOf, toolCall, tracesOf } from './signals.ts'

// Many questions, one after the other.
setDefaultTimeout(60_000)
const folder = temporaryFolder()
const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }
let engine: Engine
let sqlite: Store
let clickhouse: AnyStore
let sessions: readonly string[]
const recordedCases = ['06-full-protobuf-gzip', '20-dies-restarts-cumulative', '43-resume-cumulative'] as const

beforeAll(async () => {
  engine = await startEngine(folder.path, 0, { isEmpty: true })
  sqlite = await openStore(join(folder.path, 'hub.db'))
  clickhouse = await openClickHouseStore(engine.place)
  const stories = await Promise.all(['demo', 'multi', 'fail'].map(recorded))
  const batches: OtlpBatch[] = [
    ...stories.flatMap(batchesOf),
    ...recordedCases.flatMap((name) => readBatches(name)),
    ...signals.map((signal) => withoutDoubles(decodeJson(signal, encodeJson(everything[signal])).batch)),
  ]
  for (const batch of [...batches, ...batches]) await sqlite.append(batch)
  // One after the other, as the hub would; then again, many at a time.
  for (const batch of batches) await clickhouse.append(batch)
  await Promise.all(batches.map((batch) => clickhouse.append(batch)))
  sessions = sqlite.sessions(always, 1000).map(({ id }) => id)
}, 180_000)
afterAll(async () => {
  sqlite.close()
  await engine.stop()
  await folder.remove()
})

/** Two that differ have one identity there: which of them is kept is nobody's business. */
function withoutDoubles(batch: OtlpBatch): OtlpBatch {
  if (batch.signal === 'traces') return { ...batch, spans: batch.spans.slice(0, 1) }
  if (batch.signal === 'logs') return batch
  const identity = ({ name, attributes, timeUnixMicro }: (typeof batch.points)[number]) =>
    JSON.stringify([name, attributes, timeUnixMicro])
  return { ...batch, points: [...new Map(batch.points.map((point) => [identity(point), point])).values()] }
}

/** Whatever the order of those that happened at once; recorded times are not all whole. */
function inOrder(items: readonly object[]): readonly string[] {
  return items.map((item) => JSON.stringify(sorted(item))).toSorted()
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  )
}

/** What each source says, with costs to the millionth: sums of floats depend on their order. */
function told(usage: SessionUsage | undefined) {
  if (usage === undefined || usage.source === undefined) return undefined
  const sources = Object.entries(usage.bySource).toSorted(([one], [other]) => (one < other ? -1 : 1))
  const rounded = sources.map(([name, totals]) => [name, { ...totals, costUsd: totals.costUsd?.toFixed(6) }])
  return { source: usage.source, lastUnixMicro: Math.floor(usage.lastUnixMicro), sources: rounded }
}

describe('What ClickHouse answers is what SQLite answers', () => {
  test('to which sessions there are, and what is known of each', async () => {
    expect(sessions.length).toBeGreaterThan(5)
    const whole = (facts: SessionFacts): SessionFacts => ({ ...facts, firstTime: Math.floor(facts.firstTime) })
    const expected = sqlite.sessions(always, 1000).map(whole)
    expect(inOrder(await clickhouse.sessions(always, 1000))).toEqual(inOrder(expected))
    expect((await clickhouse.sessions(always, 3)).map(({ lastTime }) => lastTime)).toEqual(
      sqlite.sessions(always, 3).map(({ lastTime }) => lastTime),
    )
    for (const facts of expected) expect(await clickhouse.session(facts.id)).toEqual(facts)
    expect(await clickhouse.session("it's none")).toBeUndefined()
  })

  test('to the spans of a session, part by part too, and of a trace', async () => {
    for (const id of sessions) {
      const expected = sqlite.sessionSpans(id)
      expect(inOrder(await clickhouse.sessionSpans(id))).toEqual(inOrder(expected))
      const parts = []
      for (let after = undefined as (typeof expected)[number] | undefined; ; ) {
        const part = await clickhouse.sessionSpans(id, { limit: 7, ...(after === undefined ? {} : { after }) })
        parts.push(...part)
        after = part.at(-1)
        if (part.length < 7) break
      }
      expect(parts).toEqual([...(await clickhouse.sessionSpans(id))])
      for (const traceId of new Set(expected.map((span) => span.traceId)))
        expect(inOrder(await clickhouse.trace(traceId))).toEqual(inOrder(sqlite.trace(traceId)))
    }
    const [span] = sqlite.sessionSpans(sessions.find((id) => sqlite.sessionSpans(id, { limit: 1 }).length > 0) ?? '')
    expect(await clickhouse.span(span?.traceId ?? '', span?.spanId ?? '')).toEqual(span)
    expect(await clickhouse.span('0'.repeat(32), '0'.repeat(16))).toBeUndefined()
  })

  test('to the log records of a session, by time', async () => {
    for (const id of sessions) {
      const logs = await clickhouse.sessionLogs(id)
      expect(inOrder(logs)).toEqual(inOrder(sqlite.sessionLogs(id)))
      const times = logs.map(({ timeUnixMicro }) => timeUnixMicro)
      expect(times).toEqual(times.toSorted((one, other) => one - other))
      expect(await clickhouse.sessionLogs(id, { offset: 2, limit: 3 })).toEqual([...logs.slice(2, 5)])
    }
  })

  test('to the points of an instrument, of every kind', async () => {
    const names = ['claude_code.token.usage', 'gauge', 'sum', 'histogram', 'exponential', 'summary']
    const all = names.map((name) => sqlite.points(name, always).length)
    expect(all.filter((count) => count > 0).length).toBeGreaterThan(1)
    for (const name of names)
      expect(inOrder(await clickhouse.points(name, always))).toEqual(inOrder(sqlite.points(name, always)))
  })

  test('to what was used', async () => {
    const tokens = async (store: AnyStore) =>
      (await store.usage(['session', 'model'], always)).map(({ costUsd: _, ...sum }) => sum)
    expect(await tokens(clickhouse)).toEqual(await tokens(sqlite))
    for (const id of sessions) {
      const expected = sqlite.sessionUsage(id)
      expect(told(await clickhouse.sessionUsage(id))).toEqual(told(expected))
      const all = await clickhouse.sessionUsages(always)
      expect(told(all.find(({ sessionId }) => sessionId === id))).toEqual(told(expected))
    }
    expect(sessions.some((id) => (sqlite.sessionUsage(id)?.bySource.wrapper?.costUsd ?? 0) > 0)).toBe(true)
    expect(await clickhouse.sessionUsage('none')).toBeUndefined()
  })

  test('to how much there is, once what came twice has been merged', async () => {
    for (const table of ['otel_traces', 'otel_logs', 'otel_metrics_sum'])
      await engine.ask(`OPTIMIZE TABLE ${table} FINAL`)
    const { spans, logs } = await clickhouse.counts()
    const expected = sqlite.counts()
    expect({ spans, logs }).toEqual({ spans: expected.spans, logs: expected.logs })
  })

  test('to transcripts, each answer once', async () => {
    const request: UsageRecord = {
      id: 'transcript:1',
      source: 'transcript',
      timeUnixMicro: Date.UTC(2026, 10, 18, 12) * 1000,
      sessionId: 'of a transcript',
      orchestrationId: 'of a transcript',
      repository: 'org/proj',
      model: 'claude-opus-5-5',
      inputTokens: 10,
      outputTokens: 20,
      cacheReadTokens: 30,
      cacheCreationTokens: 40,
      costUsd: null,
    }
    const file = { path: "/it's/a.jsonl", bytes: 7, changedMs: 1_795_000_000_000.5 }
    for (const store of [sqlite, clickhouse] as AnyStore[]) {
      expect(await store.knowsFile(file)).toBe(false)
      expect(await store.appendHistory([request], file)).toBe(1)
      expect(await store.appendHistory([request, { ...request, id: 'transcript:2' }])).toBe(1)
      expect(await store.knowsFile(file)).toBe(true)
      expect(await store.knowsFile({ ...file, bytes: 8 })).toBe(false)
    }
    const of = async (store: AnyStore) =>
      (await store.usage(['project', 'session', 'model'], always)).filter(
        ({ session }) => session === 'of a transcript',
      )
    expect(await of(clickhouse)).toEqual(await of(sqlite))
  })

  test('to marks, the last first', async () => {
    for (const store of [sqlite, clickhouse] as AnyStore[]) {
      await store.putMark({ key: 'a/1', timeUnixMicro: Date.now() * 1000, value: 'one' })
      await store.putMark({ key: 'a/2', timeUnixMicro: Date.now() * 1000 + 1000, value: "it's two" })
      await store.putMark({ key: 'b/1', timeUnixMicro: Date.now() * 1000, value: 'three' })
    }
    const values = async (store: AnyStore) => (await store.marks('a/', 10)).map(({ key, value }) => [key, value])
    expect(await values(clickhouse)).toEqual(await values(sqlite))
  })
})

describe('What no column can hold', () => {
  const source = { resource: { 'service.name': 7 }, scopeName: 's', scopeVersion: '1', scopeAttributes: {} }
  const latest = 2 ** 64 / 1000
  const now = Date.now() * 1000
  const span: OtlpSpan = {
    source,
    traceId: 'e'.repeat(32),
    spanId: '1'.repeat(16),
    flags: 1,
    name: 'half a pair: \ud800',
    kind: 99,
    startUnixMicro: now,
    endUnixMicro: latest,
    attributes: { 'session.id': 'extreme', 'key \udfff': '\udfff', 'c:\\udata': 'c:\\udata', nul: '\0' },
    events: [{ name: 'late', timeUnixMicro: latest, attributes: {} }],
    links: [],
    statusCode: 7,
  }
  const point = {
    source,
    name: 'extreme',
    description: '',
    unit: '',
    attributes: {},
    startUnixMicro: now,
    timeUnixMicro: now,
    temporality: 'delta' as const,
    exemplars: [],
    isAbsent: false,
  }
  const batches: readonly OtlpBatch[] = [
    { signal: 'traces', spans: [span] },
    { signal: 'traces', spans: [{ ...span, spanId: '2'.repeat(16), startUnixMicro: latest }] },
    { signal: 'logs', logs: [-3, 1e9].map((severityNumber) => extremeLog(source, now, severityNumber)) },
    { signal: 'logs', logs: [extremeLog(source, latest, 9)] },
    {
      signal: 'metrics',
      points: [
        { ...point, type: 'histogram', count: 1e21, sum: Number.NaN, bucketCounts: [1e21, -1], bounds: [Infinity] },
        { ...point, type: 'sum', value: 1e308, isMonotonic: false, timeUnixMicro: latest },
      ],
    },
  ]

  test('is kept as far as it can be said, and given back as it came', async () => {
    for (const batch of batches) await clickhouse.append(batch)
    expect(await clickhouse.sessionSpans('extreme')).toEqual(
      batches.flatMap((batch) => (batch.signal === 'traces' ? batch.spans : [])),
    )
    const severities = (await clickhouse.sessionLogs('extreme')).map(({ severityNumber }) => severityNumber)
    expect(severities.toSorted()).toEqual([-3, 1e9, 9].toSorted())
    expect(await engine.ask("SELECT Timestamp FROM otel_traces WHERE SpanId = '2222222222222222'")).toStartWith('2262-')
    const [row] = (
      await engine.ask("SELECT Count, BucketCounts FROM otel_metrics_histogram WHERE MetricName = 'extreme'")
    ).split('\n')
    expect(row).toBe('9223372036854776000\t[9223372036854776000,0]')
  })
})

function extremeLog(source: OtlpSource, timeUnixMicro: number, severityNumber: number): OtlpLogRecord {
  const attributes = { 'session.id': 'extreme', severityNumber }
  return { source, timeUnixMicro, observedUnixMicro: timeUnixMicro, severityNumber, attributes }
}

test('What cannot be kept is not said to be', async () => {
  const gone = await openClickHouseStore(engine.place)
  const away = { ...engine.place, url: 'http://127.0.0.1:1' }
  expect(openClickHouseStore(away)).rejects.toThrow('does not answer')
  await engine.ask('RENAME TABLE otel_logs TO otel_logs_away')
  const [batch] = recordedCases.flatMap((name) => readBatches(name)).filter(({ signal }) => signal === 'logs')
  if (batch === undefined) throw new Error('no recorded case has logs')
  const error = await Promise.resolve(gone.append(batch)).catch((reason: unknown) => reason)
  await engine.ask('RENAME TABLE otel_logs_away TO otel_logs')
  expect(String(error)).toContain('not kept: ClickHouse at')
  await gone.append(batch)
})

test('What a Collector wrote is read with its numbers and words', async () => {
  const settings = settingsFor()
  const collector = await startCollector({ settings, folder: folder.path, clickhousePort: engine.port })
  const at = Date.now()
  const traceId = 'c'.repeat(32)
  const batches = [
    {
      signal: 'traces' as const,
      body: tracesOf(traceId, [chat('by a collector', 3, at), toolCall('by a collector', 2, at + 5)]),
    },
    {
      signal: 'logs' as const,
      body: logsOf('by a collector', [
        { name: 'claude.user_prompt', atMs: at, attributes: { 'prompt.preview': 'go' } },
      ]),
    },
  ]
  for (const { signal, body } of batches) await sendJson(collector, settings, signal, body)
  await collector.stop()
  await until(
    'both',
    async () =>
      (await clickhouse.sessionLogs('by a collector')).length === 1 && (await clickhouse.trace(traceId)).length === 2,
  )
  const [spans, logs] = batches.map(({ signal, body }) => decodeJson(signal, Buffer.from(JSON.stringify(body))).batch)
  expect(spans?.signal === 'traces' && inOrder(await clickhouse.sessionSpans('by a collector'))).toEqual(
    spans?.signal === 'traces' && inOrder(spans.spans),
  )
  const [log] = await clickhouse.sessionLogs('by a collector')
  expect(log).toMatchObject(
    logs?.signal === 'logs' ? { attributes: logs.logs[0]?.attributes, eventName: 'claude.user_prompt' } : {},
  )
  expect(await clickhouse.session('by a collector')).toMatchObject({ traceId, title: 'go', model: 'claude-x' })
})

test('A hub keeps what it gets in ClickHouse, and shows it', async () => {
  const store = `http://otel:${enginePassword}@127.0.0.1:${engine.port}/otel`
  const child = Bun.spawn(
    [claudeOtelBinary, 'serve', '--json', '--port=0', '--grpc-port=0', '--http-port=0', '--store', store],
    {
      env: { HOME: folder.path },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    },
  )
  try {
    const { value } = await child.stdout.getReader().read()
    const line = new TextDecoder().decode(value)
    expect(line).not.toContain(enginePassword)
    const ready: { httpPort: number; port: number } = JSON.parse(line)
    const at = Date.now()
    const answer = await fetch(`http://127.0.0.1:${ready.httpPort}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(tracesOf('b'.repeat(32), [chat('by the hub', 5, at), toolCall('by the hub', 1, at + 9)])),
    })
    expect(answer.status).toBe(200)
    // It has answered: it is there.
    expect(await engine.ask("SELECT count() FROM otel_traces FINAL WHERE SessionId = 'by the hub'")).toBe('2')
    const ask = async (path: string): Promise<unknown> =>
      (await fetch(`http://127.0.0.1:${ready.port}/api/${path}`)).json()
    expect(await ask('sessions/by%20the%20hub')).toMatchObject({ session: { id: 'by the hub' }, rowCount: 2 })
    expect(JSON.stringify(await ask('now'))).toContain('by the hub')
    expect(await ask('history?by=model')).toMatchObject({ hasUsage: true })
    expect(await ask('health')).toMatchObject({ store: { url: `http://127.0.0.1:${engine.port}/otel` } })
  } finally {
    child.kill('SIGTERM')
    await child.exited
  }
}, 60_000)
