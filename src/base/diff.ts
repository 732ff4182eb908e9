/** What changes between two texts, line by line, as `diff -u` shows it. Pure. */

type Line = readonly [sign: ' ' | '-' | '+', text: string]

const contextLines = 3

/** Empty where nothing changes. `undefined` is a file that is not there. */
export function renderDiff(path: string, before: string | undefined, after: string | undefined): string {
  const lines = compare(linesOf(before), linesOf(after))
  if (lines.every(([sign]) => sign === ' ')) return ''
  const head = [`--- ${before === undefined ? '/dev/null' : path}`, `+++ ${after === undefined ? '/dev/null' : path}`]
  return `${[...head, ...hunks(lines)].join('\n')}\n`
}

function linesOf(text: string | undefined): readonly string[] {
  return text === undefined || text === '' ? [] : text.replace(/\n$/, '').split('\n')
}

/** By the longest common subsequence of what is between the same beginning and the same end. */
function compare(before: readonly string[], after: readonly string[]): Line[] {
  const most = Math.min(before.length, after.length)
  let start = 0
  while (start < most && before[start] === after[start]) start += 1
  let end = 0
  while (end < most - start && before.at(-1 - end) === after.at(-1 - end)) end += 1
  const same = (text: string): Line => [' ', text]
  const middle = align(before.slice(start, before.length - end), after.slice(start, after.length - end))
  return [...before.slice(0, start).map(same), ...middle, ...before.slice(before.length - end).map(same)]
}

function align(left: readonly string[], right: readonly string[]): Line[] {
  const width = right.length + 1
  const lengths = new Uint32Array((left.length + 1) * width)
  const length = (i: number, j: number): number => lengths[i * width + j] ?? 0
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      const isSame = left[i] === right[j]
      lengths[i * width + j] = isSame ? length(i + 1, j + 1) + 1 : Math.max(length(i + 1, j), length(i, j + 1))
    }
  }
  const lines: Line[] = []
  let [i, j] = [0, 0]
  while (i < left.length || j < right.length) {
    const [gone = '', come = ''] = [left[i], right[j]]
    if (i < left.length && j < right.length && gone === come) {
      lines.push([' ', gone])
      i += 1
      j += 1
    } else if (i < left.length && (j >= right.length || length(i + 1, j) >= length(i, j + 1))) {
      lines.push(['-', gone])
      i += 1
    } else {
      lines.push(['+', come])
      j += 1
    }
  }
  return lines
}

/** What changed, each with a little around it. */
function hunks(lines: readonly Line[]): string[] {
  const near = (at: number) => lines.slice(Math.max(0, at - contextLines), at + contextLines + 1)
  const kept = lines.map((_, at) => near(at).some(([sign]) => sign !== ' '))
  const result: string[] = []
  let [left, right] = [1, 1]
  for (const [at, [sign, text]] of lines.entries()) {
    if (kept[at] && !kept[at - 1]) result.push(header(lines, kept, at, left, right))
    if (kept[at]) result.push(sign + text)
    if (sign !== '+') left += 1
    if (sign !== '-') right += 1
  }
  return result
}

function header(lines: readonly Line[], kept: readonly boolean[], at: number, left: number, right: number): string {
  const end = kept.indexOf(false, at)
  const hunk = lines.slice(at, end < 0 ? undefined : end)
  const count = (other: '-' | '+'): number => hunk.filter(([sign]) => sign !== other).length
  const place = (line: number, size: number) => `${size === 0 ? line - 1 : line},${size}`
  return `@@ -${place(left, count('+'))} +${place(right, count('-'))} @@`
}
