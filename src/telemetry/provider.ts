/**
 * Signals into the official SDK's objects, ready for its exporters. Ids, times and order are the signals' own, so
 * that a replay by another process says the same again. Heavy to load: only delivery does it, by `import()`.
 */

import {
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  SeverityNumber,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { TraceState } from '@opentelemetry/core'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { LoggerProvider, type ReadableLogRecord } from '@opentelemetry/sdk-logs'
import {
  AggregationTemporality,
  AggregationType,
  InstrumentType,
  MeterProvider,
  type MetricData,
  MetricReader,
  type ResourceMetrics,
} from '@opentelemetry/sdk-metrics'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base'
import { version } from '../base/version.ts'
import { type Instrument, type InstrumentName, instruments } from './metrics.ts'
import type { Attributes, LogSignal, MetricSignal, Severity, SpanRef, SpanSignal } from './signal.ts'
import type { SamplerChoice } from './trace-context.ts'

/** The instrumentation scope of everything we emit. */
export const scope = { name: 'claude-otel', version } as const

/** `Infinity` where no limit is set. */
export interface AttributeLimits {
  readonly valueLength: number
  readonly count: number
}

/** What of the configuration the SDK is made from. */
export interface SdkSettings {
  readonly sampler: SamplerChoice
  readonly limits: {
    readonly span: AttributeLimits & {
      readonly events: number
      readonly links: number
      readonly eventAttributes: number
      readonly linkAttributes: number
    }
    readonly log: AttributeLimits
  }
  readonly metrics: {
    readonly temporality: 'cumulative' | 'delta' | 'lowmemory'
    readonly histogram: 'explicit_bucket_histogram' | 'base2_exponential_bucket_histogram'
  }
}

/** Makes a finished span of a signal; `undefined` where the sampler leaves it out. */
export function createSpanFactory(
  settings: SdkSettings,
  resource: Attributes,
): (signal: SpanSignal) => ReadableSpan | undefined {
  const { span: limits } = settings.limits
  let next: SpanRef
  let ended: ReadableSpan | undefined
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(mutable(resource)),
    sampler: samplerOf(settings.sampler),
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    generalLimits: { attributeValueLengthLimit: limits.valueLength, attributeCountLimit: limits.count },
    spanLimits: {
      attributeValueLengthLimit: limits.valueLength,
      attributeCountLimit: limits.count,
      eventCountLimit: limits.events,
      linkCountLimit: limits.links,
      attributePerEventCountLimit: limits.eventAttributes,
      attributePerLinkCountLimit: limits.linkAttributes,
    },
    spanProcessors: [
      {
        onStart: () => {},
        onEnd: (span) => {
          ended = span
        },
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  })
  const tracer = provider.getTracer(scope.name, scope.version)
  return (signal) => {
    next = signal.ref
    ended = undefined
    const span = tracer.startSpan(
      signal.name,
      {
        kind: signal.spanKind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL,
        startTime: hrTime(signal.startUnixMicro),
        attributes: mutable(signal.attributes),
        links: signal.links.map(({ ref, attributes }) => ({
          context: spanContext(ref),
          attributes: mutable(attributes),
        })),
      },
      signal.parent === undefined ? ROOT_CONTEXT : contextOf(signal.parent),
    )
    for (const event of signal.events) span.addEvent(event.name, mutable(event.attributes), hrTime(event.timeUnixMicro))
    if (signal.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, ...signal.error })
    span.end(hrTime(Math.max(signal.endUnixMicro, signal.startUnixMicro)))
    return ended
  }
}

function samplerOf({ kind, parentBased, ratio }: SamplerChoice): Sampler {
  const root = {
    always_on: () => new AlwaysOnSampler(),
    always_off: () => new AlwaysOffSampler(),
    traceidratio: () => new TraceIdRatioBasedSampler(ratio),
  }[kind]()
  return parentBased ? new ParentBasedSampler({ root }) : root
}

const severities: Record<Severity, SeverityNumber> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
}

/** Makes a log record of a signal; what happened was observed when it happened, however late it is read. */
export function createLogFactory(
  settings: SdkSettings,
  resource: Attributes,
): (signal: LogSignal) => ReadableLogRecord {
  let emitted: ReadableLogRecord | undefined
  const provider = new LoggerProvider({
    resource: resourceFromAttributes(mutable(resource)),
    logRecordLimits: {
      attributeCountLimit: settings.limits.log.count,
      attributeValueLengthLimit: settings.limits.log.valueLength,
    },
    processors: [
      {
        onEmit: (record) => {
          emitted = record
        },
        forceFlush: async () => {},
        shutdown: async () => {},
      },
    ],
  })
  const logger = provider.getLogger(scope.name, scope.version)
  return (signal) => {
    logger.emit({
      eventName: signal.eventName,
      body: signal.body,
      severityNumber: severities[signal.severity],
      severityText: signal.severity.toUpperCase(),
      timestamp: hrTime(signal.timeUnixMicro),
      observedTimestamp: hrTime(signal.timeUnixMicro),
      attributes: mutable(signal.attributes),
      context: contextOf(signal.ref),
    })
    if (emitted === undefined) throw new Error('the logger took no record')
    return emitted
  }
}

