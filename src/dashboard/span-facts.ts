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

/** Who tells: claude-otel by its spans, Claude Code by spans of its own, or by an event that stands for one. */
export type Teller = 'claude-otel' | 'claude-code' | 'event'

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
  readonly teller: Teller
  /** What it is of, in words that all who tell of it share: `tool <id of the call>`. */
  readonly key?: string
  /** Of an event: its place among the log records of its session. */
  readonly log?: number
  /** It has not ended, or nobody told: `endUnixMicro` is what is known of it. */
  readonly isOpen?: boolean
  /** Of several requests together, of which nobody knows when they were: the times are those of the session. */
  readonly isSum?: boolean
}

/** The same word for the same thing, whoever tells of it; undefined where nobody could know it again. */
export function keyOf(kind: SpanKind, attributes: OtlpAttributes): string | undefined {
  const names = keyNames[kind] ?? []
  const id = names.map((name) => text(attributes[name])).find((found) => found !== undefined)
  return id === undefined ? undefined : `${kind} ${id}`
}

const keyNames: Partial<Record<SpanKind, readonly string[]>> = {
  turn: ['prompt.id'],
  model: ['request.id', 'request_id'],
  tool: ['tool.use_id', 'tool_use_id'],
  agent: ['gen_ai.agent.id', 'agent_id'],
}

export function readSpanFacts(span: OtlpSpan): SpanFacts {
  const { traceId, spanId, parentSpanId, name, startUnixMicro, endUnixMicro, attributes, statusCode } = span
  const kind = kindOf(name, attributes)
  const isOurs = !name.startsWith('claude_code.')
  const hasRunTime = isOurs || name === executionName
  const key = keyOf(kind, attributes)
  const facts = {
    parentSpanId,
    detail: detailOf(kind, attributes),
    status: text(attributes['tool.status']) ?? text(attributes['turn.status']),
    tokens: tokensOf(attributes),
    waitMicro: micros(attributes.permission_wait_ms),
    runMicro: hasRunTime ? micros(attributes.duration_ms) : undefined,
    key,
    isSum: isOurs && key === undefined && attributes['claude.query_source'] === 'auxiliary' ? true : undefined,
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
    teller: isOurs ? 'claude-otel' : 'claude-code',
    ...compact(facts),
  }
}

/** The part of Claude Code's span of a call in which the tool runs. */
const executionName = 'claude_code.tool.execution'

const claudesKinds: Readonly<Record<string, SpanKind>> = {
  'claude_code.interaction': 'turn',
  'claude_code.llm_request': 'model',
  'claude_code.tool': 'tool',
  [executionName]: 'tool',
  'claude_code.hook': 'hook',
}

function kindOf(name: string, attributes: OtlpAttributes): SpanKind {
  if (name === 'claude.session') return 'session'
  // Claude Code tells of every decision; most of them are those of its rules, in no time.
  if (name === 'claude_code.tool.blocked_on_user') return isOfPerson(attributes) ? 'permission' : 'hook'
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
      return modelOf(attributes) ?? name
    case 'tool': {
      const tool = text(attributes['gen_ai.tool.name']) ?? text(attributes['tool.name']) ?? text(attributes.tool_name)
      return tool ?? (name === executionName ? 'tool' : name)
    }
    case 'agent':
      return text(attributes['gen_ai.agent.name']) ?? name
    case 'permission':
      return 'waiting for permission'
    case 'hook':
      return text(attributes.hook_name) ?? text(attributes.hook_event) ?? 'permission by rule'
    case 'other':
      return name
  }
}

function modelOf(attributes: OtlpAttributes): string | undefined {
  const names = ['gen_ai.response.model', 'gen_ai.request.model', 'model']
  return names.map((name) => text(attributes[name])).find((found) => found !== undefined)
}

/** Whether somebody was asked; `source` is `config`, `hook`, or what a person did. */
function isOfPerson({ source }: OtlpAttributes): boolean {
  return source !== 'config' && source !== 'hook'
}

function detailOf(kind: SpanKind, attributes: OtlpAttributes): string | undefined {
  if (kind === 'tool') return text(attributes['input.summary']) ?? text(attributes.full_command)
  if (kind === 'model') return purposeOf(attributes)
  if (kind === 'agent') return text(attributes['gen_ai.agent.description'])
  const prompt = text(attributes['prompt.preview']) ?? text(attributes.user_prompt)
  return prompt === '<REDACTED>' ? undefined : prompt
}

/** What a request was for that belongs to no conversation. */
export function purposeOf(attributes: OtlpAttributes): string | undefined {
  if (attributes['claude.query_source'] === 'auxiliary') return 'auxiliary requests together'
  const source = text(attributes.query_source) ?? text(attributes.query_source_safe)
  if (source === undefined || /^(sdk|repl_main_thread|agent[:.]|main$|subagent$)/.test(source)) return undefined
  return purposes[source] ?? source.replaceAll('_', ' ')
}

const purposes: Readonly<Record<string, string>> = {
  compact: 'compaction',
  generate_session_title: 'title of the session',
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

/** Of milliseconds, told as a number or a text. */
export function micros(ms: OtlpValue | undefined): number | undefined {
  const found = number(ms)
  return found === undefined ? undefined : Math.round(found * 1000)
}

type Loose<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without what is undefined. */
export function compact<T extends object>(value: T): Loose<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Loose<T>
}
