/**
 * Known secrets become `[REDACTED:kind]` before anything is written to disk or sent: those of the table in detectors.ts, and
 * what the user's own patterns find. No pattern is tried on a text that does not contain one of its markers.
 */
import { type Detector, detectors, type Find } from './detectors.ts'

/** A pattern of the user's, compiled: calls `replace` for every match and gives the text with its answers. */
export interface UserPattern {
  readonly name: string
  readonly replaceAll: (text: string, replace: (match: string, offset: number) => string) => string
}

export interface RedactionRules {
  readonly patterns: readonly UserPattern[]
  /** Literal texts: what stands wholly within one of them is never masked. */
  readonly allow: readonly string[]
  /** Names of detectors that are not used, or `all`. */
  readonly off: readonly string[]
}

export const defaultRedaction: RedactionRules = { patterns: [], allow: [], off: [] }

/** What either of two sets of rules masks. */
export function stricterRules(one: RedactionRules, other: RedactionRules): RedactionRules {
  const inBoth = <T>(left: readonly T[], right: readonly T[]): T[] => left.filter((each) => right.includes(each))
  const off = [
    ...inBoth(one.off, other.off),
    ...(one.off.includes('all') ? other.off : []),
    ...(other.off.includes('all') ? one.off : []),
  ]
  return {
    patterns: [...one.patterns, ...other.patterns],
    allow: inBoth(one.allow, other.allow),
    off: [...new Set(off)],
  }
}

export interface Redactor {
  /** The text with every known secret replaced; `onMasked` hears the kind of each. Linear in its length, which the caller bounds. */
  redact(text: string, onMasked?: (kind: string) => void): string
  /** The placeholder for the value of a field whose name says that it is a secret; undefined where that is switched off. */
  readonly namedSecret: string | undefined
}

/** How much of a line a find is told beside its match. */
const surroundingChars = 160

export function createRedactor({ patterns, allow, off }: RedactionRules): Redactor {
  const isOn = ({ name }: Detector): boolean => !off.some((each) => each === 'all' || each === name)
  const finds = detectors
    .filter(isOn)
    .flatMap((detector: Detector) => detector.finds.map((find) => ({ detector, find })))
  const markers = createMarkers(finds.map(({ find }) => find.markers))
  const isAllowed = createAllowance(allow)
  return {
    redact(text, onMasked = () => {}) {
      let result = text
      for (const { name, replaceAll } of patterns) {
        const before = result
        result = replaceAll(before, (match, offset) => {
          if (match === '' || isAllowed(before, offset, match.length)) return match
          onMasked(name)
          return placeholder(name)
        })
      }
      for (const index of markers(text)) {
        const known = finds[index]
        if (known !== undefined) result = replace(result, known.find, known.detector.name, isAllowed, onMasked)
      }
      return result
    },
    namedSecret: off.some((each) => each === 'all' || each === 'secret') ? undefined : placeholder('secret'),
  }
}

type Allowance = (text: string, offset: number, length: number) => boolean

function replace(
  text: string,
  { pattern, accept }: Find,
  name: string,
  isAllowed: Allowance,
  onMasked: (kind: string) => void,
): string {
  return text.replace(pattern, (match: string, ...rest: unknown[]) => {
    const [group] = rest
    const kept = typeof group === 'string' ? group : ''
    const offset = Number(rest.find((each) => typeof each === 'number')) + kept.length
    const secret = match.slice(kept.length)
    if (secret.startsWith('[REDACTED:') || isAllowed(text, offset, secret.length)) return match
    if (accept !== undefined && !accept(secret, lineBefore(text, offset), lineAfter(text, offset + secret.length)))
      return match
    onMasked(name)
    return kept + placeholder(name)
  })
}

function lineBefore(text: string, end: number): string {
  const before = text.slice(Math.max(0, end - surroundingChars), end)
  return before.slice(before.lastIndexOf('\n') + 1)
}

function lineAfter(text: string, start: number): string {
  const after = text.slice(start, start + surroundingChars)
  const end = after.indexOf('\n')
  return end === -1 ? after : after.slice(0, end)
}

/**
 * Which of the lists of markers have one in a text, by index and in order: one search for all of them, which is several times
 * faster than one for each.
 */
function createMarkers(lists: readonly (readonly string[])[]): (text: string) => readonly number[] {
  const all = [...new Set(lists.flat())].sort((a, b) => b.length - a.length)
  const always = lists.flatMap((list, index) => (list.length === 0 ? [index] : []))
  if (all.length === 0) return () => always
  const any = new RegExp(all.map((marker) => RegExp.escape(marker)).join('|'), 'g')
  // Where one marker is found, those that it begins with are there too.
  const found = (marker: string): number[] =>
    lists.flatMap((list, index) => (list.some((each) => marker.startsWith(each)) ? [index] : []))
  const byMarker = new Map(all.map((marker) => [marker, found(marker)]))
  return (text) => {
    const lower = text.toLowerCase()
    any.lastIndex = 0
    let match = any.exec(lower)
    if (match === null) return always
    const seen = new Set<string>()
    const indexes = new Set(always)
    for (; match !== null; match = any.exec(lower)) {
      any.lastIndex = match.index + 1
      const [marker] = match
      if (seen.has(marker)) continue
      seen.add(marker)
      for (const index of byMarker.get(marker) ?? []) indexes.add(index)
    }
    return [...indexes].sort((a, b) => a - b)
  }
}

function createAllowance(allow: readonly string[]): Allowance {
  const texts = allow.filter((text) => text !== '')
  if (texts.length === 0) return () => false
  return (text, offset, length) =>
    texts.some((allowed) => {
      const around = text.slice(Math.max(0, offset + length - allowed.length), offset + allowed.length)
      return around.includes(allowed)
    })
}

function placeholder(kind: string): string {
  return `[REDACTED:${kind}]`
}
