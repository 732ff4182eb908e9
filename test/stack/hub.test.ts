/** A hub over a ClickHouse that fails: senders are asked to come again, and when they have, everything is there once. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { clickhouseMigrations, rememberVersion } from '../../src/store/clickhouse-schema.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { until } from '../kit/until.ts'
import { readRecorded } from '../receiver/messages.ts'
import {
  type Engine,
  enginePassword,
  freePorts,
  sendJson,
  settingsFor,
  startCollector,
  startEngine,
  temporaryFolder,
} from './kit.ts'
import { openRoad, type Road } from './road.ts'
import { chat, toolCall, tracesOf } from './signals.ts'

setDefaultTimeout(60_000)
const folder = temporaryFolder()
const [port] = freePorts(1)
let engine: Engine
let road: Road
const children = new Set<Bun.Subprocess>()

beforeAll(async () => {
  engine = await startEngine(folder.path, port)
  road = await openRoad(engine.place)
}, 120_000)
afterEach(async () => {
  for (const child of children) {
    child.kill('SIGTERM')
    await child.exited
  }
  children.clear()
  road.clear()
})
afterAll(async () => {
  await road.close()
  await engine.stop()
  await folder.remove()
})

function storeAt(url: string, options = ''): string {
  return `${url.replace('//', `//otel:${enginePassword}@`)}/otel${options}`
}

function spawnHub(store: string, env: Record<string, string> = {}) {
  const child = Bun.spawn(
    [claudeOtelBinary, 'serve', '--json', '--port=0', '--grpc-port=0', '--http-port=0', '--store', store],
    { env: { HOME: folder.path, ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
  )
  children.add(child)
  return child
}

interface Ready {
  readonly httpPort: number
  readonly port: number
}

async function startHub(store: string, env?: Record<string, string>): Promise<Ready> {
  const { value } = await spawnHub(store, env).stdout.getReader().read()
  return JSON.parse(new TextDecoder().decode(value))
}

async function post({ httpPort }: Ready, body: object, signal = 'traces'): Promise<Response> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}/v1/${signal}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  await answer.arrayBuffer()
  return answer
}

const perRequest = 50

/** So many requests of a session's spans, each span of its own. */
function requestsOf(session: string, count: number): readonly object[] {
  const at = Date.now()
  return Array.from({ length: count }, (_, request) =>
    tracesOf(
      Bun.hash(session).toString(16).padStart(32, '0'),
      Array.from({ length: perRequest }, (_, n) => toolCall(session, request * perRequest + n + 1, at)),
    ),
  )
}

async function spansOf(session: string): Promise<number> {
  return Number(await engine.ask(`SELECT count() FROM otel_traces FINAL WHERE SessionId = '${session}'`))
}

/** As senders do: whatever was not taken comes again. */
async function deliver(hub: Ready, requests: readonly object[]): Promise<{ readonly refused: number }> {
  let refused = 0
  await Promise.all(
    requests.map((request) =>
      until(
        'it to be taken',
        async () => {
          const answer = await post(hub, request)
          if (answer.status === 200) return true
          expect(answer.status).toBe(503)
          expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
          refused++
          return false
        },
        { timeoutMs: 30_000, everyMs: 100 },
      ),
    ),
  )
  return { refused }
}

