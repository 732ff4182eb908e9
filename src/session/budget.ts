/**
 * What we may take of the disk, in bytes and in time. Runs that nobody owns go, the one that has been over for longest first, until
 * the rest is within the budget; a living one never does. What was given up is written down where `status` can read it.
 */
import { readdirSync, rmSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { StatePaths } from '../base/paths.ts'
import { rotatedPaths } from '../base/rotating-file.ts'
import type { Config } from '../config/config.ts'
import { type Drop, recordDrop } from './drops.ts'
import { birthOf, isProcessAlive } from './processes.ts'
import { isAttended } from './recover.ts'
import {
  claimRun,
  discardRun,
  listRuns,
  pruneSessionContexts,
  type RunFolder,
  readRunContext,
  releaseRun,
  runFolderAt,
} from './run.ts'

export interface Budget {
  readonly paths: StatePaths
  readonly storage: Config['storage']
}

/** Gives up what is beyond the budget, and says what that was: nothing where another process is just doing it. Never throws. */
export function enforceBudget({ paths, storage }: Budget): readonly Drop[] {
  try {
    const before = Date.now() - storage.maxAgeMs
    pruneSessionContexts(paths.sessions, storage.maxAgeMs)
    for (const path of [paths.log, paths.signals, paths.dropped].flatMap(rotatedPaths)) removeOld(path, before)
    return inTurn(paths.root, () => giveUpRuns(paths, storage.maxBytes, before))
  } catch {
    // A folder that cannot be read holds nothing that we could remove.
    return []
  }
}

interface SizedRun {
  readonly folder: RunFolder
  readonly bytes: number
  readonly changedMs: number
}

/** One process at a time, or two would give up for the same bytes; who comes second has nothing left to do. */
function inTurn(root: string, work: () => readonly Drop[]): readonly Drop[] {
  const whole = runFolderAt(root)
  if (!claimRun(whole)) return []
  try {
    return work()
  } finally {
    releaseRun(whole)
  }
}

function giveUpRuns(paths: StatePaths, maxBytes: number, before: number): readonly Drop[] {
  const runs = listRuns(paths.runs).map(measure)
  const drops: Drop[] = []
  let total = runs.reduce((sum, { bytes }) => sum + bytes, 0)
  for (const run of runs.sort((a, b) => a.changedMs - b.changedMs)) {
    const reason = run.changedMs < before ? 'age' : total > maxBytes ? 'size' : undefined
    if (reason === undefined) continue
    const drop = { at: Date.now(), run: basename(run.folder.path), reason, bytes: run.bytes } as const
    if (!giveUp(run, () => recordDrop(paths.dropped, drop))) continue
    drops.push(drop)
    total -= run.bytes
  }
  return drops
}

function giveUp({ folder, changedMs }: SizedRun, record: () => void): boolean {
  if (isLiving(folder, changedMs) || !claimRun(folder)) return false
  // It may have been taken up and left again since it was looked at.
  if (measure(folder).changedMs !== changedMs) {
    releaseRun(folder)
    return false
  }
  record()
  discardRun(folder)
  return true
}

/** A claude that nobody wrapped and that was idle while its pump was killed has its process id in the folder's name. */
function isLiving(folder: RunFolder, changedMs: number): boolean {
  if (isAttended(folder, readRunContext(folder))) return true
  const pid = Number(/^claude-(\d+)$/.exec(basename(folder.path))?.[1])
  return isProcessAlive(pid, birthOf(pid, changedMs * 1000))
}

/** The folder itself also changes with whoever merely looks whether it may be taken over. */
function measure(folder: RunFolder): SizedRun {
  const spooled = list(folder.spool).map((name) => join(folder.spool, name))
  const files = [folder.journal, folder.acked, folder.context, ...spooled].map((path) => stat(path))
  const found = files.filter((file) => file !== undefined)
  return {
    folder,
    bytes: found.reduce((sum, { size }) => sum + size, 0),
    changedMs: Math.max(stat(folder.spool)?.mtimeMs ?? 0, ...found.map(({ mtimeMs }) => mtimeMs)),
  }
}

function removeOld(path: string, before: number): void {
  const changed = stat(path)?.mtimeMs
  if (changed !== undefined && changed < before) rmSync(path, { force: true })
}

function stat(path: string): { readonly size: number; readonly mtimeMs: number } | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
