/** What every store must do, and what happens to the file of the SQLite one. */

import { Database } from 'bun:sqlite'
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrations } from '../../src/store/schema.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { openStore, type Store, stores } from '../../src/store/store.ts'
import type { OtlpLogRecord, OtlpPoint, OtlpSource, OtlpSpan } from '../../src/telemetry/otlp.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-store-'))
afterAll(() => rmSync(root, { recursive: true }))

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(root, 'home-')), 'deep', 'hub.db')
})

const begin = Date.now() * 1000 - 1_000_000
const source: OtlpSource = {
  resource: { 'service.name': 'claude-code', 'process.pid': 7, deep: { list: [1, 'two', null, true] } },
  scopeName: 'scope',
  scopeVersion: '1',
  scopeAttributes: {},
}

function span(id: number, more: Partial<OtlpSpan> = {}): OtlpSpan {
  return {
    source,
    traceId: '1'.repeat(32),
    spanId: id.toString(16).padStart(16, '0'),
    flags: 257,
    name: `span ${id}`,
    kind: 1,
    startUnixMicro: begin + id,
    endUnixMicro: begin + id + 10,
    attributes: {
      'session.id': 's1',
      text: 'Größe ☃ "quoted"\n',
      big: '9007199254740993',
      list: ['a', 'b'],
      nothing: null,
    },
    events: [{ timeUnixMicro: begin + id, name: 'event', attributes: { a: 1.5 } }],
    links: [{ traceId: '2'.repeat(32), spanId: '3'.repeat(16), attributes: {} }],
    statusCode: 0,
    ...more,
  }
}

function log(id: number, more: Partial<OtlpLogRecord> = {}): OtlpLogRecord {
  return {
    source,
    timeUnixMicro: begin + id,
    observedUnixMicro: begin + id + 1,
    severityNumber: 9,
    eventName: 'claude.user_prompt',
    body: { words: ['of', `log ${id}`] },
    attributes: { 'session.id': 's1', id },
    ...more,
  }
}

const common = {
  source,
  unit: 'token',
  description: 'd',
  attributes: { 'session.id': 's1', model: 'opus' },
  startUnixMicro: begin,
  isAbsent: false,
  exemplars: [],
}
const points: readonly OtlpPoint[] = [
  { ...common, name: 'g', type: 'gauge', value: -0.25, timeUnixMicro: begin + 1 },
  {
    ...common,
    name: 's',
    type: 'sum',
    value: 12,
    temporality: 'delta',
    isMonotonic: true,
    timeUnixMicro: begin + 2,
    exemplars: [
      { timeUnixMicro: begin, value: 3, traceId: '1'.repeat(32), spanId: '1'.repeat(16), attributes: { x: 1 } },
    ],
  },
  {
    ...common,
    name: 'h',
    type: 'histogram',
    temporality: 'cumulative',
    count: 3,
    sum: 4.5,
    min: 1,
    max: 2,
    bounds: [1, 2],
    bucketCounts: [1, 2, 0],
    timeUnixMicro: begin + 3,
  },
  {
    ...common,
    name: 'e',
    type: 'exponential_histogram',
    temporality: 'delta',
    count: 3,
    scale: 2,
    zeroCount: 1,
    zeroThreshold: 0.1,
    positive: { offset: 1, bucketCounts: [1, 1] },
    negative: { offset: 0, bucketCounts: [] },
    timeUnixMicro: begin + 4,
  },
  {
    ...common,
    name: 'q',
    type: 'summary',
    count: 2,
    sum: 3,
    quantiles: [{ quantile: 0.5, value: 1 }],
    timeUnixMicro: begin + 5,
  },
]
const always = { sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }

/** Runs over the table: whoever adds a store adds how a fresh one is had here. */
const fresh: Readonly<Record<string, () => string>> = { 'sqlite:': () => path }

