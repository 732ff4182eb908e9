/**
 * The durable delivery of one run's signal stream. Signals come in stream order and are counted by type; a count is
 * all that has to be kept between processes. Each destination and type has a lane of its own.
 */

import { describeError } from '../base/errors.ts'
import type { Config, Destination } from '../config/config.ts'
import { signalTypes } from '../config/settings.ts'
import type { Attributes, LogSignal, MetricSignal, Signal, SignalType, SpanSignal } from '../telemetry/signal.ts'
import { type Acks, type Collection, type DestinationAcks, noAcks } from './acks.ts'
import { type Exporter, type Outcome, openExporter, type Payloads, unanswered } from './exporter.ts'
import { Lane } from './lane.ts'
import { MetricSource, QueueSource, type Source } from './sources.ts'
import { settingsFor, teller } from './teller.ts'
import { Window } from './window.ts'

export interface DeliveryCounts {
  readonly delivered: number
  /** Seen and not settled, whether held in memory or not. */
  readonly queued: number
  /** Finally refused: by the server, or because it could not be encoded. */
  readonly dropped: number
}

export interface DestinationReport {
  readonly counts: Readonly<Record<SignalType, DeliveryCounts>>
  /** Why the last attempt failed, or what the server refused. */
  readonly lastError?: string
  /** What a person can do about it, where that is known. */
  readonly hint?: string
}

export interface DeliveryReport {
  /** Nothing that was seen is left to send anywhere. */
  readonly settled: boolean
  /** By a name that can be shown: the user's own, or one such as `grpc http://localhost:4317`. */
  readonly destinations: Readonly<Record<string, DestinationReport>>
}

export interface Delivery {
  /** In stream order; what an acknowledgement already covers is skipped, what memory has no room for is replayed later. */
  enqueue(signals: readonly Signal[]): void
  /** Tries everything now, in batches, until done, failed once, or the deadline. Never rejects. */
  flush(deadline: AbortSignal): Promise<void>
  /** Last flush, metrics included; closes the exporters. Never rejects, returns when done or at the deadline. */
  close(deadline: AbortSignal): Promise<DeliveryReport>
  report(): DeliveryReport
}

export interface DeliveryOptions {
  readonly config: Config
  readonly resource: Attributes
  readonly startUnixMicro: number
  /** Undefined: something was settled before, and nobody knows how much. */
  readonly acks: Acks | undefined
  /** Keeps them, or throws. */
  onAck(acks: Acks): void
  /** The stream from its beginning, at least as far as it was enqueued; may be read in several places at a time. */
  replay(): Iterable<Signal>
  now?(): number
}

const typeOf = { span: 'traces', log: 'logs', metric: 'metrics' } as const satisfies Record<Signal['kind'], SignalType>

/** A lane and what feeds it. */
interface Track {
  readonly type: SignalType
  readonly destination: string
  readonly lane: Pick<Lane<unknown>, 'settled' | 'dropped' | 'lastError' | 'hint' | 'wake' | 'flush' | 'close'>
  readonly source: Pick<Source<unknown>, 'add'>
  /** Of metrics: the export that was begun last. */
  collection: Collection | undefined
  close(): Promise<void>
}

/** Loads the SDK and opens the exporters in the background; sending begins with the first signals. */
export function startDelivery(options: DeliveryOptions): Delivery {
  const seen: Record<SignalType, number> = { traces: 0, logs: 0, metrics: 0 }
  const keep = () => options.onAck(mergeAcks(options.acks ?? {}, tracks))
  const tracks: readonly Track[] = signalTypes.flatMap((type) =>
    options.config.signals[type].destinations.map((destination) => openTrack(type, destination, options, keep)),
  )
  const flush = async (deadline: AbortSignal) => {
    if (deadline.aborted) return
    await Promise.race([Promise.all(tracks.map(({ lane }) => lane.flush(deadline))), endOf(deadline)])
  }
  return {
    enqueue(signals) {
      for (const signal of signals) {
        const type = typeOf[signal.kind]
        seen[type]++
        for (const track of tracks) if (track.type === type) track.source.add(signal)
      }
      for (const { lane } of tracks) lane.wake()
    },
    flush,
    async close(deadline) {
      await flush(deadline)
      await Promise.race([Promise.all(tracks.map((track) => track.close())), endOf(deadline)])
      return makeReport(tracks, seen)
    },
    report: () => makeReport(tracks, seen),
  }
}

