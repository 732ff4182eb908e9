/** What each product's views get beside our attributes, from spans as the assembler tells them; and that words go no further than they may. */
import { describe, expect, test } from 'bun:test'
import { applyContentRule, defaultContent } from '../../src/telemetry/content.ts'
import { forBraintrust } from '../../src/telemetry/for-braintrust.ts'
import { forLangfuse } from '../../src/telemetry/for-langfuse.ts'
import { forLogfire } from '../../src/telemetry/for-logfire.ts'
import { forSentry } from '../../src/telemetry/for-sentry.ts'
import { byConventions, type Retelling, type Told } from '../../src/telemetry/retelling.ts'
import type { Attributes, SpanSignal } from '../../src/telemetry/signal.ts'
import { log, span } from '../export/signals.ts'

const common = {
  'session.id': 'session-1',
  'gen_ai.conversation.id': 'conversation-1',
  'gen_ai.provider.name': 'anthropic',
}
const usage = {
  'tokens.input': 10,
  'tokens.output': 50,
  'tokens.cache_read': 300,
  'tokens.cache_creation': 40,
  'gen_ai.usage.input_tokens': 350,
  'gen_ai.usage.output_tokens': 50,
  'gen_ai.usage.cache_read.input_tokens': 300,
  'gen_ai.usage.cache_write.input_tokens': 40,
  'gen_ai.usage.reasoning.output_tokens': 20,
}
const models = { 'gen_ai.request.model': 'claude-opus-4-5', 'gen_ai.response.model': 'claude-opus-4-5-1' }
const prompt = { 'prompt.preview': 'Fix the\n  bug', 'prompt.bytes': 12 }

const session = span(0, {
  name: 'claude.session',
  attributes: { ...common, ...usage, ...models, ...prompt, model: 'm' },
})
const turn = span(1, {
  name: 'invoke_agent claude-code',
  attributes: { ...common, ...usage, ...models, ...prompt, 'gen_ai.operation.name': 'invoke_agent' },
})
const chat = span(2, {
  name: 'chat claude-opus-4-5',
  attributes: { ...common, ...usage, ...models, 'gen_ai.operation.name': 'chat' },
})
const tool = span(3, {
  name: 'execute_tool Bash',
  attributes: {
    ...common,
    'gen_ai.operation.name': 'execute_tool',
    'gen_ai.tool.name': 'Bash',
    'input.summary': 'Bash - command="ls"',
    'tool.input.command': 'ls',
    'tool.input.timeout': 5,
    'tool.response.stdout': 'a\nb',
  },
})
const everything = [session, turn, chat, tool]

const tell = (retelling: Retelling, signal: SpanSignal, told: Told = {}): Attributes =>
  retelling.span(signal, told).attributes
const parsed = (attributes: Attributes, name: string): unknown => JSON.parse(String(attributes[name]))
const sumOf = (retelling: Retelling, name: string): number =>
  everything.map((each) => Number(tell(retelling, each)[name] ?? 0)).reduce((a, b) => a + b, 0)

const userMessage = [{ role: 'user', parts: [{ type: 'text', content: 'Fix the\n  bug' }] }]

/** Where a product has its own name for what went in. */
const own: Readonly<Record<string, string>> = {
  Langfuse: 'langfuse.observation.input',
  Braintrust: 'braintrust.input_json',
}

describe('a span told anew', () => {
  const all: readonly [string, Retelling][] = [
    ['Logfire', forLogfire],
    ['Sentry', forSentry],
    ['Langfuse', forLangfuse],
    ['Braintrust', forBraintrust],
    ['by conventions', byConventions],
  ]
  test.each(all)('is the same span, and the one that was given stays as it was: %s', (_, retelling) => {
    for (const each of everything) {
      const before = structuredClone(each)
      const { attributes, ...rest } = retelling.span(each, { environment: 'dev', traceRatio: 0.5 })
      const { attributes: given, ...same } = before
      expect(rest).toEqual(same)
      expect(each).toEqual(before)
      expect(Object.values(attributes)).not.toContain(undefined)
      for (const name of ['tool.input.command', 'prompt.preview', 'tokens.output', 'gen_ai.operation.name']) {
        expect(attributes[name]).toEqual(given[name])
      }
    }
  })

  test.each(all)('has no words that its destination may not have: %s', (_, retelling) => {
    const rule = { ...defaultContent, previewLength: 0 }
    for (const each of everything) {
      const told = JSON.stringify(retelling.span(applyContentRule(each, rule), {}))
      for (const words of ['Fix', 'bug', '"ls"', 'a\\nb']) expect(told).not.toContain(words)
    }
  })

  test.each(all)('has messages that are told whole once: %s', (name, retelling) => {
    const messages = JSON.stringify(userMessage)
    const whole = { ...chat, attributes: { ...chat.attributes, 'gen_ai.input.messages': messages } }
    const told = tell(retelling, whole)
    const place = own[name] ?? 'gen_ai.input.messages'
    expect(Object.entries(told).filter(([, value]) => value === messages)).toEqual([[place, messages]])
  })
})

