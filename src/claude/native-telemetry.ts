/** Claude Code's own telemetry towards a destination of the user's: the variables that a plain claude needs for it. */
import type { OtlpTarget, Protocol } from '../config/config.ts'
import { signalTypes } from '../config/settings.ts'
import type { SignalType } from '../telemetry/signal.ts'

/** Where each kind of signal goes; one that is absent is not sent. */
export type Targets = Partial<Readonly<Record<SignalType, OtlpTarget>>>

/** Milliseconds between two exports: often enough to look at, rarely enough to forget. Claude Code's own are a minute and 5 s. */
const intervals = {
  metrics: ['OTEL_METRIC_EXPORT_INTERVAL', '10000'],
  logs: ['OTEL_LOGS_EXPORT_INTERVAL', '5000'],
} as const

/**
 * Everything that a plain claude needs, wherever it is written: `claude-otel env`, the files of a stack, the README. In the order in
 * which it is best read. One set for all signals where they go to one place, else one for each.
 */
export function telemetryVariables(targets: Targets): Record<string, string> {
  const sent = signalTypes.filter((type) => targets[type] !== undefined)
  const each = sent.map((type) => [type, destinationOf(type, targets[type])] as const)
  const [first] = each
  const isOne = each.every(([, variables]) => Bun.deepEquals(variables, first?.[1]))
  const switches = sent.map((type) => [`OTEL_${type.toUpperCase()}_EXPORTER`, 'otlp'])
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    ...(targets.traces === undefined ? {} : { CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: '1' }),
    ...Object.fromEntries(switches),
    ...(isOne
      ? named('', first?.[1])
      : Object.assign({}, ...each.map(([type, of]) => named(`${type.toUpperCase()}_`, of)))),
    ...tlsOf(first === undefined ? undefined : targets[first[0]]),
    ...Object.fromEntries(sent.flatMap((type) => (type === 'traces' ? [] : [intervals[type]]))),
  }
}

/** By the name behind `OTEL_EXPORTER_OTLP_`. */
type Destination = Readonly<Record<string, string>>

function destinationOf(type: SignalType, target: OtlpTarget | undefined): Destination {
  if (target === undefined) return {}
  const { protocol, url, headers, compression, tls } = target
  const headerText = Object.entries(headers).map(([name, value]) => `${name}=${value.replaceAll(',', '%2C')}`)
  return {
    PROTOCOL: protocol,
    // Below a base every signal has its path; another address is written out for each.
    ENDPOINT: baseOf(type, protocol, url) ?? url,
    // Claude takes values as they are; what is encoded would stay so.
    ...(headerText.length === 0 ? {} : { HEADERS: headerText.join(',') }),
    ...(compression === 'none' ? {} : { COMPRESSION: compression }),
    ...(tls.certificate === undefined ? {} : { CERTIFICATE: tls.certificate }),
    ...(tls.clientKey === undefined ? {} : { CLIENT_KEY: tls.clientKey }),
    ...(tls.clientCertificate === undefined ? {} : { CLIENT_CERTIFICATE: tls.clientCertificate }),
  }
}

function baseOf(type: SignalType, protocol: Protocol, url: string): string | undefined {
  if (protocol === 'grpc') return url
  return url.endsWith(`/v1/${type}`) ? url.slice(0, -`/v1/${type}`.length) : undefined
}

function named(prefix: string, destination: Destination = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(destination).map(([name, value]) => [`OTEL_EXPORTER_OTLP_${prefix}${name}`, value]),
  )
}

/** Over HTTP it is the runtime of Claude Code that has to know whom to trust. */
function tlsOf(target: OtlpTarget | undefined): Record<string, string> {
  if (target === undefined || target.protocol === 'grpc') return {}
  const { certificate, clientKey, clientCertificate } = target.tls
  return {
    ...(certificate === undefined ? {} : { NODE_EXTRA_CA_CERTS: certificate }),
    ...(clientCertificate === undefined ? {} : { CLAUDE_CODE_CLIENT_CERT: clientCertificate }),
    ...(clientKey === undefined ? {} : { CLAUDE_CODE_CLIENT_KEY: clientKey }),
  }
}
