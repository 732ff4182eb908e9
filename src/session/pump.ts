/**
 * From the spool and the transcripts to the destinations, for one run: spool → (masked, cut) → journal → assembler → delivery.
 * A record leaves the spool only when it is in the journal, and the journal goes only when everything is delivered; so
 * whatever dies in between, the next owner of the run goes on from there and says the same.
 */
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { basename } from 'node:path'
import { describeError } from '../base/errors.ts'
import { type Log, noLog } from '../base/log.ts'
import type { StatePaths } from '../base/paths.ts'
import { parseHookPayload } from '../claude/events.ts'
import { type Config, capturedContent } from '../config/config.ts'
import { type Acks, acksToJson, readAcks } from '../export/acks.ts'
import { type Delivery, type DeliveryReport, startDelivery } from '../export/delivery.ts'
import { createKeeper, type Keeper } from '../telemetry/keeper.ts'
import { createRedactor } from '../telemetry/redact.ts'
import type { Attributes, Signal } from '../telemetry/signal.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { createAssembler } from './assembler.ts'
import type { BrokenEntry, Entry, HookEntry, PreviousEntry, RepositoryEntry, RunEntry } from './entries.ts'
import { HealthMeter } from './health.ts'
import { openJournal } from './journal.ts'
import { appendReport } from './reports.ts'
import { readRepository } from './repository.ts'
import {
  isProcessAlive,
  type RunFolder,
  readJsonFile,
  readSessionContext,
  releaseRun,
  removeRunFolder,
  writeJsonFile,
  writeSessionContext,
} from './run.ts'
import { type BrokenRecord, readSpool, removeFromSpool, type SpoolRecord } from './spool.ts'
import { Transcripts } from './transcripts.ts'

export interface PumpOptions {
  /** Owned by this process (see claimRun). */
  readonly folder: RunFolder
  readonly paths: Pick<StatePaths, 'sessions' | 'reports'>
  readonly config: Config
  /** What a new journal begins with; one that exists has its own. */
  readonly entry: RunEntry
  readonly log?: Log
}

export interface Exit {
  readonly pid: number
  readonly code?: number
  readonly signal?: string
}

export interface Pump {
  /** Process ids of claudes whose sessions are not over. */
  openProcesses(): number[]
  /**
   * Takes everything that is left, then ends the sessions of the claudes that `exits` names. Delivers within the deadline;
   * what is delivered is removed, what is not is kept for later. Never rejects.
   */
  close(exits: () => readonly Exit[], deadline: AbortSignal): Promise<DeliveryReport>
}

/**
 * Records wait this long, so that hooks and transcript lines that happened at the same time are told in their order,
 * whichever process was faster.
 */
const holdBackMicros = 200_000
const pollMs = 500
/** The same payload twice within this time came from hooks that are registered twice (plugin and settings.json). */
const duplicateMicros = 2_000_000

export function startPump(options: PumpOptions): Pump {
  const pump = new RunPump(options)
  pump.start()
  return pump
}

