/** The kinds of values that the settings about content and masking have. */

import { contentAttributes, contentNameOf } from '../telemetry/attributes.ts'
import { isObject, type Kind, type Read } from './kinds.ts'
import { nearest } from './suggest.ts'

/** Names of content attributes with commas between, or a list; a field of a tool by its own name; `all`. */
export function contentNames(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const words = (Array.isArray(raw) ? raw : String(raw).split(',')).map((word) => String(word).trim())
      const names = words.filter((word) => word !== '')
      const unknown = names.find((name) => name !== 'all' && contentNameOf(name) === undefined)
      if (unknown === undefined) return { value: [...new Set(names)] }
      const known = ['all', ...Object.keys(contentAttributes)]
      const meant = nearest(unknown, known)
      const hint = `use some of: ${known.join(', ')}, or one field of a tool, such as tool.input.command`
      return { hint: meant === undefined ? hint : `${hint} (did you mean ${meant} for ${unknown}?)` }
    },
    show: (value) => value.join(','),
  }
}

/** Words with commas between, or a list. Which there are is seen in privacy.ts. */
export function words(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const all = (Array.isArray(raw) ? raw : String(raw).split(',')).map((word) => String(word).trim().toLowerCase())
      return { value: [...new Set(all.filter((word) => word !== ''))] }
    },
    show: (value) => value.join(','),
  }
}

/** One text as it is, or a list of texts; in the environment a list is JSON. Shown by their number alone. */
export function texts(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const items = readList(raw)
      if (items === undefined || !items.every((item) => typeof item === 'string')) {
        return { hint: 'use one text, or a JSON list of texts' }
      }
      return { value: items.filter((item) => item !== '') }
    },
    show: showCount('text'),
  }
}

export interface PatternText {
  /** Stands in the placeholder. */
  readonly name: string
  readonly pattern: string
}

const patternName = /^[\w.-]{1,40}$/

/** One pattern, or a list of patterns or of `{ name, pattern }`. Whether they compile is seen in privacy.ts. */
export function patterns(): Kind<readonly PatternText[]> {
  const hint = 'use one pattern, or a JSON list of patterns or of {"name": "…", "pattern": "…"}'
  return {
    read: (raw): Read<readonly PatternText[]> => {
      const items = readList(raw)
      const value = items?.map(readPattern)
      if (value === undefined || value.includes(undefined)) return { hint }
      return { value: value.filter((item) => item !== undefined) }
    },
    show: showCount('pattern'),
  }
}

function readPattern(item: unknown): PatternText | undefined {
  if (typeof item === 'string') return item === '' ? undefined : { name: 'custom', pattern: item }
  if (!isObject(item) || typeof item.pattern !== 'string' || item.pattern === '') return undefined
  const { name = 'custom', pattern } = item
  return typeof name === 'string' && patternName.test(name) ? { name, pattern } : undefined
}

/** What begins like a JSON list and is none is nothing: a pattern `[a-z]+` is taken as it is. */
function readList(raw: unknown): readonly unknown[] | undefined {
  if (Array.isArray(raw)) return raw
  if (typeof raw !== 'string') return isObject(raw) ? [raw] : undefined
  if (!/^\s*\[\s*["{\]]/.test(raw)) return [raw]
  try {
    const value: unknown = JSON.parse(raw)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Such texts can be secrets themselves. */
function showCount(what: string): (value: readonly unknown[]) => string {
  return ({ length }) => (length === 0 ? '' : `${length} ${what}${length === 1 ? '' : 's'}`)
}
