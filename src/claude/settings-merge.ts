/** Our hooks merged into the settings that the user gave on claude's command line. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { isRecord } from '../telemetry/summary.ts'
import { optionValue, replaceOptionValue } from './arguments.ts'
import { hookRegistrations } from './plugin.ts'

/**
 * With `--output-format stream-json` claude tells of plugins, and of every SessionStart hook, on stdout: there our hooks go into
 * `--settings`, without SessionStart. A second `--settings` would make claude drop the user's, so theirs is taken in; one that
 * we cannot read stays as it is, for claude to say so.
 */
export function registerBySettings(args: readonly string[], executable: string, folder: string): readonly string[] {
  const { SessionStart: _, ...ours } = hookRegistrations(executable)
  const given = optionValue(args, '--settings')
  const theirs = given === undefined ? {} : readSettings(given)
  if (theirs === undefined) return args
  const path = join(ensurePrivateFolder(folder), 'settings.json')
  const settings = { ...theirs, hooks: mergeHooks(theirs.hooks, ours) }
  writeFileSync(path, `${JSON.stringify(settings)}\n`, { mode: 0o600 })
  return given === undefined ? ['--settings', path, ...args] : replaceOptionValue(args, '--settings', path)
}

function mergeHooks(theirs: unknown, ours: Readonly<Record<string, readonly unknown[]>>): Record<string, unknown> {
  const merged: Record<string, unknown> = isRecord(theirs) ? { ...theirs } : {}
  for (const [event, hooks] of Object.entries(ours)) {
    const known = merged[event]
    merged[event] = Array.isArray(known) ? [...known, ...hooks] : hooks
  }
  return merged
}

/** `--settings` takes a file or JSON. */
function readSettings(given: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(given.trimStart().startsWith('{') ? given : readFileSync(given, 'utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
