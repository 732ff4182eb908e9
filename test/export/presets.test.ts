/** Signals on their way to products: each is held to its documents by a receiver of its own, and no other destination gets what is meant for it. */
import { afterEach, describe, expect, test } from 'bun:test'
import type { Config, Environment } from '../../src/config/config.ts'
import { type PresetName, presetNames, presets } from '../../src/config/presets.ts'
import type { Acks } from '../../src/export/acks.ts'
import { startDelivery } from '../../src/export/delivery.ts'
import { type Probe, probeDestinations } from '../../src/export/probe.ts'
import { createTestPayloads } from '../../src/export/test-signals.ts'
import type { Signal, SignalType } from '../../src/telemetry/signal.ts'
import { type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'
import { credentials, type Product, startProduct } from '../kit/products.ts'
import { until } from '../kit/until.ts'
import { configOf, each, log, metric, span, start } from './signals.ts'

const open: { stop(): void }[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.stop()
})

function product(name: PresetName): Product {
  const started = startProduct(name)
  open.push(started)
  return started
}

async function collector(): Promise<OtlpSink> {
  const sink = await startOtlpSink()
  open.push({ stop: () => void sink.close() })
  return sink
}

const alone: Environment = { CLAUDE_OTEL_HUB: 'off' }

async function deliver(config: Config, signals: readonly Signal[], known: Acks | 'unknown' = {}) {
  const acks = known === 'unknown' ? undefined : known
  const resource = { 'service.name': 'claude-code' }
  const options = { config, resource, startUnixMicro: start, acks, onAck() {}, replay: () => signals }
  const delivery = startDelivery(options)
  delivery.enqueue(signals)
  return await delivery.close(AbortSignal.timeout(10_000))
}

const chat = span(1, {
  name: 'chat m',
  attributes: { 'gen_ai.operation.name': 'chat', 'gen_ai.response.model': 'm', 'gen_ai.usage.input_tokens': 5 },
})
const turn = span(2, {
  name: 'invoke_agent claude-code',
  attributes: { 'gen_ai.operation.name': 'invoke_agent', 'prompt.preview': 'Hello', 'gen_ai.usage.input_tokens': 5 },
})
const signals = [chat, turn, log(), metric()]

describe('what is sent to a product', () => {
  test.each(presetNames)('is taken, of the kinds of signals that it takes: %s', async (name) => {
    const receiver = product(name)
    const { settled, destinations } = await deliver(configOf({ ...alone, ...receiver.environment }), signals)
    expect(receiver.refused).toEqual([])
    expect(settled).toBe(true)
    const takes: readonly SignalType[] = presets[name].signals
    expect(receiver.accepted.map(({ signal }) => signal).sort()).toEqual([...takes].sort())
    expect(destinations[name]?.counts.traces).toEqual({ delivered: 2, queued: 0, dropped: 0 })
    expect(receiver.spans().map((each) => each.name)).toEqual(['chat m', 'invoke_agent claude-code'])
  })

  test('goes to all at once, and beside them to a collector, which gets nothing of what is meant for one of them', async () => {
    const receivers = presetNames.map(product)
    const sink = await collector()
    const config = configOf(Object.assign({}, ...receivers.map(({ environment }) => environment), sink.environment()))
    const { settled } = await deliver(config, signals)
    expect(settled).toBe(true)
    expect(receivers.flatMap(({ refused }) => refused)).toEqual([])
    expect(sink.spans().map(({ attributes }) => attributes)).toEqual([chat.attributes, turn.attributes])
    expect(sink.logs().map(({ attributes }) => attributes)).toEqual([{ number: 0 }])
    expect(sink.points().map(({ temporality }) => temporality)).toEqual([2])
    for (const receiver of receivers) {
      const foreign = receivers.filter((other) => other !== receiver).map(({ name }) => credentials[name])
      const headers = JSON.stringify(receiver.accepted.map((taken) => [...taken.headers]))
      expect(foreign.filter((credential) => headers.includes(credential))).toEqual([])
      const names = receiver.spans().flatMap(({ attributes }) => Object.keys(attributes))
      const others = ['logfire', 'sentry', 'langfuse', 'braintrust'].filter((other) => other !== receiver.name)
      expect(names.filter((name) => others.some((other) => name.startsWith(`${other}.`)))).toEqual([])
    }
  })

  test('is packed by gzip where the settings say so', async () => {
    const receiver = product('grafana')
    await deliver(configOf({ ...alone, ...receiver.environment, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }), signals)
    expect(receiver.refused).toEqual([])
    expect(receiver.accepted.map(({ headers }) => headers.get('content-encoding'))).toEqual(['gzip', 'gzip', 'gzip'])
  })

  test('of metrics is deltas for Datadog, and as the settings say for others', async () => {
    const [datadog, honeycomb] = [product('datadog'), product('honeycomb')]
    await deliver(configOf({ ...alone, ...datadog.environment, ...honeycomb.environment }), signals)
    const kinds = ({ accepted }: Product) =>
      accepted.flatMap(({ points }) => points.map((point) => (point.type === 'sum' ? point.temporality : '')))
    expect([kinds(datadog), kinds(honeycomb)]).toEqual([['delta'], ['cumulative']])
  })

  test('of spans is Sentry’s share of sessions, whole ones; of log records it is all', async () => {
    const sentry = product('sentry')
    const sink = await collector()
    const traces = each(200, (number) => (number * 0x1234567).toString(16).padStart(32, '7'))
    const spans = traces.flatMap((traceId) =>
      [1, 2].map((number) => span(number, { ref: { traceId, spanId: `000000000000000${number}`, traceFlags: 1 } })),
    )
    const env = { ...sentry.environment, ...sink.environment(), SENTRY_TRACES_SAMPLE_RATE: '0.3' }
    const { settled } = await deliver(configOf(env), [...spans, log()])
    expect(settled).toBe(true)
    const told = Map.groupBy(sentry.spans(), ({ traceId }) => traceId)
    expect(told.size).toBeGreaterThan(20)
    expect(told.size).toBeLessThan(120)
    expect([...told.values()].every((both) => both.length === 2)).toBe(true)
    expect(sentry.accepted.flatMap(({ logs }) => logs)).toHaveLength(1)
    expect(sink.spans()).toHaveLength(400)
  })
})

