/**
 * A ClickHouse database with weeks of a team's work in it: sessions that went through the hub's store, and copies of these made by
 * ClickHouse itself, each with ids of its own, as a Collector would have written them. Kept in the user's cache for a day, since
 * what the dashboard asks for is counted from now.
 */
import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { openClickHouseStore } from '../src/store/clickhouse.ts'
import { agingStatements, clickhouseMigrations } from '../src/store/clickhouse-schema.ts'
import { type Engine, keptDays, startEngine } from '../test/stack/kit.ts'
import { cachedBuild } from './cache.ts'
import { type FullStore, fillStore } from './full-store.ts'

export interface FullClickHouse {
  /** A folder for `startEngine`. */
  readonly folder: string
  /** What went through the store; the other sessions are like these. */
  readonly sent: FullStore
  readonly spans: number
  readonly logs: number
  readonly sessions: number
}

/** Sent through the store; the rest are copies of it. */
const sentSpans = 100_000
/** Rows that each of two threads of ClickHouse writes at once, some gigabyte of memory. */
const rowsAtOnce = 500_000

/** The database, made first if the cache has none of today with this schema, which takes some minutes. */
export async function fullClickHouse(spans: number): Promise<FullClickHouse> {
  const day = new Date().toISOString().slice(0, 10)
  const sources = ['full-clickhouse.ts', 'full-store.ts'].map((name) => Bun.file(join(import.meta.dir, name)).text())
  const schema = JSON.stringify([clickhouseMigrations, agingStatements(keptDays)])
  const parts = [day, String(spans), schema, ...(await Promise.all(sources))]
  const folder = await cachedBuild(`clickhouse-${spans}`, parts, (home) => build(home, spans))
  await removeOthers(folder)
  return { folder, ...(await Bun.file(join(folder, 'full.json')).json()) }
}

/** They are of other days, and gigabytes. */
async function removeOthers(folder: string): Promise<void> {
  const name = basename(folder).replace(/[^-]+$/, '')
  for (const other of await readdir(dirname(folder)))
    if (other.startsWith(name) && other !== basename(folder) && !/[.]/.test(other))
      await rm(join(dirname(folder), other), { recursive: true })
}

async function build(folder: string, spans: number): Promise<void> {
  console.error(`Filling ClickHouse with ${spans} spans (once a day, some minutes) …`)
  const engine = await startEngine(folder)
  try {
    const sent = await fillStore(await openClickHouseStore(engine.place), sentSpans)
    await copy(engine, Math.round(spans / sent.spans))
    const count = async (table: string) => Number(await engine.ask(`SELECT count() FROM ${table}`))
    const counts = {
      spans: await count('otel_traces'),
      logs: await count('otel_logs'),
      sessions: await count('claude_sessions'),
    }
    await Bun.write(join(folder, 'full.json'), JSON.stringify({ sent, ...counts }))
  } finally {
    await engine.stop()
  }
}

/** Every table beside itself, until there is so many times what there was. What the views would make is copied as well. */
async function copy(engine: Engine, times: number): Promise<void> {
  const run = (statement: string) => command(engine, statement)
  const names = async (kind: string) =>
    (await engine.ask(`SELECT name FROM system.tables WHERE database = 'otel' AND engine LIKE '${kind}'`)).split('\n')
  const views = await names('MaterializedView')
  for (const view of views) await run(`DETACH TABLE ${view}`)
  await run('CREATE DATABASE sent')
  for (const table of await names('%MergeTree')) {
    const columns = await columnsOf(engine, table)
    const list = columns.map(({ name }) => `\`${name}\``).join(', ')
    const count = Number(await engine.ask(`SELECT count() FROM ${table}`))
    if (count === 0 || !columns.some(({ name }) => ids.has(name))) continue
    await run(`CREATE TABLE sent.${table} ENGINE = MergeTree ORDER BY tuple() AS SELECT ${list} FROM ${table}`)
    const step = Math.max(1, Math.floor((2 * rowsAtOnce) / count))
    for (let from = 1; from < times; from += step) {
      const copies = `(SELECT number AS copy FROM numbers(${from}, ${Math.min(step, times - from)}))`
      await run(`INSERT INTO ${table} (${list}) SELECT ${columns.map(copied).join(', ')} FROM sent.${table} CROSS JOIN ${copies} AS n
        SETTINGS min_insert_block_size_rows = ${rowsAtOnce}, min_insert_block_size_bytes = 0, max_insert_threads = 2`)
    }
  }
  await run('DROP DATABASE sent')
  for (const view of views) await run(`ATTACH TABLE ${view}`)
  await settle(engine)
}

/** What ClickHouse does of itself within hours: days that are over become one part each, where the schema says so. */
async function settle(engine: Engine): Promise<void> {
  const parts = await engine.ask(`SELECT DISTINCT table, partition_id FROM system.parts
    WHERE active AND database = 'otel' AND partition_id < formatDateTime(now(), '%Y%m%d') AND table IN (
      SELECT name FROM system.tables WHERE database = 'otel' AND engine_full LIKE '%min_age_to_force_merge_on_partition_only%')`)
  for (const line of parts.split('\n')) {
    const [table = '', partition = ''] = line.split('\t')
    await command(engine, `OPTIMIZE TABLE ${table} PARTITION ID '${partition}' FINAL`)
  }
}

interface Column {
  readonly name: string
  readonly type: string
}

async function columnsOf({ ask }: Engine, table: string): Promise<readonly Column[]> {
  const text = await ask(`SELECT name, type FROM system.columns
    WHERE database = 'otel' AND table = '${table}' AND default_kind IN ('', 'DEFAULT') ORDER BY position`)
  return text.split('\n').map((line) => {
    const [name = '', type = ''] = line.split('\t')
    return { name, type }
  })
}

const session = (id: string) => `concat(lower(hex(toUInt32(cityHash64(${id}, copy)))), substring(${id}, 9))`
const drawn = (id: string) => `lower(hex(cityHash64(${id}, copy)))`
const withSession = (map: string) => `mapUpdate(${map}, map('session.id', ${session(`${map}['session.id']`)}))`

/** What tells a copy from what it was made of. */
const ids: ReadonlyMap<string, (name: string) => string> = new Map([
  ['SessionId', session],
  ['TraceId', (id) => `concat(${drawn(id)}, substring(${id}, 17))`],
  ['SpanId', drawn],
  ['ParentSpanId', (id) => `if(${id} = '', '', ${drawn(id)})`],
  ['Id', (id) => `concat(${id}, toString(copy))`],
  ['SpanAttributes', withSession],
  ['LogAttributes', withSession],
  ['Attributes', withSession],
  // A Collector writes none.
  ['Original', () => "''"],
])

const secondsApart = 37

function copied({ name, type }: Column): string {
  const id = type.includes('AggregateFunction') && name !== 'SessionId' ? undefined : ids.get(name)
  if (id !== undefined) return id(name)
  return /^DateTime64/.test(type) ? `${name} - toIntervalSecond(${secondsApart} * copy)` : `\`${name}\``
}

/** Without an end to how long it may take. */
async function command({ place }: Engine, statement: string): Promise<void> {
  const headers = { 'X-ClickHouse-User': place.user, 'X-ClickHouse-Key': place.password }
  const response = await fetch(`${place.url}/?database=otel`, { method: 'POST', headers, body: statement })
  const text = await response.text()
  if (!response.ok) throw new Error(text.slice(0, 1000))
}
