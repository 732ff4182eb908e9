/** The one detail of a gRPC error that matters to a client of OTLP: when the server wants to be asked again. */

/**
 * The delay in the `google.rpc.RetryInfo` of a `google.rpc.Status`, in milliseconds; `undefined` without one.
 * Status.details = 3, Any.type_url = 1, Any.value = 2, RetryInfo.retry_delay = 1, Duration {seconds = 1, nanos = 2}.
 */
export function retryDelay(details: string | Buffer | undefined): number | undefined {
  if (details === undefined || typeof details === 'string') return undefined
  try {
    for (const [field, any] of fields(details)) {
      if (field !== 3 || typeof any === 'number') continue
      const content = new Map(fields(any))
      if (String(content.get(1)) !== 'type.googleapis.com/google.rpc.RetryInfo') continue
      const delay = new Map(fields(bytes(new Map(fields(bytes(content.get(2)))).get(1))))
      const ms = Number(delay.get(1) ?? 0) * 1000 + Number(delay.get(2) ?? 0) / 1e6
      // A negative number is written as an enormous one.
      return ms <= Number.MAX_SAFE_INTEGER ? ms : undefined
    }
  } catch {
    // A broken detail is no detail.
  }
  return undefined
}

function bytes(value: Buffer | number | undefined): Buffer {
  return typeof value === 'object' ? value : Buffer.alloc(0)
}

/** The fields of a protobuf message that are varints or have a length, which is all that a Status has. */
function* fields(message: Buffer): Generator<readonly [number, Buffer | number]> {
  let at = 0
  const varint = () => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = message.readUInt8(at++)
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const key = varint()
    const value = varint()
    if ((key & 7) === 0) yield [key >> 3, value]
    else if ((key & 7) === 2) yield [key >> 3, message.subarray(at, at + value)]
    else return
    if ((key & 7) === 2) at += value
  }
}
