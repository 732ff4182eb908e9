/** The hub: what it takes in beside a Collector, how soon a page hears of it, and its memory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HealthView } from '../../src/dashboard/health-view.ts'
import { createHubHome, type HubProcess } from '../../test/hub/kit.ts'
import { until } from '../../test/kit/until.ts'
import { collectorBinary } from '../collector.ts'
import { type Sender, sendAll, sendByGrpc, sendByHttp, UniqueRequests } from '../otlp-load.ts'
import { type Measure, median, ms, processMiB, quantile } from './kit.ts'

const SPANS_PER_REQUEST = 1000
const REQUESTS = 60
const AT_ONCE = 4
const ROUNDS = 3
const POSTS = 200
/** An hour at 100 spans a second, as fast as it is taken. */
const TRICKLE_SPANS = 360_000
const TRICKLE_SPANS_PER_REQUEST = 100

/** Who keeps spans: the hub, or the Collector. */
interface Server {
  readonly pid: number
  readonly senders: Readonly<Record<'http' | 'grpc', Sender>>
}

interface Sample {
  readonly cpuMicros: number
  readonly perSecond: number
}

/** The same spans to the hub and to a Collector with a file exporter, in turns. */
export async function measureIntake(effort: number): Promise<Measure[]> {
  if (process.platform !== 'linux') return []
  const collector = await startCollector()
  try {
    return await withHub(async (hub) => {
      const requests = new UniqueRequests(SPANS_PER_REQUEST)
      const servers = { hub: serverOf(hub), collector }
      const samples = { hub: { http: [], grpc: [] }, collector: { http: [], grpc: [] } } as Samples
      for (let round = 0; round <= ROUNDS * effort; round++)
        for (const name of round % 2 === 0 ? names : names.toReversed())
          for (const door of doors) {
            const sample = await sampleOf(servers[name], door, requests)
            // The first round warms both.
            if (round > 0) samples[name][door].push(sample)
          }
      await expectAllKept(hub, doors.length * (ROUNDS * effort + 1) * REQUESTS * SPANS_PER_REQUEST)
      return doors.map((door) => intakeMeasure(door, samples))
    })
  } finally {
    await collector.end()
  }
}

const names = ['hub', 'collector'] as const
const doors = ['http', 'grpc'] as const
type Samples = Readonly<Record<'hub' | 'collector', Record<'http' | 'grpc', Sample[]>>>

async function sampleOf({ pid, senders }: Server, door: 'http' | 'grpc', requests: UniqueRequests): Promise<Sample> {
  const before = await cpuSeconds(pid)
  const startMs = performance.now()
  await sendAll(senders[door], requests.next, { requests: REQUESTS, atOnce: AT_ONCE })
  const seconds = (performance.now() - startMs) / 1000
  const spans = REQUESTS * SPANS_PER_REQUEST
  return { cpuMicros: (((await cpuSeconds(pid)) - before) / spans) * 1e6, perSecond: spans / seconds }
}

function intakeMeasure(door: 'http' | 'grpc', samples: Samples): Measure {
  const middle = (name: 'hub' | 'collector') => ({
    cpuMicros: median(samples[name][door].map(({ cpuMicros }) => cpuMicros)),
    perSecond: median(samples[name][door].map(({ perSecond }) => perSecond)),
  })
  const [ours, theirs] = [middle('hub'), middle('collector')]
  const told = ({ cpuMicros, perSecond }: Sample) =>
    `${cpuMicros.toFixed(1)} µs (${thousands(perSecond)} spans/s, ${thousands(1e6 / cpuMicros)} for a second of its processor)`
  return {
    name: `hub.${door}`,
    title: `Hub, processor time per span kept by ${door === 'http' ? 'HTTP' : 'gRPC'} / a Collector with a file exporter`,
    value: ours.cpuMicros / theirs.cpuMicros,
    unit: '×',
    from: `${told(ours)} / ${told(theirs)}; ${SPANS_PER_REQUEST} spans of 15 attributes a request, ${AT_ONCE} at once, in turns`,
  }
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(0)},000`
}

async function expectAllKept({ port }: HubProcess, spans: number): Promise<void> {
  const health = await (await fetch(`http://127.0.0.1:${port}/api/health`)).json()
  const kept = (health as HealthView).store.spans
  if (kept !== spans) throw new Error(`${spans} spans were sent, the hub has ${kept}`)
}

/** From before a POST until a page that listens hears of its session. */
export async function measureUpdates(effort: number): Promise<Measure[]> {
  return withHub(async ({ httpPort, port }) => {
    const sender = sendByHttp(`http://127.0.0.1:${httpPort}/v1/traces`)
    const requests = new UniqueRequests(10, 1)
    const page = await listen(`http://127.0.0.1:${port}/events`)
    const times: number[] = []
    for (let count = 0; count < POSTS * effort; count++) {
      const message = requests.next()
      const heard = page.hearsOf(sessionOf(message))
      const startMs = performance.now()
      await sender.send(message)
      times.push((await heard) - startMs)
      // Not in step with the hub, which gathers what comes together.
      await Bun.sleep((count * 37) % 90)
    }
    page.close()
    const from = `${times.length} requests of 10 spans, one after another, with pauses of up to 90 ms`
    return [
      { name: 'hub.update.p50', title: 'POST to the event at a page, median', value: median(times), unit: 'ms', from },
      {
        name: 'hub.update.p99',
        title: 'POST to the event at a page, p99',
        value: quantile(times, 0.99),
        unit: 'ms',
        from: `the same; the slowest ${ms(Math.max(...times))}`,
      },
    ]
  })
}

