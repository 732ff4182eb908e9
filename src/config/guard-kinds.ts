/** The kinds of values that the settings of the guard have: thresholds, commands, addresses, lists of rules. */
import { isObject, type Kind } from './kinds.ts'

export type GuardMeasure = 'context' | 'tokens' | 'cost'

const example = '{"on": "context", "above": "80%", "do": {"command": ["notify-send", "context"]}}'

export interface Threshold {
  readonly above: number
  readonly unit: 'share' | 'tokens' | 'usd'
}

/** `80%`, a number of tokens such as `150k`, an amount such as `$5`: what can be measured so. */
export function threshold(on: GuardMeasure): Kind<Threshold> {
  const hints = {
    context: 'use a percentage such as 80%, or a number of tokens such as 150000 or 150k',
    tokens: 'use a number of tokens such as 2000000 or 2M',
    cost: 'use an amount in US dollars such as 5 or $2.50',
  }
  return {
    read: (raw) => {
      const found =
        typeof raw === 'string' || typeof raw === 'number' ? readThreshold(on, String(raw).trim()) : undefined
      return found === undefined ? { hint: hints[on] } : { value: found }
    },
    show: showThreshold,
  }
}

export function showThreshold({ above, unit }: Threshold): string {
  if (unit === 'share') return `${Math.round(above * 10_000) / 100}%`
  return unit === 'usd' ? `$${above}` : `${above} tokens`
}

function readThreshold(on: GuardMeasure, written: string): Threshold | undefined {
  if (on === 'cost') {
    const above = /^\$?\s*(\d+(?:\.\d+)?)$/.exec(written)?.[1]
    return above === undefined || Number(above) === 0 ? undefined : { above: Number(above), unit: 'usd' }
  }
  const share = on === 'context' ? /^(\d+(?:\.\d+)?)\s*%$/.exec(written)?.[1] : undefined
  if (share !== undefined) {
    return Number(share) > 0 && Number(share) <= 100 ? { above: Number(share) / 100, unit: 'share' } : undefined
  }
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*(k|m)?$/i.exec(written) ?? []
  const above = Math.round(Number(count) * ({ '': 1, k: 1000, m: 1_000_000 }[unit.toLowerCase()] ?? Number.NaN))
  // Less than a share could be meant: 0.8, or 80.
  return above > 100 || (on === 'tokens' && above > 0) ? { above, unit: 'tokens' } : undefined
}

/** A program and its arguments: a list, in the environment a JSON list, or the program alone. */
export function command(): Kind<readonly string[]> {
  return {
    read: (raw) => {
      const given = typeof raw === 'string' && raw.trim().startsWith('[') ? parseList(raw) : raw
      const words: unknown = typeof given === 'string' ? [given.trim()] : given
      const hint = 'use a list of a program and its arguments, such as ["notify-send", "context"]; there is no shell'
      if (!Array.isArray(words) || !words.every((word) => typeof word === 'string')) return { hint }
      const [program = ''] = words
      if (program === '' || words.some((word) => word.includes('\0'))) return { hint }
      // It runs from the root, where a relative path is nobody's.
      if (/^[^/]+\/|^~/.test(program)) return { hint: 'use the absolute path of the program, or its name alone' }
      return { value: words }
    },
    show: ([program = '', ...rest]) => (rest.length === 0 ? program : `${program} …`),
  }
}

/** An address that is posted to. Shown without its path, which for many services is the key. */
export function webhook(): Kind<string> {
  return {
    read: (raw) => {
      const url = typeof raw === 'string' ? URL.parse(raw.trim()) : null
      const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:'
      return isHttp ? { value: url.href } : { hint: 'use an address such as https://example.com/hook (http or https)' }
    },
    show: (value) => `${new URL(value).origin}/…`,
  }
}

/** A list of objects, or one; in the environment JSON. What stands in them is read by `guardRules`. */
export function guardEntries(): Kind<readonly Readonly<Record<string, unknown>>[]> {
  return {
    read: (raw) => {
      const given = typeof raw === 'string' ? parseList(raw) : raw
      const entries = isObject(given) ? [given] : given
      if (Array.isArray(entries) && entries.every(isObject)) return { value: entries }
      return { hint: `use a list of objects such as [${example}]` }
    },
    show: (value) => value.map(({ on, above }) => `${String(on)} above ${String(above)}`).join(', '),
  }
}

function parseList(written: string): unknown {
  try {
    return JSON.parse(written)
  } catch {
    return undefined
  }
}
