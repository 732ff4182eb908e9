/**
 * Our hooks as a plugin folder for `--plugin-dir`: merged with the user's own hooks, settings and plugins, and no file of
 * theirs is touched. The folder's path stays the same, because claude prints it in its resume hint.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { version } from '../base/version.ts'
import { hookHandler, registeredEvents } from './hook-command.ts'
import { pluginMark } from './registration.ts'

/** Writes what differs from what is there; two sessions that start at once may both do so. */
export function ensurePlugin(folder: string, executable: string): void {
  const manifest = { name: 'claude-otel', version, description: 'Records OpenTelemetry traces, logs and metrics.' }
  writeIfChanged(join(folder, '.claude-plugin'), 'plugin.json', manifest)
  writeIfChanged(join(folder, 'hooks'), 'hooks.json', { hooks: hookRegistrations(executable) })
  writeFileSync(pluginMark(folder, executable), '{}\n', { mode: 0o600 })
}

/** The `hooks` object of Claude Code's settings, with our executable called directly, without a shell. */
export function hookRegistrations(executable: string): Record<string, readonly unknown[]> {
  return Object.fromEntries(registeredEvents.map((event) => [event, [{ hooks: [hookHandler(executable, event)] }]]))
}

function writeIfChanged(folder: string, name: string, value: unknown): void {
  const path = join(folder, name)
  const text = `${JSON.stringify(value, null, 2)}\n`
  if (readText(path) === text) return
  ensurePrivateFolder(folder)
  const draft = `${path}.${process.pid}`
  writeFileSync(draft, text, { mode: 0o600 })
  renameSync(draft, path)
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
