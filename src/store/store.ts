/**
 * What the hub remembers: one interface, a table of what can stand behind it by the scheme of its URL. Whoever opens a store
 * closes it. Reads see everything that was written before them.
 */
import { Failure } from '../base/errors.ts'
import { showText } from '../config/kinds.ts'
import type { OtlpBatch, OtlpLogRecord, OtlpPoint, OtlpSpan } from '../telemetry/otlp.ts'
import type { TranscriptFile } from '../usage/history.ts'
import type { Prices } from '../usage/pricing.ts'
import type { SessionUsage, TokenCounts, UsageRecord } from '../usage/record.ts'
import { clickhouseExample } from './clickhouse-place.ts'
import type { SessionFacts } from './session-facts.ts'

/** A span of the time line; both ends in microseconds since the Unix epoch, the end not included. */
export interface Period {
  readonly sinceUnixMicro: number
  readonly untilUnixMicro: number
}

/** A part of a list that can be long: whoever reads all of it part by part lets others have their turn in between. */
export interface LogPart {
  readonly offset: number
  readonly limit: number
}

export interface SpanPart {
  /** The last span of the part before. */
  readonly after?: OtlpSpan
  readonly limit: number
}

export interface Store {
  /** As it was opened, without secrets. */
  readonly url: string
  /**
   * Takes what a request brought. Resolved when it is in the write-ahead log and would survive our death. What was sent before is
   * known by its ids, and taken once. Rejects with a Failure ('io') when it cannot be kept.
   */
  append(batch: OtlpBatch): Promise<void>
  /** All spans of a trace, by start. */
  trace(traceId: string): readonly OtlpSpan[]
  /** All spans of a session, over all its traces, by start. */
  sessionSpans(sessionId: string, part?: SpanPart): readonly OtlpSpan[]
  span(traceId: string, spanId: string): OtlpSpan | undefined
  /** Log records of a session, by time. */
  sessionLogs(sessionId: string, part?: LogPart): readonly OtlpLogRecord[]
  /** Sessions that were heard of in the period, the last heard of first. */
  sessions(period: Period, limit: number): readonly SessionFacts[]
  session(id: string): SessionFacts | undefined
  /** The answers that a transcript tells of; says how many were new. Those that are known count once. */
  appendHistory(requests: readonly UsageRecord[], file?: TranscriptFile): number
  /** Whether the file was taken as it is now. */
  knowsFile(file: TranscriptFile): boolean
  /** Sums of usage by what is asked, in its order; of each session only the source that is believed. */
  usage(by: readonly UsageGroup[], period: Period): readonly UsageSum[]
  /** What each source says of a session. */
  sessionUsage(sessionId: string): SessionUsage | undefined
  /** The same of all sessions whose last usage lies in the period. */
  sessionUsages(period: Period): readonly SessionUsage[]
  /** Points of an instrument, by time. */
  points(name: string, period: Period): readonly OtlpPoint[]
  counts(): StoreCounts
  /** Marks whose key begins so, the last first. */
  marks(prefix: string, limit: number): readonly Mark[]
  /** Written when it returns; replaces the one of its key. Throws a Failure ('io') when it cannot be kept. */
  putMark(mark: Mark): void
  /**
   * Forgets what ended before (to the hour; what a request brought goes together), and the oldest beyond the size; says how many rows
   * went. Usage goes record by record when its time has come, and its sums stay, to the quarter of an hour.
   */
  retain(limits: Retention): number
  close(): void
}

/** A small thing to know after a restart. It is forgotten 30 days after its time. */
export interface Mark {
  readonly key: string
  readonly timeUnixMicro: number
  readonly value: string
}

export type Later<Value> = Value | Promise<Value>

/** The same, of a store that may be elsewhere: it answers later. One that others write to as well says by itself what goes when. */
export type AnyStore = {
  readonly [Name in Exclude<keyof Store, 'retain'>]: Store[Name] extends (...question: infer Question) => infer Answer
    ? (...question: Question) => Later<Awaited<Answer>>
    : Store[Name]
} & Pick<Store, 'append' | 'close'> &
  Partial<Pick<Store, 'retain'>> & { ages?(): Promise<readonly KeptAge[]> }

/** For how long a kind of rows is kept, in words for people; without one for ever. */
export interface KeptAge {
  readonly what: string
  readonly age?: string
}

export type UsageGroup = 'minute' | 'day' | 'week' | 'session' | 'model' | 'project' | 'querySource' | 'costSource'

/** The groups asked for (`day` and `week` as `YYYY-MM-DD`, a week by its Monday, a minute by its beginning in seconds) with what was used. */
export interface UsageSum extends TokenCounts, Readonly<Partial<Record<UsageGroup, string>>> {
  /** What is known of it; null where nothing is. */
  readonly costUsd: number | null
  readonly sessions: number
  readonly lastUnixMicro: number
}

export interface StoreCounts {
  readonly spans: number
  readonly logs: number
  readonly points: number
  /** Of all its files on disk. */
  readonly bytes: number
}

export interface Retention {
  readonly maxAgeMs: number
  readonly maxBytes: number
}

export interface StoreOptions {
  /** For what Claude Code states no cost of. */
  readonly prices?: Prices
  /** How long a write waits for another process that writes; nobody else is served meanwhile. 5000 where it is not given. */
  readonly busyMs?: number
  /** How long rows are kept in tables that are made now; those that are there keep their own. */
  readonly maxAgeMs?: number
  /** Told what a person should know: a damaged file was set aside. */
  readonly notice?: (message: string) => void
}

interface StoreKind {
  /** How such a URL looks, for people. */
  readonly example: string
  open(url: URL, options: StoreOptions): Promise<Store>
}

export const stores: Readonly<Record<string, StoreKind>> = {
  'sqlite:': {
    example: 'sqlite:///home/me/hub.db',
    open: async (url, options) =>
      (await import('./sqlite.ts')).openSqliteStore(decodeURIComponent(url.pathname), options),
  },
}

/** By one name, however it is written: a plain absolute path is a SQLite file. Undefined where it is none of either. */
export function storeUrl(where: string): URL | undefined {
  return (
    URL.parse(where.startsWith('/') ? `sqlite://${encodeURI(where).replaceAll(/[?#]/g, encodeURIComponent)}` : where) ??
    undefined
  )
}

/** Rejects with a Failure that names what would be right. */
export async function openStore(where: string, options: StoreOptions = {}): Promise<Store> {
  const url = storeUrl(where)
  const kind = url === undefined ? undefined : stores[url.protocol]
  if (url === undefined || kind === undefined) {
    const examples = Object.values(stores).map(({ example }) => example)
    throw new Failure(
      'config',
      `the store is "${showText(where)}"`,
      `use a path, or one of: ${[...examples, clickhouseExample].join(', ')}`,
    )
  }
  return kind.open(url, options)
}
