/** Tables of texts, as wide as the terminal lets them be; on one too narrow each row stands as a list. Pure. */
import { padColumns, widthOf, wrap, wrapHanging } from './text.ts'
import type { Theme } from './theme.ts'

/** A column that is narrower than this is no help. */
const least = 6

/** The first row is the head. Lines of at most `columns`. */
export function renderTable(rows: readonly (readonly string[])[], columns: number, theme: Theme): string[] {
  const [head = [], ...body] = rows
  const count = Math.max(...rows.map((row) => row.length))
  const between = theme.isRich ? theme.dim(' │ ') : ' | '
  const widths = fit(naturalWidths(rows, count), columns - 3 * (count - 1))
  if (widths === undefined) return stacked(head, body, columns)
  const rule = widths.map((width) => (theme.isRich ? '─' : '-').repeat(width)).join(theme.isRich ? '─┼─' : '-+-')
  return [...laid(head, widths, between), theme.dim(rule), ...body.flatMap((row) => laid(row, widths, between))]
}

function naturalWidths(rows: readonly (readonly string[])[], count: number): number[] {
  return Array.from({ length: count }, (_, at) => Math.max(1, ...rows.map((row) => widthOf(row[at] ?? ''))))
}

/** What is too much is taken from the widest columns; undefined where that leaves them too narrow. */
function fit(natural: readonly number[], room: number): number[] | undefined {
  const sum = (widths: readonly number[]) => widths.reduce((all, width) => all + width, 0)
  if (sum(natural) <= room) return [...natural]
  if (sum(natural.map((width) => Math.min(width, least))) > room) return undefined
  let limit = Math.max(...natural)
  while (sum(natural.map((width) => Math.min(width, limit))) > room) limit -= 1
  return natural.map((width) => Math.min(width, limit))
}

function laid(row: readonly string[], widths: readonly number[], between: string): string[] {
  const columns = widths.map((width, at) => wrap(row[at] ?? '', width))
  const height = Math.max(...columns.map((lines) => lines.length))
  return Array.from({ length: height }, (_, line) =>
    columns.map((lines, at) => padColumns(lines[line] ?? '', widths[at] ?? 0)).join(between),
  )
}

function stacked(head: readonly string[], body: readonly (readonly string[])[], columns: number): string[] {
  return body.flatMap((row, at) => [
    ...(at === 0 ? [] : ['']),
    ...row.flatMap((cell, column) => wrapHanging(cell, columns, `${head[column] ?? ''}: `, '  ')),
  ])
}
