/**
 * `claude-otel copy` from a store whose records have gone by their age: usage is the same before and after, however often it is
 * copied, stopped or copied beside a hub that writes there too.
 */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import { type AnyStore, openStore, type Store, type UsageGroup } from '../../src/store/store.ts'
import type { OtlpBatch, OtlpSpan } from '../../src/telemetry/otlp.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { moved } from '../hub/moved.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { until } from '../kit/until.ts'
import { readBatches } from '../usage/recorded.ts'
import { type Engine, enginePassword, startEngine, temporaryFolder } from './kit.ts'

setDefaultTimeout(60_000)
const folder = temporaryFolder()
const path = join(folder.path, 'hub.db')
const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }
const dayMs = 86_400_000
const [longAgo, daysAgo, now] = [Date.now() - 50 * dayMs, Date.now() - 5 * dayMs, Date.now()]
const everything = 1e15
let engine: Engine
let sqlite: Store
let clickhouse: AnyStore

/** A session of seconds as one of hours, so that its usage lies in many quarters. */
function stretched(batches: readonly OtlpBatch[], endMs: number, by: number): readonly OtlpBatch[] {
  const far = (unixMicro: number) => endMs * 1000 - (endMs * 1000 - unixMicro) * by
  return moved(batches, endMs * 1000).map((batch) => {
    if (batch.signal !== 'metrics') return batch
    const points = batch.points.map((point) => ({ ...point, timeUnixMicro: far(point.timeUnixMicro) }))
    return { ...batch, points: points.map((point) => ({ ...point, startUnixMicro: far(point.startUnixMicro) })) }
  })
}

/** A cumulative counter is told many times: when the first have gone, the next one tells all that was used by then. */
const straddling = stretched(readBatches('20-dies-restarts-cumulative'), daysAgo, 2000)
const straddlingTimes = straddling.flatMap((batch) =>
  batch.signal === 'metrics' ? batch.points.map(({ timeUnixMicro }) => timeUnixMicro) : [],
)
const middleMs = (Math.min(...straddlingTimes) + Math.max(...straddlingTimes)) / 2000

beforeAll(async () => {
  engine = await startEngine(folder.path, 0, { isEmpty: true })
  sqlite = await openStore(path)
  const batches = [
    ...moved(batchesOf(await recorded('demo')), longAgo * 1000),
    ...moved(readBatches('06-full-protobuf-gzip'), (longAgo + dayMs) * 1000),
    ...moved(readBatches('43-resume-cumulative'), (daysAgo - dayMs) * 1000),
    ...straddling,
    ...moved(batchesOf(await recorded('multi')), now * 1000),
    ...manySpans(9000),
  ]
  for (const batch of batches) await sqlite.append(batch)
  expect(sqlite.retain({ maxAgeMs: Date.now() - middleMs, maxBytes: everything })).toBeGreaterThan(0)
}, 120_000)
afterAll(async () => {
  sqlite.close()
  clickhouse.close()
  await engine.stop()
  await folder.remove()
})

/** So many that a copy has several parts of them. */
function manySpans(count: number): readonly OtlpBatch[] {
  const span = (n: number): OtlpSpan => ({
    source: { resource: {}, scopeName: 'claude-otel', scopeVersion: '1', scopeAttributes: {} },
    traceId: 'd'.repeat(32),
    spanId: String(n).padStart(16, '0'),
    flags: 1,
    name: 'execute_tool Bash',
    kind: 1,
    startUnixMicro: now * 1000 + n,
    endUnixMicro: now * 1000 + n + 1,
    attributes: { 'session.id': 'of many' },
    events: [],
    links: [],
    statusCode: 0,
  })
  return [{ signal: 'traces', spans: Array.from({ length: count }, (_, n) => span(n)) }]
}

const to = () => `http://otel:${enginePassword}@127.0.0.1:${engine.port}/otel`

