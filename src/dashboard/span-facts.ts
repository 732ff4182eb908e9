/**
 * What the dashboard reads of a span: a few facts instead of all its attributes, so that ten thousand of them are light. Knows our
 * own names and those of Claude Code's spans; everything above it knows neither.
 */
import type { OtlpAttributes, OtlpSpan, OtlpValue } from '../telemetry/otlp.ts'

export type SpanKind = 'session' | 'turn' | 'model' | 'tool' | 'agent' | 'permission' | 'hook' | 'other'

/** With Claude's own meaning: `input` leaves cached tokens out. */
export interface Tokens {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheCreation: number
}

export interface SpanFacts {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly kind: SpanKind
  /** For people: the tool, the model, the agent. */
  readonly name: string
  /** What is told of its input in a line, as it was recorded. */
  readonly detail?: string
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly hasFailed: boolean
  /** Of a tool call or a turn, in the words of whoever told. */
  readonly status?: string
  readonly tokens?: Tokens
  /** Of a tool call: how long somebody took to permit it, and how long it then ran; the rest of the span is hooks. */
  readonly waitMicro?: number
  readonly runMicro?: number
  /** A subagent's; absent for the main conversation. */
  readonly agentId?: string
  readonly agentName?: string
  readonly promptId?: string
  /** Of a turn: its number in its run, and how many tools it called. */
  readonly index?: number
  readonly toolCalls?: number
  /** Told by claude-otel, not by Claude Code. */
  readonly isOurs: boolean
}

export function readSpanFacts(span: OtlpSpan): SpanFacts {
  const { traceId, spanId, parentSpanId, name, startUnixMicro, endUnixMicro, attributes, statusCode } = span
  const kind = kindOf(name, attributes)
  const isOurs = !name.startsWith('claude_code.')
  const facts = {
    parentSpanId,
    detail: detailOf(kind, attributes),
    status: text(attributes['tool.status']) ?? text(attributes['turn.status']),
    tokens: tokensOf(attributes),
    waitMicro: micros(attributes.permission_wait_ms),
    runMicro: isOurs ? micros(attributes.duration_ms) : undefined,
    agentId: text(attributes['gen_ai.agent.id']) ?? text(attributes.agent_id),
    agentName: text(attributes['gen_ai.agent.name']),
    promptId: text(attributes['prompt.id']),
    index: number(attributes['turn.index']) ?? number(attributes['interaction.sequence']),
    toolCalls: number(attributes['tools.total']),
  }
  return {
    traceId,
    spanId,
    kind,
    name: labelOf(kind, name, attributes),
    startUnixMicro,
    endUnixMicro: Math.max(startUnixMicro, endUnixMicro),
    hasFailed: statusCode === 2 || attributes['tool.is_error'] === true,
    isOurs,
    ...compact(facts),
  }
}

const claudesKinds: Readonly<Record<string, SpanKind>> = {
  'claude_code.interaction': 'turn',
  'claude_code.llm_request': 'model',
  'claude_code.tool': 'tool',
  'claude_code.tool.execution': 'tool',
  'claude_code.tool.blocked_on_user': 'permission',
  'claude_code.hook': 'hook',
}

function kindOf(name: string, attributes: OtlpAttributes): SpanKind {
  if (name === 'claude.session') return 'session'
  const known = claudesKinds[name]
  if (known !== undefined) return known
  switch (attributes['gen_ai.operation.name']) {
    case 'chat':
      return 'model'
    case 'execute_tool':
      return 'tool'
    case 'invoke_agent':
      return attributes['gen_ai.agent.name'] === 'claude-code' ? 'turn' : 'agent'
    default:
      return 'other'
  }
}

function labelOf(kind: SpanKind, name: string, attributes: OtlpAttributes): string {
  switch (kind) {
    case 'session':
      return 'Session'
    case 'turn': {
      const index = attributes['turn.index'] ?? attributes['interaction.sequence']
      return index === undefined ? 'Turn' : `Turn ${String(index)}`
    }
    case 'model':
      return text(attributes['gen_ai.response.model']) ?? text(attributes['gen_ai.request.model']) ?? name
    case 'tool': {
      const tool = text(attributes['gen_ai.tool.name']) ?? text(attributes['tool.name']) ?? text(attributes.tool_name)
      return name === 'claude_code.tool.execution' ? 'execution' : (tool ?? name)
    }
    case 'agent':
      return text(attributes['gen_ai.agent.name']) ?? name
    case 'permission':
      return 'waiting for permission'
    case 'hook':
      return text(attributes.hook_event) ?? 'hooks'
    case 'other':
      return name
  }
}

function detailOf(kind: SpanKind, attributes: OtlpAttributes): string | undefined {
  if (kind === 'tool') return text(attributes['input.summary']) ?? text(attributes.full_command)
  if (kind === 'agent') return text(attributes['gen_ai.agent.description'])
  const prompt = text(attributes['prompt.preview']) ?? text(attributes.user_prompt)
  return prompt === '<REDACTED>' ? undefined : prompt
}

const tokenNames = [
  ['tokens.input', 'tokens.output', 'tokens.cache_read', 'tokens.cache_creation'],
  ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_creation_tokens'],
] as const

/** Undefined where none are told. */
export function tokensOf(attributes: OtlpAttributes): Tokens | undefined {
  for (const names of tokenNames) {
    const [input, output, cacheRead, cacheCreation] = names.map((name) => number(attributes[name]))
    if (input === undefined && output === undefined) continue
    return { input: input ?? 0, output: output ?? 0, cacheRead: cacheRead ?? 0, cacheCreation: cacheCreation ?? 0 }
  }
  return undefined
}

export const noTokens: Tokens = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0 }

export function addTokens(a: Tokens, b: Tokens): Tokens {
  return {
    input: a.input + b.input,
    output: a.output + b.output,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheCreation: a.cacheCreation + b.cacheCreation,
  }
}

export function text(value: OtlpValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** Claude Code's events carry numbers as texts. */
export function number(value: OtlpValue | undefined): number | undefined {
  if (value === undefined || value === null || value === '' || typeof value === 'boolean') return undefined
  const found = Number(value)
  return Number.isFinite(found) ? found : undefined
}

function micros(ms: OtlpValue | undefined): number | undefined {
  const found = number(ms)
  return found === undefined ? undefined : Math.round(found * 1000)
}

type Loose<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
export function compact<T extends object>(value: T): Loose<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Loose<T>
}
