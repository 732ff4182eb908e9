/** What changes between two texts: applied to the first it gives the second, and shows no more than a little around it. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { renderDiff } from '../../src/base/diff.ts'

/** What `patch` would make of it; throws where the diff does not fit the text. */
function apply(diff: string, before: string): string {
  const old = before === '' ? [] : before.replace(/\n$/, '').split('\n')
  const result: string[] = []
  let at = 0
  for (const line of diff.split('\n').slice(2, -1)) {
    const hunk = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@$/.exec(line)
    if (hunk !== null) {
      const [, from, fromCount, to, toCount] = hunk.map(Number)
      const start = fromCount === 0 ? Number(from) : Number(from) - 1
      while (at < start) result.push(old[at++] ?? '')
      expect(result.length).toBe(toCount === 0 ? Number(to) : Number(to) - 1)
      continue
    }
    const text = line.slice(1)
    if (!line.startsWith('+')) expect(old[at++]).toBe(text)
    if (!line.startsWith('-')) result.push(text)
  }
  result.push(...old.slice(at))
  return result.length === 0 ? '' : `${result.join('\n')}\n`
}

describe('a diff', () => {
  test('applied to what was gives what will be', () => {
    const text = fc
      .array(fc.constantFrom('a', 'b', 'c', '', '}'), { maxLength: 30 })
      .map((lines) => lines.map((line) => `${line}\n`).join(''))
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = renderDiff('f', before, after)
        expect(apply(diff, before)).toBe(after)
        expect(diff === '').toBe(before === after)
      }),
    )
  })

  test('shows three lines around a change, and says of files that are not there', () => {
    const lines = Array.from({ length: 20 }, (_, at) => `${at + 1}\n`)
    const changed = lines.with(9, 'ten\n')
    expect(renderDiff('f', lines.join(''), changed.join(''))).toBe(
      '--- f\n+++ f\n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n',
    )
    expect(renderDiff('f', undefined, 'a\n')).toBe('--- /dev/null\n+++ f\n@@ -0,0 +1,1 @@\n+a\n')
    expect(renderDiff('f', 'a\n', undefined)).toBe('--- f\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n')
  })
})
