/** The guard over a store in ClickHouse: the same crossings as over SQLite, moment by moment, over restarts of the hub too. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { resolveConfig } from '../../src/config/config.ts'
import { createFeed } from '../../src/dashboard/feed.ts'
import { createLive, readLive } from '../../src/dashboard/live.ts'
import { createGuard, type Guard } from '../../src/hub/guard.ts'
import type { Crossing } from '../../src/hub/guard-crossing.ts'
import { createGuardWatch } from '../../src/hub/guard-watch.ts'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import { type AnyStore, openStore } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { createPrices } from '../../src/usage/pricing.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { Story } from '../dashboard/story.ts'
import { moved, recordedNow } from '../hub/moved.ts'
import { until } from '../kit/until.ts'
import { type Engine, startEngine, temporaryFolder } from './kit.ts'
import { openRoad, type Road } from './road.ts'

setDefaultTimeout(60_000)
const folder = temporaryFolder()
let engine: Engine
let road: Road
let stores: readonly AnyStore[]
beforeAll(async () => {
  engine = await startEngine(folder.path)
  road = await openRoad(engine.place)
  stores = [await openStore(join(folder.path, 'hub.db')), await openClickHouseStore(road.place)]
}, 120_000)
afterAll(async () => {
  for (const store of stores) store.close()
  await road.close()
  await engine.stop()
  await folder.remove()
})

function rulesOf(...guard: object[]) {
  const { config, problems } = resolveConfig({ env: { HOME: folder.path, CLAUDE_OTEL_GUARD: JSON.stringify(guard) } })
  expect(problems).toEqual([])
  return config.hub.guard
}

/** At noon, so that no day ends in between. */
const noon = new Date().setHours(12, 0, 0, 0)

const rules = rulesOf(
  { on: 'tokens', above: 1000 },
  { on: 'tokens', per: 'day', above: 40_000 },
  { on: 'cost', above: 0.001 },
  { on: 'cost', per: 'day', above: 0.05 },
  { on: 'context', above: '80%' },
  { on: 'context', above: 200 },
)

async function guardOf(
  store: AnyStore,
  crossings: Crossing[],
): Promise<{ guard: Guard; take(batch: OtlpBatch): void }> {
  const live = createLive()
  await readLive(live, store, (noon - 30 * 60_000) * 1000)
  const guard = await createGuard({
    rules,
    store,
    live,
    contextTokens: createPrices().contextTokens,
    onCrossing: (crossing) => crossings.push(crossing),
    onProblem: (message) => {
      throw new Error(message)
    },
    now: () => noon,
  })
  return {
    guard,
    take: (batch) => {
      live.take(batch)
      guard.take(batch)
    },
  }
}

/** Costs to the millionth: sums of floats depend on their order. */
function told(crossings: readonly Crossing[]): readonly object[] {
  const text = JSON.stringify(crossings.map(({ text: _, ...facts }) => facts))
  return JSON.parse(text, (_, value) => (typeof value === 'number' ? Number(value.toFixed(6)) : value))
}

function chatted(at: number, tokens: number): readonly OtlpBatch[] {
  const story = new Story('waver', (noon - 300_000) * 1000, 'f'.repeat(32))
  for (let skip = 0; skip < at; skip += 1) story.newId()
  story.chat(at, at + 1, [tokens, 0, 0, 0], undefined, { 'gen_ai.response.model': 'claude-haiku-4-5' })
  return story.batches()
}

test('What crosses in ClickHouse crosses in SQLite, with the same facts, and once', async () => {
  const hours = [
    moved(batchesOf(await recorded('demo')), (noon - 3_600_000) * 1000),
    recordedNow('05-full-grpc', noon * 1000),
    moved(batchesOf(await recorded('multi')), noon * 1000),
    recordedNow('05-full-grpc', noon * 1000),
    chatted(1, 170_000),
    chatted(2, 20_000),
    recordedNow('70-tui-cumulative', noon * 1000),
    chatted(3, 171_000),
  ]
  const seen: string[] = []
  for (const hour of hours) {
    const all = await Promise.all(
      stores.map(async (store) => {
        const crossings: Crossing[] = []
        // A hub that has just begun.
        const { guard, take } = await guardOf(store, crossings)
        await Promise.all(hour.map((batch) => store.append(batch)))
        for (const batch of hour) take(batch)
        await guard.check()
        await guard.close()
        return told(crossings)
      }),
    )
    expect(all[1]).toEqual(all[0] ?? [])
    seen.push(...JSON.parse(JSON.stringify(all[1])).map(({ rule }: Crossing) => rule))
  }
  expect(new Set(seen).size).toBe(rules.length)
  // The session of one model's window crosses, is compacted and crosses again.
  expect(seen.filter((rule) => rule === 'context above 80%')).toHaveLength(2)
  const fired = async (store: AnyStore) =>
    (await store.marks('guard state/', 1000)).map(({ key, value }) => `${key}=${value}`)
  const [sqlite, clickhouse] = await Promise.all(stores.map(fired))
  expect(clickhouse?.toSorted()).toEqual(sqlite?.toSorted() ?? [])
})

test('What could not be looked at is told once and looked at again; what was done is known after a restart', async () => {
  const store = stores[1] as AnyStore
  const [feed, live] = [createFeed(), createLive()]
  const said: string[] = []
  const options = {
    rules: rulesOf({ on: 'tokens', above: 1, do: 'notice' }),
    store,
    live,
    feed,
    prices: createPrices(),
    env: { HOME: folder.path },
    notice: (message: string) => void said.push(message),
  }
  const watch = await createGuardWatch(options)
  watch.begin()
  const story = new Story('away', Date.now() * 1000 - 5_000_000)
  story.chat(0, 1, [100, 10, 0, 0])
  const away = { code: 241, refusal: 'Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)' }
  for (const batch of story.batches()) await store.append(batch)
  road.befall(/claude_usage_records/, away)
  for (const batch of story.batches()) feed.publish(batch)
  await until('a firing', () => watch.notices().length === 1, { timeoutMs: 20_000 })
  expect(said.filter((line) => line.startsWith('the guard could not look'))).toHaveLength(1)
  expect(said.some((line) => line.includes('session away is at 110 tokens'))).toBe(true)
  await watch.close(AbortSignal.timeout(5000))
  const again = await createGuardWatch(options)
  expect(again.notices().map(({ text }) => text)).toEqual(watch.notices().map(({ text }) => text))
  again.begin()
  for (const batch of story.batches()) feed.publish(batch)
  await again.close(AbortSignal.timeout(5000))
  expect(again.notices()).toHaveLength(1)
  feed.close()
})
