/**
 * Clients that nobody wrote for this hub send to the compiled binary: the OpenTelemetry SDKs of Python, Go and JavaScript, and the
 * exporters of a real Collector. What the store holds afterwards is compared with what they sent, value by value.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import { FOREIGN, goClient, pythonBinary } from '../../scripts/foreign-clients.ts'
import { openStore } from '../../src/store/store.ts'
import type { OtlpPoint } from '../../src/telemetry/otlp.ts'
import {
  expectedLog,
  expectedPoints,
  expectedSource,
  expectedSpans,
  type Ids,
  type Traits,
} from './foreign/expected.ts'
import { createHubHome } from './kit.ts'

interface Client {
  readonly traits: Traits
  readonly protocols: readonly string[]
  command(): Promise<readonly string[]>
}

const clients: Readonly<Record<string, Client>> = {
  Python: {
    traits: { language: 'python', isFull: true, flags: 0x100 },
    protocols: ['grpc', 'http/protobuf'],
    command: async () => [await pythonBinary(), join(FOREIGN, 'client.py')],
  },
  Go: {
    traits: { language: 'go', isFull: true, flags: 0x101 },
    protocols: ['grpc', 'http/protobuf'],
    command: async () => [await goClient()],
  },
  JavaScript: {
    traits: { language: 'js', isFull: false, flags: 0x101 },
    protocols: ['grpc', 'http/protobuf', 'http/json'],
    command: async () => [process.execPath, join(FOREIGN, 'client.ts')],
  },
}

/** Ways to send: packed, and with amounts since the last export, or neither. */
const manners = [
  { compression: 'none', temporality: 'cumulative' },
  { compression: 'gzip', temporality: 'delta' },
] as const

const everSince = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }

await buildIfStale()

describe.each(Object.entries(clients))('The SDK of %s', (_name, { traits, protocols, command }) => {
  let client: readonly string[] = []
  beforeAll(async () => {
    client = await command()
  })

  for (const protocol of protocols) {
    test.each(manners)(`is kept as it was sent by ${protocol}: %j`, async ({ compression, temporality }) => {
      const { ids, store } = await sent(client, protocol, compression, temporality)
      const spans = store.trace(ids.traceId)
      expect(
        spans
          .map(({ source: _, ...span }) => span)
          .sort(byName)
          .reverse(),
      ).toEqual(expectedSpans(ids, traits))
      const [log, ...others] = store.sessionLogs('foreign')
      expect(others).toEqual([])
      expect(without(log, 'source')).toEqual({ ...expectedLog(ids, traits) })
      const wanted = expectedPoints(ids, traits, temporality)
      const points = Object.keys(wanted).flatMap((name) => store.points(name, everSince))
      expect(Object.fromEntries(points.map((point) => [point.name, known(point)]))).toEqual(wanted)
      expect(points).toHaveLength(Object.keys(wanted).length)
      for (const { source } of [...spans, ...points, ...(log ? [log] : [])]) {
        expect(source).toMatchObject(expectedSource(traits))
        expect(source.resource).toMatchObject({ 'service.name': 'foreign', languages: [traits.language] })
      }
    })
  }
})

const opened: (() => void)[] = []
afterAll(() => {
  for (const close of opened.reverse()) close()
})

/** Lets the client send to a hub of its own; the store is that hub's, with everything in it. */
async function sent(client: readonly string[], protocol: string, compression: string, temporality: string) {
  const home = createHubHome()
  opened.push(() => home.remove())
  const hub = await home.start()
  const child = Bun.spawn([...client], {
    env: {
      PATH: process.env.PATH ?? '',
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${protocol === 'grpc' ? hub.grpcPort : hub.httpPort}`,
      ...(compression === 'none' ? {} : { OTEL_EXPORTER_OTLP_COMPRESSION: compression }),
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: temporality,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [said, complaints, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  expect({ code, complaints }).toEqual({ code: 0, complaints: '' })
  expect(await hub.end()).toBe(0)
  expect(hub.stderr()).toBe('')
  const store = await openStore(hub.store)
  opened.push(() => store.close())
  return { ids: JSON.parse(said) as Ids, store }
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1
}

function without(record: object | undefined, ...keys: readonly string[]): object {
  return Object.fromEntries(Object.entries(record ?? {}).filter(([key]) => !keys.includes(key)))
}

/** What can be known of a point beforehand; what cannot is checked here. */
function known(point: OtlpPoint): object {
  const { startUnixMicro, timeUnixMicro, exemplars } = point
  const nowMicro = Date.now() * 1000
  expect(timeUnixMicro).toBeWithin(nowMicro - 120e6, nowMicro + 1)
  if (point.type !== 'gauge') expect(startUnixMicro).toBeWithin(nowMicro - 120e6, timeUnixMicro + 1)
  for (const exemplar of exemplars) expect(exemplar.timeUnixMicro).toBeWithin(nowMicro - 120e6, nowMicro + 1)
  const rest = without(point, 'source', 'name', 'startUnixMicro', 'timeUnixMicro', 'exemplars')
  const taken = exemplars.map((exemplar) => without(exemplar, 'timeUnixMicro'))
  if (point.type !== 'exponential_histogram') return { ...rest, exemplars: taken }
  expect([0, 1, 2, 4]).toEqual(expect.arrayContaining(exemplars.map(({ value }) => value)))
  const { scale, positive, negative } = point
  expect(negative.bucketCounts.every((count) => count === 0)).toBe(true)
  const upper = positive.bucketCounts.flatMap((count, index) =>
    new Array<number>(count).fill(2 ** ((positive.offset + index + 1) / 2 ** scale)),
  )
  // A bucket has its upper bound: powers of two are bounds at every scale.
  return {
    ...without(rest, 'scale', 'positive', 'negative'),
    values: upper.map((bound) => Math.round(bound * 1e6) / 1e6),
  }
}
