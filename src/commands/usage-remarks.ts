/** What stands below the numbers of usage: who priced them, and what the sources make of one another. */
import type { UsageStore } from '../store/clickhouse-usage.ts'
import type { Period } from '../store/store.ts'
import { type Captured, capturedBy, capturedInAll, disagreements, tokensOf } from '../usage/sources.ts'
import { formatCount } from './table.ts'

export interface UsageRemarks {
  /** USD by who gave the price: `claude`, `user`, `table` and its date. */
  readonly costSources: Readonly<Record<string, number>>
  /** Of the tokens of which nobody knows what they cost. */
  readonly unpricedTokens: number
  /** What each source has of the tokens that are believed, from 0 to 1; empty where there is nothing. */
  readonly captured: Captured
  /** By session: the sources that have less than all, where some have. */
  readonly sessions: ReadonlyMap<string, Captured>
}

export async function readRemarks(store: UsageStore, period: Period): Promise<UsageRemarks> {
  const sums = await store.usage(['costSource'], period)
  const all = await store.sessionUsages(period)
  const less = all.map((usage) => [usage.sessionId, disagreements(capturedBy(usage))] as const)
  return {
    costSources: Object.fromEntries(
      sums.flatMap(({ costSource = '', costUsd }) => (costSource === '' ? [] : [[costSource, costUsd ?? 0]])),
    ),
    unpricedTokens: sums.reduce((sum, row) => sum + (row.costSource ? 0 : tokensOf(row)), 0),
    captured: capturedInAll(all),
    sessions: new Map(less.filter(([, captured]) => Object.keys(captured).length > 0)),
  }
}

const pricedBy = (source: string) =>
  source === 'claude'
    ? 'by Claude Code'
    : source === 'user'
      ? 'by your prices'
      : `by the price ${source.replace(/^table /, 'table of ')}`

/** Empty where there is nothing to remark. */
export function renderRemarks({ costSources, unpricedTokens, captured, sessions }: UsageRemarks): string {
  const priced = Object.entries(costSources).map(([source, usd]) => `$${usd.toFixed(2)} ${pricedBy(source)}`)
  const unpriced = unpricedTokens === 0 ? [] : [`no price is known of ${formatCount(unpricedTokens, 'token')}`]
  const less = Object.entries(disagreements(captured)).map(([source, share]) => `${source} ${percent(share)}`)
  const lines = [
    ...(priced.length + unpriced.length === 0 ? [] : [`cost: ${[...priced, ...unpriced].join(', ')}`]),
    ...(less.length === 0
      ? []
      : [
          `captured: ${less.join(', ')} of what is counted; sources differ in ${formatCount(sessions.size, 'session')}`,
        ]),
  ]
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n`
}

function percent(share: number): string {
  return `${(Math.floor(share * 1000) / 10).toFixed(1)} %`
}
