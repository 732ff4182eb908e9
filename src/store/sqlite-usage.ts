/**
 * Usage in the SQLite store: the tracker's memory as rows, its records, and their sums. Written in the transaction of the request
 * that they come from, so that each increment counts once whatever happens in between.
 */
import type { Database, SQLQueryBindings } from 'bun:sqlite'
import type { OtlpBatch } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import type { Prices } from '../usage/pricing.ts'
import type { SessionUsage, StreamState, UsageChange, UsageMemory, UsageRecord } from '../usage/record.ts'
import { priced } from '../usage/requests.ts'
import { addPrice } from '../usage/sources.ts'
import { trackRequests, trackUsage } from '../usage/tracker.ts'
import type { Period, UsageGroup, UsageSum } from './store.ts'

/** How each grouping is had of a record `r`; days and weeks (from Monday) are those of this machine's time zone. */
const groups: Readonly<Record<UsageGroup, string>> = {
  minute: 'cast(r.time / 60000000 * 60 AS TEXT)',
  querySource: "coalesce(r.query_source, '')",
  costSource: "coalesce(r.cost_source, '')",
  day: "date(r.time / 1000000, 'unixepoch', 'localtime')",
  week: "date(r.time / 1000000, 'unixepoch', 'localtime', 'weekday 0', '-6 days')",
  session: 'r.session_id',
  model: 'r.model',
  project: "coalesce(s.repository, r.repository, '')",
}

const recordColumns = [
  'id',
  'source',
  'time',
  'session_id',
  'orchestration_id',
  'model',
  'input',
  'output',
  'cache_read',
  'cache_creation',
  'cost_usd',
  'cost_source',
  'query_source',
  'agent_id',
  'prompt_id',
  'repository',
  'detail',
] as const

export class SqliteUsage {
  private readonly statements
  private readonly memory: UsageMemory = {
    stream: (key) => {
      const row = this.statements.stream.get(key)
      return row === null ? undefined : { key, timeUnixMicro: row.time, value: row.value }
    },
    session: (id) => this.session(id),
  }

  constructor(
    private readonly database: Database,
    private readonly prices: Prices,
  ) {
    const prepare = <Row>(sql: string) => database.prepare<Row, SQLQueryBindings[]>(sql)
    const places = recordColumns.map(() => '?').join(', ')
    this.statements = {
      stream: prepare<{ time: number; value: number }>('SELECT time, value FROM usage_stream WHERE key = ?'),
      putStream: prepare('INSERT OR REPLACE INTO usage_stream (key, time, value) VALUES (?, ?, ?)'),
      session: prepare<{ usage: string }>('SELECT usage FROM usage_session WHERE session_id = ?'),
      sessions: prepare<{ usage: string }>(
        'SELECT usage FROM usage_session WHERE source IS NOT NULL AND last_time >= ? AND last_time < ? ORDER BY last_time',
      ),
      putSession: prepare(
        'INSERT OR REPLACE INTO usage_session (session_id, source, repository, last_time, usage) VALUES (?, ?, ?, ?, ?)',
      ),
      file: prepare<{ bytes: number; changed_ms: number }>(
        'SELECT bytes, changed_ms FROM transcript_file WHERE path = ?',
      ),
      putFile: prepare('INSERT OR REPLACE INTO transcript_file (path, bytes, changed_ms) VALUES (?, ?, ?)'),
      unpriced: prepare<UnpricedRow>(
        `SELECT id, source, time, session_id, orchestration_id, model, input, output, cache_read, cache_creation, detail
         FROM usage_record WHERE cost_usd IS NULL AND source <> 'metrics'`,
      ),
      putPrice: prepare('UPDATE usage_record SET cost_usd = ?, cost_source = ? WHERE id = ? AND cost_usd IS NULL'),
      putRecord: prepare(
        `INSERT INTO usage_record (${recordColumns.join(', ')}) VALUES (${places})
         ON CONFLICT (id) DO UPDATE SET
           input = input + excluded.input, output = output + excluded.output,
           cache_read = cache_read + excluded.cache_read, cache_creation = cache_creation + excluded.cache_creation,
           cost_usd = CASE WHEN excluded.cost_usd IS NULL THEN cost_usd ELSE coalesce(cost_usd, 0) + excluded.cost_usd END,
           cost_source = coalesce(excluded.cost_source, cost_source)`,
      ),
    }
  }

  /** To be called within the transaction that writes the batch. */
  onBatch(batch: OtlpBatch): void {
    this.write(trackUsage(batch, this.memory, this.prices))
  }

  onRequests(requests: readonly UsageRecord[]): UsageChange {
    const change = trackRequests(requests, this.memory, this.prices)
    this.write(change)
    return change
  }

  rememberFile({ path, bytes, changedMs }: TranscriptFile): void {
    this.statements.putFile.run(path, bytes, changedMs)
  }

  knowsFile({ path, bytes, changedMs }: TranscriptFile): boolean {
    const row = this.statements.file.get(path)
    return row !== null && row.bytes === bytes && row.changed_ms === changedMs
  }

  session(id: string): SessionUsage | undefined {
    const row = this.statements.session.get(id)
    return row === null ? undefined : (JSON.parse(row.usage) as SessionUsage)
  }

