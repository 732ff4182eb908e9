/** How an editor is drawn: its lines in the columns there are, and the cursor among them. Pure. */

import { type Editor, found } from './prompt-editor.ts'
import type { Bottom } from './screen.ts'
import { cutEnd, graphemes, oneLine, padColumns, widthOf } from './text.ts'
import type { Theme } from './theme.ts'

/** Of a long text so many rows are shown, those around the cursor. */
const maxRows = 12

export interface PromptLook {
  /** Before the first row; the others stand in as far. */
  readonly lead: string
  readonly theme: Theme
  /** Shown where nothing is written yet. */
  readonly hint?: string
}

export function renderPrompt(editor: Editor, history: readonly string[], look: PromptLook, columns: number): Bottom {
  if (editor.search !== undefined) return renderSearch(editor, history, look, columns)
  const { lead, theme, hint } = look
  const width = widthOf(lead)
  if (editor.text === '' && hint !== undefined && columns > width + 8)
    return {
      rows: [`${lead}${theme.dim(cutEnd(hint, columns - width - 1, theme.dots))}`],
      cursor: { row: 0, column: width },
    }
  const { rows, cursor } = layOut(editor, Math.max(2, columns - width))
  const begin = Math.max(0, Math.min(cursor.row - Math.floor(maxRows / 2), rows.length - maxRows))
  const shown = rows.slice(begin, begin + maxRows)
  const bar = padColumns('', width)
  return {
    rows: shown.map((row, at) => `${at + begin === 0 ? lead : bar}${row}`),
    cursor: { row: cursor.row - begin, column: cursor.column + width },
  }
}

/** Rows of at most `room` columns, of which the last one is left for the cursor; no character is torn apart. */
function layOut({ text, cursor }: Editor, room: number): { rows: string[]; cursor: { row: number; column: number } } {
  const rows: string[] = ['']
  let [width, at] = [0, 0]
  let place = { row: 0, column: 0 }
  for (const character of [...graphemes(text), '']) {
    const columns = widthOf(character)
    const isFull = width + columns > room - 1 && character !== '\n' && character !== ''
    if (isFull) {
      rows.push('')
      width = 0
    }
    if (at === cursor) place = { row: rows.length - 1, column: width }
    if (character === '\n') {
      rows.push('')
      width = 0
    } else {
      rows[rows.length - 1] += character
      width += columns
    }
    at += character.length
  }
  return { rows, cursor: place }
}

function renderSearch(
  { search, text }: Editor,
  history: readonly string[],
  { theme }: PromptLook,
  columns: number,
): Bottom {
  const { query = '', skip = 0 } = search ?? {}
  const hit = found(history, query)[skip]
  const lead = cutEnd(`search: ${query}`, Math.max(4, columns - 4), theme.dots)
  const shown = oneLine(hit ?? (query === '' ? text : 'nothing found'))
  const room = columns - widthOf(lead) - 4
  const rest = room > 4 ? theme.dim(`  ${theme.arrow} ${cutEnd(shown, room - 2, theme.dots)}`) : ''
  return { rows: [`${lead}${rest}`], cursor: { row: 0, column: widthOf(lead) } }
}
