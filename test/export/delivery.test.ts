import { afterEach, describe, expect, test } from 'bun:test'
import type { Protocol } from '../../src/config/config.ts'
import type { Acks } from '../../src/export/acks.ts'
import { type Delivery, type DeliveryReport, startDelivery } from '../../src/export/delivery.ts'
import type { Signal, SignalType } from '../../src/telemetry/signal.ts'
import { type Collector, freePort, type Received, startCollector } from './collectors.ts'
import { configOf, each, log, metric, span, start } from './signals.ts'

let open: { stop(): void }[] = []
afterEach(() => {
  for (const each of open) each.stop()
  open = []
})

async function collect(protocol: Protocol = 'http/json', port?: number): Promise<Collector> {
  const collector = await startCollector(protocol, port)
  open.push(collector)
  return collector
}

interface Started {
  readonly delivery: Delivery
  acks(): Acks
}

function deliver(
  url: string,
  env: Record<string, string> = {},
  acks: Acks | 'lost' = {},
  onReplay?: () => void,
  onAck?: (acks: Acks) => void,
): Started {
  let last = acks === 'lost' ? {} : acks
  const stream: Signal[] = []
  const config = configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', ...env })
  const delivery = startDelivery({
    config,
    resource: config.resource,
    startUnixMicro: start,
    acks: acks === 'lost' ? undefined : acks,
    onAck: (next) => {
      onAck?.(next)
      last = next
    },
    replay: () => {
      onReplay?.()
      return stream
    },
  })
  const enqueue = (signals: readonly Signal[]) => {
    stream.push(...signals)
    delivery.enqueue(signals)
  }
  open.push({ stop: () => void delivery.close(AbortSignal.abort()) })
  return { delivery: { ...delivery, enqueue }, acks: () => last }
}

const soon = () => AbortSignal.timeout(2000)

function only(report: DeliveryReport) {
  const [destination] = Object.values(report.destinations)
  if (destination === undefined) throw new Error('no destination')
  return destination
}

function json(received: Received) {
  return JSON.parse(Buffer.from(received.body).toString())
}

/** Names of spans, bodies of logs, in the order in which they came in. */
function contents(collector: Collector, type: SignalType): string[] {
  const requests = collector.received.filter((each) => each.type === type).map(json)
  if (type === 'traces') {
    return requests.flatMap((each) =>
      each.resourceSpans[0].scopeSpans[0].spans.map(({ name }: { name: string }) => name),
    )
  }
  const records = requests.flatMap((each) => each.resourceLogs[0].scopeLogs[0].logRecords)
  return records.map(({ body }: { body: { stringValue: string } }) => body.stringValue)
}

function sums(collector: Collector): number[] {
  const requests = collector.received.filter(({ type }) => type === 'metrics').map(json)
  return requests.map((each) => each.resourceMetrics[0].scopeMetrics[0].metrics[0].sum.dataPoints[0].asDouble)
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 5000
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not happen')
    await Bun.sleep(5)
  }
}

const mixed: Signal[] = [span(0), log(0), metric(0), span(1), metric(1), log(1), span(2)]

