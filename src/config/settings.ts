/**
 * Every setting there is, one entry each: its names in the environment, its flag, the kind of its value and its
 * default. Environment, flags, the user's file, validation, `--config` and the README's table all follow from here.
 */

import type { SignalType } from '../telemetry/signal.ts'
import { hubSettings } from './hub-settings.ts'
import {
  bytes,
  choice,
  duration,
  entries,
  integer,
  type Kind,
  list,
  onOff,
  pairs,
  path,
  ratio,
  someMs,
  text,
} from './kinds.ts'
import { otlpSettings } from './otlp-settings.ts'
import { presetNames } from './presets.ts'
import { contentNames, patterns, texts, words } from './privacy-kinds.ts'

export interface Setting<T = unknown> {
  /** Made when it is asked for: of most settings nothing is said, and the wrapper is in a hurry. */
  readonly kind: Kind<T>
  /** `undefined` = none: a limit that is off, a file that is not given, or the general setting's value. */
  readonly fallback: T | undefined
  /** Variables that set it, the strongest first. Every `OTEL_X` is also read as `CLAUDE_OTEL_X`, which wins. */
  readonly env: readonly string[]
  readonly flag?: string
  /** Values are masked wherever they are shown. */
  readonly secret?: boolean
  readonly description: string
}

export const signalTypes = ['traces', 'logs', 'metrics'] as const satisfies readonly SignalType[]
const exporterKinds = ['otlp', 'console', 'file', 'none'] as const
const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

const anyMs = integer(0, 86_400_000, 'ms')
const count = integer(1, 1_000_000)
const limit = integer(0, 1_000_000)

function batchSettings<P extends 'traces' | 'logs'>(signal: P, prefix: 'OTEL_BSP' | 'OTEL_BLRP', delayMs: number) {
  const of = (name: string, kind: Kind<number>, fallback: number, description: string): Setting<number> => ({
    kind,
    fallback,
    env: [`${prefix}_${name}`],
    description: `${description} (${signal})`,
  })
  return {
    [`${signal}.batch.delay`]: of('SCHEDULE_DELAY', anyMs, delayMs, 'longest wait before a batch leaves'),
    [`${signal}.batch.timeout`]: of('EXPORT_TIMEOUT', someMs, 30_000, 'longest time of one export'),
    [`${signal}.batch.queue`]: of('MAX_QUEUE_SIZE', count, 2048, 'records held in memory; more wait on disk'),
    [`${signal}.batch.size`]: of('MAX_EXPORT_BATCH_SIZE', count, 512, 'records in one request'),
  } as { [N in 'delay' | 'timeout' | 'queue' | 'size' as `${P}.batch.${N}`]: Setting<number> }
}

function exporterSetting(signal: SignalType): Setting<readonly (typeof exporterKinds)[number][]> {
  return {
    kind: list(exporterKinds),
    fallback: ['otlp'],
    env: [`OTEL_${signal.toUpperCase()}_EXPORTER`],
    flag: `otel-${signal}-exporter`,
    description: `where ${signal} go: otlp, console, file (several with commas) or none`,
  }
}

function limitSetting(env: string, description: string, fallback?: number): Setting<number> {
  return { kind: limit, fallback, env: [env], description }
}

