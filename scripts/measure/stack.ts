/** The store of many: rows into ClickHouse, and how soon each view and each panel has its answer over ten million spans. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dashboards } from '../../src/stack/dashboards.ts'
import { openClickHouseStore } from '../../src/store/clickhouse.ts'
import { type AnyStore, openStore } from '../../src/store/store.ts'
import { createHubHome } from '../../test/hub/kit.ts'
import { until } from '../../test/kit/until.ts'
import { expandMacros } from '../../test/stack/grafana.ts'
import { type Engine, enginePassword, settingsFor, startCollector, startEngine } from '../../test/stack/kit.ts'
import { engineModules } from '../engine.ts'
import { type FullClickHouse, fullClickHouse } from '../full-clickhouse.ts'
import { fillStore } from '../full-store.ts'
import { sendAll, UniqueRequests } from '../otlp-load.ts'
import { type Answer, askViews, slowestOf } from './hub-views.ts'
import { type Measure, quantile } from './kit.ts'

const SPANS = 10_000_000
/** To the store, and to the Collector. */
const SENT = 50_000
const PER_REQUEST = 1000
/** Each view and each panel. */
const TIMES = 6
/** Grafana's dashboards show so many at first. */
const DAYS = 7

/** The same rows to the hub's store in ClickHouse and in SQLite, then spans to the stack's Collector until its exporter has written all. */
export async function measureStackIntake(): Promise<Measure[]> {
  if (process.platform !== 'linux' || (await engineModules()) === undefined) return []
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-bench-'))
  const engine = await startEngine(folder)
  try {
    const clickhouse = await rowsInto(await openClickHouseStore(engine.place))
    const sqlite = await rowsInto(await openStore(join(folder, 'hub.db')))
    const collector = await rowsByCollector(engine, folder)
    const into = 'spans, log records and points, in requests of 20 spans'
    return [
      {
        ...{ name: 'stack.store', title: 'Into ClickHouse by the hub’s store, with all views', unit: 'rows/s' },
        ...{
          value: clickhouse.perSecond,
          from: `${clickhouse.rows} ${into}; into SQLite ${sqlite.perSecond.toFixed(0)}`,
        },
      },
      {
        ...{
          name: 'stack.collector',
          title: 'Into ClickHouse by the stack’s Collector, with all views',
          unit: 'rows/s',
        },
        ...{
          value: collector.perSecond,
          from: `${collector.rows} spans in requests of ${PER_REQUEST}, through its queue on disk`,
        },
      },
    ]
  } finally {
    await engine.stop()
    await rm(folder, { recursive: true })
  }
}

interface Rate {
  readonly rows: number
  readonly perSecond: number
}

async function rateOf(work: () => Promise<number>): Promise<Rate> {
  const startMs = performance.now()
  const rows = await work()
  return { rows, perSecond: rows / ((performance.now() - startMs) / 1000) }
}

async function rowsInto(store: AnyStore): Promise<Rate> {
  try {
    return await rateOf(async () => {
      const { spans, logs, points } = await fillStore(store, SENT)
      return spans + logs + points
    })
  } finally {
    store.close()
  }
}

async function rowsByCollector(engine: Engine, folder: string): Promise<Rate> {
  const settings = settingsFor()
  const collector = await startCollector({ settings, folder, clickhousePort: engine.port })
  try {
    const headers = { 'content-type': 'application/x-protobuf', authorization: `Bearer ${settings.secrets.otlpToken}` }
    const url = `http://127.0.0.1:${collector.places.httpPort}/v1/traces`
    const send = async (body: Uint8Array) => {
      const { status } = await fetch(url, { method: 'POST', headers, body })
      if (status !== 200) throw new Error(`the Collector answers ${status}`)
    }
    const count = async () => Number(await engine.ask('SELECT count() FROM otel_traces'))
    const before = await count()
    const next = new UniqueRequests(PER_REQUEST).next
    return await rateOf(async () => {
      await sendAll({ send, close: () => {} }, next, { requests: SENT / PER_REQUEST, atOnce: 4 })
      await until('all spans', async () => (await count()) >= before + SENT, { timeoutMs: 120_000, everyMs: 50 })
      return SENT
    })
  } finally {
    await collector.stop()
  }
}

/** Ten times what SQLite is measured with, asked by the dashboard and by Grafana. */
export async function measureStackQueries(): Promise<Measure[]> {
  if ((await engineModules()) === undefined) return []
  const full = await fullClickHouse(SPANS)
  const engine = await startEngine(full.folder)
  const over = `${full.spans} spans, ${full.logs} log records of ${full.sessions} sessions in ClickHouse`
  try {
    return [
      {
        ...{ name: 'stack.views', title: `The slowest view of the dashboard at ${over}, p95` },
        ...slowestOf(await askHub(engine, full), `${TIMES} requests each`),
      },
      {
        ...{ name: 'stack.panels', title: `Grafana’s slowest panel there, over ${DAYS} days, p95` },
        ...slowestOf(await askPanels(engine), `${TIMES} queries each`),
      },
    ]
  } finally {
    await engine.stop()
  }
}

async function askHub({ port }: Engine, { sent }: FullClickHouse): Promise<readonly Answer[]> {
  const home = createHubHome()
  try {
    const hub = await home.start(['--store', `http://otel:${enginePassword}@127.0.0.1:${port}/otel`])
    const answers = await askViews(hub.port, sent, TIMES)
    await hub.end()
    return answers
  } finally {
    home.remove()
  }
}

/** As clickhouse-users.xml says it for Grafana. */
const ofUsers = 'SETTINGS do_not_merge_across_partitions_select_final = 1'

async function askPanels({ ask }: Engine): Promise<readonly Answer[]> {
  const panels = dashboards.flatMap(({ id, panels }) =>
    panels.filter(({ query }) => query.source === 'clickhouse').map((panel) => ({ id, ...panel })),
  )
  const answers: Answer[] = []
  for (const { id, title, query } of panels) {
    const times: number[] = []
    for (let round = 0; round < TIMES; round++) {
      const startMs = performance.now()
      await ask(`${expandMacros(query.text, DAYS)} ${ofUsers}`)
      times.push(performance.now() - startMs)
    }
    answers.push({ name: `${id}: ${title}`, p95: quantile(times, 0.95) })
  }
  return answers
}