describe.each(Object.keys(stores))('the store %s', (scheme) => {
  let store: Store
  const open = async (): Promise<Store> => {
    const where = fresh[scheme]
    if (where === undefined) throw new Error(`the suite does not know how to get a fresh store of ${scheme}`)
    return openStore(where())
  }

  async function withStore(play: () => Promise<void>): Promise<void> {
    store = await open()
    try {
      await play()
    } finally {
      store.close()
    }
  }

  test('gives back every span, log record and point as it came', () =>
    withStore(async () => {
      const child = span(2, { parentSpanId: span(1).spanId, statusCode: 2, statusMessage: 'no', traceState: 'a=b' })
      await store.append({ signal: 'traces', spans: [child, span(1)] })
      await store.append({
        signal: 'logs',
        logs: [log(2, { traceId: '1'.repeat(32), spanId: '2'.repeat(16) }), log(1)],
      })
      await store.append({ signal: 'metrics', points })
      expect(store.trace('1'.repeat(32))).toEqual([span(1), child])
      expect(store.sessionSpans('s1')).toEqual([span(1), child])
      expect(store.sessionLogs('s1').map(({ timeUnixMicro }) => timeUnixMicro)).toEqual([begin + 1, begin + 2])
      expect(store.sessionLogs('s1')[0]).toEqual(log(1))
      for (const point of points) expect(store.points(point.name, always)).toEqual([point])
    }))

  test('takes once what is sent again, in another request and in the same', () =>
    withStore(async () => {
      for (let time = 0; time < 2; time++) {
        await store.append({ signal: 'traces', spans: [span(1), span(1)] })
        await store.append({ signal: 'logs', logs: [log(1), log(1)] })
        await store.append({ signal: 'metrics', points: [...points, ...points] })
      }
      expect(store.counts()).toMatchObject({ spans: 1, logs: 1, points: points.length })
    }))

  test('knows a log record by its own id, though its words have changed', () =>
    withStore(async () => {
      const uid = { 'log.record.uid': '01ARZ3NDEKTSV4RRFFQ69G5FAV' }
      await store.append({ signal: 'logs', logs: [log(1, { attributes: uid }), log(2, { attributes: uid })] })
      expect(store.counts().logs).toBe(1)
    }))

  test('knows a series whatever the order of its attributes is', () =>
    withStore(async () => {
      const [gauge] = points
      if (gauge === undefined) throw new Error('no point')
      const turned = { ...gauge, attributes: { model: 'opus', 'session.id': 's1' } }
      await store.append({ signal: 'metrics', points: [gauge, turned] })
      expect(store.points('g', always)).toHaveLength(1)
    }))

  test('answers requests that come at once, each when it is kept', () =>
    withStore(async () => {
      const ids = Array.from({ length: 200 }, (_, index) => index)
      await Promise.all(ids.map((id) => store.append({ signal: 'traces', spans: [span(id)] })))
      expect(store.trace('1'.repeat(32)).map(({ name }) => name)).toEqual(ids.map((id) => `span ${id}`))
    }))

  test('keeps everything over its closing', async () => {
    await withStore(() => store.append({ signal: 'traces', spans: [span(1)] }))
    await withStore(async () => {
      expect(store.trace('1'.repeat(32))).toEqual([span(1)])
      await store.append({ signal: 'metrics', points })
      expect(store.points('s', always)).toHaveLength(1)
    })
  })

  test('gives points of a period only', () =>
    withStore(async () => {
      await store.append({ signal: 'metrics', points })
      expect(store.points('s', { sinceUnixMicro: begin + 2, untilUnixMicro: begin + 3 })).toHaveLength(1)
      expect(store.points('s', { sinceUnixMicro: begin + 3, untilUnixMicro: begin + 4 })).toEqual([])
      expect(store.points('s', { sinceUnixMicro: begin, untilUnixMicro: begin + 2 })).toEqual([])
    }))

  test('gives back a request of very many records, large ones among them', () =>
    withStore(async () => {
      const many = Array.from({ length: 700 }, (_, id) =>
        span(id, { attributes: { 'session.id': 's1', text: 'x'.repeat(id % 50 === 0 ? 200_000 : id) } }),
      )
      await store.append({ signal: 'traces', spans: many })
      await store.append({ signal: 'traces', spans: many.toReversed() })
      expect(store.trace('1'.repeat(32))).toEqual(many)
      expect(store.span('1'.repeat(32), span(650).spanId)).toEqual(many[650])
      const part = store.sessionSpans('s1', { limit: 10, after: many[400] as OtlpSpan })
      expect(part).toEqual(many.slice(401, 411))
      expect(store.sessionLogs('s1')).toEqual([])
    }))

  test('counts what there is over repetitions, forgetting and its closing', async () => {
    const day = 86_400_000
    const old = begin - 3 * day * 1000
    await withStore(async () => {
      const spans = Array.from({ length: 20 }, (_, id) => span(id, { endUnixMicro: id < 7 ? old + id : begin + id }))
      for (let time = 0; time < 2; time++) await store.append({ signal: 'traces', spans })
      await store.append({ signal: 'logs', logs: [log(1), log(2, { timeUnixMicro: old })] })
      await store.append({ signal: 'metrics', points })
      expect(store.counts()).toMatchObject({ spans: 20, logs: 2, points: points.length })
      expect(store.retain({ maxAgeMs: 2 * day, maxBytes: 1e12 })).toBe(8)
      expect(store.counts()).toMatchObject({ spans: 13, logs: 1, points: points.length })
    })
    await withStore(async () => {
      expect(store.counts()).toMatchObject({ spans: 13, logs: 1, points: points.length })
    })
  })

  test('keeps what a request brought until the last of it has ended', () =>
    withStore(async () => {
      const minute = 60_000_000
      const ends = [begin - 10 * minute, begin - 50 * minute]
      const spans = ends.map((at, id) => span(id, { startUnixMicro: at - 1, endUnixMicro: at }))
      await store.append({ signal: 'traces', spans })
      const ageOf = (at: number) => Date.now() - at / 1000
      store.retain({ maxAgeMs: ageOf(begin - 30 * minute), maxBytes: 1e12 })
      expect(store.counts().spans).toBe(2)
      store.retain({ maxAgeMs: ageOf(begin - 5 * minute), maxBytes: 1e12 })
      expect(store.counts().spans).toBe(0)
    }))

  test('has log records without a time of their own where they were seen', () =>
    withStore(async () => {
      await store.append({ signal: 'logs', logs: [log(5, { timeUnixMicro: 0 }), log(1)] })
      expect(store.sessionLogs('s1').map(({ timeUnixMicro }) => timeUnixMicro)).toEqual([begin + 1, begin + 6])
    }))

  test('gives back what came after the oldest was forgotten', () =>
    withStore(async () => {
      const old = begin - 3 * 86_400_000_000
      await store.append({ signal: 'traces', spans: [span(1), span(2, { startUnixMicro: old, endUnixMicro: old })] })
      expect(store.trace('1'.repeat(32))).toHaveLength(2)
      store.retain({ maxAgeMs: 2 * 86_400_000, maxBytes: 1e12 })
      await store.append({ signal: 'logs', logs: [log(3)] })
      expect(store.trace('1'.repeat(32))).toEqual([span(1)])
      expect(store.sessionLogs('s1')).toEqual([log(3)])
      store.retain({ maxAgeMs: -86_400_000, maxBytes: 1e12 })
      await store.append({ signal: 'logs', logs: [log(4)] })
      expect(store.sessionLogs('s1')).toEqual([log(4)])
    }))

  test('forgets what is older than asked, and nothing else', () =>
    withStore(async () => {
      const day = 86_400_000
      const old = begin - 3 * day * 1000
      await store.append({ signal: 'traces', spans: [span(1), span(2, { startUnixMicro: old, endUnixMicro: old })] })
      await store.append({ signal: 'logs', logs: [log(1), log(2, { timeUnixMicro: old })] })
      await store.append({ signal: 'metrics', points: [...points, { ...points[0], timeUnixMicro: old } as OtlpPoint] })
      expect(store.retain({ maxAgeMs: 2 * day, maxBytes: 1e12 })).toBe(3)
      expect(store.counts()).toMatchObject({ spans: 1, logs: 1, points: points.length })
    }))

  test('forgets the oldest beyond its size, and keeps to it', () =>
    withStore(async () => {
      const spans = Array.from({ length: 3000 }, (_, index) => {
        const at = begin - (3000 - index) * 1_000_000
        return span(index, { startUnixMicro: at, endUnixMicro: at, attributes: { filler: 'x'.repeat(500) } })
      })
      await store.append({ signal: 'traces', spans })
      const rows = store.retain({ maxAgeMs: 1e12, maxBytes: 1_000_000 })
      const left = store.trace('1'.repeat(32))
      expect(left.length).toBe(3000 - rows)
      expect(left.length).toBeGreaterThan(100)
      expect(left).toEqual(spans.slice(rows))
    }))

  test('remembers marks by the beginning of their key, the last first, for thirty days', () =>
    withStore(async () => {
      const mark = (key: string, ago: number, value = 'v') => ({ key, timeUnixMicro: begin - ago * dayMicro, value })
      const [old, a, b, other] = [mark('g/old', 31), mark('g/a', 2), mark('g/%', 1), mark('G/a', 0)]
      for (const each of [old, mark('g/a', 3, 'replaced'), a, b, other]) store.putMark(each)
      expect(store.marks('g/', 10)).toEqual([b, a, old])
      expect(store.marks('g/', 1)).toEqual([b])
      expect(store.marks('g/%', 10)).toEqual([b])
      store.retain({ maxAgeMs: 1e12, maxBytes: 1e12 })
      expect(store.marks('', 10)).toEqual([other, b, a])
    }))
})

