/** Frames around lines, and rows of a name and a value; on narrow terminals and in plain text lines alone. Pure. */
import { cutEnd, padColumns, widthOf, wrap, wrapHanging } from './text.ts'
import type { Theme } from './theme.ts'

/** A name and what is to be said of it. */
export type Row = readonly [string, string]

/** Beyond this lines are hard to read. */
const widestPanel = 100
/** Below this a frame takes more than it gives. */
const narrowest = 32

export interface Panel {
  readonly title: string
  readonly lines: readonly string[]
}

/** The lines in a frame that is as wide as it has to be; they are wrapped where the terminal is narrower. */
export function renderPanel({ title, lines }: Panel, columns: number, theme: Theme): string[] {
  if (!theme.isRich) {
    const inside = lines.flatMap((line) => wrapHanging(line, columns, '  '))
    return [...wrap(title, columns), ...inside.map((line) => line.trimEnd())]
  }
  if (columns < narrowest) return [...wrap(theme.bold(title), columns), ...lines.flatMap((line) => wrap(line, columns))]
  const room = Math.min(widestPanel, columns) - 4
  const inner = lines.flatMap((line) => wrap(line, room))
  const head = cutEnd(title, room - 2)
  const width = Math.max(widthOf(head) + 2, ...inner.map(widthOf))
  const bar = theme.dim('│')
  return [
    `${theme.dim('╭─')} ${theme.bold(head)} ${theme.dim(`${'─'.repeat(Math.max(0, width - widthOf(head) - 1))}╮`)}`,
    ...inner.map((line) => `${bar} ${padColumns(line, width)} ${bar}`),
    theme.dim(`╰${'─'.repeat(width + 2)}╯`),
  ]
}

/** Names in one column, values beside them and wrapped there. */
export function renderRows(rows: readonly Row[], columns: number, theme: Theme): string[] {
  const width = Math.max(0, ...rows.map(([name]) => widthOf(name))) + 2
  return rows.flatMap(([name, value]) =>
    wrapHanging(value, columns, theme.dim(padColumns(name, width)), ' '.repeat(width)),
  )
}

/** As a panel of rows; the width that they may take is that of its inside. */
export function renderRowsPanel(
  title: string,
  rows: readonly Row[],
  more: readonly string[],
  columns: number,
  theme: Theme,
): string[] {
  const room = theme.isRich && columns >= narrowest ? Math.min(widestPanel, columns) - 4 : columns - 2
  return renderPanel({ title, lines: [...renderRows(rows, room, theme), ...more] }, columns, theme)
}
