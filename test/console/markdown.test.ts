/** Markdown on a terminal: what models write, at every width, and nothing that they could do to it. */
import { describe, expect, test } from 'bun:test'
import { Blocks } from '../../src/console/blocks.ts'
import { renderMarkdown } from '../../src/console/markdown.ts'
import { widthOf } from '../../src/console/text.ts'
import { plainTheme, richTheme } from '../../src/console/theme.ts'

const everything = `# Heading with **bold** in it

A paragraph with \`code\`, *emphasis* and [a link](https://example.com/docs), https://auto.link and ![picture](a.png).
Its second line

- one
  - deeper, and long enough to be wrapped somewhere in the middle of it

    \`\`\`js
    const x = "1" // a comment that is very long and goes on and on
      if (x) return
    \`\`\`
- [x] done
- 日本語テキストがここにあります、とても長いので折り返します

3. three

   and a second paragraph of it

4. four

> quoted words
> > and deeper

| Name | Value | Note |
|:-:|---|---|
| a | \`b\` | a very long cell that goes on and on and on |
| 日本 | x | **b** |

---

The ~~end~~.
`

describe('Markdown', () => {
  test('becomes lines that read well without colours', () => {
    expect(renderMarkdown(everything, 60, plainTheme)).toEqual([
      '# Heading with bold in it',
      '',
      'A paragraph with `code`, emphasis and a link',
      '(https://example.com/docs), https://auto.link and [picture]',
      '(a.png).',
      'Its second line',
      '',
      '- one',
      '  - deeper, and long enough to be wrapped somewhere in the',
      '    middle of it',
      '        const x = "1" // a comment that is very long and goe',
      '        s on and on',
      '          if (x) return',
      '[x] done',
      '- 日本語テキストがここにあります、とても長いので折り返します',
      '',
      '3. three',
      '',
      '   and a second paragraph of it',
      '4. four',
      '',
      '> quoted words',
      '>',
      '> > and deeper',
      '',
      'Name | Value | Note',
      '-----+-------+--------------------------------------------',
      'a    | `b`   | a very long cell that goes on and on and on',
      '日本 | x     | b',
      '',
      '----------------------------------------',
      '',
      'The end.',
    ])
  })

  test('says the same in colours, with bullets and bars', () => {
    const lines = renderMarkdown(everything, 60, richTheme).map(Bun.stripANSI)
    expect(lines).toContain('Heading with bold in it')
    expect(lines).toContain('  • deeper, and long enough to be wrapped somewhere in the')
    expect(lines).toContain('    │ const x = "1" // a comment that is very long and goes ')
    expect(lines).toContain('日本 │ x     │ b')
  })

  test('ends every colour that it begins, and goes on with what is around', () => {
    const [line] = renderMarkdown('# A **b** c', 60, richTheme)
    expect(line).toBe('\x1b[1m\x1b[36mA \x1b[1mb\x1b[22m\x1b[1m c\x1b[39m\x1b[22m')
  })

  test('colours code of languages that are known, and changes nothing of it', () => {
    const code = 'const a = "x" // 日本\n\n  return `y`'
    const [first, ...rest] = renderMarkdown(`\`\`\`ts\n${code}\n\`\`\``, 60, richTheme)
    expect(first).toContain('\x1b[32m"x"')
    expect([first, ...rest].map((line = '') => Bun.stripANSI(line).slice(2))).toEqual(code.split('\n'))
  })

  for (const theme of [richTheme, plainTheme])
    test(`is never wider than the terminal (${theme.isRich ? 'rich' : 'plain'})`, () => {
      for (let columns = 4; columns <= 100; columns += columns < 30 ? 1 : 7) {
        const wide = renderMarkdown(everything, columns, theme).filter((line) => widthOf(line) > columns)
        expect({ columns, wide }).toEqual({ columns, wide: [] })
      }
    })

  test('stacks the rows of a table that has no room', () => {
    const table = '| Name | Value | Note |\n|---|---|---|\n| a | b | c |\n| d | e | f |'
    expect(renderMarkdown(table, 18, plainTheme)).toEqual([
      'Name: a',
      'Value: b',
      'Note: c',
      '',
      'Name: d',
      'Value: e',
      'Note: f',
    ])
  })

  test('lets no control character through, written as it is or as an entity', () => {
    const source =
      'a\x1b[2Jb &#27;[2J &#x9b;H [x](&#27;]0;t&#7;) `\x1b[1m`\n\n```\n\x1b]0;t\x07c\n```\n\n<b>\x07</b>&#1;&#2;'
    const text = renderMarkdown(source, 60, plainTheme).join('\n')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none of them may be there
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/)
    expect(text).toContain('ab [2J')
  })
})

describe('an answer that grows', () => {
  const split = (text: string, size: number): string[] => {
    const blocks = new Blocks()
    const parts = text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []
    return [...parts.map((part) => blocks.add(part)), blocks.end()].filter((block) => block !== undefined)
  }

  test('is given in whole blocks, however it comes', () => {
    for (const size of [1, 2, 3, 7, 50, 10_000]) {
      const blocks = split(everything, size)
      expect(blocks.join('')).toBe(everything)
      for (const block of blocks) expect((block.match(/```/g) ?? []).length % 2).toBe(0)
    }
    expect(split(everything, 1).length).toBeGreaterThan(6)
  })

  test('keeps a list with what stands in below it, and code with its empty lines', () => {
    const list = '- a\n\n  more of a\n\n      code\n'
    const code = '```\nx\n\ny\n```\n'
    expect(split(`${list}\nText\n\n${code}\nEnd`, 1)).toEqual([`${list}\n`, 'Text\n\n', `${code}\n`, 'End'])
  })

  test('says nothing where nothing was said', () => expect(split(' \n\n', 1)).toEqual([]))
})
