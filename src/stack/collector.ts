/** `collector.yaml`: who may send, what waits on disk until ClickHouse and Loki have it, what is written beside them. */
import { metricTables } from '../store/clickhouse-tables.ts'
import type { StackSettings } from './settings.ts'

/** Where things are, seen from the Collector; the tests put other places here. */
export interface CollectorPlaces {
  /** The address that its ports are opened at. */
  readonly host: string
  readonly grpcPort: number
  readonly httpPort: number
  readonly healthPort: number
  readonly clickhouse: string
  readonly loki: string
  /** A folder that it may write to. */
  readonly data: string
}

/** In the containers. */
export const containerPlaces: CollectorPlaces = {
  host: '0.0.0.0',
  grpcPort: 4317,
  httpPort: 4318,
  healthPort: 13133,
  clickhouse: 'tcp://clickhouse:9000?dial_timeout=10s',
  loki: 'http://loki:3100/otlp',
  data: '/var/lib/otelcol',
}

/** The largest request that claude-otel's own receiver takes, too. */
const largestRequestMiB = 64

/** Loki takes much more, by parts of its own that count differently. */
const lokiBatchBytes = 8 * 1024 * 1024

/** As plain data; secrets come from the Collector's environment. */
export function describeCollector({ withLoki }: StackSettings, places = containerPlaces): object {
  const { host, grpcPort, httpPort, healthPort, data } = places
  const auth = { authenticator: 'bearertokenauth' }
  const exporters = ['clickhouse', 'file', 'debug']
  const pipeline = { receivers: ['otlp'], processors: ['memory_limiter'], exporters }
  return {
    extensions: {
      health_check: { endpoint: `${host}:${healthPort}` },
      bearertokenauth: { scheme: 'Bearer', token: fromEnvironment('OTLP_TOKEN') },
      file_storage: {
        directory: `${data}/queue`,
        create_directory: true,
        compaction: { directory: `${data}/queue`, on_start: true, on_rebound: true },
      },
    },
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: `${host}:${grpcPort}`, max_recv_msg_size_mib: largestRequestMiB, auth },
          http: { endpoint: `${host}:${httpPort}`, max_request_body_size: largestRequestMiB * 1024 * 1024, auth },
        },
      },
    },
    processors: {
      // Refuses what would be too much at once: whoever sends tries again.
      memory_limiter: { check_interval: '1s', limit_mib: 700, spike_limit_mib: 150 },
    },
    exporters: {
      clickhouse: clickhouse(places),
      ...(withLoki
        ? {
            'otlp_http/loki': {
              endpoint: places.loki,
              ...persistent({ flush_timeout: '1s', sizer: 'bytes', max_size: lokiBatchBytes }),
            },
          }
        : {}),
      file: { path: `${data}/signals.jsonl`, rotation: { max_megabytes: 100, max_backups: 3 } },
      debug: { verbosity: 'basic' },
    },
    service: {
      extensions: ['health_check', 'bearertokenauth', 'file_storage'],
      pipelines: {
        traces: pipeline,
        metrics: pipeline,
        logs: { ...pipeline, exporters: [...(withLoki ? ['otlp_http/loki'] : []), ...exporters] },
      },
      telemetry: { metrics: { level: 'none' } },
    },
  }
}

function clickhouse({ clickhouse: endpoint }: CollectorPlaces): object {
  return {
    endpoint,
    database: 'otel',
    username: 'otel',
    password: fromEnvironment('CLICKHOUSE_PASSWORD'),
    // Ours: see clickhouse-init.sql.
    create_schema: false,
    traces_table_name: 'otel_traces',
    logs_table_name: 'otel_logs',
    metrics_tables: Object.fromEntries(metricTables.map((kind) => [kind, { name: `otel_metrics_${kind}` }])),
    timeout: '30s',
    ...persistent({ min_size: 5000, max_size: 20_000, flush_timeout: '1s' }),
  }
}

/** What waits is on disk and is tried for ever; where there is no room for more, the sender is told so and tries again. */
function persistent(batch: object): object {
  return {
    sending_queue: { storage: 'file_storage', sizer: 'items', queue_size: 1_000_000, num_consumers: 4, batch },
    retry_on_failure: { initial_interval: '1s', max_interval: '30s', max_elapsed_time: '0s' },
  }
}

function fromEnvironment(name: string): string {
  return `\${env:${name}}`
}
