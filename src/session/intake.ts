/**
 * From a hook's record to entries of the journal: masked and cut, told once where hooks are registered twice, and with what only
 * its moment can tell beside it: which process claude is, what its session was before, the repository that it works in.
 */
import { parseHookPayload } from '../claude/events.ts'
import { registeredEvents } from '../claude/hook-command.ts'
import type { Keeper } from '../telemetry/keeper.ts'
import type { Attributes } from '../telemetry/signal.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { BrokenEntry, Entry, HookEntry, PreviousEntry, RepositoryEntry, RunEntry } from './entries.ts'
import { birthOf, isProcessAlive } from './processes.ts'
import { readRepository } from './repository.ts'
import { readSessionContext } from './run.ts'
import type { BrokenRecord, SpoolRecord } from './spool.ts'
import type { Transcripts } from './transcripts.ts'

export interface IntakeOptions {
  readonly keeper: Keeper
  /** The first entry of its journal. */
  readonly run: RunEntry
  /** Folder of the span-context files. */
  readonly sessions: string
  /** Told which files to follow. */
  readonly transcripts: Transcripts
}

/** The same payload twice within this time came from hooks that are registered twice (plugin and settings.json). */
const duplicateMicros = 2_000_000
const mostRecent = 2000
/** Claude Code (2.1.329) tells no callback how the first session begins and the last one ends: there a process is no double. */
const halfTold: readonly string[] = ['SessionStart', 'SessionEnd']
const toldByCallbacks: ReadonlySet<string> = new Set(registeredEvents.filter((event) => !halfTold.includes(event)))
/** Events without an id of their own, which may come again with the same words. */
const repeatable: ReadonlySet<string> = new Set(['PermissionRequest', 'Stop'])
const repeatMicros = 200_000

export class Intake {
  private readonly recent = new Map<string, { readonly from: string; readonly at: number }>()
  private readonly sessionStarts = new Map<string, number>()
  /** By process id, of the claudes whose hooks were seen. */
  private readonly births = new Map<number, number>()
  private readonly repositories = new Map<string, string>()

  constructor(private readonly options: IntakeOptions) {
    const { wrapped } = options.run
    if (wrapped?.birth !== undefined) this.births.set(wrapped.pid, wrapped.birth)
  }

  /** What an earlier owner of the run has written down. */
  know(entry: HookEntry): void {
    if (entry.birth !== undefined) this.births.set(entry.pid, entry.birth)
    this.followSession(entry)
    this.recent.set(entry.key ?? entry.from, entry)
  }

  /** Whether the claude of that number that was seen here still lives. */
  lives(pid: number): boolean {
    return isProcessAlive(pid, this.births.get(pid))
  }

  /** Whether it is the one that the run was made for. */
  isOurs(pid: number): boolean {
    return pid === this.options.run.wrapped?.pid
  }

  /** A file that is not ours can have any name. */
  readBroken(record: BrokenRecord): BrokenEntry {
    return { k: 'broken', ...record, from: this.options.keeper.mask(record.from) }
  }

  /** What one record tells; a double tells only that it is one. */
  read(record: SpoolRecord): Entry[] {
    const { payload, traceparent, isCallback: _, ...stamp } = record
    const { from, at, pid } = stamp
    const key = Bun.hash(payload).toString(36)
    const { keeper } = this.options
    const event = parseHookPayload(payload, keeper)
    const kept = keeper.takeTally()
    const withinMicros = 'name' in event && repeatable.has(event.name) ? repeatMicros : duplicateMicros
    const isAgain = this.isDuplicate(key, record, withinMicros)
    const isTwin = 'name' in event && this.isToldByCallback(event.name, record)
    // Each callback is one of its own, however soon it follows one with the same words.
    if (isTwin || (isAgain && record.isCallback !== true)) return [{ k: 'duplicate', at, from }]
    if ('broken' in event) return [{ k: 'broken', at, from, reason: event.broken, bytes: Buffer.byteLength(payload) }]
    const isTrace = traceparent !== undefined && parseTraceparent(traceparent) !== undefined
    const more = { ...(isTrace ? { traceparent } : {}), ...(kept === undefined ? {} : { kept }) }
    const entry: HookEntry = { k: 'hook', ...stamp, ...this.birth(pid, at), ...more, key, event }
    const found = [...this.previousOf(entry), ...this.repositoryOf(entry)]
    this.followSession(entry)
    return [found.length === 0 ? entry : { ...entry, found }]
  }

  private birth(pid: number, at: number): { readonly birth?: number } {
    if (this.births.has(pid)) return {}
    const birth = birthOf(pid, at)
    this.births.set(pid, birth)
    return { birth }
  }

  /** Another record with the same payload; the same record again is one that could not be written down the first time. */
  private isDuplicate(key: string, { from, at }: SpoolRecord, withinMicros: number): boolean {
    for (const [known, seen] of this.recent) {
      // They stand in the order of their times.
      if (at - seen.at <= duplicateMicros && this.recent.size < mostRecent) break
      this.recent.delete(known)
    }
    const seen = this.recent.get(key)
    this.recent.delete(key)
    this.recent.set(key, { from, at })
    return seen !== undefined && seen.from !== from && at - seen.at <= withinMicros
  }

  /** Our hooks may stand in the user's settings beside the callbacks of this run. */
  private isToldByCallback(event: string, { pid, isCallback }: SpoolRecord): boolean {
    const byCallbacks = this.options.run.wrapped?.callbacks === true && this.isOurs(pid)
    return byCallbacks && isCallback !== true && toldByCallbacks.has(event)
  }

  /** A session's transcript is read from where this run of it began. */
  private followSession({ at, pid, event }: HookEntry): void {
    const { sessionId, transcriptPath, detail } = event
    const begins = detail.type === 'session-start' && detail.source !== 'compact'
    const began = begins || !this.isOurs(pid) || this.sessionStarts.size > 0 ? at : this.options.run.at
    if (begins || !this.sessionStarts.has(sessionId)) this.sessionStarts.set(sessionId, began)
    const start = this.sessionStarts.get(sessionId) ?? at
    if (transcriptPath !== undefined)
      this.options.transcripts.follow(sessionId, this.options.keeper.pathOf(transcriptPath), start)
  }

  /** A resumed session's former life, before this one takes its place in the span-context file. */
  private previousOf({ at, pid, event }: HookEntry): PreviousEntry[] {
    const { sessionId: session, detail } = event
    const implied = this.sessionStarts.has(session) || !this.isOurs(pid) ? undefined : this.options.run.wrapped?.source
    const source = detail.type === 'session-start' ? detail.source : implied
    const context = source === 'resume' ? readSessionContext(this.options.sessions, session) : undefined
    if (context === undefined) return []
    const { conversationId, ref } = context
    return [{ k: 'previous', at, session, previousId: session, conversationId, ref }]
  }

  private repositoryOf({ at, event }: HookEntry): RepositoryEntry[] {
    const { cwd, sessionId: session, detail } = event
    // What comes first may be anything where nobody told how the session began.
    const isDue = ['session-start', 'prompt'].includes(detail.type) || !this.repositories.has(session)
    if (cwd === undefined || !isDue) return []
    const attributes: Attributes = readRepository(this.options.keeper.pathOf(cwd), this.options.keeper.mask)
    const known = JSON.stringify(attributes)
    // A session that begins, perhaps once more, has not been told.
    if (detail.type !== 'session-start' && this.repositories.get(session) === known) return []
    this.repositories.set(session, known)
    return [{ k: 'repository', at, session, attributes }]
  }
}
