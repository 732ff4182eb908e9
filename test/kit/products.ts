/**
 * Products that take OTLP, on loopback: each refuses what its own documents say that it refuses, in path, credentials, encoding,
 * kinds of signals and what stands in them, and keeps what it took. The documents are named in src/config/presets.ts.
 */
import { gunzipSync } from 'node:zlib'
import type { PresetName } from '../../src/config/presets.ts'
import type { OtlpLogRecord, OtlpPoint, OtlpSpan } from '../../src/telemetry/otlp.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { protobufjsOutcome } from '../receiver/oracle.ts'

/** One request, decoded by another library than ours. */
interface Taken {
  readonly signal: SignalType
  readonly headers: Headers
  readonly body: Buffer
  readonly spans: readonly OtlpSpan[]
  readonly logs: readonly OtlpLogRecord[]
  readonly points: readonly OtlpPoint[]
}

export interface Product {
  readonly name: PresetName
  readonly url: string
  /** What makes claude-otel send here: the product's own variables. */
  readonly environment: Readonly<Record<string, string>>
  readonly accepted: readonly Taken[]
  /** Whatever it turned away, in words. */
  readonly refused: readonly string[]
  /** Answers 503 to all, and refuses and keeps nothing. */
  isDown: boolean
  spans(): readonly OtlpSpan[]
  stop(): void
}

interface Rules {
  /** By the address that it listens at. */
  environment(url: string): Record<string, string>
  /** Where it takes what; any other path is 404. */
  readonly paths: Readonly<Partial<Record<SignalType, string>>>
  /** Words for 401, or undefined. */
  credentials(headers: Headers, signal: SignalType): string | undefined
  /** Words for 400, or undefined. */
  content?(taken: Taken): string | undefined
}

/** One for each product, recognisable wherever it turns up. */
export const credentials = {
  logfire: 'pylf_v1_eu_LogfireCredential0001',
  sentry: '5e9781c0de0000000000000000000002',
  honeycomb: 'hcaik_HoneycombCredential0003',
  grafana: 'glc_GrafanaCredential0004',
  datadog: 'dd00credential0000000000000000005',
  langfuse: 'sk-lf-LangfuseCredential0006',
  braintrust: 'sk-BraintrustCredential0007',
} as const satisfies Record<PresetName, string>

const under = (path: string) => ({
  traces: `${path}/v1/traces`,
  logs: `${path}/v1/logs`,
  metrics: `${path}/v1/metrics`,
})

