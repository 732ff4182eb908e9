import { describe, expect, test } from 'bun:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { AggregationTemporality, DataPointType, type MetricData } from '@opentelemetry/sdk-metrics'
import { type Config, type Environment, resolveConfig } from '../../src/config/config.ts'
import { createLogFactory, createMetricState, createSpanFactory } from '../../src/telemetry/provider.ts'
import type { LogSignal, MetricSignal, SpanSignal } from '../../src/telemetry/signal.ts'
import { sampleRoot } from '../../src/telemetry/trace-context.ts'

const start = 1_800_000_000_123_456
const ref = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
const root: SpanSignal = {
  kind: 'span',
  ref,
  name: 'claude.session',
  spanKind: 'internal',
  startUnixMicro: start,
  endUnixMicro: start + 2_000_001,
  attributes: { turns: 2, files: ['a', 'b'], ok: true, text: 'x'.repeat(20) },
  events: [],
  links: [],
}
const config = (env: Environment = {}): Config => resolveConfig({ env: { HOME: '/nowhere', ...env } }).config
const spans = (env?: Environment) => createSpanFactory(config(env), { 'service.name': 'test' })

describe('a span', () => {
  test('has the ids, times, name, kind and attributes of its signal, to the microsecond', () => {
    const span = spans()({ ...root, spanKind: 'client' })
    expect(span?.spanContext()).toMatchObject(ref)
    expect(span?.parentSpanContext).toBeUndefined()
    expect(span?.startTime).toEqual([1_800_000_000, 123_456_000])
    expect(span?.endTime).toEqual([1_800_000_002, 123_457_000])
    expect(span?.name).toBe('claude.session')
    expect(span?.kind).toBe(SpanKind.CLIENT)
    expect(span?.attributes).toEqual(root.attributes as never)
    expect(span?.resource.attributes).toMatchObject({ 'service.name': 'test' })
    expect(span?.instrumentationScope.name).toBe('claude-otel')
    expect(span?.status.code).toBe(SpanStatusCode.UNSET)
  })

  test('is a child of its parent, and remembers that a parent came from elsewhere', () => {
    const make = spans()
    const parent = { ...ref, spanId: '00f067aa0ba902b7' }
    const child = make({ ...root, parent: { ...parent, isRemote: true, traceState: 'a=b' } })
    expect(child?.spanContext().spanId).toBe(ref.spanId)
    expect(child?.parentSpanContext).toMatchObject({ spanId: parent.spanId, isRemote: true })
    expect(child?.spanContext().traceState?.serialize()).toBe('a=b')
    expect(make({ ...root, parent })?.parentSpanContext?.isRemote).toBeFalsy()
  })

  test('has its links, events and error', () => {
    const link = { ref: { ...ref, spanId: '00f067aa0ba902b7' }, attributes: { why: 'resume' } }
    const event = { name: 'interrupted', timeUnixMicro: start + 5, attributes: { n: 1 } }
    const span = spans()({ ...root, links: [link], events: [event], error: { message: 'denied' } })
    expect(span?.links[0]?.context.spanId).toBe('00f067aa0ba902b7')
    expect(span?.links[0]?.attributes).toEqual({ why: 'resume' })
    expect(span?.events[0]).toMatchObject({
      name: 'interrupted',
      time: [1_800_000_000, 123_461_000],
      attributes: { n: 1 },
    })
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR, message: 'denied' })
  })

  test('that ends before it starts ends when it starts', () => {
    const span = spans()({ ...root, endUnixMicro: start - 1000 })
    expect(span?.endTime).toEqual(span?.startTime as never)
  })

  test('keeps to the limits and counts what it drops', () => {
    const limited = spans({
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '2',
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '3',
      OTEL_SPAN_EVENT_COUNT_LIMIT: '1',
      OTEL_SPAN_LINK_COUNT_LIMIT: '0',
      OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT: '1',
    })
    const event = { name: 'e', timeUnixMicro: start, attributes: { long: 'abcdef', b: 1 } }
    const signal = { ...root, attributes: { long: 'abcdef', b: 1, c: 1 }, events: [event, event] }
    const span = limited({ ...signal, links: [{ ref, attributes: {} }] })
    expect(span?.attributes).toEqual({ long: 'abc', b: 1 })
    expect(span?.droppedAttributesCount).toBe(1)
    expect(span?.events.map(({ attributes }) => attributes)).toEqual([{ long: 'abc' }])
    expect([span?.droppedEventsCount, span?.droppedLinksCount]).toEqual([1, 1])
  })

  test('takes nothing from the OTEL variables of the process', () => {
    process.env.OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT = '1'
    process.env.OTEL_TRACES_SAMPLER = 'always_off'
    try {
      expect(Object.keys(spans()(root)?.attributes ?? {})).toHaveLength(4)
    } finally {
      delete process.env.OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT
      delete process.env.OTEL_TRACES_SAMPLER
    }
  })
})

