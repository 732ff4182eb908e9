/** The schema on ClickHouse's own engine: versions, ages, what is counted from it; reached by ClickHouse's official client. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Failure } from '../../src/base/errors.ts'
import { renderInit } from '../../src/stack/clickhouse.ts'
import { versionOf } from '../../src/stack/images.ts'
import { type ClickHouse, openClickHouse } from '../../src/store/clickhouse-client.ts'
import { migrateClickHouse } from '../../src/store/clickhouse-migrate.ts'
import { clickhouseMigrations, rememberVersion } from '../../src/store/clickhouse-schema.ts'
import { type Engine, keptDays, startEngine, temporaryFolder } from './kit.ts'
import { statementsOf } from './statements.ts'

const folder = temporaryFolder()
let engine: Engine
beforeAll(async () => {
  engine = await startEngine(folder.path, 0, { isEmpty: true })
}, 120_000)
afterAll(async () => {
  await engine.stop()
  await folder.remove()
})

const tables = "SELECT name, engine FROM system.tables WHERE database = 'otel' ORDER BY name"

test('The engine is of the version that the image has', async () => {
  expect(await engine.ask('SELECT version()')).toStartWith(`${versionOf('clickhouse')}.`)
})

describe('The schema', () => {
  test('is the same whether clickhouse-init.sql lays it down or it is brought up to date', async () => {
    for (const statement of statementsOf(renderInit(keptDays)))
      if (!statement.startsWith('USE ')) await engine.ask(statement)
    const byInit = await engine.ask(tables)
    expect(byInit.split('\n').length).toBeGreaterThan(18)
    await engine.ask('DROP DATABASE otel')
    const elsewhere = openClickHouse({ ...engine.place, database: 'default' })
    await elsewhere.run('CREATE DATABASE otel')
    await elsewhere.close()
    expect(await migrateClickHouse(engine.clickhouse, keptDays)).toBe(0)
    expect(await engine.ask(tables)).toBe(byInit)
  })

  test('is left as it is by whoever finds it up to date', async () => {
    await engine.ask("INSERT INTO otel_traces (Timestamp, TraceId, SpanId) VALUES (now64(9), 'a', 'b')")
    const asked: string[] = []
    const watched: Pick<ClickHouse, 'run' | 'rows'> = {
      run: (statement) => {
        asked.push(statement)
        return engine.clickhouse.run(statement)
      },
      rows: (question) => engine.clickhouse.rows(question),
    }
    expect(await migrateClickHouse(watched, keptDays)).toBe(clickhouseMigrations.length)
    expect(asked.filter((each) => /otel_traces/.test(each) && !each.startsWith('ALTER'))).toEqual([])
    expect(await engine.ask('SELECT count() FROM otel_traces')).toBe('1')
  })

  test('holds every table that grows to an age, which can be changed', async () => {
    const grown =
      "SELECT name, extract(create_table_query, 'toIntervalDay.([0-9]+).') FROM system.tables WHERE database = 'otel' AND engine LIKE '%MergeTree' AND name != 'claude_otel_schema' ORDER BY name"
    const days = async () =>
      new Map((await engine.ask(grown)).split('\n').map((line) => line.split('\t') as [string, string]))
    expect([...(await days()).values()].filter((each) => each === '')).toEqual([])
    await migrateClickHouse(engine.clickhouse, { ...keptDays, traces: 3 })
    const after = await days()
    expect(after.get('otel_traces')).toBe('3')
    expect(after.get('otel_logs')).toBe('30')
    expect(after.get('claude_requests')).toBe('400')
  })

  test('of a later version is refused', async () => {
    await engine.ask(rememberVersion(clickhouseMigrations.length + 1))
    const error = await migrateClickHouse(engine.clickhouse, keptDays).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Failure)
    expect(String(error)).toContain(`schema ${clickhouseMigrations.length + 1}`)
    await engine.ask(
      `ALTER TABLE claude_otel_schema DELETE WHERE Version > ${clickhouseMigrations.length} SETTINGS mutations_sync = 1`,
    )
  })
})

/** One request of a session, as a teller tells it. */
function request(session: string, source: string, id: string, input: number): string {
  return `('${session}', '${source}', '${id}', '2026-11-21 10:30:00', 'claude-x', ${input}, 1, 0, 0)`
}

const requestColumns =
  'SessionId, Source, Id, Time, Model, InputTokens, OutputTokens, CacheReadTokens, CacheCreationTokens'

