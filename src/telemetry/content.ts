/**
 * How much of content may be kept, and may leave: a rule says how many characters of which attribute. keeper.ts applies one to
 * what comes in; `applyContentRule` another, narrower one to what goes out to one destination. Knows nothing of secrets: the
 * wrapper loads this before claude starts.
 */
import { type ContentName, contentAttributes, contentBodies, contentNameOf, type LogEventName } from './attributes.ts'
import { cutJson } from './messages.ts'
import { cutMasked } from './preview.ts'
import type { Attributes, AttributeValue, LogSignal, Signal, SpanSignal } from './signal.ts'

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
  if (!isWhole && isJson(name)) return 0
  return isWhole ? Math.max(wholeLength, previewLength) : previewLength
}

/** How much a conversation's messages may have, of whatever they are made; 0 where nobody wants them. */
export function messageLimitOf(rule: ContentRule): number {
  return Math.max(limitOf(rule, 'gen_ai.input.messages'), limitOf(rule, 'gen_ai.output.messages'))
}

/** As `messageLimitOf`, of all that a conversation's history has. */
export function historyLimitOf(rule: ContentRule): number {
  return Math.max(messageLimitOf(rule), limitOf(rule, 'gen_ai.system_instructions'))
}

/** As `messageLimitOf`, of a tool call's arguments and result. */
export function callLimitOf(rule: ContentRule): number {
  return Math.max(limitOf(rule, 'gen_ai.tool.call.arguments'), limitOf(rule, 'gen_ai.tool.call.result'))
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
  const flags: string[] = []
  for (const name in attributes) {
    const value = attributes[name]
    const content = typeof value === 'string' ? contentNameOf(name) : undefined
    if (content === undefined || typeof value !== 'string') continue
    const kept = cutText(value, name, rule)
    if (kept === value) continue
    changed ??= { ...attributes }
    if (kept === undefined) delete changed[name]
    else changed[name] = kept
    const flag = flagOf(content)
    if (flag !== undefined && value !== '') flags.push(flag)
  }
  for (const flag of flags) if (changed?.[flag] === false) changed[flag] = true
  return changed ?? attributes
}

function cutText(text: string, attribute: string, rule: ContentRule): string | undefined {
  const limit = limitOf(rule, attribute)
  if (limit === 0) return undefined
  const name = contentNameOf(attribute)
  return name !== undefined && isJson(name) ? cutJson(text, limit) : cutMasked(text, limit)
}

function flagOf(name: ContentName): string | undefined {
  const entry = contentAttributes[name]
  return 'flag' in entry ? entry.flag : undefined
}

function isJson(name: ContentName): boolean {
  return 'isJson' in contentAttributes[name]
}
