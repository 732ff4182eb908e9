/**
 * From flags, environment and the user's file to one frozen Config with the origin of every value. Pure: whoever
 * calls it reads the environment and the file. All that is wrong is reported at once, as Failures that name the mend.
 */

import type { Failure } from '../base/errors.ts'
import { resolveStatePaths } from '../base/paths.ts'
import { type ContentRule, widestRule } from '../telemetry/content.ts'
import type { SdkSettings } from '../telemetry/provider.ts'
import type { RedactionRules } from '../telemetry/redact.ts'
import type { Attributes, SignalType } from '../telemetry/signal.ts'
import type { SamplerChoice } from '../telemetry/trace-context.ts'
import { type DestinationList, listedDestinations } from './destinations.ts'
import { type HubAddress, type HubConfig, hubConfig, hubInUse } from './hub.ts'
import { choosePresets, type PresetChoice, variableReader } from './preset-choice.ts'
import type { PresetName } from './presets.ts'
import { contentRule, redactionRules } from './privacy.ts'
import { signalTypes } from './settings.ts'
import { type Known, signalConfig } from './signals.ts'
import {
  type ConfigSources,
  type Environment,
  Report,
  type ResolvedSetting,
  resolveValues,
  type Values,
} from './values.ts'

export type { GuardRule } from './guard.ts'
export type { HubAddress, HubConfig, HubPorts } from './hub.ts'
export type { ConfigSources, Environment, ResolvedSetting, UserFile } from './values.ts'

export type Protocol = 'grpc' | 'http/protobuf' | 'http/json'
/** `none` is an empty list. */
export type ExporterKind = 'otlp' | 'console' | 'file'

export interface TlsFiles {
  readonly certificate?: string
  readonly clientKey?: string
  readonly clientCertificate?: string
}

/** `url` is final: HTTP with its path, gRPC as `http(s)://host:port`, where the scheme alone decides on TLS. */
export interface OtlpTarget {
  readonly protocol: Protocol
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly compression: 'gzip' | 'none'
  readonly tls: TlsFiles
}

export interface BatchSettings {
  readonly scheduleDelayMs: number
  readonly exportTimeoutMs: number
  readonly maxQueueSize: number
  readonly maxBatchSize: number
}

/** A destination that is a product with views of its own. */
export interface PresetUse {
  readonly name: PresetName
  /** Share of sessions whose spans it gets; 1 when absent. */
  readonly traceRatio?: number
  readonly environment?: string
}

/** What each kind of exporter has to know of a place. */
interface Places {
  readonly otlp: { readonly target: OtlpTarget; readonly preset?: PresetUse }
  readonly console: object
  /** `maxBytes`: the size that it is held to; a file that the user names is not. */
  readonly file: { readonly path: string; readonly maxBytes?: number }
}

/** One place where signals go. Its name is the key of acknowledgements and reports, and free of secrets. */
export type Destination<K extends ExporterKind = ExporterKind> = {
  [E in K]: {
    readonly kind: E
    readonly name: string
    /** How much of content may go there; absent: what the general rule says. */
    readonly content?: ContentRule
    /** The longest wait before a batch leaves; absent: what the settings say. */
    readonly delayMs?: number
  } & Places[E]
}[K]

export interface SignalConfig {
  readonly destinations: readonly Destination[]
  /** For metrics the schedule delay is the export interval, and a batch is one collection. */
  readonly batch: BatchSettings
}

/** The SDK's own part and ours. */
export interface Config extends SdkSettings {
  readonly disabled: boolean
  readonly debug: boolean
  /** How long the wrapper's exit may wait for a collector, in milliseconds. */
  readonly exitTimeoutMs: number
  /** How much of prompts, answers and tool texts may leave. */
  readonly content: ContentRule
  /** What is masked before anything is kept. */
  readonly redaction: RedactionRules
  /** Where the `file` exporter appends; empty where no home is known. */
  readonly file: string
  /** service.name and service.namespace always, and what the user adds. */
  readonly resource: Attributes
  readonly propagators: readonly string[]
  /** What may lie on disk of runs that are not delivered, and for how long. */
  readonly storage: { readonly maxBytes: number; readonly maxAgeMs: number }
  readonly signals: Readonly<Record<SignalType, SignalConfig>>
  readonly hub: HubConfig
  /** The hub that signals go to: nothing says where else. */
  readonly usesHub: HubAddress | undefined
}

export interface Resolution {
  readonly config: Config
  readonly settings: readonly ResolvedSetting[]
  /** Anything here means: the configuration cannot be trusted. */
  readonly problems: readonly Failure[]
  /** Worth a word, harmful to nothing: what was mended, or is not supported. */
  readonly notes: readonly string[]
  /** There are rules of masking: whoever resolved without `masking` does so again with it. */
  readonly needsMasking: boolean
}

/**
 * Flags win over `CLAUDE_OTEL_*`, these over `OTEL_*`, these over the user's file, that over the defaults.
 * The Config is complete even when there are problems, with defaults in place of what could not be read.
 */
