/** What the OpenTelemetry packages would read from the process's environment on their own, kept away from them. */

/**
 * Runs `make` (synchronous) without `OTEL_EXPORTER_OTLP_*`: the official exporters mix such headers into the ones
 * they are given, which would send them to an endpoint that a flag or the user's file has put in their place.
 */
export function withoutOtlpVariables<T>(make: () => T): T {
  const hidden = Object.entries(process.env).filter(([name]) => name.startsWith('OTEL_EXPORTER_OTLP_'))
  for (const [name] of hidden) delete process.env[name]
  try {
    return make()
  } finally {
    for (const [name, value] of hidden) process.env[name] = value
  }
}

const loopback = ['localhost', '127.0.0.1', '::1', '[::1]']

/** A collector on this machine is never asked through a proxy, whatever `HTTP_PROXY` says. */
export function keepLoopbackDirect(): void {
  for (const name of ['NO_PROXY', 'no_proxy']) {
    const known = (process.env[name] ?? '').split(',').filter((host) => host !== '')
    process.env[name] = [...new Set([...known, ...loopback])].join(',')
  }
}
