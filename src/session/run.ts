/**
 * A run's folder: `run.json` (how it began), `spool/`, `journal.jsonl`, `acked.json`, and `owner`: the one process that may
 * read the spool and write the journal. And the span-context files, by which a later run links to an earlier one.
 */
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { isRecord } from '../telemetry/summary.ts'
import type { RunEntry } from './entries.ts'
import { claimFolder, isFolderOwned, ownNewFolder, releaseFolder } from './owner.ts'

export interface RunFolder {
  readonly path: string
  readonly spool: string
  readonly journal: string
  readonly acked: string
  readonly context: string
}

/** What a process that takes the run over needs: where its signals were meant to go. May hold credentials; 0600. */
export interface RunContext {
  readonly entry: RunEntry
  readonly env: Readonly<Record<string, string>>
  readonly flags: Readonly<Record<string, string | true>>
}

/** `sessions/<session id>.json`. */
export interface SessionContext {
  readonly v: 1
  readonly sessionId: string
  readonly conversationId: string
  readonly ref: SpanRef
  readonly startUnixMicro: number
}

export function runFolderAt(path: string): RunFolder {
  return {
    path,
    spool: join(path, 'spool'),
    journal: join(path, 'journal.jsonl'),
    acked: join(path, 'acked.json'),
    context: join(path, 'run.json'),
  }
}

/** Makes the folder and its spool, private. */
export function createRunFolder(path: string): RunFolder {
  const folder = runFolderAt(path)
  ensurePrivateFolder(folder.spool)
  return folder
}

/** Makes the folder of a run that has never been, below the state folder, and is its owner. */
export function createOwnRun(path: string, root: string): RunFolder {
  ensurePrivateFolder(root)
  const folder = createRunFolder(path)
  ownNewFolder(path)
  return folder
}

export function hasRecords(folder: RunFolder): boolean {
  return listFolder(folder.spool).some((name) =>
    statSync(join(folder.spool, name), { throwIfNoEntry: false })?.isFile(),
  )
}

/**
 * Removes what is ours; anything else in the folder stays, and the folder with it. False: records came in meanwhile, and nothing
 * was removed but what the spool no longer needs. The journal goes first, so that whoever dies here leaves nothing to say again.
 */
export function removeRunFolder(folder: RunFolder): boolean {
  globalThis.faultPoint?.('run.remove')
  if (!tryRemove(folder.spool) && hasRecords(folder)) return false
  rmSync(folder.journal, { force: true })
  globalThis.faultPoint?.('run.removing')
  const ours = listFolder(folder.path).filter((name) => ourFiles.test(name))
  tryRemove(join(folder.path, 'replacing'))
  for (const name of ours.sort(ownerLast)) rmSync(join(folder.path, name), { force: true })
  tryRemove(folder.path)
  return true
}

/** Removes the run with what nobody has taken of it yet. */
export function discardRun(folder: RunFolder): void {
  discardRecords(folder)
  removeRunFolder(folder)
}

/** Removes what nobody has taken yet. */
export function discardRecords(folder: RunFolder): void {
  for (const name of listFolder(folder.spool)) removeFile(join(folder.spool, name))
}

/** With the drafts of those that are written whole. */
const ourFiles = /^(?:acked\.json|run\.json|settings\.json|owner)(?:\.\d+)?$/

function ownerLast(a: string, b: string): number {
  return Number(a === 'owner') - Number(b === 'owner')
}

/** An empty folder. */
function tryRemove(path: string): boolean {
  try {
    rmdirSync(path)
    return true
  } catch {
    return false
  }
}

/** Folders of runs, oldest first by their last change; anything else that lies there is not ours. */
export function listRuns(runs: string): RunFolder[] {
  const paths = listFolder(runs)
    .map((name) => join(runs, name))
    .filter(isRun)
  const dated = paths.map((path) => ({ path, changed: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
  return dated.sort((a, b) => a.changed - b.changed).map(({ path }) => runFolderAt(path))
}

function isRun(path: string): boolean {
  const { spool, journal, context, acked } = runFolderAt(path)
  return [spool, journal, context, acked, join(path, 'owner')].some((each) => existsSync(each))
}

/** Becomes the run's owner, unless a living process is. */
export function claimRun(folder: RunFolder): boolean {
  return claimFolder(folder.path)
}

/** Not a folder. */
function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It is gone, became the owner's file, or is a folder, which is not ours.
  }
}

export function isOwned(folder: RunFolder): boolean {
  return isFolderOwned(folder.path)
}

export function releaseRun(folder: RunFolder): void {
  releaseFolder(folder.path)
}

export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** Whole or not at all. */
export function writeJsonFile(path: string, value: unknown): void {
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(value)}\n`, { mode: 0o600 })
  renameSync(draft, path)
}

export function readRunContext(folder: RunFolder): RunContext | undefined {
  const value = readJsonFile(folder.context)
  return isRecord(value) && isRecord(value.entry) && value.entry.v === 1 ? (value as unknown as RunContext) : undefined
}

export function readSessionContext(sessions: string, sessionId: string): SessionContext | undefined {
  const value = readJsonFile(sessionContextPath(sessions, sessionId))
  return isRecord(value) && value.v === 1 ? (value as unknown as SessionContext) : undefined
}

export function writeSessionContext(sessions: string, context: SessionContext): void {
  ensurePrivateFolder(sessions)
  writeJsonFile(sessionContextPath(sessions, context.sessionId), context)
}

/** Removes the span-context files of sessions that nobody has touched for so long. */
export function pruneSessionContexts(sessions: string, olderThanMs: number): void {
  for (const name of listFolder(sessions).filter((each) => /\.json(?:\.\d+)?$/.test(each))) {
    const path = join(sessions, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - changed > olderThanMs) rmSync(path, { force: true })
  }
}

/** The id comes from outside: it may not lead out of the folder. */
function sessionContextPath(sessions: string, sessionId: string): string {
  return join(sessions, `${sessionId.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 128)}.json`)
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
