/** What a person has asked before, in a private file of ours: one JSON text a line, the newest last, held to a size. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { appendRotating } from '../base/rotating-file.ts'

/** How many are remembered. */
export const historyEntries = 500
/** A prompt that is longer was a document. */
const longestEntry = 4000

export class History {
  private readonly entries: string[]

  /** `mask` hides secrets before anything is written. Without a path nothing is kept beyond this process. */
  constructor(
    private readonly path: string | undefined,
    private readonly mask: (text: string) => string,
  ) {
    this.entries = path === undefined ? [] : read(path)
  }

  /** The newest first. */
  get all(): readonly string[] {
    return this.entries
  }

  add(text: string): void {
    const entry = this.mask(text.trim())
    if (entry === '' || entry.length > longestEntry || entry === this.entries[0]) return
    this.entries.unshift(entry)
    this.entries.splice(historyEntries)
    if (this.path === undefined) return
    try {
      write(this.path, entry, this.entries)
    } catch {
      // It is remembered until this process ends.
    }
  }
}
