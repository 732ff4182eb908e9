/**
 * Files that belong to the user and that we are asked to change: read whole, written whole or not at all, with their rights, and
 * with a link left a link. What stands in the way is told before anything is touched.
 */
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describeError, Failure } from './errors.ts'

export interface UserFile {
  /** As the user calls it. */
  readonly path: string
  /** The file itself, behind links. */
  readonly realPath: string
  /** Undefined where there is none yet. */
  readonly text: string | undefined
}

/** Reads the file, or says that there is none. Fails (`io`, `data`) on what is no file, cannot be read or is not UTF-8. */
export function readUserFile(path: string): UserFile {
  existingFolder(dirname(path))
  const realPath = realPathOf(path)
  const bytes = readBytes(realPath)
  return { path, realPath, text: bytes === undefined ? undefined : decode(path, bytes) }
}

/** Fails (`io`) where the file cannot be written, or must not be: one without the right to write is meant to stay as it is. */
export function requireWritable({ path, realPath, text }: UserFile): void {
  const hint = `chmod u+w ${path}, or change it by hand`
  if (text !== undefined && (statSync(realPath).mode & 0o200) === 0)
    throw new Failure('io', `${path} is read-only`, hint)
  const place = existingFolder(dirname(realPath))
  try {
    accessSync(place, constants.W_OK)
    if (text !== undefined) accessSync(realPath, constants.W_OK)
  } catch (error) {
    throw new Failure('io', `${path} cannot be written: ${describeError(error)}`, hint)
  }
}

/**
 * Puts the text in the file's place, or takes the file away. Fails (`io`) when somebody else has changed it since it was read; then,
 * and when it cannot be written, it is as it was. `mode` is for a file that is made.
 */
export function writeUserFile(file: UserFile, text: string | undefined, mode = 0o644): void {
  const { path, realPath } = file
  if (readUserFile(path).text !== file.text) {
    throw new Failure('io', `${path} was changed by somebody else meanwhile`, 'try again')
  }
  if (text === undefined) {
    rmSync(realPath, { force: true })
    return
  }
  const draft = join(dirname(realPath), `.claude-otel-${process.pid}.draft`)
  try {
    mkdirSync(dirname(realPath), { recursive: true })
    writeFileSync(draft, text, { mode, flag: 'wx' })
    keepRights(realPath, draft)
    renameSync(draft, realPath)
  } catch (error) {
    rmSync(draft, { force: true })
    throw new Failure('io', `${path} cannot be written: ${describeError(error)}`, 'nothing was changed')
  }
}

function keepRights(from: string, to: string): void {
  const known = statSync(from, { throwIfNoEntry: false })
  if (known === undefined) return
  chmodSync(to, known.mode & 0o7777)
  const made = statSync(to)
  if (made.uid !== known.uid || made.gid !== known.gid) chownSync(to, known.uid, known.gid)
}

function realPathOf(path: string): string {
  const entry = lstatSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return path
  try {
    return realpathSync(path)
  } catch (error) {
    const target = entry.isSymbolicLink() ? resolve(dirname(path), readlinkSync(path)) : path
    const mend = `make ${target}, or remove the link`
    throw new Failure('io', `${path} is a link that leads nowhere: ${describeError(error)}`, mend)
  }
}

function readBytes(path: string): Buffer | undefined {
  const entry = statSync(path, { throwIfNoEntry: false })
  if (entry === undefined) return undefined
  if (!entry.isFile()) throw new Failure('io', `${path} is not a file`, 'move away what is there')
  try {
    return readFileSync(path)
  } catch (error) {
    throw new Failure('io', `${path} cannot be read: ${describeError(error)}`, 'make it readable')
  }
}

function decode(path: string, bytes: Buffer): string {
  try {
    // What a lenient reader replaces could not be written back.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Failure('data', `${path} is not UTF-8 text`, 'mend it, or move it away')
  }
}

/** The folder itself, or the nearest one above it that is there. */
function existingFolder(path: string): string {
  const entry = existsSync(path) ? statSync(path) : undefined
  if (entry?.isDirectory() === true) return path
  if (entry !== undefined) throw new Failure('io', `${path} is not a folder`, 'move away what is there')
  return existingFolder(dirname(path))
}
