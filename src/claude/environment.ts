/** The environment that a wrapped claude gets: the user's own, and beside it what our hooks and the commands it runs need. */
import { withoutBrackets } from '../base/loopback.ts'
import { runVariable } from '../hook/run-folder.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { renderTraceparent } from '../telemetry/trace-context.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** Claude gives all SessionEnd hooks 1.5 s together, also the user's; ours needs milliseconds, but a busy machine may not. */
const sessionEndVariable = 'CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS'
const sessionEndMs = '5000'

/** Where Claude Code's own telemetry is to go. */
interface Receiver {
  readonly host: string
  readonly grpcPort: number
  readonly httpPort: number
  readonly token?: string
}

/** `root` is undefined where trace context is not to be handed on (OTEL_PROPAGATORS). A copy; ours is left as it is. */
export function childEnvironment(
  env: Environment,
  run: string,
  root: SpanRef | undefined,
): Record<string, string | undefined> {
  return {
    ...env,
    [runVariable]: run,
    [sessionEndVariable]: env[sessionEndVariable] ?? sessionEndMs,
    ...(root === undefined ? {} : { TRACEPARENT: renderTraceparent(root), TRACESTATE: root.traceState }),
  }
}

/** Metrics repeat what was said before, so they can be rare; log records bring each request's tokens at once. */
const metricIntervalMs = '5000'
const logIntervalMs = '1000'
/** Of claude's end, which its own telemetry may hold up for two seconds. */
const shutdownMs = '1000'

/**
 * Switches Claude Code's own metrics and events on, towards a receiver on this machine. What the user has set stays as it is, and
 * so does a telemetry that is switched off, or that would be printed between claude's words. Traces are not switched on: what
 * their spans tell is in ours.
 */
export function nativeTelemetry(env: Environment, { host, grpcPort, httpPort, token }: Receiver): Environment {
  const isOn = env.CLAUDE_CODE_ENABLE_TELEMETRY?.trim() ?? ''
  if (/^(?:0|false|no|off)$/i.test(isOn) || (isOn === '' && printsTelemetry(env))) return {}
  // Claude's exporters over HTTP look a bracketed address up as a name.
  const protocol = env.OTEL_EXPORTER_OTLP_PROTOCOL || (host.startsWith('[') ? 'grpc' : 'http/protobuf')
  const isGrpc = protocol.startsWith('grpc')
  const headers =
    // Claude takes the value as it is; what is encoded would stay so.
    token === undefined ? {} : { OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${token}` }
  const added: Environment = {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://${host}:${isGrpc ? grpcPort : httpPort}`,
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'cumulative',
    OTEL_METRIC_EXPORT_INTERVAL: metricIntervalMs,
    OTEL_LOGS_EXPORT_INTERVAL: logIntervalMs,
    CLAUDE_CODE_OTEL_SHUTDOWN_TIMEOUT_MS: shutdownMs,
    ...headers,
  }
  const news = Object.fromEntries(Object.entries(added).filter(([name]) => !env[name]))
  return isGrpc ? { ...news, no_grpc_proxy: withoutProxy(env, host) } : news
}

/** Set for programs that speak OpenTelemetry, not for a claude whose telemetry is off. */
function printsTelemetry(env: Environment): boolean {
  const exporters = [env.OTEL_METRICS_EXPORTER, env.OTEL_LOGS_EXPORTER, env.OTEL_TRACES_EXPORTER]
  return exporters.some((names) => /\bconsole\b/i.test(names ?? ''))
}

/** Claude's gRPC goes through a proxy even to this machine. Only gRPC clients read this variable, in the place of `no_proxy`. */
function withoutProxy(env: Environment, host: string): string {
  const known = env.no_grpc_proxy || env.no_proxy
  const address = withoutBrackets(host)
  return known ? `${known},${address}` : address
}
