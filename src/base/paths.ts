/** Where our files are. Everything below the state folder is private: folders 0700, files 0600. */
import { join, resolve } from 'node:path'
import { stateFolder } from '../hook/run-folder.ts'

type Environment = Readonly<Record<string, string | undefined>>

export interface StatePaths {
  readonly root: string
  /** One folder per run that is not delivered yet. */
  readonly runs: string
  /** One small file per session id: the span that a later process of ours links to. */
  readonly sessions: string
  /** Our hooks as a plugin; its path shows in claude's resume hint, so it never changes. */
  readonly plugin: string
  /** What was found in settings files before our hooks were put into them. */
  readonly installations: string
  readonly log: string
  /** What was given up to stay within the budget: see session/budget.ts. */
  readonly dropped: string
  /** Where the file exporter writes when nobody says otherwise. */
  readonly signals: string
  /** One line per closing of a run: what was delivered, how hooks did. */
  readonly reports: string
  /** The folder that the one hub of this user owns. */
  readonly hub: string
  /** Where that hub listens. */
  readonly hubPresence: string
  /** What a hub in the background has to say. */
  readonly hubLog: string
  /** What the hub keeps. */
  readonly hubStore: string
  /** The products of which the user was told that they are destinations. */
  readonly presetsTold: string
}

/** Several ask for the same on the way to claude's start. */
let known: StatePaths | undefined

/** Undefined where no home is known; then nothing can be kept and telemetry is off. All of them are absolute. */
export function resolveStatePaths(env: Environment): StatePaths | undefined {
  const folder = stateFolder(env)
  if (folder === undefined) return undefined
  // Hooks and the hub run in other folders than we do.
  const root = resolve(workingFolder(), folder)
  if (root === known?.root) return known
  known = {
    root,
    runs: join(root, 'runs'),
    sessions: join(root, 'sessions'),
    plugin: join(root, 'plugin'),
    installations: join(root, 'installations'),
    log: join(root, 'log'),
    dropped: join(root, 'dropped.jsonl'),
    signals: join(root, 'signals.jsonl'),
    reports: join(root, 'reports.jsonl'),
    hub: join(root, 'hub'),
    hubPresence: join(root, 'hub', 'hub.json'),
    hubLog: join(root, 'hub', 'log'),
    hubStore: join(root, 'hub.db'),
    presetsTold: join(root, 'presets-told'),
  }
  return known
}

/** The user's own settings file: never one from the working directory. */
export function configFilePath(env: Environment): string | undefined {
  if (env.CLAUDE_OTEL_HOME) return join(env.CLAUDE_OTEL_HOME, 'config.json')
  if (env.XDG_CONFIG_HOME?.startsWith('/')) return join(env.XDG_CONFIG_HOME, 'claude-otel', 'config.json')
  if (env.APPDATA) return join(env.APPDATA, 'claude-otel', 'config.json')
  return env.HOME ? join(env.HOME, '.config', 'claude-otel', 'config.json') : undefined
}

/** The working directory; the root where somebody has taken it away. */
export function workingFolder(): string {
  try {
    return process.cwd()
  } catch {
    return '/'
  }
}
