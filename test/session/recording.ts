/**
 * Sessions recorded from the real claude, played into the spool as its hooks would have filled it, and pumped. What comes out
 * is read back from the file exporter and written down in a form that a person can check.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Config, resolveConfig } from '../../src/config/config.ts'
import { createRunEntry } from '../../src/session/begin.ts'
import { startPump } from '../../src/session/pump.ts'
import { claimRun, createRunFolder, type RunFolder } from '../../src/session/run.ts'

const fixtures = join(import.meta.dir, '../fixtures/hooks')

export interface HookCall {
  readonly at: number
  readonly pid: number
  readonly payload: Readonly<Record<string, unknown>>
}

/** The hook calls of a recording; each start of a claude process gets a process id of its own, of nobody alive. */
export function readRecording(name: string): HookCall[] {
  const folder = join(fixtures, name)
  const transcripts = new Map(
    readdirSync(join(folder, 'transcripts')).map((file) => [file, join(folder, 'transcripts', file)]),
  )
  let pid = 9_000_000
  return readFileSync(join(folder, 'hooks.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { at: stamp, payload } = JSON.parse(line) as { at: string; payload: Record<string, unknown> }
      const at = Number(stamp)
      const { hook_event_name: event, source, session_id: session } = payload
      if (event === 'SessionStart' && source !== 'clear' && source !== 'compact') pid += 1
      const path = transcripts.get(`${String(session)}.jsonl`) ?? join(folder, 'no-transcript.jsonl')
      return { at, pid, payload: { ...payload, transcript_path: path } }
    })
}

/** One run per claude process, in the order of their starts. */
export function runsOf(calls: readonly HookCall[]): HookCall[][] {
  return [...Map.groupBy(calls, ({ pid }) => pid).values()]
}

export interface Workshop {
  readonly folder: string
  readonly sessions: string
  readonly reports: string
  readonly dropped: string
  readonly output: string
  config: Config
  remove(): void
}

/** `more`: variables beside those that have all of it in one file. */
export function openWorkshop(more: Readonly<Record<string, string>> = {}): Workshop {
  const folder = mkdtempSync(join(tmpdir(), 'claude-otel-recording-'))
  const output = join(folder, 'signals.jsonl')
  const env = {
    CLAUDE_OTEL_FILE: output,
    OTEL_TRACES_EXPORTER: 'file',
    OTEL_LOGS_EXPORTER: 'file',
    OTEL_METRICS_EXPORTER: 'file',
    ...more,
  }
  const { config } = resolveConfig({ env })
  return {
    folder,
    sessions: join(folder, 'sessions'),
    reports: join(folder, 'reports.jsonl'),
    dropped: join(folder, 'dropped.jsonl'),
    output,
    config,
    remove: () => rmSync(folder, { recursive: true }),
  }
}

export function prepareRun(workshop: Workshop, name: string): RunFolder {
  const folder = createRunFolder(join(workshop.folder, 'runs', name))
  claimRun(folder)
  return folder
}

/** Writes spool files as the hook does, in the order given: their names carry the time. */
export function fillSpool(folder: RunFolder, calls: readonly HookCall[]): void {
  mkdirSync(folder.spool, { recursive: true })
  for (const { at, pid, payload } of calls) {
    const body = JSON.stringify(payload)
    const header = JSON.stringify({ v: 1, t: at, pid, as: 'test', n: body.length })
    writeFileSync(join(folder.spool, `${at}-${pid}`), `${header}\n${body}\n`)
  }
}

export function pumpOf(
  workshop: Workshop,
  folder: RunFolder,
  calls: readonly HookCall[],
): ReturnType<typeof startPump> {
  const at = calls[0]?.at ?? 0
  const entry = createRunEntry(workshop.config, `recorded-${at}`, at)
  return startPump({ folder, paths: workshop, config: workshop.config, entry })
}

/**
 * The transcripts as they stood when each run ended: without the lines of a later run that resumed the session.
 */