describe('several destinations', () => {
  const named = (collector: Collector, name: string, more: object = {}) => ({ name, endpoint: collector.url, ...more })
  const several = (list: readonly object[], acks: Acks = {}) =>
    deliver('', { CLAUDE_OTEL_DESTINATIONS: JSON.stringify(list), OTEL_BLRP_SCHEDULE_DELAY: '0' }, acks)

  test('get everything, each by its own protocol, with its own headers, and its own kinds of signals', async () => {
    const [one, two] = [await collect(), await collect('grpc')]
    const { delivery, acks } = several([
      named(one, 'one', { headers: 'x-key=1' }),
      named(two, 'two', { protocol: 'grpc', headers: { 'x-key': '2' }, signals: ['traces', 'metrics'] }),
    ])
    delivery.enqueue(mixed)
    const report = await delivery.close(soon())
    expect(report.settled).toBe(true)
    expect([one, two].map(({ received }) => received.map(({ type }) => type).sort())).toEqual([
      ['logs', 'metrics', 'traces'],
      ['metrics', 'traces'],
    ])
    for (const { headers } of one.received) expect(headers['x-key']).toBe('1')
    for (const { headers } of two.received) expect(headers['x-key']).toBe('2')
    expect(acks()).toMatchObject({
      one: { traces: 3, logs: 2, metrics: 2 },
      two: { traces: 3, logs: 0, metrics: 2 },
    })
  })

  test('do not hold up one another: one that hangs, one that refuses, one that is not there, one that is well', async () => {
    const [well, hanging, refusing, strict] = [await collect(), await collect(), await collect(), await collect()]
    hanging.behave('hang')
    refusing.behave('overloaded')
    strict.behave('bad')
    const list = [
      named(hanging, 'hanging'),
      { name: 'absent', endpoint: `http://127.0.0.1:${freePort()}` },
      named(refusing, 'refusing'),
      named(strict, 'strict'),
      named(well, 'well'),
    ]
    const { delivery, acks } = several(list)
    delivery.enqueue([log(0)])
    await until(() => hanging.received.length === 1)
    const began = performance.now()
    delivery.enqueue(mixed)
    const closing = delivery.close(AbortSignal.timeout(600))
    await until(() => well.received.length === 4)
    expect(performance.now() - began).toBeLessThan(400)
    const report = await closing
    expect(performance.now() - began).toBeWithin(500, 900)
    const counts = Object.entries(report.destinations).map(([name, { counts }]) => [name, counts.traces])
    expect(Object.fromEntries(counts)).toEqual({
      hanging: { delivered: 0, queued: 3, dropped: 0 },
      absent: { delivered: 0, queued: 3, dropped: 0 },
      refusing: { delivered: 0, queued: 3, dropped: 0 },
      strict: { delivered: 0, queued: 0, dropped: 3 },
      well: { delivered: 3, queued: 0, dropped: 0 },
    })
    expect(contents(well, 'logs')).toEqual(['log 0', 'log 0', 'log 1'])
    expect(acks()).toMatchObject({ well: { traces: 3, logs: 3, metrics: 2 }, strict: { traces: 3 } })

    // The next process asks only those that have not got it all.
    for (const each of [hanging, refusing]) each.behave('accept')
    for (const each of [well, hanging, refusing, strict]) each.received.length = 0
    const next = several(
      list.filter(({ name }) => name !== 'absent'),
      acks(),
    )
    next.delivery.enqueue([log(0), ...mixed])
    expect((await next.delivery.close(soon())).settled).toBe(true)
    expect([well.received.length, strict.received.length]).toEqual([0, 0])
    for (const each of [hanging, refusing]) {
      expect(contents(each, 'traces')).toEqual(['span 0', 'span 1', 'span 2'])
      expect(contents(each, 'logs')).toEqual(['log 0', 'log 0', 'log 1'])
      expect(sums(each)).toEqual([2])
    }
  })
})

