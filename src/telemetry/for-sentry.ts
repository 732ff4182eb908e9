/** Spans and log records as Sentry's agent views find them: by their `op`, with its names for cached tokens and its environment. */
import {
  conventionalWords,
  type Retelling,
  type Told,
  tokensOf,
  type Work,
  withAttributes,
  workOf,
} from './retelling.ts'
import type { AttributeValue, SpanSignal } from './signal.ts'

/** Sentry would call every span of a model or tool `gen_ai`, and find it in none of its views. */
const ops: Readonly<Record<Work, string>> = {
  agent: 'gen_ai.invoke_agent',
  chat: 'gen_ai.chat',
  tool: 'gen_ai.execute_tool',
  other: 'session',
}

export const forSentry: Retelling = {
  span: (span, told) =>
    withAttributes(span, {
      ...conventionalWords(span),
      ...cached(span),
      ...surroundings(told),
      'sentry.op': ops[workOf(span)],
    }),
  log: (log, { environment }) => withAttributes(log, { 'sentry.environment': environment }),
}

function surroundings({ environment, traceRatio = 1 }: Told): Record<string, AttributeValue | undefined> {
  return {
    'sentry.environment': environment,
    // By which Sentry reckons what was left out.
    'sentry.client_sample_rate': traceRatio < 1 ? traceRatio : undefined,
  }
}

function cached(span: SpanSignal): Record<string, number> {
  if (workOf(span) !== 'chat') return {}
  const { cacheRead, cacheWrite, reasoning } = tokensOf(span)
  return {
    'gen_ai.usage.input_tokens.cached': cacheRead,
    'gen_ai.usage.input_tokens.cache_write': cacheWrite,
    'gen_ai.usage.output_tokens.reasoning': reasoning,
  }
}
