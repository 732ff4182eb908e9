/** The line editor: keys as terminals send them, a text under them, how it is drawn, and what was said before. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Action, type Editor, emptyEditor, press } from '../../src/console/prompt-editor.ts'
import { History } from '../../src/console/prompt-history.ts'
import { type Key, Keys } from '../../src/console/prompt-keys.ts'
import { renderPrompt } from '../../src/console/prompt-view.ts'
import { widthOf } from '../../src/console/text.ts'
import { plainTheme } from '../../src/console/theme.ts'

/** What a terminal sends for these. */
const sent = {
  up: '\x1b[A',
  down: '\x1b[B',
  right: '\x1b[C',
  left: '\x1b[D',
  home: '\x1b[H',
  end: '\x1b[F',
  ctrlR: '\x12',
  esc: '\x1b',
}

interface Typed {
  readonly editor: Editor
  readonly actions: readonly Action[]
}

/** Keys pressed one after another, as bytes. */
function type(
  text: string,
  history: readonly string[] = [],
  from: Editor = emptyEditor,
  completions: readonly string[] = [],
): Typed {
  const keys = new Keys()
  const all = [...keys.add(text), ...(keys.isWaiting ? keys.flush() : [])]
  const actions: Action[] = []
  let editor = from
  for (const key of all) {
    const step = press(editor, key, { history, completions })
    editor = step.editor
    if (step.action !== undefined) actions.push(step.action)
  }
  return { editor, actions }
}

/** The text with `|` where the cursor is. */
function shown({ editor: { text, cursor } }: Typed): string {
  return `${text.slice(0, cursor)}|${text.slice(cursor)}`
}

describe('keys', () => {
  const names = (text: string): unknown[] =>
    new Keys().add(text).map((key: Key) => ('text' in key ? key.text : `<${key.name}>`))

  test('are read from the sequences of several terminals', () => {
    expect(names('\x1b[A\x1bOA\x1b[1;5D\x1bb\x1b[3~\x1b[1~\x1bOF')).toEqual([
      '<up>',
      '<up>',
      '<word-left>',
      '<word-left>',
      '<delete>',
      '<home>',
      '<end>',
    ])
    expect(names('\x1b\r\x1b[13;2u\x1b[27;2;13~\n')).toEqual(['<newline>', '<newline>', '<newline>', '<newline>'])
    expect(names('a日\r\x7f\x03\x04')).toEqual(['a日', '<enter>', '<backspace>', '<interrupt>', '<end-of-input>'])
  })

  test('that nobody knows are one key each, and no text', () => {
    expect(names('\x1b[5~x\x1b[1;2P\x1bz\x1b[<0;1;1M')).toEqual(['<other>', 'x', '<other>', '<other>', '<other>'])
  })

  test('may come byte by byte, a paste too', () => {
    const keys = new Keys()
    const text = 'a\x1b[1;5C\x1b[200~one\r\ntwo\x1b[A\x1b[201~b'
    const all = [...text].flatMap((byte) => keys.add(byte))
    expect(all).toEqual([
      { name: 'text', text: 'a' },
      { name: 'word-right' },
      { name: 'paste', text: 'one\ntwo\x1b[A' },
      { name: 'text', text: 'b' },
    ])
  })

  test('begin with an Escape that waits for what follows', () => {
    const keys = new Keys()
    expect([keys.add('\x1b'), keys.isWaiting, keys.flush(), keys.isWaiting]).toEqual([
      [],
      true,
      [{ name: 'escape' }],
      false,
    ])
    expect([keys.add('\x1b['), keys.flush(), keys.add('x')]).toEqual([
      [],
      [{ name: 'other' }],
      [{ name: 'text', text: 'x' }],
    ])
  })
})

