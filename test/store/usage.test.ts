/** Recorded cases through the store: what was served is what it sums up, over restarts and repetitions. */
import { Database } from 'bun:sqlite'
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store, type UsageSum } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { createPrices, type Prices, parsePrices } from '../../src/usage/pricing.ts'
import type { TokenCounts, UsageRecord } from '../../src/usage/record.ts'
import { readBatches, recordedCases, servedTokens } from '../usage/recorded.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-usage-'))
afterAll(() => rmSync(root, { recursive: true }))

const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }
let files = 0
const fresh = (): string => join(root, `${files++}.db`)

function tokens({ inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens }: UsageSum): TokenCounts {
  return { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens }
}

const byModel = (store: Store) =>
  Object.fromEntries(store.usage(['model'], always).map((sum) => [sum.model, tokens(sum)]))

describe.each([...recordedCases])('the recorded case %s', (name) => {
  test('sums up to what was served, though the store was closed after each request', async () => {
    const path = fresh()
    for (const batch of readBatches(name)) {
      const store = await openStore(path)
      await store.append(batch)
      store.close()
    }
    const store = await openStore(path)
    expect(byModel(store)).toEqual(servedTokens(name, 'with cut'))
    store.close()
  })

  test('counts nothing twice when everything comes again', async () => {
    const store = await openStore(fresh())
    for (let time = 0; time < 2; time++) await Promise.all(readBatches(name).map((batch) => store.append(batch)))
    expect(byModel(store)).toEqual(servedTokens(name, 'with cut'))
    const [total] = store.usage([], always)
    const bySession = store.usage(['session'], always)
    expect(bySession.reduce((sum, { outputTokens }) => sum + outputTokens, 0)).toBe(total?.outputTokens ?? -1)
    expect(total?.sessions).toBe(bySession.length)
    expect(total?.costUsd).toBeGreaterThan(0)
    for (const { session } of bySession) expect(store.sessionUsage(session ?? '')?.bySource.metrics).toBeDefined()
    store.close()
  })
})

const request: UsageRecord = {
  id: 'transcript:msg_1',
  source: 'transcript',
  timeUnixMicro: Date.UTC(2026, 10, 18, 12) * 1000,
  sessionId: 's1',
  orchestrationId: 's1',
  repository: 'org/proj',
  model: 'claude-opus-5-5',
  inputTokens: 10,
  outputTokens: 20,
  cacheReadTokens: 30,
  cacheCreationTokens: 40,
  costUsd: null,
}

describe('usage', () => {
  test('of requests from elsewhere counts once, has a price, and is grouped as asked', async () => {
    const store = await openStore(fresh())
    const later = { ...request, id: 'transcript:msg_2', timeUnixMicro: request.timeUnixMicro + 86_400_000_000 }
    expect(store.appendHistory([request, later, request])).toBe(2)
    expect(store.appendHistory([request])).toBe(0)
    const rows = store.usage(['week', 'day', 'project', 'session', 'model'], always)
    expect(rows.map(({ week, day, project, session, model }) => [week, day, project, session, model])).toEqual([
      ['2026-11-16', '2026-11-18', 'org/proj', 's1', 'claude-opus-5-5'],
      ['2026-11-16', '2026-11-19', 'org/proj', 's1', 'claude-opus-5-5'],
    ])
    expect(rows[0]?.costUsd).toBeGreaterThan(0)
    expect(rows[0]).toMatchObject({ inputTokens: 10, outputTokens: 20, cacheReadTokens: 30, cacheCreationTokens: 40 })
    const [day] = store.usage([], { sinceUnixMicro: request.timeUnixMicro, untilUnixMicro: later.timeUnixMicro })
    expect(day?.outputTokens).toBe(20)
    store.close()
  })

  test('of a model that nobody knows a price of has none, which is not nothing', async () => {
    const store = await openStore(fresh())
    store.appendHistory([{ ...request, model: 'unheard-of' }])
    expect(store.usage(['model'], always)[0]?.costUsd).toBeNull()
    store.close()
  })

  test('of nothing is no row', async () => {
    const store = await openStore(fresh())
    expect([store.usage([], always), store.usage(['day'], always)]).toEqual([[], []])
    store.close()
  })

  test('of any period is what its records say, whatever its ends are', async () => {
    const store = await openStore(fresh())
    const minute = 60_000_000
    const records = Array.from({ length: 300 }, (_, index) => ({
      ...request,
      id: `transcript:msg_${index}`,
      timeUnixMicro: request.timeUnixMicro + ((index * 7919) % 600) * minute + index,
      sessionId: `s${index % 7}`,
      model: index % 3 === 0 ? 'claude-opus-5-5' : 'unheard-of',
      outputTokens: index,
    }))
    store.appendHistory(records)
    for (const [since, until] of [
      [0, 600],
      [1, 2],
      [3, 14.5],
      [14, 16],
      [15, 30],
      [7.25, 431.75],
      [29.999, 30.001],
    ] as const) {
      const period = {
        sinceUnixMicro: request.timeUnixMicro + since * minute,
        untilUnixMicro: request.timeUnixMicro + until * minute,
      }
      const inside = records.filter(
        ({ timeUnixMicro: time }) => time >= period.sinceUnixMicro && time < period.untilUnixMicro,
      )
      const expected = inside.reduce((sum, { outputTokens }) => sum + outputTokens, 0)
      const [total] = store.usage([], period)
      expect(total?.outputTokens ?? 0).toBe(expected)
      expect(total?.sessions ?? 0).toBe(new Set(inside.map(({ sessionId }) => sessionId)).size)
      expect(total?.lastUnixMicro ?? 0).toBe(Math.max(0, ...inside.map(({ timeUnixMicro }) => timeUnixMicro)))
      for (const by of ['minute', 'session', 'model'] as const) {
        const parts = store.usage([by], period)
        expect(parts.reduce((sum, { outputTokens }) => sum + outputTokens, 0)).toBe(expected)
      }
    }
    store.close()
  })

  test('keeps its sums when its records have gone, which are kept for as long as a request may come again', async () => {
    const path = fresh()
    const store = await openStore(path)
    const daysAgo = (days: number) => (Date.now() - days * 86_400_000) * 1000
    const old = { ...request, timeUnixMicro: daysAgo(40), sessionId: 's2' }
    store.appendHistory([{ ...old, id: 'transcript:msg_old' }])
    store.appendHistory([{ ...old, id: 'events:old', source: 'events', sessionId: 's3' }])
    store.appendHistory([{ ...old, id: 'events:new', source: 'events', sessionId: 's4', timeUnixMicro: daysAgo(20) }])
    const before = store.usage(['day', 'session', 'model'], always)
    expect(before).toHaveLength(3)
    store.retain({ maxAgeMs: 0, maxBytes: 1_000_000_000 })
    expect(store.usage(['day', 'session', 'model'], always)).toEqual(before)
    const left = new Database(path, { readonly: true })
    const ids = left.query<{ id: string }, []>('SELECT id FROM usage_record ORDER BY id').all()
    expect(ids.map(({ id }) => id)).toEqual(['events:new', 'transcript:msg_old'])
    left.close()
    store.close()
  })

  test('of an old transcript counts once, however long ago it was counted', async () => {
    const store = await openStore(fresh())
    const old = { ...request, timeUnixMicro: (Date.now() - 400 * 86_400_000) * 1000 }
    expect(store.appendHistory([old])).toBe(1)
    store.retain({ maxAgeMs: 86_400_000, maxBytes: 1_000_000_000 })
    expect(store.appendHistory([old])).toBe(0)
    expect(store.usage([], always)[0]?.outputTokens).toBe(20)
    store.close()
  })
})

