/**
 * From the spool and the transcripts to the destinations, for one run: spool → (masked, cut) → journal → assembler → delivery.
 * A record leaves the spool only when it is in the journal, and the journal goes only when everything is delivered; so
 * whatever dies in between, the next owner of the run goes on from there and says the same.
 */
import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { describeError } from '../base/errors.ts'
import { type Log, noLog } from '../base/log.ts'
import type { StatePaths } from '../base/paths.ts'
import { type Config, capturedContent } from '../config/config.ts'
import { type Acks, acksToJson, readAcks } from '../export/acks.ts'
import { type Delivery, type DeliveryOptions, type DeliveryReport, startDelivery } from '../export/delivery.ts'
import { createKeeper, type Keeper } from '../telemetry/keeper.ts'
import { createRedactor } from '../telemetry/redact.ts'
import type { Signal } from '../telemetry/signal.ts'
import { createAssembler } from './assembler.ts'
import { recordDrop } from './drops.ts'
import type { Entry, RunEntry } from './entries.ts'
import { HealthMeter } from './health.ts'
import { Intake } from './intake.ts'
import { openJournal } from './journal.ts'
import { appendReport } from './reports.ts'
import { type RunFolder, readJsonFile, releaseRun, removeRunFolder, writeJsonFile, writeSessionContext } from './run.ts'
import { removeFromSpool, Spool, type SpoolContent } from './spool.ts'
import { Transcripts } from './transcripts.ts'

export interface PumpOptions {
  /** Owned by this process (see claimRun). */
  readonly folder: RunFolder
  readonly paths: Pick<StatePaths, 'sessions' | 'reports' | 'dropped'>
  readonly config: Config
  /** What a new journal begins with; one that exists has its own. */
  readonly entry: RunEntry
  readonly log?: Log
  /** By default the exporters that the configuration names. */
  readonly openDelivery?: (options: DeliveryOptions) => Delivery
}

export interface Exit {
  readonly pid: number
  readonly code?: number
  readonly signal?: string
}

