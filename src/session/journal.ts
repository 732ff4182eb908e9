/**
 * The journal: an append-only file of entries, one JSON line each, written by the one process that owns the run. It is the
 * durable queue: what no destination has acknowledged is assembled again from it. A line without its end was being written
 * when the writer died; it is cut off, and its source is still there to be read again.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { describeError } from '../base/errors.ts'
import type { Entry } from './entries.ts'

export interface Journal {
  /** What was in it when it was opened. */
  readonly entries: readonly Entry[]
  /** All of them, or none if this throws. */
  append(entries: readonly Entry[]): void
  close(): void
}

/** Opens or creates it; throws what the file system throws, and on entries of a version that is not ours. */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'a+', 0o600)
  const data = readFileSync(path)
  let size = data.lastIndexOf(0x0a) + 1
  if (size < data.length) ftruncateSync(file, size)
  const lines = data.toString('utf8', 0, size).split('\n').slice(0, -1)
  return {
    entries: lines.map((line, index) => parseEntry(line, `${path}:${index + 1}`)),
    append(entries) {
      if (entries.length === 0) return
      const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
        size += bytes.length
      } catch (error) {
        ftruncateSync(file, size)
        throw error
      }
    },
    close: () => closeSync(file),
  }
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
