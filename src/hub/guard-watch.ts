/** The guard of a hub as one thing: what comes goes in, what was crossed is acted on and shown. */
import type { Environment, GuardRule } from '../config/config.ts'
import type { Feed } from '../dashboard/feed.ts'
import type { HealthSection } from '../dashboard/health-view.ts'
import type { Live } from '../dashboard/live.ts'
import type { Notice } from '../dashboard/overview.ts'
import type { AnyStore } from '../store/store.ts'
import type { Prices } from '../usage/pricing.ts'
import { createGuard } from './guard.ts'
import { aborted, createGuardActions } from './guard-actions.ts'
import { guardHealth, guardNotices } from './guard-health.ts'
import { findPlace } from './transcript-finder.ts'

export interface GuardWatch {
  /** From now on it looks at what the feed tells; `live` is to be told first. */
  begin(): void
  health(): readonly HealthSection[]
  notices(): readonly Notice[]
  /** Ends what is not over by the deadline. */
  close(deadline: AbortSignal): Promise<void>
}

export interface GuardWatchOptions {
  readonly rules: readonly GuardRule[]
  readonly store: AnyStore
  readonly live: Live
  readonly feed: Feed
  readonly prices: Prices
  /** What commands get; where Claude Code has its transcripts. */
  readonly env: Environment
  /** A line for a person. */
  readonly notice: (message: string) => void
}

/** Rejects with the store's failure. */
export async function createGuardWatch(options: GuardWatchOptions): Promise<GuardWatch> {
  const { rules, store, live, feed, prices, env, notice } = options
  const actions = await createGuardActions({ store, env, notice, onChange: (id) => feed.announce([id]) })
  const guard = await createGuard({
    rules,
    store,
    live,
    contextTokens: prices.contextTokens,
    placeOf: (id) => findPlace(env, id),
    onCrossing: (crossing, crossed) => actions.start(crossing, crossed),
    onProblem: notice,
  })
  return {
    begin: () => void feed.onBatch((batch) => guard.take(batch)),
    health: () => guardHealth(rules, actions.firings()),
    notices: () => guardNotices(actions.firings(), Date.now()),
    close: async (deadline) => {
      await Promise.race([guard.close(), aborted(deadline)])
      await actions.close(deadline)
    },
  }
}
