/**
 * Texts of others made fit for a terminal: what could move its cursor or set its title is taken out, and what is shown is
 * measured in columns. Pure.
 */

/** Also what turns the order of letters around, so that a command cannot look like another one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unseen = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g

/** No control character is left but line feeds; of a line that was written over (`10 %\r20 %`) the last state. */
export function harmless(text: string): string {
  const lines = Bun.stripANSI(text).replaceAll('\r\n', '\n').replaceAll('\t', '    ')
  const settled = lines.includes('\r') ? lines.split('\n').map(lastState).join('\n') : lines
  return settled.replaceAll(unseen, '')
}

/** As `harmless`, in one line. */
export function oneLine(text: string): string {
  return harmless(text).replaceAll(/\s+/g, ' ').trim()
}

function lastState(line: string): string {
  return line.split('\r').findLast((state) => state.trim() !== '') ?? ''
}

const segmenter = new Intl.Segmenter()

/** What a person takes for one character. */
export function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

export function widthOf(text: string): number {
  return Bun.stringWidth(text)
}

/** At most so many columns of a text without escape sequences; `dots` stand for what is cut. */
export function cutEnd(text: string, columns: number, dots = '…'): string {
  if (widthOf(text) <= columns) return text
  const room = columns - widthOf(dots)
  if (room <= 0) return taken(graphemes(text), columns).join('')
  return `${taken(graphemes(text), room).join('').trimEnd()}${dots}`
}

/** As `cutEnd`, but the end is kept: of a path it says more. */
export function cutStart(text: string, columns: number, dots = '…'): string {
  if (widthOf(text) <= columns) return text
  const room = columns - widthOf(dots)
  if (room <= 0) return cutEnd(text, columns, dots)
  return `${dots}${taken(graphemes(text).reverse(), room).reverse().join('')}`
}

function taken(all: readonly string[], columns: number): string[] {
  let width = 0
  const end = all.findIndex((each) => {
    width += widthOf(each)
    return width > columns
  })
  return all.slice(0, end === -1 ? undefined : end)
}

/** Lines of at most so many columns, broken at spaces where there are some; styles go on over the break. What fits stays as it is. */
export function wrap(text: string, columns: number): string[] {
  const broken = (line: string) => Bun.wrapAnsi(line, Math.max(1, columns), { hard: true }).split('\n')
  return text.split('\n').flatMap((line) => (widthOf(line) <= columns ? [line] : broken(line)))
}

/** Wrapped, with something before the first line and something as wide before the others; where that leaves no room, without. */
export function wrapHanging(text: string, columns: number, first: string, rest = ' '.repeat(widthOf(first))): string[] {
  const room = columns - widthOf(first)
  if (room < 4) return wrap(`${first}${text}`, columns)
  return wrap(text, room).map((line, at) => `${at === 0 ? first : rest}${line}`)
}

/** Filled with spaces to so many columns. */
export function padColumns(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)))
}