describe('Usage', () => {
  test('is that of the teller who knows the most, and never the sum of two', async () => {
    const rows = [
      request('fuller events', 'wrapper', 'a', 10),
      request('fuller events', 'events', 'x', 10),
      request('fuller events', 'events', 'y', 10),
      request('equal', 'wrapper', 'a', 7),
      request('equal', 'events', 'x', 7),
    ]
    await engine.ask(`INSERT INTO claude_requests (${requestColumns}) VALUES ${rows.join(', ')}`)
    const sums =
      'SELECT SessionId, any(Source), sum(InputTokens), uniqExact(Source) FROM claude_usage GROUP BY SessionId ORDER BY SessionId'
    expect(await engine.ask(sums)).toBe('equal\twrapper\t7\t1\nfuller events\tevents\t20\t1')
  })

  test('by the hour, session and model adds up to the same', async () => {
    const hourly = await engine.ask(
      'SELECT Hour, SessionId, Model, Requests, InputTokens FROM claude_usage_hourly ORDER BY SessionId',
    )
    expect(hourly.split('\n')).toEqual([
      '2026-11-21 10:00:00\tequal\tclaude-x\t1\t7',
      '2026-11-21 10:00:00\tfuller events\tclaude-x\t2\t20',
    ])
  })
})

describe('Usage of a time', () => {
  const since = Date.UTC(2026, 10, 21, 10) / 1000
  const within = (columns: string, from = since, to = since + 3600) =>
    engine.ask(
      `SELECT ${columns} FROM claude_usage_within(since = ${from}, until = ${to}) WHERE startsWith(SessionId, 'of a time') ORDER BY ALL`,
    )

  test('is what the fullest teller of all times says of it', async () => {
    const at = (session: string, source: string, id: string, time: string, input: number) =>
      `('of a time, ${session}', '${source}', '${id}', '${time}', 'claude-x', ${input}, 0, 0, 0)`
    const rows = [
      at('fuller before', 'wrapper', 'a', '2026-11-21 10:30:00', 10),
      at('fuller before', 'events', 'x', '2026-11-21 10:30:00', 5),
      at('fuller before', 'events', 'y', '2026-11-19 10:30:00', 100),
      at('fuller before', 'events', 'z', '2026-11-21 11:30:00', 6),
      at('never then', 'wrapper', 'b', '2026-11-20 10:30:00', 1),
      at('begins with it', 'wrapper', 'c', '2026-11-21 10:00:00', 2),
      at('ends with it', 'wrapper', 'd', '2026-11-21 11:00:00', 3),
    ]
    await engine.ask(`INSERT INTO claude_requests (${requestColumns}) VALUES ${rows.join(', ')}`)
    expect((await within('SessionId, Source, InputTokens')).split('\n')).toEqual([
      'of a time, begins with it\twrapper\t2',
      'of a time, fuller before\tevents\t5',
    ])
  })

  test('is that of claude_usage, which asks all sessions', async () => {
    const columns = 'SessionId, Source, Time, Model, InputTokens, CostUsd'
    const all = await engine.ask(
      `SELECT ${columns} FROM claude_usage WHERE startsWith(SessionId, 'of a time') ORDER BY ALL`,
    )
    expect(all.split('\n').length).toBe(6)
    expect(await within(columns, 0, 4_000_000_000)).toBe(all)
  })

  test('of a request whose session is not said is that of an unknown one', async () => {
    await engine.ask(`INSERT INTO otel_logs (Timestamp, ScopeName, EventName, LogAttributes) VALUES ('2026-11-21 10:10:00',
      'com.anthropic.claude_code.events', 'api_request', {'input_tokens': '7', 'model': 'nobody’s'})`)
    expect(await engine.ask("SELECT SessionId, InputTokens FROM claude_usage WHERE Model = 'nobody’s'")).toBe(
      'unknown\t7',
    )
  })

  test('that is over is in one part each day, of which FINAL has nothing to merge', async () => {
    const tables = `SELECT name, partition_key FROM system.tables WHERE database = 'otel'
      AND engine_full LIKE '%min_age_to_force_merge_seconds = 3600, min_age_to_force_merge_on_partition_only = 1%' ORDER BY name`
    expect((await engine.ask(tables)).split('\n')).toEqual([
      'claude_requests\ttoDate(Time)',
      'claude_tool_calls\ttoDate(Time)',
      'claude_usage_points\ttoDate(Time)',
    ])
  })
})

/** A point of a counter. */
function point(name: string, session: string, start: string, time: string, value: number, temporality = 2): string {
  return `('${name}', {'session.id': '${session}'}, '${start}', '${time}', ${value}, ${temporality})`
}

