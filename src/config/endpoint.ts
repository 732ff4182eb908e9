/**
 * Where one signal goes: OTLP's rules for endpoints, and the checks that protocol, port, scheme, path and TLS fit
 * together. What cannot work is told with its mend here instead of failing later as a reset connection.
 */

import type { SignalType } from '../telemetry/signal.ts'
import type { HubAddress, OtlpTarget, Protocol, TlsFiles } from './config.ts'
import type { OtlpName, OtlpValue } from './otlp-settings.ts'
import type { Report, Resolved, Values } from './values.ts'

const httpPort = '4318'
const grpcPort = '4317'
const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i
const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/

/** The OTLP settings of one destination, wherever they stand. */
export interface OtlpSettings {
  of<N extends OtlpName>(name: N): Resolved<OtlpValue<N>>
  headers(): Readonly<Record<string, string>>
  /** How a user writes a setting down, for mends. */
  written(name: OtlpName, value?: string): string
}

/** Those of the one destination that a signal has without a list. */
export function settingsOf(signal: SignalType, values: Values): OtlpSettings {
  return {
    of: (name) => values.otlp(signal, name),
    headers: () => headers(signal, values),
    written: (name, value) => `${values.variable(signal, name)}${value === undefined ? '' : `=${value}`}`,
  }
}

/** The target of a signal's requests. With findings in `report` the target is only good for showing. */
export function otlpTarget(
  signal: SignalType,
  settings: OtlpSettings,
  fileExists: (path: string) => boolean,
  report: Report,
): OtlpTarget {
  const protocol = settings.of('protocol').value ?? 'grpc'
  const tls = tlsFiles(settings, fileExists, report)
  return {
    protocol,
    url: protocol === 'grpc' ? grpcUrl(settings, report) : httpUrl(signal, protocol, settings, tls, report),
    headers: settings.headers(),
    timeoutMs: settings.of('timeout').value ?? 10_000,
    compression: settings.of('compression').value ?? 'none',
    tls,
  }
}

/** The same for the hub on this machine, by the protocol that the user has chosen. */
export function hubTarget(signal: SignalType, settings: OtlpSettings, hub: HubAddress): OtlpTarget {
  const protocol = settings.of('protocol').value ?? 'grpc'
  const [port, path] = protocol === 'grpc' ? [hub.grpcPort, ''] : [hub.httpPort, `/v1/${signal}`]
  const token = hub.token === undefined ? {} : { authorization: `Bearer ${hub.token}` }
  return {
    protocol,
    url: `http://${hub.host}:${port}${path}`,
    headers: { ...settings.headers(), ...token },
    timeoutMs: settings.of('timeout').value ?? 10_000,
    compression: settings.of('compression').value ?? 'none',
    tls: {},
  }
}

function grpcUrl(settings: OtlpSettings, report: Report): string {
  const fallback = `http://localhost:${grpcPort}`
  const endpoint = settings.of('endpoint')
  if (endpoint.value === undefined) return fallback
  const bare = !withScheme.test(endpoint.value)
  const scheme = bare ? schemeOfBare(endpoint.value, settings, report) : ''
  const url = parse(`${scheme}${endpoint.value}`, endpoint, report)
  if (url === undefined) return fallback
  checkScheme(url, endpoint, settings, report)
  if (url.port === httpPort) {
    const mend = `set ${settings.written('protocol', 'http/protobuf')}, or use port ${grpcPort}`
    report.problem(endpoint, mend, `the protocol is grpc, and port ${httpPort} is the one for HTTP`)
  }
  if (url.pathname !== '/' || url.search !== '') {
    const mend = `leave "${url.pathname}${url.search}" out, or set ${settings.written('protocol', 'http/protobuf')}`
    report.problem(endpoint, mend, 'the protocol is grpc, and gRPC endpoints have no path')
  }
  if (url.protocol === 'https:' && isAddress(url.hostname)) {
    const mend = `use the name of the host, or set ${settings.written('protocol', 'http/protobuf')}`
    report.problem(endpoint, mend, 'gRPC with TLS needs a name, not an address')
  }
  // The gRPC client would take 443 for both schemes.
  return `${url.protocol}//${url.hostname}:${url.port || (url.protocol === 'https:' ? 443 : 80)}`
}

/** gRPC without a scheme is TLS unless `insecure` says no; a collector on this machine rarely has a certificate. */
function schemeOfBare(endpoint: string, settings: OtlpSettings, report: Report): string {
  const insecure = settings.of('insecure').value
  if (insecure !== undefined) return insecure ? 'http://' : 'https://'
  const isLocal = loopback.test(endpoint.replace(/(:\d+)?\/?$/, ''))
  if (!isLocal || settings.of('certificate').value !== undefined) return 'https://'
  report.note(`${endpoint} has no scheme and is on this machine: taken as http://${endpoint} (no TLS)`)
  return 'http://'
}