export const settings = {
  disabled: {
    get kind() {
      return onOff()
    },
    fallback: false,
    env: ['CLAUDE_OTEL_DISABLED', 'OTEL_SDK_DISABLED'],
    flag: 'otel-disabled',
    description: 'no telemetry at all; claude runs as if alone',
  },
  debug: {
    get kind() {
      return onOff()
    },
    fallback: false,
    env: ['CLAUDE_OTEL_DEBUG'],
    flag: 'claude-otel-debug',
    description: 'diagnostics to a file, a summary on stderr after exit',
  },
  exitTimeout: {
    get kind() {
      return integer(0, 600_000, 'ms')
    },
    fallback: 1000,
    env: ['CLAUDE_OTEL_EXIT_TIMEOUT'],
    flag: 'otel-exit-timeout',
    description: 'how long exit may wait for a collector that does not answer',
  },
  previewLength: {
    get kind() {
      return integer(0, 1_000_000, 'characters')
    },
    fallback: 256,
    env: ['CLAUDE_OTEL_PREVIEW_LENGTH'],
    flag: 'otel-preview-length',
    description: 'length of previews of prompts, answers and tool texts; 0 = none',
  },
  content: {
    get kind() {
      return contentNames()
    },
    fallback: [],
    env: ['CLAUDE_OTEL_CONTENT'],
    flag: 'otel-content',
    description: 'content that leaves whole instead of as a preview: names of content attributes, or all',
  },
  contentLength: {
    get kind() {
      return integer(0, 10_000_000, 'characters')
    },
    fallback: 60_000,
    env: ['CLAUDE_OTEL_CONTENT_LENGTH'],
    flag: 'otel-content-length',
    description: 'length at which whole content is cut all the same',
  },
  'redact.patterns': {
    get kind() {
      return patterns()
    },
    fallback: [],
    env: ['CLAUDE_OTEL_REDACT_PATTERNS'],
    secret: true,
    description: 'more to mask: a pattern (RE2), or a JSON list of patterns or of {name, pattern}',
  },
  'redact.allow': {
    get kind() {
      return texts()
    },
    fallback: [],
    env: ['CLAUDE_OTEL_REDACT_ALLOW'],
    secret: true,
    description: 'texts that are never masked: one, or a JSON list',
  },
  'redact.off': {
    get kind() {
      return words()
    },
    fallback: [],
    env: ['CLAUDE_OTEL_REDACT_OFF'],
    description: 'kinds of secrets that are not masked (see Privacy), or all',
  },
  file: {
    get kind() {
      return path()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_FILE'],
    flag: 'otel-file',
    description: 'what the file exporter appends to (OTLP/JSON lines)',
  },
  'storage.size': {
    get kind() {
      return bytes(1_000_000)
    },
    fallback: 256_000_000,
    env: ['CLAUDE_OTEL_STORAGE_SIZE'],
    description: 'what may be kept on disk of runs that are not delivered; the oldest goes first',
  },
  'storage.age': {
    get kind() {
      return duration(60_000)
    },
    fallback: 7 * 86_400_000,
    env: ['CLAUDE_OTEL_STORAGE_AGE'],
    description: 'how long it may be kept, and how long a session is remembered that nobody resumes',
  },
  ...hubSettings,
  propagators: {
    get kind() {
      return list(['tracecontext', 'baggage', 'none', 'b3', 'b3multi', 'jaeger', 'xray', 'ottrace'] as const)
    },
    fallback: ['tracecontext', 'baggage'],
    env: ['OTEL_PROPAGATORS'],
    description: 'trace context taken from and given to processes',
  },

  'service.name': {
    get kind() {
      return text()
    },
    fallback: undefined,
    env: ['OTEL_SERVICE_NAME'],
    flag: 'otel-service-name',
    description: 'resource attribute service.name; claude-code when nothing sets it',
  },
  'resource.attributes': {
    get kind() {
      return pairs()
    },
    fallback: {},
    env: ['OTEL_RESOURCE_ATTRIBUTES'],
    flag: 'otel-resource-attributes',
    description: 'further resource attributes, key=value,key=value',
  },

  destinations: {
    get kind() {
      return entries()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_DESTINATIONS'],
    secret: true,
    description: 'several OTLP destinations at once: a JSON list of objects, or endpoints with commas between',
  },
  presets: {
    get kind() {
      return list(['auto', 'none', ...presetNames] as const)
    },
    fallback: ['auto'],
    env: ['CLAUDE_OTEL_PRESETS'],
    flag: 'otel-presets',
    description: 'products that are destinations too: auto (those whose variables are set), none, or their names',
  },
  'logfire.token': {
    get kind() {
      return text()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_LOGFIRE_TOKEN'],
    flag: 'otel-logfire-token',
    secret: true,
    description: 'write token of Logfire, in the place of LOGFIRE_TOKEN',
  },
  'traces.exporter': exporterSetting('traces'),
  'logs.exporter': exporterSetting('logs'),
  'metrics.exporter': exporterSetting('metrics'),

  ...otlpSettings('export'),
  ...otlpSettings('export.traces', 'traces'),
  ...otlpSettings('export.logs', 'logs'),
  ...otlpSettings('export.metrics', 'metrics'),

  'traces.sampler': {
    get kind() {
      return choice(samplers)
    },
    fallback: 'parentbased_always_on',
    env: ['OTEL_TRACES_SAMPLER'],
    description: 'which sessions are traced',
  },
  'traces.samplerRatio': {
    get kind() {
      return ratio()
    },
    fallback: 1,
    env: ['OTEL_TRACES_SAMPLER_ARG'],
    description: 'share of sessions, for the samplers with traceidratio',
  },
  ...batchSettings('traces', 'OTEL_BSP', 5000),
  ...batchSettings('logs', 'OTEL_BLRP', 1000),

  'metrics.interval': {
    get kind() {
      return someMs
    },
    fallback: 60_000,
    env: ['OTEL_METRIC_EXPORT_INTERVAL'],
    description: 'time between two exports of metrics',
  },
  'metrics.timeout': {
    get kind() {
      return someMs
    },
    fallback: 30_000,
    env: ['OTEL_METRIC_EXPORT_TIMEOUT'],
    description: 'longest time of one export of metrics',
  },
  'metrics.temporality': {
    get kind() {
      return choice(['cumulative', 'delta', 'lowmemory'] as const)
    },
    fallback: 'cumulative',
    env: ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE'],
    description: 'cumulative, delta or lowmemory',
  },
  'metrics.histogram': {
    get kind() {
      return choice(['explicit_bucket_histogram', 'base2_exponential_bucket_histogram'] as const)
    },
    fallback: 'explicit_bucket_histogram',
    env: ['OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION'],
    description: 'how histograms are kept',
  },

  'limits.valueLength': limitSetting('OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', 'longest attribute text'),
  'limits.count': limitSetting('OTEL_ATTRIBUTE_COUNT_LIMIT', 'attributes of one record', 128),
  'limits.span.valueLength': limitSetting('OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', 'longest attribute text of spans'),
  'limits.span.count': limitSetting('OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT', 'attributes of one span'),
  'limits.span.events': limitSetting('OTEL_SPAN_EVENT_COUNT_LIMIT', 'events of one span', 128),
  'limits.span.links': limitSetting('OTEL_SPAN_LINK_COUNT_LIMIT', 'links of one span', 128),
  'limits.event.count': limitSetting('OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', 'attributes of one span event', 128),
  'limits.link.count': limitSetting('OTEL_LINK_ATTRIBUTE_COUNT_LIMIT', 'attributes of one span link', 128),
  'limits.log.valueLength': limitSetting(
    'OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT',
    'longest attribute text of log records',
  ),
  'limits.log.count': limitSetting('OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT', 'attributes of one log record'),
} as const satisfies Record<string, Setting>

export type SettingKey = keyof typeof settings
export type SettingValue<K extends SettingKey> = (typeof settings)[K] extends { readonly kind: Kind<infer T> }
  ? T
  : never
export const settingKeys = Object.keys(settings) as readonly SettingKey[]

/** The names a setting goes by in the environment, the strongest first. */
export function variablesOf({ env }: Setting): readonly string[] {
  if (env.length === 1 && !env[0]?.startsWith('CLAUDE_OTEL_')) return [`CLAUDE_${env[0]}`, ...env]
  const own = env.filter((name) => name.startsWith('CLAUDE_OTEL_'))
  const standard = env.filter((name) => !own.includes(name))
  return [...own, ...standard.map((name) => `CLAUDE_${name}`).filter((name) => !own.includes(name)), ...standard]
}
