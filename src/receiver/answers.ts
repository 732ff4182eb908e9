/**
 * What a receiver says, in the encoding of the question: `Export…ServiceResponse`, and `google.rpc.Status` for a request that it did
 * not take. Both are so small that they are written here.
 */

import { status } from '@grpc/grpc-js'
import type { SignalType } from '../telemetry/signal.ts'

export type Encoding = 'protobuf' | 'json'

/** Why a whole request was not taken. */
export type RefusalReason =
  | 'malformed'
  | 'unauthorized'
  | 'foreignPage'
  | 'foreignName'
  | 'notFound'
  | 'wrongMethod'
  | 'tooSlow'
  | 'cut'
  | 'tooLarge'
  | 'unsupported'
  | 'overloaded'
  | 'unavailable'

/** What each refusal is in HTTP and in gRPC. Only the last two of them are worth another attempt. */
export const refusalCodes: { readonly [R in RefusalReason]: { readonly http: number; readonly grpc: status } } = {
  malformed: { http: 400, grpc: status.INVALID_ARGUMENT },
  unauthorized: { http: 401, grpc: status.UNAUTHENTICATED },
  foreignPage: { http: 403, grpc: status.PERMISSION_DENIED },
  foreignName: { http: 421, grpc: status.PERMISSION_DENIED },
  notFound: { http: 404, grpc: status.UNIMPLEMENTED },
  wrongMethod: { http: 405, grpc: status.UNIMPLEMENTED },
  tooSlow: { http: 408, grpc: status.DEADLINE_EXCEEDED },
  cut: { http: 400, grpc: status.CANCELLED },
  tooLarge: { http: 413, grpc: status.RESOURCE_EXHAUSTED },
  unsupported: { http: 415, grpc: status.UNIMPLEMENTED },
  overloaded: { http: 429, grpc: status.RESOURCE_EXHAUSTED },
  unavailable: { http: 503, grpc: status.UNAVAILABLE },
}

export interface Refusal {
  readonly refused: RefusalReason
  readonly message: string
  /** When the sender may try again. */
  readonly retryAfterMs?: number
}

/** A request that was taken, all of it or all but some records. */
export interface Taken {
  readonly rejected: number
  readonly message?: string
}

const rejectedKeys: { readonly [S in SignalType]: string } = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
}

/** An `Export…ServiceResponse`; without a partial success where there is nothing to say. */
export function renderTaken(signal: SignalType, encoding: Encoding, { rejected, message = '' }: Taken): Buffer {
  if (rejected === 0 && message === '') return Buffer.from(encoding === 'json' ? '{}' : '')
  if (encoding === 'protobuf') return field(1, Buffer.concat([number(1, rejected), text(2, message)]))
  return Buffer.from(
    JSON.stringify({ partialSuccess: { [rejectedKeys[signal]]: String(rejected), errorMessage: message } }),
  )
}

/** A `google.rpc.Status`, with a RetryInfo where the refusal tells when. */
export function renderRefusal(encoding: Encoding, { refused, message, retryAfterMs }: Refusal): Buffer {
  const code = refusalCodes[refused].grpc
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message }))
  const details = retryAfterMs === undefined ? [] : [field(3, retryInfo(retryAfterMs))]
  return Buffer.concat([number(1, code), text(2, message), ...details])
}

/** An Any of `google.rpc.RetryInfo`. */
function retryInfo(ms: number): Buffer {
  const duration = Buffer.concat([number(1, Math.floor(ms / 1000)), number(2, Math.round((ms % 1000) * 1e6))])
  return Buffer.concat([text(1, 'type.googleapis.com/google.rpc.RetryInfo'), field(2, field(1, duration))])
}

function number(key: number, value: number): Buffer {
  return value === 0 ? Buffer.alloc(0) : Buffer.from([key << 3, ...varint(value)])
}

function text(key: number, value: string): Buffer {
  return value === '' ? Buffer.alloc(0) : field(key, Buffer.from(value))
}

function field(key: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(key << 3) | 2, ...varint(content.length)]), content])
}

function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}
