/**
 * The stack's folder on disk. A file that a person has changed is theirs: it stays, and what would have been written is shown.
 * How files were when we wrote them stands in `.written.json`.
 */
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { renderDiff } from '../base/diff.ts'
import { describeError, Failure } from '../base/errors.ts'
import { makePrivateFolder } from '../base/private-folder.ts'
import { renderStack, type StackFile, settingsFile } from './files.ts'
import { readStackSettings, type StackSettings } from './settings.ts'

export interface FileChange {
  readonly path: string
  readonly outcome: 'created' | 'updated' | 'unchanged' | 'kept' | 'replaced'
  /** What a person's file has and ours would not, and the other way round; of `kept` and `replaced` ones. */
  readonly difference: string
  /** Where a person's file went that was replaced. */
  readonly backup?: string
}

export interface InitOptions {
  readonly withLoki?: boolean | undefined
  readonly withGrafana?: boolean | undefined
  /** Replaces what a person has changed, and keeps a copy. */
  readonly force: boolean
  /** Says what it would do, and does nothing. */
  readonly dryRun: boolean
  readonly nowMs: number
}

const writtenFile = '.written.json'

/**
 * Writes the stack's files. What `.env` says already stays said: secrets, ports, parts that were wanted before. Throws a Failure
 * for a folder that cannot be written and for settings that cannot be meant.
 */
export function initStack(folder: string, options: InitOptions): readonly FileChange[] {
  const settings = settingsFor(folder, options)
  const files = renderStack(settings)
  try {
    const written = readWritten(folder)
    const plans = files.map((file) => plan(folder, file, written.get(file.path), options))
    if (options.dryRun) return plans
    makePrivateFolder(folder)
    files.forEach((file, at) => {
      const change = plans[at]
      if (change === undefined || change.outcome === 'kept') return
      if (change.backup !== undefined) renameSync(join(folder, file.path), join(folder, change.backup))
      if (change.outcome !== 'unchanged') write(folder, file)
      written.set(file.path, hashOf(file.text))
    })
    write(folder, { path: writtenFile, text: `${JSON.stringify(Object.fromEntries(written), undefined, 2)}\n` })
    return plans
  } catch (error) {
    throw new Failure('io', `${folder} cannot be written: ${describeError(error)}`, 'name another folder with --dir')
  }
}

/** The settings of a stack that is there. Throws a Failure where none is. */
export function openStack(folder: string): StackSettings {
  const path = join(folder, settingsFile)
  if (!existsSync(path)) throw new Failure('data', `there is no stack in ${folder}`, 'make one: claude-otel stack init')
  return readStackSettings(readFileSync(path, 'utf8'))
}

function settingsFor(folder: string, { withLoki, withGrafana }: InitOptions): StackSettings {
  const path = join(folder, settingsFile)
  const told = readStackSettings(existsSync(path) ? readFileSync(path, 'utf8') : '')
  return { ...told, withLoki: withLoki ?? told.withLoki, withGrafana: withGrafana ?? told.withGrafana }
}

function plan(folder: string, file: StackFile, written: string | undefined, options: InitOptions): FileChange {
  const { path, text } = file
  const target = join(folder, path)
  if (!existsSync(target)) return { path, outcome: 'created', difference: '' }
  const found = readFileSync(target, 'utf8')
  if (found === text) return { path, outcome: 'unchanged', difference: '' }
  // What a person says in .env is in what we write there.
  if (path === settingsFile || hashOf(found) === written) return { path, outcome: 'updated', difference: '' }
  const difference = file.isSecret ? '(it has secrets, which are not shown)\n' : renderDiff(path, found, text)
  if (!options.force) return { path, outcome: 'kept', difference }
  return { path, outcome: 'replaced', difference, backup: `${path}.backup-${stampOf(options.nowMs)}` }
}

/** Whole or not at all. */
function write(folder: string, { path, text, isSecret = false }: StackFile): void {
  const target = join(folder, path)
  const mode = isSecret ? 0o600 : 0o644
  // The containers' users read what is mounted; the folder above all of it is private.
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 })
  const draft = `${target}.${process.pid}.tmp`
  writeFileSync(draft, text, { mode })
  chmodSync(draft, mode)
  renameSync(draft, target)
}

function readWritten(folder: string): Map<string, string> {
  const path = join(folder, writtenFile)
  if (!existsSync(path)) return new Map()
  const hashes: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const entries = Object.entries(typeof hashes === 'object' && hashes !== null ? hashes : {})
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** `20261121-183500`, in UTC. */
function stampOf(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
}