describe('sampling', () => {
  const ids = Array.from({ length: 400 }, () => crypto.randomUUID().replaceAll('-', ''))

  for (const sampler of [
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_off',
    'parentbased_traceidratio',
  ]) {
    test(`by ${sampler} decides on roots as the trace flags do that were given to claude before`, () => {
      const env = { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: '0.3' }
      const make = spans(env)
      const choice = config(env).sampler
      for (const traceId of ids) {
        const traceFlags = sampleRoot(choice, traceId)
        expect(make({ ...root, ref: { ...ref, traceId, traceFlags } }) !== undefined).toBe(traceFlags === 1)
      }
    })
  }

  test('by ratio keeps about that share', () => {
    const make = spans({ OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' })
    const kept = ids.filter((traceId) => make({ ...root, ref: { ...ref, traceId } }) !== undefined)
    expect(kept.length).toBeWithin(120, 280)
  })

  test('follows the parent where it is based on the parent', () => {
    const make = spans({ OTEL_TRACES_SAMPLER: 'parentbased_always_off' })
    const parent = { ...ref, spanId: '00f067aa0ba902b7' }
    expect(make({ ...root, parent })).toBeDefined()
    expect(make({ ...root, parent: { ...parent, traceFlags: 0 } })).toBeUndefined()
    expect(make(root)).toBeUndefined()
  })
})

describe('a log record', () => {
  const signal: LogSignal = {
    kind: 'log',
    eventName: 'claude.prompt',
    body: 'hello',
    severity: 'warn',
    timeUnixMicro: start,
    ref,
    attributes: { long: 'abcdef', b: 1, c: [] },
  }

  test('has its span, name, severity, body and time', () => {
    const record = createLogFactory(config(), { 'service.name': 'test' })(signal)
    expect(record.spanContext).toMatchObject(ref)
    expect(record).toMatchObject({
      eventName: 'claude.prompt',
      body: 'hello',
      severityNumber: 13,
      severityText: 'WARN',
    })
    expect(record.hrTime).toEqual([1_800_000_000, 123_456_000])
    expect(record.hrTimeObserved).toEqual(record.hrTime)
    expect(record.resource.attributes).toMatchObject({ 'service.name': 'test' })
  })

  test('keeps to its own limits', () => {
    const env = { OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT: '1', OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT: '2' }
    const record = createLogFactory(config(env), {})(signal)
    expect(record.attributes).toEqual({ long: 'ab' })
    expect(record.droppedAttributesCount).toBe(2)
  })
})

describe('metrics', () => {
  const turn = (at: number, value = 1): MetricSignal => ({
    kind: 'metric',
    instrument: 'claude.turns_total',
    value,
    timeUnixMicro: start + at,
    attributes: { outcome: 'ok' },
  })
  const tool = (value: number): MetricSignal => ({ ...turn(1, value), instrument: 'claude.tool_call_duration_ms' })
  const flight = (value: number): MetricSignal => ({ ...turn(1, value), instrument: 'claude.tools_in_flight' })

  const state = (env?: Environment) => createMetricState(config(env), {}, start)
  const collect = async (
    from: ReturnType<typeof state>,
    at: number,
    since = 0,
  ): Promise<Record<string, MetricData>> => {
    const { scopeMetrics } = await from.collect({ fromUnixMicro: start + since, toUnixMicro: start + at })
    return Object.fromEntries((scopeMetrics[0]?.metrics ?? []).map((metric) => [metric.descriptor.name, metric]))
  }
  const times = (metric: MetricData | undefined) => [metric?.dataPoints[0]?.startTime, metric?.dataPoints[0]?.endTime]
  const at = (micro: number) => [1_800_000_000, 123_456_000 + micro * 1000]

  test('are sums from the start of the run on, dated by the run', async () => {
    const metrics = state()
    metrics.record(turn(1), false)
    const first = (await collect(metrics, 1))['claude.turns_total']
    expect(first?.dataPoints[0]?.value).toBe(1)
    expect(times(first)).toEqual([at(0), at(1)] as never)
    metrics.record(turn(5, 2), false)
    const second = (await collect(metrics, 5))['claude.turns_total']
    expect(second?.dataPoints[0]?.value).toBe(3)
    expect(times(second)).toEqual([at(0), at(5)] as never)
    expect(second?.aggregationTemporality).toBe(AggregationTemporality.CUMULATIVE)
  })

  test('go on in another process with what the first has told', async () => {
    const metrics = state()
    metrics.record(turn(1), true)
    metrics.record(turn(2), false)
    expect((await collect(metrics, 2))['claude.turns_total']?.dataPoints[0]?.value).toBe(2)
  })

  test('as deltas have the interval they are told and leave out what was told; what runs stays a sum', async () => {
    const metrics = state({ OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' })
    metrics.record(turn(1), true)
    metrics.record(flight(1), true)
    metrics.record(turn(3), false)
    const first = await collect(metrics, 3, 1)
    expect(first['claude.turns_total']?.dataPoints[0]?.value).toBe(1)
    expect(times(first['claude.turns_total'])).toEqual([at(1), at(3)] as never)
    metrics.record(turn(7, 4), false)
    metrics.record(flight(1), false)
    const second = await collect(metrics, 7, 3)
    expect(second['claude.turns_total']?.dataPoints[0]?.value).toBe(4)
    expect(times(second['claude.turns_total'])).toEqual([at(3), at(7)] as never)
    expect(second['claude.tools_in_flight']?.dataPoints[0]?.value).toBe(2)
    expect(times(second['claude.tools_in_flight'])).toEqual([at(0), at(7)] as never)
  })

  test('have the units and the buckets of the table', async () => {
    const metrics = state()
    metrics.record(tool(700_000), false)
    const histogram = (await collect(metrics, 1))['claude.tool_call_duration_ms']
    if (histogram?.dataPointType !== DataPointType.HISTOGRAM) throw new Error('no histogram')
    expect(histogram.descriptor.unit).toBe('ms')
    const { boundaries, counts } = histogram.dataPoints[0]?.value.buckets ?? { boundaries: [], counts: [] }
    expect(boundaries.at(-1)).toBe(3_600_000)
    expect(counts[boundaries.indexOf(1_800_000)]).toBe(1)
  })

  test('have exponential histograms where they are asked for', async () => {
    const env = { OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'base2_exponential_bucket_histogram' }
    const metrics = state(env)
    metrics.record(tool(5), false)
    const { dataPointType } = (await collect(metrics, 1))['claude.tool_call_duration_ms'] ?? {}
    expect(dataPointType).toBe(DataPointType.EXPONENTIAL_HISTOGRAM)
  })
})