export interface Pump {
  /** Process ids of claudes whose sessions are not over, and of those the ones that are gone. */
  openProcesses(): number[]
  goneProcesses(): number[]
  /** Whether the claude of that number that this run knows still lives. */
  lives(pid: number): boolean
  /** How many entries this process did not take because the journal had reached the size that is set for all runs. */
  readonly givenUp: number
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
/**
 * The end of a call waits for its result in the transcript as long as this at most: claude writes its lines late when the machine
 * is busy, as hooks are then stamped late, and the line's time is the true one.
 */
const resultMicros = 1_000_000
/** Watching the folder instead would cost more in a flood than looking does in an idle hour: three events for each file. */
const pollMs = 250
/** Transcript lines that wait for hooks of before them; more are not read until these are told. */
const mostWaiting = 1000
const entriesPerSweep = 4000

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
  private readonly intake: Intake
  private readonly spool: Spool
  private readonly health = new HealthMeter()
  /** Spool files that the journal has, though their removal may not have happened. */
  private readonly taken = new Set<string>()
  private readonly saved = new Map<string, string>()
  private waiting: Entry[] = []
  private unswept = 0
  /** Entries for which the journal had no room. */
  givenUp = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly options: PumpOptions) {
    const { folder, config, paths, log = noLog, openDelivery = startDelivery } = options
    const redactor = createRedactor(config.redaction)
    this.keeper = createKeeper({ rule: capturedContent(config), redactor })
    this.log = log === noLog ? noLog : (message) => log(redactor.redact(message))
    // Read first, for a later version's run is not ours to write in.
    const acked = readAcked(folder)
    this.journal = openJournal(folder.journal)
    // The first entry is the run's; the rest of the file is not looked at for it.
    const begun = this.journal.read().next().value
    const run = begun?.k === 'run' ? begun : options.entry
    this.transcripts = new Transcripts({ keeper: this.keeper, sessions: paths.sessions })
    this.intake = new Intake({ keeper: this.keeper, sessions: paths.sessions, run, transcripts: this.transcripts })
    this.delivery = openDelivery({
      config,
      resource: run.resource,
      startUnixMicro: run.at,
      // Counts of a journal that is gone say nothing of a new one.
      acks: begun === undefined ? {} : acked,
      onAck: (acks) => {
        globalThis.faultPoint?.('export.sent')
        writeJsonFile(folder.acked, acksToJson(acks))
        globalThis.faultPoint?.('export.acked')
      },
      replay: () => this.signalsAgain(),
    })
    this.spool = new Spool(folder.spool)
    for (const entry of this.journal.read()) this.replay(entry)
    if (begun === undefined) this.record([options.entry])
  }

  /** What an earlier owner has written down. */
  private replay(entry: Entry): void {
    if ('from' in entry) this.taken.add(entry.from)
    if (entry.k === 'hook') this.intake.know(entry)
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
    this.schedule(pollMs)
  }

  openProcesses(): number[] {
    return [...new Set(this.assembler.openSessions().map(({ pid }) => pid))]
  }

  goneProcesses(): number[] {
    return this.openProcesses().filter((pid) => !this.lives(pid))
  }

  lives(pid: number): boolean {
    return this.intake.lives(pid)
  }

  async close(exits: () => readonly Exit[], deadline: AbortSignal): Promise<DeliveryReport> {
    clearTimeout(this.timer)
    try {
      while (this.take(true)) await Bun.sleep(0)
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
    this.tellGivenUp()
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
    if (!settled || !isComplete || !removeRunFolder(this.options.folder)) releaseRun(this.options.folder)
    return report
  }

  private tellGivenUp(): void {
    const { folder, paths } = this.options
    if (this.givenUp === 0) return
    const drop = {
      at: Date.now(),
      run: basename(folder.path),
      reason: 'full',
      bytes: 0,
      entries: this.givenUp,
    } as const
    recordDrop(paths.dropped, drop)
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
    this.timer = setTimeout(() => this.tick(), delayMs)
    this.timer.unref()
  }

  private tick(): void {
    let hasMore = false
    try {
      hasMore = this.take(false)
    } catch (error) {
      // A full or vanished disk: the records stay where they are, the next tick tries again.
      this.log(`records not taken: ${describeError(error)}`)
    }
    this.schedule(hasMore ? 0 : pollMs)
  }

  /**
   * Moves a piece of what is old enough, or of everything, into the journal and on to the assembler. True when there is more of it.
   * Hooks are taken up to where the transcripts are read and no further: what has left the spool is in the journal.
   */
  private take(isFinal: boolean): boolean {
    const due = isFinal ? Number.POSITIVE_INFINITY : nowMicros() - holdBackMicros
    const { folder } = this.options
    globalThis.faultPoint?.('pump.take')
    const lines = this.waiting.length < mostWaiting ? this.transcripts.read() : []
    const read = Math.min(due, this.transcripts.reachedUnixMicro())
    const spooled = this.spool.read(read, isFinal)
    globalThis.faultPoint?.('pump.taken')
    const { found, until, names, isHeld } = this.readRecords(spooled, read, isFinal ? due : nowMicros() - resultMicros)
    // A claude that is gone may have hooks whose records are still to be taken.
    const isQuiet = spooled.waiting === 0 && found.length === 0 && until === due
    const exits = isQuiet ? this.exitsOfGone() : []
    const all = [...this.waiting, ...found, ...lines]
    this.waiting = all.filter(({ at }) => at > until)
    this.record([...all.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at), ...exits])
    for (const name of names) this.taken.add(name)
    removeFromSpool(folder.spool, names)
    globalThis.faultPoint?.('pump.removed')
    for (const name of names) this.taken.delete(name)
    this.sweep(found.length + lines.length)
    return until < due && !isHeld
  }

  /** The runtime lets garbage grow with the machine's memory; ours is a guest there. */
  private sweep(entries: number): void {
    this.unswept += entries
    if (this.unswept < entriesPerSweep) return
    this.unswept = 0
    Bun.gc(true)
  }

  /**
   * Up to a hook that names a transcript for the first time: what stands in that file of the same time is read before the others.
   * Up to the end of a call, stamped after `young`, whose result the transcript does not have yet.
   */
  private readRecords(
    { records, broken, fullAt = Number.POSITIVE_INFINITY }: SpoolContent,
    read: number,
    young: number,
  ): TakenRecords {
    const found: Entry[] = []
    const names: string[] = []
    let until = Math.min(read, fullAt)
    let isHeld = false
    for (const record of records) {
      if (record.at > until) break
      if (this.taken.has(record.from)) {
        names.push(record.from)
        continue
      }
      const entries = this.intake.read(record)
      isHeld = entries.some((entry) => this.transcripts.lacksResultOf(entry)) && record.at > young
      if (isHeld) {
        until = record.at
        break
      }
      names.push(record.from)
      found.push(...entries)
      if (this.transcripts.hasUnread()) until = Math.min(until, record.at)
    }
    for (const record of broken.filter(({ at }) => at <= until)) {
      names.push(record.from)
      found.push(this.intake.readBroken(record))
    }
    return { found, until, names, isHeld }
  }

  private record(all: readonly Entry[]): void {
    const entries = this.journal.size() < this.options.config.storage.maxBytes ? all : all.filter(isEnding)
    this.givenUp += all.length - entries.length
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

  /** Claudes that ran beside ours, as commands of its Bash tool: nobody else tells their end. */
  private exitsOfGone(): Entry[] {
    const gone = this.goneProcesses().filter((pid) => !this.intake.isOurs(pid))
    return gone.map((pid) => ({ k: 'exit', at: nowMicros(), pid }))
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

/** What is still taken when the journal is full: whatever a session, a turn or its costs end with. */
function isEnding(entry: Entry): boolean {
  if (entry.k === 'line') return entry.detail.type === 'cost'
  if (entry.k !== 'hook') return entry.k === 'run' || entry.k === 'exit'
  return ['session-start', 'session-end', 'turn-end', 'turn-failure'].includes(entry.event.detail.type)
}

/** Nothing where there is no file; undefined where it cannot be understood. */
function readAcked({ acked }: RunFolder): Acks | undefined {
  return existsSync(acked) ? readAcks(readJsonFile(acked)) : {}
}

interface TakenRecords {
  readonly found: readonly Entry[]
  readonly until: number
  /** What comes next waits for something. */
  readonly isHeld: boolean
  /** What may leave the spool once it is in the journal. */
  readonly names: readonly string[]
}

function nowMicros(): number {
  return Math.floor((performance.timeOrigin + performance.now()) * 1000)
}

function describeEntry(entry: Entry): string {
  if (entry.k === 'hook') return `hook ${entry.event.name} of ${entry.event.sessionId}`
  return entry.k === 'line' ? `transcript ${entry.detail.type} of ${entry.session}` : entry.k
}
