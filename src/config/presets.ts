/**
 * Products that take OTLP, a row each: by which variables of theirs a user has an account there, where it takes what and how, and
 * which attributes its own views want beside ours. README, `--config` and destinations follow from here. Each row names the
 * documents that it was written by. Loaded before claude starts, so that what tells signals anew is loaded when it is used.
 */
import type { Retelling } from '../telemetry/retelling.ts'
import type { SignalType } from '../telemetry/signal.ts'
import type { Protocol } from './config.ts'

/** A variable's value, trimmed; undefined for an empty one. */
export type ReadVariable = (name: string) => string | undefined

/** What an account's variables come to. */
export interface PresetAddress {
  /** Each kind of signal has its path below it: `/v1/<signal>`. */
  readonly base: string
  readonly headers: Readonly<Record<string, string>>
  /** Of one kind of signal, beside the others. */
  readonly own?: Readonly<Partial<Record<SignalType, Readonly<Record<string, string>>>>>
  /** Share of sessions whose spans it gets. */
  readonly traceRatio?: number
  readonly environment?: string
}

export interface Preset {
  readonly title: string
  /** Each must have a value; of several in one place, one of them, the first first. The first is the credential. */
  readonly needs: readonly (readonly [string, ...string[]])[]
  /** What else it goes by. */
  readonly reads: readonly string[]
  readonly signals: readonly SignalType[]
  readonly protocol: Protocol
  /** What it takes of metrics, where that is not the user's to say. */
  readonly temporality?: 'delta'
  /** What its views get beside our attributes, for the README. */
  readonly adds: string
  /** By which documents. */
  readonly source: string
  /** The product's own switch is off. */
  isOff?(read: ReadVariable): boolean
  /** Throws a BadVariable. */
  address(read: ReadVariable): PresetAddress
  /** Absent: it takes our attributes as they are. */
  retelling?(): Promise<Retelling>
}

/** A variable whose value leads nowhere. */
export class BadVariable extends Error {
  constructor(
    readonly variable: string,
    readonly hint: string,
  ) {
    super(`${variable} cannot be used`)
  }
}

const all = ['traces', 'logs', 'metrics'] as const
const protobuf = 'http/protobuf'