function sessionOf(message: Buffer): string {
  const id = /[0-9a-f]{8}-c405-4c2c-a542-[0-9a-f]{12}/.exec(message.toString('latin1'))?.[0]
  if (id === undefined) throw new Error('the request names no session')
  return id
}

interface Page {
  /** When it is told of this session, in performance.now()'s milliseconds. */
  hearsOf(session: string): Promise<number>
  close(): void
}

/** As a page does. Resolves when the stream has begun. */
async function listen(url: string): Promise<Page> {
  const stop = new AbortController()
  const { body } = await fetch(url, { signal: stop.signal })
  const reader = body?.getReader()
  await reader?.read()
  const waiting = new Map<string, (atMs: number) => void>()
  const read = async () => {
    for (let text = ''; ; ) {
      const chunk = await reader?.read()
      if (chunk === undefined || chunk.done) return
      const events = `${text}${Buffer.from(chunk.value).toString()}`.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events)
        for (const session of JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? '{}').sessions ?? [])
          waiting.get(session)?.(performance.now())
    }
  }
  read().catch(() => {})
  return {
    hearsOf: (session) => new Promise((resolve) => waiting.set(session, resolve)),
    close: () => stop.abort(),
  }
}

/** Resident memory: idle, at most, and how far it grows over a long trickle. */
export async function measureHubMemory(): Promise<Measure[]> {
  if (process.platform !== 'linux') return []
  return withHub(async (hub) => {
    await Bun.sleep(2000)
    const idle = processMiB(hub.child.pid, 'VmRSS')
    const { senders } = serverOf(hub)
    const requests = new UniqueRequests(TRICKLE_SPANS_PER_REQUEST, 20)
    const trickle = (spans: number) =>
      sendAll(senders.http, requests.next, { requests: spans / TRICKLE_SPANS_PER_REQUEST, atOnce: 1 })
    const startMs = performance.now()
    await trickle(TRICKLE_SPANS / 3)
    const third = processMiB(hub.child.pid, 'VmRSS')
    await trickle((TRICKLE_SPANS / 3) * 2)
    const seconds = (performance.now() - startMs) / 1000
    const end = processMiB(hub.child.pid, 'VmRSS')
    const loaded = processMiB(hub.child.pid, 'VmHWM')
    const spans = `${TRICKLE_SPANS} spans, an hour at 100 a second, sent in ${seconds.toFixed(0)} s`
    return [
      { name: 'hub.memory.idle', title: 'Hub, resident, idle', value: idle, unit: 'MiB', from: '2 s after its start' },
      { name: 'hub.memory.load', title: 'Hub, resident, at most', value: loaded, unit: 'MiB', from: `over ${spans}` },
      {
        name: 'hub.memory.growth',
        title: 'Hub, growth over the last two thirds of an hour',
        value: end - third,
        unit: 'MiB',
        from: `${third.toFixed(0)} MiB after a third, ${end.toFixed(0)} at the end of ${spans}`,
      },
    ]
  })
}

async function withHub<Result>(measure: (hub: HubProcess) => Promise<Result>): Promise<Result> {
  const home = createHubHome()
  try {
    const hub = await home.start()
    try {
      return await measure(hub)
    } finally {
      await hub.end()
    }
  } finally {
    home.remove()
  }
}

function serverOf({ child, httpPort, grpcPort }: HubProcess): Server {
  const http = sendByHttp(`http://127.0.0.1:${httpPort}/v1/traces`)
  return { pid: child.pid, senders: { http, grpc: sendByGrpc(grpcPort) } }
}

/** A Collector that does nothing but write to a file what it is sent. */
async function startCollector(): Promise<Server & { end(): Promise<void> }> {
  const binary = await collectorBinary()
  if (binary === undefined) throw new Error('Go is not installed, so no Collector can be built to compare with')
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-collector-'))
  const [grpc, http] = [freePort(), freePort()]
  const receiver = { grpc: { endpoint: `127.0.0.1:${grpc}` }, http: { endpoint: `127.0.0.1:${http}` } }
  const config = {
    receivers: { otlp: { protocols: receiver } },
    exporters: { file: { path: join(folder, 'signals.jsonl') } },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } },
    },
  }
  await Bun.write(join(folder, 'config.json'), JSON.stringify(config))
  const log = Bun.file(join(folder, 'log'))
  const child = Bun.spawn([binary, `--config=${join(folder, 'config.json')}`], { stdout: log, stderr: log })
  const url = `http://127.0.0.1:${http}/v1/traces`
  await until('the Collector to accept', async () => {
    if (child.exitCode !== null) throw new Error(`the Collector ended\n${await log.text()}`)
    return await fetch(url, { method: 'POST' }).then(
      () => true,
      () => false,
    )
  })
  return {
    pid: child.pid,
    senders: { http: sendByHttp(url), grpc: sendByGrpc(grpc) },
    async end() {
      child.kill()
      await child.exited
      await rm(folder, { recursive: true })
    },
  }
}

function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  server.stop(true)
  return server.port
}

/** Of all its threads, in the system's ticks of a hundredth. */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`).text()
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
