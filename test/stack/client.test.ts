/** ClickHouse's official client as the product uses it: connections, mishaps on the road, refusals, TLS, compression. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Failure } from '../../src/base/errors.ts'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import { type ClickHouse, openClickHouse } from '../../src/store/clickhouse-client.ts'
import { type ClickHousePlace, clickhousePlace } from '../../src/store/clickhouse-place.ts'
import { createCertificates } from '../kit/certificates.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { readBatches } from '../usage/recorded.ts'
import { type Engine, enginePassword, startEngine, temporaryFolder } from './kit.ts'
import { openRoad, type Road } from './road.ts'

// Many questions, one after the other.
setDefaultTimeout(60_000)
const folder = temporaryFolder()
let engine: Engine
let road: Road
let clickhouse: ClickHouse

beforeAll(async () => {
  engine = await startEngine(folder.path)
  road = await openRoad(engine.place)
  clickhouse = openClickHouse(road.place)
}, 120_000)
beforeEach(() => road.clear())
afterAll(async () => {
  await clickhouse.close()
  await road.close()
  await engine.stop()
  await folder.remove()
})

const mark = (key: string) => ({ Key: key, Time: '2026-11-21 10:00:00', Value: 'v' })
const marked = (key: string) => engine.ask(`SELECT count() FROM claude_marks FINAL WHERE Key = '${key}'`)

async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.catch((reason: unknown) => reason)
  if (error instanceof Failure) return error
  throw new Error(`no failure: ${error}`)
}

describe('Connections', () => {
  test('are kept open and used again', async () => {
    for (let time = 0; time < 20; time++) await clickhouse.rows('SELECT 1 AS one')
    for (let time = 0; time < 5; time++) await clickhouse.insert('claude_marks', [mark(`kept ${time}`)])
    expect(road.asked).toHaveLength(25)
    expect(road.connections()).toBeLessThanOrEqual(1)
  })

  test('are as many as are needed at once, within a bound', async () => {
    await Promise.all(Array.from({ length: 40 }, () => clickhouse.rows('SELECT sleep(0.001)')))
    expect(road.asked).toHaveLength(40)
    expect(road.connections()).toBeLessThanOrEqual(10)
  })
})

describe('On the way', () => {
  test('an answer that is lost is asked for again, and what was done is done once', async () => {
    road.befall(/^INSERT INTO claude_marks/, 'answer lost')
    await clickhouse.insert('claude_marks', [mark('lost once')])
    expect(road.asked).toHaveLength(2)
    expect(await marked('lost once')).toBe('1')
    road.befall(/SELECT 1/, 'cut')
    expect(await clickhouse.rows<object>('SELECT 1 AS one')).toEqual([{ one: 1 }])
  })

  test('what is lost again and again is told, and nothing else is harmed', async () => {
    road.befall(/^INSERT INTO claude_marks/, 'answer lost', 'answer lost')
    const failure = await failureOf(clickhouse.insert('claude_marks', [mark('lost twice')]))
    expect(failure).toMatchObject({ kind: 'unavailable' })
    expect(failure.message).toContain(`ClickHouse at ${road.place.url} does not answer`)
    await clickhouse.insert('claude_marks', [mark('lost twice')])
    expect(await marked('lost twice')).toBe('1')
  })

  test('silence is not waited for longer than the URL says', async () => {
    const hasty = openClickHouse({ ...road.place, options: '?request_timeout=300' })
    road.befall(/SELECT/, 'silence')
    const began = performance.now()
    const failure = await failureOf(hasty.rows('SELECT 1 AS one'))
    expect(failure).toMatchObject({ kind: 'unavailable' })
    expect(performance.now() - began).toBeLessThan(5000)
    expect(await hasty.rows<object>('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await hasty.close()
  })

  test('nobody is at home', async () => {
    const away = openClickHouse({ ...road.place, url: 'http://127.0.0.1:1' })
    expect(await failureOf(away.run('SELECT 1'))).toMatchObject({ kind: 'unavailable' })
    await away.close()
  })
})

describe('A refusal', () => {
  const refusals = [
    [243, 'Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)', 'its disk is full'],
    [164, 'reader: Cannot execute query in readonly mode. (READONLY)', 'a user who may write'],
    [497, 'otel: Not enough privileges. To execute this query, it’s necessary … (ACCESS_DENIED)', 'a user who may'],
    [241, 'Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED)', 'too little memory'],
  ] as const

  test.each(refusals)('of number %d is told in ClickHouse’s words, with what to do', async (code, refusal, hint) => {
    road.befall(/^INSERT INTO otel_/, { code, refusal }, { code, refusal })
    const failure = await failureOf(clickhouse.insert('otel_traces', [{ TraceId: 'refused' }]))
    expect(failure).toMatchObject({ kind: 'data' })
    expect(failure.message).toContain(refusal.replace(/\. \(.*/, ''))
    expect(failure.hint).toContain(hint)
    // Asking again would not help.
    expect(road.asked).toHaveLength(1)
    const store = await openClickHouseStore(road.place)
    const [batch] = readBatches('06-full-protobuf-gzip')
    if (batch === undefined) throw new Error('nothing is recorded')
    const kept = await failureOf(Promise.resolve(store.append(batch)))
    expect(kept).toMatchObject({ kind: 'io' })
    expect(kept.hint).toContain(hint)
    await store.append(batch)
    store.close()
  })

  test('of one of several that came together takes none of the others with it', async () => {
    const store = await openClickHouseStore(road.place)
    const [first] = readBatches('06-full-protobuf-gzip').filter(({ signal }) => signal === 'logs')
    if (first?.signal !== 'logs') throw new Error('no recorded case has logs')
    const logs = first.logs.slice(0, 5).map((log) => ({ signal: 'logs' as const, logs: [log] }))
    const wrong = { code: 27, refusal: 'Cannot parse input: expected comma. (CANNOT_PARSE_INPUT_ASSERTION_FAILED)' }
    // All of them at first, then the first of them by itself.
    road.befall(/^INSERT INTO otel_logs/, wrong, wrong)
    const outcomes = await Promise.allSettled(logs.map((batch) => store.append(batch)))
    expect(outcomes.map(({ status }) => status)).toEqual(logs.map((_, at) => (at === 0 ? 'rejected' : 'fulfilled')))
    // Where nobody answers, nobody is asked for each of them.
    road.clear()
    road.befall(/^INSERT INTO otel_logs/, 'cut', 'cut')
    const unheard = await Promise.allSettled(logs.map((batch) => store.append(batch)))
    expect(new Set(unheard.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(road.asked).toHaveLength(2)
    store.close()
  })

  test('of who asks comes before anything else, and tells no password', async () => {
    const wrong = openClickHouse({ ...road.place, password: 'a wrong one' })
    const failure = await failureOf(wrong.rows('SELECT 1'))
    expect(failure.message).toContain('Authentication failed')
    expect(failure.hint).toContain('user and the password')
    expect(`${failure.message}${failure.hint}`).not.toContain('a wrong one')
    await wrong.close()
  })

  test('of an option that nobody knows is a mistake in the settings', async () => {
    const place = clickhousePlace('http://otel:secret@127.0.0.1:8123/otel?compresion=1') as ClickHousePlace
    const failure = await failureOf((async () => openClickHouse(place))())
    expect(failure).toMatchObject({ kind: 'config' })
    expect(failure.message).toContain('compresion')
    expect(failure.message).not.toContain('secret')
  })
})

