/** What every command begins with: the configuration from flags, environment and the user's file. */
import { configFilePath } from '../base/paths.ts'
import { type Config, type Environment, type Resolution, resolveConfig } from '../config/config.ts'
import type { RunContext } from '../session/run.ts'

export type Flags = Readonly<Record<string, string | true>>

export async function resolveSettings(env: Environment, flags: Flags): Promise<Resolution> {
  const path = configFilePath(env)
  const file =
    path !== undefined && isThere(path) ? (await import('../config/file.ts')).readConfigFile(path) : undefined
  return resolveConfig({ env, flags, file, fileExists: isThere })
}

/**
 * The configuration for a run that another process began: what the user says now about destinations, or else what that
 * process was told.
 */
export async function configForRun(now: Resolution, context: RunContext | undefined): Promise<Config> {
  const isTold = now.settings.some(({ key, origin }) => isDestination(key) && origin !== 'default')
  if (isTold || context === undefined) return now.config
  return (await resolveSettings({ ...context.env }, context.flags)).config
}

/** Without `node:fs`. */
function isThere(path: string): boolean {
  return Bun.file(path).size > 0
}

function isDestination(key: string): boolean {
  return key === 'destinations' || key === 'file' || key.startsWith('export.') || key.endsWith('.exporter')
}

/** What of an environment says where signals go: handed to whoever takes a run over. */
export function settingsEnvironment(env: Environment): Record<string, string> {
  const ours = /^(?:CLAUDE_OTEL_|OTEL_|HOME$|XDG_CONFIG_HOME$|XDG_STATE_HOME$)/
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (ours.test(name) && value !== undefined ? [[name, value]] : [])),
  )
}