export function resolveConfig(sources: ConfigSources): Resolution {
  const report = new Report()
  report.problems.push(...(sources.file?.problems ?? []))
  const values = resolveValues(sources, report)
  const { config, presets } = assemble(values, sources, report)
  noteUnsupported(values, sources.env, report)
  return {
    config: freeze(config),
    // Only `--config` and take-overs ask for these; the wrapper is in a hurry.
    get settings() {
      return [...values.shown(), ...presets.shown]
    },
    problems: report.problems,
    notes: report.notes,
    needsMasking: (['redact.patterns', 'redact.off'] as const).some((key) => values.of(key).origin !== 'default'),
  }
}

/** What has to be kept of content, so that each destination can get what it may. */
export function capturedContent({ content, signals }: Config): ContentRule {
  const destinations = Object.values(signals).flatMap((signal) => signal.destinations)
  return widestRule(destinations.map((each) => each.content ?? content))
}

function assemble(
  values: Values,
  sources: ConfigSources,
  report: Report,
): { readonly config: Config; readonly presets: PresetChoice } {
  const disabled = values.get('disabled')
  const file = filePath(values, sources.env, report)
  // What is not used cannot be wrong.
  const findings = disabled ? new Report() : report
  const redaction = redactionRules(values, sources, report)
  const content = contentRule(values, report)
  const fileExists = sources.fileExists ?? (() => true)
  const read = variableReader(values, sources.env)
  const list = listedDestinations({ values, file, content, fileExists, read }, findings)
  const usesHub = hubInUse(values, sources)
  const presets = choosePresets(values, sources, namesIn(list), findings)
  const known: Known = { values, list, file, usesHub, presets, fileExists }
  const signal = (type: SignalType): SignalConfig => signalConfig(type, known, findings)
  const config: Config = {
    disabled,
    debug: values.get('debug'),
    exitTimeoutMs: values.get('exitTimeout'),
    content,
    redaction,
    file,
    resource: resource(values),
    propagators: values.get('propagators').filter((name) => name === 'tracecontext' || name === 'baggage'),
    storage: { maxBytes: values.get('storage.size'), maxAgeMs: values.get('storage.age') },
    signals: { traces: signal('traces'), logs: signal('logs'), metrics: signal('metrics') },
    hub: hubConfig(values, sources.env, report),
    usesHub,
    sampler: sampler(values),
    limits: limits(values),
    metrics: { temporality: values.get('metrics.temporality'), histogram: values.get('metrics.histogram') },
  }
  return { config, presets }
}

function namesIn(list: DestinationList): ReadonlySet<string> {
  return new Set(signalTypes.flatMap((type) => list.of(type) ?? []).map(({ name }) => name))
}

function filePath(values: Values, env: Environment, report: Report): string {
  const given = values.of('file').value
  if (given !== undefined) return given
  const own = resolveStatePaths(env)?.signals
  if (own !== undefined) return own
  const wanted = signalTypes.some((type) => values.get(`${type}.exporter`).includes('file'))
  if (wanted) report.add('the file exporter has nowhere to write: no home is known', 'set CLAUDE_OTEL_FILE to a path')
  return ''
}

function resource(values: Values): Attributes {
  const name = values.of('service.name').value
  return {
    'service.name': 'claude-code',
    'service.namespace': 'claude-otel',
    ...values.get('resource.attributes'),
    ...(name === undefined ? {} : { 'service.name': name }),
  }
}

function sampler(values: Values): SamplerChoice {
  const name = values.get('traces.sampler')
  const kind = name.endsWith('always_on') ? 'always_on' : name.endsWith('always_off') ? 'always_off' : 'traceidratio'
  return { kind, parentBased: name.startsWith('parentbased_'), ratio: values.get('traces.samplerRatio') }
}

function limits(values: Values): Config['limits'] {
  const valueLength = values.of('limits.valueLength').value ?? Number.POSITIVE_INFINITY
  const count = values.get('limits.count')
  return {
    span: {
      valueLength: values.of('limits.span.valueLength').value ?? valueLength,
      count: values.of('limits.span.count').value ?? count,
      events: values.get('limits.span.events'),
      links: values.get('limits.span.links'),
      eventAttributes: values.get('limits.event.count'),
      linkAttributes: values.get('limits.link.count'),
    },
    log: {
      valueLength: values.of('limits.log.valueLength').value ?? valueLength,
      count: values.of('limits.log.count').value ?? count,
    },
  }
}

function noteUnsupported(values: Values, env: Environment, report: Report): void {
  for (const name of ['OTEL_CONFIG_FILE', 'OTEL_EXPERIMENTAL_CONFIG_FILE']) {
    if (env[name]) report.note(`${name} is not read: claude-otel is set up by variables, flags and its own config file`)
  }
  const foreign = values.get('propagators').filter((name) => !['tracecontext', 'baggage', 'none'].includes(name))
  if (foreign.length > 0) report.note(`propagators ${foreign.join(', ')} are not supported and are left out`)
  if (values.of('traces.samplerRatio').origin !== 'default' && !values.get('traces.sampler').endsWith('traceidratio')) {
    report.note(`traces.samplerRatio is not used: the sampler is ${values.get('traces.sampler')}`)
  }
}

function freeze<T extends object>(value: T): Readonly<T> {
  for (const each of Object.values(value)) if (typeof each === 'object' && each !== null) freeze(each)
  return Object.freeze(value)
}
