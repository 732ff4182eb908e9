/**
 * A sender that speaks OTLP by the OpenTelemetry SDK of JavaScript. It is configured by the SDK's own environment variables, sends
 * what expected.ts lists, and prints the ids of its spans. Its HTTP exporters are made of their parts, as their packages do.
 */
import { type Meter, ROOT_CONTEXT, SeverityNumber, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPExporterBase } from '@opentelemetry/otlp-exporter-base'
import { convertLegacyHttpOptions, createOtlpHttpExportDelegate } from '@opentelemetry/otlp-exporter-base/node-http'
import {
  type IExporterMetricsHelper,
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  LogsExporterMetricsHelper,
  MetricsExporterMetricsHelper,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
  TraceExporterMetricsHelper,
} from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider, type LogRecordExporter } from '@opentelemetry/sdk-logs'
import {
  AggregationTemporality,
  AggregationType,
  createAllowListAttributesProcessor,
  InstrumentType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base'
import { startUnixNano } from './expected.ts'

const { OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality } =
  process.env
const scope = ['foreign', '1.2.3'] as const
// Nanoseconds do not fit a number: seconds, and what is left.
const at = (nanoseconds: bigint): [number, number] => {
  const time = startUnixNano + nanoseconds
  return [Number(time / 1_000_000_000n), Number(time % 1_000_000_000n)]
}
const attributes = {
  ...{ 'session.id': 'foreign', text: 'grüße 👋', yes: true, int: 42, negative: -7, double: 1.5 },
  ...{ texts: ['a', 'b'], ints: [1, 2], doubles: [0.5, 2.5], bools: [true, false] },
}
// What the SDK takes of log records only.
const odd = { bytes: new Uint8Array([0xde, 0xad, 0xbe, 0xef]), map: { inner: { list: [1, 'two', null] } } }

const exporters = protocol === 'grpc' ? byGrpc() : byHttp()
const resource = resourceFromAttributes({ 'service.name': 'foreign', languages: ['js'] })
const tracers = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporters.spans)] })
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter: exporters.logs })],
})
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: exporters.metrics, exportIntervalMillis: 60_000 })],
  views: [
    {
      instrumentName: 'foreign.histogram',
      aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: [5, 50] } },
      attributesProcessors: [createAllowListAttributesProcessor(['by'])],
    },
    { instrumentName: 'foreign.exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } },
  ],
})

const tracer = tracers.getTracer(...scope)
const link = { traceId: '0102030405060708090a0b0c0d0e0f10', spanId: '0102030405060708', traceFlags: 0 }
const parent = tracer.startSpan('parent', {
  ...{ kind: SpanKind.SERVER, attributes, startTime: at(0n) },
  links: [{ context: link, attributes: { why: 'before' } }],
})
const within = trace.setSpan(ROOT_CONTEXT, parent)
const child = tracer.startSpan('child', { kind: SpanKind.CLIENT, startTime: at(0n) }, within)
child.end(at(1_000_000n))
parent.addEvent('happened', { ok: true }, at(1_000_000_000n)).setStatus({
  ...{ code: SpanStatusCode.ERROR, message: 'it broke' },
})
parent.end(at(2_000_000_000n))
measure(meters.getMeter(...scope))
loggers.getLogger(...scope).emit({
  ...{ timestamp: at(0n), observedTimestamp: at(1_000_000_000n), context: within, eventName: 'an.event' },
  ...{ severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: { words: 'something', count: 2 } },
  attributes: { ...attributes, ...odd },
})
for (const provider of [tracers, meters, loggers]) await provider.shutdown()
const { traceId, spanId } = parent.spanContext()
console.log(JSON.stringify({ traceId, parent: spanId, child: child.spanContext().spanId }))

interface Exporters {
  readonly spans: SpanExporter
  readonly metrics: PushMetricExporter
  readonly logs: LogRecordExporter
}

function byGrpc(): Exporters {
  return { spans: new OTLPTraceExporter(), metrics: new OTLPMetricExporter(), logs: new OTLPLogExporter() }
}

function byHttp(): Exporters {
  const isJson = protocol === 'http/json'
  const type = isJson ? 'application/json' : 'application/x-protobuf'
  const base = <I, R>(signal: string, serializer: ISerializer<I, R>, helper: IExporterMetricsHelper<I>) => {
    const options = convertLegacyHttpOptions({}, signal.toUpperCase(), `v1/${signal}`, { 'Content-Type': type })
    return new OTLPExporterBase(createOtlpHttpExportDelegate(options, serializer, signal, helper, undefined))
  }
  const metrics = base(
    'metrics',
    isJson ? JsonMetricsSerializer : ProtobufMetricsSerializer,
    MetricsExporterMetricsHelper,
  )
  const upDown = new Set([InstrumentType.UP_DOWN_COUNTER, InstrumentType.OBSERVABLE_UP_DOWN_COUNTER])
  const selectAggregationTemporality = (instrument: InstrumentType) =>
    temporality === 'delta' && !upDown.has(instrument)
      ? AggregationTemporality.DELTA
      : AggregationTemporality.CUMULATIVE
  return {
    spans: base('traces', isJson ? JsonTraceSerializer : ProtobufTraceSerializer, TraceExporterMetricsHelper),
    metrics: Object.assign(metrics, { selectAggregationTemporality }),
    logs: base('logs', isJson ? JsonLogsSerializer : ProtobufLogsSerializer, LogsExporterMetricsHelper),
  }
}

function measure(meter: Meter): void {
  meter.createCounter('foreign.counter', { unit: '1', description: 'counts' }).add(5, { by: 'a' })
  meter.createCounter('foreign.fraction').add(0.75)
  meter.createUpDownCounter('foreign.level').add(-2)
  meter.createGauge('foreign.gauge').record(1.5)
  meter.createObservableGauge('foreign.observed').addCallback((observer) => observer.observe(7))
  const histogram = meter.createHistogram('foreign.histogram', { unit: 'ms' })
  for (const value of [1, 20, 300]) histogram.record(value, { by: 'a', other: 'b' })
  const exponential = meter.createHistogram('foreign.exponential')
  for (const value of [0, 1, 2, 4]) exponential.record(value)
}