/** The run's sums and histograms. */
export interface MetricState {
  /** `isDelivered`: an earlier process has delivered it; what is sent as deltas then leaves it out. */
  record(signal: MetricSignal, isDelivered: boolean): void
  /**
   * What was recorded, told as of `toUnixMicro`. Cumulative points begin at the run's start; deltas begin at `fromUnixMicro`
   * and are told once, so that the caller has to send again what did not arrive.
   */
  collect(times: { readonly fromUnixMicro: number; readonly toUnixMicro: number }): Promise<ResourceMetrics>
}

export function createMetricState(settings: SdkSettings, resource: Attributes, startUnixMicro: number): MetricState {
  const reader = new PullReader(settings.metrics)
  const provider = new MeterProvider({ resource: resourceFromAttributes(mutable(resource)), readers: [reader] })
  const meter = provider.getMeter(scope.name, scope.version)
  const recorders = new Map<InstrumentName, (signal: MetricSignal) => void>()
  const recorder = (name: InstrumentName) => {
    const known = recorders.get(name) ?? createRecorder(meter, name)
    recorders.set(name, known)
    return known
  }
  return {
    record(signal, isDelivered) {
      const temporality = reader.selectAggregationTemporality(instrumentTypes[kindOf(signal)])
      if (!isDelivered || temporality === AggregationTemporality.CUMULATIVE) recorder(signal.instrument)(signal)
    },
    async collect({ fromUnixMicro, toUnixMicro }) {
      const { resourceMetrics } = await reader.collect()
      return withTimes(resourceMetrics, hrTime(startUnixMicro), hrTime(fromUnixMicro), hrTime(toUnixMicro))
    },
  }
}

type Meter = ReturnType<MeterProvider['getMeter']>

function kindOf(signal: MetricSignal): Instrument['kind'] {
  return instruments[signal.instrument].kind
}

const instrumentTypes = {
  counter: InstrumentType.COUNTER,
  upDownCounter: InstrumentType.UP_DOWN_COUNTER,
  histogram: InstrumentType.HISTOGRAM,
} as const satisfies Record<Instrument['kind'], InstrumentType>

function createRecorder(meter: Meter, name: InstrumentName): (signal: MetricSignal) => void {
  const { kind, unit, description, boundaries }: Instrument = instruments[name]
  if (kind === 'histogram') {
    const advice = boundaries === undefined ? {} : { advice: { explicitBucketBoundaries: [...boundaries] } }
    const histogram = meter.createHistogram(name, { unit, description, ...advice })
    return ({ value, attributes }) => histogram.record(value, mutable(attributes))
  }
  const options = { unit, description }
  const sum = kind === 'counter' ? meter.createCounter(name, options) : meter.createUpDownCounter(name, options)
  return ({ value, attributes }) => sum.add(value, mutable(attributes))
}

/** Collects when it is asked to, by the temporality and the histogram kind of the configuration. */
class PullReader extends MetricReader {
  constructor({ temporality, histogram }: SdkSettings['metrics']) {
    const isDelta = (type: InstrumentType) =>
      temporality !== 'cumulative' && (type === InstrumentType.COUNTER || type === InstrumentType.HISTOGRAM)
    const isExponential = histogram === 'base2_exponential_bucket_histogram'
    super({
      aggregationTemporalitySelector: (type) =>
        isDelta(type) ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
      aggregationSelector: (type) =>
        isExponential && type === InstrumentType.HISTOGRAM
          ? { type: AggregationType.EXPONENTIAL_HISTOGRAM }
          : { type: AggregationType.DEFAULT },
    })
  }
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** The SDK dates points by the clock of the process; ours are dated by the run. */
function withTimes(
  metrics: ResourceMetrics,
  runStart: HrTime,
  intervalStart: HrTime,
  endTime: HrTime,
): ResourceMetrics {
  const dated = (metric: MetricData): MetricData => {
    const startTime = metric.aggregationTemporality === AggregationTemporality.DELTA ? intervalStart : runStart
    const dataPoints = metric.dataPoints.map((point) => ({ ...point, startTime, endTime }))
    // Spreading keeps each variant of the union as it was, which the compiler cannot follow.
    return { ...metric, dataPoints } as MetricData
  }
  const scopeMetrics = metrics.scopeMetrics.map((each) => ({ ...each, metrics: each.metrics.map(dated) }))
  return { ...metrics, scopeMetrics }
}

function hrTime(unixMicro: number): HrTime {
  const seconds = Math.floor(unixMicro / 1e6)
  return [seconds, (unixMicro - seconds * 1e6) * 1000]
}

function contextOf(ref: SpanRef & { readonly isRemote?: boolean }): Context {
  return trace.setSpanContext(ROOT_CONTEXT, spanContext(ref))
}

function spanContext({
  traceId,
  spanId,
  traceFlags,
  traceState,
  isRemote,
}: SpanRef & { readonly isRemote?: boolean }): SpanContext {
  return {
    traceId,
    spanId,
    traceFlags,
    ...(traceState === undefined ? {} : { traceState: new TraceState(traceState) }),
    ...(isRemote === undefined ? {} : { isRemote }),
  }
}

/** The API's types ask for mutable arrays; the SDK copies what it keeps. */
function mutable(attributes: Attributes): Record<string, string | number | boolean | string[]> {
  return attributes as Record<string, string | number | boolean | string[]>
}
