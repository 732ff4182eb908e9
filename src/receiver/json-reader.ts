/**
 * OTLP's JSON, member by member: keys in camel or snake case, 64-bit integers as texts or numbers, enums as numbers or names, null as
 * absent, unknown keys passed over. A value of the wrong type is Malformed with its path.
 */

import { deepestValue, knownId, Malformed } from './records.ts'

export type Json = { readonly [key: string]: unknown }

export type EnumNames = { readonly [name: string]: number }

const specialDoubles: { readonly [text: string]: number } = { NaN, Infinity, '-Infinity': -Infinity }
const integer = /^-?\d{1,20}$/
const unsigned = /^\d{1,20}$/
const decimal = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i
const base64 = /^[\w+/-]*={0,2}$/
const hex = /^[0-9a-f]*$/i

export class JsonReader {
  /** From the request to the object that is read now. */
  readonly #path: (string | number)[] = []
  #depth = 0

  /** Reads each object of the list; nothing where there is no list. */
  each(from: Json, key: string, read: (item: Json) => void): void {
    const list = this.list(from, key)
    for (let index = 0; index < list.length; index++) {
      this.#path.push(key, index)
      this.#enter(list[index], read)
      this.#path.length -= 2
    }
  }

  /** Reads the object; nothing where there is none. */
  child(from: Json, key: string, read: (item: Json) => void): void {
    const item = member(from, key)
    if (item === undefined) return
    this.#path.push(key)
    this.#enter(item, read)
    this.#path.pop()
  }

  #enter(item: unknown, read: (item: Json) => void): void {
    if (!isObject(item)) this.#fail(item, 'an object')
    if (++this.#depth > deepestValue) throw new Malformed(`more than ${deepestValue} objects in one another`)
    read(item)
    this.#depth--
  }

  list(from: Json, key: string): readonly unknown[] {
    const value = member(from, key)
    if (value === undefined) return []
    return Array.isArray(value) ? value : this.#failAt(key, value, 'a list')
  }

  /** Empty where there is none. */
  text(from: Json, key: string): string {
    const value = member(from, key)
    if (value === undefined) return ''
    return typeof value === 'string' ? value : this.#failAt(key, value, 'a text')
  }

  bool(from: Json, key: string): boolean {
    const value = member(from, key)
    if (value === undefined) return false
    return typeof value === 'boolean' ? value : this.#failAt(key, value, 'true or false')
  }

  double(from: Json, key: string): number | undefined {
    const value = member(from, key)
    return value === undefined ? undefined : this.#double(key, value)
  }

  doubles(from: Json, key: string): number[] {
    return this.list(from, key).map((value) => this.#double(key, value))
  }

  /** A whole number of up to 32 bits; 0 where there is none. */
  int32(from: Json, key: string): number {
    const value = member(from, key)
    if (value === undefined) return 0
    const number = this.#whole(key, value)
    return number === (number | 0) || number === number >>> 0 ? number : this.#failAt(key, value, 'of 32 bits')
  }

  /** Rounded where a number cannot hold it; 0 where there is none. */
  count(from: Json, key: string): number {
    const value = member(from, key)
    return value === undefined ? 0 : this.#count(key, value)
  }

  counts(from: Json, key: string): number[] {
    return this.list(from, key).map((value) => this.#count(key, value))
  }

  /** A signed number of 64 bits, rounded where a number cannot hold it. */
  whole(from: Json, key: string): number | undefined {
    const value = member(from, key)
    return value === undefined ? undefined : this.#whole(key, value)
  }

  /** A signed number of 64 bits; the text of its digits where a number would not be exact. */
  int64(from: Json, key: string): number | string {
    const value = member(from, key)
    const number = this.#whole(key, value)
    if (Number.isSafeInteger(number)) return number + 0
    const exact = BigInt(value as string | number)
    return exact === BigInt.asIntN(64, exact) ? exact.toString() : this.#failAt(key, value, 'of 64 bits')
  }

  /** Nanoseconds as whole microseconds; 0 where there are none. A number that lost its last digits on the way is rounded. */
  micro(from: Json, key: string): number {
    const value = member(from, key)
    if (value === undefined) return 0
    if (typeof value === 'string' && unsigned.test(value)) return Number(value.slice(0, -3))
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
      return this.#failAt(key, value, 'nanoseconds, as a text of digits or a number')
    }
    return Number.isSafeInteger(value) ? Math.floor(value / 1000) : Math.round(value / 1000)
  }

  /** A number or one of the names; 0 where there is none. */
  enum(from: Json, key: string, names: EnumNames): number {
    const value = member(from, key)
    if (typeof value !== 'string') return this.int32(from, key)
    const code = Object.hasOwn(names, value) ? names[value] : undefined
    return code ?? this.#failAt(key, value, `a number or one of ${Object.keys(names).slice(0, 6).join(', ')}`)
  }

  /** Lower-case hex; `undefined` for one that is absent, empty or all zeros. */
  id(from: Json, key: string, bytes: number): string | undefined {
    const value = this.text(from, key)
    if (value === '') return undefined
    if (value.length !== 2 * bytes || !hex.test(value)) this.#failAt(key, value, `${2 * bytes} hex digits`)
    return knownId(value.toLowerCase())
  }

  /** In the usual alphabet, with padding. */
  base64(from: Json, key: string): string {
    const value = this.text(from, key)
    return base64.test(value) ? Buffer.from(value, 'base64').toString('base64') : this.#failAt(key, value, 'base64')
  }

  #double(key: string, value: unknown): number {
    if (typeof value === 'number') return value
    const number = typeof value === 'string' ? (specialDoubles[value] ?? numberOf(value)) : undefined
    return number ?? this.#failAt(key, value, 'a number, "NaN", "Infinity" or "-Infinity"')
  }

  #whole(key: string, value: unknown): number {
    if (typeof value === 'number' && Number.isInteger(value)) return value
    if (typeof value === 'string' && integer.test(value)) return Number(value)
    return this.#failAt(key, value, 'a whole number, or a text of its digits')
  }

  #count(key: string, value: unknown): number {
    const number = this.#whole(key, value)
    return number >= 0 ? number : this.#failAt(key, value, 'not negative')
  }

  #failAt(key: string, value: unknown, wanted: string): never {
    this.#path.push(key)
    this.#fail(value, wanted)
  }

  #fail(value: unknown, wanted: string): never {
    throw new Malformed(`${renderPath(this.#path)} is ${show(value)}; it must be ${wanted}`)
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member under either spelling of its key; null is as good as nothing. */
export function member(from: Json, key: string): unknown {
  return from[key] ?? from[snakeCase(key)] ?? undefined
}

const snakes = new Map<string, string>()

function snakeCase(key: string): string {
  const known = snakes.get(key)
  if (known !== undefined) return known
  const snake = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  snakes.set(key, snake)
  return snake
}

function numberOf(text: string): number | undefined {
  return decimal.test(text) ? Number(text) : undefined
}

function renderPath(path: readonly (string | number)[]): string {
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '')
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
