/**
 * The journal: an append-only file of entries, one JSON line each, written by the one process that owns the run. It is the
 * durable queue: what no destination has acknowledged is assembled again from it. A line without its end was being written
 * when the writer died; it is cut off, and its source is still there to be read again.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { describeError } from '../base/errors.ts'
import type { Entry } from './entries.ts'

export interface Journal {
  /**
   * All entries from the first to the last that is there by then, a piece of the file at a time, so that its size does not
   * matter to memory. Throws on what is not ours: another version's entry, a line that is no entry.
   */
  read(): Generator<Entry>
  /** All of them, or none if this throws. */
  append(entries: readonly Entry[]): void
  /** Bytes of all entries. */
  size(): number
  close(): void
}

const chunkBytes = 1 << 18
const lineFeed = 0x0a

/** Opens or creates it; throws what the file system throws. */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'a+', 0o600)
  let size = endOfLastLine(file)
  if (size < fstatSync(file).size) ftruncateSync(file, size)
  return {
    *read() {
      let number = 0
      for (const line of linesOf(file, () => size)) yield parseEntry(line, `${path}:${++number}`)
    },
    append(entries) {
      if (entries.length === 0) return
      const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      globalThis.faultPoint?.('journal.append')
      globalThis.faultPoint?.('journal.torn', () => writeSync(file, bytes, 0, bytes.length >> 1))
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
        size += bytes.length
      } catch (error) {
        ftruncateSync(file, size)
        throw error
      }
      globalThis.faultPoint?.('journal.appended')
    },
    size: () => size,
    close: () => closeSync(file),
  }
}

function endOfLastLine(file: number): number {
  for (let end = fstatSync(file).size; end > 0; ) {
    const start = Math.max(0, end - chunkBytes)
    const at = readPiece(file, start, end - start).lastIndexOf(lineFeed)
    if (at !== -1) return start + at + 1
    end = start
  }
  return 0
}

function* linesOf(file: number, size: () => number): Generator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for (let at = 0; at < size(); ) {
    const piece = readPiece(file, at, Math.min(chunkBytes, size() - at))
    at += piece.length
    const data = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    let from = 0
    for (let end = data.indexOf(lineFeed); end !== -1; end = data.indexOf(lineFeed, from)) {
      yield data.toString('utf8', from, end)
      from = end + 1
    }
    rest = data.subarray(from)
  }
}

function readPiece(file: number, at: number, length: number): Buffer {
  const piece = Buffer.allocUnsafe(length)
  const read = readSync(file, piece, 0, length, at)
  if (read === 0) throw new Error('the journal is shorter than it was')
  return piece.subarray(0, read)
}

function parseEntry(line: string, where: string): Entry {
  try {
    // Our own file, written by append: its shape is known by its version.
    const entry = JSON.parse(line) as Entry
    if (entry.k === 'run' && entry.v !== 1) throw new Error(`version ${entry.v} is not known here`)
    return entry
  } catch (error) {
    throw new Error(`${where} is not a journal entry: ${describeError(error)}`)
  }
}
