/**
 * Where to begin in a long transcript: the lines of earlier lives of a session can be hundreds of megabytes, and nothing is wanted
 * of them but what the session had cost. Lines are in the order of their times, but for some that are a little off.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { parseLine } from './transcript-lines.ts'

export interface Place {
  /** Where a line begins. No line before it was written at the time or later. */
  readonly offset: number
  /** The last `cost-state` line before it, where none stands between it and the time. */
  readonly cost?: string
}

/** Shorter files are read from their beginning. */
const longBytes = 8 << 20
/** What is read of the lines before the time, so that what a line takes from those before it is known. */
const contextBytes = 1 << 20
const pieceBytes = 1 << 18
/** Most lines are shorter. */
const lineBytes = 1 << 15
/** By how much lines may be out of order. */
const slackMicros = 60_000_000
const lineFeed = 0x0a
const costMark = Buffer.from('"type":"cost-state"')

/** The place from which on a file has to be read for what was written at or after a time. Throws what the file system throws. */
export function findPlace(path: string, sinceUnixMicro: number): Place {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    if (size <= longBytes) return { offset: 0 }
    let [low, high] = [0, size]
    while (high - low > pieceBytes) {
      const middle = Math.floor((low + high) / 2)
      if (timeAfter(file, middle, high) < sinceUnixMicro - slackMicros) low = middle
      else high = middle
    }
    const offset = lineAfter(file, low - contextBytes)
    const cost = hasCostBetween(file, offset, sinceUnixMicro) ? undefined : lastCost(file, offset)
    return cost === undefined ? { offset } : { offset, cost }
  } finally {
    closeSync(file)
  }
}

/** The time of the first line that begins behind this place and before `end` and has one; beyond any where none has. */
function timeAfter(file: number, place: number, end: number): number {
  for (let at = lineAfter(file, place); at < end; ) {
    const line = lineAt(file, at)
    const { timestamp } = parseLine(line.toString()) ?? {}
    const time = typeof timestamp === 'string' ? Date.parse(timestamp) * 1000 : Number.NaN
    if (!Number.isNaN(time)) return time
    at += line.length + 1
  }
  return Number.POSITIVE_INFINITY
}

function hasCostBetween(file: number, place: number, sinceUnixMicro: number): boolean {
  for (let at = place; ; ) {
    const line = lineAt(file, at)
    if (line.length === 0) return false
    if (line.includes(costMark)) return true
    const { timestamp } = parseLine(line.toString()) ?? {}
    if (typeof timestamp === 'string' && Date.parse(timestamp) * 1000 >= sinceUnixMicro) return false
    at += line.length + 1
  }
}

/** Where the first line begins that begins at this place or behind it; the file's beginning is one. */
function lineAfter(file: number, place: number): number {
  if (place <= 0) return 0
  const before = place - 1
  return before + lineAt(file, before).length + 1
}

/** From a place to the next line feed, or to the end of the file. */
function lineAt(file: number, place: number): Buffer {
  const pieces: Buffer[] = []
  for (let at = place; ; ) {
    const piece = read(file, at, lineBytes)
    const end = piece.indexOf(lineFeed)
    pieces.push(end === -1 ? piece : piece.subarray(0, end))
    if (end !== -1 || piece.length === 0) return Buffer.concat(pieces)
    at += piece.length
  }
}

/** Looked for from its end backwards, in pieces that overlap by the mark. */
function lastCost(file: number, before: number): string | undefined {
  for (let end = before; end > 0; end -= pieceBytes) {
    const start = Math.max(0, end - pieceBytes)
    const piece = read(file, start, Math.min(before, end + costMark.length) - start)
    const found = piece.lastIndexOf(costMark)
    if (found !== -1) return lineAt(file, lineBegin(file, start + found)).toString()
  }
  return undefined
}

function lineBegin(file: number, place: number): number {
  for (let end = place; end > 0; end -= pieceBytes) {
    const start = Math.max(0, end - pieceBytes)
    const at = read(file, start, end - start).lastIndexOf(lineFeed)
    if (at !== -1) return start + at + 1
  }
  return 0
}

function read(file: number, at: number, length: number): Buffer {
  const piece = Buffer.allocUnsafe(length)
  return piece.subarray(0, readSync(file, piece, 0, length, at))
}
