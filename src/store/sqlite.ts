/**
 * The store in one SQLite file, with its write-ahead log beside it. One process writes. Requests that come together are committed
 * together; each is answered when its commit is in the log, which survives our death, though not a power cut (synchronous=NORMAL).
 */
import { SQLiteError } from 'bun:sqlite'
import { existsSync, renameSync, statSync } from 'node:fs'
import { describeError, Failure } from '../base/errors.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSpan } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import type { SessionUsage, UsageRecord } from '../usage/record.ts'
import { readPoint, readSession, type SpanRow } from './rows.ts'
import type { SessionFacts } from './session-facts.ts'
import { openSqliteFile, type SqliteFile } from './sqlite-file.ts'
import type {
  LogPart,
  Mark,
  Period,
  Retention,
  SpanPart,
  Store,
  StoreCounts,
  StoreOptions,
  UsageGroup,
  UsageSum,
} from './store.ts'

/** Nobody sends the same again after so long. */
const rememberedMs = 30 * 86_400_000

/**
 * Opens or makes the file, for its owner alone. One that is damaged is set aside as `<path>.damaged-<time>`, and `notice` hears of
 * it. Throws a Failure for what cannot be read or written, and for a file that a later version has written.
 */
export function openSqliteStore(path: string, options: StoreOptions = {}): Store {
  return new SqliteStore(path, options)
}

/** To SQLite, a negative limit is none. */
const everything = { offset: 0, limit: -1 }

interface Waiting {
  readonly batch: OtlpBatch
  readonly resolve: () => void
  readonly reject: (reason: Failure) => void
}

class SqliteStore implements Store {
  readonly url: string
  private file: SqliteFile
  private waiting: Waiting[] = []

  constructor(
    private readonly path: string,
    private readonly options: StoreOptions,
  ) {
    this.url = `sqlite://${path}`
    this.file = this.openWhole()
  }