  sessions({ sinceUnixMicro, untilUnixMicro }: Period): readonly SessionUsage[] {
    const rows = this.statements.sessions.all(sinceUnixMicro, untilUnixMicro)
    return rows.map(({ usage }) => JSON.parse(usage) as SessionUsage)
  }

  /** Of each session the records of the source that is believed, summed by what is asked. */
  sums(by: readonly UsageGroup[], { sinceUnixMicro, untilUnixMicro }: Period): readonly UsageSum[] {
    const keys = by.map((group) => `${groups[group]} AS "${group}"`)
    const grouping = by.length === 0 ? '' : `GROUP BY ${by.map((_, index) => index + 1).join(', ')}`
    const sql = `SELECT ${[
      ...keys,
      'sum(input) AS inputTokens',
      'sum(output) AS outputTokens',
      'sum(cache_read) AS cacheReadTokens',
      'sum(cache_creation) AS cacheCreationTokens',
      'sum(cost_usd) AS costUsd',
      'count(DISTINCT r.session_id) AS sessions',
      'max(r.time) AS lastUnixMicro',
    ].join(', ')}
      FROM usage_record r JOIN usage_session s ON s.session_id = r.session_id AND s.source = r.source
      WHERE r.time >= ? AND r.time < ? ${grouping} ${by.length === 0 ? '' : `ORDER BY ${by.map((_, index) => index + 1).join(', ')}`}`
    const rows = this.database.query<UsageSum, [number, number]>(sql).all(sinceUnixMicro, untilUnixMicro)
    // Without a grouping SQL gives one row of nothing for nothing.
    return rows.filter(({ inputTokens }) => inputTokens !== null)
  }

  /** Gives a price to requests that had none, where there is one by now: of a newer table, or the user's. What has a cost keeps it. */
  priceUnpriced(): void {
    const found = this.statements.unpriced.all().flatMap((row) => {
      const record = priced(readRecord(row), this.prices)
      return record.costUsd === null ? [] : [record]
    })
    if (found.length === 0) return
    this.database.transaction(() => {
      for (const record of found) {
        this.statements.putPrice.run(record.costUsd, record.costSource ?? null, record.id)
        const session = this.session(record.sessionId)
        const totals = session?.bySource[record.source]
        if (session === undefined || totals === undefined) continue
        this.putSession({ ...session, bySource: { ...session.bySource, [record.source]: addPrice(totals, record) } })
      }
    })()
  }

  /** Memory of what nobody will send again; records stay. */
  forget(beforeUnixMicro: number): void {
    this.database.run('DELETE FROM usage_stream WHERE time < ?', [beforeUnixMicro])
  }

  private write({ streams, sessions, records }: UsageChange): void {
    for (const { key, timeUnixMicro, value } of streams) this.putStream({ key, timeUnixMicro, value })
    for (const session of sessions) this.putSession(session)
    for (const record of records) this.putRecord(record)
  }

  private putStream({ key, timeUnixMicro, value }: StreamState): void {
    this.statements.putStream.run(key, timeUnixMicro, value)
  }

  private putSession(session: SessionUsage): void {
    const { sessionId, repository, lastUnixMicro } = session
    const { source = null } = session
    this.statements.putSession.run(sessionId, source, repository ?? null, lastUnixMicro, JSON.stringify(session))
  }

  private putRecord(record: UsageRecord): void {
    const { id, source, timeUnixMicro, sessionId, orchestrationId, model, ...rest } = record
    const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd, ...more } = rest
    const { costSource, querySource, agentId, promptId, repository, ...detail } = more
    const row = {
      id,
      source,
      time: timeUnixMicro,
      session_id: sessionId,
      orchestration_id: orchestrationId,
      model,
      input: inputTokens,
      output: outputTokens,
      cache_read: cacheReadTokens,
      cache_creation: cacheCreationTokens,
      cost_usd: costUsd,
      cost_source: costSource ?? null,
      query_source: querySource ?? null,
      agent_id: agentId ?? null,
      prompt_id: promptId ?? null,
      repository: repository ?? null,
      detail: Object.keys(detail).length === 0 ? null : JSON.stringify(detail),
    }
    this.statements.putRecord.run(...recordColumns.map((column) => row[column]))
  }
}

interface UnpricedRow {
  readonly id: string
  readonly source: UsageRecord['source']
  readonly time: number
  readonly session_id: string
  readonly orchestration_id: string
  readonly model: string
  readonly input: number
  readonly output: number
  readonly cache_read: number
  readonly cache_creation: number
  readonly detail: string | null
}

/** As much of a record as its price depends on. */
function readRecord(row: UnpricedRow): UsageRecord {
  const detail: Partial<UsageRecord> = row.detail === null ? {} : JSON.parse(row.detail)
  return {
    ...detail,
    id: row.id,
    source: row.source,
    timeUnixMicro: row.time,
    sessionId: row.session_id,
    orchestrationId: row.orchestration_id,
    model: row.model,
    inputTokens: row.input,
    outputTokens: row.output,
    cacheReadTokens: row.cache_read,
    cacheCreationTokens: row.cache_creation,
    costUsd: null,
  }
}
