/**
 * A file of ours that only grows, held to a size: once it is larger it becomes `<path>.1`, of which one is kept. Several processes
 * may append at once; none waits for another, and no line is lost but with the old file.
 */
import { appendFileSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'

/** Appends the text, whole lines, to a file of the user's alone; its folder must be there. Throws what the file system throws. */
export function appendRotating(path: string, text: string, maxBytes: number): void {
  if (sizeOf(path) >= maxBytes) rotate(path, maxBytes)
  appendFileSync(path, text, { mode: 0o600 })
}

/** The paths under which what was appended may lie, oldest first. */
export function rotatedPaths(path: string): readonly string[] {
  return [`${path}.1`, path]
}

/** Takes the file away first and looks then: another process may have done the same a moment ago. */
function rotate(path: string, maxBytes: number): void {
  const mine = `${path}.${process.pid}.old`
  try {
    renameSync(path, mine)
    if (sizeOf(mine) < maxBytes) {
      appendFileSync(path, readFileSync(mine), { mode: 0o600 })
      rmSync(mine)
    } else renameSync(mine, `${path}.1`)
  } catch {
    // Somebody else has rotated it.
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
