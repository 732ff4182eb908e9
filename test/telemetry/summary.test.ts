/** What is kept of a tool's input or response. */
import { describe, expect, test } from 'bun:test'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'
import { isRecord, summarize as summarizeBy } from '../../src/telemetry/summary.ts'

const { redact, namedSecret } = createRedactor(defaultRedaction)
const summarize = (value: unknown, maxChars: number) =>
  summarizeBy(value, {
    mask: (text) => redact(text),
    hideSecret: () => namedSecret ?? '',
    textChars: maxChars,
    fieldChars: () => maxChars,
  })

describe('a summary', () => {
  test('says the field that says most, in the order of telling', () => {
    expect(summarize({ description: 'list', command: 'ls' }, 100).text).toBe('ls')
    expect(summarize({ content: 'x', file_path: '/a.ts' }, 100).text).toBe('/a.ts')
    expect(summarize({ url: 'https://x.example', query: 'what' }, 100).text).toBe('what')
    expect(summarize({ x: '1' }, 100).text).toBe('{"x":"1"}')
  })

  test('keeps numbers and switches as they are, text cut, and the rest as JSON', () => {
    const { fields, truncated } = summarize({ n: 1.5, on: false, text: 'abcdef', list: [1], none: null }, 5)
    expect(fields).toEqual({ n: 1.5, on: false, text: 'abcde', list: '[1]' })
    expect(truncated).toBe(true)
  })

  test('of a text is its preview', () => {
    expect(summarize('naïve', 3)).toEqual({ text: 'naï', bytes: 6, truncated: true, fields: {} })
  })

  test('has the size of the value as JSON', () => {
    expect(summarize({ a: 'é' }, 10).bytes).toBe(10)
    expect(summarize([1, 2], 10)).toEqual({ text: '[1,2]', bytes: 5, truncated: false, fields: {} })
  })

  test('of nothing is empty', () => {
    expect(summarize(undefined, 10)).toEqual({ text: '', bytes: 0, truncated: false, fields: {} })
    expect(summarize(null, 10).bytes).toBe(4)
  })

  test('keeps 32 fields and tells that there were more', () => {
    const wide = (size: number) => Object.fromEntries(Array.from({ length: size }, (_, index) => [`f${index}`, index]))
    expect(summarize(wide(32), 10).truncated).toBe(false)
    const { fields, truncated } = summarize(wide(33), 10)
    expect(Object.keys(fields)).toHaveLength(32)
    expect(truncated).toBe(true)
  })

  test('keeps no text where none is wanted, but sizes, numbers and switches', () => {
    const summary = summarize({ command: 'echo private', timeout: 5, run_in_background: true }, 0)
    expect(JSON.stringify(summary)).not.toContain('private')
    expect(summary.fields).toEqual({ timeout: 5, run_in_background: true })
    expect(summary.bytes).toBeGreaterThan(40)
  })

  test('masks secrets in every field', () => {
    const token = `ghp_${'Ab1'.repeat(12)}`
    const summary = summarize({ command: `login ${token}`, env: { deep: [token] }, note: token }, 500)
    expect(JSON.stringify(summary)).not.toContain('Ab1Ab1')
  })

  test('masks the value of a field whose name says that it is a secret', () => {
    const summary = summarize({ user: 'app', password: 'hunter22', api_key: 'abcdefgh12345678' }, 500)
    expect(JSON.stringify(summary)).not.toContain('hunter22')
    expect(JSON.stringify(summary)).not.toContain('abcdefgh12345678')
    expect(summary.fields.user).toBe('app')
  })

  test('bounds and masks the names of fields too: they become names of attributes', () => {
    const token = `ghp_${'Ab1'.repeat(12)}`
    const summary = summarize({ [token]: 1, ['n'.repeat(100_000)]: 2 }, 100)
    expect(JSON.stringify(summary.fields).length).toBeLessThan(2000)
    expect(JSON.stringify(summary)).not.toContain('Ab1Ab1')
  })
})

describe('a record', () => {
  test('is an object that is neither null nor a list', () => {
    expect([{}, { a: 1 }].every(isRecord)).toBe(true)
    expect([null, [], 'x', 1, undefined].some(isRecord)).toBe(false)
  })
})
