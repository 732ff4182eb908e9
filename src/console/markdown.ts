/**
 * Markdown for a terminal of any width. Bun parses it from the inside out, so that nothing knows how deep it stands: each line
 * carries what comes before it, and is wrapped when all of it is there. Pure.
 */
import { renderTable } from './table.ts'
import { harmless, widthOf, wrap, wrapHanging } from './text.ts'
import type { Theme } from './theme.ts'

/** Between what is before a line, what is before its continuation, its kind and its text; `harmless` leaves none in a text. */
const mark = '\x01'
/** Before the cells and the rows of a table, which is one line until its width is known. */
const cellMark = '\x02'
const rowMark = '\x03'

type Kind = 'text' | 'code' | 'table' | 'rule'

interface Line {
  readonly first: string
  readonly rest: string
  readonly kind: Kind
  readonly text: string
}

/** Lines without a line feed at their end, none wider than `columns`. */
export function renderMarkdown(source: string, columns: number, theme: Theme): string[] {
  const told = Bun.markdown.render(harmless(source), callbacks(theme))
  const lines = withoutEdges(parse(told)).flatMap((line) => lay(line, columns, theme))
  return lines.map((line) => line.trimEnd())
}

function callbacks(theme: Theme): NonNullable<Parameters<typeof Bun.markdown.render>[1]> {
  return {
    // An entity can be any character.
    text: (text) => harmless(text),
    strong: (text) => theme.bold(text),
    emphasis: (text) => theme.italic(text),
    strikethrough: (text) => theme.strike(text),
    codespan: (text) => theme.code(theme.isRich ? text : `\`${text}\``),
    link: (text, { href }) => renderLink(text, href, theme),
    image: (text, { src }) => `[${text}] ${theme.dim(`(${src})`)}`,
    heading: (text, { level }) => block([{ ...plain, text: renderHeading(text, level, theme) }]),
    paragraph: (text) => block(parse(text)),
    blockquote: (text) => block(indent(withoutEdges(parse(text)), theme.dim(theme.isRich ? '│ ' : '> '))),
    code: (text, meta) => block(codeLines(text, meta?.language, theme)),
    html: (text) => block(parse(text.trim().split('\n').map(theme.dim).join('\n'))),
    hr: () => block([{ ...plain, kind: 'rule', text: '' }]),
    listItem: (text, meta) => encode(listItem(text, meta, theme)),
    list: (text) => block(parse(text)),
    th: (text) => `${cellMark}${theme.bold(text)}`,
    td: (text) => `${cellMark}${text}`,
    tr: (text) => `${rowMark}${text}`,
    table: (text) => block([{ ...plain, kind: 'table', text }]),
  }
}

const plain: Line = { first: '', rest: '', kind: 'text', text: '' }

function encode(lines: readonly Line[]): string {
  return lines.map(({ first, rest, kind, text }) => `${[first, rest, kind, text].join(mark)}\n`).join('')
}

/** Lines with an empty one before and behind them; those that meet become one. */
function block(lines: readonly Line[]): string {
  return `\n${encode([plain, ...withoutEdges(lines), plain])}`
}

/** Of what children have said: lines of theirs, and words that stand there as they are. */
function parse(text: string): Line[] {
  const lines = text.split('\n').flatMap((line): Line[] => {
    const [first, rest, kind, told] = line.split(mark)
    if (first === undefined || line === '') return []
    if (rest === undefined || kind === undefined || told === undefined) return [{ ...plain, text: line }]
    return [{ first, rest, kind: kind as Kind, text: told }]
  })
  return lines.filter((line, at) => !isEmpty(line) || !isEmpty(lines[at - 1]))
}

function isEmpty(line: Line | undefined): boolean {
  return line === undefined || (line.kind === 'text' && line.text === '' && line.first.trim() === '')
}

function withoutEdges(lines: readonly Line[]): Line[] {
  const begin = lines.findIndex((line) => !isEmpty(line))
  const end = lines.findLastIndex((line) => !isEmpty(line))
  return begin === -1 ? [] : lines.slice(begin, end + 1)
}

