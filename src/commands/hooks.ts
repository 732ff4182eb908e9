/** `claude-otel hooks add|remove|list`: our hooks in Claude Code's settings files, for sessions that nobody wraps. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, delimiter, isAbsolute, join } from 'node:path'
import { renderDiff } from '../base/diff.ts'
import { Failure } from '../base/errors.ts'
import { configFilePath, resolveStatePaths, type StatePaths, workingFolder } from '../base/paths.ts'
import { findClaude } from '../claude/binary.ts'
import { hookEvents } from '../claude/events.ts'
import { firstWithArguments, hookHandler, registeredEvents } from '../claude/hook-command.ts'
import { type HookChange, planHooks, planRemoval } from '../claude/hook-installation.ts'
import { type HookSource, readHookSources } from '../claude/settings-files.ts'
import { type ClaudePlaces, type EditableScope, editableScopes, settingsPath } from '../claude/settings-places.ts'
import { isOlder, readClaudeVersion } from '../claude/version.ts'
import type { Environment } from '../config/config.ts'
import { readEnvironment } from '../config/environment.ts'
import { planSettings, type SavedSettings } from '../config/saved.ts'
import { type Setting, settings } from '../config/settings.ts'
import { nearest } from '../config/suggest.ts'
import { givenOutside } from '../config/values.ts'
import type { Flags } from '../run/settings.ts'
import { createRedactor, defaultRedaction } from '../telemetry/redact.ts'
import { defineOurCommand } from './command.ts'
import { align, formatCount } from './table.ts'

const args = {
  action: { type: 'positional', description: 'add, remove or list.', required: true },
  user: { type: 'boolean', description: 'In your own settings, for all projects; the default.' },
  project: { type: 'boolean', description: 'In .claude/settings.json of this folder, which others share.' },
  local: { type: 'boolean', description: 'In .claude/settings.local.json of this folder.' },
  events: { type: 'string', description: 'add: only these events, with commas between.' },
  'save-config': { type: 'boolean', description: 'add: write what flags and variables say now into your config file.' },
  'dry-run': { type: 'boolean', description: 'Show what would change, and change nothing.' },
  json: { type: 'boolean', description: 'list: print everything as JSON.' },
} as const

const actions = ['add', 'remove', 'list'] as const
const versionMs = 3000

export default defineOurCommand({
  meta: { name: 'hooks', description: 'Record every claude by hooks in its settings, without the wrapper.' },
  words: actions,
  args,
  async run({ args: given, data }) {
    const env = readEnvironment()
    const places: ClaudePlaces = { env, cwd: workingFolder() }
    const isDry = given['dry-run'] === true
    if (given.action === 'list') return list(places, given.json === true)
    if (given.action !== 'add' && given.action !== 'remove') {
      throw new Failure('usage', `hooks ${given.action}: there is no such action`, 'use add, remove or list')
    }
    const scope = scopeOf(given)
    const { path, installations } = pathsOf(scope, places)
    if (given.action === 'remove') return remove(planRemoval(path, installations), isDry)
    requireAllowed(readHookSources(places))
    const handlers = await handlersFor(env, eventsOf(given.events))
    const change = planHooks(path, handlers, installations)
    add(change, settingsToSave(env, data, given['save-config'] === true, isDry), isDry)
    for (const note of notes(change, places)) process.stdout.write(`note: ${note}\n`)
  },
})

function scopeOf(given: Partial<Record<EditableScope, boolean | undefined>>): EditableScope {
  const [scope = 'user', ...more] = editableScopes.filter((each) => given[each] === true)
  if (more.length > 0) throw new Failure('usage', `--${scope} and --${more[0]} exclude each other`, 'give one of them')
  return scope
}

function pathsOf(scope: EditableScope, places: ClaudePlaces): Pick<StatePaths, 'installations'> & { path: string } {
  const [path, paths] = [settingsPath(scope, places), resolveStatePaths(places.env)]
  if (path === undefined || paths === undefined)
    throw new Failure('io', 'no home folder is known (HOME is not set)', 'set HOME')
  return { path, installations: paths.installations }
}

function eventsOf(written: string | undefined): readonly string[] {
  if (written === undefined) return registeredEvents
  const events = written.split(',').map((each) => each.trim())
  for (const event of events) {
    if (Object.hasOwn(hookEvents, event)) continue
    const meant = nearest(event, Object.keys(hookEvents))
    const hint = meant === undefined ? `known are: ${Object.keys(hookEvents).join(', ')}` : `did you mean ${meant}?`
    throw new Failure('usage', `there is no event "${event}" that we record`, hint)
  }
  return events
}

/** Who manages the machine has the last word; a hook that never runs had better not be written. */
export function requireAllowed(sources: readonly HookSource[]): void {
  for (const { scope, path, disableAllHooks, allowManagedHooksOnly } of sources) {
    if (scope !== 'managed' || !(disableAllHooks || allowManagedHooksOnly)) continue
    const said = disableAllHooks ? 'disableAllHooks: no hook runs' : 'allowManagedHooksOnly: only the hooks in it run'
    throw new Failure('config', `${path} says ${said}`, 'ask whoever manages this machine to allow or to add them')
  }
}

