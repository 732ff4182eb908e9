/** Where Claude Code has its settings: names alone, no file is touched here. */
import { join } from 'node:path'

type Environment = Readonly<Record<string, string | undefined>>

export const editableScopes = ['user', 'project', 'local'] as const
export type EditableScope = (typeof editableScopes)[number]

/** Whose places are asked for. */
export interface ClaudePlaces {
  readonly env: Environment
  /** The project's folder, in which claude is started. */
  readonly cwd: string
  /** Where an administrator puts settings; the platform's place when absent. */
  readonly managed?: string
}

/** Claude Code's folder of the user; undefined where no home is known. */
export function claudeFolder({ CLAUDE_CONFIG_DIR, HOME, USERPROFILE }: Environment): string | undefined {
  if (CLAUDE_CONFIG_DIR) return CLAUDE_CONFIG_DIR
  const home = HOME || USERPROFILE
  return home ? join(home, '.claude') : undefined
}

/** The settings file of a scope; undefined where no home is known. */
export function settingsPath(scope: EditableScope, { env, cwd }: ClaudePlaces): string | undefined {
  if (scope === 'project') return join(cwd, '.claude', 'settings.json')
  if (scope === 'local') return join(cwd, '.claude', 'settings.local.json')
  const folder = claudeFolder(env)
  return folder === undefined ? undefined : join(folder, 'settings.json')
}

/** Where an administrator puts settings on this platform. */
export function managedFolder(): string {
  if (process.platform === 'darwin') return '/Library/Application Support/ClaudeCode'
  return process.platform === 'win32' ? 'C:\\Program Files\\ClaudeCode' : '/etc/claude-code'
}

/** The name of the folder, in `projects`, for the transcripts of sessions in that working directory; of a long one, its beginning. */
export function projectFolderName(cwd: string): string {
  return cwd.replaceAll(/[^A-Za-z0-9]/g, '-').slice(0, maxNameChars)
}

/** Of a longer one Claude Code keeps so much, and a hash. */
const maxNameChars = 200
