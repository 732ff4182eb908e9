/** Clients that nobody wrote for this receiver: the OpenTelemetry SDK with its own exporters, and the exporters of the wrapper. */
import { afterEach, describe, expect, test } from 'bun:test'
import { credentials } from '@grpc/grpc-js'
import { SeverityNumber } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { Protocol } from '../../src/config/config.ts'
import { type Outcome, openExporter } from '../../src/export/exporter.ts'
import { createLogFactory, createMetricState, createSpanFactory } from '../../src/telemetry/provider.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { configOf, log, metric, otlpOf, span, start } from '../export/signals.ts'
import { openReceiver, type TestReceiver } from './kit.ts'

const opened: TestReceiver[] = []
afterEach(async () => {
  for (const receiver of opened.splice(0)) await receiver.stop()
})

async function open(options: Parameters<typeof openReceiver>[0] = {}): Promise<TestReceiver> {
  const receiver = await openReceiver(options)
  opened.push(receiver)
  return receiver
}

describe.each([CompressionAlgorithm.NONE, CompressionAlgorithm.GZIP])('The SDK by gRPC (%p)', (compression) => {
  const options = ({ grpc }: TestReceiver) => ({ url: grpc, credentials: credentials.createInsecure(), compression })
  const resource = resourceFromAttributes({ 'service.name': 'sdk' })

  test('sends spans', async () => {
    const receiver = await open()
    const spanProcessors = [new SimpleSpanProcessor(new OTLPTraceExporter(options(receiver)))]
    const provider = new BasicTracerProvider({ resource, spanProcessors })
    const sent = provider
      .getTracer('tracer', '1')
      .startSpan('work', { kind: 2, attributes: { n: 1, list: ['a', 'b'] } })
    sent.addEvent('done', { ok: true }).setStatus({ code: 2, message: 'late' }).end()
    await provider.shutdown()
    expect(receiver.batches).toMatchObject([
      {
        signal: 'traces',
        spans: [
          {
            source: { resource: { 'service.name': 'sdk' }, scopeName: 'tracer', scopeVersion: '1' },
            ...{ traceId: sent.spanContext().traceId, spanId: sent.spanContext().spanId, name: 'work', kind: 3 },
            ...{ attributes: { n: 1, list: ['a', 'b'] }, events: [{ name: 'done', attributes: { ok: true } }] },
            ...{ statusCode: 2, statusMessage: 'late' },
          },
        ],
      },
    ])
  })

  test('sends log records', async () => {
    const receiver = await open()
    const processors = [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(options(receiver)) })]
    const provider = new LoggerProvider({ resource, processors })
    const body = { deep: [1, 'two', { three: null }], bytes: new Uint8Array([1, 2]) }
    provider.getLogger('logger').emit({ eventName: 'an.event', severityNumber: SeverityNumber.WARN, body })
    await provider.shutdown()
    expect(receiver.batches).toMatchObject([
      {
        signal: 'logs',
        logs: [
          {
            ...{ eventName: 'an.event', severityNumber: 13 },
            body: { deep: [1, 'two', { three: null }], bytes: 'AQI=' },
          },
        ],
      },
    ])
  })

  test('sends points of every type it has', async () => {
    const receiver = await open()
    const exporter = new OTLPMetricExporter(options(receiver))
    const provider = new MeterProvider({
      resource,
      readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
      views: [{ instrumentName: 'exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    })
    const meter = provider.getMeter('meter')
    meter.createCounter('counter', { unit: '1', description: 'counts' }).add(5, { by: 'a' })
    meter.createUpDownCounter('level').add(-2)
    meter.createGauge('gauge').record(1.5)
    for (const name of ['histogram', 'exponential'])
      for (const value of [1, 20]) meter.createHistogram(name).record(value)
    await provider.shutdown()
    const cumulative = { temporality: 'cumulative' }
    const histogram = { ...cumulative, count: 2, sum: 21, min: 1, max: 20 }
    const [batch] = receiver.batches
    const points = batch?.signal === 'metrics' ? batch.points : []
    expect(Object.fromEntries(points.map((point) => [point.name, point]))).toMatchObject({
      counter: { ...cumulative, type: 'sum', unit: '1', value: 5, isMonotonic: true, attributes: { by: 'a' } },
      level: { ...cumulative, type: 'sum', value: -2, isMonotonic: false },
      gauge: { type: 'gauge', value: 1.5 },
      histogram: { ...histogram, type: 'histogram' },
      exponential: { ...histogram, type: 'exponential_histogram', zeroCount: 0 },
    })
    const exponential = points.find(({ type }) => type === 'exponential_histogram')
    expect(exponential?.type === 'exponential_histogram' && sum(exponential.positive.bucketCounts)).toBe(2)
  })
})

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

const protocols: readonly Protocol[] = ['grpc', 'http/protobuf', 'http/json']

describe.each(protocols)('Our own exporters by %s', (protocol) => {
  const never = new AbortController().signal

  async function send(type: SignalType, receiver: TestReceiver, env: Record<string, string> = {}): Promise<Outcome> {
    const config = configOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: protocol === 'grpc' ? receiver.grpc : receiver.http,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      ...env,
    })
    const state = createMetricState(config, config.resource, start)
    state.record(metric(), false)
    const finished = createSpanFactory(config, config.resource)(span())
    if (finished === undefined) throw new Error('not sampled')
    const payloads = {
      traces: [finished],
      logs: [createLogFactory(config, config.resource)(log())],
      metrics: await state.collect({ fromUnixMicro: start, toUnixMicro: start + 1 }),
    }
    const exporter = await openExporter(type, otlpOf(config, type), config.signals[type].batch)
    try {
      return await exporter.send(payloads[type], never)
    } finally {
      exporter.close()
    }
  }

  test.each(['none', 'gzip'])('are understood (%s)', async (compression) => {
    const receiver = await open()
    for (const type of ['traces', 'logs', 'metrics'] as const) {
      const outcome = await send(type, receiver, { OTEL_EXPORTER_OTLP_COMPRESSION: compression })
      expect(outcome).toEqual({ status: 'accepted' })
    }
    expect(receiver.batches).toMatchObject([
      { signal: 'traces', spans: [{ name: 'span 0', startUnixMicro: start, attributes: { number: 0 } }] },
      { signal: 'logs', logs: [{ eventName: 'claude.event', body: 'log 0', timeUnixMicro: start }] },
      { signal: 'metrics', points: [{ name: 'claude.turns_total', value: 1, attributes: { outcome: 'ok' } }] },
    ])
  })

  test('hear when to come again, what was not taken, what is too large, and who they are not', async () => {
    const busy = await open()
    busy.verdict = async () => ({ retryAfterMs: 3000 })
    expect(await send('logs', busy)).toMatchObject({ status: 'retry', afterMs: 3000 })
    busy.verdict = async () => ({ rejected: 1, message: 'too old' })
    expect(await send('logs', busy)).toEqual({ status: 'accepted', lost: 1, reason: 'too old' })
    const small = await open({ limits: { requestBytes: 100 } })
    expect(await send('logs', small)).toMatchObject({ status: 'rejected', tooLarge: true })
    const closed = await open({ token: 'right' })
    expect(await send('logs', closed)).toMatchObject({ status: 'held' })
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20right' }
    expect(await send('logs', closed, headers)).toEqual({ status: 'accepted' })
  })
})
