/** `loki.yaml`: one Loki for this machine, few labels, everything else as structured metadata. */
import type { StackSettings } from './settings.ts'

export interface LokiPlaces {
  readonly host: string
  readonly port: number
  readonly grpcPort: number
  readonly data: string
}

const containerPlaces: LokiPlaces = { host: '0.0.0.0', port: 3100, grpcPort: 9096, data: '/loki' }

/** What logs are found by. A session's id is metadata: each would be a stream of its own. */
export const lokiLabels = ['service.name', 'service.namespace', 'deployment.environment.name'] as const

const largestMessage = 64 * 1024 * 1024

export function describeLoki({ keptDays }: StackSettings, places = containerPlaces): object {
  return {
    auth_enabled: false,
    server: {
      http_listen_address: places.host,
      http_listen_port: places.port,
      grpc_listen_address: '127.0.0.1',
      grpc_listen_port: places.grpcPort,
      grpc_server_max_recv_msg_size: largestMessage,
      grpc_server_max_send_msg_size: largestMessage,
    },
    common: {
      instance_addr: '127.0.0.1',
      path_prefix: places.data,
      replication_factor: 1,
      ring: { kvstore: { store: 'inmemory' } },
      storage: { filesystem: { chunks_directory: `${places.data}/chunks`, rules_directory: `${places.data}/rules` } },
    },
    schema_config: {
      configs: [
        {
          from: '2024-01-01',
          store: 'tsdb',
          object_store: 'filesystem',
          schema: 'v13',
          index: { prefix: 'index_', period: '24h' },
        },
      ],
    },
    compactor: {
      working_directory: `${places.data}/compactor`,
      retention_enabled: true,
      delete_request_store: 'filesystem',
    },
    limits_config: {
      allow_structured_metadata: true,
      // A run that was left behind is told when its machine is back.
      reject_old_samples: false,
      retention_period: `${keptDays.logs * 24}h`,
      max_line_size: '256KB',
      max_line_size_truncate: true,
      // An entry beyond these is refused for good, and with it what it says of a tool's output.
      max_structured_metadata_size: '2MB',
      max_structured_metadata_entries_count: 1024,
      // What was kept while Loki was away comes at once.
      ingestion_rate_mb: 64,
      ingestion_burst_size_mb: 128,
      per_stream_rate_limit: '64MB',
      per_stream_rate_limit_burst: '128MB',
      otlp_config: {
        resource_attributes: {
          ignore_defaults: true,
          attributes_config: [{ action: 'index_label', attributes: [...lokiLabels] }],
        },
      },
    },
    analytics: { reporting_enabled: false },
  }
}