describe('Nothing is lost or there twice when ClickHouse', () => {
  test('dies in the middle of an insert and comes back', async () => {
    const hub = await startHub(storeAt(engine.place.url))
    const requests = requestsOf('dies', 60)
    const delivering = deliver(hub, requests.slice(0, 40))
    await until('some to be on their way', async () => (await spansOf('dies')) > 0, { everyMs: 2 })
    await engine.kill()
    // Some hear of it while nobody is there.
    const late = deliver(hub, requests.slice(40))
    await until('a refusal', async () => (await post(hub, requests[0] ?? {})).status === 503)
    engine = await startEngine(folder.path, port)
    const refused = (await Promise.all([delivering, late])).map(({ refused }) => refused)
    expect(Math.max(...refused)).toBeGreaterThan(0)
    expect(await spansOf('dies')).toBe(60 * perRequest)
  })

  test('loses its answers, twice each', async () => {
    const hub = await startHub(storeAt(road.place.url))
    road.befall(/INSERT INTO otel_traces/, 'answer lost', 'answer lost')
    expect(await deliver(hub, requestsOf('unheard', 1))).toEqual({ refused: 1 })
    expect(await spansOf('unheard')).toBe(perRequest)
  })

  test('is too slow', async () => {
    const hub = await startHub(storeAt(road.place.url, '?request_timeout=500'))
    road.befall(/INSERT INTO otel_traces/, 'silence')
    expect(await deliver(hub, requestsOf('slow', 1))).toEqual({ refused: 1 })
    expect(await spansOf('slow')).toBe(perRequest)
  })

  test('has a full disk', async () => {
    const hub = await startHub(storeAt(road.place.url))
    const full = { code: 243, refusal: 'Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)' }
    road.befall(/INSERT INTO otel_traces/, full, full)
    expect(await deliver(hub, requestsOf('full', 1))).toEqual({ refused: 2 })
    expect(await spansOf('full')).toBe(perRequest)
  })

  test('refuses one of many that came together', async () => {
    const hub = await startHub(storeAt(road.place.url))
    const wrong = {
      code: 27,
      refusal: 'Cannot parse input: expected , before: x. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)',
    }
    road.befall(/INSERT INTO otel_traces/, wrong)
    expect(await deliver(hub, requestsOf('with others', 20))).toMatchObject({ refused: expect.any(Number) })
    expect(await spansOf('with others')).toBe(20 * perRequest)
  })
})

describe('A hub does not begin', () => {
  const endOf = async (child: ReturnType<typeof spawnHub>) => {
    const stderr = await new Response(child.stderr).text()
    return { code: await child.exited, stderr }
  }

  test('where it may not write, and says what to do', async () => {
    const refusal =
      'otel: Not enough privileges. To execute this query, it’s necessary to have the grant. (ACCESS_DENIED)'
    road.befall(/^CREATE TABLE/, { code: 497, refusal })
    const ended = await endOf(spawnHub(storeAt(road.place.url)))
    expect(ended.code).toBe(65)
    expect(ended.stderr).toContain('Not enough privileges')
    expect(ended.stderr).toContain('give it a user who may do that')
    expect(ended.stderr).not.toContain(enginePassword)
  })

  test('over a schema of a later version', async () => {
    const versions = clickhouseMigrations.length
    await engine.ask(rememberVersion(versions + 1))
    const ended = await endOf(spawnHub(storeAt(engine.place.url)))
    await engine.ask(`ALTER TABLE claude_otel_schema DELETE WHERE Version > ${versions} SETTINGS mutations_sync = 1`)
    expect(ended.code).toBe(65)
    expect(ended.stderr).toContain(`ClickHouse has schema ${versions + 1}, this version knows ${versions}`)
  })

  test('where nobody answers', async () => {
    const ended = await endOf(spawnHub(storeAt('http://127.0.0.1:1')))
    expect(ended.code).toBe(69)
    expect(ended.stderr).toContain('ClickHouse at http://127.0.0.1:1 does not answer')
  })
})

test('Health says for how long ClickHouse keeps what, and where that is changed', async () => {
  const hub = await startHub(storeAt(engine.place.url))
  const health = async (): Promise<{ sections: { title: string; lines: object[] }[] }> =>
    (await fetch(`http://127.0.0.1:${hub.port}/api/health`)).json() as never
  const kept = async () => (await health()).sections.find(({ title }) => title === 'Kept in ClickHouse')?.lines
  expect(await kept()).toMatchObject([
    { label: 'spans', value: '30 days', level: 'ok' },
    { label: 'log records', value: '30 days' },
    { label: 'points', value: '90 days' },
    { label: 'usage', value: '400 days' },
    { label: 'hub.age, hub.size', value: 'not used', hint: expect.stringContaining('MODIFY TTL') },
  ])
  await engine.ask('ALTER TABLE otel_traces REMOVE TTL')
  expect(await kept()).toMatchObject([
    { label: 'spans', value: 'for ever', level: 'warning' },
    { label: 'log records', value: '30 days' },
    {},
    {},
    {},
  ])
})

