/**
 * The kinds of values a setting can have: how a text (environment, flag) or a JSON value (the user's file) is read,
 * and how the value is shown. A value that cannot be read comes back as the words that say what would be right.
 */

import { nearest } from './suggest.ts'

export type Read<T> = { readonly value: T } | { readonly hint: string }

export interface Kind<T> {
  /** `source` is the variable, flag or file the value came from: OTel's own variables are read by OTel's rules. */
  read(raw: unknown, source: string): Read<T>
  show(value: T, secret: boolean): string
  /** As a flag it needs no value. */
  readonly isSwitch?: true
  /** All that it can be, where that is a set of words. */
  readonly words?: readonly string[]
}

export type Reading<K> = K extends Kind<infer T> ? T : never

const mask = '****'
const secretInUrl = /(\/\/)[^/@\s]+@/

/** A text as it may be shown: a user name and password inside a URL are masked. */
export function showText(value: string): string {
  return value.replace(secretInUrl, `$1${mask}@`)
}

export function text(): Kind<string> {
  return {
    read: (raw) => (typeof raw === 'string' ? { value: raw.trim() } : { hint: 'use a text' }),
    show: (value, secret) => (secret ? mask : showText(value)),
  }
}

/** What stands in an `authorization` header as it is, however a sender writes its headers down. */
export function bearerToken(): Kind<string> {
  const hint = 'use letters, digits and -._~+/='
  return {
    read: (raw) => (typeof raw === 'string' && /^[\w.~+/=-]+$/.test(raw) ? { value: raw } : { hint }),
    show: (value, secret) => (secret ? mask : value),
  }
}

/** The name of a file; a path that is not absolute counts from the working directory. */
export function path(): Kind<string> {
  return { ...text(), read: (raw) => (typeof raw === 'string' ? { value: raw } : { hint: 'use the path of a file' }) }
}

/** One word of a set, in any case; `aliases` are other spellings that people use. */
export function choice<const C extends string>(of: readonly C[], aliases: Readonly<Record<string, C>> = {}): Kind<C> {
  return {
    read: (raw) => {
      const word = String(raw).trim().toLowerCase()
      const value = of.find((each) => each === word) ?? aliases[word]
      if (value !== undefined) return { value }
      const meant = nearest(word, of)
      return { hint: `use one of: ${of.join(', ')}${meant === undefined ? '' : ` (did you mean ${meant}?)`}` }
    },
    show: (value) => value,
    words: of,
  }
}

/** Words of a set with commas between; `none` stands alone. */
export function list<const C extends string>(of: readonly C[]): Kind<readonly C[]> {
  const word = choice(of)
  return {
    read: (raw, source) => {
      const words = Array.isArray(raw) ? raw : String(raw).split(',')
      const values = new Set<C>()
      for (const each of words) {
        if (String(each).trim() === '') continue
        const read = word.read(each, source)
        if ('hint' in read) return read
        values.add(read.value)
      }
      const all = [...values]
      if (all.length > 1 && all.some((each) => each === 'none')) return { hint: 'use none alone, or leave it out' }
      return { value: all }
    },
    show: (value) => value.join(','),
    words: of,
  }
}

/** True and false in any case; where the source is not one of OTel's variables also 1/0, yes/no, on/off. */
export function onOff(): Kind<boolean> {
  return {
    read: (raw, source) => {
      const word = String(raw).trim().toLowerCase()
      if (word === 'true' || word === 'false') return { value: word === 'true' }
      const value = source.startsWith('OTEL_') ? undefined : switchWords[word]
      return value === undefined ? { hint: 'use true or false' } : { value }
    },
    show: String,
    isSwitch: true,
  }
}

const switchWords: Readonly<Record<string, boolean>> = { 1: true, yes: true, on: true, 0: false, no: false, off: false }

/** A whole number within bounds. */
export function integer(min: number, max: number, unit?: string): Kind<number> {
  const what = `a whole number${unit === undefined ? '' : ` of ${unit === 'ms' ? 'milliseconds' : unit}`}`
  return {
    read: (raw) => {
      const written = String(raw).trim()
      const value = /^\d+$/.test(written) ? Number(written) : Number.NaN
      if (value >= min && value <= max) return { value }
      const meant = unit === 'ms' ? inMilliseconds(written) : undefined
      return { hint: `use ${what} from ${min} to ${max}${meant === undefined ? '' : `, here ${meant}`}` }
    },
    show: (value) => (unit === undefined ? String(value) : `${value} ${unit}`),
  }
}

/** A time that is not none. */
export const someMs = integer(1, 86_400_000, 'ms')

function inMilliseconds(written: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(written)
  if (match === null) return undefined
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? ''] ?? 1
  return Math.round(Number(match[1]) * factor)
}

/** A size: bytes, or with a unit, of which `MB` is a million and `MiB` 1024 times 1024. */
export function bytes(min: number): Kind<number> {
  const show = (value: number): string => showMeasured(value, decimalUnits)
  return measured(sizeUnits, min, 'use a size such as 256MB, 1GB or a number of bytes', show)
}

