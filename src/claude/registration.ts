/**
 * How a wrapped claude learns of our hooks, without any file of the user's being touched: by our plugin folder, or, where a
 * plugin would show in claude's output, merged into the settings that the user gave on the command line.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord } from '../telemetry/summary.ts'
import { optionValue, replaceOptionValue } from './arguments.ts'
import { ensurePlugin, hookRegistrations } from './plugin.ts'

export interface Registration {
  readonly args: readonly string[]
  /** Settings to be written to `path` before claude starts. */
  readonly file?: { readonly path: string; readonly settings: unknown }
}

/**
 * With `--output-format stream-json` claude tells of plugins, and of every SessionStart hook, on stdout: there our hooks go into
 * `--settings`, without SessionStart. A second `--settings` would make claude drop the user's, so theirs is taken in; one that
 * we cannot read stays as it is, for claude to say so.
 */
export function registerHooks(
  args: readonly string[],
  plugin: string,
  executable: string,
  folder: string,
): Registration {
  if (optionValue(args, '--output-format') !== 'stream-json') {
    ensurePlugin(plugin, executable)
    return { args: ['--plugin-dir', plugin, ...args] }
  }
  const { SessionStart: _, ...ours } = hookRegistrations(executable)
  const given = optionValue(args, '--settings')
  const theirs = given === undefined ? {} : readSettings(given)
  if (theirs === undefined) return { args }
  const path = join(folder, 'settings.json')
  const file = { path, settings: { ...theirs, hooks: mergeHooks(theirs.hooks, ours) } }
  return {
    args: given === undefined ? ['--settings', path, ...args] : replaceOptionValue(args, '--settings', path),
    file,
  }
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
