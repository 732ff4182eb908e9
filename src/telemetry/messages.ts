/**
 * Messages in the shapes of OpenTelemetry's GenAI conventions, and how their JSON is held within a length: of a conversation
 * the oldest messages go first, of what is too long by itself its texts are cut. Texts are masked already.
 */
import { cutMasked } from './preview.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

export type Part =
  | { readonly type: 'text' | 'reasoning'; readonly content: string }
  | { readonly type: 'tool_call'; readonly id: string; readonly name: string; readonly arguments: Json }
  | { readonly type: 'tool_call_response'; readonly id: string; readonly response: Json }
  /** Stands for messages that are left out. */
  | { readonly type: 'omitted'; readonly messages: number }

export interface Message {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly parts: readonly Part[]
}

/** An answer has `finish_reason`. */
export interface OutputMessage extends Message {
  readonly finish_reason: string
}

const finishReasons: Readonly<Record<string, string>> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  max_tokens: 'length',
  tool_use: 'tool_call',
  refusal: 'content_filter',
}

/** The conventions' word for Claude's; `error` for an answer that was never whole, Claude's own where there is no other. */
export function finishReasonOf(stopReason: string | undefined): string {
  return stopReason === undefined ? 'error' : (finishReasons[stopReason] ?? stopReason)
}

/**
 * The newest messages whose JSON has at most `maxChars`, behind one that says how many are missing, `omitted` among them;
 * undefined where there are none, or none that has room.
 */
export function renderMessages(messages: readonly Message[], maxChars: number, omitted = 0): string | undefined {
  if (messages.length === 0) return undefined
  const all = [...omission(omitted), ...messages]
  const whole = JSON.stringify(all)
  return whole.length <= maxChars ? whole : cutList(all as unknown as readonly Json[], maxChars)
}

/** JSON within `maxChars`, or a text that is none, cut; undefined where nothing of it has room. */
export function cutJson(text: string, maxChars: number): string | undefined {
  if (text.length <= maxChars) return text
  const value = parseStructure(text)
  if (value === undefined) return cutMasked(text, maxChars)
  return isMessages(value) ? cutList(value, maxChars) : cutTexts(value, maxChars)
}

/** An object or a list; undefined for any other text. */
export function parseStructure(text: string): Json | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

function isMessages(value: Json): value is readonly Json[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => isObject(each) && 'parts' in each)
}

/** A list that was cut before says so in its first message, and how many it had lost by then. */
function cutList(messages: readonly Json[], maxChars: number): string | undefined {
  const before = omittedIn(messages[0])
  const all = before === 0 ? messages : messages.slice(1)
  const sizes = all.map((each) => JSON.stringify(each).length + 1)
  let first = all.length
  for (let left = maxChars - omissionChars; first > 0; first--) {
    left -= sizes[first - 1] ?? 0
    if (left < 0) break
  }
  if (first < all.length) return JSON.stringify([...omission(before + first), ...all.slice(first)])
  const last = all.at(-1)
  const shortened = last === undefined ? undefined : cutTexts(last, maxChars - omissionChars)
  if (shortened === undefined) return undefined
  return JSON.stringify([...omission(before + all.length - 1), JSON.parse(shortened)])
}

const omissionChars = 100

function omission(messages: number): Message[] {
  return messages === 0 ? [] : [{ role: 'system', parts: [{ type: 'omitted', messages }] }]
}

function omittedIn(message: Json | undefined): number {
  const parts = isObject(message) ? message.parts : undefined
  const part = Array.isArray(parts) ? (parts[0] as Json | undefined) : undefined
  return isObject(part) && part.type === 'omitted' && typeof part.messages === 'number' ? part.messages : 0
}

/** Longer than ids and the conventions' words. */
const shortestText = 64

/** Every text is cut to the same length, half as long until all fits; undefined where it is not the texts that are too much. */
function cutTexts(value: Json, maxChars: number): string | undefined {
  for (let limit = maxChars; ; limit = Math.max(shortestText, Math.floor(limit / 2))) {
    const text = JSON.stringify(withTexts(value, limit))
    if (text.length <= maxChars) return text
    if (limit <= shortestText) return undefined
  }
}

function withTexts(value: Json, limit: number): Json {
  if (typeof value === 'string') return cutMasked(value, limit)
  if (Array.isArray(value)) return value.map((each: Json) => withTexts(each, limit))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withTexts(each, limit)]))
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
