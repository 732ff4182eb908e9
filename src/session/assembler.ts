/**
 * Journal entries in, signals out: pure. Finds the session that an entry belongs to, begins sessions, and ends them when
 * claude goes on to another one or is gone. Two assemblers that are told the same say the same.
 */
import type { AttributeName } from '../telemetry/attributes.ts'
import { deriveSpanId, deriveTraceId, deriveUlid } from '../telemetry/ids.ts'
import type { InstrumentName } from '../telemetry/metrics.ts'
import type { LogSignal, Signal, SpanRef } from '../telemetry/signal.ts'
import { parseTraceparent, sampleRoot } from '../telemetry/trace-context.ts'
import type { BrokenEntry, Entry, ExitEntry, HookEntry, RunEntry } from './entries.ts'
import { Session, type SessionEntry } from './session.ts'

export interface OpenSession {
  readonly id: string
  readonly pid: number
  readonly ref: SpanRef
  readonly conversationId: string
  readonly startUnixMicro: number
  /** SessionEnd has come; what is missing is claude's exit. */
  readonly isEnding: boolean
}

export interface Assembler {
  /** The signals that this entry completes, in order. The first entry must be the run's. */
  apply(entry: Entry): Signal[]
  openSessions(): OpenSession[]
}

export function createAssembler(): Assembler {
  const sessions = new Map<string, Session>()
  let run: RunEntry | undefined
  let hasRootSession = false
  let signals: Signal[] = []
  let logs = 0
  /** Of sessions that have not begun yet: claude writes the first lines of a transcript before it runs the first hook. */
  const early = new Map<string, SessionEntry[]>()
  const emit = (signal: Signal): void => {
    signals.push(signal.kind === 'log' ? withId(signal, `${run?.runId}:${logs++}`) : signal)
  }

  /** Undefined for a straggler of a session that is over. A session whose beginning was not seen begins here. */
  function sessionOf(entry: HookEntry): Session | undefined {
    const known = sessions.get(entry.event.sessionId)
    const { detail } = entry.event
    const begins = detail.type === 'session-start' && detail.source !== 'compact'
    if (known === undefined) return begin(entry, begins ? detail.source : impliedSource(entry))
    const isResumed = begins && known.endedUnixMicro !== undefined
    if (isResumed) return begin(entry, detail.source)
    return known.isOver ? undefined : known
  }

  /** Where claude's arguments kept SessionStart from us: how the session before it ended, or else those arguments, say it. */
  function impliedSource(entry: HookEntry): string {
    const before = formerOf(entry).at(-1)
    if (before?.endReason === 'clear' || before?.endReason === 'resume') return before.endReason
    return isRoot(entry.pid) ? (run?.wrapped?.source ?? 'startup') : 'startup'
  }

  /** The sessions that this one takes the place of. */
  function formerOf({ pid, event }: HookEntry): Session[] {
    return [...sessions.values()].filter(
      ({ start, isOver }) => !isOver && (start.pid === pid || start.id === event.sessionId),
    )
  }

  function isRoot(pid: number): boolean {
    return run?.wrapped?.pid === pid && !hasRootSession
  }

  function begin(entry: HookEntry, source: string): Session {
    const id = entry.event.sessionId
    const former = formerOf(entry)
    const before = former.at(-1)
    for (const session of former) session.finish()
    const parent = parentOf(entry)
    const isImplied = entry.event.detail.type !== 'session-start' && isRoot(entry.pid)
    const session = new Session(
      {
        id,
        pid: entry.pid,
        ref: refOf(entry, parent),
        ...(parent === undefined ? {} : { parent: { ...parent, isRemote: true } }),
        startUnixMicro: isImplied ? (run?.at ?? entry.at) : entry.at,
        source,
        ...(run?.history === undefined ? {} : { history: run.history }),
        ...(before === undefined ? {} : { before }),
      },
      emit,
    )
    sessions.set(id, session)
    for (const told of early.get(id) ?? []) session.on(told)
    early.delete(id)
    return session
  }

  /** In the claude that we started, TRACEPARENT is our own; elsewhere it is what somebody else runs claude under. */
  function parentOf(entry: HookEntry): SpanRef | undefined {
    return entry.pid === run?.wrapped?.pid ? run.parent : parseTraceparent(entry.traceparent)
  }

  /** The first session of a wrapped claude is the one that its environment names; every other derives its own. */
  function refOf(entry: HookEntry, parent: SpanRef | undefined): SpanRef {
    if (run?.wrapped !== undefined && isRoot(entry.pid)) {
      hasRootSession = true
      return run.wrapped.root
    }
    const key = `${entry.event.sessionId}@${entry.at}`
    const traceId = parent?.traceId ?? deriveTraceId(key)
    const traceFlags = run === undefined ? 1 : sampleRoot(run.sampler, traceId, parent)
    return { ...parent, traceId, spanId: deriveSpanId(traceId, `session:${key}`), traceFlags }
  }

  /** What comes after a session's end is not told. */
  function tell(entry: SessionEntry): void {
    const session = sessions.get(entry.session)
    if (session === undefined) early.set(entry.session, [...(early.get(entry.session) ?? []), entry])
    else if (!session.isOver) session.on(entry)
  }

  function exit(entry: ExitEntry): void {
    for (const session of sessions.values()) if (session.start.pid === entry.pid) session.finish(entry)
  }

  /** Of ourselves, and of no session. */
  function measure(instrument: InstrumentName, at: number): void {
    emit({ kind: 'metric', instrument, value: 1, timeUnixMicro: at, attributes: {} })
  }

  function reportBroken(entry: BrokenEntry): void {
    measure('claude_otel.records_broken_total', entry.at)
    const session = [...sessions.values()].at(-1)
    if (session === undefined) return
    const attributes = { 'hook.reason': entry.reason, 'hook.bytes': entry.bytes }
    session.emitter.log('claude_otel.hook.error', entry.at, session.start.ref, attributes, entry.reason, 'warn')
  }

  function hook(entry: HookEntry): void {
    sessionOf(entry)?.onHook(entry)
    for (const found of entry.found ?? []) tell(found)
  }

  return {
    apply(entry) {
      signals = []
      if (entry.k === 'run') run = entry
      else if (entry.k === 'hook') hook(entry)
      else if (entry.k === 'exit') exit(entry)
      else if (entry.k === 'broken') reportBroken(entry)
      else if (entry.k === 'duplicate') measure('claude_otel.hooks_duplicate_total', entry.at)
      else tell(entry)
      return signals
    },
    openSessions: () =>
      [...sessions.values()]
        .filter((session) => !session.isOver)
        .map((session) => ({
          id: session.start.id,
          pid: session.start.pid,
          ref: session.start.ref,
          conversationId: session.conversationId,
          startUnixMicro: session.start.startUnixMicro,
          isEnding: session.endedUnixMicro !== undefined,
        })),
  }
}

/** By its place in the run, so that it is the same whenever the journal is read again. */
function withId(signal: LogSignal, place: string): LogSignal {
  const uid = deriveUlid(signal.timeUnixMicro / 1000, place)
  return { ...signal, attributes: { ['log.record.uid' satisfies AttributeName]: uid, ...signal.attributes } }
}