function httpUrl(
  signal: SignalType,
  protocol: Protocol,
  settings: OtlpSettings,
  tls: TlsFiles,
  report: Report,
): string {
  const fallback = `http://localhost:${httpPort}/v1/${signal}`
  const endpoint = settings.of('endpoint')
  if (endpoint.value === undefined) return fallback
  const bare = !withScheme.test(endpoint.value)
  const scheme = /:443(\/|$)/.test(endpoint.value) || Object.keys(tls).length > 0 ? 'https://' : 'http://'
  const url = parse(`${bare ? scheme : ''}${endpoint.value}`, endpoint, report)
  if (url === undefined) return fallback
  if (bare) report.note(`${endpoint.value} has no scheme: taken as ${scheme}${endpoint.value}`)
  checkScheme(url, endpoint, settings, report)
  if (url.port === grpcPort) {
    const mend = `set ${settings.written('protocol', 'grpc')}, or use port ${httpPort}`
    report.problem(endpoint, mend, `the protocol is ${protocol}, and port ${grpcPort} is the one for gRPC`)
  }
  return endpoint.key === 'export.endpoint'
    ? withSignalPath(url, signal, endpoint, report)
    : asItIs(url, signal, report)
}

/** The general endpoint is a base: each signal has its own path below it. */
function withSignalPath(url: URL, signal: SignalType, endpoint: Resolved<string>, report: Report): string {
  const own = /\/v1\/(traces|logs|metrics)\/?$/.exec(url.pathname)
  if (own !== null) {
    const mend = `leave "${own[0]}" out; it is added for each signal`
    report.problem(endpoint, mend, 'this is the path of one signal')
  }
  url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/${signal}`
  return url.href
}

/** A signal's own endpoint is used as written. */
function asItIs(url: URL, signal: SignalType, report: Report): string {
  if (url.pathname === '/') {
    report.note(
      `${signal} go to ${url.origin}/ as written: nothing is added to a signal's own endpoint (/v1/${signal}?)`,
    )
  }
  return url.href
}

function parse(written: string, endpoint: Resolved<string>, report: Report): URL | undefined {
  const url = URL.parse(written)
  if (url !== null && url.hostname !== '' && (url.protocol === 'http:' || url.protocol === 'https:')) return url
  const scheme = withScheme.exec(endpoint.value ?? '')?.[0]
  const isOdd = scheme !== undefined && !/^https?:/i.test(scheme)
  report.problem(
    endpoint,
    isOdd ? 'begin it with http:// or https://' : 'use the form http://host:port',
    isOdd ? `unknown scheme ${scheme}` : undefined,
  )
  return undefined
}

function checkScheme(url: URL, endpoint: Resolved<string>, settings: OtlpSettings, report: Report): void {
  const insecure = settings.of('insecure')
  const certificate = settings.of('certificate')
  if (url.protocol === 'https:' && insecure.value === true) {
    const mend = `unset ${insecure.origin}, or begin the endpoint with http://`
    report.problem(endpoint, mend, `https and insecure=true (from ${insecure.origin}) exclude each other`)
  }
  if (url.protocol === 'http:' && certificate.value !== undefined) {
    report.note(`${certificate.label ?? certificate.key} is not used: ${url.origin} is without TLS`)
  }
}

function tlsFiles(settings: OtlpSettings, fileExists: (path: string) => boolean, report: Report): TlsFiles {
  const files: { -readonly [N in keyof TlsFiles]: TlsFiles[N] } = {}
  for (const name of ['certificate', 'clientKey', 'clientCertificate'] as const) {
    const file = settings.of(name)
    if (file.value === undefined) continue
    files[name] = file.value
    if (!fileExists(file.value)) report.problem(file, 'give the path of a PEM file', 'there is no such file')
  }
  for (const [one, other] of [
    ['clientKey', 'clientCertificate'],
    ['clientCertificate', 'clientKey'],
  ] as const) {
    if (files[one] === undefined || files[other] !== undefined) continue
    const mend = `set ${settings.written(other)} too, or neither`
    report.problem(settings.of(one), mend, 'a client key and a client certificate go together')
  }
  return files
}

/** General and own headers are merged where they come from equally strong sources; else the stronger replaces. */
function headers(signal: SignalType, values: Values): Readonly<Record<string, string>> {
  const general = values.of('export.headers')
  const own = values.of(`export.${signal}.headers`)
  if (own.value === undefined || general.strength > own.strength) return general.value ?? {}
  if (own.strength > general.strength) return own.value
  return { ...general.value, ...own.value }
}

/** A URL writes IPv6 in brackets and every form of IPv4 as four numbers. (`node:net` would cost the wrapper 2 ms.) */
function isAddress(hostname: string): boolean {
  return hostname.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(hostname)
}
