/**
 * What programs import: `runAgentWithTelemetry`, one prompt to claude by the Agent SDK, recorded as claude-otel records it; and
 * claude's command line as an object. Runs on Bun.
 */
import type { CanUseTool, SDKMessage, SDKResultMessage, SettingSource } from '@anthropic-ai/claude-agent-sdk/core'
import type { TracerProvider } from '@opentelemetry/api'
import type { ExtraArgs } from '../claude/extra-args.ts'
import { readEnvironment } from '../config/environment.ts'
import { type AgentEnd, type AgentObserver, startAgent } from './agent.ts'
import { resultText } from './answer.ts'
import { agentArgs } from './arguments.ts'

export type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
export { Failure } from '../base/errors.ts'
export {
  type ClaudeArgs,
  type ExtraArgs,
  type FlagValue,
  parseClaudeArgs,
  renderClaudeArgs,
} from '../claude/extra-args.ts'
export type { AgentObserver } from './agent.ts'

export interface RunAgentOptions {
  /** Claude's flags, without dashes: `{ model: 'opus', 'add-dir': ['a', 'b'], continue: null }`. */
  readonly extraArgs?: ExtraArgs
  /** Whose settings claude reads: by default `user`, `project` and `local`. */
  readonly settingSources?: readonly SettingSource[]
  /** Gets the spans, in the context that is active now, in the place of the destinations that settings name. All have ended afterwards. */
  readonly tracerProvider?: TracerProvider
  /** Writes diagnostics to claude-otel's log; also switched on by `debug` among `extraArgs`. */
  readonly debug?: boolean
  /** Ends claude; the result tells what there was until then. */
  readonly signal?: AbortSignal
  readonly cwd?: string
  /** In the place of this process's environment, for settings and for claude. */
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly canUseTool?: CanUseTool
  /** Looks on. */
  readonly onMessage?: AgentObserver
}

/** Tokens as Claude Code counts them: what came from the cache or went into it is not part of `inputTokens`. */
export interface AgentUsage {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
}

export interface AgentResult {
  /** The answer; where there is none, why. */
  readonly response: string
  /** Claude's own word for how it ended: `success`, `error_max_turns`, …; `interrupted` where it said none. */
  readonly outcome: SDKResultMessage['subtype'] | 'interrupted'
  readonly isError: boolean
  readonly sessionId: string | undefined
  /** Of the session's span; undefined where telemetry is off. */
  readonly traceId: string | undefined
  /** Of all models, subagents' too. */
  readonly usage: AgentUsage
  readonly costUsd: number
  /** Answers of the model in the main conversation. */
  readonly turns: number
  /** Calls of tools, subagents' too, by the tool's name. */
  readonly tools: Readonly<Record<string, number>>
  readonly durationMs: number
  /** What there is to say of the telemetry; usually nothing. */
  readonly telemetry: string | undefined
}

/**
 * Runs the prompt to its end and sends the telemetry. A model or tool that fails is told in the result; rejects with a `Failure`
 * where there is no claude to run, or a flag that no agent can have.
 */
export async function runAgentWithTelemetry(prompt: string, options: RunAgentOptions = {}): Promise<AgentResult> {
  const { extraArgs = {}, debug, env = readEnvironment(), onMessage, ...rest } = options
  const startMs = performance.now()
  const isDebug = debug ?? ['debug', 'd'].some((name) => Object.hasOwn(extraArgs, name))
  const flags = isDebug ? { 'claude-otel-debug': true as const } : {}
  const agent = await startAgent({ ...rest, prompt, args: agentArgs(extraArgs), env, flags })
  const summary = new Summary()
  let end: AgentEnd | undefined
  try {
    for await (const message of agent.messages) {
      summary.add(message)
      onMessage?.(message)
    }
  } finally {
    end = await agent.close()
  }
  return summary.result(agent.run?.root.traceId, end, performance.now() - startMs)
}

class Summary {
  private readonly calls = new Map<string, string>()
  private readonly answers: string[] = []
  private last: SDKResultMessage | undefined
  private sessionId: string | undefined
  private turns = 0

  add(message: SDKMessage): void {
    if ('session_id' in message && message.session_id !== undefined) this.sessionId = message.session_id
    if (message.type === 'assistant') {
      for (const block of message.message.content) if (block.type === 'tool_use') this.calls.set(block.id, block.name)
    }
    if (message.type !== 'result') return
    this.last = message
    this.turns += message.num_turns
    this.answers.push(resultText(message))
  }

  result(traceId: string | undefined, { end, line }: AgentEnd, durationMs: number): AgentResult {
    const { last } = this
    const how = end.signal ?? `exit code ${end.code}`
    return {
      response: last === undefined ? `claude ended without an answer (${how})` : this.answers.join('\n\n'),
      outcome: last?.subtype ?? 'interrupted',
      isError: last?.is_error ?? true,
      sessionId: this.sessionId,
      traceId,
      usage: sumUsage(last),
      costUsd: last?.total_cost_usd ?? 0,
      turns: this.turns,
      tools: countBy([...this.calls.values()]),
      durationMs,
      telemetry: line,
    }
  }
}

/** Of the last result, which counts for the whole session. */
function sumUsage(result: SDKResultMessage | undefined): AgentUsage {
  const models = Object.values(result?.modelUsage ?? {})
  const sum = (pick: (model: (typeof models)[number]) => number): number => {
    return models.reduce((total, model) => total + pick(model), 0)
  }
  return {
    inputTokens: sum((model) => model.inputTokens),
    outputTokens: sum((model) => model.outputTokens),
    cacheReadTokens: sum((model) => model.cacheReadInputTokens),
    cacheCreationTokens: sum((model) => model.cacheCreationInputTokens),
  }
}

function countBy(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]))
}
