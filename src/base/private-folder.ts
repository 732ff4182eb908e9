/** Folders for what nobody else may read. */
import { chmodSync, mkdirSync, statSync } from 'node:fs'

/** Makes a folder of ours and what is missing above it (0700). One that others may read is closed to them. */
export function ensurePrivateFolder(path: string): string {
  makePrivateFolder(path)
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700)
  return path
}

/**
 * Makes the folder of a file whose place somebody has named, and what is missing above it (0700). One that is there is left as it is:
 * it may be `/tmp`, and is not ours to close.
 */
export function makePrivateFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  return path
}
