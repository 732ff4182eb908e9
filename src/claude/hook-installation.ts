/**
 * Our hooks put into a settings file of the user's and taken out again. What was found before the first change is kept beside our
 * own files, so that an installation that nobody has touched since goes without a trace, byte for byte.
 */
import { existsSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure } from '../base/errors.ts'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { readUserFile, requireWritable, type UserFile, writeUserFile } from '../base/user-file.ts'
import { isRecord } from '../telemetry/summary.ts'
import type { Handler } from './hook-command.ts'
import { putHooks, takeHooks } from './settings-hooks.ts'

/** What is to be done to one file; nothing has been yet. */
export interface HookChange {
  readonly path: string
  /** Undefined: there is no such file, now or then. */
  readonly before: string | undefined
  readonly after: string | undefined
  /** Where what was found is kept. */
  readonly backup: string
  /** Does it. Fails (`io`) with the file as it was. */
  carryOut(): void
}

/** What is remembered of a file that we have changed. */
interface Installation {
  readonly v: 1
  readonly path: string
  /** Whether the file, and its folder, were there. */
  readonly found: boolean
  readonly folderFound: boolean
  /** SHA-256 of what we left. */
  readonly left: string
}

/** Exactly these handlers of ours in the file. `backups` is a folder of ours. Fails where the file cannot be understood or written. */
export function planHooks(path: string, handlers: Readonly<Record<string, Handler>>, backups: string): HookChange {
  const file = readUserFile(path)
  const after = putHooks(file.text ?? '', handlers, path)
  const folder = backupFolder(backups, file)
  const change = { path, before: file.text, after, backup: join(folder, 'found') }
  if (after === file.text) return { ...change, carryOut() {} }
  requireWritable(file)
  const known = untouched(folder, file)
  return {
    ...change,
    carryOut() {
      const found = known === undefined ? withoutOurs(file) : known.found
      const folderFound = known?.folderFound ?? existsSync(dirname(file.realPath))
      ensurePrivateFolder(folder)
      keep(join(folder, 'found'), found)
      const record: Installation = { v: 1, path, found: found !== undefined, folderFound, left: digest(after) }
      keep(join(folder, 'record.json'), `${JSON.stringify(record)}\n`)
      writeUserFile(file, after)
    },
  }
}

/** Nothing of ours in the file: what was found when it is as we left it, else only our handlers go. */
export function planRemoval(path: string, backups: string): HookChange {
  const file = readUserFile(path)
  const folder = backupFolder(backups, file)
  const known = untouched(folder, file)
  const after = known === undefined ? withoutOurs(file) : known.found
  const change = { path, before: file.text, after, backup: join(folder, 'found') }
  if (after === file.text) return { ...change, carryOut() {} }
  requireWritable(file)
  return {
    ...change,
    carryOut() {
      writeUserFile(file, after)
      if (after === undefined && known?.folderFound === false) removeEmpty(dirname(file.realPath))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** What was found before us, where the file is still as we left it. */
function untouched(
  folder: string,
  { text }: UserFile,
): { found: string | undefined; folderFound: boolean } | undefined {
  if (text === undefined) return undefined
  try {
    const record: unknown = JSON.parse(readFileSync(join(folder, 'record.json'), 'utf8'))
    if (!isRecord(record) || record.v !== 1 || record.left !== digest(text)) return undefined
    const found = record.found === true ? readFileSync(join(folder, 'found'), 'utf8') : undefined
    return { found, folderFound: record.folderFound !== false }
  } catch {
    return undefined
  }
}

function withoutOurs({ path, text }: UserFile): string | undefined {
  return text === undefined ? undefined : takeHooks(text, path)
}

function backupFolder(backups: string, { realPath }: UserFile): string {
  return join(backups, Bun.hash(realPath).toString(36))
}

function keep(path: string, text: string | undefined): void {
  try {
    if (text === undefined) rmSync(path, { force: true })
    else writeFileSync(path, text, { mode: 0o600 })
  } catch (error) {
    throw new Failure('io', `what was found cannot be kept in ${path}: ${String(error)}`, 'nothing was changed')
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Somebody has put something there.
  }
}

function digest(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}
