/** What every command begins with: the configuration from flags, environment and the user's file. */
import { configFilePath, resolveStatePaths } from '../base/paths.ts'
import {
  type Config,
  capturedContent,
  type Destination,
  type Environment,
  type HubPorts,
  type Resolution,
  resolveConfig,
} from '../config/config.ts'
import { presetsInUse } from '../config/preset-choice.ts'
import { variablesOfPreset } from '../config/presets.ts'
import { signalTypes } from '../config/settings.ts'
import type { Masking } from '../config/values.ts'
import { runVariable } from '../hook/run-folder.ts'
import { readPresence, seemsAlive } from '../hub/presence.ts'
import type { RunContext } from '../session/run.ts'
import { type ContentRule, narrowerRule } from '../telemetry/content.ts'

export type Flags = Readonly<Record<string, string | true>>

export async function resolveSettings(env: Environment, flags: Flags): Promise<Resolution> {
  const path = configFilePath(env)
  const file =
    path !== undefined && isThere(path) ? (await import('../config/file.ts')).readConfigFile(path) : undefined
  const sources = { env, flags, file, fileExists: isThere }
  const resolution = resolveConfig(sources)
  // What few need is looked for only then, and everything read again with it.
  const {
    needsMasking,
    config: { usesHub },
  } = resolution
  const hub = usesHub === undefined ? undefined : await runningHub(env)
  const isMoved = hub?.grpcPort !== usesHub?.grpcPort || hub?.httpPort !== usesHub?.httpPort
  if (!needsMasking && (hub === undefined || !isMoved)) return resolution
  return resolveConfig({ ...sources, runningHub: hub, masking: needsMasking ? await loadMasking() : undefined })
}

/** Why telemetry is off, where a setting cannot be followed. */
export function troubleOf({ problems: [problem] }: Resolution): string | undefined {
  if (problem === undefined) return undefined
  const hint = problem.hint === undefined ? '' : `; ${problem.hint.replaceAll('\n', ', ')}`
  return `telemetry was off: ${problem.message}${hint} (claude-otel --config shows all settings)`
}

async function loadMasking(): Promise<Masking> {
  const { compilePattern } = await import('../telemetry/user-patterns.ts')
  const { detectorNames: kinds } = await import('../telemetry/detectors.ts')
  return { compilePattern, kinds }
}

/**
 * The configuration for a run that another process began: what the user says now about destinations, or else what that
 * process was told. Its rules of privacy hold in either case; those of now can only be stricter.
 */
export async function configForRun(now: Resolution, context: RunContext | undefined): Promise<Config> {
  const isTold = now.settings.some(({ key, origin }) => isDestination(key) && origin !== 'default')
  if (context === undefined) return now.config
  const { config } = await resolveSettings({ ...context.env }, context.flags)
  return isTold ? await withinRules(now.config, config) : config
}

/**
 * Destinations of now, and of privacy what either of the two asks for. Presets are those of then: they were found by variables,
 * and those of now may be another project's.
 */
async function withinRules(now: Config, then: Config): Promise<Config> {
  const { stricterRules } = await import('../telemetry/redact.ts')
  const kept = capturedContent(then)
  const narrow = (rule: ContentRule): ContentRule => narrowerRule(rule, kept)
  const signals = signalTypes.map((type) => {
    const { destinations, batch } = now.signals[type]
    const named = destinations.filter((each) => !isPreset(each))
    const narrowed = named.map((each) => ({ ...each, content: narrow(each.content ?? now.content) }))
    return [type, { destinations: [...narrowed, ...then.signals[type].destinations.filter(isPreset)], batch }]
  })
  return {
    ...now,
    content: narrow(now.content),
    redaction: stricterRules(now.redaction, then.redaction),
    signals: Object.fromEntries(signals) as Config['signals'],
  }
}

/**
 * What a claude-otel is told that runs inside a claude which another one started. Claude Code hides `OTEL_*` from its commands,
 * so those of the outer one, and its flags, stand in for what is not said anew. The environment is for settings only.
 */
export async function inheritSettings(env: Environment, flags: Flags): Promise<{ env: Environment; flags: Flags }> {
  const outer = env[runVariable]
  if (outer === undefined || outer === '') return { env, flags }
  // The outer run may be over by now.
  const context: Partial<RunContext> = await Bun.file(`${outer}/run.json`)
    .json()
    .catch(() => ({}))
  const hidden = Object.entries(context.env ?? {}).filter(([name]) => name.startsWith('OTEL_'))
  return { env: { ...Object.fromEntries(hidden), ...env }, flags: { ...context.flags, ...flags } }
}

async function runningHub(env: Environment): Promise<HubPorts | undefined> {
  const paths = resolveStatePaths(env)
  const hub = paths === undefined ? undefined : await readPresence(paths.hubPresence)
  return hub !== undefined && seemsAlive(hub) ? hub : undefined
}

/** Without `node:fs`. */
function isThere(path: string): boolean {
  return Bun.file(path).size > 0
}

function isDestination(key: string): boolean {
  return key === 'destinations' || key === 'file' || key.startsWith('export.') || key.endsWith('.exporter')
}

function isPreset(destination: Destination): boolean {
  return destination.kind === 'otlp' && destination.preset !== undefined
}

/**
 * What of an environment says where signals go: handed to whoever takes a run over. Of the variables of products, those of the
 * ones that are destinations.
 */
export function settingsEnvironment(env: Environment, { signals }: Pick<Config, 'signals'>): Record<string, string> {
  const ours = /^(?:CLAUDE_OTEL_|OTEL_|OTLP_RECEIVER_PORT$|HOME$|XDG_CONFIG_HOME$|XDG_STATE_HOME$)/
  const products = new Set(presetsInUse(signals).flatMap(variablesOfPreset))
  const isKept = (name: string): boolean => ours.test(name) || products.has(name)
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (isKept(name) && value !== undefined ? [[name, value]] : [])),
  )
}