class RunPump implements Pump {
  private readonly assembler = createAssembler()
  private readonly journal
  private readonly delivery: Delivery
  private readonly log: Log
  private readonly keeper: Keeper
  private readonly transcripts: Transcripts
  private readonly health = new HealthMeter()
  /** Spool files that the journal has, though their removal may not have happened. */
  private readonly taken = new Set<string>()
  private readonly recent = new Map<string, { readonly from: string; readonly at: number }>()
  private readonly sessionStarts = new Map<string, number>()
  private readonly repositories = new Map<string, string>()
  private readonly saved = new Map<string, string>()
  private waiting: Entry[] = []
  private watcher: FSWatcher | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly options: PumpOptions) {
    const { folder, config, paths, log = noLog } = options
    const redactor = createRedactor(config.redaction)
    this.keeper = createKeeper({ rule: capturedContent(config), redactor })
    this.log = log === noLog ? noLog : (message) => log(redactor.redact(message))
    this.journal = openJournal(folder.journal)
    // The first entry is the run's; the rest of the file is not looked at for it.
    const begun = this.journal.read().next().value
    const run = begun?.k === 'run' ? begun : options.entry
    this.transcripts = new Transcripts({ keeper: this.keeper, sessions: paths.sessions })
    this.delivery = startDelivery({
      config,
      resource: run.resource,
      startUnixMicro: run.at,
      acks: readAcked(folder),
      onAck: (acks) => writeJsonFile(folder.acked, acksToJson(acks)),
      replay: () => this.signalsAgain(),
    })
    for (const entry of this.journal.read()) this.replay(entry)
    if (begun === undefined) this.record([options.entry])
  }

  /** What an earlier owner has written down. */
  private replay(entry: Entry): void {
    if ('from' in entry) this.taken.add(entry.from)
    if (entry.k === 'hook') {
      this.followSession(entry)
      this.recent.set(entry.key ?? entry.from, entry)
    }
    this.transcripts.know(entry)
    this.tell(entry)
  }

  private tell(entry: Entry): void {
    const signals = this.assembler.apply(entry)
    this.health.add(signals)
    this.delivery.enqueue(signals)
  }

  /** All that was ever said of this run, said again: for a destination that memory had no room for. */
  private *signalsAgain(): Generator<Signal> {
    const assembler = createAssembler()
    for (const entry of this.journal.read()) yield* assembler.apply(entry)
  }

  start(): void {
    // Polling finds what watching misses: transcripts, and file systems that tell nothing.
    try {
      this.watcher = watch(this.options.folder.spool, () => this.schedule(holdBackMicros / 1000))
      this.watcher.on('error', () => this.watcher?.close())
    } catch {
      this.watcher = undefined
    }
    this.schedule(pollMs)
  }

  openProcesses(): number[] {
    return [...new Set(this.assembler.openSessions().map(({ pid }) => pid))]
  }

  async close(exits: () => readonly Exit[], deadline: AbortSignal): Promise<DeliveryReport> {
    this.watcher?.close()
    clearTimeout(this.timer)
    try {
      this.take(true)
      this.record(exits().map((exit) => ({ k: 'exit', at: nowMicros(), ...exit })))
      this.record(this.exitsOfGone())
    } catch (error) {
      // What could not be taken stays in the spool, and the run's folder with it.
      this.log(`last records not taken: ${describeError(error)}`)
      return this.leave(await this.delivery.close(deadline), false)
    }
    return this.leave(await this.delivery.close(deadline), this.assembler.openSessions().length === 0)
  }

  private leave(given: DeliveryReport, isComplete: boolean): DeliveryReport {
    this.journal.close()
    const report = this.maskReport(given)
    this.log(`closed: ${JSON.stringify(report)}`)
    const { settled, destinations } = report
    const run = basename(this.options.folder.path)
    appendReport(this.options.paths.reports, {
      v: 1,
      at: Date.now(),
      run,
      settled,
      destinations,
      health: this.health.read(),
    })
    if (report.settled && isComplete) removeRunFolder(this.options.folder)
    else releaseRun(this.options.folder)
    return report
  }

  /** What a server says of a request can quote it. */
  private maskReport({ settled, destinations }: DeliveryReport): DeliveryReport {
    const masked = Object.entries(destinations).map(([name, { lastError, ...rest }]) => {
      return [
        name,
        { ...rest, ...(lastError === undefined ? {} : { lastError: this.keeper.mask(lastError) }) },
      ] as const
    })
    return { settled, destinations: Object.fromEntries(masked) }
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.tick(), delayMs)
    this.timer.unref()
  }

  private tick(): void {
    try {
      this.take(false)
    } catch (error) {
      // A full or vanished disk: the records stay where they are, the next tick tries again.
      this.log(`records not taken: ${describeError(error)}`)
    }
    this.schedule(pollMs)
  }

  /** Moves what is old enough, or everything, into the journal and on to the assembler. */
  private take(isFinal: boolean): void {
    const until = isFinal ? Number.POSITIVE_INFINITY : nowMicros() - holdBackMicros
    const { folder } = this.options
    const { records, broken, waiting } = readSpool(folder.spool, until, isFinal)
    const fresh = records.filter((record) => !this.taken.has(record.from))
    const found: Entry[] = fresh.flatMap((record) => this.readRecord(record))
    const lines = this.transcripts.read()
    // A claude that is gone may have hooks whose records are still to be taken.
    const isQuiet = waiting === 0 && found.length === 0
    const exits = isQuiet ? this.exitsOfGone() : []
    const all = [...this.waiting, ...found, ...broken.map((record) => this.brokenEntry(record)), ...lines]
    this.waiting = all.filter(({ at }) => at > until)
    this.record([...all.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at), ...exits])
    for (const { from } of [...records, ...broken]) this.taken.add(from)
    removeFromSpool(
      folder.spool,
      [...records, ...broken].map(({ from }) => from),
    )
    for (const { from } of [...records, ...broken]) this.taken.delete(from)
  }

  private record(entries: readonly Entry[]): void {
    try {
      this.journal.append(entries)
    } catch (error) {
      // The hooks' records are still in the spool; the rest has no other place to wait.
      this.waiting.push(...entries.filter((entry) => !('from' in entry)))
      throw error
    }
    for (const entry of entries) {
      this.log(`taken: ${describeEntry(entry)}`)
      this.tell(entry)
    }
    this.saveSessions()
  }

  /** A file that is not ours can have any name. */
  private brokenEntry(record: BrokenRecord): BrokenEntry {
    return { k: 'broken', ...record, from: this.keeper.mask(record.from) }
  }

  private readRecord(record: SpoolRecord): Entry[] {
    const { payload, traceparent, ...stamp } = record
    const { from, at } = stamp
    const key = Bun.hash(payload).toString(36)
    if (this.isDuplicate(key, record)) return [{ k: 'duplicate', at, from }]
    const event = parseHookPayload(payload, this.keeper)
    if ('broken' in event) return [{ k: 'broken', at, from, reason: event.broken, bytes: Buffer.byteLength(payload) }]
    const isTrace = traceparent !== undefined && parseTraceparent(traceparent) !== undefined
    const kept = this.keeper.takeTally()
    const more = { ...(isTrace ? { traceparent } : {}), ...(kept === undefined ? {} : { kept }) }
    const entry: HookEntry = { k: 'hook', ...stamp, ...more, key, event }
    const found = [...this.previousOf(entry), ...this.repositoryOf(entry)]
    this.followSession(entry)
    return [found.length === 0 ? entry : { ...entry, found }]
  }

  /** Another record with the same payload; the same record again is one that could not be written down the first time. */
  private isDuplicate(key: string, { from, at }: SpoolRecord): boolean {
    for (const [known, seen] of this.recent) if (at - seen.at > duplicateMicros) this.recent.delete(known)
    const seen = this.recent.get(key)
    this.recent.set(key, { from, at })
    return seen !== undefined && seen.from !== from
  }

  /** A session's transcript is read from where this run of it began. */
  private followSession({ at, pid, event }: HookEntry): void {
    const { sessionId, transcriptPath, detail } = event
    const begins = detail.type === 'session-start' && detail.source !== 'compact'
    const began = begins || !this.isOurs(pid) || this.sessionStarts.size > 0 ? at : this.options.entry.at
    if (begins || !this.sessionStarts.has(sessionId)) this.sessionStarts.set(sessionId, began)
    const start = this.sessionStarts.get(sessionId) ?? at
    if (transcriptPath !== undefined) this.transcripts.follow(sessionId, this.keeper.pathOf(transcriptPath), start)
  }

  /** A resumed session's former life, before this one takes its place in the span-context file. */
  private previousOf({ at, pid, event }: HookEntry): PreviousEntry[] {
    const { sessionId: session, detail } = event
    const implied =
      this.sessionStarts.has(session) || !this.isOurs(pid) ? undefined : this.options.entry.wrapped?.source
    const source = detail.type === 'session-start' ? detail.source : implied
    const context = source === 'resume' ? readSessionContext(this.options.paths.sessions, session) : undefined
    if (context === undefined) return []
    const { conversationId, ref } = context
    return [{ k: 'previous', at, session, previousId: session, conversationId, ref }]
  }

  private repositoryOf({ at, event }: HookEntry): RepositoryEntry[] {
    const { cwd, sessionId: session, detail } = event
    if (cwd === undefined || (detail.type !== 'session-start' && detail.type !== 'prompt')) return []
    const attributes: Attributes = readRepository(this.keeper.pathOf(cwd), this.keeper.mask)
    const known = JSON.stringify(attributes)
    if (this.repositories.get(session) === known) return []
    this.repositories.set(session, known)
    return [{ k: 'repository', at, session, attributes }]
  }

  /** Claudes that ran beside ours, as commands of its Bash tool: nobody else tells their end. */
  private exitsOfGone(): Entry[] {
    const gone = this.openProcesses().filter((pid) => !this.isOurs(pid) && !isProcessAlive(pid))
    return gone.map((pid) => ({ k: 'exit', at: nowMicros(), pid }))
  }

  private isOurs(pid: number): boolean {
    return pid === this.options.entry.wrapped?.pid
  }

  private saveSessions(): void {
    for (const { id, ref, conversationId, startUnixMicro } of this.assembler.openSessions()) {
      const state = `${ref.spanId} ${conversationId}`
      if (this.saved.get(id) === state) continue
      this.saved.set(id, state)
      writeSessionContext(this.options.paths.sessions, { v: 1, sessionId: id, conversationId, ref, startUnixMicro })
    }
  }
}

/** Nothing where there is no file; undefined where it cannot be understood. */
function readAcked({ acked }: RunFolder): Acks | undefined {
  return existsSync(acked) ? readAcks(readJsonFile(acked)) : {}
}

function nowMicros(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000)
}

function describeEntry(entry: Entry): string {
  if (entry.k === 'hook') return `hook ${entry.event.name} of ${entry.event.sessionId}`
  return entry.k === 'line' ? `transcript ${entry.detail.type} of ${entry.session}` : entry.k
}