async function handlersFor(env: Environment, events: readonly string[]) {
  const executable = stableExecutable(env)
  const version = await claudeVersion(env)
  const usesShell = version !== undefined && isOlder(version, firstWithArguments)
  return Object.fromEntries(events.map((event) => [event, hookHandler(executable, event, usesShell)]))
}

async function claudeVersion(env: Environment): Promise<string | undefined> {
  try {
    return await readClaudeVersion(findClaude(env, process.execPath), env, versionMs)
  } catch {
    // There is none yet: it will be a new one.
    return undefined
  }
}

/** A package manager's link stays when what it leads to is replaced. */
function stableExecutable(env: Environment): string {
  const self = process.execPath
  if (!Bun.main.includes('$bunfs') && !Bun.main.includes('~BUN'))
    throw new Failure('usage', 'hooks need the compiled program', 'npm run build, then dist/claude-otel hooks add')
  const onPath = (env.PATH ?? '').split(delimiter).filter(isAbsolute)
  const candidates = onPath.map((folder) => join(folder, basename(self)))
  return candidates.find((candidate) => existsSync(candidate) && realpathSync(candidate) === self) ?? self
}

/** What sessions will not know unless it is written down, and whether it shall be. */
interface ToSave {
  readonly names: readonly string[]
  readonly plan: SavedSettings | undefined
  readonly path: string
}

function settingsToSave(env: Environment, flags: Flags, isWanted: boolean, isDry: boolean): ToSave {
  const given = givenOutside({ env, flags })
  const path = configFilePath(env) ?? ''
  const names = [...new Set([...given.values()].map(({ source }) => source))]
  return { names, path, plan: isWanted ? planSettings(path, isDry ? withoutSecrets(given) : given) : undefined }
}

/** What is only shown needs no credentials. */
function withoutSecrets(given: ReturnType<typeof givenOutside>): ReturnType<typeof givenOutside> {
  const masked = [...given].map(([key, { value, source }]) => {
    const { secret }: Setting = settings[key]
    return [key, { value: secret === true ? '****' : value, source }] as const
  })
  return new Map(masked)
}

function add(change: HookChange, { names, plan, path }: ToSave, isDry: boolean): void {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  if (isDry) {
    const diffs = [change, plan].map((each) => each && renderDiff(each.path, each.before, each.after))
    const { redact } = createRedactor(defaultRedaction)
    process.stdout.write(redact(diffs.filter((each) => each !== undefined).join('')) || 'nothing would change\n')
    return
  }
  change.carryOut()
  plan?.carryOut()
  const { path: file, backup, before, after } = change
  if (before === after) print(`the hooks are in ${file} already`)
  else print(`the hooks are in ${file} now${before === undefined ? '' : `; what was there is kept in ${backup}`}`)
  if (plan !== undefined) print(`${formatCount(names.length, 'setting')} written into ${path}: ${names.join(', ')}`)
  else if (names.length > 0) {
    print(
      'Hooks never see OTEL_* variables, and CLAUDE_OTEL_* only where claude has them. Said here, and not in your file:',
    )
    print(`  ${names.join(', ')}`)
    print(`  claude-otel hooks add --save-config writes them into ${path}`)
  }
}

function remove(change: HookChange, isDry: boolean): void {
  const { path, before, after } = change
  if (isDry) process.stdout.write(renderDiff(path, before, after) || 'nothing would change\n')
  else {
    change.carryOut()
    process.stdout.write(
      before === after ? `no hook of ours is in ${path}\n` : `no hook of ours is in ${path} any more\n`,
    )
  }
}

/** What may keep the hooks from being run. */
function notes({ path }: HookChange, places: ClaudePlaces): string[] {
  return readHookSources(places).flatMap((source) => [
    ...(source.path === path && source.problem !== undefined ? [`${path}: ${source.problem}`] : []),
    ...(source.disableAllHooks ? [`${source.path} says disableAllHooks: no hook runs until it is taken out`] : []),
  ])
}

function list(places: ClaudePlaces, asJson: boolean): void {
  const sources = readHookSources(places)
  process.stdout.write(
    asJson ? `${JSON.stringify(sources, undefined, 2)}\n` : `${renderHookSources(sources).join('\n')}\n`,
  )
}

/** One indented line per file that is there. */
export function renderHookSources(sources: readonly HookSource[]): string[] {
  if (sources.length === 0) return ['  Claude Code has no settings file here']
  return align(sources.map((source) => [source.scope, describe(source), source.path]))
}

function describe({ hooks, problem, disableAllHooks, allowManagedHooksOnly }: HookSource): string {
  const events = Object.keys(hooks)
  const programs = [...new Set(Object.values(hooks).flat())]
  const parts = [
    events.length === 0 ? 'no hook of ours' : `${formatCount(events.length, 'event')} to ${programs.join(', ')}`,
    ...programs.filter((program) => !existsSync(program)).map((program) => `${program} is not there`),
    ...(disableAllHooks ? ['disableAllHooks'] : []),
    ...(allowManagedHooksOnly ? ['allowManagedHooksOnly'] : []),
    ...(problem === undefined ? [] : [problem]),
  ]
  return parts.join('; ')
}
