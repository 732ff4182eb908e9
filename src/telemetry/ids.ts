/**
 * Ids are derived, never drawn: the same journal gives the same spans, however often and wherever it is read.
 * A backend that keys by span id then takes a repeated delivery for what it is.
 */

/** 32 hex digits from a key that is unique in the world, such as `run id` or `session id + start`. */
export function deriveTraceId(key: string): string {
  return nonZero(sha256(`trace:${key}`).slice(0, 32))
}

/** 16 hex digits from the trace and a key that is stable within it, such as `tool:toolu_…`. */
export function deriveSpanId(traceId: string, key: string): string {
  return nonZero(sha256(`span:${traceId}:${key}`).slice(0, 16))
}

/** A name-based UUID (version 8: hash of our own choice), for `service.instance.id`. */
export function deriveUuid(key: string): string {
  const hex = sha256(`uuid:${key}`)
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 0x3) | 0x8).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A ULID: 10 letters of the time in milliseconds, 16 of the key's hash. */
export function deriveUlid(unixMilli: number, key: string): string {
  let time = ''
  for (let rest = Math.floor(unixMilli), at = 0; at < 10; at++, rest = Math.floor(rest / 32)) {
    time = (crockford[rest % 32] ?? '0') + time
  }
  const hash = new Bun.CryptoHasher('sha256').update(`ulid:${key}`).digest()
  return time + Array.from({ length: 16 }, (_, at) => crockford[(hash[at] ?? 0) % 32]).join('')
}

/** Bun's own: loading `node:crypto` would cost the wrapper 2 ms before claude starts. */
function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

/** An id of zeros only is invalid in W3C trace context. */
function nonZero(hex: string): string {
  return /[^0]/.test(hex) ? hex : `${hex.slice(0, -1)}1`
}
