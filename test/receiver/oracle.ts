/** What another library of protobuf makes of a message, as our reader of JSON reads it. */
import { decodeJson } from '../../src/receiver/json.ts'
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import { Malformed } from '../../src/receiver/records.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { encodeJson, idKeys, type Request, requestType } from './messages.ts'

export type Outcome = ReturnType<typeof decodeJson> | 'refused'

/** Ours. */
export function ourOutcome(signal: SignalType, message: Buffer): Outcome {
  return outcome(() => decodeProtobuf(signal, message))
}

/** By protobufjs, which keeps every member of a oneof, and of a message that comes twice the last. */
export function protobufjsOutcome(signal: SignalType, message: Buffer): Outcome {
  const type = requestType(signal)
  let object: Request
  try {
    object = type.toObject(type.decode(message), { longs: String, bytes: String, json: true })
  } catch {
    return 'refused'
  }
  return jsonOutcome(signal, object)
}

/** Of a request in protobuf's own JSON, whose ids are base64. */
export function jsonOutcome(signal: SignalType, request: Request): Outcome {
  return outcome(() => decodeJson(signal, encodeJson(withHexIds(request) as Request)))
}

function outcome(decode: () => Outcome): Outcome {
  try {
    return decode()
  } catch (error) {
    if (error instanceof Malformed) return 'refused'
    throw error
  }
}

function withHexIds(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => withHexIds(each))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([each, inner]) => [each, withHexIds(inner, each)]))
  }
  return idKeys.test(key) ? Buffer.from(String(value), 'base64').toString('hex') : value
}