test('A hub guards what it keeps there', async () => {
  const rules = JSON.stringify([{ on: 'tokens', above: 40, do: 'notice' }])
  const child = spawnHub(storeAt(engine.place.url), { CLAUDE_OTEL_GUARD: rules })
  const { value } = await child.stdout.getReader().read()
  const hub: Ready = JSON.parse(new TextDecoder().decode(value))
  const at = Date.now() - 2000
  const chats = [1, 5].map((number) => chat('guarded', number, at))
  expect((await post(hub, tracesOf('9'.repeat(32), chats))).status).toBe(200)
  const marks = "SELECT Value FROM claude_marks FINAL WHERE Key = 'guard state/tokens above 40 tokens/guarded'"
  await until('the crossing', async () => (await engine.ask(marks)) === 'fired')
  const shown = async () => (await fetch(`http://127.0.0.1:${hub.port}/api/now`)).text()
  await until('the page to show it', async () => (await shown()).includes('session guarded is at 60 tokens'))
  child.kill('SIGTERM')
  expect(await new Response(child.stderr).text()).toContain('session guarded is at 60 tokens')
})

test('Tables that a hub makes begin with its age; usage stays, and those that are there are left alone', async () => {
  await engine.ask('CREATE DATABASE fresh')
  const ages = () =>
    engine.ask(`SELECT name, extract(engine_full, 'toIntervalDay.([0-9]+)') FROM system.tables
      WHERE database = 'fresh' AND name IN ('otel_traces', 'otel_metrics_sum', 'claude_requests') ORDER BY name`)
  const store = storeAt(engine.place.url).replace(/otel$/, 'fresh')
  for (const age of ['36h', '20d']) {
    await startHub(store, { CLAUDE_OTEL_HUB_AGE: age })
    expect(await ages()).toBe('claude_requests\t\notel_metrics_sum\t2\notel_traces\t2')
  }
})

test('What both a hub and a Collector tell is there once, whoever was first', async () => {
  const settings = settingsFor()
  const requests = readRecorded('06-full-protobuf-gzip')
  const tables = ['otel_traces', 'otel_logs', 'otel_metrics_sum', 'claude_requests', 'claude_usage_points']
  const counts = async () => {
    const all = tables.map((table) => engine.ask(`SELECT count() FROM ${table} FINAL`))
    const usage = engine.ask('SELECT sum(InputTokens), sum(OutputTokens), sum(Requests) FROM claude_usage')
    return Promise.all([...all, usage])
  }
  for (const table of [...tables, 'claude_session_facts']) await engine.ask(`TRUNCATE TABLE ${table}`)
  const hub = await startHub(storeAt(engine.place.url))
  // One that ends has written what it holds.
  const toCollector = async (all: typeof requests) => {
    const collector = await startCollector({ settings, folder: folder.path, clickhousePort: engine.port })
    for (const { signal, body } of all) expect(await sendJson(collector, settings, signal, body)).toBe(200)
    await collector.stop()
  }
  const toHub = async (half: typeof requests) => {
    for (const { signal, body } of half) expect((await post(hub, body, signal)).status).toBe(200)
  }
  const middle = Math.floor(requests.length / 2)
  await toHub(requests.slice(0, middle))
  await toCollector(requests)
  const byCollector = await counts()
  await toHub(requests.slice(middle))
  expect(await counts()).toEqual(byCollector)
  expect(
    byCollector
      .slice(0, 3)
      .map(Number)
      .every((count) => count > 0),
  ).toBe(true)
  // What has its types is preferred, whoever came last.
  await toCollector(requests)
  for (const table of tables.slice(0, 3))
    expect(await engine.ask(`SELECT countIf(Original = '') FROM ${table} FINAL`)).toBe('0')
})