describe('Logfire', () => {
  test('shows a sentence: the name, and what it was about', () => {
    expect(everything.map((each) => tell(forLogfire, each)['logfire.msg'])).toEqual([
      'claude.session: Fix the bug',
      'invoke_agent claude-code: Fix the bug',
      'chat claude-opus-4-5',
      'execute_tool Bash: Bash - command="ls"',
    ])
    const long = { ...turn, attributes: { ...turn.attributes, 'prompt.preview': 'x'.repeat(500) } }
    expect(String(tell(forLogfire, long)['logfire.msg']).length).toBeLessThan(160)
  })

  test('reads messages and tool calls as JSON, by a schema that names what is JSON', () => {
    const told = tell(forLogfire, turn)
    expect(parsed(told, 'gen_ai.input.messages')).toEqual(userMessage)
    expect(parsed(told, 'logfire.json_schema')).toEqual({
      type: 'object',
      properties: { 'gen_ai.input.messages': { type: 'array' } },
    })
    const call = tell(forLogfire, tool)
    expect(parsed(call, 'gen_ai.tool.call.arguments')).toEqual({ command: 'ls', timeout: 5 })
    expect(parsed(call, 'gen_ai.tool.call.result')).toEqual({ stdout: 'a\nb' })
    expect(parsed(call, 'logfire.json_schema')).toEqual({
      type: 'object',
      properties: { 'gen_ai.tool.call.arguments': { type: 'object' }, 'gen_ai.tool.call.result': { type: 'object' } },
    })
    expect(tell(forLogfire, chat)).not.toHaveProperty(['logfire.json_schema'])
  })

  test('adds tokens up itself: only requests have usage, sums have another name', () => {
    expect(sumOf(forLogfire, 'gen_ai.usage.input_tokens')).toBe(350)
    expect(tell(forLogfire, turn)).toMatchObject({
      'gen_ai.aggregated_usage.input_tokens': 350,
      'gen_ai.aggregated_usage.cache_read.input_tokens': 300,
    })
    expect(tell(forLogfire, chat)).not.toHaveProperty(['gen_ai.aggregated_usage.input_tokens'])
  })

  test('has an error’s level on a span that failed', () => {
    expect(tell(forLogfire, { ...chat, error: {} })['logfire.level_num']).toBe(17)
    expect(tell(forLogfire, chat)).not.toHaveProperty(['logfire.level_num'])
  })
})

describe('Sentry', () => {
  test('knows the kind of a span by its op', () => {
    expect(everything.map((each) => tell(forSentry, each)['sentry.op'])).toEqual([
      'session',
      'gen_ai.invoke_agent',
      'gen_ai.chat',
      'gen_ai.execute_tool',
    ])
  })

  test('has cached tokens by its own names, of requests', () => {
    expect(tell(forSentry, chat)).toMatchObject({
      'gen_ai.usage.input_tokens': 350,
      'gen_ai.usage.input_tokens.cached': 300,
      'gen_ai.usage.input_tokens.cache_write': 40,
      'gen_ai.usage.output_tokens.reasoning': 20,
    })
    expect(tell(forSentry, turn)).not.toHaveProperty(['gen_ai.usage.input_tokens.cached'])
  })

  test('has the environment on spans and log records, and the rate where not all is told', () => {
    const told = { environment: 'dev', traceRatio: 0.25 }
    expect(tell(forSentry, chat, told)).toMatchObject({
      'sentry.environment': 'dev',
      'sentry.client_sample_rate': 0.25,
    })
    expect(forSentry.log?.(log(), told).attributes).toEqual({ number: 0, 'sentry.environment': 'dev' })
    expect(tell(forSentry, chat, { traceRatio: 1 })).not.toHaveProperty(['sentry.client_sample_rate'])
  })

  test('reads messages and tool calls by the conventions', () => {
    expect(parsed(tell(forSentry, turn), 'gen_ai.input.messages')).toEqual(userMessage)
    expect(parsed(tell(forSentry, tool), 'gen_ai.tool.call.arguments')).toEqual({ command: 'ls', timeout: 5 })
  })
})