function indent(lines: readonly Line[], first: string, rest = first): Line[] {
  return lines.map((line, at) => ({
    ...line,
    first: `${at === 0 ? first : rest}${line.first}`,
    rest: `${rest}${line.rest}`,
  }))
}

interface ItemMeta {
  readonly index: number
  readonly ordered: boolean
  readonly start?: number
  readonly checked?: boolean
}

function listItem(text: string, { index, ordered, start = 1, checked }: ItemMeta, theme: Theme): Line[] {
  const bullet = ordered ? `${start + index}.` : checked === undefined ? theme.bullet : checked ? '[x]' : '[ ]'
  const lines = withoutEdges(parse(text)).filter((line, at, all) => !isEmpty(line) || isWords(all[at + 1]))
  const told = lines.length === 0 ? [plain] : lines
  return indent(told, `${theme.accent(bullet)} `, ' '.repeat(widthOf(bullet) + 1))
}

/** What an empty line may stand before within an item: not a list in it, nor code. */
function isWords(line: Line | undefined): boolean {
  return line?.kind === 'text' && line.first === ''
}

function renderHeading(text: string, level: number, theme: Theme): string {
  if (!theme.isRich) return `${'#'.repeat(level)} ${text}`
  return level <= 2 ? theme.bold(theme.accent(text)) : theme.bold(text)
}

function renderLink(text: string, href: string, theme: Theme): string {
  const isSame = Bun.stripANSI(text) === href || href === `mailto:${text}`
  return isSame ? theme.underline(text) : `${theme.underline(text)} ${theme.dim(`(${href})`)}`
}

function codeLines(text: string, language: string | undefined, theme: Theme): Line[] {
  const bare = text.replace(/\n+$/, '').split('\n')
  const lines = theme.isRich ? (highlighted(bare, language) ?? bare) : bare
  const bar = theme.isRich ? theme.dim('│ ') : '    '
  return lines.map((line) => ({ first: bar, rest: bar, kind: 'code', text: line }))
}

/** By Bun's own renderer, whose frame is taken off again; undefined where it says anything unexpected. */
function highlighted(lines: readonly string[], language = ''): string[] | undefined {
  if (!/^\w+$/.test(language) || lines.some((line) => line.includes('```'))) return undefined
  const told = Bun.markdown.ansi(`\`\`\`${language}\n${lines.join('\n')}\n\`\`\``, { columns: 0 }).split('\n')
  const begin = told.findIndex((line) => Bun.stripANSI(line).startsWith('┌'))
  const painted = told.slice(begin + 1, begin + 1 + lines.length).map(withoutFrame)
  const isSame = painted.every((line, at) => Bun.stripANSI(line).trimEnd() === lines[at]?.trimEnd())
  return isSame && painted.length === lines.length ? painted : undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence
const frame = /^(?:\x1b\[[\d;]*m)*│ ?(?:\x1b\[[\d;]*m)*/

function withoutFrame(line: string): string {
  return line.replace(frame, '')
}

function lay({ first, rest, kind, text }: Line, columns: number, theme: Theme): string[] {
  const room = columns - widthOf(first)
  if (kind === 'text') return wrapHanging(text, columns, first, rest)
  if (kind === 'rule')
    return [`${first}${theme.dim((theme.isRich ? '─' : '-').repeat(Math.min(Math.max(0, room), 40)))}`]
  if (kind === 'table') return renderTable(cells(text), Math.max(1, room), theme).map((line) => `${rest}${line}`)
  // Spaces count in code.
  const lines = room < 4 ? wrap(text, columns) : Bun.wrapAnsi(text, room, { hard: true, trim: false, wordWrap: false })
  return (typeof lines === 'string' ? lines.split('\n') : lines).map((line) => (room < 4 ? line : `${rest}${line}`))
}

function cells(text: string): string[][] {
  const rows = text.split(rowMark).slice(1)
  return rows.map((row) => row.split(cellMark).slice(1))
}
