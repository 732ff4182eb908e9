/** A real OpenTelemetry Collector as the client of our receiver: its own exporters, as they come. */
import { afterEach, describe, expect, test } from 'bun:test'
import { decodeJson } from '../../src/receiver/json.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { until } from '../kit/until.ts'
import { openReceiver, type TestReceiver } from '../receiver/kit.ts'
import { encodeJson, everything, type Recorded, readRecorded, signals } from '../receiver/messages.ts'
import { type Collector, type Forward, startCollector } from './kit.ts'

const token = 'of-the-hub'

const ways: readonly Omit<Forward, 'url'>[] = [
  { protocol: 'grpc', compression: 'none' },
  { protocol: 'grpc', compression: 'gzip', token },
  { protocol: 'http/protobuf', compression: 'gzip', token },
  { protocol: 'http/protobuf', compression: 'zstd' },
  { protocol: 'http/json', compression: 'none' },
]

let receiver: TestReceiver | undefined
let collector: Collector | undefined
afterEach(async () => {
  await collector?.close()
  await receiver?.stop()
  collector = undefined
  receiver = undefined
})

async function connect({ protocol, compression, token }: Omit<Forward, 'url'>) {
  receiver = await openReceiver(token === undefined ? {} : { token })
  const url = protocol === 'grpc' ? receiver.grpc : receiver.http
  collector = await startCollector({ forwards: [{ protocol, compression, url, ...(token ? { token } : {}) }] })
  return { receiver, collector }
}

async function send({ ports }: Collector, { signal, body }: Recorded): Promise<void> {
  const url = `http://127.0.0.1:${ports['http/json']}/v1/${signal}`
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: encodeJson(body) })
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
}

function expected({ signal, body }: Recorded): OtlpBatch {
  return decodeJson(signal, encodeJson(body)).batch
}

/** The records of a signal as texts, whatever the order of their keys was. */
function recordsOf(batches: readonly OtlpBatch[], signal: SignalType): string[] {
  const records = batches.filter((batch) => batch.signal === signal).flatMap((batch) => Object.values(batch)[1])
  return records.map((record) => JSON.stringify(inOrder(record)))
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, inOrder(each)]))
}

describe.each(ways)('A Collector that sends by %j', (way) => {
  test('is understood in everything that OTLP knows', async () => {
    const { receiver, collector } = await connect(way)
    for (const signal of signals) await send(collector, { signal, body: everything[signal] })
    await until('all three signals', () => receiver.batches.length === 3)
    for (const signal of signals) {
      expect(receiver.batches.find((batch) => batch.signal === signal)).toEqual(
        expected({ signal, body: everything[signal] }),
      )
    }
  })

  test('delivers what the real claude sent, though it is put off at first', async () => {
    const { receiver, collector } = await connect(way)
    let putOff = 3
    const { verdict } = receiver
    receiver.verdict = async () => (putOff-- > 0 ? { retryAfterMs: 10 } : verdict())
    const recorded = readRecorded('06-full-protobuf-gzip')
    for (const request of recorded) await send(collector, request)
    const taken = () => Object.values(receiver.counts().accepted).reduce((sum, count) => sum + count, 0)
    const wanted = recorded.map(expected)
    const all = signals.flatMap((signal) => recordsOf(wanted, signal)).length
    await until('everything to be there', () => taken() === all)
    expect(receiver.counts().refused).toEqual({ unavailable: 3 })
    for (const signal of signals) {
      const kept = new Set(recordsOf(receiver.batches, signal))
      expect(recordsOf(wanted, signal).filter((record) => !kept.has(record))).toHaveLength(0)
    }
    expect(all).toBeGreaterThan(100)
  })
})