describe('Inserts', () => {
  test('that are small are gathered by ClickHouse and waited for; large ones are parts of their own, in pieces', async () => {
    await clickhouse.insert('claude_marks', [mark('small')])
    const many = Array.from({ length: 25_000 }, (_, n) => mark(`many ${n}`))
    await clickhouse.insert('claude_marks', many)
    const modes = road.asked.map(({ parameters }) => [parameters.async_insert, parameters.wait_for_async_insert])
    expect(modes).toEqual([
      ['1', '1'],
      ['0', '1'],
      ['0', '1'],
      ['0', '1'],
    ])
    expect(await engine.ask("SELECT count() FROM claude_marks FINAL WHERE Key LIKE 'many %'")).toBe('25000')
  })

  test('of nothing ask nothing', async () => {
    await clickhouse.insert('claude_marks', [])
    expect(road.asked).toHaveLength(0)
  })

  test('and answers are packed where the URL says so, and as they are on this machine', async () => {
    const packing = openClickHouse({ ...road.place, options: '?compression_request=1&compression_response=1' })
    await packing.insert('claude_marks', [mark('packed')])
    expect(await packing.rows<object>("SELECT Value FROM claude_marks FINAL WHERE Key = 'packed'")).toEqual([
      { Value: 'v' },
    ])
    expect(road.asked.map(({ headers }) => headers['content-encoding'] ?? headers['accept-encoding'])).toEqual([
      'gzip',
      'gzip',
    ])
    await packing.close()
    road.clear()
    await clickhouse.insert('claude_marks', [mark('plain')])
    expect(road.asked[0]?.headers['content-encoding']).toBeUndefined()
  })
})

test('TLS: whom somebody trusted has signed is spoken to, nobody else', async () => {
  const { ca, server } = createCertificates(folder.path)
  const secure = await openRoad(engine.place, { tls: server })
  const url = secure.place.url.replace('//', `//otel:${enginePassword}@`)
  const usage = async (env: Record<string, string>) => {
    const child = Bun.spawn([claudeOtelBinary, 'usage', '--json', '--store', `${url}/otel`], {
      env: { HOME: folder.path, ...env },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    return { code: await child.exited, stdout, stderr }
  }
  const trusting = await usage({ NODE_EXTRA_CA_CERTS: ca })
  expect(trusting).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(trusting.stdout)).toHaveProperty('totals')
  const wary = await usage({})
  expect(wary.code).toBe(69)
  expect(wary.stderr).toContain('certificate')
  await secure.close()
})
