/**
 * Recorded requests of the real Claude Code (test/fixtures/otlp), as the tracker is given them, and what the scripted API had
 * served. The reader of OTLP/JSON is as small as these files allow.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type {
  OtlpAttributes,
  OtlpBatch,
  OtlpLogRecord,
  OtlpPoint,
  OtlpSource,
  OtlpSpan,
  OtlpValue,
} from '../../src/telemetry/otlp.ts'
import { createPrices } from '../../src/usage/pricing.ts'
import type {
  SessionUsage,
  StreamState,
  TokenCounts,
  UsageChange,
  UsageMemory,
  UsageRecord,
  UsageSource,
} from '../../src/usage/record.ts'
import { trackUsage } from '../../src/usage/tracker.ts'

const root = join(import.meta.dir, '../fixtures/otlp')

export const recordedCases = [
  '05-full-grpc',
  '06-full-protobuf-gzip',
  '20-dies-restarts-cumulative',
  '22-503-duplicates',
  '40-two-concurrent',
  '43-resume-cumulative',
  '70-tui-cumulative',
] as const

export type CaseName = (typeof recordedCases)[number]

interface Served {
  readonly requestId: string
  readonly model: string
  /** `drip`: the user broke the answer off. */
  readonly served: string
  readonly usage: {
    readonly input_tokens: number
    readonly output_tokens: number
    readonly cache_read_input_tokens: number
    readonly cache_creation_input_tokens: number
  }
}

/** The recording of this case ends when its receiver died, after the second request of nine. */
const arrived: Partial<Record<CaseName, number>> = { '20-dies-restarts-cumulative': 2 }

/** Claude Code's estimate of what it had got when the user broke the answer off; the API had counted 1 token by then. */
const estimatedOutput = 20

/** What was served in a case, request by request. */
export function servedIn(name: CaseName): readonly Served[] {
  const { requests } = JSON.parse(readFileSync(join(root, name, 'served.json'), 'utf8')) as { requests: Served[] }
  return requests.slice(0, arrived[name])
}

/** Its tokens by model: with `cut`, those of answers that were broken off too. */
export function servedTokens(name: CaseName, withCut: 'with cut' | 'without cut'): Record<string, TokenCounts> {
  const sums: Record<string, TokenCounts> = {}
  for (const { model, served, usage } of servedIn(name)) {
    const isCut = served === 'drip'
    if (isCut && withCut === 'without cut') continue
    sums[model] = addTokens(sums[model] ?? noTokens, {
      inputTokens: usage.input_tokens,
      outputTokens: isCut ? estimatedOutput : usage.output_tokens,
      cacheReadTokens: usage.cache_read_input_tokens,
      cacheCreationTokens: usage.cache_creation_input_tokens,
    })
  }
  return sums
}

