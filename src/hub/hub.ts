/**
 * The hub: a receiver of OTLP with a store behind it and a face. A sender has its answer when what it sent would survive our death;
 * usage is counted in the same transaction, and the dashboard hears of it then.
 */
import { describeError, Failure } from '../base/errors.ts'
import { type Log, noLog } from '../base/log.ts'
import { isLoopback, withoutBrackets } from '../base/loopback.ts'
import type { Environment, HubConfig } from '../config/config.ts'
import { createFeed, type Feed } from '../dashboard/feed.ts'
import { createLive } from '../dashboard/live.ts'
import { type Dashboard, startDashboard } from '../dashboard/server.ts'
import { type Receiver, type ReceiverCounts, startReceiver, type Verdict } from '../receiver/receiver.ts'
import { openAnyStore } from '../store/any-store.ts'
import type { AnyStore } from '../store/store.ts'
import type { OtlpBatch } from '../telemetry/otlp.ts'
import { createRedactor, defaultRedaction, type RedactionRules } from '../telemetry/redact.ts'
import { readPrices } from '../usage/pricing.ts'
import { createGuardWatch, type GuardWatch } from './guard-watch.ts'
import { maskNative } from './masking.ts'
import type { HubPlace } from './presence.ts'
import { receiverHealth } from './receiver-health.ts'
import { storeHealth } from './store-health.ts'
import { createUsageReader } from './usage-reader.ts'

export interface HubOptions {
  readonly config: HubConfig
  /** What the guard's commands get; where Claude Code has its transcripts. */
  readonly env: Environment
  /** What is masked of Claude Code's own telemetry. */
  readonly redaction?: RedactionRules
  /** Told what a person should know, a line each: the store was damaged, the disk is full. */
  readonly notice?: (message: string) => void
  readonly log?: Log
  /** Where the dashboard's port is taken, another one does as well: who started the hub has not asked for a port. */
  readonly anyDashboardPort?: boolean
}

export interface Hub {
  readonly grpcPort: number
  readonly httpPort: number
  readonly dashboard: Pick<Dashboard, 'port' | 'url'>
  readonly store: AnyStore
  counts(): ReceiverCounts
  /** For how long nobody has sent anything, or looked. */
  idleMs(): number
  /** What others need to find it. */
  place(): HubPlace
  /** Takes nothing new, answers what is there within the deadline, and closes the store. */
  close(deadline: AbortSignal): Promise<void>
}

/** What is beyond the bounds goes now and then, in pieces that hold nobody up for long. */
const retentionMs = 600_000
/** Senders come again; until then everybody else would wait. */
const busyMs = 200
const retryAfterMs = 5000

/**
 * Opens the store and the ports. Throws a Failure for a port that is taken, a store that cannot be opened, and an address that
 * others reach without a token; nothing is left open then.
 */
export async function startHub(options: HubOptions): Promise<Hub> {
  const { env, redaction = defaultRedaction, notice = () => {}, log = noLog } = options
  const config = { ...options.config, host: withoutBrackets(options.config.host) }
  const { host, token, grpcPort, httpPort } = config
  if (!isLoopback(host) && token === undefined) {
    const mend =
      'set CLAUDE_OTEL_HUB_TOKEN, which senders show as `authorization: Bearer <token>`, or listen at 127.0.0.1'
    throw new Failure('config', `others can reach ${host}, and hub.token is not set`, mend)
  }
  if (config.store === '') throw new Failure('io', 'no home folder is known (HOME is not set)', 'name a store: --store')
  const prices = readPrices(config.prices)
  const feed = createFeed()
  const live = createLive()
  const store = await openAnyStore(config.store, { notice, prices, busyMs, maxAgeMs: config.storage.maxAgeMs })
  const { redact } = createRedactor(redaction)
  const keeper = new Keeper({ store, feed, notice, redact })
  const shared = { host, ...(token === undefined ? {} : { token }) }
  let receiver: Receiver | undefined
  try {
    const guard = await createGuardWatch({ rules: config.guard, store, live, feed, prices, env, notice })
    receiver = await startReceiver({ ...shared, grpcPort, httpPort, log, accept: (batch) => keeper.accept(batch) })
    const { counts } = receiver
    const health = async () => [receiverHealth(counts()), ...(await storeHealth(store)), ...guard.health()]
    const usage = createUsageReader(store, prices)
    const shown = { store, usage, health, notices: () => guard.notices(), feed, live }
    const face = (port: number) => startDashboard({ ...shared, ...shown, port })
    const dashboard = await face(config.port).catch((error) => {
      if (!options.anyDashboardPort) throw error
      notice(`${describeError(error)}; the dashboard is at another port`)
      return face(0)
    })
    guard.begin()
    return new RunningHub({ store, receiver, dashboard, feed, keeper, guard, config })
  } catch (error) {
    await receiver?.close(AbortSignal.abort())
    store.close()
    throw error
  }
}

interface KeeperOptions {
  readonly store: AnyStore
  readonly feed: Feed
  readonly notice: (message: string) => void
  readonly redact: (text: string) => string
}

/** Between receiver and store: what cannot be kept is asked for again, and told once until it can. */
class Keeper {
  private isFailing = false
  /** Of the clock that is never put right and stands still while the machine sleeps, as all of its time is. */
  lastTakenMs = performance.now()

  constructor(private readonly options: KeeperOptions) {}

  async accept(given: OtlpBatch): Promise<Verdict> {
    const { store, feed, notice, redact } = this.options
    const batch = maskNative(given, redact)
    try {
      await store.append(batch)
      this.lastTakenMs = performance.now()
      this.isFailing = false
      feed.publish(batch)
      return { rejected: 0 }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (!this.isFailing) notice(`${error.message}; senders are asked to come again`)
      this.isFailing = true
      return { retryAfterMs }
    }
  }
}

interface Parts {
  readonly store: AnyStore
  readonly receiver: Receiver
  readonly dashboard: Dashboard
  readonly feed: Feed
  readonly keeper: Keeper
  readonly guard: GuardWatch
  readonly config: HubConfig
}

class RunningHub implements Hub {
  readonly grpcPort
  readonly httpPort
  readonly store
  readonly dashboard
  private readonly timer
  private lastSeenMs = 0

  constructor(private readonly parts: Parts) {
    const { store, receiver, dashboard, config } = parts
    this.store = store
    this.dashboard = dashboard
    this.grpcPort = receiver.grpcPort
    this.httpPort = receiver.httpPort
    this.timer = setInterval(() => store.retain?.(config.storage), retentionMs)
    this.timer.unref()
  }

  counts(): ReceiverCounts {
    return this.parts.receiver.counts()
  }

  idleMs(): number {
    if (this.dashboard.watchers > 0) this.lastSeenMs = performance.now()
    return performance.now() - Math.max(this.lastSeenMs, this.parts.keeper.lastTakenMs)
  }

  place(): HubPlace {
    const { grpcPort, httpPort, dashboard, store, parts } = this
    return { host: parts.config.host, grpcPort, httpPort, url: dashboard.url, store: store.url }
  }

  async close(deadline: AbortSignal): Promise<void> {
    const { receiver, guard, feed } = this.parts
    clearInterval(this.timer)
    await receiver.close(deadline)
    await guard.close(deadline)
    await this.dashboard.close()
    feed.close()
    this.store.close()
  }
}
