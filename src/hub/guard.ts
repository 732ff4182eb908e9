/**
 * The guard: says when a session or a day has crossed a threshold, once per crossing. Only what happens now counts: a session is
 * looked at when something recent of it has come, never for what is sent late or filled in. What has fired is a mark in the store,
 * written before anything is done: a hub that dies in between has done too little, not something twice.
 */
import { describeError } from '../base/errors.ts'
import type { GuardRule } from '../config/config.ts'
import { sessionContext } from '../dashboard/context.ts'
import type { Live } from '../dashboard/live.ts'
import { compact } from '../dashboard/span-facts.ts'
import { sessionIdOf } from '../store/session-facts.ts'
import type { AnyStore } from '../store/store.ts'
import type { OtlpBatch } from '../telemetry/otlp.ts'
import { tokensOf } from '../usage/sources.ts'
import { type Crossing, crossingOf, type GuardedDay, type GuardedSession, measure } from './guard-crossing.ts'
import type { SessionPlace } from './transcript-finder.ts'

export interface GuardOptions {
  readonly rules: readonly GuardRule[]
  readonly store: Pick<AnyStore, 'marks' | 'putMark' | 'session' | 'sessionUsage' | 'usage'>
  readonly live: Live
  readonly contextTokens: (model: string) => number | undefined
  /** What this machine knows of a session that was not sent, or not yet. */
  readonly placeOf?: (sessionId: string) => SessionPlace | undefined
  /** The rules of one threshold, which differ in what is to be done; to be begun, not waited for. */
  readonly onCrossing: (crossing: Crossing, rules: readonly GuardRule[]) => void
  /** Told what kept it from looking or remembering. */
  readonly onProblem: (message: string) => void
  /** Milliseconds since the Unix epoch. */
  readonly now?: () => number
}

export interface Guard {
  /** What has come, when it is in the store and known to `live`. */
  take(batch: OtlpBatch): void
  /** Looks now at what has come, instead of soon; resolves when it has, and never rejects. */
  check(): Promise<void>
  /** Resolves when it does not look any more. */
  close(): Promise<void>
}

/** What is older than this has not just happened. */
const recentMs = 10 * 60_000
/** Requests come in bursts: what they say together is looked at once. */
const gatherMs = 200
/** Summing a day takes longer the more was used in it: no more than a twentieth of the time goes into looking. */
const restFactor = 20
/** A context that has fallen below this share of its threshold, by a compaction, can cross it again. */
const rearmedShare = 0.9
/** What could not be looked at is looked at again. */
const retryMs = 5000
/** Of its marks, so many are known again after a restart. */
const maxMarks = 10_000

export const firedPrefix = 'guard state/'

/** Knows what has fired before. Rejects with the store's failure. */
export async function createGuard(options: GuardOptions): Promise<Guard> {
  const marks = options.rules.length === 0 ? [] : await options.store.marks(firedPrefix, maxMarks)
  const fired = marks.filter(({ value }) => value === 'fired').map(({ key }) => key)
  return new WatchingGuard(options, new Set(fired))
}

class WatchingGuard implements Guard {
  private readonly byName: ReadonlyMap<string, readonly GuardRule[]>
  private readonly touched = new Set<string>()
  private readonly now: () => number
  private timer: Timer | undefined
  private looking: Promise<void> | undefined
  private restUntilMs = 0
  private isFailing = false
  private isClosed = false

  constructor(
    private readonly options: GuardOptions,
    /** Keys of thresholds that are crossed. */
    private readonly fired: Set<string>,
  ) {
    this.byName = Map.groupBy(options.rules, ({ name }) => name)
    this.now = options.now ?? Date.now
  }

  take(batch: OtlpBatch): void {
    if (this.byName.size === 0) return
    for (const id of recentSessions(batch, this.sinceUnixMicro())) this.touched.add(id)
    this.lookSoon()
  }

  async check(): Promise<void> {
    clearTimeout(this.timer)
    this.timer = undefined
    // What has come during a look is not in it.
    await this.looking
    this.looking = this.lookAt([...this.touched])
    this.touched.clear()
    await this.looking
    this.looking = undefined
    this.lookSoon()
  }

  async close(): Promise<void> {
    this.isClosed = true
    clearTimeout(this.timer)
    await this.looking
  }

  private lookSoon(): void {
    if (this.touched.size === 0 || this.timer !== undefined || this.looking !== undefined || this.isClosed) return
    this.timer = setTimeout(() => void this.check(), Math.max(gatherMs, this.restUntilMs - performance.now()))
    this.timer.unref()
  }

