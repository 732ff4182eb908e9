/** What a turn and a session have used, from the agent's own messages: tokens with the cache apart, cost, tools, context. Pure. */
import type { SDKMessage, SDKResultMessage } from '@anthropic-ai/claude-agent-sdk/core'
import type { Theme } from './theme.ts'
import { isRecord } from './titles.ts'

export interface Used {
  readonly turns: number
  readonly tools: number
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheCreation: number
  readonly usd: number
  readonly seconds: number
}

export const nothingUsed: Used = {
  turns: 0,
  tools: 0,
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheCreation: 0,
  usd: 0,
  seconds: 0,
}

export class Metrics {
  private sum = nothingUsed
  private turnTools = 0
  private byTool = new Map<string, number>()
  private contextTokens = 0
  private windowTokens: number | undefined
  /** What Claude Code says its session has cost so far; another session begins anew. */
  private told = { session: '', usd: 0 }

  /** What the turn has used that this message ends; undefined for every other message. */
  take(message: SDKMessage): Used | undefined {
    if (message.type === 'assistant') this.takeAnswer(message.message, message.parent_tool_use_id !== null)
    if (message.type === 'conversation_reset') this.contextTokens = 0
    if (message.type === 'system' && message.subtype === 'compact_boundary')
      this.contextTokens = message.compact_metadata.post_tokens ?? 0
    return message.type === 'result' ? this.takeResult(message) : undefined
  }

  get total(): Used {
    return this.sum
  }

  /** By name, the most used first. */
  get tools(): readonly (readonly [string, number])[] {
    return [...this.byTool].sort(([, a], [, b]) => b - a)
  }

  /** How much of the model's window is free, 0 to 1; undefined before the first turn has ended. */
  get contextLeft(): number | undefined {
    if (this.windowTokens === undefined || this.contextTokens === 0) return undefined
    return Math.max(0, 1 - this.contextTokens / this.windowTokens)
  }

  private takeAnswer(answer: unknown, isOfAgent: boolean): void {
    if (!isRecord(answer) || answer.model === '<synthetic>') return
    const blocks = Array.isArray(answer.content) ? answer.content.filter(isRecord) : []
    for (const block of blocks.filter(({ type }) => type === 'tool_use')) {
      this.turnTools += 1
      const name = String(block.name)
      this.byTool.set(name, (this.byTool.get(name) ?? 0) + 1)
    }
    if (isOfAgent || !isRecord(answer.usage)) return
    const { input_tokens, cache_read_input_tokens, cache_creation_input_tokens, output_tokens } = answer.usage
    this.contextTokens =
      number(input_tokens) +
      number(cache_read_input_tokens) +
      number(cache_creation_input_tokens) +
      number(output_tokens)
  }

  private takeResult(result: SDKResultMessage): Used {
    const before = this.told.session === result.session_id ? this.told.usd : 0
    const models = modelsOf(result)
    const add = (kind: string) => models.reduce((sum, model) => sum + number(model[kind]), 0)
    const told = result.total_cost_usd
    this.told = { session: result.session_id, usd: told }
    this.windowTokens = windowOf(result) ?? this.windowTokens
    const turn: Used = {
      turns: result.num_turns > 0 || result.is_error ? 1 : 0,
      tools: this.turnTools,
      input: add('inputTokens'),
      output: add('outputTokens'),
      cacheRead: add('cacheReadInputTokens'),
      cacheCreation: add('cacheCreationInputTokens'),
      usd: models.some(({ costUSD }) => costUSD !== undefined) ? add('costUSD') : Math.max(0, told - before),
      seconds: result.duration_ms / 1000,
    }
    this.turnTools = 0
    this.sum = addUp(this.sum, turn)
    return turn
  }
}

/** Subagents included. The sum of models since the last result is newer than the SDK's types. */
function modelsOf(result: SDKResultMessage): Readonly<Record<string, unknown>>[] {
  const since: unknown = Reflect.get(result, 'model_usage_since_last_result')
  if (isRecord(since)) return Object.values(since).filter(isRecord)
  const { input_tokens, output_tokens, cache_read_input_tokens, cache_creation_input_tokens } = result.usage
  const usage = { inputTokens: input_tokens, outputTokens: output_tokens }
  return [
    { ...usage, cacheReadInputTokens: cache_read_input_tokens, cacheCreationInputTokens: cache_creation_input_tokens },
  ]
}

/** Of the model that has been used most: that of the conversation. */
function windowOf({ modelUsage }: SDKResultMessage): number | undefined {
  const [most] = Object.values(modelUsage).sort((a, b) => b.costUSD - a.costUSD)
  return most !== undefined && most.contextWindow > 0 ? most.contextWindow : undefined
}

function addUp(one: Used, other: Used): Used {
  const sums = Object.keys(one).map((key) => [key, one[key as keyof Used] + other[key as keyof Used]])
  return Object.fromEntries(sums) as Record<keyof Used, number>
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

/** `1,234 in, 567 out, 12.3k cached`, `$0.0123`, `3 tools`, `4.2 s`: what of it there is. */
export function usedParts(used: Used): string[] {
  const cached = used.cacheRead + used.cacheCreation
  const tokens = [
    `${short(used.input)} in`,
    `${short(used.output)} out`,
    ...(cached > 0 ? [`${short(cached)} cached`] : []),
  ]
  return [
    tokens.join(', '),
    ...(used.usd > 0 ? [dollars(used.usd)] : []),
    ...(used.tools > 0 ? [`${used.tools} ${used.tools === 1 ? 'tool' : 'tools'}`] : []),
    `${used.seconds.toFixed(1)} s`,
  ]
}

/** One dim line below a turn. */
export function turnLine(turn: Used, contextLeft: number | undefined, theme: Theme): string {
  const context = contextLeft === undefined ? [] : [`${percent(contextLeft)} context left`]
  return theme.dim([...usedParts(turn), ...context].join(theme.between))
}

/** `950`, `1.2k`, `34k`, `1.5M`. */
export function short(tokens: number): string {
  if (tokens < 1000) return `${tokens}`
  const [value, unit] = tokens < 999_500 ? [tokens / 1000, 'k'] : [tokens / 1_000_000, 'M']
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}${unit}`
}

/** Cents matter in small sums only. */
export function dollars(usd: number): string {
  return `$${usd.toFixed(usd < 0.1 ? 4 : 2)}`
}

export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`
}
