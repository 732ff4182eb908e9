/**
 * The hub: a receiver of OTLP with a store behind it and a face. A sender has its answer when what it sent would survive our death;
 * usage is counted in the same transaction, and the dashboard hears of it then.
 */
import { Failure } from '../base/errors.ts'
import { type Log, noLog } from '../base/log.ts'
import type { HubConfig } from '../config/config.ts'
import { createFeed, type Feed } from '../dashboard/feed.ts'
import { type Dashboard, startDashboard } from '../dashboard/server.ts'
import { type Receiver, type ReceiverCounts, startReceiver, type Verdict } from '../receiver/receiver.ts'
import { openStore, type Store } from '../store/store.ts'
import type { OtlpBatch } from '../telemetry/otlp.ts'
import { receiverHealth } from './receiver-health.ts'
import { createUsageReader } from './usage-reader.ts'

export interface HubOptions {
  readonly config: HubConfig
  /** Told what a person should know, a line each: the store was damaged, the disk is full. */
  readonly notice?: (message: string) => void
  readonly log?: Log
}

export interface Hub {
  readonly grpcPort: number
  readonly httpPort: number
  readonly dashboard: Pick<Dashboard, 'port' | 'url'>
  readonly store: Store
  counts(): ReceiverCounts
  /** Takes nothing new, answers what is there within the deadline, and closes the store. */
  close(deadline: AbortSignal): Promise<void>
}

/** What is beyond the bounds goes now and then, in pieces that hold nobody up for long. */
const retentionMs = 600_000
const retryAfterMs = 5000
const loopback = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/

/**
 * Opens the store and the ports. Throws a Failure for a port that is taken, a store that cannot be opened, and an address that
 * others reach without a token; nothing is left open then.
 */
export async function startHub({ config, notice = () => {}, log = noLog }: HubOptions): Promise<Hub> {
  const { host, token, grpcPort, httpPort } = config
  if (!loopback.test(host) && token === undefined) {
    const mend =
      'set CLAUDE_OTEL_HUB_TOKEN, which senders show as `authorization: Bearer <token>`, or listen at 127.0.0.1'
    throw new Failure('config', `others can reach ${host}, and hub.token is not set`, mend)
  }
  if (config.store === '') throw new Failure('io', 'no home folder is known (HOME is not set)', 'name a store: --store')
  const store = await openStore(config.store, { notice })
  const feed = createFeed()
  const keeper = new Keeper(store, feed, notice)
  const shared = { host, ...(token === undefined ? {} : { token }) }
  let receiver: Receiver | undefined
  try {
    receiver = await startReceiver({ ...shared, grpcPort, httpPort, log, accept: (batch) => keeper.accept(batch) })
    const { counts } = receiver
    const health = () => [receiverHealth(counts())]
    const usage = createUsageReader(store)
    const dashboard = await startDashboard({ ...shared, port: config.port, store, usage, health, feed })
    return new RunningHub(store, receiver, dashboard, feed, config)
  } catch (error) {
    await receiver?.close(AbortSignal.abort())
    store.close()
    throw error
  }
}

/** Between receiver and store: what cannot be kept is asked for again, and told once until it can. */
class Keeper {
  private isFailing = false

  constructor(
    private readonly store: Store,
    private readonly feed: Feed,
    private readonly notice: (message: string) => void,
  ) {}

  async accept(batch: OtlpBatch): Promise<Verdict> {
    try {
      await this.store.append(batch)
      this.isFailing = false
      this.feed.publish(batch)
      return { rejected: 0 }
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      if (!this.isFailing) this.notice(`${error.message}; senders are asked to come again`)
      this.isFailing = true
      return { retryAfterMs }
    }
  }
}

class RunningHub implements Hub {
  readonly grpcPort
  readonly httpPort
  private readonly timer

  constructor(
    readonly store: Store,
    private readonly receiver: Receiver,
    readonly dashboard: Dashboard,
    private readonly feed: Feed,
    { storage }: HubConfig,
  ) {
    this.grpcPort = receiver.grpcPort
    this.httpPort = receiver.httpPort
    this.timer = setInterval(() => store.retain(storage), retentionMs)
    this.timer.unref()
  }

  counts(): ReceiverCounts {
    return this.receiver.counts()
  }

  async close(deadline: AbortSignal): Promise<void> {
    clearInterval(this.timer)
    await this.receiver.close(deadline)
    await this.dashboard.close()
    this.feed.close()
    this.store.close()
  }
}
