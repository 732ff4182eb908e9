/**
 * A run's folder: `run.json` (how it began), `spool/`, `journal.jsonl`, `acked.json`, and `owner`: the one process that may
 * read the spool and write the journal. And the span-context files, by which a later run links to an earlier one.
 */
import {
  linkSync,
  mkdirSync,
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
  writeFileSync(join(path, 'owner'), ownerLine(), { mode: 0o600 })
  return folder
}

export function hasRecords(folder: RunFolder): boolean {
  return listFolder(folder.spool).length > 0
}

function ownerLine(): string {
  return `${process.pid} ${startTimeOf(process.pid)}\n`
}

export function removeRunFolder(folder: RunFolder): void {
  rmSync(folder.path, { recursive: true, force: true })
}

/** Folders of runs, oldest first by their last change. */
export function listRuns(runs: string): RunFolder[] {
  const paths = listFolder(runs).map((name) => join(runs, name))
  const dated = paths.map((path) => ({ path, changed: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
  return dated.sort((a, b) => a.changed - b.changed).map(({ path }) => runFolderAt(path))
}

/**
 * Becomes the run's owner, unless a living process is. Of many that try, `link` lets one succeed; a dead owner is replaced
 * by whoever holds the folder `replacing` for that moment.
 */
export function claimRun(folder: RunFolder): boolean {
  const owner = join(folder.path, 'owner')
  const mine = join(folder.path, `owner.${process.pid}`)
  try {
    writeFileSync(mine, ownerLine(), { mode: 0o600 })
    return tryLink(mine, owner) || (!isOwned(folder) && replaceOwner(folder, mine, owner))
  } catch {
    return false
  } finally {
    remove(mine)
  }
}

function replaceOwner(folder: RunFolder, mine: string, owner: string): boolean {
  const lock = join(folder.path, 'replacing')
  // Whoever holds it needs less than a millisecond; one that has it for longer died in between.
  if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 5000) rmdirSync(lock)
  mkdirSync(lock)
  try {
    if (isOwned(folder)) return false
    renameSync(mine, owner)
    return true
  } finally {
    rmdirSync(lock)
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // It became the owner's file, or its folder is gone.
  }
}

export function isOwned(folder: RunFolder): boolean {
  return isAlive(readText(join(folder.path, 'owner')))
}

export function releaseRun(folder: RunFolder): void {
  rmSync(join(folder.path, 'owner'), { force: true })
}

/** Whether a process of that id lives; one that took a dead owner's number is told apart by its start, where known. */
function isAlive(owner: string | undefined): boolean {
  const [pid = 0, start = 0] = (owner ?? '').split(' ').map(Number)
  return isProcessAlive(pid) && (start === 0 || startTimeOf(pid) === start)
}

export function isProcessAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return isRecord(error) && error.code === 'EPERM'
  }
}

/** Linux: clock ticks since boot (field 22 of /proc/pid/stat). Elsewhere 0, which compares with nothing. */
function startTimeOf(pid: number): number {
  const fields = readText(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')
  return Number(fields?.[19] ?? 0)
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
  for (const name of listFolder(sessions)) {
    const path = join(sessions, name)
    const changed = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
    if (Date.now() - changed > olderThanMs) rmSync(path, { force: true })
  }
}

/** The id comes from outside: it may not lead out of the folder. */
function sessionContextPath(sessions: string, sessionId: string): string {
  return join(sessions, `${sessionId.replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(0, 128)}.json`)
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch {
    return false
  }
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
