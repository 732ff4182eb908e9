/** Words for the terminal: aligned columns, sizes, times. Plain text. */

/** One indented line per row, columns at the same place. */
export function align(rows: readonly (readonly string[])[], widths = columnWidths(rows)): string[] {
  return rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd())
}

/** One very long value must not push everything else off the screen. */
export function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  return Array.from({ length: columns }, (_, at) => Math.min(48, Math.max(...rows.map((row) => row[at]?.length ?? 0))))
}

/** `0 B`, `1.5 KB`, `256 MB`: decimal, at most three digits. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, bytes < 1 ? 0 : Math.floor(Math.log10(bytes) / 3))
  const value = bytes / 1000 ** power
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`
}

/** `just now`, `5 minutes ago`, `3 days ago`. */
export function formatAgo(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
  ] as const
  const [name, size] = units.find(([, length]) => ms >= length) ?? ['minute', 60_000]
  const count = Math.floor(ms / size)
  return count < 1 ? 'just now' : `${count} ${name}${count === 1 ? '' : 's'} ago`
}

export function formatCount(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? noun : plural}`
}
