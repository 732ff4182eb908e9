/**
 * A run whose spans go to somebody's own tracer provider, by OpenTelemetry's API: names, times and attributes are ours, ids are the
 * provider's. The same spool, journal and assembler, in a folder of their own that is gone afterwards.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Context,
  context,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { createLog, noLog } from '../base/log.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { version } from '../base/version.ts'
import { sessionSource } from '../claude/arguments.ts'
import type { ChildEnd } from '../claude/launch.ts'
import type { Delivery } from '../export/delivery.ts'
import type { RunPlan } from '../run/plan.ts'
import { createRunEntry } from '../session/begin.ts'
import { birthOf } from '../session/processes.ts'
import { type Pump, startPump } from '../session/pump.ts'
import { createOwnRun } from '../session/run.ts'
import { applyContentRule, type ContentRule } from '../telemetry/content.ts'
import type { Attributes, Signal, SpanRef, SpanSignal } from '../telemetry/signal.ts'
import type { RunTelemetry } from './agent.ts'

interface ProviderRun {
  readonly run: RunPlan
  readonly begin: (claudePid: number) => RunTelemetry
}

/** Begins the session's span in the context that is active now, so that claude's environment can name it. */
export function planProviderRun(planned: RunPlan, provider: TracerProvider): ProviderRun {
  const root = mkdtempSync(join(tmpdir(), 'claude-otel-'))
  const paths = resolveStatePaths({ CLAUDE_OTEL_HOME: root })
  if (paths === undefined) throw new Error(`${root} is no place to keep records in`)
  const tracer = provider.getTracer('claude-otel', version)
  const session = tracer.startSpan('claude.session', { startTime: timeOf(planned.startUnixMicro) }, context.active())
  const folder = join(paths.runs, planned.runId)
  const run = { ...planned, folder, paths, root: refOf(session), parent: undefined, hub: undefined }
  return {
    run,
    begin: (claudePid) => new ProviderTelemetry(run, claudePid, new SpanDelivery(tracer, session, run), provider),
  }
}

class ProviderTelemetry implements RunTelemetry {
  private readonly pump: Pump

  constructor(
    private readonly run: RunPlan,
    private readonly pid: number,
    delivery: SpanDelivery,
    private readonly provider: TracerProvider & { readonly forceFlush?: () => Promise<void> },
  ) {
    const { paths, runId, startUnixMicro, root, args, resolution, env } = run
    const { config } = resolution
    const log = config.debug ? createLog(resolveStatePaths(env)?.log ?? paths.log) : noLog
    const source = sessionSource(args)
    const wrapped = { root, pid, birth: birthOf(pid), source, callbacks: true as const }
    const entry = { ...createRunEntry(config, runId, startUnixMicro), wrapped }
    const folder = createOwnRun(run.folder, paths.root)
    this.pump = startPump({ folder, paths, config, entry, log, openDelivery: () => delivery })
  }

  async finish(end: ChildEnd): Promise<string | undefined> {
    const deadline = AbortSignal.timeout(this.run.resolution.config.exitTimeoutMs)
    await this.pump.close(() => [{ pid: this.pid, ...end }], deadline)
    rmSync(this.run.paths.root, { recursive: true, force: true })
    const { promise: late, resolve } = Promise.withResolvers<void>()
    deadline.addEventListener('abort', () => resolve())
    await Promise.race([this.provider.forceFlush?.(), late])
    return undefined
  }
}

/** Keeps spans until the run is over: theirs come before those of their parents, which the API wants first. */
class SpanDelivery implements Delivery {
  private spans: SpanSignal[] = []
  private readonly rule: ContentRule
  private readonly contexts: Map<string, Context>

  constructor(
    private readonly tracer: Tracer,
    private readonly session: Span,
    { resolution, root }: RunPlan,
  ) {
    this.rule = resolution.config.content
    this.contexts = new Map([[root.spanId, trace.setSpan(ROOT_CONTEXT, session)]])
  }

  enqueue(signals: readonly Signal[]): void {
    this.spans.push(...signals.filter((signal) => signal.kind === 'span'))
  }

  flush(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<ReturnType<Delivery['report']>> {
    const all = this.spans.map((signal) => applyContentRule(signal, this.rule))
    this.spans = []
    const ids = new Set(all.map(({ ref }) => ref.spanId))
    const children = Map.groupBy(all, ({ ref, parent }) => {
      return parent !== undefined && ids.has(parent.spanId) && parent.spanId !== ref.spanId ? parent.spanId : ''
    })
    const tell = (signal: SpanSignal): void => {
      const span = this.begin(signal)
      for (const child of children.get(signal.ref.spanId) ?? []) tell(child)
      span.end(timeOf(signal.endUnixMicro))
    }
    for (const signal of children.get('') ?? []) tell(signal)
    // Where nobody told of a session, its span has been begun all the same.
    if (this.session.isRecording()) this.session.end()
    return Promise.resolve(this.report())
  }

  report(): ReturnType<Delivery['report']> {
    return { settled: true, destinations: {} }
  }

  private begin(signal: SpanSignal): Span {
    const { ref, name, spanKind, startUnixMicro, events, links, error } = signal
    const own = ref.spanId === refOf(this.session).spanId ? this.session : undefined
    const kind = spanKind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL
    const begin = { kind, startTime: timeOf(startUnixMicro) }
    const span = own ?? this.tracer.startSpan(name, begin, this.parentOf(signal))
    this.contexts.set(ref.spanId, trace.setSpan(ROOT_CONTEXT, span))
    span.setAttributes(mutable(signal.attributes))
    for (const event of events) span.addEvent(event.name, mutable(event.attributes), timeOf(event.timeUnixMicro))
    span.addLinks(links.map((link) => ({ context: this.contextOf(link.ref), attributes: mutable(link.attributes) })))
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, ...error })
    return span
  }

  /** Of a session that `/clear` began: what the first one stands in. */
  private parentOf({ parent }: SpanSignal): Context {
    if (parent === undefined) return context.active()
    return this.contexts.get(parent.spanId) ?? trace.setSpanContext(ROOT_CONTEXT, this.contextOf(parent))
  }

  private contextOf(ref: SpanRef) {
    const known = this.contexts.get(ref.spanId)
    const { traceId, spanId, traceFlags } = ref
    return (known && trace.getSpanContext(known)) ?? { traceId, spanId, traceFlags }
  }
}

function refOf(span: Span): SpanRef {
  const { traceId, spanId, traceFlags } = span.spanContext()
  return { traceId, spanId, traceFlags }
}

function timeOf(unixMicro: number): HrTime {
  return [Math.floor(unixMicro / 1e6), (unixMicro % 1e6) * 1000]
}

function mutable(attributes: Attributes) {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'object' ? [...value] : value]),
  )
}
