/**
 * Spans as Logfire shows them: a sentence for each, which attributes hold JSON, messages as its panels read them, and sums of
 * tokens under another name, because it adds up those of all descendants itself.
 */
import { cutMasked } from './preview.ts'
import { conventionalWords, isUsage, type Retelling, withAttributes, workOf } from './retelling.ts'
import type { AttributeValue, SpanSignal } from './signal.ts'

/** What Logfire's own library allows a value in a sentence. */
const valueLength = 128
const errorLevel = 17

export const forLogfire: Retelling = {
  span(span) {
    const words = conventionalWords(span)
    const isSum = workOf(span) !== 'chat'
    return withAttributes(
      span,
      {
        ...words,
        ...(isSum ? sums(span) : {}),
        'logfire.msg': sentence(span),
        'logfire.level_num': span.error === undefined ? undefined : errorLevel,
        'logfire.json_schema': schema({ ...span.attributes, ...words }),
      },
      (name) => !isSum || !isUsage(name),
    )
  },
}

function sums({ attributes }: SpanSignal): Record<string, AttributeValue> {
  const found = Object.entries(attributes).filter(([name]) => isUsage(name))
  return Object.fromEntries(
    found.map(([name, value]) => [name.replace('gen_ai.usage.', 'gen_ai.aggregated_usage.'), value]),
  )
}

/** The name, and what it was about in a few words where these may be told. */
function sentence(span: SpanSignal): string {
  const { attributes, name } = span
  const about = workOf(span) === 'tool' ? attributes['input.summary'] : attributes['prompt.preview']
  if (typeof about !== 'string' || about === '') return name
  return `${name}: ${cutMasked(about.replaceAll(/\s+/g, ' '), valueLength)}`
}

const structures = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
]

/** Of the attributes that hold JSON as a text: what is to be made of them. */
function schema(attributes: Readonly<Record<string, AttributeValue | undefined>>): string | undefined {
  const properties = structures.flatMap((name) => {
    const start = String(attributes[name] ?? '').trimStart()[0]
    const type = start === '[' ? 'array' : start === '{' ? 'object' : undefined
    return type === undefined ? [] : [[name, { type }] as const]
  })
  if (properties.length === 0) return undefined
  return JSON.stringify({ type: 'object', properties: Object.fromEntries(properties) })
}
