/** What stands in Claude Code's settings files about hooks. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import { isPlainJson, parseJsonc } from '../base/jsonc.ts'
import { isRecord } from '../telemetry/summary.ts'
import { ourExecutable } from './hook-command.ts'
import {
  type ClaudePlaces,
  claudeFolder,
  type EditableScope,
  editableScopes,
  managedFolder,
  settingsPath,
} from './settings-places.ts'

export type Scope = EditableScope | 'managed' | 'plugin'

/** What one file says. */
export interface HookSource {
  readonly scope: Scope
  readonly path: string
  /** Why nothing of it is in effect. */
  readonly problem?: string
  /** Our hooks by event; a hook that is there twice has two. */
  readonly hooks: Readonly<Record<string, readonly string[]>>
  readonly disableAllHooks: boolean
  /** Only in managed settings: hooks of nobody else run. */
  readonly allowManagedHooksOnly: boolean
}

/** Every file that is there and says something about hooks or cannot be read, the strongest first. */
export function readHookSources(places: ClaudePlaces): HookSource[] {
  const named = [
    ...managedPaths(places).map((path) => ['managed', path] as const),
    ...editableScopes.map((scope) => [scope, settingsPath(scope, places)] as const),
    ...pluginPaths(places).map((path) => ['plugin', path] as const),
  ]
  return named.flatMap(([scope, path]) => (path === undefined ? [] : readHookSource(scope, path)))
}

/** None where there is no such file. */
function readHookSource(scope: Scope, path: string): HookSource[] {
  const nothing = { scope, path, hooks: {}, disableAllHooks: false, allowManagedHooksOnly: false }
  try {
    const text = readFileSync(path, 'utf8')
    const parsed = parseJsonc(text)
    if ('problem' in parsed) return [{ ...nothing, problem: parsed.problem }]
    const settings = isRecord(parsed.value) ? parsed.value : {}
    const problem = isPlainJson(text) ? {} : { problem: commentsProblem }
    return [
      {
        ...nothing,
        ...problem,
        hooks: ourHooks(settings.hooks),
        disableAllHooks: settings.disableAllHooks === true,
        allowManagedHooksOnly: scope === 'managed' && settings.allowManagedHooksOnly === true,
      },
    ]
  } catch (error) {
    return isMissing(error) ? [] : [{ ...nothing, problem: describeError(error) }]
  }
}

/** Claude Code 2.1.329 loads nothing of such a file. */
export const commentsProblem = 'it has comments or trailing commas, and Claude Code loads no settings file that has'

/** Executables of our handlers, by event, of a `hooks` object. */
export function ourHooks(hooks: unknown): Record<string, readonly string[]> {
  if (!isRecord(hooks)) return {}
  const found = Object.entries(hooks).map(([event, groups]) => {
    const handlers = list(groups).flatMap((group) => (isRecord(group) ? list(group.hooks) : []))
    return [event, handlers.map(ourExecutable).filter((each) => each !== undefined)] as const
  })
  return Object.fromEntries(found.filter(([, executables]) => executables.length > 0))
}

function managedPaths({ env, managed = managedFolder() }: ClaudePlaces): string[] {
  const pieces = join(managed, 'managed-settings.d')
  const folder = claudeFolder(env)
  return [
    join(managed, 'managed-settings.json'),
    ...names(pieces).map((name) => join(pieces, name)),
    // What the organisation's server has sent.
    ...(folder === undefined ? [] : [join(folder, 'remote-settings.json')]),
  ]
}

/** Hooks of the plugins that are installed; who asks looks only for ours in them. */
function pluginPaths({ env }: ClaudePlaces): string[] {
  const folder = claudeFolder(env)
  if (folder === undefined) return []
  try {
    const installed: unknown = JSON.parse(readFileSync(join(folder, 'plugins', 'installed_plugins.json'), 'utf8'))
    const plugins = isRecord(installed) && isRecord(installed.plugins) ? Object.values(installed.plugins).flat() : []
    const folders = plugins.map((plugin) => (isRecord(plugin) ? plugin.installPath : undefined))
    return folders.filter((path) => typeof path === 'string').map((path) => join(path, 'hooks', 'hooks.json'))
  } catch {
    return []
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .sort()
  } catch {
    return []
  }
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')
}
