/** The official OTLP encoders of the three signals, by encoding and signal, with what a server refused as a value. */

import {
  type ISerializer,
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer'
import type { SignalType } from '../telemetry/signal.ts'
import type { Outcome, Payloads } from './exporter.ts'

export interface Serializer<P> {
  serialize(payload: P): Uint8Array
  /** Accepted, with the part that was not, if the answer tells of one. */
  readAnswer(answer: Uint8Array): Outcome
}

type Serializers = { readonly [T in SignalType]: Serializer<Payloads[T]> }

export const jsonSerializers: Serializers = {
  traces: serializer(JsonTraceSerializer),
  logs: serializer(JsonLogsSerializer),
  metrics: serializer(JsonMetricsSerializer),
}

export const protobufSerializers: Serializers = {
  traces: serializer(ProtobufTraceSerializer),
  logs: serializer(ProtobufLogsSerializer),
  metrics: serializer(ProtobufMetricsSerializer),
}

export interface PartialSuccess {
  readonly errorMessage?: string | undefined
  readonly rejectedSpans?: unknown
  readonly rejectedLogRecords?: unknown
  readonly rejectedDataPoints?: unknown
}

function serializer<P, R extends { partialSuccess?: object }>(official: ISerializer<P, R>): Serializer<P> {
  return {
    serialize(payload) {
      const bytes = official.serializeRequest(payload)
      if (bytes === undefined) throw new Error('nothing was encoded')
      return bytes
    },
    readAnswer(answer) {
      if (answer.length === 0) return { status: 'accepted' }
      try {
        return readPartialSuccess(official.deserializeResponse(answer).partialSuccess)
      } catch {
        // Some servers answer 200 with a text of their own.
        return { status: 'accepted' }
      }
    },
  }
}

/** What a server took in part must not be sent again. */
export function readPartialSuccess(partial: PartialSuccess | undefined): Outcome {
  const lost = Number(partial?.rejectedSpans ?? partial?.rejectedLogRecords ?? partial?.rejectedDataPoints ?? 0)
  const reason = partial?.errorMessage
  return { status: 'accepted', ...(lost > 0 ? { lost } : {}), ...(reason ? { reason } : {}) }
}
