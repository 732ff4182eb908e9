/** A client of gRPC that sends any bytes, and tells what it is answered. */
import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { retryDelay } from '../../src/export/grpc-status.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'

export const exportPaths: { readonly [S in SignalType]: string } = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
}

export interface Answer {
  readonly code: status
  readonly details: string
  readonly bytes?: Buffer
  readonly retryAfterMs?: number | undefined
}

export function call(
  client: Client,
  path: string,
  message: Buffer,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  const as = (bytes: Buffer) => bytes
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, as, as, message, metadata, (error: ServiceError | null, bytes?: Buffer) => {
      if (error === null) return resolve({ code: status.OK, details: '', ...(bytes === undefined ? {} : { bytes }) })
      const retryAfterMs = retryDelay(error.metadata.get('grpc-status-details-bin')[0])
      resolve({ code: error.code, details: error.details, retryAfterMs })
    })
  })
}
