/**
 * Several destinations at once: `CLAUDE_OTEL_DESTINATIONS`, or `destinations` in the user's file. Each entry has the settings
 * of one OTLP destination; what it leaves out comes from the general ones. All that is wrong in any entry is told at once.
 */

import type { ContentRule } from '../telemetry/content.ts'
import type { SignalType } from '../telemetry/signal.ts'
import type { Destination, OtlpTarget } from './config.ts'
import { type OtlpSettings, otlpTarget } from './endpoint.ts'
import { choice, isObject, type Kind, list, path, showText, text } from './kinds.ts'
import { type OtlpName, type OtlpValue, otlp } from './otlp-settings.ts'
import { readAccount, useOf } from './preset-choice.ts'
import { type PresetAddress, type PresetName, presetNames, presets, type ReadVariable } from './presets.ts'
import { isMaskingBroken } from './privacy.ts'
import { type SettingKey, settings, signalTypes } from './settings.ts'
import { nearest } from './suggest.ts'
import type { Report, Resolved, Values } from './values.ts'

export interface DestinationList {
  /** Undefined where no list is in force. */
  of(signal: SignalType): readonly Destination[] | undefined
}

/** Derived names: the same in every process, and free of secrets. */
export const nameOf = {
  otlp({ protocol, url }: OtlpTarget): string {
    const { host, pathname, protocol: scheme } = new URL(url)
    return `${protocol} ${scheme}//${host}${protocol === 'grpc' ? '' : pathname.replace(/\/v1\/\w+$/, '')}`
  },
  file: (file: string) => `file ${file}`,
  console: () => 'console',
} as const

interface Surroundings {
  readonly values: Values
  /** Where the file exporter appends that says nothing else. */
  readonly file: string
  /** The general rule: what an entry leaves out. */
  readonly content: ContentRule
  readonly fileExists: (path: string) => boolean
  /** Variables of products. */
  readonly read: ReadVariable
}

/** What an entry may say beside the OTLP settings. */
const own = {
  name: text(),
  preset: choice(presetNames),
  exporter: choice(['otlp', 'file', 'console'] as const),
  file: path(),
  signals: list(signalTypes),
  previewLength: settings.previewLength.kind,
  content: settings.content.kind,
  contentLength: settings.contentLength.kind,
} as const
const known = [...Object.keys(own), ...Object.keys(otlp)]

type Given = Resolved<readonly (string | Readonly<Record<string, unknown>>)[]>

/** Reads the list, once for all signals; an endpoint from a stronger source takes its place. */
export function listedDestinations(around: Surroundings, report: Report): DestinationList {
  const given: Given = around.values.of('destinations')
  if (given.value === undefined) return { of: () => undefined }
  const isInForce = (signal: SignalType) => {
    const endpoint = around.values.otlp(signal, 'endpoint')
    if (endpoint.value === undefined || endpoint.strength <= given.strength) return true
    const [which, winner] = [`destinations (from ${given.origin})`, `${endpoint.key} (from ${endpoint.origin})`]
    report.note(`${which} give way to ${winner}, which is the stronger source`)
    return false
  }
  const signals = signalTypes.filter(isInForce)
  const entries = signals.length === 0 ? [] : given.value.map((raw, at) => new Entry(raw, at, given, around, report))
  refuseTwins(entries, given, report)
  return {
    of: (signal) => (signals.includes(signal) ? entries.flatMap((entry) => entry.destination(signal)) : undefined),
  }
}

function refuseTwins(entries: readonly Entry[], { origin }: Given, report: Report): void {
  for (const [name, all] of Map.groupBy(entries, (entry) => entry.name)) {
    if (name === '' || all.length < 2) continue
    report.add(`${all.length} destinations are called "${name}" (from ${origin})`, 'give each a "name" of its own')
  }
}

class Entry {
  readonly name: string
  private readonly raw: Readonly<Record<string, unknown>>
  private readonly label: string
  private readonly preset: PresetName | undefined
  private readonly account: PresetAddress | undefined
  private readonly byType: ReadonlyMap<SignalType, Destination>

