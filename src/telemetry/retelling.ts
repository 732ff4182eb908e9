/**
 * Signals told anew for the views of one product: what leaves for it has attributes of its own beside ours. Pure, and after the
 * content rule of its destination: words stand here only as far as they may go there.
 */
import type { Attributes, AttributeValue, LogSignal, SpanSignal } from './signal.ts'

/** What the account's variables say of everything that is told there. */
export interface Told {
  readonly environment?: string
  /** Share of sessions that are told at all. */
  readonly traceRatio?: number
}

export interface Retelling {
  span(span: SpanSignal, told: Told): SpanSignal
  /** Absent: as they are. */
  log?(log: LogSignal, told: Told): LogSignal
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** What kind of work a span is. */
export type Work = 'chat' | 'agent' | 'tool' | 'other'

export function workOf({ attributes }: SpanSignal): Work {
  const operation = attributes['gen_ai.operation.name']
  if (operation === 'chat') return 'chat'
  if (operation === 'invoke_agent') return 'agent'
  return operation === 'execute_tool' ? 'tool' : 'other'
}

/** The span with more attributes, and without some; undefined values are left out. */
export function withAttributes<S extends SpanSignal | LogSignal>(
  signal: S,
  more: Readonly<Record<string, AttributeValue | undefined>>,
  isKept: (name: string) => boolean = () => true,
): S {
  const kept = Object.entries({ ...signal.attributes, ...more }).filter(
    ([name, value]) => value !== undefined && (name in more || isKept(name)),
  )
  return { ...signal, attributes: Object.fromEntries(kept) as Attributes }
}

/** What went into a span's work and what came of it, as values; absent where nothing may be told. */
export interface Words {
  readonly input?: Json
  readonly output?: Json
}

/**
 * From the messages of the conventions where content is told whole, else from previews: a text for what a person wrote and an
 * agent answered, an object of fields for a tool.
 */
export function wordsOf(span: SpanSignal): Words {
  const { attributes } = span
  if (workOf(span) === 'tool') {
    const failure = attributes['tool.error'] ?? attributes['error.message']
    return pair(
      json(attributes['gen_ai.tool.call.arguments']) ?? fields(attributes, 'tool.input.'),
      json(attributes['gen_ai.tool.call.result']) ??
        fields(attributes, 'tool.response.') ??
        (typeof failure === 'string' ? failure : undefined),
    )
  }
  return pair(
    json(attributes['gen_ai.input.messages']) ?? text(attributes['prompt.preview']),
    json(attributes['gen_ai.output.messages']) ?? text(attributes['response.preview']),
  )
}

function pair(input: Json | undefined, output: Json | undefined): Words {
  return { ...(input === undefined ? {} : { input }), ...(output === undefined ? {} : { output }) }
}

/** A structure that stands in an attribute as its JSON text; a text that is none stands for itself. */
function json(value: AttributeValue | undefined): Json | undefined {
  if (typeof value !== 'string') return value === undefined ? undefined : (value as Json)
  try {
    return JSON.parse(value) as Json
  } catch {
    return value
  }
}

function text(value: AttributeValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function fields(attributes: Attributes, prefix: string): Json | undefined {
  const found = Object.entries(attributes).filter(([name]) => name.startsWith(prefix))
  if (found.length === 0) return undefined
  return Object.fromEntries(found.map(([name, value]) => [name.slice(prefix.length), value as Json]))
}

/** The attributes by which views of the conventions read words. */
export function conventionalWords(span: SpanSignal): Readonly<Record<string, string | undefined>> {
  const { input, output } = wordsOf(span)
  if (workOf(span) === 'tool')
    return { 'gen_ai.tool.call.arguments': asText(input), 'gen_ai.tool.call.result': asText(output) }
  return {
    'gen_ai.input.messages': asText(typeof input === 'string' ? message('user', input) : input),
    'gen_ai.output.messages': asText(typeof output === 'string' ? message('assistant', output) : output),
  }
}

function message(role: 'user' | 'assistant', content: string): Json {
  return [{ role, parts: [{ type: 'text', content }] }]
}

/** A structure as JSON, a text as it is. */
export function asText(value: Json | undefined): string | undefined {
  return value === undefined || typeof value === 'string' ? value : JSON.stringify(value)
}

/** For views that go by the conventions alone. */
export const byConventions: Retelling = {
  span: (span) => withAttributes(span, conventionalWords(span)),
}

/** The words of the conventions, for a product that gets them by names of its own: twice would be twice the size. */
export function isWords(name: string): boolean {
  return conventionalNames.has(name)
}

const conventionalNames: ReadonlySet<string> = new Set([
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
])

/** Tokens of one request, by Claude's meaning: `input` without what was cached. */
export interface Tokens {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite: number
  readonly reasoning: number
}

export function tokensOf({ attributes }: SpanSignal): Tokens {
  const of = (name: string): number => {
    const value = attributes[name]
    return typeof value === 'number' ? value : 0
  }
  return {
    input: of('tokens.input'),
    output: of('tokens.output'),
    cacheRead: of('tokens.cache_read'),
    cacheWrite: of('tokens.cache_creation'),
    reasoning: of('gen_ai.usage.reasoning.output_tokens'),
  }
}

/** What says of a span that its tokens were spent by it: of a sum over others a product would add them up twice. */
export function isUsage(name: string): boolean {
  return name.startsWith('gen_ai.usage.')
}
