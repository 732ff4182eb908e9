/**
 * What may be kept of somebody's text: its size, and a masked beginning of at most `maxChars` characters.
 * Masking comes before cutting, over enough of the text that no secret can reach into the preview unmasked.
 */
import { redact } from './redact.ts'

export interface Preview {
  readonly text: string
  /** UTF-8 size of the whole text. */
  readonly bytes: number
  readonly truncated: boolean
}

/** How much beyond the preview is masked too: longer than any secret we know but private keys, which mask to the end. */
const lookaheadChars = 16_384

/** `maxChars` 0 keeps no text at all, only the size. */
export function createPreview(text: string, maxChars: number): Preview {
  const bytes = Buffer.byteLength(text)
  if (maxChars === 0) return { text: '', bytes, truncated: text !== '' }
  const window = maxChars + lookaheadChars
  if (text.length <= window) return cut(redact(text), maxChars, bytes)
  return { ...cut(withoutLastWord(redact(text.slice(0, window))), maxChars, bytes), truncated: true }
}

/** The window's edge may have cut a secret; where masking has shortened the text, its half must not move into the preview. */
function withoutLastWord(masked: string): string {
  const longest = Math.max(0, masked.length - lookaheadChars)
  let end = masked.length
  while (end > longest && !/\s/.test(masked.charAt(end - 1))) end -= 1
  return masked.slice(0, end)
}

/** Cuts at a character, not in the middle of a surrogate pair. */
function cut(text: string, maxChars: number, bytes: number): Preview {
  if (text.length <= maxChars) return { text, bytes, truncated: false }
  const last = text.charCodeAt(maxChars - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  return { text: text.slice(0, isHalf ? maxChars - 1 : maxChars), bytes, truncated: true }
}