  constructor(
    raw: string | Readonly<Record<string, unknown>>,
    at: number,
    private readonly given: Given,
    private readonly around: Surroundings,
    private readonly report: Report,
  ) {
    this.raw = isObject(raw) ? raw : { endpoint: raw }
    const title = [this.raw.name, this.raw.preset, this.raw.endpoint, this.raw.file].find(
      (each) => typeof each === 'string' && each !== '',
    )
    this.label = `destination ${title === undefined ? `number ${at + 1}` : `"${showText(String(title))}"`}`
    this.refuseUnknown()
    this.preset = this.read('preset', own.preset)
    if (this.preset !== undefined) {
      this.account = this.accountOf(this.preset)
      // What the entry says itself stands before what its product says.
      const { protocol } = presets[this.preset]
      this.raw = { protocol, ...(this.account === undefined ? {} : { endpoint: this.account.base }), ...this.raw }
    }
    const called = this.read('name', own.name) ?? this.preset
    const taken: readonly SignalType[] = this.preset === undefined ? signalTypes : presets[this.preset].signals
    const signals = this.read('signals', own.signals) ?? taken
    const made = signals
      .filter((type) => taken.includes(type))
      .flatMap((type) => {
        const destination = this.make(type, called)
        return destination === undefined ? [] : [[type, destination] as const]
      })
    this.byType = new Map(made)
    this.name = made[0]?.[1].name ?? called ?? ''
  }

  /** Where the entry names no place of its own. Credentials go to no other place than the product's. */
  private accountOf(name: PresetName): PresetAddress | undefined {
    if (this.raw.endpoint !== undefined && this.raw.endpoint !== '') return undefined
    const account = readAccount(name, this.around.read)
    if ('address' in account) return account.address
    this.report.add(`${this.label}: ${account.what} (from ${this.given.origin})`, account.hint)
    // What is missing is said; without a place more would be.
    return { base: 'http://localhost', headers: {} }
  }

  destination(signal: SignalType): Destination[] {
    const destination = this.byType.get(signal)
    return destination === undefined ? [] : [destination]
  }

  private make(signal: SignalType, name: string | undefined): Destination | undefined {
    const kind = this.read('exporter', own.exporter) ?? 'otlp'
    const content = this.contentRule()
    if (kind === 'console') return { kind, name: name ?? nameOf.console(), content }
    if (kind === 'file') {
      const file = this.read('file', own.file) ?? this.around.file
      return { kind, name: name ?? nameOf.file(file), path: file, content }
    }
    if (this.raw.endpoint === undefined || this.raw.endpoint === '') {
      this.report.add(`${this.label} has no endpoint (from ${this.given.origin})`, 'say where to send: "endpoint"')
      return undefined
    }
    const target = otlpTarget(signal, this.settings(signal), this.around.fileExists, this.report)
    const preset = this.preset === undefined ? {} : { preset: useOf(this.preset, this.account ?? {}) }
    return { kind, name: name ?? nameOf.otlp(target), target, content, ...preset }
  }

  private contentRule(): ContentRule {
    const { content } = this.around
    if (isMaskingBroken(this.report)) return content
    return {
      previewLength: this.read('previewLength', own.previewLength) ?? content.previewLength,
      whole: this.read('content', own.content) ?? content.whole,
      wholeLength: this.read('contentLength', own.contentLength) ?? content.wholeLength,
    }
  }

  /** The entry's own, then the general ones. Headers are credentials: they go no further than the source they stand in. */
  private settings(signal: SignalType): OtlpSettings {
    const { values } = this.around
    const of = <N extends OtlpName>(name: N): Resolved<OtlpValue<N>> => {
      const value = this.read(name, otlp[name].kind as unknown as Kind<OtlpValue<N>>)
      if (value === undefined && name !== 'endpoint') return values.otlp(signal, name)
      const { origin, strength } = this.given
      return { key: `export.${name}` as SettingKey, value, origin, strength, label: `${this.label}: ${name}` }
    }
    return {
      of,
      headers: () => {
        const general = values.of('export.headers')
        const isFromHere = general.strength === this.given.strength && this.preset === undefined
        const its = { ...this.account?.headers, ...this.account?.own?.[signal] }
        return { ...(isFromHere ? general.value : its), ...this.read('headers', otlp.headers.kind) }
      },
      written: (name, value) => `"${name}"${value === undefined ? '' : `: "${value}"`} in it`,
    }
  }

  private read<T>(name: string, kind: Kind<T>): T | undefined {
    const raw = this.raw[name]
    if (raw === undefined || raw === null || raw === '') return undefined
    // JSON's own booleans need no rule of OpenTelemetry's.
    const result = kind.read(raw, this.given.origin)
    if ('value' in result) return result.value
    const written =
      name === 'headers' ? 'unreadable' : `"${showText(typeof raw === 'string' ? raw : JSON.stringify(raw))}"`
    this.report.add(`${this.label}: ${name} is ${written} (from ${this.given.origin})`, result.hint)
    return undefined
  }

  private refuseUnknown(): void {
    for (const name of Object.keys(this.raw).filter((each) => !known.includes(each))) {
      const meant = nearest(name, known)
      const hint = meant === undefined ? `use one of: ${known.join(', ')}` : `did you mean ${meant}?`
      this.report.add(`${this.label}: "${name}" is no setting of a destination (from ${this.given.origin})`, hint)
    }
  }
}
