/**
 * The recorded cases of the real Claude Code, and a session of ours, sent to the stack's Collector, twice: what ClickHouse tells of
 * usage is what the hub's SQLite store tells, and what was served.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { decodeJson } from '../../src/receiver/json.ts'
import { openClickHouseUsage, type UsageStore } from '../../src/store/clickhouse-usage.ts'
import { openStore, type Store, type UsageGroup, type UsageSum } from '../../src/store/store.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { until } from '../kit/until.ts'
import { readRecorded } from '../receiver/messages.ts'
import { recordedCases, servedTokens } from '../usage/recorded.ts'
import {
  type Collector,
  type Engine,
  enginePassword,
  sendJson,
  settingsFor,
  startCollector,
  startEngine,
  temporaryFolder,
} from './kit.ts'
import { chat, tracesOf } from './signals.ts'

const settings = settingsFor()
const folder = temporaryFolder()
const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }
let engine: Engine
let collector: Collector
let sqlite: Store
let clickhouse: UsageStore

const ours = [1, 2, 3].map((number) => {
  const span = chat('ours', number, Date.UTC(2026, 10, 21, 10, number))
  return {
    ...span,
    attributes: { ...span.attributes, 'gen_ai.response.model': 'claude-opus-5-5', 'claude.speed': 'standard' },
  }
})

beforeAll(async () => {
  engine = await startEngine(folder.path)
  collector = await startCollector({ settings, folder: folder.path, clickhousePort: engine.port })
  sqlite = await openStore(join(folder.path, 'hub.db'))
  clickhouse = openClickHouseUsage(engine.clickhouse)
  const requests = [
    ...recordedCases.flatMap((name) => readRecorded(name)),
    { signal: 'traces' as const, body: tracesOf('f'.repeat(32), ours) },
  ]
  for (let time = 0; time < 2; time++) {
    for (const { signal, body } of requests) {
      expect(await sendJson(collector, settings, signal, body)).toBe(200)
      await sqlite.append(decodeJson(signal, Buffer.from(JSON.stringify(body))).batch)
    }
  }
  // The Collector writes what it holds before it ends.
  await collector.stop()
  const tokens = async () => (await clickhouse.usage([], always))[0]?.inputTokens
  const expected = sqlite.usage([], always)[0]?.inputTokens
  await until('everything', async () => (await tokens()) === expected, { everyMs: 250 })
}, 120_000)
afterAll(async () => {
  sqlite.close()
  await engine.stop()
  await folder.remove()
})

/** With costs to the millionth of a dollar: sums of floats depend on their order. */
function rounded(sums: readonly UsageSum[]): readonly UsageSum[] {
  return sums.map((sum) => ({ ...sum, costUsd: sum.costUsd === null ? null : Number(sum.costUsd.toFixed(6)) }))
}

const groupings: readonly (readonly UsageGroup[])[] = [
  [],
  ['day'],
  ['week'],
  ['minute'],
  ['session'],
  ['model'],
  ['project'],
  ['querySource'],
  ['costSource'],
  ['session', 'model'],
  ['costSource', 'day'],
]

describe('Usage in ClickHouse', () => {
  test.each(groupings.map((by) => [by.join(' and ') || 'nothing', by] as const))(
    'by %s is that in SQLite',
    async (_, by) => {
      const expected = rounded(sqlite.usage(by, always))
      expect(expected.length).toBeGreaterThan(0)
      expect(rounded(await clickhouse.usage(by, always))).toEqual(expected)
    },
  )

  test('is what was served, of every session', async () => {
    const sums = await clickhouse.usage(['session', 'model'], always)
    for (const name of recordedCases) {
      const sessions = new Set(readRecorded(name).flatMap(({ body }) => JSON.stringify(body).match(sessionIds) ?? []))
      const served = Object.values(servedTokens(name, 'with cut')).reduce(
        (sum, { outputTokens }) => sum + outputTokens,
        0,
      )
      const told = sums.filter(({ session }) => [...sessions].some((text) => text.includes(session ?? '?')))
      expect({ name, tokens: told.reduce((sum, { outputTokens }) => sum + outputTokens, 0) }).toEqual({
        name,
        tokens: served,
      })
    }
  })

  const sessionIds = /"session\.id","value":\{"stringValue":"[^"]+"/g

  test('of a part of the time is that in SQLite, wherever it begins and ends', async () => {
    const minutes = sqlite.usage(['minute'], always).map(({ minute }) => Number(minute) * 1_000_000)
    const cuts = [0, 0.5, 12.345_678, 30, 59.999_999, 60].flatMap((seconds) =>
      [minutes[0], minutes.at(-1)].map((start = 0) => start + seconds * 1_000_000),
    )
    let some = 0
    for (const cut of cuts) {
      for (const period of [
        { ...always, sinceUnixMicro: cut },
        { ...always, untilUnixMicro: cut },
        { sinceUnixMicro: cut, untilUnixMicro: cut + 1_500_000 },
      ]) {
        const expected = rounded(sqlite.usage(['session'], period))
        some += expected.length
        expect(rounded(await clickhouse.usage(['session'], period))).toEqual(expected)
      }
    }
    expect(some).toBeGreaterThan(cuts.length)
  })

  test('knows what each source says of a session', async () => {
    const facts = (usages: Awaited<ReturnType<UsageStore['sessionUsages']>>) =>
      new Map(
        usages.map(({ sessionId, source, bySource }) => [
          sessionId,
          { source, sources: Object.keys(bySource).toSorted(), bySource },
        ]),
      )
    const [told, expected] = [facts(await clickhouse.sessionUsages(always)), facts(sqlite.sessionUsages(always))]
    expect([...told.keys()].toSorted()).toEqual([...expected.keys()].toSorted())
    for (const [id, { source, sources, bySource }] of expected) {
      expect(told.get(id)).toMatchObject({ source, sources })
      for (const [name, totals] of Object.entries(bySource)) {
        const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens } = totals
        const found = Object.entries(told.get(id)?.bySource ?? {}).find(([each]) => each === name)?.[1]
        expect(found).toMatchObject({ inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens })
      }
    }
  })

  test('knows no source of a time in which there was nothing', async () => {
    expect(await clickhouse.sessionUsages({ sinceUnixMicro: 0, untilUnixMicro: 1 })).toEqual([])
    expect(await clickhouse.sessionUsages({ ...always, sinceUnixMicro: Date.UTC(2100, 0) * 1000 })).toEqual([])
  })

  test('is told by claude-otel usage', async () => {
    const place = `http://otel:${enginePassword}@127.0.0.1:${engine.port}/otel`
    const run = (...args: string[]) =>
      Bun.spawn([claudeOtelBinary, 'usage', 'model', '--json', '--store', ...args], {
        env: { HOME: folder.path },
        stdout: 'pipe',
        stderr: 'pipe',
      })
    const child = run(place)
    const told: { totals: { inputTokens: number }; rows: unknown[] } = JSON.parse(
      await new Response(child.stdout).text(),
    )
    expect(told.totals.inputTokens).toBe(sqlite.usage([], always)[0]?.inputTokens ?? -1)
    expect(told.rows.length).toBe(sqlite.usage(['model'], always).length)
    const refused = run(place.replace(enginePassword, 'wrong'))
    const words = await new Response(refused.stderr).text()
    expect(words).toContain('Authentication failed')
    expect(await refused.exited).toBe(65)
    const nameless = run(`http://127.0.0.1:${engine.port}/otel`)
    expect(await new Response(nameless.stderr).text()).toContain('needs a user')
    expect(await nameless.exited).toBe(78)
  })
})
