/**
 * What may be kept of content. A rule says how much of which attribute; the keeper applies one, and the masking before it, to
 * what comes in; `applyContentRule` applies another, narrower one to what goes out to one destination.
 */
import {
  type AttributeName,
  type ContentName,
  contentAttributes,
  contentBodies,
  contentNameOf,
  type LogEventName,
} from './attributes.ts'
import { createPreview, cutMasked, type Preview } from './preview.ts'
import { createRedactor, defaultRedaction, type Redactor } from './redact.ts'
import type { Attributes, AttributeValue, LogSignal, Signal, SpanSignal } from './signal.ts'
import { type Summary, summarize } from './summary.ts'

export interface ContentRule {
  /** Characters of a preview; 0 = no text at all. */
  readonly previewLength: number
  /** Content that is kept whole: names of content attributes, `tool.input.<field>` among them, or `all`. */
  readonly whole: readonly string[]
  /** Characters of whole content. */
  readonly wholeLength: number
}

export const defaultContent: ContentRule = { previewLength: 256, whole: [], wholeLength: 60_000 }

/** How many characters of an attribute's text the rule lets pass; Infinity for an attribute that is no content. */
export function limitOf({ previewLength, whole, wholeLength }: ContentRule, attribute: string): number {
  const name = contentNameOf(attribute)
  if (name === undefined) return Number.POSITIVE_INFINITY
  const isWhole = whole.some((each) => each === 'all' || each === name || each === attribute)
  return isWhole ? Math.max(wholeLength, previewLength) : previewLength
}

/** What has to be kept so that each rule can be applied to it later; nothing, where there is no rule. */
export function widestRule(rules: readonly ContentRule[]): ContentRule {
  return {
    previewLength: Math.max(0, ...rules.map((rule) => rule.previewLength)),
    whole: [...new Set(rules.flatMap((rule) => rule.whole))],
    wholeLength: Math.max(0, ...rules.map((rule) => rule.wholeLength)),
  }
}

/** What both of two rules let pass. */
export function narrowerRule(one: ContentRule, other: ContentRule): ContentRule {
  const isWholeIn = ({ whole }: ContentRule, name: string): boolean =>
    whole.some((each) => each === 'all' || each === name || each === contentNameOf(name))
  const both = [
    ...one.whole.filter((name) => isWholeIn(other, name)),
    ...other.whole.filter((name) => isWholeIn(one, name)),
  ]
  return {
    previewLength: Math.min(one.previewLength, other.previewLength),
    whole: [...new Set(both)],
    wholeLength: Math.min(one.wholeLength, other.wholeLength),
  }
}

/** What was done to the texts that were kept. */
export interface Tally {
  /** Texts that were cut or left out. */
  readonly cut: number
  /** Secrets by kind. A text that is kept twice counts twice. */
  readonly masked: Readonly<Record<string, number>>
}

export interface Keeper {
  /** Of somebody's words: masked, cut to what the rule gives that attribute. */
  preview(attribute: AttributeName, text: string): Preview
  /** Of a structure: every field masked and cut. */
  summarize(kind: 'tool.input' | 'tool.response' | 'hook.fields', value: unknown): Summary
  /** Of a name, an id or a place: masked, and cut where it is too long for one. */
  mask(text: string): string
  /** As `mask`; where that changes it, this process can have the path itself from `pathOf`. */
  maskPath(path: string): string
  pathOf(masked: string): string
  /** What was done since the last call; undefined where that was nothing. */
  takeTally(): Tally | undefined
}

/** No name or path is longer; what is, is something else. */
const maxNameChars = 4096

