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
import { type RecordRow, readRecord } from './rows.ts'
import type { Period, UsageGroup, UsageSum } from './store.ts'
import { readSums, slotOf } from './usage-sums.ts'

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

const slotColumns = [
  'session_id',
  'source',
  'time',
  'model',
  'query_source',
  'repository',
  'cost_source',
  'input',
  'output',
  'cache_read',
  'cache_creation',
  'cost_usd',
  'last_time',
] as const

/** What is counted of the same record, or in the same slot, later on. */
const added = `
  input = input + excluded.input, output = output + excluded.output,
  cache_read = cache_read + excluded.cache_read, cache_creation = cache_creation + excluded.cache_creation,
  cost_usd = CASE WHEN excluded.cost_usd IS NULL THEN cost_usd ELSE coalesce(cost_usd, 0) + excluded.cost_usd END`

export class SqliteUsage {
  private readonly statements
  private readonly memory: UsageMemory = {
    stream: (key) => {
      // What is remembered of a request is its record.
      const row = this.statements.request.get(key) ?? this.statements.stream.get(key)
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
      request: prepare<{ time: number; value: number }>(
        'SELECT time, input + output + cache_read + cache_creation AS value FROM usage_record WHERE id = ?',
      ),
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
      unpriced: prepare<RecordRow>(
        `SELECT id, source, time, session_id, orchestration_id, model, input, output, cache_read, cache_creation,
           query_source, repository, detail
         FROM usage_record WHERE cost_usd IS NULL AND source <> 'metrics'`,
      ),
      putPrice: prepare('UPDATE usage_record SET cost_usd = ?, cost_source = ? WHERE id = ? AND cost_usd IS NULL'),
      putRecord: prepare(
        `INSERT INTO usage_record (${recordColumns.join(', ')}) VALUES (${places})
         ON CONFLICT (id) DO UPDATE SET ${added}, cost_source = coalesce(excluded.cost_source, cost_source)`,
      ),
      dropEmptySlots: prepare(
        `DELETE FROM usage_slot WHERE session_id = ? AND source = ? AND time = ?
         AND input = 0 AND output = 0 AND cache_read = 0 AND cache_creation = 0 AND cost_usd IS NULL`,
      ),
      putSlot: prepare(
        `INSERT INTO usage_slot (${slotColumns.join(', ')}) VALUES (${slotColumns.map(() => '?').join(', ')})
         ON CONFLICT DO UPDATE SET ${added}, last_time = max(last_time, excluded.last_time)`,
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
        this.movePriced(record)
        const session = this.session(record.sessionId)
        const totals = session?.bySource[record.source]
        if (session === undefined || totals === undefined) continue
        this.putSession({ ...session, bySource: { ...session.bySource, [record.source]: addPrice(totals, record) } })
      }
    })()
  }

  /** Of each session what the source says that is believed, summed by what is asked. */
  sums(by: readonly UsageGroup[], period: Period): readonly UsageSum[] {
    return readSums(this.database, by, period)
  }

  /** Memory of what nobody will send again. */
  forget(beforeUnixMicro: number): void {
    this.database.run('DELETE FROM usage_stream WHERE time < ?', [beforeUnixMicro])
  }

  /** Records of then; their sums stay. Those of transcripts, which may be read again at any time, say what was counted. */
  sweep(beforeUnixMicro: number): number {
    const before = slotOf(beforeUnixMicro)
    const sql = "DELETE FROM usage_record WHERE time < ? AND source <> 'transcript'"
    return this.database.query<unknown, [number]>(sql).run(before).changes
  }

  private write({ streams, sessions, records }: UsageChange): void {
    const requests = new Set(records.map(({ id }) => id))
    for (const stream of streams) if (!requests.has(stream.key)) this.putStream(stream)
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
    this.addToSlot(record)
  }

  private addToSlot(record: UsageRecord): void {
    const { model, querySource = '', repository = '', costUsd, costSource = '', timeUnixMicro } = record
    const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens } = record
    const payer = record.source === 'metrics' ? 'claude' : costSource
    const counts = [inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens]
    const rest = [model, querySource, repository, payer, ...counts, costUsd, timeUnixMicro]
    this.statements.putSlot.run(...slotKey(record), ...rest)
  }

  /** From those without a price to those with one. */
  private movePriced(record: UsageRecord): void {
    const { costSource: _, ...unpriced } = record
    this.addToSlot({
      ...unpriced,
      costUsd: null,
      inputTokens: -record.inputTokens,
      outputTokens: -record.outputTokens,
      cacheReadTokens: -record.cacheReadTokens,
      cacheCreationTokens: -record.cacheCreationTokens,
    })
    this.addToSlot(record)
    this.statements.dropEmptySlots.run(...slotKey(record))
  }
}

function slotKey({ sessionId, source, timeUnixMicro }: UsageRecord): [string, string, number] {
  return [sessionId, source, slotOf(timeUnixMicro)]
}
