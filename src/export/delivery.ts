/**
 * The durable delivery of one run's signal stream. Signals come in stream order and are counted by type; a count is
 * all that has to be kept between processes. Each destination and type has a lane of its own.
 */

import { describeError } from '../base/errors.ts'
import type { Config, ExporterKind } from '../config/config.ts'
import { signalTypes } from '../config/settings.ts'
import type { Attributes, Signal, SignalType } from '../telemetry/signal.ts'
import { type Exporter, exporters, type Outcome, type Payloads } from './exporter.ts'
import { Lane } from './lane.ts'
import { MetricSource, QueueSource, type Source } from './sources.ts'

/** By destination and type: the first N signals in the stream are settled, delivered or finally rejected. */
export type Acks = Readonly<Record<string, Readonly<Record<SignalType, number>>>>

export interface DeliveryCounts {
  readonly delivered: number
  /** Seen and not settled, whether held in memory or not. */
  readonly queued: number
  readonly rejected: number
}

export interface DestinationReport {
  readonly counts: Readonly<Record<SignalType, DeliveryCounts>>
  /** Why the last attempt failed, or what the server refused. */
  readonly lastError?: string
}

export interface DeliveryReport {
  /** Nothing that was seen is left to send anywhere. */
  readonly settled: boolean
  /** By a name that can be shown, such as `grpc http://localhost:4317`. */
  readonly destinations: Readonly<Record<string, DestinationReport>>
}

export interface Delivery {
  /** In stream order; what an acknowledgement already covers is skipped, what memory has no room for is left out. */
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
  readonly acks: Acks
  onAck(acks: Acks): void
  now?(): number
}

const typeOf = { span: 'traces', log: 'logs', metric: 'metrics' } as const satisfies Record<Signal['kind'], SignalType>

/** A lane and what feeds it. */
interface Track {
  readonly type: SignalType
  readonly destination: string
  readonly lane: Pick<Lane<unknown>, 'settled' | 'rejected' | 'lastError' | 'wake' | 'flush' | 'close'>
  readonly source: Pick<Source<unknown>, 'add'>
  close(): Promise<void>
}

/** Loads the SDK and opens the exporters in the background; sending begins with the first signals. */
export function startDelivery(options: DeliveryOptions): Delivery {
  const seen: Record<SignalType, number> = { traces: 0, logs: 0, metrics: 0 }
  const onSettled = () => options.onAck(mergeAcks(options.acks, tracks))
  const tracks = signalTypes.flatMap((type) =>
    options.config.signals[type].exporters.map((kind) => openTrack(type, kind, options, onSettled)),
  )
  const flush = async (deadline: AbortSignal) => {
    if (deadline.aborted) return
    await Promise.race([Promise.all(tracks.map(({ lane }) => lane.flush(deadline))), endOf(deadline)])
  }
  return {
    enqueue(signals) {
      for (const signal of signals) {
        const type = typeOf[signal.kind]
        const number = ++seen[type]
        for (const track of tracks) {
          if (track.type === type) track.source.add(signal, number <= track.lane.settled)
        }
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
  kind: ExporterKind,
  options: DeliveryOptions,
  onSettled: () => void,
): Track {
  const { config, acks, now = Date.now } = options
  const destination = exporters[kind].destination(type, config)
  const settled = acks[destination]?.[type] ?? 0
  const source: Source<Payloads[T]> = sources[type](options, settled)
  const exporter = openLazily(() => exporters[kind].open(type, config))
  const lane = new Lane({
    settled,
    delayMs: config.signals[type].batch.scheduleDelayMs,
    batchSize: config.signals[type].batch.maxBatchSize,
    source,
    send: async (payload, deadline) => {
      const opened = await exporter.get()
      return 'failure' in opened ? opened.failure : opened.exporter.send(payload, deadline)
    },
    onSettled,
    now,
  })
  const close = async () => {
    lane.close()
    const opened = await exporter.get()
    if ('exporter' in opened) opened.exporter.close()
  }
  return { type, destination, lane, source, close }
}

const loadSdk = () => import('../telemetry/provider.ts')

const sources: { readonly [T in SignalType]: (options: DeliveryOptions, settled: number) => Source<Payloads[T]> } = {
  traces({ config, resource }, settled) {
    const factory = loadSdk().then((sdk) => {
      const make = sdk.createSpanFactory(config, resource)
      return (signal: Signal) => (signal.kind === 'span' ? make(signal) : undefined)
    })
    return new QueueSource(settled, config.signals.traces.batch.maxQueueSize, factory)
  },
  logs({ config, resource }, settled) {
    const factory = loadSdk().then((sdk) => {
      const make = sdk.createLogFactory(config, resource)
      return (signal: Signal) => (signal.kind === 'log' ? make(signal) : undefined)
    })
    return new QueueSource(settled, config.signals.logs.batch.maxQueueSize, factory)
  },
  metrics({ config, resource, startUnixMicro }, settled) {
    return new MetricSource(
      settled,
      loadSdk().then((sdk) => sdk.createMetricState(config, resource, startUnixMicro)),
    )
  },
}

type Opened<T extends SignalType> = { readonly exporter: Exporter<T> } | { readonly failure: Outcome }

/** Opens at once; what cannot be opened now (a certificate that is not readable) is tried again with the next batch. */
function openLazily<T extends SignalType>(open: () => Promise<Exporter<T>>): { get(): Promise<Opened<T>> } {
  const attempt = (): Promise<Opened<T>> =>
    open().then(
      (exporter) => ({ exporter }),
      (error) => ({ failure: { status: 'retry', reason: describeError(error) } }),
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
  const merged: Record<string, Record<SignalType, number>> = structuredClone(before)
  for (const { destination, type, lane } of tracks) {
    merged[destination] = { ...(merged[destination] ?? { traces: 0, logs: 0, metrics: 0 }), [type]: lane.settled }
  }
  return merged
}

function makeReport(tracks: readonly Track[], seen: Readonly<Record<SignalType, number>>): DeliveryReport {
  const none: DeliveryCounts = { delivered: 0, queued: 0, rejected: 0 }
  const destinations: Record<string, DestinationReport> = {}
  for (const { destination, type, lane } of tracks) {
    const { settled, rejected, lastError } = lane
    const counts = { delivered: settled - rejected, queued: Math.max(0, seen[type] - settled), rejected }
    const known = destinations[destination] ?? { counts: { traces: none, logs: none, metrics: none } }
    const error = lastError === undefined ? {} : { lastError }
    destinations[destination] = { ...known, ...error, counts: { ...known.counts, [type]: counts } }
  }
  return { settled: tracks.every(({ type, lane }) => seen[type] <= lane.settled), destinations }
}

function endOf(deadline: AbortSignal): Promise<void> {
  if (deadline.aborted) return Promise.resolve()
  return new Promise((resolve) => deadline.addEventListener('abort', () => resolve(), { once: true }))
}
