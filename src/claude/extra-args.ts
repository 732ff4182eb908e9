/**
 * claude's command line as an object and back: `{ model: 'opus', verbose: null, 'add-dir': ['a', 'b'] }`. Pure. Flags that we do
 * not know are kept, so that those of a newer claude work unchanged.
 */
import { canonicalName, type Takes, takesOf } from './flags.ts'

/** Null: the flag stands alone. */
export type FlagValue = string | null

/** By name without dashes; several values where a flag stands several times, or takes several. An unknown letter keeps its dash. */
export type ExtraArgs = Readonly<Record<string, FlagValue | readonly FlagValue[]>>

export interface ClaudeArgs {
  /** The last word that belongs to no flag. */
  readonly prompt?: string
  readonly extraArgs: ExtraArgs
  /** Words before the prompt that belong to no flag either. */
  readonly more: readonly string[]
}

/**
 * Separates the prompt from the flags: `--flag=value`, `--flag value`, `--flag`, `-f`, several words behind those that take
 * several. Behind `--` stand words alone. A flag that is not known takes the next word, if it has no dash, for its value.
 */
export function parseClaudeArgs(args: readonly string[]): ClaudeArgs {
  const words: string[] = []
  const found = new Map<string, FlagValue[]>()
  const put = (name: string, ...values: readonly FlagValue[]): void => {
    found.set(name, [...(found.get(name) ?? []), ...values])
  }
  const rest = [...args]
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') words.push(...rest.splice(0))
    else if (/^--[^=]/.test(arg)) readLong(arg.slice(2), rest, put)
    else if (/^-[^-]/.test(arg)) readLetters(arg.slice(1), rest, put)
    else words.push(arg)
  }
  const prompt = words.pop()
  const extraArgs = Object.fromEntries([...found].map(([name, values]) => [name, simplest(values)]))
  return { ...(prompt === undefined ? {} : { prompt }), extraArgs, more: words }
}

/** The flags as claude takes them, each value with its own: nothing behind them can be taken for one. */
export function renderClaudeArgs(extraArgs: ExtraArgs): string[] {
  const all = Object.entries(extraArgs).flatMap(([name, given]) => {
    return (Array.isArray(given) ? given : [given]).map((value: FlagValue) => [canonicalName(name), value] as const)
  })
  // One that lacks its value would take the next flag for it.
  const lacks = ([name, value]: readonly [string, FlagValue]): boolean => value === null && takesOf(name) === 'value'
  return [...all.filter((each) => !lacks(each)), ...all.filter(lacks)].flatMap(renderFlag)
}

function renderFlag([name, value]: readonly [string, FlagValue]): string[] {
  if (name.startsWith('-')) return value === null ? [name] : [name, value]
  const flag = name.length === 1 ? `-${name}` : `--${name}`
  if (value === null) return [flag]
  return name.length === 1 ? [flag, value] : [`${flag}=${value}`]
}

type Put = (name: string, ...values: readonly FlagValue[]) => void

function readLong(text: string, rest: string[], put: Put): void {
  const at = text.indexOf('=')
  const name = canonicalName(at === -1 ? text : text.slice(0, at))
  if (at === -1) put(name, ...takeValues(takesOf(name), rest))
  else put(name, text.slice(at + 1))
}

/** `-n name`, `-nname`, and switches together: `-pc`. */
function readLetters(letters: string, rest: string[], put: Put): void {
  const letter = letters.slice(0, 1)
  const takes = takesOf(letter)
  const name = takes === undefined ? `-${letters}` : canonicalName(letter)
  if (letters.length === 1 || takes === undefined) put(name, ...takeValues(takes, rest))
  else if (takes !== 'nothing') put(name, letters.slice(1))
  else {
    put(name, null)
    readLetters(letters.slice(1), rest, put)
  }
}

function takeValues(takes: Takes | undefined, rest: string[]): readonly FlagValue[] {
  const isWord = (word: string | undefined): boolean => word !== undefined && !(word.startsWith('-') && word !== '-')
  if (takes === 'nothing') return [null]
  if (takes === 'value') return [rest.shift() ?? null]
  if (takes !== 'values') return isWord(rest[0]) ? [rest.shift() ?? null] : [null]
  const end = rest.findIndex((word) => !isWord(word))
  const values = rest.splice(0, end === -1 ? rest.length : end)
  return values.length === 0 ? [null] : values
}

function simplest(values: readonly FlagValue[]): FlagValue | readonly FlagValue[] {
  const [only] = values
  return values.length === 1 && only !== undefined ? only : values
}
