/** Spans as Braintrust's: their type, input and output as JSON, and metrics where they were spent. */
import { isUsage, isWords, type Retelling, tokensOf, type Work, withAttributes, wordsOf, workOf } from './retelling.ts'
import type { SpanSignal } from './signal.ts'

const types: Readonly<Record<Work, string>> = { chat: 'llm', agent: 'task', tool: 'tool', other: 'task' }

export const forBraintrust: Retelling = {
  span(span) {
    const { input, output } = wordsOf(span)
    const isRequest = workOf(span) === 'chat'
    return withAttributes(
      span,
      {
        'braintrust.span_attributes': JSON.stringify({ type: types[workOf(span)] }),
        // What is not JSON would be taken for metadata.
        'braintrust.input_json': input === undefined ? undefined : JSON.stringify(input),
        'braintrust.output_json': output === undefined ? undefined : JSON.stringify(output),
        'braintrust.metadata': JSON.stringify(metadata(span)),
        'braintrust.metrics': isRequest ? JSON.stringify(metrics(span)) : undefined,
      },
      (name) => !isWords(name) && (isRequest || !isUsage(name)),
    )
  },
}

function metadata({ attributes }: SpanSignal): Record<string, unknown> {
  return {
    provider: attributes['gen_ai.provider.name'],
    model: attributes['gen_ai.response.model'] ?? attributes['gen_ai.request.model'],
    session_id: attributes['session.id'],
    conversation_id: attributes['gen_ai.conversation.id'],
  }
}

/** Cached tokens are part of the prompt's. */
function metrics(span: SpanSignal): Record<string, number> {
  const { input, output, cacheRead, cacheWrite, reasoning } = tokensOf(span)
  const prompt = input + cacheRead + cacheWrite
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    tokens: prompt + output,
    prompt_cached_tokens: cacheRead,
    prompt_cache_creation_tokens: cacheWrite,
    ...(reasoning > 0 ? { completion_reasoning_tokens: reasoning } : {}),
  }
}
