/** JSON changed in place: what is not meant stays as it is written. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isPlainJson, parseJsonc, setJson } from '../../src/base/jsonc.ts'

describe('a value', () => {
  test.each([
    ['of an empty object', '{}', ['a'], 1, '{\n  "a": 1\n}'],
    ['of no text', '', ['a', 'b'], 1, '{\n  "a": {\n    "b": 1\n  }\n}\n'],
    ['in one line', '{ "a": 1 }', ['b'], [2], '{ "a": 1, "b": [2] }'],
    ['in one line with a comment', '{ "a": 1 /* one */ }', ['b'], 2, '{ "a": 1, /* one */ "b": 2 }'],
    ['behind a comment to the end of the line', '{ "a": 1 // one\n}', ['b'], 2, '{ "a": 1, // one\n"b": 2\n}'],
    ['behind a trailing comma', '{\n  "a": 1,\n}', ['b'], 2, '{\n  "a": 1,\n  "b": 2\n}'],
    ['in an object with nothing but a comment', '{\n  // none\n}', ['b'], 2, '{\n  // none\n  "b": 2\n}'],
    ['with the indentation that is there', '{\n\t"a": {}\n}', ['a', 'b'], 2, '{\n\t"a": {\n\t\t"b": 2\n\t}\n}'],
    ['at the end of a list', '{"a": [1, 2]}', ['a', 2], 3, '{"a": [1, 2, 3]}'],
    [
      'in the place of another',
      '{"a": /* old */ {"b": 1}, "c": 2}',
      ['a'],
      { d: 3 },
      '{"a": /* old */ {"d":3}, "c": 2}',
    ],
  ] as const)('is put %s', (_, text, path, value, expected) => {
    expect(setJson(text, [...path], value)).toBe(expected)
  })

  test.each([
    ['alone', '{ "a": 1 }', ['a'], '{}'],
    ['alone, beside a comment', '{ // b\n  "a": 1\n}', ['a'], '{ // b\n}'],
    ['the first of several', '{ "a": 1, "b": 2 }', ['a'], '{ "b": 2 }'],
    ['the last of several', '{ "a": 1, "b": 2 }', ['b'], '{ "a": 1 }'],
    ['with its line', '{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', ['b'], '{\n  "a": 1,\n  "c": 3\n}'],
    ['the last line', '{\n  "a": 1, // one\n  "b": 2\n}', ['b'], '{\n  "a": 1 // one\n}'],
    ['of a list', '[1, /* two */ 2, 3]', [1], '[1, /* two */ 3]'],
    ['that is not there', '{ "a": 1 }', ['b'], '{ "a": 1 }'],
  ] as const)('is taken out %s', (_, text, path, expected) => {
    expect(setJson(text, [...path], undefined)).toBe(expected)
  })

  test('that is put in and taken out again leaves the text of before, however it was laid out', () => {
    const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 })
    const layout = fc.constantFrom(undefined, 2, '\t')
    fc.assert(
      fc.property(json, layout, fc.jsonValue({ maxDepth: 2 }), (before, indent, value) => {
        const text = JSON.stringify(before, null, indent)
        const key = `new ${Object.keys(before).join()}`
        const after = setJson(text, [key], value)
        // JSON knows no -0.
        expect(JSON.parse(after)).toEqual({ ...JSON.parse(text), [key]: JSON.parse(JSON.stringify(value)) })
        expect(setJson(after, [key], undefined)).toBe(text)
      }),
    )
  })
})

test('a mistake is told with its line, comments and trailing commas are none', () => {
  expect(parseJsonc('\uFEFF{"a": [1,], /* x */ } // y')).toEqual({ value: { a: [1] } })
  expect(parseJsonc('')).toEqual({ value: {} })
  expect(parseJsonc('{\n"a": 1\n"b": 2}')).toEqual({ problem: 'line 3: comma expected' })
  expect([isPlainJson('\uFEFF{}'), isPlainJson(''), isPlainJson('{} // y'), isPlainJson('[1,]')]).toEqual([
    true,
    true,
    false,
    false,
  ])
})
