/** Settings written into the user's file: what flags and environment say now, for those who see neither. */
import { Failure } from '../base/errors.ts'
import { type JSONPath, parseJsonc, setJson } from '../base/jsonc.ts'
import { readUserFile, requireWritable, type UserFile, writeUserFile } from '../base/user-file.ts'
import { isObject } from './kinds.ts'
import { type SettingKey, settingKeys } from './settings.ts'
import type { GivenValue } from './values.ts'

/** What is to be done to the file; nothing has been yet. */
export interface SavedSettings {
  readonly path: string
  readonly before: string | undefined
  readonly after: string
  /** Does it. Fails (`io`) with the file as it was. */
  carryOut(): void
}

/** The settings in the file, whose other words and comments stay. Fails where it cannot be understood or written. */
export function planSettings(path: string, given: ReadonlyMap<SettingKey, GivenValue>): SavedSettings {
  const file = readUserFile(path)
  const after = [...given].reduce((text, [key, { value }]) => withSetting(text, key, value, path), file.text ?? '')
  const carryOut = () => {
    if (after !== (file.text ?? '')) write(file, after)
  }
  return { path, before: file.text, after, carryOut }
}

function write(file: UserFile, text: string): void {
  requireWritable(file)
  // It may hold credentials.
  writeUserFile(file, text, 0o600)
}

function withSetting(text: string, key: SettingKey, value: unknown, path: string): string {
  const content = contentOf(text, path)
  const place: JSONPath = Object.hasOwn(content, key) || isBelowSetting(key) ? [key] : key.split('.')
  const isGroup = place.slice(0, -1).every((_, at) => isObject(valueAt(content, place.slice(0, at + 1)) ?? {}))
  if (!isGroup) throw new Failure('data', `${path} has no place for ${key}`, `"${place[0]}" there is not an object`)
  return setJson(text, place, plain(key, value))
}

/** Where the group of a key has a value of its own, the key is written with its dots, which it always may be. */
function isBelowSetting(key: SettingKey): boolean {
  return settingKeys.some((each) => key.startsWith(`${each}.`))
}

function contentOf(text: string, path: string): Readonly<Record<string, unknown>> {
  const parsed = parseJsonc(text)
  if ('problem' in parsed)
    throw new Failure('data', `${path} is not JSON: ${parsed.problem}`, 'mend it, then try again')
  if (!isObject(parsed.value)) throw new Failure('data', `${path} is not a JSON object`, 'mend it, then try again')
  return parsed.value
}

function valueAt(content: unknown, place: JSONPath): unknown {
  return place.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), content)
}

/** Lists are JSON in a variable, and had better be lists in a file. */
function plain(key: SettingKey, value: unknown): unknown {
  if (!lists.includes(key) || typeof value !== 'string' || !/^\s*[[{]/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

const lists: readonly SettingKey[] = ['destinations', 'guard', 'redact.patterns', 'redact.allow']
