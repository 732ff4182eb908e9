/** Which presets are in force: those whose variables are there, unless the user says otherwise; and the destinations they make. */
import type { SignalType } from '../telemetry/signal.ts'
import type { Config, Destination, OtlpTarget, PresetUse } from './config.ts'
import {
  BadVariable,
  type Preset,
  type PresetAddress,
  type PresetName,
  presetNames,
  presets,
  type ReadVariable,
} from './presets.ts'
import type { ConfigSources, Environment, Report, ResolvedSetting, Values } from './values.ts'

/** A preset in force. */
interface Chosen {
  readonly name: PresetName
  readonly address: PresetAddress
}

export interface PresetChoice {
  readonly chosen: readonly Chosen[]
  /** For `--config`: one line each, its credential masked but for the last characters. */
  readonly shown: readonly ResolvedSetting[]
}

/**
 * What is chosen by its variables alone may be meant for another program, so nothing about it can be a problem: it is noted. What
 * was asked for by its name is. `listed`: names of destinations that the user has written down, which stand in their place.
 */
export function choosePresets(
  values: Values,
  { env }: ConfigSources,
  listed: ReadonlySet<string>,
  report: Report,
): PresetChoice {
  const setting = values.of('presets')
  const named = new Set<string>(setting.value)
  const read = variableReader(values, env)
  const chosen: Chosen[] = []
  for (const name of presetNames) {
    const isNamed = named.has(name)
    if (listed.has(name) || !(isNamed || (named.has('auto') && hasAny(name, read)))) continue
    const account = readAccount(name, read)
    if ('address' in account) {
      if (isNamed || !account.isOff) chosen.push({ name, address: account.address })
    } else if (isNamed) report.add(`${account.what} (presets, from ${setting.origin})`, account.hint)
    else report.note(`${account.what}, so nothing is sent there: ${account.hint}`)
  }
  return { chosen, shown: chosen.map(({ name }) => shownAs(name, values, read)) }
}

/** Whether any variable of its account is there; asked while claude waits, so nothing is made for it. */
function hasAny(name: PresetName, read: ReadVariable): boolean {
  for (const oneOf of presets[name].needs) for (const variable of oneOf) if (read(variable) !== undefined) return true
  return false
}

/** A flag or setting of ours for a product's variable stands before it. */
export function variableReader(values: Values, env: Environment): ReadVariable {
  const token = values.of('logfire.token').value
  return (name) => (name === 'LOGFIRE_TOKEN' && token !== undefined ? token : env[name]?.trim() || undefined)
}

/** An account as its variables say; or what is wrong with them. */
export type Account =
  | { readonly address: PresetAddress; readonly isOff: boolean }
  | { readonly what: string; readonly hint: string }

export function readAccount(name: PresetName, read: ReadVariable): Account {
  const preset: Preset = presets[name]
  const missing = preset.needs.filter((oneOf) => oneOf.every((variable) => read(variable) === undefined))
  if (missing.length > 0) {
    const hint = `set ${missing.map((oneOf) => oneOf.join(' or ')).join(' and ')}`
    return { what: `${preset.title} has no account`, hint }
  }
  try {
    return { address: preset.address(read), isOff: preset.isOff?.(read) ?? false }
  } catch (error) {
    if (!(error instanceof BadVariable)) throw error
    return { what: `${preset.title}: ${error.message}`, hint: error.hint }
  }
}

function shownAs(name: PresetName, values: Values, read: ReadVariable): ResolvedSetting {
  const { title, needs }: Preset = presets[name]
  const given = needs.map((oneOf) => oneOf.find((variable) => read(variable) !== undefined) ?? oneOf[0])
  const ours = values.of('logfire.token')
  const origin = name === 'logfire' && ours.value !== undefined ? ours.origin : given.join(', ')
  const shown = masked(read(given[0] ?? '') ?? '')
  return { key: `presets.${name}`, shown, origin, description: `${title} is a destination` }
}

/** So much that its owner knows it again. */
function masked(credential: string): string {
  return credential.length < 12 ? '****' : `****${credential.slice(-4)}`
}

/** Those that are destinations of any signal, in the table's order. */
export function presetsInUse(signals: Config['signals']): PresetName[] {
  const all = Object.values(signals).flatMap(({ destinations }) => destinations)
  const names = new Set(all.map((each) => (each.kind === 'otlp' ? each.preset?.name : undefined)))
  return presetNames.filter((name) => names.has(name))
}

/** Those that take this kind of signal. `others`: destinations that the user has named; no place is sent to twice. */
export function presetDestinations(
  signal: SignalType,
  { chosen }: PresetChoice,
  others: readonly Destination[],
  values: Values,
  report: Report,
): Destination[] {
  const places = new Map(
    others.flatMap((each) => (each.kind === 'otlp' ? [[placeOf(each.target.url), each.name]] : [])),
  )
  return chosen.flatMap(({ name, address }): Destination[] => {
    const { signals, title }: Preset = presets[name]
    if (!signals.includes(signal)) return []
    const target = targetOf(signal, name, address, values)
    const known = places.get(placeOf(target.url))
    if (known === undefined) return [{ kind: 'otlp', name, target, preset: useOf(name, address) }]
    report.note(`${signal} go to ${title} as ${known} already: its preset adds nothing`)
    return []
  })
}

function targetOf(signal: SignalType, name: PresetName, address: PresetAddress, values: Values): OtlpTarget {
  return {
    protocol: presets[name].protocol,
    url: `${address.base}/v1/${signal}`,
    headers: { ...address.headers, ...address.own?.[signal] },
    timeoutMs: values.otlp(signal, 'timeout').value ?? 10_000,
    compression: values.otlp(signal, 'compression').value ?? 'none',
    tls: {},
  }
}

/** What of an account matters to how it is told. */
export function useOf(name: PresetName, { traceRatio, environment }: Partial<PresetAddress>): PresetUse {
  return {
    name,
    ...(traceRatio === undefined ? {} : { traceRatio }),
    ...(environment === undefined ? {} : { environment }),
  }
}

/** Host and port, whatever the protocol. */
function placeOf(url: string): string {
  const { hostname, port, protocol } = new URL(url)
  return `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`
}
