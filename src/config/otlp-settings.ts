/** The settings that an OTLP destination has: in general, for one signal, and in an entry of the list of destinations. */
import type { SignalType } from '../telemetry/signal.ts'
import { choice, type Kind, onOff, pairs, path, type Reading, someMs, text } from './kinds.ts'
import type { Setting } from './settings.ts'

const protocols = ['grpc', 'http/protobuf', 'http/json'] as const
const protocolAliases = {
  http: 'http/protobuf',
  'http/proto': 'http/protobuf',
  http_protobuf: 'http/protobuf',
} as const

/** What a general `OTEL_EXPORTER_OTLP_X` and its three per-signal forms have in common; keyed by our name for X. */
export const otlp = {
  endpoint: {
    x: 'ENDPOINT',
    get kind() {
      return text()
    },
    about: 'where to send; HTTP adds /v1/<signal>',
  },
  protocol: {
    x: 'PROTOCOL',
    get kind() {
      return choice(protocols, protocolAliases)
    },
    about: 'grpc, http/protobuf or http/json',
  },
  headers: {
    x: 'HEADERS',
    get kind() {
      return pairs(/^[!#$%&'*+.^_`|~\w-]+$/)
    },
    about: 'headers of every request, key=value,key=value',
    secret: true,
  },
  timeout: {
    x: 'TIMEOUT',
    get kind() {
      return someMs
    },
    about: 'longest time of one request',
  },
  compression: {
    x: 'COMPRESSION',
    get kind() {
      return choice(['gzip', 'none'] as const)
    },
    about: 'gzip or none',
  },
  certificate: {
    x: 'CERTIFICATE',
    get kind() {
      return path()
    },
    about: "file with the collector's CA certificate (PEM)",
  },
  clientKey: {
    x: 'CLIENT_KEY',
    get kind() {
      return path()
    },
    about: 'file with the private key for mTLS (PEM)',
  },
  clientCertificate: {
    x: 'CLIENT_CERTIFICATE',
    get kind() {
      return path()
    },
    about: 'file with the certificate for mTLS (PEM)',
  },
  insecure: {
    x: 'INSECURE',
    get kind() {
      return onOff()
    },
    about: 'no TLS, for gRPC endpoints without a scheme',
  },
} as const

interface OtlpSetting {
  readonly x: string
  readonly kind: Kind<unknown>
  readonly about: string
  readonly secret?: boolean
}

export type OtlpName = keyof typeof otlp
export type OtlpValue<N extends OtlpName> = Reading<(typeof otlp)[N]['kind']>
const otlpNames = Object.keys(otlp) as readonly OtlpName[]

const otlpDefaults = {
  protocol: 'grpc',
  timeout: 10_000,
  compression: 'none',
} satisfies { [N in OtlpName]?: OtlpValue<N> }

const otlpFlags: Partial<Record<OtlpName, string>> = {
  endpoint: 'otel-endpoint',
  protocol: 'otel-protocol',
  headers: 'otel-headers',
  compression: 'otel-compression',
  insecure: 'otel-insecure',
}

type OtlpSettings<Prefix extends string> = { [N in OtlpName as `${Prefix}.${N}`]: Setting<OtlpValue<N>> }

/** The settings of one prefix: `export` for all signals, `export.<signal>` for one. */
export function otlpSettings<P extends string>(prefix: P, signal?: SignalType): OtlpSettings<P> {
  const isGeneral = signal === undefined
  const infix = isGeneral ? '' : `${signal.toUpperCase()}_`
  const fallbacks: Partial<Record<OtlpName, unknown>> = isGeneral ? otlpDefaults : {}
  const made: Record<string, Setting> = {}
  for (const name of otlpNames) {
    const common: OtlpSetting = otlp[name]
    made[`${prefix}.${name}`] = {
      get kind() {
        return common.kind
      },
      fallback: fallbacks[name],
      env: [`OTEL_EXPORTER_OTLP_${infix}${common.x}`],
      ...(isGeneral && otlpFlags[name] !== undefined ? { flag: otlpFlags[name] } : {}),
      ...(common.secret ? { secret: true } : {}),
      get description() {
        return isGeneral ? `OTLP: ${common.about}` : `OTLP, ${signal} only: ${common.about}`
      },
    }
  }
  return made as OtlpSettings<P>
}