  append(batch: OtlpBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => this.commit())
      this.waiting.push({ batch, resolve, reject })
    })
  }

  trace(traceId: string): readonly OtlpSpan[] {
    return this.spans(this.file.statements.trace.all(traceId))
  }

  sessionSpans(sessionId: string, { after, limit }: SpanPart = everything): readonly OtlpSpan[] {
    const { startUnixMicro = -1, traceId = '', spanId = '' } = after ?? {}
    return this.spans(this.file.statements.sessionSpans.all(sessionId, startUnixMicro, traceId, spanId, limit))
  }

  span(traceId: string, spanId: string): OtlpSpan | undefined {
    const row = this.file.statements.span.get(traceId, spanId)
    return row === null ? undefined : this.file.span(row)
  }

  sessionLogs(sessionId: string, { offset, limit }: LogPart = everything): readonly OtlpLogRecord[] {
    return this.file.statements.sessionLogs.all(sessionId, limit, offset).map((row) => this.file.log(row))
  }

  sessions({ sinceUnixMicro, untilUnixMicro }: Period, limit: number): readonly SessionFacts[] {
    return this.file.statements.sessions.all(sinceUnixMicro, untilUnixMicro, limit).map(readSession)
  }

  session(id: string): SessionFacts | undefined {
    const row = this.file.statements.session.get(id)
    return row === null ? undefined : readSession(row)
  }

  appendHistory(requests: readonly UsageRecord[], file?: TranscriptFile): number {
    this.commit()
    return this.file.writeHistory(requests, file)
  }

  knowsFile(file: TranscriptFile): boolean {
    return this.file.usage.knowsFile(file)
  }

  usage(by: readonly UsageGroup[], period: Period): readonly UsageSum[] {
    return this.file.usage.sums(by, period)
  }

  sessionUsage(sessionId: string): SessionUsage | undefined {
    return this.file.usage.session(sessionId)
  }

  sessionUsages(period: Period): readonly SessionUsage[] {
    return this.file.usage.sessions(period)
  }

  marks(prefix: string, limit: number): readonly Mark[] {
    return this.file.statements.marks.all(prefix.length, prefix, limit)
  }

  putMark({ key, timeUnixMicro, value }: Mark): void {
    try {
      this.file.statements.putMark.run(key, timeUnixMicro, value)
    } catch (error) {
      throw this.failure(error)
    }
  }

  points(name: string, { sinceUnixMicro, untilUnixMicro }: Period): readonly OtlpPoint[] {
    const { statements, sources } = this.file
    const rows = statements.points.all(name, sinceUnixMicro, untilUnixMicro)
    return rows.map((row) => readPoint(row, row, sources.read(row.source)))
  }

  counts(): StoreCounts {
    const bytes = [this.path, `${this.path}-wal`, `${this.path}-shm`].map(
      (file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0,
    )
    return {
      spans: this.file.tally('span'),
      logs: this.file.tally('log_record'),
      points: this.file.tally('point'),
      bytes: bytes.reduce((sum, size) => sum + size, 0),
    }
  }

  retain({ maxAgeMs, maxBytes }: Retention): number {
    const before = (Date.now() - maxAgeMs) * 1000
    const remembered = (Date.now() - rememberedMs) * 1000
    // A record is also the memory of its request.
    let rows = this.file.sweep(before) + this.file.usage.sweep(Math.min(before, remembered))
    for (
      let cut = this.file.oldest();
      this.file.usedBytes() > maxBytes && cut !== undefined;
      cut = this.file.oldest()
    ) {
      // The oldest twentieth of the time that there is, at least the oldest row.
      rows += this.file.sweep(cut + Math.max(1, (Date.now() * 1000 - cut) / 20))
    }
    this.file.forget(remembered)
    if (rows > 0) this.file.database.run('PRAGMA incremental_vacuum')
    return rows
  }

  close(): void {
    this.commit()
    this.file.close()
  }

  private spans(rows: readonly SpanRow[]): readonly OtlpSpan[] {
    return rows.map((row) => this.file.span(row))
  }

  private commit(): void {
    const waiting = this.waiting
    this.waiting = []
    if (waiting.length === 0) return
    const failed = this.keep(waiting)
    if (failed === undefined) return
    // One that cannot be kept takes none of the others with it; a file that is held takes none at all.
    for (const each of waiting) {
      const failure = waiting.length === 1 || isHeld(failed.cause) ? failed : this.keep([each])
      if (failure !== undefined) each.reject(failure)
    }
  }

  private keep(waiting: readonly Waiting[]): Failure | undefined {
    try {
      this.file.write(waiting.map(({ batch }) => batch))
      for (const { resolve } of waiting) resolve()
      return undefined
    } catch (error) {
      if (isDamaged(error)) this.file = this.startAnew(error)
      return this.failure(error)
    }
  }

  private failure(error: unknown): Failure {
    const hint = isHeld(error) ? 'another process writes to it' : 'is there room on the disk, and may we write there?'
    const failure = new Failure('io', `${this.path}: ${describeError(error)}`, hint)
    failure.cause = error
    return failure
  }

  private openWhole(): SqliteFile {
    try {
      return openSqliteFile(this.path, this.options)
    } catch (error) {
      if (isDamaged(error)) return this.startAnew(error)
      if (error instanceof Failure) throw error
      throw new Failure('io', `${this.path}: ${describeError(error)}`, 'name another file with --store')
    }
  }

  /** What can still be read of it is there for whoever wants to try. */
  private startAnew(error: unknown): SqliteFile {
    this.file?.close()
    const aside = `${this.path}.damaged-${Date.now()}`
    for (const end of ['', '-wal', '-shm']) {
      if (existsSync(`${this.path}${end}`)) renameSync(`${this.path}${end}`, `${aside}${end}`)
    }
    this.options.notice?.(`${this.path} is damaged (${describeError(error)}): set aside as ${aside}, a new one begun`)
    return openSqliteFile(this.path, this.options)
  }
}

function isHeld(error: unknown): boolean {
  return error instanceof SQLiteError && /^SQLITE_BUSY/.test(error.code ?? '')
}

function isDamaged(error: unknown): boolean {
  return error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code ?? '')
}