  private async lookAt(ids: readonly string[]): Promise<void> {
    const startMs = performance.now()
    try {
      let known: Promise<GuardedDay> | undefined
      const day = () => {
        known ??= this.day()
        return known
      }
      for (const session of await Promise.all(ids.map((id) => this.session(id)))) {
        for (const rules of this.byName.values()) if (!this.isClosed) await this.look(rules, session, day)
      }
      this.isFailing = false
      this.restUntilMs = performance.now() + restFactor * (performance.now() - startMs)
    } catch (error) {
      if (!this.isFailing) this.options.onProblem(`the guard could not look: ${describeError(error)}`)
      this.isFailing = true
      for (const id of ids) this.touched.add(id)
      this.restUntilMs = performance.now() + retryMs
    }
  }

  private async look(
    rules: readonly GuardRule[],
    session: GuardedSession,
    day: () => Promise<GuardedDay>,
  ): Promise<void> {
    const [rule] = rules
    if (rule === undefined) return
    const spent = rule.per === 'day' ? await day() : session
    const value = measure(rule, session, spent)
    if (value === undefined) return
    const key = `${firedPrefix}${rule.name}/${'date' in spent ? spent.date : session.id}`
    const hasFired = this.fired.has(key)
    if (hasFired && rule.on === 'context' && value < rule.above * rearmedShare) {
      this.fired.delete(key)
      await this.remember(key, 'armed')
    }
    if (hasFired || value <= rule.above) return
    const told = { ...this.options.placeOf?.(session.id), ...session }
    const crossing = crossingOf(rule, value, told, await day(), this.now())
    this.fired.add(key)
    await this.remember(key, 'fired')
    this.options.onCrossing(crossing, rules)
  }

  private async remember(key: string, value: 'fired' | 'armed'): Promise<void> {
    try {
      await this.options.store.putMark({ key, timeUnixMicro: this.now() * 1000, value })
    } catch (error) {
      this.options.onProblem(`the guard may act again after a restart: ${describeError(error)}`)
    }
  }

  private async session(id: string): Promise<GuardedSession> {
    const { store, live, contextTokens } = this.options
    const [facts, usage] = await Promise.all([store.session(id), store.sessionUsage(id)])
    const { repository, branch, model, cwd } = facts ?? {}
    const isRecent = (usage?.lastUnixMicro ?? 0) >= this.sinceUnixMicro()
    const totals = usage?.source === undefined || !isRecent ? undefined : usage.bySource[usage.source]
    const samples = live.session(id)?.context ?? []
    const isOld = (samples.at(-1)?.unixMicro ?? 0) < this.sinceUnixMicro()
    const limit = model === undefined ? undefined : contextTokens(model)
    const context = isOld ? undefined : sessionContext(samples, limit)
    return {
      id,
      tokens: totals === undefined ? 0 : tokensOf(totals),
      costUsd: totals?.costUsd ?? null,
      ...compact({ project: repository, branch, model, cwd }),
      ...compact({
        contextTokens: context?.tokens,
        contextLimit: context === undefined ? limit : context.windowTokens,
      }),
    }
  }

  private async day(): Promise<GuardedDay> {
    const now = new Date(this.now())
    const [year, month, date] = [now.getFullYear(), now.getMonth(), now.getDate()]
    // A day is not always of 24 hours.
    const [since, until] = [new Date(year, month, date), new Date(year, month, date + 1)]
    const period = { sinceUnixMicro: since.getTime() * 1000, untilUnixMicro: until.getTime() * 1000 }
    const [sum] = await this.options.store.usage([], period)
    const two = (number: number) => String(number).padStart(2, '0')
    return {
      date: `${year}-${two(month + 1)}-${two(date)}`,
      tokens: sum === undefined ? 0 : tokensOf(sum),
      costUsd: sum?.costUsd ?? null,
    }
  }

  private sinceUnixMicro(): number {
    return (this.now() - recentMs) * 1000
  }
}

/** Those of which the batch tells something that has happened since. */
function recentSessions(batch: OtlpBatch, sinceUnixMicro: number): Set<string> {
  const moments =
    batch.signal === 'traces'
      ? batch.spans.map(({ attributes, endUnixMicro }) => ({ attributes, at: endUnixMicro }))
      : batch.signal === 'logs'
        ? batch.logs.map(({ attributes, timeUnixMicro, observedUnixMicro }) => ({
            attributes,
            at: timeUnixMicro === 0 ? observedUnixMicro : timeUnixMicro,
          }))
        : batch.points.map(({ attributes, timeUnixMicro }) => ({ attributes, at: timeUnixMicro }))
  const recent = moments.filter(({ at }) => at >= sinceUnixMicro)
  return new Set(recent.flatMap(({ attributes }) => sessionIdOf(attributes) ?? []))
}