function cutTranscripts(runs: readonly (readonly HookCall[])[], folder: string): HookCall[][] {
  return runs.map((calls, index) =>
    calls.map((call) => {
      const session = call.payload.session_id
      const next = runs
        .slice(index + 1)
        .flat()
        .find(({ payload }) => payload.session_id === session)
      const source = String(call.payload.transcript_path)
      if (next === undefined || !existsSync(source)) return call
      const path = join(folder, `${index}`, basename(source))
      if (!existsSync(path)) {
        mkdirSync(join(folder, `${index}`))
        writeFileSync(path, linesBefore(source, next.at))
      }
      return { ...call, payload: { ...call.payload, transcript_path: path } }
    }),
  )
}

function linesBefore(path: string, until: number): string {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  const end = lines.findIndex(
    (line) => Date.parse((JSON.parse(line) as { timestamp?: string }).timestamp ?? '') * 1000 >= until,
  )
  return `${lines.slice(0, end === -1 ? undefined : end).join('\n')}\n`
}

/** Plays whole runs, one after the other, and reads back what was exported. */
export function play(
  runs: readonly (readonly HookCall[])[],
  order = (calls: readonly HookCall[]) => calls,
  more: Readonly<Record<string, string>> = {},
): Promise<Exported> {
  return playInto(runs, readExported, order, more)
}

/** The same, read by a function that is given the file of OTLP/JSON lines. */
export async function playInto<Result>(
  runs: readonly (readonly HookCall[])[],
  read: (path: string) => Result,
  order = (calls: readonly HookCall[]) => calls,
  more: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const workshop = openWorkshop(more)
  try {
    for (const [index, calls] of cutTranscripts(runs, workshop.folder).entries()) {
      const folder = prepareRun(workshop, String(index))
      fillSpool(folder, order(calls))
      const pids = [...new Set(calls.map(({ pid }) => pid))]
      await pumpOf(workshop, folder, calls).close(() => pids.map((pid) => ({ pid })), AbortSignal.timeout(10_000))
    }
    return read(workshop.output)
  } finally {
    workshop.remove()
  }
}

type Value = string | number | boolean | readonly string[]

export interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly start: number
  readonly end: number
  readonly attributes: Readonly<Record<string, Value>>
  readonly links: readonly string[]
  readonly events: readonly {
    readonly name: string
    readonly at: number
    readonly attributes: Readonly<Record<string, Value>>
  }[]
  readonly failed: boolean
}

export interface Exported {
  readonly spans: readonly Span[]
  readonly logs: readonly {
    readonly at: number
    readonly event: string
    readonly spanId: string
    readonly body: string
  }[]
  /** Instrument and attributes to the last total. */
  readonly metrics: Readonly<Record<string, number>>
}

/** Reads OTLP/JSON lines as the file exporter writes them. */
export function readExported(path: string): Exported {
  const requests = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const spans = requests.flatMap((request) => collect(request.resourceSpans, 'scopeSpans', 'spans')).map(toSpan)
  const logs = requests
    .flatMap((request) => collect(request.resourceLogs, 'scopeLogs', 'logRecords'))
    .map((record) => ({
      at: micros(record.timeUnixNano),
      event: String(record.eventName),
      spanId: String(record.spanId),
      body: String((record.body as { stringValue?: string }).stringValue),
    }))
  const metrics: Record<string, number> = {}
  for (const request of requests) {
    for (const metric of collect(request.resourceMetrics, 'scopeMetrics', 'metrics')) addPoints(metrics, metric)
  }
  return { spans, logs, metrics }
}

type Json = Readonly<Record<string, unknown>>

function collect(resources: unknown, scopes: string, items: string): Json[] {
  const list = (value: unknown): Json[] => (Array.isArray(value) ? value : [])
  return list(resources).flatMap((resource) => list(resource[scopes]).flatMap((scope) => list(scope[items])))
}

