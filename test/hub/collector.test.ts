/**
 * A real Collector passes on to the compiled binary everything that OTLP knows, by each of its exporters; the store holds all of it.
 */
import { afterAll, expect, test } from 'bun:test'
import { buildIfStale } from '../../scripts/build.ts'
import { decodeJson } from '../../src/receiver/json.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { OtlpPoint, OtlpSpan } from '../../src/telemetry/otlp.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { type Collector, type Forward, startCollector } from '../collector/kit.ts'
import { until } from '../kit/until.ts'
import { encodeJson, everything, type Request, signals, traceId } from '../receiver/messages.ts'
import { createHubHome } from './kit.ts'

const ways: readonly Omit<Forward, 'url'>[] = [
  { protocol: 'grpc', compression: 'none' },
  { protocol: 'grpc', compression: 'gzip' },
  { protocol: 'http/protobuf', compression: 'none' },
  { protocol: 'http/protobuf', compression: 'gzip' },
  { protocol: 'http/protobuf', compression: 'zstd' },
  { protocol: 'http/json', compression: 'gzip' },
]

const requests = { traces: apart('traces'), logs: apart('logs'), metrics: apart('metrics') }
const wanted = read()

await buildIfStale()

const cleanups: (() => void | Promise<void>)[] = []
afterAll(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

test.each(ways)('A Collector that sends by %j leaves everything in the store', async (way) => {
  const home = createHubHome()
  cleanups.push(home.remove)
  const hub = await home.start()
  cleanups.push(async () => void (await hub.end()))
  const url = `http://127.0.0.1:${way.protocol === 'grpc' ? hub.grpcPort : hub.httpPort}`
  const collector = await startCollector({ forwards: [{ ...way, url }] })
  cleanups.push(collector.close)
  for (const signal of signals) await post(collector, signal)

  const store = await openStore(hub.store)
  cleanups.push(() => store.close())
  await until('all three signals', () => {
    const { spans, logs, points } = store.counts()
    return spans === wanted.spans.length && logs === wanted.logs.length && points === wanted.points.length
  })
  expect(held(store)).toEqual(wanted)
  expect(hub.stderr()).toBe('')
})

/** The request that has everything, each record with an identity of its own, by which a store tells it from the others. */
function apart(signal: SignalType): Request {
  let count = 0
  const text = JSON.stringify(everything[signal], (key, value) => {
    if (!/^(spans|logRecords|dataPoints)$/.test(key)) return value
    return value.map((record: Request) => {
      const time = `17952473412970${String(++count).padStart(2, '0')}000`
      if (key === 'dataPoints') return { ...record, timeUnixNano: time }
      if (key === 'spans') return { ...record, spanId: `00000000000000${String(count).padStart(2, '0')}` }
      const session = { key: 'session.id', value: { stringValue: 'passed-on' } }
      return { ...record, timeUnixNano: time, attributes: [...((record.attributes as Request[]) ?? []), session] }
    })
  })
  return JSON.parse(text)
}

function read() {
  const batches = signals.map((signal) => decodeJson(signal, encodeJson(requests[signal])).batch)
  return {
    spans: batches.flatMap((batch) => (batch.signal === 'traces' ? batch.spans : [])).sort(bySpanId),
    logs: batches.flatMap((batch) => (batch.signal === 'logs' ? batch.logs : [])),
    points: batches.flatMap((batch) => (batch.signal === 'metrics' ? batch.points : [])).sort(byTime),
  }
}

function held(store: Store): typeof wanted {
  const names = [...new Set(wanted.points.map(({ name }) => name))]
  const points = names.flatMap((name) => store.points(name, { sinceUnixMicro: 0, untilUnixMicro: 2e15 }))
  return {
    spans: [...store.trace(traceId)].sort(bySpanId),
    logs: [...store.sessionLogs('passed-on')],
    points: points.sort(byTime),
  }
}

function bySpanId(one: OtlpSpan, other: OtlpSpan): number {
  return one.spanId < other.spanId ? -1 : 1
}

function byTime(one: OtlpPoint, other: OtlpPoint): number {
  return one.timeUnixMicro - other.timeUnixMicro
}

async function post({ ports }: Collector, signal: SignalType): Promise<void> {
  const url = `http://127.0.0.1:${ports['http/json']}/v1/${signal}`
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: encodeJson(requests[signal]) })
  expect(response.status).toBe(200)
}
