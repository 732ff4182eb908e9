/** Texts that come again and again, as keys, names and ids do: looked up by their bytes, which costs less than to make them anew. */

/** Longer ones are made anew. */
const longestKnown = 64
const slots = 4096

/** By a hash of their bytes; the last one of each hash stays. */
const known: (string | undefined)[] = new Array(slots)

/** The UTF-8 from `start` to `end`, with replacement characters for what is none. */
export function readText(bytes: Buffer, start: number, end: number): string {
  if (end - start > longestKnown) return bytes.toString('utf8', start, end)
  let hash = end - start
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0
  const slot = (hash ^ (hash >>> 12)) & (slots - 1)
  const candidate = known[slot]
  if (candidate !== undefined && isAt(bytes, start, end, candidate)) return candidate
  const text = bytes.toString('utf8', start, end)
  known[slot] = text
  return text
}

/** Whether the bytes are those of an ASCII text; others are never found equal. */
function isAt(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (text.length !== end - start) return false
  for (let index = 0; index < text.length; index++) {
    const byte = bytes[start + index] as number
    if (byte !== text.charCodeAt(index) || byte > 127) return false
  }
  return true
}
