/** Folders that one process at a time may work in: the file `owner` in it names that process and its birth. */
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { birthOf, isProcessAlive } from './processes.ts'

/**
 * Becomes the folder's owner, unless a living process is. Of many that try, `link` lets one succeed; a dead owner is replaced
 * by whoever holds the folder `replacing` for that moment. False also where the folder is not there.
 */
export function claimFolder(path: string): boolean {
  const owner = join(path, 'owner')
  const mine = join(path, `owner.${process.pid}`)
  try {
    writeOwner(mine)
    return tryLink(mine, owner) || (!isFolderOwned(path) && replaceOwner(path, mine, owner))
  } catch {
    return false
  } finally {
    removeFile(mine)
  }
}

/** Of a folder that no other process can know of yet. */
export function ownNewFolder(path: string): void {
  writeOwner(join(path, 'owner'))
}

export function isFolderOwned(path: string): boolean {
  const [pid, birth] = ownerOf(path)
  return isProcessAlive(pid, birth)
}

/** Whether it is this process that owns it, and the folder is still there. */
export function isFolderOurs(path: string): boolean {
  return ownerOf(path)[0] === process.pid
}

export function releaseFolder(path: string): void {
  rmSync(join(path, 'owner'), { force: true })
}

function replaceOwner(path: string, mine: string, owner: string): boolean {
  const lock = join(path, 'replacing')
  // Whoever holds it needs less than a millisecond; one that has it for longer died in between.
  if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 2000) rmdirSync(lock)
  mkdirSync(lock)
  globalThis.faultPoint?.('run.replace')
  try {
    if (isFolderOwned(path)) return false
    renameSync(mine, owner)
    return true
  } finally {
    rmdirSync(lock)
  }
}

function ownerOf(path: string): readonly [pid: number, birth: number] {
  try {
    const [pid = 0, birth = 0] = readFileSync(join(path, 'owner'), 'utf8').split(' ').map(Number)
    return [pid, birth]
  } catch {
    return [0, 0]
  }
}

function writeOwner(path: string): void {
  writeFileSync(path, `${process.pid} ${birthOf(process.pid)}\n`, { mode: 0o600 })
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch {
    return false
  }
}

/** Not a folder. */
function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It became the owner's file, or is a folder, which is not ours.
  }
}