describe('delivery', () => {
  test('sends all signals at close, in order, and acknowledges them by count', async () => {
    const collector = await collect()
    const { delivery, acks } = deliver(collector.url)
    delivery.enqueue(mixed)
    const report = await delivery.close(soon())
    expect(report.settled).toBe(true)
    expect(contents(collector, 'traces')).toEqual(['span 0', 'span 1', 'span 2'])
    expect(contents(collector, 'logs')).toEqual(['log 0', 'log 1'])
    expect(sums(collector)).toEqual([2])
    expect(acks()).toMatchObject({ [`http/json ${collector.url}`]: { traces: 3, logs: 2, metrics: 2 } })
    expect(only(report).counts.traces).toEqual({ delivered: 3, queued: 0, dropped: 0 })
  })

  test('sends by itself after the delay, in one request, and at once when a batch is full', async () => {
    const collector = await collect()
    const env = {
      OTEL_BLRP_SCHEDULE_DELAY: '60',
      OTEL_BSP_SCHEDULE_DELAY: '60000',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '3',
    }
    const { delivery } = deliver(collector.url, env)
    delivery.enqueue([log(0), log(1), ...each(4, span)])
    await until(() => collector.received.length === 2)
    expect(contents(collector, 'traces')).toEqual(['span 0', 'span 1', 'span 2'])
    expect(contents(collector, 'logs')).toEqual(['log 0', 'log 1'])
    await delivery.close(soon())
    expect(contents(collector, 'traces')).toEqual(['span 0', 'span 1', 'span 2', 'span 3'])
  })

  test('sends metrics at their interval, each time the whole sum, and not again when nothing is new', async () => {
    const collector = await collect()
    const { delivery } = deliver(collector.url, { OTEL_METRIC_EXPORT_INTERVAL: '40' })
    delivery.enqueue([metric(0)])
    await until(() => collector.received.length === 1)
    delivery.enqueue([metric(1), metric(2)])
    await until(() => collector.received.length === 2)
    await Bun.sleep(100)
    await delivery.close(soon())
    expect(sums(collector)).toEqual([1, 3])
  })

  test('skips in a replay what is acknowledged, and goes on with the sums of the run', async () => {
    const first = await collect()
    const before = deliver(first.url)
    before.delivery.enqueue(mixed.slice(0, 4))
    await before.delivery.close(soon())
    const acks = before.acks()

    first.received.length = 0
    const after = deliver(first.url, {}, acks)
    after.delivery.enqueue(mixed)
    expect((await after.delivery.close(soon())).settled).toBe(true)
    expect(contents(first, 'traces')).toEqual(['span 2'])
    expect(contents(first, 'logs')).toEqual(['log 1'])
    expect(sums(first)).toEqual([2])
    expect(
      json(first.received.find(({ type }) => type === 'metrics') as Received).resourceMetrics[0].scopeMetrics[0]
        .metrics[0].sum.dataPoints[0].startTimeUnixNano,
    ).toBe(`${start}000`)
  })

  test('sends nothing when a replay brings nothing new', async () => {
    const collector = await collect()
    const before = deliver(collector.url)
    before.delivery.enqueue(mixed)
    await before.delivery.close(soon())
    collector.received.length = 0
    const after = deliver(collector.url, {}, before.acks())
    after.delivery.enqueue(mixed)
    expect((await after.delivery.close(soon())).settled).toBe(true)
    expect(collector.received).toEqual([])
  })

  test('in deltas a replay leaves out what an earlier process has told', async () => {
    const collector = await collect()
    const env = { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }
    const before = deliver(collector.url, env)
    before.delivery.enqueue([metric(0), metric(1)])
    await before.delivery.close(soon())
    const after = deliver(collector.url, env, before.acks())
    after.delivery.enqueue(each(5, metric))
    await after.delivery.close(soon())
    expect(sums(collector)).toEqual([2, 3])
  })

  test('says an export of metrics again byte by byte, and then the rest, when nobody knows whether it arrived', async () => {
    for (const temporality of ['cumulative', 'delta', 'lowmemory']) {
      const collector = await collect()
      const env = { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality }
      const kept: Acks[] = []
      const first = deliver(collector.url, env, {}, undefined, (acks) => kept.push(structuredClone(acks)))
      first.delivery.enqueue(each(2, metric))
      await first.delivery.flush(soon())
      // Killed between the answer and its acknowledgement: what was kept last is where the export ends.
      const [begun] = kept
      expect(Object.values(begun ?? {})[0]).toMatchObject({ metrics: 0, collection: { upTo: 2 } })
      const next = deliver(collector.url, env, begun)
      next.delivery.enqueue(each(5, metric))
      expect((await next.delivery.close(soon())).settled).toBe(true)
      const [sent, again, rest] = collector.received.map(({ body }) => Buffer.from(body).toString())
      expect(again).toBe(sent)
      expect(rest).not.toBe(sent)
      expect(sums(collector)).toEqual(temporality === 'cumulative' ? [2, 2, 5] : [2, 2, 3])
    }
  })

  test('acknowledges only what came before a failure, and keeps the rest', async () => {
    const collector = await collect()
    collector.behave('accept', 'overloaded')
    const off = { OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
    const { delivery, acks } = deliver(collector.url, { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2', ...off })
    delivery.enqueue(each(5, span))
    const report = await delivery.close(soon())
    expect(report.settled).toBe(false)
    expect(only(report).counts.traces).toEqual({ delivered: 2, queued: 3, dropped: 0 })
    expect(only(report).lastError).toContain('503')
    expect(Object.values(acks())[0]?.traces).toBe(2)
    expect(collector.received).toHaveLength(2)
  })

  test('counts what is finally rejected and passes on', async () => {
    const collector = await collect()
    collector.behave('bad', 'accept')
    const { delivery } = deliver(collector.url, { OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '2' })
    delivery.enqueue(each(3, span))
    const report = await delivery.close(soon())
    expect(report.settled).toBe(true)
    expect(only(report).counts.traces).toEqual({ delivered: 1, queued: 0, dropped: 2 })
    expect(contents(collector, 'traces')).toEqual(['span 0', 'span 1', 'span 2'])
  })

  test('counts no more as dropped than it has sent, whatever a server says that it refused', async () => {
    const collector = await collect()
    collector.behave('partial')
    const { delivery } = deliver(collector.url)
    delivery.enqueue([span(0), span(1), span(2), span(3), metric(0)])
    const { counts, lastError } = only(await delivery.close(soon()))
    expect(counts.traces).toEqual({ delivered: 1, queued: 0, dropped: 3 })
    expect(counts.metrics).toEqual({ delivered: 0, queued: 0, dropped: 1 })
    expect(lastError).toBe('too old')
  })

  test('divides what is too large until it passes, and loses only a record that is too large alone', async () => {
    const collector = await collect()
    collector.behave('tooLarge', 'tooLarge', 'tooLarge', 'accept')
    const { delivery } = deliver(collector.url)
    delivery.enqueue(each(4, span))
    const report = await delivery.close(soon())
    expect(only(report).counts.traces).toEqual({ delivered: 3, queued: 0, dropped: 1 })
    const sizes = collector.received.map((each) => json(each).resourceSpans[0].scopeSpans[0].spans.length)
    expect(sizes).toEqual([4, 2, 1, 1, 2])
  })

  test('gives up on metrics that are too large: they cannot be divided', async () => {
    const collector = await collect()
    collector.behave('tooLarge')
    const { delivery } = deliver(collector.url)
    delivery.enqueue(each(4, metric))
    const report = await delivery.close(soon())
    expect(only(report).counts.metrics).toEqual({ delivered: 0, queued: 0, dropped: 4 })
    expect(collector.received).toHaveLength(1)
  })

  test('goes on when its acknowledgement cannot be kept', async () => {
    const collector = await collect()
    const config = configOf({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' })
    const onAck = () => {
      throw new Error('disk full')
    }
    const delivery = startDelivery({ config, resource: {}, startUnixMicro: start, acks: {}, onAck, replay: () => [] })
    delivery.enqueue([span(0)])
    await delivery.flush(soon())
    delivery.enqueue([span(1)])
    const report = await delivery.close(soon())
    expect(contents(collector, 'traces')).toEqual(['span 0', 'span 1'])
    expect(report.settled).toBe(true)
    expect(only(report).lastError).toBe('disk full')
  })

  test('tries again after a failure by itself, not before the server wants it', async () => {
    const collector = await collect()
    collector.behave('overloaded')
    const { delivery } = deliver(collector.url, { OTEL_BLRP_SCHEDULE_DELAY: '0' })
    delivery.enqueue([log(0)])
    await until(() => collector.received.length === 1)
    collector.behave('accept')
    await Bun.sleep(30)
    delivery.enqueue([log(1)])
    await delivery.flush(soon())
    await Bun.sleep(50)
    expect(collector.received).toHaveLength(1)
    expect(delivery.report().settled).toBe(false)
  })

  test('reaches a collector that comes up later, without being asked', async () => {
    const port = freePort()
    const { delivery } = deliver(`http://127.0.0.1:${port}`, { OTEL_BLRP_SCHEDULE_DELAY: '0' })
    delivery.enqueue([log(0)])
    await until(() => only(delivery.report()).lastError !== undefined)
    const collector = await collect('http/json', port)
    await until(() => delivery.report().settled)
    expect(contents(collector, 'logs')).toEqual(['log 0'])
  })

  test('reaches a gRPC collector at once that came up since the last attempt', async () => {
    const port = freePort()
    const { delivery } = deliver(`http://127.0.0.1:${port}`, { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })
    delivery.enqueue([log(0)])
    await delivery.flush(soon())
    await Bun.sleep(1300)
    await delivery.flush(soon())
    const collector = await collect('grpc', port)
    await Bun.sleep(1300)
    expect((await delivery.close(AbortSignal.timeout(300))).settled).toBe(true)
    expect(collector.received).toHaveLength(1)
  })

  test('holds no more than the queue, and reads on from the stream until everything is sent, in order', async () => {
    const collector = await collect()
    collector.behave('overloaded')
    const more = { OTEL_BSP_MAX_QUEUE_SIZE: '3', OTEL_BLRP_MAX_QUEUE_SIZE: '3', OTEL_BSP_SCHEDULE_DELAY: '9999' }
    let reads = 0
    const { delivery } = deliver(collector.url, more, {}, () => reads++)
    delivery.enqueue(each(400, (number) => (number % 2 === 0 ? span(number / 2) : log((number - 1) / 2))))
    expect(only(delivery.report()).counts.traces.queued).toBe(200)
    expect(reads).toBe(0)
    collector.behave('accept')
    await delivery.flush(soon())
    delivery.enqueue([span(200), log(200)])
    expect((await delivery.close(soon())).settled).toBe(true)
    expect(contents(collector, 'traces')).toEqual(each(201, (number) => `span ${number}`))
    expect(contents(collector, 'logs')).toEqual(each(201, (number) => `log ${number}`))
    expect(reads).toBe(2)
  })

  test('reads nothing of the stream any more once it is closed', async () => {
    const collector = await collect()
    collector.behave('accept', 'hang')
    const config = configOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_BSP_MAX_QUEUE_SIZE: '3',
    })
    const events: string[] = []
    function* replay(): Generator<Signal> {
      events.push('opened')
      try {
        yield* each(10, span)
      } finally {
        events.push('closed')
      }
    }
    const delivery = startDelivery({ config, resource: {}, startUnixMicro: start, acks: {}, onAck() {}, replay })
    delivery.enqueue(each(10, span))
    const flushing = delivery.flush(soon())
    await until(() => collector.received.length === 2)
    expect(events).toEqual(['opened'])
    await delivery.close(AbortSignal.timeout(20))
    expect(events).toEqual(['opened', 'closed'])
    await flushing
  })

  test('does not try again in the same process what a person has to mend, and says how; the next process tries', async () => {
    for (const [behaviour, hint] of [
      ['unauthorized', 'check the headers of this destination'],
      ['forbidden', 'check the headers of this destination'],
      ['moved', 'the server points to https://elsewhere.example/: check the endpoint'],
    ] as const) {
      const collector = await collect()
      collector.behave(behaviour)
      const { delivery, acks } = deliver(collector.url)
      delivery.enqueue(mixed)
      await delivery.flush(soon())
      delivery.enqueue([span(3)])
      const report = await delivery.close(soon())
      expect(collector.received).toHaveLength(3)
      expect([report.settled, only(report).hint]).toEqual([false, hint])
      expect(only(report).counts.traces).toEqual({ delivered: 0, queued: 4, dropped: 0 })
      collector.behave('accept')
      const next = deliver(collector.url, {}, acks())
      next.delivery.enqueue([...mixed, span(3)])
      expect((await next.delivery.close(soon())).settled).toBe(true)
      expect(contents(collector, 'traces').slice(3)).toEqual(['span 0', 'span 1', 'span 2', 'span 3'])
    }
  })

  test('gives deltas up, and says so, where nobody knows any more what was delivered; sums and spans go on', async () => {
    const collector = await collect()
    const delta = { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }
    const lost = deliver(collector.url, delta, 'lost')
    lost.delivery.enqueue(mixed)
    await lost.delivery.flush(soon())
    lost.delivery.enqueue([metric(2)])
    const report = await lost.delivery.close(soon())
    expect(only(report).counts.metrics).toEqual({ delivered: 1, queued: 0, dropped: 2 })
    expect(only(report).counts.traces.delivered).toBe(3)
    expect(sums(collector)).toEqual([1])
    collector.received.length = 0
    const cumulative = deliver(collector.url, {}, 'lost')
    cumulative.delivery.enqueue(mixed)
    await cumulative.delivery.close(soon())
    expect(sums(collector)).toEqual([2])
  })

  test('counts what the sampler leaves out as settled and sends nothing of it', async () => {
    const collector = await collect()
    const { delivery, acks } = deliver(collector.url, { OTEL_TRACES_SAMPLER: 'always_off' })
    delivery.enqueue(each(3, span))
    expect((await delivery.close(soon())).settled).toBe(true)
    expect(collector.received).toEqual([])
    expect(Object.values(acks())[0]?.traces).toBe(3)
  })

  test('keeps destinations apart: one that fails holds up none that works', async () => {
    const collector = await collect()
    const dead = `http://127.0.0.1:${freePort()}/v1/logs`
    const { delivery, acks } = deliver(collector.url, { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: dead })
    delivery.enqueue(mixed)
    const report = await delivery.close(soon())
    expect(report.settled).toBe(false)
    expect(acks()[`http/json ${collector.url}`]).toMatchObject({ traces: 3, logs: 0, metrics: 2 })
    expect(Object.values(report.destinations).map(({ counts }) => counts.logs.queued)).toEqual([0, 2])
  })

  test('keeps acknowledgements of destinations that are not in use', async () => {
    const collector = await collect()
    const other = { 'grpc http://elsewhere:4317': { traces: 7, logs: 8, metrics: 9 } }
    const { delivery, acks } = deliver(collector.url, {}, other)
    delivery.enqueue([span(0)])
    await delivery.close(soon())
    expect(acks()).toMatchObject(other)
  })

  test('is settled from the start when nothing is to be sent anywhere', async () => {
    const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
    const { delivery } = deliver('http://127.0.0.1:1', none)
    delivery.enqueue(mixed)
    expect(await delivery.close(soon())).toEqual({ settled: true, destinations: {} })
  })
})

for (const protocol of ['grpc', 'http/protobuf'] as const satisfies Protocol[]) {
  describe(`closing over ${protocol}`, () => {
    const env = { OTEL_EXPORTER_OTLP_PROTOCOL: protocol }
    const close = async (url: string, deadlineMs: number) => {
      const { delivery } = deliver(url, env)
      delivery.enqueue(mixed)
      await Bun.sleep(80)
      const began = performance.now()
      const report = await delivery.close(AbortSignal.timeout(deadlineMs))
      return { report, ms: performance.now() - began }
    }

    test('takes no time with a collector that is well', async () => {
      const collector = await collect(protocol)
      await close(collector.url, 1000)
      const { report, ms } = await close(collector.url, 1000)
      expect(report.settled).toBe(true)
      expect(ms).toBeLessThan(100)
    })

    test('takes no time with nobody there, after one attempt', async () => {
      const { report, ms } = await close(`http://localhost:${freePort()}`, 1000)
      expect(report.settled).toBe(false)
      expect(only(report).lastError).toContain('ECONNREFUSED')
      expect(ms).toBeLessThan(100)
    })

    test('takes the time that is allowed with a collector that hangs', async () => {
      const collector = await collect(protocol)
      collector.behave('hang')
      const { report, ms } = await close(collector.url, 200)
      expect(report.settled).toBe(false)
      expect(only(report).counts.traces.queued).toBe(3)
      expect(ms).toBeWithin(180, 300)
    })

    test('takes the time that is allowed when a request was under way already', async () => {
      const collector = await collect(protocol)
      collector.behave('hang')
      const { delivery } = deliver(collector.url, { ...env, OTEL_BLRP_SCHEDULE_DELAY: '0' })
      delivery.enqueue([log(0)])
      await until(() => collector.received.length === 1)
      const began = performance.now()
      await delivery.close(AbortSignal.timeout(100))
      expect(performance.now() - began).toBeWithin(80, 200)
      expect(collector.received).toHaveLength(1)
    })
  })
}
