/** What each setting is and where it came from: sources in, one value per setting out, with all that is wrong. */

import { Failure } from '../base/errors.ts'
import type { UserPattern } from '../telemetry/redact.ts'
import type { SignalType } from '../telemetry/signal.ts'
import type { HubPorts } from './hub.ts'
import { isObject, showText } from './kinds.ts'
import type { OtlpName, OtlpValue } from './otlp-settings.ts'
import { type Setting, type SettingKey, type SettingValue, settingKeys, settings, variablesOf } from './settings.ts'
import { nearest } from './suggest.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** The user's own file as read; `problems` holds what kept it from being read. */
export interface UserFile {
  readonly path: string
  readonly content: Readonly<Record<string, unknown>>
  readonly problems: readonly Failure[]
}

export interface ConfigSources {
  readonly env: Environment
  /** Flag name without dashes to its text, or true for a switch. */
  readonly flags?: Readonly<Record<string, string | true>>
  readonly file?: UserFile | undefined
  /** Tells whether a certificate file is there; unchecked when absent. */
  readonly fileExists?: (path: string) => boolean
  /** Where the hub of this user listens, if one runs. */
  readonly runningHub?: HubPorts | undefined
  /** What is needed to follow rules of masking, which few users have; without it every such rule is a problem. */
  readonly masking?: Masking | undefined
}

export interface ResolvedSetting {
  readonly key: string
  /** As it is shown: secrets masked, empty when unset. */
  readonly shown: string
  /** `OTEL_SERVICE_NAME`, `--otel-endpoint`, `<path> (export.endpoint)` or `default`. */
  readonly origin: string
  readonly description: string
}

export interface Masking {
  /** Throws an Error that says why not. */
  compilePattern(name: string, pattern: string): UserPattern
  /** The kinds of secrets that are masked by default. */
  readonly kinds: readonly string[]
}

/** The stronger the source the higher; within one strength a signal's own setting beats the general one. */
const strength = { default: 0, file: 1, standard: 2, own: 3, flag: 4 } as const

export interface Resolved<T = unknown> {
  readonly key: SettingKey
  readonly value: T | undefined
  readonly origin: string
  readonly strength: number
  /** What it is called where that is not its key. */
  readonly label?: string
}

/** Collects findings; one that concerns several signals is told once. */
export class Report {
  readonly problems: Failure[] = []
  readonly notes: string[] = []

  /** `setting` has the value as it was written; `why` says what is wrong with it where that is not plain. */
  problem(setting: Resolved, hint: string, why?: string): void {
    const { secret }: Setting = settings[setting.key]
    const quoted = secret ? 'unreadable' : `"${showText(String(setting.value))}"`
    this.add(
      `${setting.label ?? setting.key} is ${quoted} (from ${setting.origin})${why === undefined ? '' : `: ${why}`}`,
      hint,
    )
  }

  add(message: string, hint: string): void {
    if (this.problems.some((known) => known.message === message)) return
    this.problems.push(new Failure('config', message, hint))
  }

  note(line: string): void {
    if (!this.notes.includes(line)) this.notes.push(line)
  }
}

/** Typed access to what was resolved. */
export class Values {
  /** `told`: what some source says something of. */
  constructor(private readonly told: ReadonlyMap<SettingKey, Resolved>) {}

  of<K extends SettingKey>(key: K): Resolved<SettingValue<K>> {
    // What stands in the map was read by the setting's own kind.
    return (this.told.get(key) ?? byDefault(key)) as Resolved<SettingValue<K>>
  }

  /** For settings that have a default. */
  get<K extends SettingKey>(key: K): SettingValue<K> {
    return this.of(key).value as SettingValue<K>
  }

  /** A signal's own OTLP setting or the general one: the stronger source, then the more special. */
  otlp<N extends OtlpName>(signal: SignalType, name: N): Resolved<OtlpValue<N>> {
    const own = this.of(`export.${signal}.${name}`) as Resolved<OtlpValue<N>>
    const general = this.of(`export.${name}`) as Resolved<OtlpValue<N>>
    return own.value !== undefined && own.strength >= general.strength ? own : general
  }

  /** The variable to name in a mend: the special one where the special one is in force. */
  variable(signal: SignalType, name: OtlpName): string {
    return settings[this.otlp(signal, name).key].env[0] ?? ''
  }

  shown(): ResolvedSetting[] {
    return settingKeys.map((key) => {
      const { value, origin } = this.of(key)
      const { kind, secret = false, description }: Setting = settings[key]
      return { key, shown: value === undefined ? '' : kind.show(value, secret), origin, description }
    })
  }
}