describe('Langfuse', () => {
  test('knows the type of an observation, and shows input and output', () => {
    expect(everything.map((each) => tell(forLangfuse, each)['langfuse.observation.type'])).toEqual([
      'span',
      'agent',
      'generation',
      'tool',
    ])
    expect(tell(forLangfuse, turn)['langfuse.observation.input']).toBe('Fix the\n  bug')
    expect(parsed(tell(forLangfuse, tool), 'langfuse.observation.input')).toEqual({ command: 'ls', timeout: 5 })
    expect(parsed(tell(forLangfuse, tool), 'langfuse.observation.output')).toEqual({ stdout: 'a\nb' })
  })

  test('takes for a generation, and counts, requests alone, each token once', () => {
    const told = everything.map((each) => tell(forLangfuse, each))
    for (const name of ['gen_ai.request.model', 'gen_ai.response.model', 'langfuse.observation.usage_details']) {
      expect(told.filter((attributes) => name in attributes)).toHaveLength(1)
    }
    expect(told.filter((attributes) => 'model' in attributes)).toEqual([])
    expect(told.flatMap(Object.keys).filter((name) => name.startsWith('gen_ai.usage.'))).toEqual([])
    const request = tell(forLangfuse, chat)
    expect(parsed(request, 'langfuse.observation.usage_details')).toEqual({
      input: 10,
      output: 30,
      input_cached_tokens: 300,
      input_cache_creation: 40,
      output_reasoning_tokens: 20,
    })
    expect(request['langfuse.observation.model.name']).toBe('claude-opus-4-5-1')
  })

  test('groups the runs of a conversation, and has the environment', () => {
    for (const each of everything) {
      expect(tell(forLangfuse, each, { environment: 'dev' })).toMatchObject({
        'session.id': 'conversation-1',
        'langfuse.trace.name': 'claude-code',
        'langfuse.environment': 'dev',
      })
    }
  })
})

describe('Braintrust', () => {
  test('knows the type of a span, and reads input, output and metadata as JSON', () => {
    expect(everything.map((each) => parsed(tell(forBraintrust, each), 'braintrust.span_attributes'))).toEqual([
      { type: 'task' },
      { type: 'task' },
      { type: 'llm' },
      { type: 'tool' },
    ])
    expect(parsed(tell(forBraintrust, turn), 'braintrust.input_json')).toBe('Fix the\n  bug')
    expect(parsed(tell(forBraintrust, tool), 'braintrust.output_json')).toEqual({ stdout: 'a\nb' })
    expect(parsed(tell(forBraintrust, chat), 'braintrust.metadata')).toEqual({
      provider: 'anthropic',
      model: 'claude-opus-4-5-1',
      session_id: 'session-1',
      conversation_id: 'conversation-1',
    })
  })

  test('has metrics where they were spent, cached tokens within the prompt’s', () => {
    expect(parsed(tell(forBraintrust, chat), 'braintrust.metrics')).toEqual({
      prompt_tokens: 350,
      completion_tokens: 50,
      tokens: 400,
      prompt_cached_tokens: 300,
      prompt_cache_creation_tokens: 40,
      completion_reasoning_tokens: 20,
    })
    expect(tell(forBraintrust, turn)).not.toHaveProperty(['braintrust.metrics'])
    expect(sumOf(forBraintrust, 'gen_ai.usage.input_tokens')).toBe(350)
  })
})

test('a tool that failed answers with its failure', () => {
  const { 'tool.response.stdout': _, ...attributes } = tool.attributes
  const failed = { ...tool, attributes: { ...attributes, 'tool.error': 'no such file' } }
  expect(tell(byConventions, failed)['gen_ai.tool.call.result']).toBe('no such file')
  expect(parsed(tell(forBraintrust, failed), 'braintrust.output_json')).toBe('no such file')
})

test('whole messages are taken before previews, and a text that is no JSON stands for itself', () => {
  const messages = [{ role: 'assistant', parts: [{ type: 'text', content: 'Done.' }], finish_reason: 'stop' }]
  const told = { ...turn.attributes, 'gen_ai.output.messages': JSON.stringify(messages), 'response.preview': 'Do…' }
  expect(parsed(tell(forBraintrust, { ...turn, attributes: told }), 'braintrust.output_json')).toEqual(messages)
  const odd = { ...tool.attributes, 'gen_ai.tool.call.result': 'plain words' }
  expect(tell(forLangfuse, { ...tool, attributes: odd })['langfuse.observation.output']).toBe('plain words')
})
