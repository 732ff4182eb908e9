/** Gaps between sums that were kept and what is told of the same sessions. */
import { describe, expect, test } from 'bun:test'
import { missingSums } from '../../src/store/clickhouse-gaps.ts'
import type { ToldUsage } from '../../src/store/clickhouse-usage.ts'
import type { SlotSum } from '../../src/store/sqlite-history.ts'
import type { UsageSource } from '../../src/usage/record.ts'

const slot = (source: UsageSource, at: number, tokens: number, costUsd: number | null = tokens / 1000): SlotSum => ({
  source,
  slotUnixMicro: at * 900_000_000,
  model: 'm',
  querySource: 'main',
  repository: '',
  costSource: source === 'metrics' ? 'claude' : 'table',
  inputTokens: tokens,
  outputTokens: 2 * tokens,
  cacheReadTokens: 0,
  cacheCreationTokens: 0,
  costUsd,
  lastUnixMicro: at * 900_000_000 + 7.5,
})

const heard = (source: UsageSource, at: number, tokens: number): ToldUsage => {
  const { repository: _, costSource: __, lastUnixMicro: ___, ...told } = slot(source, at, tokens)
  return { ...told, sessionId: 's', requests: source === 'metrics' ? 0 : 1, unpricedRequests: 0 }
}

const missing = (slots: readonly SlotSum[], told: readonly ToldUsage[], requests = {}) =>
  missingSums({ sessionId: 's', requests, slots }, told).map(
    ({ slotUnixMicro, inputTokens, outputTokens, costUsd, requests }) => ({
      at: slotUnixMicro / 900_000_000,
      inputTokens,
      outputTokens,
      costUsd,
      requests,
    }),
  )

describe('What is missing of requests', () => {
  test('is what nothing is told of, as it was summed up, with its number of requests', () => {
    const slots = [slot('events', 1, 10), slot('events', 2, 20)]
    expect(missing(slots, [heard('events', 2, 20)], { events: 3 })).toEqual([
      { at: 1, inputTokens: 10, outputTokens: 20, costUsd: 0.01, requests: 2 },
    ])
    expect(missing(slots, [])).toHaveLength(2)
  })

  test('is the rest of a quarter of which a part is told', () => {
    expect(missing([slot('events', 1, 10)], [heard('events', 1, 4)])).toEqual([
      { at: 1, inputTokens: 6, outputTokens: 12, costUsd: 0.006, requests: 0 },
    ])
  })

  test('is nothing where more is told: others have told it', () => {
    const slots = [slot('events', 1, 10), slot('events', 2, 20)]
    expect(missing(slots, [heard('events', 1, 10), heard('events', 2, 25), heard('events', 3, 5)])).toEqual([])
    expect(missing(slots, [heard('events', 2, 25)]).map(({ at }) => at)).toEqual([1])
  })

  test('of one teller is not made up for by another', () => {
    expect(missing([slot('events', 1, 10)], [heard('wrapper', 1, 10)])).toHaveLength(1)
  })

  test('has no price where there was none', () => {
    const [gap] = missing([slot('events', 1, 10, null)], [])
    expect(gap?.costUsd).toBeNull()
  })
})

describe('What is missing of metrics', () => {
  test('is taken off where it is told later than it was used', () => {
    const slots = [slot('metrics', 1, 10), slot('metrics', 2, 20)]
    const gaps = missing(slots, [heard('metrics', 2, 30)])
    expect(gaps).toEqual([
      { at: 1, inputTokens: 10, outputTokens: 20, costUsd: 0.01, requests: 0 },
      { at: 2, inputTokens: -10, outputTokens: -20, costUsd: -0.01, requests: 0 },
    ])
  })

  test('is taken off of a quarter in which nothing was used, too', () => {
    const slots = [slot('metrics', 1, 10), slot('metrics', 5, 1)]
    const gaps = missing(slots, [heard('metrics', 3, 10), heard('metrics', 5, 1)])
    expect(gaps.map(({ at, inputTokens, costUsd }) => [at, inputTokens, costUsd])).toEqual([
      [1, 10, 0.01],
      [3, -10, -0.01],
    ])
  })

  test('is nothing where more is told, and what is told after the last of them is no part of it', () => {
    expect(missing([slot('metrics', 1, 10)], [heard('metrics', 1, 15)])).toEqual([])
    expect(missing([slot('metrics', 1, 10)], [heard('metrics', 2, 15)])).toEqual([
      { at: 1, inputTokens: 10, outputTokens: 20, costUsd: 0.01, requests: 0 },
    ])
  })
})
