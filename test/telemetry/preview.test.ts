/** What a preview keeps: no half secrets, no half characters, true sizes. */
import { describe, expect, test } from 'bun:test'
import { createPreview as createMaskedPreview } from '../../src/telemetry/preview.ts'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'

const { redact } = createRedactor(defaultRedaction)
const createPreview = (text: string, maxChars: number) => createMaskedPreview(text, maxChars, (each) => redact(each))

const secret = `ghp_${'Ab1'.repeat(12)}`

describe('a preview', () => {
  test('of a short text is the text', () => {
    expect(createPreview('naïve', 10)).toEqual({ text: 'naïve', bytes: 6, truncated: false })
    expect(createPreview('', 10)).toEqual({ text: '', bytes: 0, truncated: false })
  })

  test('has at most as many characters as asked for, and the size of the whole text', () => {
    expect(createPreview('abcdef', 6)).toEqual({ text: 'abcdef', bytes: 6, truncated: false })
    expect(createPreview('abcdef', 5)).toEqual({ text: 'abcde', bytes: 6, truncated: true })
    expect(createPreview('é'.repeat(100_000), 5)).toEqual({ text: 'ééééé', bytes: 200_000, truncated: true })
  })

  test('of no characters keeps the size alone', () => {
    expect(createPreview('abc', 0)).toEqual({ text: '', bytes: 3, truncated: true })
    expect(createPreview('', 0)).toEqual({ text: '', bytes: 0, truncated: false })
  })

  test('never ends in half of a surrogate pair', () => {
    for (let maxChars = 1; maxChars < 9; maxChars++) {
      expect(createPreview('a😀😀😀😀', maxChars).text.isWellFormed()).toBe(true)
    }
    expect(createPreview('😀😀', 3).text).toBe('😀')
  })

  test('never shows a part of a secret, wherever its edge cuts', () => {
    const text = `before ${secret} after`
    for (let maxChars = 1; maxChars <= text.length; maxChars++) {
      expect(createPreview(text, maxChars).text).not.toContain('Ab1')
    }
  })

  test('shows no part of a secret that stands farther in than the preview reaches', () => {
    const text = `${'-----BEGIN PRIVATE KEY-----\nAb1Ab1'.padEnd(100_000, 'x')}`
    for (const maxChars of [1, 20, 40, 4096]) expect(createPreview(text, maxChars).text).not.toContain('Ab1')
  })

  test('shows no part of a secret that only masking earlier ones has moved into it', () => {
    const key = `-----BEGIN PRIVATE KEY-----\n${'k'.repeat(3000)}\n-----END PRIVATE KEY-----\n`
    for (let shift = 0; shift < 60; shift++) {
      const text = `${key.repeat(5).slice(0, -1)}${' '.repeat(16_384 + 100 - 5 * key.length - shift)} ${secret} end`
      expect(createPreview(text, 4096).text).not.toContain('Ab1')
      expect(createPreview(text, 100).text).not.toContain('Ab1')
    }
  })

  test('keeps the beginning of a long text although a secret farther in is masked', () => {
    const jwt = `eyJ${'a'.repeat(500)}.eyJ${'b'.repeat(1500)}.${'c'.repeat(300)}`
    const text = `${'harmless words '.repeat(100)} ${jwt} ${'more words '.repeat(5000)}`
    expect(createPreview(text, 100).text).toBe(text.slice(0, 100))
    expect(createPreview(text, 1000).text).toBe(text.slice(0, 1000))
  })

  test('is told as cut when masking alone has made it shorter than the text beyond', () => {
    const { text, truncated } = createPreview(`${secret} and more`, 30)
    expect(text).toBe('[REDACTED:github-token] and mo')
    expect(truncated).toBe(true)
  })
})