function start() {
  return Bun.spawn([claudeOtelBinary, 'copy', '--json', '--from', path, '--to', to()], {
    env: { HOME: folder.path },
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

async function copy(): Promise<{ readonly rows: number; readonly before: number; readonly sums: number }> {
  const child = start()
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect({ code: await child.exited, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout)
}

const groupings: readonly (readonly UsageGroup[])[] = [
  [],
  ['day'],
  ['week'],
  ['session', 'model'],
  ['project'],
  ['querySource'],
  ['costSource'],
]

async function usageOf(store: AnyStore) {
  const sums = await Promise.all(groupings.map((by) => store.usage(by, always)))
  return sums.map((each) => each.map(({ costUsd, lastUnixMicro: _, ...sum }) => ({ ...sum, usd: costUsd?.toFixed(6) })))
}

async function sessionsOf(store: AnyStore) {
  const usages = await store.sessionUsages(always)
  const told = usages.map(({ sessionId, source, bySource }) => [
    sessionId,
    source,
    Object.entries(bySource)
      .map(([name, { costUsd, unpricedRequests: _, ...totals }]) => [name, { ...totals, usd: costUsd?.toFixed(6) }])
      .toSorted(),
  ])
  return told.toSorted(([one], [other]) => (String(one) < String(other) ? -1 : 1))
}

test('Killed in the middle it goes on, and usage is what it was', async () => {
  const marks = async () =>
    Number(await engine.ask("SELECT count() FROM system.tables WHERE database = 'otel' AND name = 'claude_marks'")) ===
    0
      ? 0
      : Number(await engine.ask('SELECT count() FROM claude_marks'))
  for (const parts of [1, 2]) {
    const child = start()
    await until(`${parts} parts to be there`, async () => (await marks()) >= parts, { everyMs: 1 })
    child.kill('SIGKILL')
    await child.exited
  }
  const { rows, before, sums } = await copy()
  const { spans, logs, points } = sqlite.counts()
  expect(before).toBeGreaterThan(0)
  expect(rows).toBeGreaterThan(0)
  expect(rows + before).toBe(spans + logs + points)
  expect(sums).toBeGreaterThan(0)
  clickhouse = await openClickHouseStore(engine.place)
  expect(await usageOf(clickhouse)).toEqual(await usageOf(sqlite))
  expect(await sessionsOf(clickhouse)).toEqual(await sessionsOf(sqlite))
  const facts = sqlite.sessions(always, 1000)
  expect(facts.length).toBeGreaterThan(1)
  for (const { firstTime, ...rest } of facts)
    expect(await clickhouse.session(rest.id)).toEqual({ ...rest, firstTime: Math.floor(firstTime) })
  expect(await engine.ask("SELECT count() FROM otel_traces FINAL WHERE SessionId = 'of many'")).toBe('9000')
})

test('Copied again nothing changes, also when all is begun anew or more has gone since', async () => {
  expect(await copy()).toMatchObject({ rows: 0, sums: 0 })
  expect(sqlite.retain({ maxAgeMs: 3 * dayMs, maxBytes: everything })).toBeGreaterThan(0)
  expect(await copy()).toMatchObject({ rows: 0, sums: 0 })
  expect(await usageOf(clickhouse)).toEqual(await usageOf(sqlite))
  await engine.ask('TRUNCATE TABLE claude_marks')
  expect(await copy()).toMatchObject({ before: 0, sums: 0 })
  expect(await usageOf(clickhouse)).toEqual(await usageOf(sqlite))
  expect(await sessionsOf(clickhouse)).toEqual(await sessionsOf(sqlite))
})

test('What is told after all takes the place of its sum', async () => {
  for (const batch of moved(readBatches('06-full-protobuf-gzip'), (longAgo + dayMs) * 1000))
    await clickhouse.append(batch)
  expect(await usageOf(clickhouse)).not.toEqual(await usageOf(sqlite))
  expect((await copy()).sums).toBeGreaterThan(0)
  expect(await usageOf(clickhouse)).toEqual(await usageOf(sqlite))
})

test('What a hub has written there meanwhile, of the same sessions too, is added and stays', async () => {
  const [before] = await clickhouse.usage([], always)
  const later = moved(readBatches('05-full-grpc'), now * 1000)
  for (const batch of later) await clickhouse.append(batch)
  // A session of long ago goes on today.
  const story = moved(batchesOf(await recorded('demo')), now * 1000)
  const spans = story.flatMap((batch) => (batch.signal === 'traces' ? batch.spans : []))
  const chats = spans.filter(({ attributes }) => 'tokens.input' in attributes)
  const fresh = chats.map((span, n) => ({
    ...span,
    spanId: `${n}`.padStart(16, 'e'),
    attributes: { ...span.attributes, 'gen_ai.response.id': `today ${n}` },
  }))
  await clickhouse.append({ signal: 'traces', spans: fresh })
  const after = await usageOf(clickhouse)
  expect((await clickhouse.usage([], always))[0]?.inputTokens).toBeGreaterThan(before?.inputTokens ?? 0)
  expect(await copy()).toMatchObject({ sums: 0 })
  expect(await usageOf(clickhouse)).toEqual(after)
})
