/** What the dashboard asks of usage, answered by the store. */
import type { UsageKey, UsageReader, UsageRow } from '../dashboard/usage-reader.ts'
import type { AnyStore, UsageGroup, UsageSum } from '../store/store.ts'
import type { Prices } from '../usage/pricing.ts'

const groups: Readonly<Record<UsageKey, UsageGroup>> = {
  day: 'day',
  minute: 'minute',
  sessionId: 'session',
  model: 'model',
  project: 'project',
  querySource: 'querySource',
  costSource: 'costSource',
}

export function createUsageReader(store: AnyStore, prices: Prices): UsageReader {
  return {
    contextTokens: prices.contextTokens,
    sums: async ({ sinceMs, untilMs, by, limit }) => {
      const period = { sinceUnixMicro: sinceMs * 1000, untilUnixMicro: untilMs * 1000 }
      const sums = await store.usage(
        by.map((key) => groups[key]),
        period,
      )
      return sums
        .toSorted((a, b) => tokensOf(b) - tokensOf(a))
        .slice(0, limit)
        .map((sum) => toRow(sum, by))
    },
  }
}

function tokensOf({ inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens }: UsageSum): number {
  return inputTokens + outputTokens + cacheReadTokens + cacheCreationTokens
}

function toRow(sum: UsageSum, by: readonly UsageKey[]): UsageRow {
  const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd } = sum
  const keys = by.map((key) => {
    const value = sum[groups[key]] ?? ''
    return [key, key === 'minute' ? Number(value) * 1000 : value]
  })
  return { ...Object.fromEntries(keys), inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd }
}
