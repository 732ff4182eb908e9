/** "Did you mean …?" */

/** The known word closest to what was written, if it is close enough to have been meant. */
export function nearest(written: string, known: readonly string[]): string | undefined {
  const ranked = known.map((word) => ({ word, distance: editDistance(written.toLowerCase(), word.toLowerCase()) }))
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0]
  return best !== undefined && best.distance <= Math.max(1, Math.floor(written.length / 3)) ? best.word : undefined
}

/** Insertions, deletions, replacements and swaps of neighbours, one each. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1]
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      const replace = (last[column - 1] ?? 0) + (same ? 0 : 1)
      const shift = 1 + Math.min(last[column] ?? 0, current[column - 1] ?? 0)
      const swap = swapped ? (beforeLast[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      current.push(Math.min(replace, shift, swap))
    }
    beforeLast = last
    last = current
  }
  return last[b.length] ?? 0
}