/** A time in milliseconds: a number with a unit. */
export function duration(min: number): Kind<number> {
  return measured(timeUnits, min, 'use a time such as 12h or 7d', (ms) => showMeasured(ms, timeUnits))
}

const decimalUnits = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }
const sizeUnits = { '': 1, ...decimalUnits, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
const timeUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `310 MB`: the largest unit that gives at least 1, rounded. */
export function showBytes(value: number): string {
  const [unit, factor] = Object.entries(decimalUnits).findLast(([, size]) => value >= size) ?? ['B', 1]
  return `${Math.round(value / factor)} ${unit}`
}

/** `7 d`, `1.5 h`: the largest unit that gives at least 1. */
export function showDuration(ms: number): string {
  const [unit, factor] = Object.entries(timeUnits).findLast(([, size]) => ms >= size) ?? ['ms', 1]
  return `${Math.round((ms / factor) * 10) / 10} ${unit}`
}

function measured(
  units: Readonly<Record<string, number>>,
  min: number,
  hint: string,
  show: (value: number) => string,
): Kind<number> {
  const byName = new Map(Object.entries(units).map(([name, factor]) => [name.toLowerCase(), factor]))
  return {
    read: (raw) => {
      const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(String(raw).trim()) ?? []
      const factor = byName.get(unit.toLowerCase())
      const value = factor === undefined ? Number.NaN : Math.round(Number(count) * factor)
      return value >= min && value <= Number.MAX_SAFE_INTEGER ? { value } : { hint }
    },
    show,
  }
}

/** In the largest unit in which it is a whole number. */
function showMeasured(value: number, units: Readonly<Record<string, number>>): string {
  const fitting = Object.entries(units).filter(([, factor]) => value >= factor && value % factor === 0)
  const [unit, factor] = fitting.at(-1) ?? ['ms', 1]
  return `${value / factor} ${unit}`
}

export function ratio(): Kind<number> {
  return {
    read: (raw) => {
      const value = Number(String(raw).trim() || Number.NaN)
      return value >= 0 && value <= 1 ? { value } : { hint: 'use a number from 0 to 1, such as 0.25' }
    },
    show: String,
  }
}

/**
 * `key=value,key=value` with percent-encoding, as W3C Baggage writes it, or an object in the user's file.
 * `keys` tells what a key may look like. One bad entry makes the whole value bad.
 */
export function pairs(keys: RegExp = /^[^\s=,]+$/): Kind<Readonly<Record<string, string>>> {
  return {
    read: (raw) => {
      const entries = isObject(raw) ? Object.entries(raw).map(([key, value]) => [key, String(value)]) : split(raw)
      const result: Record<string, string> = {}
      for (const [key = '', value] of entries) {
        if (value === undefined || !keys.test(key)) return { hint: 'use key=value pairs with commas between them' }
        if (hasControlCharacter(value)) return { hint: `leave line breaks and control characters out of "${key}"` }
        result[key] = value
      }
      return { value: result }
    },
    show: (value, secret) =>
      Object.entries(value)
        .map(([key, each]) => `${key}=${secret ? mask : showText(each)}`)
        .join(','),
  }
}

/**
 * A list of objects with a name or an endpoint, or of endpoints alone: JSON, or texts with commas between. What stands in
 * the objects is for others to read.
 */
export function entries(): Kind<readonly (string | Readonly<Record<string, unknown>>)[]> {
  const hint = 'use a list of objects such as [{"endpoint": "http://localhost:4317"}], or endpoints with commas between'
  return {
    read: (raw) => {
      const given = typeof raw === 'string' ? listOf(raw) : raw
      if (!Array.isArray(given) || given.length === 0) return { hint }
      return given.every((each) => typeof each === 'string' || isObject(each)) ? { value: given } : { hint }
    },
    show: (value) => {
      const named = value.map((each) =>
        typeof each === 'string' ? each : (each.name ?? each.preset ?? each.endpoint ?? each.file),
      )
      return named.map((each) => showText(String(each ?? '?'))).join(', ')
    },
  }
}

function listOf(written: string): unknown {
  const trimmed = written.trim()
  if (!/^[[{]/.test(trimmed))
    return trimmed
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '')
  try {
    const parsed: unknown = JSON.parse(trimmed)
    return isObject(parsed) ? [parsed] : parsed
  } catch {
    return undefined
  }
}

function split(raw: unknown): (string | undefined)[][] {
  const entries = String(raw).split(',')
  return entries
    .filter((entry) => entry.trim() !== '')
    .map((entry) => {
      const at = entry.indexOf('=')
      return at < 1 ? [entry, undefined] : [decode(entry.slice(0, at)), decode(entry.slice(at + 1))]
    })
}

/** A text with a percent sign that begins no escape is taken as it is. */
function decode(written: string): string {
  const trimmed = written.trim()
  try {
    return decodeURIComponent(trimmed)
  } catch {
    return trimmed
  }
}

function hasControlCharacter(value: string): boolean {
  return [...value].some((character) => character < ' ' || character === '\u007f')
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