/** The first source that has a value decides; an empty value is no value, a bad one is reported and the default. */
export function resolveValues(sources: ConfigSources, report: Report): Values {
  const fromFile = fileValues(sources.file, report)
  const names = namesIn(sources.env)
  const told = new Map<SettingKey, Resolved>()
  for (const key of settingKeys) {
    if (!fromFile.has(key) && !isNamed(settings[key], names, sources.flags)) continue
    const candidate = findCandidate(key, sources, fromFile.get(key))
    if (candidate !== undefined) told.set(key, read(key, candidate, report))
  }
  return new Values(told)
}

/** The variables that can be a setting's: of most settings nothing is said, and the wrapper is in a hurry. */
function namesIn(env: Environment): ReadonlySet<string> {
  const names = new Set<string>()
  for (const name of Object.keys(env)) {
    const own = name.startsWith('CLAUDE_OT')
    if (own) names.add(name.slice('CLAUDE_'.length))
    if (own || name.startsWith('OT')) names.add(name)
  }
  return names
}

function isNamed({ env, flag }: Setting, names: ReadonlySet<string>, flags: ConfigSources['flags']): boolean {
  if (flag !== undefined && flags?.[flag] !== undefined) return true
  for (const name of env) if (names.has(name)) return true
  return false
}

/** What flags and environment say, as it is written there; the user's file and the defaults are left out. */
export function givenOutside({ env, flags }: ConfigSources): ReadonlyMap<SettingKey, GivenValue> {
  const found = settingKeys.flatMap((key) => {
    const given = findCandidate(key, { env, ...(flags === undefined ? {} : { flags }) }, undefined)
    return given === undefined ? [] : [[key, { value: given.raw, source: given.source }] as const]
  })
  return new Map(found)
}

export interface GivenValue {
  readonly value: unknown
  /** A variable or flag. */
  readonly source: string
}

interface Candidate {
  readonly raw: unknown
  readonly source: string
  readonly strength: number
}

/** Looks no further than the strongest source that says something: most settings are said nothing about. */
function findCandidate(key: SettingKey, { env, flags, file }: ConfigSources, fromFile: unknown): Candidate | undefined {
  const setting: Setting = settings[key]
  const flag = setting.flag === undefined ? undefined : flags?.[setting.flag]
  if (flag !== undefined && flag !== '') return { raw: flag, source: `--${setting.flag}`, strength: strength.flag }
  for (const name of variablesOf(setting)) {
    const raw = env[name]?.trim()
    if (!raw) continue
    return { raw, source: name, strength: name.startsWith('CLAUDE_OTEL_') ? strength.own : strength.standard }
  }
  if (fromFile === undefined || fromFile === '') return undefined
  return { raw: fromFile, source: `${file?.path} (${key})`, strength: strength.file }
}

function byDefault(key: SettingKey): Resolved {
  return { key, value: settings[key].fallback, origin: 'default', strength: strength.default }
}

function read(key: SettingKey, { raw, source, strength }: Candidate, report: Report): Resolved {
  const setting: Setting = settings[key]
  const result = setting.kind.read(raw, source)
  if ('value' in result) return { key, value: result.value, origin: source, strength }
  const written = typeof raw === 'string' ? raw : JSON.stringify(raw)
  report.problem({ key, value: written, origin: source, strength }, result.hint)
  return byDefault(key)
}

/** The file's nested objects by setting; a key may also be written with its dots. */
function fileValues(file: UserFile | undefined, report: Report): ReadonlyMap<SettingKey, unknown> {
  const found = new Map<SettingKey, unknown>()
  const walk = (content: Readonly<Record<string, unknown>>, prefix: string) => {
    for (const [name, value] of Object.entries(content)) {
      const written = prefix + name
      const key = settingKeys.find((each) => each === written)
      const isGroup = isObject(value) && settingKeys.some((each) => each.startsWith(`${written}.`))
      // `guard` is a list, or an object with the settings below it.
      if (isGroup) walk(value, `${written}.`)
      else if (key !== undefined) found.set(key, value ?? undefined)
      else report.add(`"${written}" is no setting (from ${file?.path})`, unknownKeyHint(written))
    }
  }
  walk(file?.content ?? {}, '')
  return found
}

function unknownKeyHint(written: string): string {
  const meant = nearest(written, settingKeys)
  return meant === undefined ? '"claude-otel --config" lists every setting' : `did you mean ${meant}?`
}
