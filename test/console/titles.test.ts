/** What is said of a tool call in a line. */
import { describe, expect, test } from 'bun:test'
import { widthOf } from '../../src/console/text.ts'
import { plainTheme, richTheme } from '../../src/console/theme.ts'
import { outputLines, resultSummary, toolName, toolTitle, type Words } from '../../src/console/titles.ts'
import { createRedactor, defaultRedaction } from '../../src/telemetry/redact.ts'

const { redact } = createRedactor(defaultRedaction)
const words: Words = { mask: (text) => redact(text), cwd: '/home/me/project', theme: richTheme }
const plain: Words = { ...words, theme: plainTheme }
const secret = `ghp_${'a1B2'.repeat(9)}`

describe('the title of a call', () => {
  const titles: readonly (readonly [string, string, unknown, string])[] = [
    ['has three parameters at most', 'T', { a: 1, b: true, c: null, d: 4 }, 'T - a=1, b=true, c=null'],
    ['is the name where there are none', 'T', {}, 'T'],
    ['quotes what has spaces, a slash or a dash', 'T', { a: 'x y', b: '/x', c: '-x' }, 'T - a="x y", b="/x", c="-x"'],
    ['leaves the rest as it is', 'T', { a: 'word', b: '' }, 'T - a=word, b=""'],
    ['says how much there is of structures', 'T', { a: { x: 1, y: 2 }, b: [1, 2, 3] }, 'T - a={…2}, b=[…3]'],
    ['cuts values', 'T', { a: 1, b: 'x'.repeat(40) }, `T - a=1, b=${'x'.repeat(29)}…`],
    ['leaves the first one more room', 'T', { a: 'x'.repeat(80) }, `T - a=${'x'.repeat(59)}…`],
    ['shows paths from the folder', 'Read', { file_path: '/home/me/project/src/a.ts' }, 'Read - file_path="src/a.ts"'],
    [
      'keeps the end of a long path',
      'T',
      { n: 1, path: `/${'x'.repeat(40)}/a.ts` },
      `T - n=1, path="…${'x'.repeat(24)}/a.ts"`,
    ],
    ['is one line', 'Bash', { command: 'a\n\tb\x1b[2J' }, 'Bash - command="a b"'],
    ['names the server of MCP tools', 'mcp__git_hub__create_issue', { n: 1 }, 'create_issue (git_hub) - n=1'],
    ['masks secrets before it cuts', 'T', { a: `use ${secret} now` }, 'T - a="use [REDACTED:github-token] now"'],
    ['masks what its name says is one', 'T', { password: 'correct-horse-battery' }, 'T - password=[REDACTED:secret]'],
  ]
  for (const [title, name, input, expected] of titles)
    test(title, () => expect(toolTitle(name, input, words)).toBe(expected))

  test('is never longer than 100 columns, and survives what is no object', () => {
    const long = toolTitle('T', { a: '日'.repeat(90), b: 'y'.repeat(90), c: 'z'.repeat(90) }, words)
    expect(widthOf(long)).toBeLessThanOrEqual(100)
    for (const input of [null, undefined, 'text', [1]]) expect(toolTitle('T', input, words)).toMatch(/^T/)
  })

  test('has three dots and no sign in plain text', () => {
    expect(toolTitle('T', { a: { x: 1 }, b: 'x'.repeat(40) }, plain)).toBe(`T - a={...1}, b=${'x'.repeat(27)}...`)
  })

  test('names a tool harmlessly', () => expect(toolName('\x1b[2JBash\n')).toBe('Bash'))
})

describe('the summary of a result', () => {
  const summaries: readonly (readonly [string, unknown, string])[] = [
    ['nothing', undefined, 'nothing'],
    ['a text', 'two\nlines', 'two'],
    ['an output', { stdout: 'one\n', stderr: '' }, 'one'],
    ['a longer output', { stdout: 'one\ntwo\n', stderr: '' }, 'one (2 lines)'],
    ['no output', { stdout: '', stderr: '' }, 'no output'],
    ['only errors', { stdout: '', stderr: 'warning: x' }, 'warning: x'],
    ['a file that was read', { type: 'text', file: { numLines: 1200 } }, '1,200 lines'],
    ['files that were found', { numFiles: 1, filenames: ['a'] }, '1 file'],
    ['an edit', { structuredPatch: [{ lines: ['-a', '+b', '+c', ' d'] }] }, '+2 -1'],
    ['a new file', { structuredPatch: [] }, 'written'],
    ['answers', { answers: { q: 'Blue', r: 'Red' } }, 'Blue, Red'],
    ['blocks', [{ type: 'text', text: 'said' }], 'said'],
    ['items', [1, 2, 3], '3 items'],
    ['fields', { a: 1, b: 2 }, '2 fields'],
    ['a message', { message: 'done' }, 'done'],
  ]
  for (const [title, value, expected] of summaries)
    test(`tells ${title}`, () => expect(resultSummary(value, false, words)).toBe(expected))

  test('tells an error in its own words, without the model’s marks', () => {
    expect(resultSummary('<tool_use_error>Blocked: no</tool_use_error>', true, words)).toBe('Blocked: no')
    expect(resultSummary('Error: File does not exist', true, words)).toBe('File does not exist')
    expect(resultSummary('', true, words)).toBe('failed')
  })

  test('is masked and harmless', () => {
    expect(resultSummary(`token ${secret}\x1b]0;t\x07`, false, words)).toBe('token [REDACTED:github-token]')
  })
})

describe('an output', () => {
  test('is shown by its first lines, and how many there are more', () => {
    expect(outputLines('a\n\nb\nc\nd\ne\nf', words)).toEqual(['a', 'b', 'c', 'd', '… 2 more lines'])
    expect(outputLines('a\nb', words)).toEqual(['a', 'b'])
  })

  test('of one line has been told by its summary', () => expect(outputLines('only one', words)).toEqual([]))

  test('is masked and harmless', () => {
    expect(outputLines(`a\x1b[2J\n${secret}`, words)).toEqual(['a', '[REDACTED:github-token]'])
  })
})
