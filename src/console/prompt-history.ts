/** What a person has asked before, in a private file of ours: one JSON text a line, the newest last, held to a size. */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { appendRotating, rotatedPaths } from '../base/rotating-file.ts'

/** How many are remembered. */
const maxEntries = 500
/** A prompt that is longer was a document. */
const maxEntryChars = 4000
/** Of a file, and of the one before it. */
const maxFileBytes = 256_000

export class History {
  private readonly entries: string[]

  /** `mask` hides secrets in what is written. Without a path nothing is kept beyond this process. */
  constructor(
    private readonly path: string | undefined,
    private readonly mask: (text: string) => string,
  ) {
    this.entries = path === undefined ? [] : rotatedPaths(path).flatMap(read).slice(-maxEntries).reverse()
  }

  /** The newest first. */
  get all(): readonly string[] {
    return this.entries
  }

  /** Never fails: what cannot be written is remembered until this process ends. */
  add(text: string): void {
    const entry = text.trim()
    if (entry === '' || entry.length > maxEntryChars || entry === this.entries[0]) return
    this.entries.unshift(entry)
    this.entries.splice(maxEntries)
    if (this.path === undefined) return
    try {
      ensurePrivateFolder(dirname(this.path))
      appendRotating(this.path, `${JSON.stringify(this.mask(entry))}\n`, maxFileBytes)
    } catch {
      // A full disk, or a folder of somebody else's.
    }
  }
}

function read(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').flatMap(parse)
  } catch {
    return []
  }
}

/** A line of a file that was cut is no text. */
function parse(line: string): string[] {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'string' ? [value] : []
  } catch {
    return []
  }
}
