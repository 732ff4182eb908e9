/** What was given up undelivered to stay within the budget of disk: one line each in a small file, for `status` and for one line on stderr. */
import { readFileSync } from 'node:fs'
import { appendRotating, rotatedPaths } from '../base/rotating-file.ts'
import type { Config } from '../config/config.ts'
import { showBytes, showDuration } from '../config/kinds.ts'
import { isRecord } from '../telemetry/summary.ts'

/** Something that was given up, undelivered. */
export interface Drop {
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Name of the run. */
  readonly run: string
  /** `size`, `age`: the whole run. `full`: what happened in it after its journal had reached the size. */
  readonly reason: 'size' | 'age' | 'full'
  readonly bytes: number
  /** Entries, where only some were given up. */
  readonly entries?: number
}

const dropsBytes = 1_000_000

/** Writes down what was given up. What cannot be written is not counted. */
export function recordDrop(path: string, drop: Drop): void {
  try {
    appendRotating(path, `${JSON.stringify(drop)}\n`, dropsBytes)
  } catch {
    // A full disk.
  }
}

/** Everything that was given up within the storage age, oldest first. */
export function readDrops(path: string): readonly Drop[] {
  const all = rotatedPaths(path).flatMap((each) => readText(each).split('\n').flatMap(parseDrop))
  // Written down before the run was removed, and again if whoever did so died in between.
  const known = new Map(all.map((drop) => [drop.reason === 'full' ? drop : `${drop.run} ${drop.bytes}`, drop]))
  return [...known.values()]
}

/** `2 runs (310 MB) dropped to stay within 256 MB`; undefined when nothing was. */
export function renderDrops(drops: readonly Drop[], storage: Config['storage']): string | undefined {
  if (drops.length === 0) return undefined
  const bytes = drops.reduce((sum, drop) => sum + drop.bytes, 0)
  const bound = {
    age: showDuration(storage.maxAgeMs),
    size: showBytes(storage.maxBytes),
    full: showBytes(storage.maxBytes),
  }
  const bounds = [...new Set(drops.map(({ reason }) => bound[reason]))]
  return `${drops.length} ${drops.length === 1 ? 'run' : 'runs'} (${showBytes(bytes)}) dropped to stay within ${bounds.join(' and ')}`
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function parseDrop(line: string): readonly Drop[] {
  try {
    const value: unknown = JSON.parse(line)
    return isRecord(value) && typeof value.run === 'string' ? [value as unknown as Drop] : []
  } catch {
    return []
  }
}