/** The batches of a case in the order in which they came in. */
export function readBatches(name: CaseName): readonly OtlpBatch[] {
  const lines = readFileSync(join(root, name, 'requests.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
  return lines.map((line) => readBatch((JSON.parse(line) as { body: Body }).body))
}

export interface Body {
  readonly resourceMetrics?: readonly Resource<'scopeMetrics', { readonly metrics: readonly Metric[] }>[]
  readonly resourceLogs?: readonly Resource<'scopeLogs', { readonly logRecords: readonly LogRecord[] }>[]
  readonly resourceSpans?: readonly Resource<'scopeSpans', { readonly spans: readonly Span[] }>[]
}

type Resource<Name extends string, Content> = { readonly resource: { readonly attributes: Pairs } } & {
  readonly [Each in Name]: readonly (Content & {
    readonly scope: { readonly name: string; readonly version: string }
  })[]
}

interface Value {
  readonly stringValue?: string
  readonly boolValue?: boolean
  readonly doubleValue?: number
  readonly intValue?: string | number
}

type Pairs = readonly { readonly key: string; readonly value: Value }[]

interface Metric {
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly sum?: {
    readonly aggregationTemporality: number
    readonly isMonotonic: boolean
    readonly dataPoints: readonly {
      readonly asDouble: number
      readonly attributes: Pairs
      readonly startTimeUnixNano: string
      readonly timeUnixNano: string
    }[]
  }
}

interface LogRecord {
  readonly timeUnixNano: string
  readonly observedTimeUnixNano: string
  readonly attributes: Pairs
  readonly traceId?: string
  readonly spanId?: string
}

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Pairs
}

/** A request in OTLP/JSON. Points that are no sums are left out. */
export function readBatch({ resourceMetrics, resourceLogs, resourceSpans = [] }: Body): OtlpBatch {
  if (resourceMetrics !== undefined) {
    const scopes = scopesOf('scopeMetrics', resourceMetrics)
    return { signal: 'metrics', points: scopes.flatMap(({ source, metrics }) => metrics.flatMap(readPoints(source))) }
  }
  if (resourceLogs !== undefined) {
    const scopes = scopesOf('scopeLogs', resourceLogs)
    return { signal: 'logs', logs: scopes.flatMap(({ source, logRecords }) => logRecords.map(readLog(source))) }
  }
  const scopes = scopesOf('scopeSpans', resourceSpans)
  return { signal: 'traces', spans: scopes.flatMap(({ source, spans }) => spans.map(readSpan(source))) }
}

function scopesOf<Name extends string, Content>(name: Name, resources: readonly Resource<Name, Content>[]) {
  return resources.flatMap((each) =>
    each[name].map((content) => {
      const { name: scopeName, version: scopeVersion } = content.scope
      const resource = readAttributes(each.resource.attributes)
      return { ...content, source: { resource, scopeName, scopeVersion, scopeAttributes: {} } }
    }),
  )
}

const readPoints =
  (source: OtlpSource) =>
  ({ name, unit, description, sum }: Metric): OtlpPoint[] =>
    (sum?.dataPoints ?? []).map((point) => ({
      source,
      name,
      unit,
      description,
      type: 'sum',
      temporality: sum?.aggregationTemporality === 1 ? 'delta' : 'cumulative',
      isMonotonic: sum?.isMonotonic ?? false,
      value: point.asDouble,
      attributes: readAttributes(point.attributes),
      startUnixMicro: Number(point.startTimeUnixNano) / 1000,
      timeUnixMicro: Number(point.timeUnixNano) / 1000,
      isAbsent: false,
      exemplars: [],
    }))

const readLog =
  (source: OtlpSource) =>
  ({ traceId, spanId, ...record }: LogRecord): OtlpLogRecord => {
    const attributes = readAttributes(record.attributes)
    return {
      source,
      attributes,
      timeUnixMicro: Number(record.timeUnixNano) / 1000,
      observedUnixMicro: Number(record.observedTimeUnixNano) / 1000,
      severityNumber: 0,
      eventName: String(attributes['event.name']),
      ...(traceId && spanId ? { traceId, spanId } : {}),
    }
  }

const readSpan =
  (source: OtlpSource) =>
  ({ traceId, spanId, name, kind, ...span }: Span): OtlpSpan => ({
    source,
    traceId,
    spanId,
    name,
    kind,
    flags: 0,
    startUnixMicro: Math.floor(Number(span.startTimeUnixNano) / 1000),
    endUnixMicro: Math.floor(Number(span.endTimeUnixNano) / 1000),
    attributes: readAttributes(span.attributes),
    events: [],
    links: [],
    statusCode: 0,
  })

function readAttributes(pairs: Pairs): OtlpAttributes {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, readValue(value)]))
}

function readValue({ stringValue, boolValue, doubleValue, intValue }: Value): OtlpValue {
  return intValue === undefined ? (stringValue ?? boolValue ?? doubleValue ?? null) : Number(intValue)
}

/** A store in memory: rows by key, and every record that it was ever told. */
export class Ledger implements UsageMemory {
  readonly records: UsageRecord[] = []
  readonly outcomes: Record<string, number> = {}
  private streams = new Map<string, StreamState>()
  private sessions = new Map<string, SessionUsage>()

  readonly stream = (key: string): StreamState | undefined => this.streams.get(key)
  readonly session = (id: string): SessionUsage | undefined => this.sessions.get(id)

  take(batch: OtlpBatch): this {
    return this.write(trackUsage(batch, this, prices))
  }

  write({ streams, sessions, records, outcomes }: UsageChange): this {
    for (const state of streams) this.streams.set(state.key, state)
    for (const session of sessions) this.sessions.set(session.sessionId, session)
    this.records.push(...records)
    for (const [outcome, count] of Object.entries(outcomes)) {
      this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + count
    }
    return this
  }

  /** Through text and back, as over a restart. */
  restart(): void {
    this.streams = new Map(JSON.parse(JSON.stringify([...this.streams])))
    this.sessions = new Map(JSON.parse(JSON.stringify([...this.sessions])))
  }

  allSessions(): SessionUsage[] {
    return [...this.sessions.values()]
  }

  /** Sums of one source, by model. */
  tokens(source: UsageSource): Record<string, TokenCounts> {
    const sums: Record<string, TokenCounts> = {}
    for (const record of this.records) {
      if (record.source === source) sums[record.model] = addTokens(sums[record.model] ?? noTokens, record)
    }
    return sums
  }

  costUsd(source: UsageSource): number {
    return this.records.reduce((sum, record) => sum + (record.source === source ? (record.costUsd ?? 0) : 0), 0)
  }
}

export const prices = createPrices()

export const noTokens: TokenCounts = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 }

export function addTokens(left: TokenCounts, right: TokenCounts): TokenCounts {
  return {
    inputTokens: left.inputTokens + right.inputTokens,
    outputTokens: left.outputTokens + right.outputTokens,
    cacheReadTokens: left.cacheReadTokens + right.cacheReadTokens,
    cacheCreationTokens: left.cacheCreationTokens + right.cacheCreationTokens,
  }
}
