/**
 * Which of several tellers of a session's usage is believed, and what the others make of it. Sums of sources are never added.
 */
import type { SessionUsage, TokenCounts, UsageRecord, UsageSource, UsageTotals } from './record.ts'

/** The order where they say the same. */
const preferred: readonly UsageSource[] = ['metrics', 'wrapper', 'events', 'transcript']

type BySource = SessionUsage['bySource']

/**
 * The fullest source of a session, by its tokens; of equals the first of metrics, wrapper, events, transcript. Each source counts
 * nothing twice, so the one that has more has lost less: metrics that never left a killed process, spans that were not sampled,
 * requests that a transcript does not tell of. So what a session has used never falls while its sources overtake one another.
 * Undefined for a session without usage.
 */
export function chooseSource(bySource: BySource): UsageSource | undefined {
  const told = preferred.filter((source) => bySource[source] !== undefined)
  return told.toSorted((left, right) => tokensIn(bySource, right) - tokensIn(bySource, left))[0]
}

/**
 * What each source that told of the session has captured of the believed one's tokens, from 0 to 1: the cross-check, "captured
 * 99.6 %". Empty for a session without usage.
 */
export function capturedBy({ source, bySource }: Pick<SessionUsage, 'source' | 'bySource'>): Captured {
  if (source === undefined) return {}
  const all = tokensIn(bySource, source)
  const told = preferred.filter((each) => bySource[each] !== undefined)
  return Object.fromEntries(told.map((each) => [each, all === 0 ? 1 : tokensIn(bySource, each) / all]))
}

export type Captured = Readonly<Partial<Record<UsageSource, number>>>

/** The same over several sessions: of each source, over the sessions that it told of. */
export function capturedInAll(sessions: readonly SessionUsage[]): Captured {
  const sums = new Map<UsageSource, { told: number; believed: number }>()
  for (const { source, bySource } of sessions) {
    if (source === undefined) continue
    for (const each of preferred.filter((name) => bySource[name] !== undefined)) {
      const sum = sums.get(each) ?? { told: 0, believed: 0 }
      sums.set(each, {
        told: sum.told + tokensIn(bySource, each),
        believed: sum.believed + tokensIn(bySource, source),
      })
    }
  }
  return Object.fromEntries([...sums].map(([name, { told, believed }]) => [name, believed === 0 ? 1 : told / believed]))
}

/** Those that have less than all; what would be shown as 100.0 % is all. Empty where the sources agree. */
export function disagreements(captured: Captured): Captured {
  return Object.fromEntries(Object.entries(captured).filter(([, share]) => share < 0.9995))
}

function tokensIn(bySource: BySource, source: UsageSource): number {
  const totals = bySource[source]
  return totals === undefined ? 0 : tokensOf(totals)
}

/** What the metrics have beyond the events: requests that were cut short, and those whose event was lost. Never negative. */
export function beyondEvents({
  bySource: { metrics, events },
}: Pick<SessionUsage, 'bySource'>): UsageTotals | undefined {
  if (metrics === undefined || events === undefined) return undefined
  const more = (name: keyof TokenCounts): number => Math.max(0, metrics[name] - events[name])
  return {
    requests: 0,
    inputTokens: more('inputTokens'),
    outputTokens: more('outputTokens'),
    cacheReadTokens: more('cacheReadTokens'),
    cacheCreationTokens: more('cacheCreationTokens'),
    costUsd: metrics.costUsd === null || events.costUsd === null ? null : Math.max(0, metrics.costUsd - events.costUsd),
    unpricedRequests: 0,
  }
}

/** All four kinds together. */
export function tokensOf(counts: TokenCounts): number {
  return counts.inputTokens + counts.outputTokens + counts.cacheReadTokens + counts.cacheCreationTokens
}

/** Totals with one more record of their source. */
export function addToTotals(totals: UsageTotals | undefined, record: UsageRecord): UsageTotals {
  const past = totals ?? noTotals
  const isRequest = isRequestOf(record)
  return {
    requests: past.requests + (isRequest ? 1 : 0),
    inputTokens: past.inputTokens + record.inputTokens,
    outputTokens: past.outputTokens + record.outputTokens,
    cacheReadTokens: past.cacheReadTokens + record.cacheReadTokens,
    cacheCreationTokens: past.cacheCreationTokens + record.cacheCreationTokens,
    costUsd: record.costUsd === null ? past.costUsd : (past.costUsd ?? 0) + record.costUsd,
    unpricedRequests: past.unpricedRequests + (isRequest && record.costUsd === null ? 1 : 0),
  }
}

/** Totals of which a record that had no price has got one. */
export function addPrice(totals: UsageTotals, record: UsageRecord): UsageTotals {
  return {
    ...totals,
    costUsd: (totals.costUsd ?? 0) + (record.costUsd ?? 0),
    unpricedRequests: totals.unpricedRequests - (isRequestOf(record) ? 1 : 0),
  }
}

/** Of an answer that was cut short a span of ours tells what its message did not; that is no request of its own. */
function isRequestOf(record: UsageRecord): boolean {
  return record.source !== 'metrics' && tokensOf(record) > record.outputTokens
}

const noTotals: UsageTotals = {
  requests: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheCreationTokens: 0,
  costUsd: null,
  unpricedRequests: 0,
}
