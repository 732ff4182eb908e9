/** What `status --send` sends: one span, one log record, one measurement, which say that they are a test. */
import type { Config, Destination } from '../config/config.ts'
import type { LogEventName } from '../telemetry/attributes.ts'
import type { InstrumentName } from '../telemetry/metrics.ts'
import { createLogFactory, createMetricState, createSpanFactory, type SdkSettings } from '../telemetry/provider.ts'
import type { Attributes, LogSignal, SpanRef, SpanSignal } from '../telemetry/signal.ts'
import type { Payloads } from './exporter.ts'
import { settingsFor, teller } from './teller.ts'

/** Of the span, and the event of the log record. */
const testName = 'claude_otel.test' satisfies LogEventName
const testCounter = 'claude_otel.tests_total' satisfies InstrumentName

/** Of one moment, which the sampler does not leave out; `ref` is the span. As they are told to the destination. */
export async function createTestPayloads(
  config: Config,
  destination: Destination,
  resource: Attributes,
  ref: SpanRef,
  atUnixMicro: number,
): Promise<Payloads> {
  const settings = settingsFor(config, destination)
  const always: SdkSettings = { ...settings, sampler: { kind: 'always_on', parentBased: false, ratio: 1 } }
  const tell = await teller(config, destination)
  const span = tell.span(createSpanFactory(always, resource))(testSpan(ref, atUnixMicro))
  const log = tell.log(createLogFactory(always, resource))(testLog(ref, atUnixMicro))
  const state = createMetricState(always, resource, atUnixMicro - 1000)
  state.record({ kind: 'metric', instrument: testCounter, value: 1, timeUnixMicro: atUnixMicro, attributes: {} }, false)
  const metrics = await state.collect({ fromUnixMicro: atUnixMicro - 1000, toUnixMicro: atUnixMicro })
  return { traces: span === undefined ? [] : [span], logs: [log], metrics }
}

function testSpan(ref: SpanRef, atUnixMicro: number): SpanSignal {
  return {
    kind: 'span',
    ref,
    name: testName,
    spanKind: 'internal',
    startUnixMicro: atUnixMicro - 1000,
    endUnixMicro: atUnixMicro,
    attributes: {},
    events: [],
    links: [],
  }
}

function testLog(ref: SpanRef, atUnixMicro: number): LogSignal {
  return {
    kind: 'log',
    eventName: testName,
    body: 'A test of claude-otel.',
    severity: 'info',
    timeUnixMicro: atUnixMicro,
    ref,
    attributes: { 'event.name': testName },
  }
}
