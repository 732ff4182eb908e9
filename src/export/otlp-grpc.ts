/** OTLP over gRPC by the official exporters: they try once and say how it ended, which is what delivery needs. */

import { readFileSync } from 'node:fs'
import { type ChannelCredentials, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { type ExportResult, ExportResultCode } from '@opentelemetry/core'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-grpc'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import { describeError } from '../base/errors.ts'
import type { OtlpTarget } from '../config/config.ts'
import { keepLoopbackDirect, withoutOtlpVariables } from '../config/otlp-environment.ts'
import { scope } from '../telemetry/provider.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { checkCredentials, type Exporter, type Outcome, unanswered } from './exporter.ts'
import { retryDelay } from './grpc-status.ts'
import { type PartialSuccess, readPartialSuccess } from './serializers.ts'

interface OfficialExporter {
  export(payload: unknown, done: (result: ExportResult) => void): void
  shutdown(): Promise<void>
}

type Options = ConstructorParameters<typeof OTLPTraceExporter>[0]

const official: { readonly [T in SignalType]: (options: Options) => OfficialExporter } = {
  traces: (options) => new OTLPTraceExporter(options) as OfficialExporter,
  logs: (options) => new OTLPLogExporter(options) as OfficialExporter,
  metrics: (options) => new OTLPMetricExporter(options) as OfficialExporter,
}

export function openGrpc<T extends SignalType>(type: T, otlp: OtlpTarget): Exporter<T> {
  keepLoopbackDirect()
  const options = {
    url: otlp.url,
    credentials: credentialsOf(otlp),
    metadata: metadataOf(otlp),
    compression: otlp.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
    timeoutMillis: otlp.timeoutMs,
    userAgent: `${scope.name}/${scope.version}`,
  }
  const open = () => withoutOtlpVariables(() => official[type](options))
  let exporter: OfficialExporter | undefined
  const close = () => {
    exporter?.shutdown().catch(() => {})
    exporter = undefined
  }
  return {
    async send(payload, deadline) {
      exporter ??= open()
      const outcome = await attempt(exporter, payload, deadline)
      // A channel that lost its server waits up to two minutes between attempts; a new one tries at once.
      if (outcome.status === 'retry') close()
      return outcome
    },
    close,
  }
}

function attempt(exporter: OfficialExporter, payload: unknown, deadline: AbortSignal): Promise<Outcome> {
  return new Promise((resolve) => {
    const late = () => resolve({ status: 'retry', reason: 'no answer before the deadline' })
    if (deadline.aborted) return late()
    deadline.addEventListener('abort', late, { once: true })
    exporter.export(payload, ({ code, error }) => {
      deadline.removeEventListener('abort', late)
      resolve(code === ExportResultCode.SUCCESS ? readPartialSuccess(takePartialSuccess()) : failure(error))
    })
  })
}

function credentialsOf({ url, tls }: OtlpTarget): ChannelCredentials {
  if (url.startsWith('http:')) return credentials.createInsecure()
  const read = (path: string | undefined) => (path === undefined ? null : readFileSync(path))
  return credentials.createSsl(read(tls.certificate), read(tls.clientKey), read(tls.clientCertificate))
}

function metadataOf({ headers }: OtlpTarget): Metadata {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name.toLowerCase(), value)
  return metadata
}

/** What a person has to mend. */
const held: ReadonlySet<number> = new Set([status.UNAUTHENTICATED, status.PERMISSION_DENIED])
const retryable: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
])

function failure(error: unknown): Outcome {
  if (!isServiceError(error)) return { status: 'rejected', reason: describeError(error) }
  const reason = `gRPC ${status[error.code] ?? error.code}: ${error.details.replace(/ Resolution note:\s*$/, '')}`
  if (held.has(error.code)) return { status: 'held', reason, hint: checkCredentials }
  const afterMs = retryDelay(error.metadata.get('grpc-status-details-bin')[0])
  const isExhausted = error.code === status.RESOURCE_EXHAUSTED
  if (retryable.has(error.code) || (isExhausted && afterMs !== undefined)) {
    return { ...unanswered(reason), ...(afterMs === undefined ? {} : { afterMs }) }
  }
  return { status: 'rejected', reason, ...(isExhausted ? { tooLarge: true } : {}) }
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'metadata' in error
}

let lastPartialSuccess: PartialSuccess | undefined

/**
 * The exporters tell of a partly refused request only to the diagnostics logger, and directly before they report
 * success: nothing runs in between, so that what was said last belongs to who asks.
 */
function takePartialSuccess(): PartialSuccess | undefined {
  const taken = lastPartialSuccess
  lastPartialSuccess = undefined
  return taken
}

const ignore = () => {}
diag.setLogger(
  {
    warn(message, ...more) {
      if (message.startsWith('Received Partial Success')) lastPartialSuccess = JSON.parse(String(more[0]))
    },
    error: ignore,
    info: ignore,
    debug: ignore,
    verbose: ignore,
  },
  { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
)