test('sessions are told of whose last usage lies in a period, and costs by who gave them', async () => {
  const store = await openStore(fresh())
  for (const batch of readBatches('40-two-concurrent')) await store.append(batch)
  // One that has used nothing yet.
  const others = readBatches('05-full-grpc').flatMap((batch) => (batch.signal === 'logs' ? batch.logs : []))
  await store.append({ signal: 'logs', logs: others.filter(({ eventName }) => eventName !== 'api_request') })
  expect(store.sessionUsage('99036755-21a4-4db4-b684-1e5631bda207')).toBeDefined()
  const all = store.sessionUsages(always)
  expect(all).toHaveLength(2)
  for (const usage of all) expect(usage).toEqual(store.sessionUsage(usage.sessionId) ?? usage)
  const [first, second] = all.map(({ lastUnixMicro }) => lastUnixMicro)
  if (first === undefined || second === undefined) throw new Error('two')
  expect(first).toBeLessThanOrEqual(second)
  expect(store.sessionUsages({ sinceUnixMicro: second + 1, untilUnixMicro: second + 2 })).toEqual([])
  expect(store.sessionUsages({ sinceUnixMicro: 0, untilUnixMicro: first })).toEqual([])
  expect(store.usage(['costSource'], always).map(({ costSource }) => costSource)).toEqual(['claude'])
  store.close()
})

test('what had no price gets one when there is one, and keeps it', async () => {
  const path = fresh()
  const unknown = readBatches('05-full-grpc').map((batch): OtlpBatch => {
    if (batch.signal !== 'logs') return { signal: 'metrics', points: [] }
    const logs = batch.logs.map((log) => {
      const { cost_usd: _, ...attributes } = log.attributes
      return { ...log, attributes: { ...attributes, model: `mine-${attributes.model}` } }
    })
    return { ...batch, logs: logs.filter(({ eventName }) => eventName === 'api_request') }
  })
  const priceOf = (input: number) => {
    const rates = { input, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
    return createPrices(parsePrices(JSON.stringify({ models: { 'mine-claude-opus-5-5': rates } }), 'mine'))
  }
  const look = async (prices?: Prices) => {
    const store = await openStore(path, prices === undefined ? {} : { prices })
    for (const batch of unknown) await store.append(batch)
    const [sum] = store.usage([], always)
    const [session] = store.sessionUsages(always)
    const bySource = store
      .usage(['costSource'], always)
      .map(({ costSource, outputTokens }) => [costSource, outputTokens])
    store.close()
    const { costUsd, unpricedRequests } = session?.bySource.events ?? {}
    return { sum: sum?.costUsd, costUsd, unpricedRequests, input: sum?.inputTokens ?? 0, bySource }
  }
  const before = await look()
  expect(before).toMatchObject({ sum: null, costUsd: null })
  expect(before.bySource.map(([who]) => who)).toEqual([''])
  expect(before.unpricedRequests).toBeGreaterThan(5)
  for (const price of [2000, 7]) {
    const { sum, costUsd, unpricedRequests, input, bySource } = await look(priceOf(price))
    expect(bySource).toEqual([[expect.stringMatching(/./), before.bySource[0]?.[1] ?? 0]])
    expect(sum).toBeCloseTo((input * 2000) / 1e6)
    expect(costUsd).toBeCloseTo(sum ?? 0)
    expect(unpricedRequests).toBe(0)
  }
})
