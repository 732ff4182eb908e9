/** The part of the time that is shown: microseconds since the Unix epoch. */
import type { WaterfallRow } from '../waterfall.ts'

export interface Range {
  readonly from: number
  readonly to: number
}

export function rangeOf(rows: readonly WaterfallRow[]): Range {
  let from = Number.POSITIVE_INFINITY
  let to = 0
  for (const row of rows) {
    from = Math.min(from, row.startUnixMicro)
    to = Math.max(to, row.endUnixMicro)
  }
  return { from, to: Math.max(to, from + 1) }
}

export function rangeAround({ startUnixMicro, endUnixMicro }: WaterfallRow, whole: Range): Range {
  const spare = Math.max(1000, (endUnixMicro - startUnixMicro) * 0.05)
  return { from: Math.max(whole.from, startUnixMicro - spare), to: Math.min(whole.to, endUnixMicro + spare) }
}

/** Undefined: all of it. */
export function scaled(
  { from, to }: Range,
  whole: Range,
  factor: number,
  around: WaterfallRow | undefined,
): Range | undefined {
  const middle = around === undefined ? (from + to) / 2 : Math.max(from, Math.min(to, around.startUnixMicro))
  const half = Math.max(500, ((to - from) * factor) / 2)
  const range = { from: Math.max(whole.from, middle - half), to: Math.min(whole.to, middle + half) }
  return range.from === whole.from && range.to === whole.to ? undefined : range
}

/** As it stands in the address. */
export function renderRange(range: Range | undefined): string | undefined {
  return range === undefined ? undefined : `${Math.round(range.from)}-${Math.round(range.to)}`
}

/** Undefined for what is none. */
export function readRange(words: string | null): Range | undefined {
  const [, from, to] = /^(\d{1,16})-(\d{1,16})$/.exec(words ?? '') ?? []
  const range = { from: Number(from), to: Number(to) }
  return range.to > range.from ? range : undefined
}
