/**
 * Every instrument we emit: its kind, its UCUM unit and what it says. The README's table is made from this one.
 * `gen_ai.*` names are those of the GenAI conventions' main branch (autumn 2026).
 */

export type InstrumentKind = 'counter' | 'upDownCounter' | 'histogram'

export interface Instrument {
  readonly kind: InstrumentKind
  readonly unit: string
  readonly description: string
  /** Upper bounds of the explicit buckets, in the instrument's unit. */
  readonly boundaries?: readonly number[]
}

// A tool or a turn of a coding agent can run for an hour; the conventions' own top bucket of 82 s would lose it.
const secondsToAnHour = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600]
const inferenceSeconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]

export const instruments = {
  'claude.sessions_total': { kind: 'counter', unit: '{session}', description: 'Sessions started, by source.' },
  'claude.turns_total': { kind: 'counter', unit: '{turn}', description: 'Turns that ended, by outcome.' },
  'claude.tool_calls_total': {
    kind: 'counter',
    unit: '{call}',
    description: 'Tool calls that ended, by tool and status.',
  },
  'claude.tool_calls_errors_total': {
    kind: 'counter',
    unit: '{call}',
    description: 'Tool calls that ended in any other way than success, by tool and error type.',
  },
  'claude.tool_call_duration_ms': {
    kind: 'histogram',
    unit: 'ms',
    description: 'Time a tool ran, without hooks and permission wait.',
    boundaries: secondsToAnHour.map((s) => s * 1000),
  },
  'claude.tools_in_flight': { kind: 'upDownCounter', unit: '{call}', description: 'Tool calls running now.' },
  'claude.tokens_total': {
    kind: 'counter',
    unit: '{token}',
    description:
      'Tokens by kind (input, output, cache_read, cache_creation) and model; input leaves cached tokens out.',
  },
  'claude.cache_hits_total': {
    kind: 'counter',
    unit: '{request}',
    description: 'Model requests that read from the cache.',
  },
  'claude.cache_misses_total': {
    kind: 'counter',
    unit: '{request}',
    description: 'Model requests that read nothing from the cache.',
  },
  'claude.model_requests_total': {
    kind: 'counter',
    unit: '{request}',
    description: 'Model requests answered, by model.',
  },
  'claude.api_errors_total': { kind: 'counter', unit: '{error}', description: 'Failed model requests, by status.' },
  'claude.compactions_total': {
    kind: 'counter',
    unit: '{compaction}',
    description: 'Context compactions, by trigger.',
  },
  'claude.cost_usd_total': { kind: 'counter', unit: '{USD}', description: 'Cost as Claude Code itself states it.' },
  'claude_otel.hook.duration': {
    kind: 'histogram',
    unit: 'ms',
    description: 'Time a hook’s process took, from its start until its record was handed over, by event.',
    boundaries: [0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 50, 100, 250, 1000, 5000],
  },
  'claude_otel.hooks_lost_total': {
    kind: 'counter',
    unit: '{hook}',
    description: 'Hooks that never came, though the transcript tells of the tool call; by event.',
  },
  'claude_otel.hooks_duplicate_total': {
    kind: 'counter',
    unit: '{hook}',
    description: 'Hooks that came twice, because they are registered twice; one of each is left out.',
  },
  'claude_otel.records_broken_total': {
    kind: 'counter',
    unit: '{record}',
    description: 'Hooks’ records that could not be read.',
  },
  'claude_otel.unknown_total': {
    kind: 'counter',
    unit: '{occurrence}',
    description: 'Hook events, or fields of known ones, that this version does not know.',
  },
  'claude_otel.texts_cut_total': {
    kind: 'counter',
    unit: '{text}',
    description: 'Texts that were cut before they were kept; one that several hooks and lines bring counts each time.',
  },
  'claude_otel.secrets_masked_total': {
    kind: 'counter',
    unit: '{secret}',
    description: 'Secrets that were masked, by kind; one that several hooks and lines bring counts each time.',
  },
  'claude_otel.tests_total': {
    kind: 'counter',
    unit: '{test}',
    description: 'Tests that `claude-otel status --send` has sent.',
  },
  'gen_ai.client.inference.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'Duration of model requests.',
    boundaries: inferenceSeconds,
  },
  'gen_ai.client.inference.usage.input_tokens': {
    kind: 'counter',
    unit: '{token}',
    description: 'Input tokens, cached ones included.',
  },
  'gen_ai.client.inference.usage.output_tokens': { kind: 'counter', unit: '{token}', description: 'Output tokens.' },
  'gen_ai.client.inference.usage.cache_read.input_tokens': {
    kind: 'counter',
    unit: '{token}',
    description: 'Input tokens read from the cache.',
  },
  'gen_ai.client.inference.usage.cache_write.input_tokens': {
    kind: 'counter',
    unit: '{token}',
    description: 'Input tokens written to the cache.',
  },
  'gen_ai.client.inference.usage.reasoning.output_tokens': {
    kind: 'counter',
    unit: '{token}',
    description: 'Output tokens spent on reasoning.',
  },
  'gen_ai.invoke_agent.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'Duration of turns and of subagents.',
    boundaries: secondsToAnHour,
  },
  'gen_ai.execute_tool.duration': {
    kind: 'histogram',
    unit: 's',
    description: 'Duration of tool calls, equal to their spans.',
    boundaries: secondsToAnHour,
  },
} as const satisfies Record<string, Instrument>

export type InstrumentName = keyof typeof instruments
