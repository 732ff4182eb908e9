/**
 * Spans as Langfuse's observations. It takes whatever has a model for a generation, and adds up the usage of all observations of a
 * trace: so model and usage are told of requests alone, and by its own names, which all of its versions understand alike.
 */
import {
  asText,
  isUsage,
  isWords,
  type Retelling,
  type Tokens,
  tokensOf,
  type Work,
  withAttributes,
  wordsOf,
  workOf,
} from './retelling.ts'
import type { AttributeValue, SpanSignal } from './signal.ts'

const types: Readonly<Record<Work, string>> = { chat: 'generation', agent: 'agent', tool: 'tool', other: 'span' }

export const forLangfuse: Retelling = {
  span(span, { environment }) {
    const { attributes } = span
    const { input, output } = wordsOf(span)
    return withAttributes(
      span,
      {
        'langfuse.trace.name': 'claude-code',
        'langfuse.environment': environment,
        'langfuse.observation.type': types[workOf(span)],
        'langfuse.observation.input': asText(input),
        'langfuse.observation.output': asText(output),
        // Runs of one conversation stand together, forks with it.
        'session.id': attributes['gen_ai.conversation.id'] ?? attributes['session.id'],
        ...(workOf(span) === 'chat' ? generation(span) : {}),
      },
      (name) => !isUsage(name) && !isModel(name) && !isWords(name),
    )
  },
}

function isModel(name: string): boolean {
  return name === 'model' || name === 'gen_ai.request.model' || name === 'gen_ai.response.model'
}

function generation(span: SpanSignal): Record<string, AttributeValue | undefined> {
  const { attributes } = span
  return {
    'gen_ai.request.model': attributes['gen_ai.request.model'],
    'gen_ai.response.model': attributes['gen_ai.response.model'],
    'langfuse.observation.model.name': attributes['gen_ai.response.model'] ?? attributes['gen_ai.request.model'],
    'langfuse.observation.usage_details': JSON.stringify(usage(tokensOf(span))),
  }
}

/** Each token in one place only: that is how they are priced there. */
function usage({ input, output, cacheRead, cacheWrite, reasoning }: Tokens): Record<string, number> {
  return {
    input,
    output: Math.max(0, output - reasoning),
    ...(cacheRead > 0 ? { input_cached_tokens: cacheRead } : {}),
    ...(cacheWrite > 0 ? { input_cache_creation: cacheWrite } : {}),
    ...(reasoning > 0 ? { output_reasoning_tokens: reasoning } : {}),
  }
}
