/** What others say is made harmless, measured and fitted before it is shown. */
import { describe, expect, test } from 'bun:test'
import { cutEnd, cutStart, harmless, oneLine, padColumns, widthOf, wrap, wrapHanging } from '../../src/console/text.ts'

describe('a text of somebody else', () => {
  const attacks: readonly (readonly [string, string, string])[] = [
    ['moves no cursor', 'a\x1b[2J\x1b[1;1Hb\x1b[3Ac', 'abc'],
    ['sets no title', 'a\x1b]0;root\x07b\x1b]2;x\x1b\\c', 'abc'],
    ['links to nothing', '\x1b]8;;http://evil\x1b\\click\x1b]8;;\x1b\\', 'click'],
    ['changes no colour, nor the clipboard', '\x1b[31mred\x1b]52;c;ZXZpbA==\x07', 'red'],
    ['uses no C1 form of the same', 'a\x9b2Jb\x9d0;t\x07c', 'abc'],
    ['leaves no half of a sequence', 'a\x1b', 'a'],
    ['cannot make one by what is taken out', 'a\x1b\x1b[0m[31mb', 'a[31mb'],
    ['rings no bell, writes over nothing', 'a\x07\b\x7fb', 'ab'],
    ['turns no letters around', 'rm \u202egpj.\u2066x', 'rm gpj.x'],
    ['keeps the last state of a line that was written over', '10 %\r50 %\r100 %\nok\r\n', '100 %\nok\n'],
    ['keeps letters of all scripts', 'naïve 日本語 👩‍👩‍👧 é ا', 'naïve 日本語 👩‍👩‍👧 é ا'],
  ]
  for (const [title, text, expected] of attacks) test(title, () => expect(harmless(text)).toBe(expected))

  test('is one line where one is wanted', () => expect(oneLine(' a\n\tb \x1b[1m c ')).toBe('a b c'))
})

describe('widths', () => {
  test('are columns, not characters', () => {
    expect([widthOf('日本'), widthOf('👩‍👩‍👧'), widthOf('e\u0301'), widthOf('✅')]).toEqual([4, 2, 1, 2])
    expect(padColumns('日本', 6)).toBe('日本  ')
  })

  test('hold when a text is cut, and no character is torn apart', () => {
    const texts = ['hello world', '日本語テキスト', '👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 'e\u0301e\u0301e\u0301e\u0301', 'a日b本c']
    for (const text of texts) {
      for (let columns = 1; columns < 12; columns += 1) {
        for (const cut of [cutEnd, cutStart]) {
          const shown = cut(text, columns)
          expect(widthOf(shown)).toBeLessThanOrEqual(columns)
          expect(shown.replace('…', '').normalize()).not.toMatch(/\u200d$|^\u0301/)
        }
      }
    }
    expect([cutEnd('hello world', 7), cutStart('hello world', 7)]).toEqual(['hello…', '… world'])
    expect(cutEnd('日本語', 5)).toBe('日本…')
    expect(cutEnd('short', 5)).toBe('short')
  })

  test('hold when a text is wrapped, with what stands before it', () => {
    const text = 'Some words and 日本語のテキスト and averyveryverylongwordwithoutanyspace end'
    for (const columns of [4, 8, 20, 40, 80]) {
      const lines = [...wrap(text, columns), ...wrapHanging(text, columns, '🔧 ')]
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns)
    }
    expect(wrapHanging('one two three', 11, '- ')).toEqual(['- one two', '  three'])
  })
})
