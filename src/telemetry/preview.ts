/**
 * What may be kept of somebody's text: its size, and a masked beginning of at most `maxChars` characters.
 * Masking comes before cutting, over enough of the text that no secret can reach into the preview unmasked.
 */

export interface Preview {
  readonly text: string
  /** UTF-8 size of the whole text. */
  readonly bytes: number
  readonly truncated: boolean
}

/** How much beyond the preview is masked too: longer than any secret we know but private keys, which mask to the end. */
const lookaheadChars = 16_384

/** `maxChars` 0 keeps no text at all, only the size. */
export function createPreview(text: string, maxChars: number, mask: (text: string) => string): Preview {
  const bytes = Buffer.byteLength(text)
  if (maxChars === 0) return { text: '', bytes, truncated: text !== '' }
  const window = maxChars + lookaheadChars
  const masked = text.length <= window ? mask(text) : withoutEdge(mask(text.slice(0, window)))
  return { text: cutMasked(masked, maxChars), bytes, truncated: masked.length > maxChars || text.length > window }
}

/** Longer than any secret that is only known by what follows it. */
const edgeChars = 512

/**
 * The window's edge may have cut a secret, so that it was not known for one; where masking has shortened the text before it,
 * its half must not move into the preview.
 */
function withoutEdge(masked: string): string {
  if (/\[REDACTED:[^\]]{1,64}\]$/.test(masked)) return masked
  const longest = Math.max(0, masked.length - lookaheadChars)
  let end = Math.max(longest, masked.length - edgeChars)
  while (end > longest && !/\s/.test(masked.charAt(end - 1))) end -= 1
  return masked.slice(0, end)
}

/** At most `maxChars` of a masked text, cut neither in a surrogate pair nor in a placeholder. */
export function cutMasked(text: string, maxChars: number): string {
  if (text.length <= maxChars) return text
  const last = text.charCodeAt(maxChars - 1)
  const isHalf = last >= 0xd800 && last <= 0xdbff
  const open = text.lastIndexOf('[REDACTED:', maxChars - 1)
  const isInside = open !== -1 && text.slice(open, maxChars).indexOf(']') === -1
  return text.slice(0, isInside ? open : isHalf ? maxChars - 1 : maxChars)
}