const rules: { readonly [N in PresetName]: Rules } = {
  logfire: {
    environment: (url) => ({ LOGFIRE_TOKEN: credentials.logfire, LOGFIRE_BASE_URL: url }),
    paths: under(''),
    credentials: (headers) => unlessEqual(headers, 'authorization', credentials.logfire),
    content: ({ body, spans }) =>
      body.length > 5 * 1024 * 1024
        ? 'more than 5 MB'
        : spans.map(({ attributes }) => schemaFault(attributes)).find((fault) => fault !== undefined),
  },
  sentry: {
    environment: (url) => ({ SENTRY_DSN: `${url.replace('//', `//${credentials.sentry}@`)}/4242` }),
    paths: {
      traces: '/api/4242/integration/otlp/v1/traces',
      logs: '/api/4242/integration/otlp/v1/logs',
    },
    credentials: (headers) => unlessEqual(headers, 'x-sentry-auth', `sentry sentry_key=${credentials.sentry}`),
  },
  honeycomb: {
    environment: (url) => ({ HONEYCOMB_API_KEY: credentials.honeycomb, HONEYCOMB_API_ENDPOINT: `${url}/` }),
    paths: under(''),
    credentials: (headers) => unlessEqual(headers, 'x-honeycomb-team', credentials.honeycomb),
    content: ({ signal, headers }) =>
      signal === 'metrics' && !headers.get('x-honeycomb-dataset') ? 'metrics for unknown_metrics' : undefined,
  },
  grafana: {
    environment: (url) => ({
      GRAFANA_CLOUD_OTLP_ENDPOINT: `${url}/otlp`,
      GRAFANA_CLOUD_INSTANCE_ID: '123456',
      GRAFANA_CLOUD_API_KEY: credentials.grafana,
    }),
    paths: under('/otlp'),
    credentials: (headers) => unlessBasic(headers, '123456', credentials.grafana),
  },
  datadog: {
    environment: (url) => ({ DD_API_KEY: credentials.datadog, CLAUDE_OTEL_DATADOG_ENDPOINT: url }),
    paths: under(''),
    credentials: (headers) => unlessEqual(headers, 'dd-api-key', credentials.datadog),
    content: ({ signal, headers, points }) => {
      if (signal === 'traces' && headers.get('dd-otlp-source') !== 'llmobs') return 'no dd-otlp-source'
      const cumulative = points.find(isCumulative)
      return cumulative === undefined ? undefined : `${cumulative.name} is cumulative`
    },
  },
  langfuse: {
    environment: (url) => ({
      LANGFUSE_PUBLIC_KEY: 'pk-lf-public',
      LANGFUSE_SECRET_KEY: credentials.langfuse,
      LANGFUSE_HOST: url,
    }),
    paths: { traces: '/api/public/otel/v1/traces' },
    credentials: (headers) => unlessBasic(headers, 'pk-lf-public', credentials.langfuse),
    content: ({ headers, spans }) => {
      const version = Number(headers.get('x-langfuse-ingestion-version') ?? 0)
      if (!(version <= 4)) return 'unsupported x-langfuse-ingestion-version'
      if (version < 4 && spans.length > 0) return 'seen ten minutes late'
      return undefined
    },
  },
  braintrust: {
    environment: (url) => ({
      BRAINTRUST_API_KEY: credentials.braintrust,
      BRAINTRUST_API_URL: url,
      BRAINTRUST_PARENT: 'project_name:a project',
    }),
    paths: { traces: '/otel/v1/traces' },
    credentials: (headers) => unlessEqual(headers, 'authorization', `Bearer ${credentials.braintrust}`),
    content: ({ headers, spans }) => {
      if (!/^(?:project_id|project_name|experiment_id):./.test(headers.get('x-bt-parent') ?? ''))
        return 'no x-bt-parent'
      return spans.map(({ attributes }) => jsonFault(attributes)).find((fault) => fault !== undefined)
    },
  },
}

/** Starts one on a free port of loopback. */
export function startProduct(name: PresetName): Product {
  const its = rules[name]
  const accepted: Taken[] = []
  const refused: string[] = []
  const refuse = (status: number, words: string): Response => {
    refused.push(`${status} ${words}`)
    return Response.json({ error: words }, { status })
  }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      if (product.isDown) return new Response(null, { status: 503 })
      const { pathname } = new URL(request.url)
      const signal = (['traces', 'logs', 'metrics'] as const).find((each) => its.paths[each] === pathname)
      if (request.method !== 'POST') return refuse(405, request.method)
      if (signal === undefined) return refuse(404, pathname)
      const denied = its.credentials(request.headers, signal)
      if (denied !== undefined) return refuse(401, denied)
      // Each takes protobuf; not all take JSON, and none gRPC here.
      if (request.headers.get('content-type') !== 'application/x-protobuf') return refuse(415, 'no protobuf')
      const taken = decode(signal, request.headers, Buffer.from(await request.arrayBuffer()))
      if (taken === undefined) return refuse(400, `no OTLP at ${pathname}`)
      const fault = its.content?.(taken)
      if (fault !== undefined) return refuse(400, `${pathname}: ${fault}`)
      accepted.push(taken)
      return new Response(null, { headers: { 'content-type': 'application/x-protobuf' } })
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  const product: Product = {
    name,
    url,
    environment: its.environment(url),
    accepted,
    refused,
    isDown: false,
    spans: () => accepted.flatMap(({ spans }) => spans),
    stop: () => void server.stop(true),
  }
  return product
}

function decode(signal: SignalType, headers: Headers, sent: Buffer): Taken | undefined {
  const body = headers.get('content-encoding') === 'gzip' ? gunzipSync(sent) : sent
  const outcome = protobufjsOutcome(signal, body)
  if (outcome === 'refused') return undefined
  const { batch } = outcome
  return {
    signal,
    headers,
    body,
    spans: batch.signal === 'traces' ? batch.spans : [],
    logs: batch.signal === 'logs' ? batch.logs : [],
    points: batch.signal === 'metrics' ? batch.points : [],
  }
}

/** Of what only grows, and of histograms, deltas are wanted. */
function isCumulative(point: OtlpPoint): boolean {
  if (point.type === 'sum') return point.temporality !== 'delta' && point.isMonotonic
  return point.type === 'histogram' && point.temporality !== 'delta'
}

function unlessEqual(headers: Headers, name: string, value: string): string | undefined {
  return headers.get(name) === value ? undefined : `${name} is wrong`
}

function unlessBasic(headers: Headers, user: string, password: string): string | undefined {
  const [scheme, encoded = ''] = (headers.get('authorization') ?? '').split(' ')
  const isRight = scheme === 'Basic' && Buffer.from(encoded, 'base64').toString() === `${user}:${password}`
  return isRight ? undefined : 'authorization is wrong'
}

type Values = OtlpSpan['attributes']

/** What the schema calls a structure has to be one in JSON, else a panel shows nothing. */
function schemaFault(attributes: Values): string | undefined {
  const schema = attributes['logfire.json_schema']
  if (schema === undefined) return undefined
  const { properties } = JSON.parse(String(schema)) as { properties: Record<string, { type: string }> }
  const wrong = Object.entries(properties).find(([name, { type }]) => {
    const value: unknown = JSON.parse(String(attributes[name] ?? 'null'))
    return type === 'array' ? !Array.isArray(value) : typeof value !== 'object' || value === null
  })
  return wrong === undefined ? undefined : `${wrong[0]} is no ${wrong[1].type}`
}

/** What is not JSON becomes metadata there. */
function jsonFault(attributes: Values): string | undefined {
  const wrong = Object.entries(attributes).find(([name, value]) => {
    if (!name.startsWith('braintrust.')) return false
    try {
      JSON.parse(String(value))
      return false
    } catch {
      return true
    }
  })
  return wrong === undefined ? undefined : `${wrong[0]} is no JSON`
}