function toSpan(span: Json): Span {
  return {
    traceId: String(span.traceId),
    spanId: String(span.spanId),
    parentSpanId: String(span.parentSpanId ?? ''),
    name: String(span.name),
    start: micros(span.startTimeUnixNano),
    end: micros(span.endTimeUnixNano),
    attributes: attributesOf(span.attributes),
    links: ((span.links ?? []) as Json[]).map((link) => String(link.spanId)),
    events: ((span.events ?? []) as Json[]).map((event) => ({
      name: String(event.name),
      at: micros(event.timeUnixNano),
      attributes: attributesOf(event.attributes),
    })),
    failed: (span.status as { code?: number } | undefined)?.code === 2,
  }
}

function addPoints(metrics: Record<string, number>, metric: Json): void {
  const data = (metric.sum ?? metric.histogram) as { dataPoints: Json[] }
  for (const point of data.dataPoints) {
    const labels = Object.entries(attributesOf(point.attributes)).map(([key, value]) => `${key}=${String(value)}`)
    const value = Number(point.asInt ?? point.asDouble ?? point.sum)
    const name = `${String(metric.name)}{${labels.sort().join(',')}}`
    metrics[name] = Number(((metrics[name] ?? 0) + value).toFixed(6))
  }
}

function attributesOf(list: unknown): Record<string, Value> {
  const entries = (list ?? []) as { key: string; value: Record<string, unknown> }[]
  return Object.fromEntries(entries.map(({ key, value }) => [key, readValue(value)]))
}

function readValue(value: Record<string, unknown>): Value {
  if (value.intValue !== undefined) return Number(value.intValue)
  if (value.arrayValue !== undefined) {
    return ((value.arrayValue as { values: Record<string, unknown>[] }).values ?? []).map((item) =>
      String(readValue(item)),
    )
  }
  return (value.stringValue ?? value.doubleValue ?? value.boolValue) as Value
}

function micros(nanos: unknown): number {
  return Number(BigInt(String(nanos)) / 1000n)
}

/** Left out of the golden text: what stands in it anyway, or differs between machines. */
const omitted =
  /^(gen_ai\.(system|provider|operation|tool|conversation|usage|request\.model|response\.model)|tool\.(name|use_id|is_error)|event\.|error$|process\.|host|input\.bytes|interrupted|timeout)/

export function renderExported({ spans, logs, metrics }: Exported): string {
  const zero = Math.min(...spans.map(({ start }) => start))
  const ms = (at: number): string => ((at - zero) / 1000).toFixed(1)
  const names = new Map(spans.map(({ spanId, name }) => [spanId, name]))
  const lines: string[] = []
  const visit = (span: Span, depth: number): void => {
    const attributes = Object.entries(span.attributes).filter(([key]) => !omitted.test(key))
    const shown = attributes.map(([key, value]) => `${key}=${JSON.stringify(value)}`).sort()
    const links = span.links.map((link) => `→${names.get(link) ?? 'unknown'}`)
    lines.push(`${'  '.repeat(depth)}${span.name} ${ms(span.start)}–${ms(span.end)}${span.failed ? ' ERROR' : ''}`)
    const events = span.events.map(({ name, at, attributes }) =>
      `! ${ms(at)} ${name} ${JSON.stringify(attributes)}`.replace(' {}', ''),
    )
    for (const part of [...shown, ...links, ...events]) lines.push(`${'  '.repeat(depth)}    ${part}`)
    for (const child of childrenOf(span.spanId)) visit(child, depth + 1)
  }
  const byTime = (a: Span, b: Span): number => a.start - b.start || a.end - b.end
  const childrenOf = (id: string): Span[] => spans.filter(({ parentSpanId }) => parentSpanId === id).sort(byTime)
  const roots = spans.filter(({ parentSpanId }) => !names.has(parentSpanId)).sort(byTime)
  for (const root of roots) visit(root, 0)
  lines.push('', 'Log records')
  for (const log of [...logs].sort((a, b) => a.at - b.at)) {
    lines.push(
      `${ms(log.at).padStart(9)} ${log.event} [${names.get(log.spanId) ?? log.spanId}] ${JSON.stringify(log.body)}`,
    )
  }
  lines.push('', 'Metrics')
  for (const [name, value] of Object.entries(metrics).sort()) lines.push(`${name} ${value}`)
  return `${lines.join('\n')}\n`.replaceAll(fixtures, '<fixtures>')
}