export function createKeeper({
  rule = defaultContent,
  redactor = createRedactor(defaultRedaction),
}: {
  readonly rule?: ContentRule
  readonly redactor?: Redactor
}): Keeper {
  const paths = new Map<string, string>()
  let cut = 0
  let masked: Record<string, number> = {}
  const redact = (text: string): string =>
    redactor.redact(text, (kind) => {
      masked[kind] = (masked[kind] ?? 0) + 1
    })
  const hide = (placeholder: string) => (): string => {
    masked.secret = (masked.secret ?? 0) + 1
    return placeholder
  }
  const { namedSecret } = redactor
  const count = <T extends { readonly truncated: boolean }>(kept: T): T => {
    if (kept.truncated) cut += 1
    return kept
  }
  const mask = (text: string): string =>
    isPlainId(text) ? text : count(createPreview(text, maxNameChars, redact)).text
  return {
    preview: (attribute, text) => count(createPreview(text, limitOf(rule, attribute), redact)),
    summarize: (kind, value) =>
      count(
        summarize(value, {
          mask: redact,
          hideSecret: namedSecret === undefined ? undefined : hide(namedSecret),
          textChars: limitOf(rule, summaryNames[kind]),
          fieldChars: (field) => limitOf(rule, kind === 'hook.fields' ? kind : `${kind}.${field}`),
        }),
      ),
    mask,
    maskPath(path) {
      const shown = mask(path)
      if (shown !== path) paths.set(shown, path)
      return shown
    },
    pathOf: (shown) => paths.get(shown) ?? shown,
    takeTally() {
      const isNothing = cut === 0 && Object.keys(masked).length === 0
      const tally = isNothing ? undefined : { cut, masked }
      cut = 0
      masked = {}
      return tally
    },
  }
}

/** Under which name a summary's text leaves. */
const summaryNames = {
  'tool.input': 'input.summary',
  'tool.response': 'tool.response.text',
  'hook.fields': 'hook.fields',
} as const

/** A UUID, as most ids are: nothing to look for in it. */
function isPlainId(text: string): boolean {
  return text.length === 36 && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)
}

/**
 * What one destination may get of a signal that is masked already: every content attribute, status message and body is cut to
 * the rule's limit, and left out where that is 0 (a body is the event's name then). Sizes stay, flags tell the cut. Gives the
 * same object where nothing is to be cut.
 */
export function applyContentRule<S extends Signal>(signal: S, rule: ContentRule): S
export function applyContentRule(signal: Signal, rule: ContentRule): Signal {
  if (signal.kind === 'span') return cutSpan(signal, rule)
  return signal.kind === 'log' ? cutLog(signal, rule) : signal
}

function cutSpan(span: SpanSignal, rule: ContentRule): SpanSignal {
  const attributes = cutAttributes(span.attributes, rule)
  const events = span.events.map((event) => {
    const kept = cutAttributes(event.attributes, rule)
    return kept === event.attributes ? event : { ...event, attributes: kept }
  })
  const isSame = attributes === span.attributes && events.every((event, index) => event === span.events[index])
  const message = span.error?.message
  const kept = message === undefined ? undefined : cutText(message, 'error.message', rule)
  if (isSame && kept === message) return span
  const error = span.error === undefined ? {} : { error: kept === undefined ? {} : { message: kept } }
  return { ...span, attributes, events, ...error }
}

function cutLog(log: LogSignal, rule: ContentRule): LogSignal {
  const attributes = cutAttributes(log.attributes, rule)
  const body = cutBody(log, rule)
  return attributes === log.attributes && body === log.body ? log : { ...log, attributes, body }
}

function cutBody({ eventName, body, attributes }: LogSignal, rule: ContentRule): string {
  const name = contentBodies[eventName as LogEventName]
  if (name === undefined) return body
  const limit = limitOf(rule, name)
  if (limit === 0) return eventName
  const words = attributes[name]
  if (typeof words !== 'string' || !body.endsWith(words)) return cutMasked(body, limit)
  return body.slice(0, body.length - words.length) + cutMasked(words, limit)
}

function cutAttributes(attributes: Attributes, rule: ContentRule): Attributes {
  let changed: Record<string, AttributeValue> | undefined
  const flags = new Set<string>()
  for (const [name, value] of Object.entries(attributes)) {
    const content = contentNameOf(name)
    if (content === undefined || typeof value !== 'string') continue
    const kept = cutText(value, name, rule)
    if (kept === value) continue
    changed ??= { ...attributes }
    if (kept === undefined) delete changed[name]
    else changed[name] = kept
    const flag = flagOf(content)
    if (flag !== undefined && value !== '') flags.add(flag)
  }
  for (const flag of flags) if (changed?.[flag] === false) changed[flag] = true
  return changed ?? attributes
}

function cutText(text: string, attribute: string, rule: ContentRule): string | undefined {
  const limit = limitOf(rule, attribute)
  return limit === 0 ? undefined : cutMasked(text, limit)
}

function flagOf(name: ContentName): string | undefined {
  const entry = contentAttributes[name]
  return 'flag' in entry ? entry.flag : undefined
}
