/** Which images the stack is made of: every version stands here and nowhere else. */

/**
 * Each version is one that something published says there is, and that the tests hold to what they run: ClickHouse to the engine inside
 * npm’s chdb (it calls itself 26.7), the Collector to the Go modules of its parts, Loki to its Go module, Grafana to npm’s @grafana/schema,
 * which is released with it. Named in full: Podman has no registry of its own to look in.
 */
export const images = {
  clickhouse: 'docker.io/clickhouse/clickhouse-server:26.7',
  collector: 'docker.io/otel/opentelemetry-collector-contrib:0.161.0',
  loki: 'docker.io/grafana/loki:3.7.8',
  grafana: 'docker.io/grafana/grafana:13.2.3',
} as const

/** What Grafana fetches when it starts for the first time: the newest that fits it; what our queries ask of it is so since its 4.0. */
export const grafanaPlugins = ['grafana-clickhouse-datasource'] as const

/** The part of an image's name behind the colon. */
export function versionOf(name: keyof typeof images): string {
  return images[name].slice(images[name].indexOf(':') + 1)
}