describe('the editor', () => {
  const { left, right, home, end, up, down } = sent
  const cases: readonly (readonly [string, string, string])[] = [
    ['writes at the cursor', `ac${left}b`, 'ab|c'],
    ['moves over what is one character', `a👩‍👩‍👧e\u0301${left}${left}x`, 'ax|👩‍👩‍👧e\u0301'],
    ['takes one character away', 'a👩‍👩‍👧\x7f', 'a|'],
    ['takes away behind the cursor', `ab${home}\x1b[3~`, '|b'],
    ['goes to the ends of a line', `ab\ncd${home}x${end}y`, 'ab\nxcdy|'],
    ['goes word by word', 'one two-three\x1bb\x1bbx\x1bfy', 'one xtwoy|-three'],
    ['cuts to the end, and puts it back', `one two${left}${left}${left}\x0b${home}\x19`, 'two|one '],
    ['cuts a word', 'one two \x17', 'one |'],
    ['cuts the line before the cursor', `a\nbcd${left}\x15`, 'a\n|d'],
    ['joins lines where there is nothing to cut', `a\nb${up}${end}\x0b`, 'a|b'],
    ['goes on in another line after a backslash', 'one\\\rtwo', 'one\ntwo|'],
    ['takes Alt-Enter and Ctrl-J for a new line', 'a\x1b\rb\nc', 'a\nb\nc|'],
    ['keeps the column between lines', `日本語\nab${up}x${down}y`, '日本x語\naby|'],
    [
      'takes a paste as it is, without what is no text',
      'a\x1b[200~b\nc\x1b[31m\td\x1b[201~',
      'a|'.replace('|', 'b\nc    d|'),
    ],
    ['is emptied by Ctrl-C', 'abc\x03', '|'],
    ['ignores keys that mean nothing', 'a\x1b[5~\x00b', 'ab|'],
    ['stays at its ends', `${left}${right}${up}${down}\x7f\x1b[3~a${right}`, 'a|'],
  ]
  for (const [title, keys, expected] of cases) test(title, () => expect(shown(type(keys))).toBe(expected))

  test('says when somebody is done, stops, or leaves', () => {
    expect(type('a\r').actions).toEqual(['submit'])
    expect(type('\x03').actions).toEqual(['interrupt'])
    expect(type('a\x03').actions).toEqual([])
    expect(type('\x04').actions).toEqual(['end-of-input'])
    expect(shown(type(`ab${home}\x04`))).toBe('|b')
    expect(type('\x0c\x1a\x1b').actions).toEqual(['clear', 'suspend', 'escape'])
    // A backslash within a text is one.
    expect(type(`a\\b${left}\r`).actions).toEqual(['submit'])
  })

  test('completes a command as far as it is clear', () => {
    const completions = ['/compact', '/context', '/cost', '/help']
    const complete = (text: string) => shown(type(`${text}\t`, [], emptyEditor, completions))
    expect(['/he', '/con', '/c', '/x', 'he', '/help x'].map(complete)).toEqual([
      '/help |',
      '/context |',
      '/co|',
      '/x|',
      'he|',
      '/help x|',
    ])
  })

  test('shows what was said before, and what was being written after it', () => {
    const history = ['newest', 'two\nlines', 'oldest']
    expect(shown(type(`draft${up}`, history))).toBe('newest|')
    expect(shown(type(`draft${up}${up}`, history))).toBe('two\nlines|')
    expect(shown(type(`draft${up}${up}${up}${up}${up}`, history))).toBe('oldest|')
    expect(shown(type(`draft${up}${up}${down}`, history))).toBe('newest|')
    expect(shown(type(`draft${up}${up}${up}${down}${down}${down}`, history))).toBe('draft|')
    expect(shown(type(`${up}!`, history))).toBe('newest!|')
  })

  test('searches what was said before', () => {
    const history = ['fix the test', 'write docs', 'fix the build', 'fix the test']
    expect(shown(type('x\x12fix\r', history))).toBe('fix the test|')
    expect(shown(type('\x12FIX\x12\r', history))).toBe('fix the build|')
    expect(shown(type('\x12fix\x12\x12\x12\r', history))).toBe('fix the build|')
    expect(shown(type('\x12fixx\x7f\x12!', history))).toBe('|')
    expect(shown(type('mine\x12fix\x03', history))).toBe('mine|')
    expect(shown(type('mine\x12nothing\r', history))).toBe('mine|')
    expect(shown(type(`\x12docs${home}`, history))).toBe('|write docs')
  })
})