const dayMicro = 86_400_000_000

test('a store that nobody knows is refused with those that there are', async () => {
  expect(openStore('redis://x')).rejects.toThrow('the store is "redis://x"')
  expect(openStore('not a path')).rejects.toThrow('the store is "not a path"')
})

describe('the file', () => {
  const spanOf = (store: Store): readonly OtlpSpan[] => store.trace('1'.repeat(32))

  test('and its folder are for their owner alone', async () => {
    const store = openSqliteStore(path)
    await store.append({ signal: 'traces', spans: [span(1)] })
    const modes = readdirSync(join(path, '..')).map((name) => statSync(join(path, '..', name)).mode & 0o777)
    expect(modes.length).toBeGreaterThan(1)
    expect(new Set(modes)).toEqual(new Set([0o600]))
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
    store.close()
  })

  test('in a folder that was there leaves the folder as it is', () => {
    const folder = mkdtempSync(join(tmpdir(), 'claude-otel-shared-'))
    try {
      chmodSync(folder, 0o1777)
      openSqliteStore(join(folder, 'hub.db')).close()
      expect(statSync(folder).mode & 0o7777).toBe(0o1777)
      expect(statSync(join(folder, 'hub.db')).mode & 0o777).toBe(0o600)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test('of the first version becomes one of today, with all that is in it', async () => {
    mkdirSync(join(path, '..'), { recursive: true })
    const database = new Database(path)
    database.run(migrations[0] ?? '')
    database.run('PRAGMA user_version = 1')
    database.run("INSERT INTO usage_session VALUES ('s1', 'events', NULL, 5, '{\"sessionId\":\"s1\"}')")
    database.close()
    for (const _ of ['first', 'second']) {
      const store = openSqliteStore(path)
      expect(store.sessionUsages({ sinceUnixMicro: 5, untilUnixMicro: 6 })).toMatchObject([{ sessionId: 's1' }])
      store.putMark({ key: 'a', timeUnixMicro: begin, value: 'b' })
      expect(store.marks('a', 1)).toHaveLength(1)
      store.close()
    }
  })

  test('that another process writes to takes what comes again when that is done', async () => {
    const store = openSqliteStore(path, { busyMs: 20 })
    const other = new Database(path)
    other.run('BEGIN IMMEDIATE')
    const answers = await Promise.allSettled(
      [span(1), span(2)].map((each) => store.append({ signal: 'traces', spans: [each] })),
    )
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(answers[0]).toMatchObject({ reason: { kind: 'io', hint: 'another process writes to it' } })
    other.run('COMMIT')
    other.close()
    await store.append({ signal: 'traces', spans: [span(1)] })
    expect(spanOf(store)).toHaveLength(1)
    store.close()
  })

  test('takes no room for what is sent again', async () => {
    const store = openSqliteStore(path)
    const spans = Array.from({ length: 300 }, (_, id) => span(id))
    for (let time = 0; time < 3; time++) {
      await store.append({ signal: 'traces', spans })
      await store.append({ signal: 'logs', logs: [log(1), log(2)] })
    }
    const file = new Database(path, { readonly: true })
    expect(file.query('SELECT count(*) AS blocks FROM block').get()).toEqual({ blocks: 3 })
    file.close()
    store.close()
  })

  test('of a later version is refused and left as it is', () => {
    openSqliteStore(path).close()
    const database = new Database(path)
    database.run('PRAGMA user_version = 99')
    database.close()
    const before = readFileSync(path)
    expect(() => openSqliteStore(path)).toThrow('was written by a later version (schema 99')
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  test.each([
    [
      'is no database',
      (bytes: Buffer) => Buffer.from('not a database, but long enough to be taken for one'.repeat(20) + bytes.length),
    ],
    [
      'was overwritten in its middle',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 4096), Buffer.alloc(bytes.length - 4096, 0xee)]),
    ],
  ])('that %s is set aside, told, and a new one begun', async (_, damage) => {
    const first = openSqliteStore(path)
    await first.append({ signal: 'traces', spans: Array.from({ length: 500 }, (__, index) => span(index)) })
    first.close()
    const damaged = damage(readFileSync(path))
    writeFileSync(path, damaged)
    const told: string[] = []
    const store = openSqliteStore(path, { notice: (message) => told.push(message) })
    await store.append({ signal: 'traces', spans: [span(1)] })
    expect(spanOf(store)).toEqual([span(1)])
    expect(told).toHaveLength(1)
    expect(told[0]).toContain('set aside as')
    const aside = readdirSync(join(path, '..')).find((name) => name.includes('.damaged-') && !/-(wal|shm)$/.test(name))
    expect(readFileSync(join(path, '..', aside ?? '')).equals(damaged)).toBe(true)
    store.close()
  })

  test('that cannot be made is told with the mend', () => {
    writeFileSync(join(root, 'file'), '')
    expect(() => openSqliteStore(join(root, 'file/hub.db'))).toThrow(join(root, 'file/hub.db'))
  })

  test('has what was answered, though its process was killed in the next moment', async () => {
    const script = join(path, '../../writer.ts')
    const from = (name: string) => JSON.stringify(join(import.meta.dir, name))
    writeFileSync(
      script,
      `import { migrations } from '../../src/store/schema.ts'
import { openSqliteStore } from ${from('../../src/store/sqlite.ts')}
       const store = openSqliteStore(${JSON.stringify(path)})
       const span = ${JSON.stringify(span(0))}
       for (let id = 0; ; id++) {
         await store.append({ signal: 'traces', spans: [{ ...span, spanId: id.toString(16).padStart(16, '0') }] })
         process.stdout.write(id + '\\n')
       }`,
    )
    const child = Bun.spawn([process.execPath, script], { stdout: 'pipe', stderr: 'inherit' })
    let text = ''
    for await (const chunk of child.stdout) {
      text += new TextDecoder().decode(chunk)
      if (text.split('\n').length > 300) child.kill('SIGKILL')
    }
    const answered = text.split('\n').length - 1
    const store = openSqliteStore(path, { notice: () => expect.unreachable() })
    expect(answered).toBeGreaterThanOrEqual(300)
    expect(spanOf(store).length).toBeGreaterThanOrEqual(answered)
    expect(existsSync(`${path}-wal`)).toBe(true)
    store.close()
  })
})
