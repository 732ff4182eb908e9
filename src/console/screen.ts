/**
 * The terminal as a list of lines that only grows, and something at its bottom that changes: a line that moves, or a prompt.
 * What is printed comes above it. Nothing but this writes escape sequences that move the cursor.
 */
import { widthOf } from './text.ts'

/** The bottom of the screen: rows that fit, and the cursor in them; without one it is hidden. */
export interface Bottom {
  readonly rows: readonly string[]
  readonly cursor?: { readonly row: number; readonly column: number }
}

export interface ScreenOptions {
  /** Writes to the terminal, at once and in order. */
  readonly write: (text: string) => void
  readonly columns: () => number
  readonly rows: () => number
  /** What is at the bottom now, if anything. */
  readonly bottom: (columns: number) => Bottom | undefined
}

const [hide, show] = ['\x1b[?25l', '\x1b[?25h']

export class Screen {
  private drawn: Bottom | undefined
  private isCursorShown = true

  constructor(private readonly options: ScreenOptions) {}

  get columns(): number {
    return Math.max(4, this.options.columns())
  }

  /** Draws the bottom anew. */
  refresh(): void {
    this.write(`${this.erased()}${this.redrawn()}`)
  }

  /** Prints whole lines above the bottom; `write` goes elsewhere where the lines do. */
  print(lines: readonly string[], write: (text: string) => void = (text) => this.write(text)): void {
    if (lines.length === 0) return
    const text = `${lines.join('\n')}\n`
    this.write(this.erased())
    write(text)
    this.write(this.redrawn())
  }

  /** An empty screen with the bottom on top. */
  clear(): void {
    this.drawn = undefined
    this.write(`\x1b[2J\x1b[3J\x1b[H${this.redrawn()}`)
  }

  private erased(): string {
    const { drawn } = this
    this.drawn = undefined
    if (drawn === undefined) return ''
    // Where the terminal has become narrower, a row takes several.
    const { columns } = this
    const above = drawn.rows.slice(0, drawn.cursor?.row ?? drawn.rows.length - 1)
    const up = above.reduce((sum, row) => sum + Math.max(1, Math.ceil(widthOf(row) / columns)), 0)
    const within = Math.floor((drawn.cursor?.column ?? 0) / columns)
    const rows = up + within
    return `${rows > 0 ? `\x1b[${rows}A` : ''}\r\x1b[J`
  }

  private redrawn(): string {
    const bottom = within(this.options.bottom(this.columns), Math.max(2, this.options.rows() - 1))
    const isThere = bottom !== undefined && bottom.rows.length > 0
    this.drawn = isThere ? bottom : undefined
    if (!isThere) return this.cursorShown(true)
    const { rows, cursor } = bottom
    const text = rows.join('\n')
    if (cursor === undefined) return `${this.cursorShown(false)}${text}`
    const up = rows.length - 1 - cursor.row
    const right = cursor.column > 0 ? `\x1b[${cursor.column}C` : ''
    return `${text}\r${up > 0 ? `\x1b[${up}A` : ''}${right}${this.cursorShown(true)}`
  }

  private cursorShown(isShown: boolean): string {
    if (isShown === this.isCursorShown) return ''
    this.isCursorShown = isShown
    return isShown ? show : hide
  }

  private write(text: string): void {
    if (text !== '') this.options.write(text)
  }
}

/** The last rows, where there are more than the terminal has: what has scrolled away cannot be taken back. */
function within(bottom: Bottom | undefined, most: number): Bottom | undefined {
  const more = (bottom?.rows.length ?? 0) - most
  if (bottom === undefined || more <= 0) return bottom
  const rows = bottom.rows.slice(more)
  if (bottom.cursor === undefined) return { rows }
  return { rows, cursor: { ...bottom.cursor, row: Math.max(0, bottom.cursor.row - more) } }
}