describe('Costs', () => {
  test('are what a counter grew by, over restarts and repeats, of the teller who says more', async () => {
    const points = [
      point('claude.cost_usd_total', 'one', '2026-11-20 00:00:00', '2026-11-20 00:01:00', 1),
      point('claude.cost_usd_total', 'one', '2026-11-20 00:00:00', '2026-11-21 00:01:00', 3.5),
      point('claude.cost_usd_total', 'one', '2026-11-20 00:00:00', '2026-11-21 00:01:00', 3.5),
      point('claude.cost_usd_total', 'one', '2026-11-21 12:00:00', '2026-11-21 12:01:00', 2),
      point('claude_code.cost.usage', 'one', '2026-11-20 00:00:00', '2026-11-21 12:01:00', 4),
      point('claude_code.cost.usage', 'falls', '2026-11-21 00:00:00', '2026-11-21 00:01:00', 3),
      point('claude_code.cost.usage', 'falls', '2026-11-21 00:00:00', '2026-11-21 00:02:00', 1),
      point('claude_code.cost.usage', 'deltas', '2026-11-21 00:00:00', '2026-11-21 00:01:00', 0.5, 1),
      point('claude_code.cost.usage', 'deltas', '2026-11-21 00:01:00', '2026-11-21 00:02:00', 0.25, 1),
    ]
    await engine.ask(`INSERT INTO otel_metrics_sum (MetricName, Attributes, StartTimeUnix, TimeUnix, Value, AggregationTemporality)
      VALUES ${points.join(', ')}`)
    const daily = 'SELECT SessionId, toDate(Time), sum(Usd) FROM claude_costs GROUP BY ALL ORDER BY ALL'
    expect((await engine.ask(daily)).split('\n')).toEqual([
      'deltas\t2026-11-21\t0.75',
      'falls\t2026-11-21\t4',
      'one\t2026-11-20\t1',
      'one\t2026-11-21\t4.5',
    ])
  })
})

test('A counter of tokens that falls has begun anew, whatever the order of its points', async () => {
  const points = [
    [3, 12],
    [1, 10],
    [2, 4],
  ].map(
    ([minute, value]) =>
      `('claude_code.token.usage', {'session.id': 'falls', 'type': 'input', 'model': 'm'}, '2026-11-21 00:00:00', '2026-11-21 00:0${minute}:00', ${value}, 2, true)`,
  )
  for (const each of points)
    await engine.ask(`INSERT INTO otel_metrics_sum
      (MetricName, Attributes, StartTimeUnix, TimeUnix, Value, AggregationTemporality, IsMonotonic) VALUES ${each}`)
  expect(await engine.ask("SELECT sum(InputTokens) FROM claude_usage WHERE SessionId = 'falls'")).toBe('22')
})

describe('A session', () => {
  test('is one row, whatever comes in whichever order', async () => {
    const log = (time: string, more: string) => `('${time}', {'session.id': 'whole', ${more}})`
    const rows = [
      log('2026-11-21 12:00:00', "'vcs.repository.name': 'repo', 'vcs.owner.name': 'me'"),
      log('2026-11-21 09:00:00', "'claude.version': '2.1.0'"),
      log('2026-11-21 13:00:00', "'event.name': 'session.end', 'session.end_reason': 'exit'"),
    ]
    for (const row of [...rows, ...rows.toReversed()])
      await engine.ask(`INSERT INTO otel_logs (Timestamp, LogAttributes) VALUES ${row}`)
    const facts =
      "SELECT FirstTime, LastTime, Repository, Version, EndReason FROM claude_sessions WHERE SessionId = 'whole'"
    expect(await engine.ask(facts)).toBe('2026-11-21 09:00:00.000000\t2026-11-21 13:00:00.000000\tme/repo\t2.1.0\texit')
  })
})

test('The client writes and reads the tables, numbers of 64 bits too', async () => {
  const { clickhouse } = engine
  const row = {
    Timestamp: '2026-11-21 10:00:00.123456789',
    TraceId: 'client',
    SpanId: 's',
    Duration: '18446744073709551615',
    SpanAttributes: { "it's": 'a\tb' },
  }
  await clickhouse.insert('otel_traces', [row])
  const question = `SELECT Timestamp, toString(Duration) AS Duration, SpanAttributes, toUnixTimestamp64Micro(Timestamp) AS micros,
    toUInt64(9007199254740991) AS largest, toFloat64('nan') AS unknown FROM otel_traces WHERE TraceId = 'client'`
  const { TraceId: _, SpanId: __, ...told } = row
  expect(await clickhouse.rows<object>(question)).toEqual([
    {
      ...told,
      micros: Date.UTC(2026, 10, 21, 10) * 1000 + 123_456,
      largest: Number.MAX_SAFE_INTEGER,
      unknown: null,
    },
  ])
})
