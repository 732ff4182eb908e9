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
 * was asked for by its name is.
 */
export function choosePresets(values: Values, { env }: ConfigSources, report: Report): PresetChoice {
  const setting = values.of('presets')
  const named = new Set<string>(setting.value)
  const read = variableReader(values, env)
  const chosen: Chosen[] = []
  const shown: ResolvedSetting[] = []
  for (const name of presetNames) {
    const isNamed = named.has(name)
    if (!isNamed && !named.has('auto')) continue
    const address = addressOf(
      name,
      read,
      (what, hint) => {
        if (isNamed) report.add(`${what} (presets, from ${setting.origin})`, hint)
        else report.note(`${what}, so nothing is sent there: ${hint}`)
      },
      isNamed,
    )
    if (address === undefined) continue
    chosen.push({ name, address })
    shown.push(shownAs(name, values, read))
  }
  return { chosen, shown }
}

/** A flag or setting of ours for a product's variable stands before it. */
function variableReader(values: Values, env: Environment): ReadVariable {
  const token = values.of('logfire.token').value
  return (name) => (name === 'LOGFIRE_TOKEN' && token !== undefined ? token : env[name]?.trim() || undefined)
}

function addressOf(
  name: PresetName,
  read: ReadVariable,
  complain: (what: string, hint: string) => void,
  isNamed: boolean,
): PresetAddress | undefined {
  const preset: Preset = presets[name]
  const missing = preset.needs.filter((oneOf) => oneOf.every((variable) => read(variable) === undefined))
  if (missing.length > 0) {
    // Of a product that nobody speaks of nothing is said.
    if (!isNamed && missing.length === preset.needs.length) return undefined
    complain(`${preset.title} has no account`, `set ${missing.map((oneOf) => oneOf.join(' or ')).join(' and ')}`)
    return undefined
  }
  if (!isNamed && preset.isOff?.(read)) return undefined
  try {
    return preset.address(read)
  } catch (error) {
    if (!(error instanceof BadVariable)) throw error
    complain(`${preset.title}: ${error.message}`, error.hint)
    return undefined
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

function useOf(name: PresetName, { traceRatio, environment }: PresetAddress): PresetUse {
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
