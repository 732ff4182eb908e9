/** A terminal of the tests' own: it understands what our screen writes, refuses everything else, and shows what a person would see. */

export interface FakeTerminal {
  readonly isTTY: boolean
  columns: number
  /** Makes it narrower: rows that are too long are broken, as terminals do. */
  narrow(columns: number): void
  write(text: string): boolean
  /** Lines without spaces at their ends, and without the empty ones at the bottom. */
  lines(): string[]
  /** Where the cursor is, and whether it can be seen. */
  readonly cursor: { readonly row: number; readonly column: number; readonly isShown: boolean }
  /** Everything that was written. */
  written(): string
}

/** Rows wrap where they are full, as on a real one; nothing scrolls away. */
export function fakeTerminal(columns: number, isTTY = true): FakeTerminal {
  const rows: string[][] = [[]]
  let [row, column] = [0, 0]
  let isShown = true
  let written = ''
  const lineAt = (at: number): string[] => {
    while (rows.length <= at) rows.push([])
    return rows[at] ?? []
  }
  const put = (character: string): void => {
    const width = Bun.stringWidth(character)
    if (column + width > terminal.columns) {
      row += 1
      column = 0
    }
    const line = lineAt(row)
    while (line.length < column) line.push(' ')
    line.splice(column, width, character, ...Array.from({ length: width - 1 }, () => ''))
    column += width
  }
  const sequence = (code: string): void => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
    const [, parameter = '', final = ''] = /^\x1b\[([?\d;]*)([A-Za-z])$/.exec(code) ?? []
    const count = Number(parameter || '1')
    if (final === 'm') return
    if (final === 'A') row = Math.max(0, row - count)
    else if (final === 'C') column += count
    else if (final === 'J' && parameter === '') {
      lineAt(row).splice(column)
      rows.splice(row + 1)
    } else if (parameter === '?25' && (final === 'h' || final === 'l')) isShown = final === 'h'
    else throw new Error(`a sequence that nobody expects: ${JSON.stringify(code)}`)
  }
  const terminal: FakeTerminal = {
    isTTY,
    columns,
    write(text) {
      written += text
      // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
      const parts = text.matchAll(/\x1b\[[?\d;]*[A-Za-z]|\n|\r|[^\x1b\n\r]+|\x1b/g)
      for (const [part] of parts) {
        if (part === '\n') {
          row += 1
          column = 0
          lineAt(row)
        } else if (part === '\r') column = 0
        else if (part.startsWith('\x1b')) sequence(part)
        else for (const { segment } of new Intl.Segmenter().segment(part)) put(segment)
      }
      return true
    },
    narrow(to) {
      const place = { row, column }
      let at = 0
      const broken = rows.splice(0).flatMap((line, number) => {
        const pieces = Array.from({ length: Math.max(1, Math.ceil(line.length / to)) }, (_, piece) =>
          line.slice(piece * to, (piece + 1) * to),
        )
        if (number === place.row) {
          row = at + Math.min(pieces.length - 1, Math.floor(place.column / to))
          column = place.column % to
        }
        at += pieces.length
        return pieces
      })
      rows.push(...broken)
      terminal.columns = to
    },
    lines: () => {
      const all = rows.map((line) => line.join('').trimEnd())
      return all.slice(0, all.findLastIndex((line) => line !== '') + 1)
    },
    get cursor() {
      return { row, column, isShown }
    },
    written: () => written,
  }
  return terminal
}