describe('a destination', () => {
  test('has its own rule of content in what is told anew, and its environment on log records', async () => {
    const [logfire, sentry] = [product('logfire'), product('sentry')]
    const list = [{ preset: 'logfire', previewLength: 0 }, { preset: 'sentry' }]
    const env = { ...logfire.environment, ...sentry.environment, SENTRY_ENVIRONMENT: 'dev' }
    await deliver(configOf({ ...env, CLAUDE_OTEL_DESTINATIONS: JSON.stringify(list) }), signals)
    expect([...logfire.refused, ...sentry.refused]).toEqual([])
    const agent = ({ accepted }: Product) => JSON.stringify(accepted.flatMap(({ spans }) => spans))
    expect(agent(logfire)).not.toContain('Hello')
    expect(agent(sentry)).toContain('Hello')
    const logs = sentry.accepted.flatMap((taken) => taken.logs)
    expect(logs.map(({ attributes }) => attributes['sentry.environment'])).toEqual(['dev'])
  })

  test('is told as soon as it says itself, whatever the settings say', async () => {
    const sink = await collector()
    const config = configOf({ ...sink.environment(), OTEL_BSP_SCHEDULE_DELAY: '600000' })
    const { traces } = config.signals
    const soon = { ...traces, destinations: traces.destinations.map((each) => ({ ...each, delayMs: 10 })) }
    const delivery = startDelivery({
      config: { ...config, signals: { ...config.signals, traces: soon } },
      resource: {},
      startUnixMicro: start,
      acks: {},
      onAck() {},
      replay: () => [chat],
    })
    delivery.enqueue([chat])
    await until('the span', () => sink.spans().length === 1)
    await delivery.close(AbortSignal.timeout(1000))
  })

  test('that takes deltas alone gets none where nobody knows what it had; one that takes sums gets them', async () => {
    const [datadog, honeycomb] = [product('datadog'), product('honeycomb')]
    const config = configOf({ ...alone, ...datadog.environment, ...honeycomb.environment })
    const { destinations } = await deliver(config, [metric()], 'unknown')
    expect(destinations.datadog?.counts.metrics).toEqual({ delivered: 0, queued: 0, dropped: 1 })
    expect(destinations.honeycomb?.counts.metrics).toEqual({ delivered: 1, queued: 0, dropped: 0 })
    expect([datadog.accepted.length, honeycomb.accepted.length]).toEqual([0, 1])
  })
})

describe('a product that is tried out', () => {
  const tryOut = async (env: Environment, payloads = false): Promise<Probe[]> => {
    const config = configOf({ ...alone, ...env })
    const ref = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
    return await probeDestinations(config, {
      timeoutMs: 5000,
      ...(payloads
        ? { payloads: (destination) => createTestPayloads(config, destination, { 'service.name': 't' }, ref, start) }
        : {}),
    })
  }

  test.each(presetNames)('takes an empty request and a test: %s', async (name) => {
    const receiver = product(name)
    for (const withPayloads of [false, true]) {
      const probes = await tryOut(receiver.environment, withPayloads)
      expect(receiver.refused).toEqual([])
      expect(probes.map(({ destination, status }) => `${destination} ${status}`)).toEqual(
        presets[name].signals.map(() => `${name} accepted`),
      )
    }
    expect(receiver.spans().map((each) => each.name)).toEqual(['claude_otel.test'])
  })

  test.each(presetNames)('that does not know the credential names its variable: %s', async (name) => {
    const receiver = product(name)
    const wrong = Object.entries(receiver.environment).map(([variable, value]) => [
      variable,
      value.replace(credentials[name], credentials[name].toLowerCase().replace(/\d$/, '9')),
    ])
    const [probe] = await tryOut(Object.fromEntries(wrong))
    expect(probe).toMatchObject({ destination: name, status: 'held' })
    expect(probe?.reason).toStartWith('HTTP 401')
    expect(probe?.hint).toContain(presets[name].needs[0][0])
    expect(JSON.stringify(probe)).not.toContain(credentials[name])
  })
})
