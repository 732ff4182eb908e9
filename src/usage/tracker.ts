/**
 * The usage tracker: what came in by OTLP becomes increments of usage, each counted once. Pure: what it has to remember it is
 * given by key and gives back by key (`UsageMemory`, `UsageChange`), so that a store writes memory and records together and a
 * restart, a repetition or another order changes nothing.
 */
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSource, OtlpSpan } from '../telemetry/otlp.ts'
import { correlate, unknownSession } from './correlation.ts'
import { addMeasured, measuredBy, recordOf } from './metrics.ts'
import type { Prices } from './pricing.ts'
import type {
  Correlation,
  Outcome,
  SessionUsage,
  StreamState,
  UsageChange,
  UsageMemory,
  UsageRecord,
} from './record.ts'
import { isKnownScope, isRequestEvent, isRequestSpan, priced, readRequestEvent, readRequestSpan } from './requests.ts'
import { addToTotals, chooseSource, tokensOf } from './sources.ts'
import { type Advance, advance, isCountable } from './stream.ts'

/** What a batch says of usage, over what is remembered of the batches before it. */
export function trackUsage(batch: OtlpBatch, memory: UsageMemory, prices: Prices): UsageChange {
  const tracking = new Tracking(memory, prices)
  if (batch.signal === 'metrics') for (const point of batch.points) tracking.onPoint(point)
  else if (batch.signal === 'logs') for (const log of batch.logs) tracking.onLog(log)
  else for (const span of batch.spans) tracking.onSpan(span)
  return tracking.change()
}

/** The same for requests that did not come by OTLP, such as a transcript's; their ids say which are the same. */
export function trackRequests(requests: readonly UsageRecord[], memory: UsageMemory, prices: Prices): UsageChange {
  const tracking = new Tracking(memory, prices)
  for (const request of requests) tracking.onRequest(request)
  return tracking.change()
}

/** One batch under way: what it changed lies over what is remembered. */
class Tracking {
  private readonly streams = new Map<string, StreamState>()
  private readonly sessions = new Map<string, SessionUsage>()
  private readonly records = new Map<string, UsageRecord>()
  private readonly outcomes: Partial<Record<Outcome, number>> = {}

  constructor(
    private readonly memory: UsageMemory,
    private readonly prices: Prices,
  ) {}

  onPoint(point: OtlpPoint): void {
    const name = measuredBy(point)
    if (name === undefined) return
    const { outcome, increment, state } = isCountable(point) ? advance(point, this.stream) : unusable
    this.count(outcome)
    if (state !== undefined) this.streams.set(state.key, state)
    if (increment === 0) return
    const record = recordOf(point, this.correlate(point.source, point.attributes))
    const part = addMeasured(record, name, increment)
    this.addToSession(part)
    this.records.set(record.id, addMeasured(this.records.get(record.id) ?? record, name, increment))
  }

  onLog(log: OtlpLogRecord): void {
    if (!isKnownScope(log.source.scopeName)) return
    const who = this.correlate(log.source, log.attributes)
    if (isRequestEvent(log)) this.onRequest(readRequestEvent(log, who))
    else this.learn(who)
  }

  onSpan(span: OtlpSpan): void {
    if (!isKnownScope(span.source.scopeName)) return
    const who = this.correlate(span.source, span.attributes)
    if (isRequestSpan(span)) this.onRequest(readRequestSpan(span, who))
    else this.learn(who)
  }

  onRequest(request: UsageRecord): void {
    const { id: key, timeUnixMicro } = request
    const isNew = this.stream(key) === undefined
    this.count(isNew ? 'counted' : 'repeated')
    if (!isNew) return
    const record = priced(request, this.prices)
    this.streams.set(key, { key, timeUnixMicro, value: tokensOf(record) })
    this.records.set(key, record)
    this.addToSession(record)
  }

  change(): UsageChange {
    return {
      streams: [...this.streams.values()],
      sessions: [...this.sessions.values()],
      records: [...this.records.values()],
      outcomes: this.outcomes,
    }
  }

  private readonly stream = (key: string): StreamState | undefined => this.streams.get(key) ?? this.memory.stream(key)

  private readonly session = (id: string): SessionUsage | undefined => this.sessions.get(id) ?? this.memory.session(id)

  private correlate(source: OtlpSource, attributes: OtlpAttributes): Correlation {
    return correlate(source, attributes, this.session)
  }

  /** A signal without usage may know where the session is, or what it belongs to. */
  private learn(who: Correlation): void {
    if (who.sessionId === unknownSession) return
    const past = this.session(who.sessionId)
    const isNew = past === undefined || correlationNames.some((name) => past[name] !== who[name])
    if (isNew) this.sessions.set(who.sessionId, { ...(past ?? noUsage), ...who })
  }

  private addToSession(record: UsageRecord): void {
    const { sessionId, timeUnixMicro, source } = record
    this.learn(correlationOf(record))
    const past = this.session(sessionId) ?? { ...noUsage, ...correlationOf(record) }
    const hasUsage = past.lastUnixMicro !== 0
    const bySource = { ...past.bySource, [source]: addToTotals(past.bySource[source], record) }
    this.sessions.set(sessionId, {
      ...past,
      firstUnixMicro: hasUsage ? Math.min(past.firstUnixMicro, timeUnixMicro) : timeUnixMicro,
      lastUnixMicro: Math.max(past.lastUnixMicro, timeUnixMicro),
      source: chooseSource(bySource) ?? source,
      bySource,
    })
  }

  private count(outcome: Outcome): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1
  }
}

const correlationNames = ['orchestrationId', 'repository', 'branch', 'user'] as const

const noUsage: Omit<SessionUsage, keyof Correlation> = { firstUnixMicro: 0, lastUnixMicro: 0, bySource: {} }

const unusable: Advance = { outcome: 'unusable', increment: 0 }

function correlationOf({ sessionId, orchestrationId, repository, branch, user }: Correlation): Correlation {
  return {
    sessionId,
    orchestrationId,
    ...(repository === undefined ? {} : { repository }),
    ...(branch === undefined ? {} : { branch }),
    ...(user === undefined ? {} : { user }),
  }
}