describe('the prompt', () => {
  const look = { lead: '> ', theme: plainTheme }
  const at = (text: string, columns: number, cursor = text.length) => renderPrompt({ text, cursor }, [], look, columns)

  test('shows lines below one another, and where the cursor is', () => {
    expect(at('one\ntwo', 20)).toEqual({ rows: ['> one', '  two'], cursor: { row: 1, column: 5 } })
    expect(at('one\ntwo', 20, 2)).toMatchObject({ cursor: { row: 0, column: 4 } })
    expect(at('a\n', 20)).toEqual({ rows: ['> a', '  '], cursor: { row: 1, column: 2 } })
  })

  test('breaks what is too long, by columns', () => {
    expect(at('日本語日本語', 10)).toEqual({ rows: ['> 日本語', '  日本語'], cursor: { row: 1, column: 8 } })
    expect(at('abcdefgh', 8, 5)).toEqual({ rows: ['> abcde', '  fgh'], cursor: { row: 1, column: 2 } })
  })

  test('fits, with its cursor in it, at any width and everywhere in the text', () => {
    const text = 'Some words, 日本語のテキスト and 👩‍👩‍👧 families\n\nand averyveryverylongword e\u0301\u0301'
    for (let columns = 5; columns < 40; columns += 1) {
      for (let cursor = 0; cursor <= text.length; cursor += 1) {
        const { rows, cursor: place } = renderPrompt({ text, cursor }, [], look, columns)
        for (const row of rows) expect(widthOf(row)).toBeLessThanOrEqual(columns)
        expect(place?.column).toBeLessThan(columns)
        expect(place?.row).toBeLessThan(rows.length)
      }
    }
  })

  test('of a long text shows what is around the cursor', () => {
    const text = Array.from({ length: 40 }, (_, line) => `line ${line}`).join('\n')
    const { rows, cursor } = at(text, 40)
    expect([rows.length, rows[cursor?.row ?? 0]]).toEqual([12, '  line 39'])
    expect(at(text, 40, 0).rows[0]).toBe('> line 0')
  })

  test('shows a search and what it has found, or that it has found nothing', () => {
    const search = (query: string) =>
      renderPrompt({ text: '', cursor: 0, search: { query, skip: 0 } }, ['fix\nit'], look, 40).rows
    expect(search('fi')).toEqual(['search: fi  -> fix it'])
    expect(search('zz')).toEqual(['search: zz  -> nothing found'])
  })
})

describe('the history', () => {
  const folder = mkdtempSync(join(tmpdir(), 'claude-otel-history-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const mask = (text: string) => text.replaceAll('secret', '[REDACTED]')

  test('is there in the next chat, the newest first, each once in a row', () => {
    const path = join(folder, 'a', 'history')
    const first = new History(path, mask)
    for (const text of ['one', 'two\nlines', 'two\nlines', '  ', 'three']) first.add(text)
    expect(first.all).toEqual(['three', 'two\nlines', 'one'])
    expect(new History(path, mask).all).toEqual(['three', 'two\nlines', 'one'])
  })

  test('is the user’s alone, and holds no secret', () => {
    const path = join(folder, 'b', 'history')
    const history = new History(path, mask)
    history.add('my secret')
    expect(history.all).toEqual(['my secret'])
    expect(readFileSync(path, 'utf8')).toBe('"my [REDACTED]"\n')
    expect([statSync(path).mode & 0o777, statSync(join(folder, 'b')).mode & 0o777]).toEqual([0o600, 0o700])
  })

  test('does not grow without end', () => {
    const path = join(folder, 'c', 'history')
    const history = new History(path, mask)
    for (let number = 0; number < 1200; number += 1) history.add(`${number} ${'x'.repeat(900)}`)
    history.add('y'.repeat(5000))
    expect(history.all).toHaveLength(500)
    expect(history.all[0]).toStartWith('1199 ')
    const bytes = statSync(path).size + statSync(`${path}.1`).size
    expect(bytes).toBeLessThan(600_000)
    expect(new History(path, mask).all[0]).toStartWith('1199 ')
  })

  test('survives a file that is broken, and a folder that cannot be written', () => {
    const path = join(folder, 'd')
    const file = new History(join(path, 'history'), mask)
    file.add('one')
    const broken = `${readFileSync(join(path, 'history'), 'utf8')}"cut\n42\n"two"\n`
    writeFileSync(join(path, 'history'), broken)
    expect(new History(join(path, 'history'), mask).all).toEqual(['two', 'one'])
    const nowhere = new History(join(path, 'history', 'below-a-file'), mask)
    nowhere.add('kept')
    expect(nowhere.all).toEqual(['kept'])
  })
})