export const presets = {
  logfire: {
    title: 'Logfire',
    needs: [['LOGFIRE_TOKEN']],
    reads: ['LOGFIRE_BASE_URL', 'LOGFIRE_SEND_TO_LOGFIRE'],
    signals: all,
    // Not gRPC; JSON is taken too.
    protocol: protobuf,
    adds: '`logfire.msg`, `logfire.level_num`, `logfire.json_schema`; messages and tool calls of the conventions; `gen_ai.aggregated_usage.*` where usage is a sum',
    source:
      'Logfire, “Alternative clients”, “LLM panels”; logfire/_internal/auth.py, constants.py; Pydantic AI, instrumentation',
    isOff: (read) => isNo(read('LOGFIRE_SEND_TO_LOGFIRE')),
    address: (read) => {
      const token = read('LOGFIRE_TOKEN') ?? ''
      const region = /^pylf_v\d+_([a-z]+)_/.exec(token)?.[1] === 'eu' ? 'eu' : 'us'
      // The token as it is, without a scheme.
      return {
        base: url(read, ['LOGFIRE_BASE_URL'], `https://logfire-${region}.pydantic.dev`),
        headers: { authorization: token },
      }
    },
    retelling: async () => (await import('../telemetry/for-logfire.ts')).forLogfire,
  },
  sentry: {
    title: 'Sentry',
    needs: [['SENTRY_DSN']],
    reads: ['SENTRY_ENVIRONMENT', 'SENTRY_TRACES_SAMPLE_RATE'],
    // Metrics are not taken; events of spans are dropped there.
    signals: ['traces', 'logs'],
    protocol: protobuf,
    adds: '`sentry.op` (`gen_ai.invoke_agent`, `gen_ai.chat`, `gen_ai.execute_tool`), `sentry.environment`, `sentry.client_sample_rate`; messages and tool calls of the conventions; cached tokens by Sentry’s names',
    source:
      'Sentry, “Direct OTLP traces”, “Direct OTLP logs”, “Agent tracing: manual instrumentation”; sentry-conventions; relay',
    address: (read) => ({
      ...sentryProject(read('SENTRY_DSN') ?? ''),
      environment: read('SENTRY_ENVIRONMENT') ?? 'production',
      traceRatio: ratio(read, 'SENTRY_TRACES_SAMPLE_RATE'),
    }),
    retelling: async () => (await import('../telemetry/for-sentry.ts')).forSentry,
  },
  honeycomb: {
    title: 'Honeycomb',
    needs: [['HONEYCOMB_API_KEY']],
    reads: ['HONEYCOMB_API_ENDPOINT', 'HONEYCOMB_DATASET', 'HONEYCOMB_METRICS_DATASET'],
    signals: all,
    protocol: protobuf,
    adds: 'nothing',
    source:
      'Honeycomb, “Send application metrics”, “OpenTelemetry”; honeycomb-opentelemetry-node, honeycomb-options.ts',
    address: (read) => {
      const key = read('HONEYCOMB_API_KEY') ?? ''
      const dataset = read('HONEYCOMB_DATASET')
      const team = { 'x-honeycomb-team': key }
      // Metrics without a dataset would end in one called unknown_metrics.
      const metrics = { 'x-honeycomb-dataset': read('HONEYCOMB_METRICS_DATASET') ?? dataset ?? 'claude-code-metrics' }
      // A classic key, of 32 characters, has datasets for everything; others have the service's name.
      const classic: Record<string, string> =
        key.length === 32 && dataset !== undefined ? { 'x-honeycomb-dataset': dataset } : {}
      const base = url(read, ['HONEYCOMB_API_ENDPOINT'], 'https://api.honeycomb.io')
      return { base, headers: team, own: { traces: classic, logs: classic, metrics } }
    },
  },
  grafana: {
    title: 'Grafana Cloud',
    needs: [
      ['GRAFANA_CLOUD_API_KEY', 'GRAFANA_CLOUD_API_TOKEN'],
      ['GRAFANA_CLOUD_INSTANCE_ID'],
      ['GRAFANA_CLOUD_OTLP_ENDPOINT', 'GRAFANA_CLOUD_ZONE'],
    ],
    reads: [],
    signals: all,
    protocol: protobuf,
    adds: 'nothing',
    source:
      'Grafana Cloud, “Send data to the Grafana Cloud OTLP endpoint”; variables as in Grafana’s own examples of Alloy and the Collector',
    address: (read) => {
      const token = read('GRAFANA_CLOUD_API_KEY') ?? read('GRAFANA_CLOUD_API_TOKEN') ?? ''
      const zone = read('GRAFANA_CLOUD_ZONE') ?? ''
      const base = url(read, ['GRAFANA_CLOUD_OTLP_ENDPOINT'], `https://otlp-gateway-${zone}.grafana.net/otlp`)
      return { base, headers: { authorization: basic(read('GRAFANA_CLOUD_INSTANCE_ID') ?? '', token) } }
    },
  },
  datadog: {
    title: 'Datadog',
    needs: [['DD_API_KEY']],
    reads: ['DD_SITE', 'CLAUDE_OTEL_DATADOG_ENDPOINT'],
    signals: all,
    // Traces are taken in this form alone.
    protocol: protobuf,
    temporality: 'delta',
    adds: 'messages and tool calls of the conventions',
    source:
      'Datadog, “OTLP intake endpoint”: traces (by account: in preview), logs, metrics; “Agent Observability: OpenTelemetry instrumentation”; documentation, regions.config.js',
    address: (read) => {
      const site = read('DD_SITE') ?? 'datadoghq.com'
      if (
        !/^(?:[\w-]+\.)*(?:datadoghq\.com|datadoghq\.eu)$/.test(site) &&
        read('CLAUDE_OTEL_DATADOG_ENDPOINT') === undefined
      )
        throw new BadVariable(
          'DD_SITE',
          'name a site that takes OTLP directly: datadoghq.com, us3.datadoghq.com, datadoghq.eu',
        )
      return {
        base: url(read, ['CLAUDE_OTEL_DATADOG_ENDPOINT'], `https://otlp.${site}`),
        headers: { 'dd-api-key': read('DD_API_KEY') ?? '' },
        own: { traces: { 'dd-otlp-source': 'llmobs' } },
      }
    },
    retelling: async () => (await import('../telemetry/retelling.ts')).byConventions,
  },
  langfuse: {
    title: 'Langfuse',
    needs: [['LANGFUSE_SECRET_KEY'], ['LANGFUSE_PUBLIC_KEY']],
    reads: ['LANGFUSE_BASE_URL', 'LANGFUSE_HOST', 'LANGFUSE_TRACING_ENVIRONMENT', 'LANGFUSE_TRACING_ENABLED'],
    signals: ['traces'],
    // Not gRPC; JSON is taken too.
    protocol: protobuf,
    adds: '`langfuse.observation.type`, `.input`, `.output`, `.model.name`, `.usage_details`; `langfuse.trace.name`, `langfuse.environment`; `session.id` is the conversation; models and usage stand with `chat` spans alone, since Langfuse adds up what it finds',
    source:
      'Langfuse, “OpenTelemetry (OTEL) for LLM observability”; langfuse, web/src/pages/api/public/otel/v1/traces, packages/shared/src/server/otel; its issues 14808, 17117',
    isOff: (read) => isNo(read('LANGFUSE_TRACING_ENABLED')),
    address: (read) => {
      const host = url(read, ['LANGFUSE_BASE_URL', 'LANGFUSE_HOST'], 'https://cloud.langfuse.com')
      const environment = read('LANGFUSE_TRACING_ENVIRONMENT')
      return {
        base: `${host}/api/public/otel`,
        headers: {
          authorization: basic(read('LANGFUSE_PUBLIC_KEY') ?? '', read('LANGFUSE_SECRET_KEY') ?? ''),
          // Without it what was sent is seen ten minutes later.
          'x-langfuse-ingestion-version': '4',
        },
        ...(environment === undefined ? {} : { environment }),
      }
    },
    retelling: async () => (await import('../telemetry/for-langfuse.ts')).forLangfuse,
  },
  braintrust: {
    title: 'Braintrust',
    needs: [['BRAINTRUST_API_KEY']],
    reads: ['BRAINTRUST_PARENT', 'BRAINTRUST_DEFAULT_PROJECT', 'BRAINTRUST_API_URL'],
    // Of logs its documents say both that there is no way in and that there is one.
    signals: ['traces'],
    protocol: protobuf,
    adds: '`braintrust.span_attributes`, `braintrust.input_json`, `braintrust.output_json`, `braintrust.metadata`, `braintrust.metrics`; usage stands with `chat` spans alone',
    source:
      'Braintrust, “Send OpenTelemetry traces and logs”, “OpenTelemetry attributes and events”, “Null input on spans”, “Ingest OTLP log records”; its SDKs for Go and Java',
    address: (read) => {
      const project = read('BRAINTRUST_DEFAULT_PROJECT') ?? 'claude-code'
      return {
        base: `${url(read, ['BRAINTRUST_API_URL'], 'https://api.braintrust.dev')}/otel`,
        headers: {
          authorization: `Bearer ${read('BRAINTRUST_API_KEY') ?? ''}`,
          'x-bt-parent': read('BRAINTRUST_PARENT') ?? `project_name:${project}`,
        },
      }
    },
    retelling: async () => (await import('../telemetry/for-braintrust.ts')).forBraintrust,
  },
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof presets
export const presetNames = Object.keys(presets) as readonly PresetName[]

/** Every variable that a row goes by. */
export function variablesOfPreset(name: PresetName): readonly string[] {
  const { needs, reads }: Preset = presets[name]
  return [...needs.flat(), ...reads]
}

function isNo(word: string | undefined): boolean {
  return /^(?:0|false|no|off)$/i.test(word ?? '')
}

/** The first of the variables that has a value, or else `fallback`; without a slash at its end. */
function url(read: ReadVariable, variables: readonly string[], fallback: string): string {
  const variable = variables.find((name) => read(name) !== undefined)
  const written = variable === undefined ? fallback : (read(variable) ?? fallback)
  const parsed = URL.parse(written)
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    throw new BadVariable(variable ?? variables[0] ?? '', 'use the form https://host')
  return `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, '')
}

function ratio(read: ReadVariable, variable: string): number {
  const written = read(variable)
  const value = Number(written ?? 1)
  if (!(value >= 0 && value <= 1)) throw new BadVariable(variable, 'use a number from 0 to 1')
  return value
}

function basic(user: string, password: string): string {
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`${user}:${password}`)))}`
}

/** `https://<key>@<host>[/<path>]/<project>`: the project's own way in for OTLP. */
function sentryProject(dsn: string): Pick<PresetAddress, 'base' | 'headers'> {
  const parsed = URL.parse(dsn)
  const [, path = '', project] = /^(.*)\/(\d+)\/?$/.exec(parsed?.pathname ?? '') ?? []
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.username === '' || project === undefined)
    throw new BadVariable('SENTRY_DSN', 'use the DSN as the project’s settings show it: https://key@host/project')
  return {
    base: `${parsed.origin}${path}/api/${project}/integration/otlp`,
    headers: { 'x-sentry-auth': `sentry sentry_key=${parsed.username}` },
  }
}
