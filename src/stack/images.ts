/** Which images the stack is made of: every version stands here and nowhere else. */

/** The tests run ClickHouse's engine, the Collector and Loki of these versions. */
export const images = {
  clickhouse: 'clickhouse/clickhouse-server:26.7',
  collector: 'otel/opentelemetry-collector-contrib:0.161.0',
  loki: 'grafana/loki:3.7.8',
  grafana: 'grafana/grafana:13.2.3',
} as const

/** What Grafana fetches when it starts for the first time. */
export const grafanaPlugins = ['grafana-clickhouse-datasource'] as const