function openTrack<T extends SignalType>(
  type: T,
  destination: Destination,
  options: DeliveryOptions,
  keep: () => void,
): Track {
  const { config, acks, now = performance.now.bind(performance) } = options
  const { batch } = config.signals[type]
  const settled = acks?.[destination.name]?.[type] ?? 0
  const begin = (collection: Collection) => {
    track.collection = collection
    keep()
  }
  const source: Source<Payloads[T]> = sources[type]({ ...options, destination, settled, begin })
  const exporter = openLazily(() => openExporter(type, destination, batch))
  const lane = new Lane({
    settled,
    delayMs: destination.delayMs ?? batch.scheduleDelayMs,
    batchSize: batch.maxBatchSize,
    source,
    send: async (payload, deadline) => {
      const opened = await exporter.get()
      return 'failure' in opened ? opened.failure : opened.exporter.send(payload, deadline)
    },
    onSettled: keep,
    now,
  })
  const close = async () => {
    lane.close()
    source.close()
    const opened = await exporter.get()
    if ('exporter' in opened) opened.exporter.close()
  }
  const track: Track = {
    type,
    destination: destination.name,
    lane,
    source,
    collection: collectionOf(options, destination),
    close,
  }
  return track
}

function collectionOf({ acks }: DeliveryOptions, { name }: Destination): Collection | undefined {
  return acks?.[name]?.collection
}

const loadSdk = () => import('../telemetry/provider.ts')

interface SourceOptions extends DeliveryOptions {
  readonly destination: Destination
  readonly settled: number
  begin(collection: Collection): void
}

/** Measurements that are held while the SDK loads or an export is collected; they are summed up at once otherwise. */
const metricRoom = 2048

const sources: { readonly [T in SignalType]: (options: SourceOptions) => Source<Payloads[T]> } = {
  traces({ config, resource, settled, replay, destination }) {
    const window = new Window<SpanSignal>(settled, config.signals.traces.batch.maxQueueSize, 'span', replay)
    const factory = async () => {
      const [sdk, tell] = await Promise.all([loadSdk(), teller(config, destination)])
      return tell.span(sdk.createSpanFactory(config, resource))
    }
    return new QueueSource(window, factory())
  },
  logs({ config, resource, settled, replay, destination }) {
    const window = new Window<LogSignal>(settled, config.signals.logs.batch.maxQueueSize, 'log', replay)
    const factory = async () => {
      const [sdk, tell] = await Promise.all([loadSdk(), teller(config, destination)])
      return tell.log(sdk.createLogFactory(config, resource))
    }
    return new QueueSource(window, factory())
  },
  metrics(options) {
    const { resource, startUnixMicro, settled, acks, destination, replay, begin } = options
    const settings = settingsFor(options.config, destination)
    const isKnown = acks !== undefined || settings.metrics.temporality === 'cumulative'
    return new MetricSource({
      window: new Window<MetricSignal>(0, metricRoom, 'metric', replay),
      state: loadSdk().then((sdk) => sdk.createMetricState(settings, resource, startUnixMicro)),
      settled: isKnown ? settled : undefined,
      last: collectionOf(options, destination),
      startUnixMicro,
      begin,
    })
  },
}

type Opened<T extends SignalType> = { readonly exporter: Exporter<T> } | { readonly failure: Outcome }

/** Opens at once; what cannot be opened now (a certificate that is not readable) is tried again with the next batch. */
function openLazily<T extends SignalType>(open: () => Promise<Exporter<T>>): { get(): Promise<Opened<T>> } {
  const attempt = (): Promise<Opened<T>> =>
    open().then(
      (exporter) => ({ exporter }),
      (error) => ({ failure: unanswered(describeError(error)) }),
    )
  let opening = attempt()
  return {
    async get() {
      const opened = await opening
      if ('failure' in opened) opening = attempt()
      return opened
    },
  }
}

/** What is known of destinations that are not in use now is kept. */
function mergeAcks(before: Acks, tracks: readonly Track[]): Acks {
  const merged: Record<string, DestinationAcks> = { ...before }
  for (const { destination, type, lane, collection } of tracks) {
    const known = merged[destination] ?? noAcks
    merged[destination] = { ...known, [type]: lane.settled, ...(collection === undefined ? {} : { collection }) }
  }
  return merged
}

function makeReport(tracks: readonly Track[], seen: Readonly<Record<SignalType, number>>): DeliveryReport {
  const none: DeliveryCounts = { delivered: 0, queued: 0, dropped: 0 }
  const destinations: Record<string, DestinationReport> = {}
  for (const { destination, type, lane } of tracks) {
    const { settled, dropped, lastError, hint } = lane
    const counts = { delivered: settled - dropped, queued: Math.max(0, seen[type] - settled), dropped }
    const known = destinations[destination] ?? { counts: { traces: none, logs: none, metrics: none } }
    const trouble = lastError === undefined ? {} : { lastError, ...(hint === undefined ? {} : { hint }) }
    destinations[destination] = { ...known, ...trouble, counts: { ...known.counts, [type]: counts } }
  }
  return { settled: tracks.every(({ type, lane }) => seen[type] <= lane.settled), destinations }
}

function endOf(deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return Promise.resolve()
  return new Promise((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }))
}
