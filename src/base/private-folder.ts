/** Folders for what nobody else may read. */
import { chmodSync, mkdirSync, statSync } from 'node:fs'

/** Makes the folder and what is missing above it (0700). One that others may read is closed to them. */
export function ensurePrivateFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700)
  return path
}
