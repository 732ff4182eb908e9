/**
 * An agent: claude by the Agent SDK, with the telemetry of a run beside it. What `run`, `chat` and the library are made of.
 *
 *   const agent = await startAgent({ prompt, args: ['--model', 'opus'], env, flags })
 *   for await (const message of agent.messages) …        // until claude has ended
 *   const { end, line } = await agent.close()            // telemetry is sent; `line` is what there is to say of it
 *
 * `prompt` is one text, or messages that come as they come (a chat): claude ends when they end. `agent.query` is the SDK's own
 * (interrupt, setModel, setPermissionMode, …). `close` may be called at any moment, and ends claude if it still runs.
 */
import type {
  CanUseTool,
  Options,
  Query,
  SDKMessage,
  SDKUserMessage,
  SettingSource,
} from '@anthropic-ai/claude-agent-sdk/core'
import type { TracerProvider } from '@opentelemetry/api'
import { describeError, Failure } from '../base/errors.ts'
import { workingFolder } from '../base/paths.ts'
import { findClaude } from '../claude/binary.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { settingsTellOfTelemetry } from '../claude/settings-telemetry.ts'
import type { Environment, Resolution } from '../config/config.ts'
import { claudeEnvironment, planRun, type RunPlan } from '../run/plan.ts'
import { type Flags, inheritSettings, resolveSettings, troubleOf } from '../run/settings.ts'
import { Telemetry } from '../run/telemetry.ts'
import { createCallbacks } from './callbacks.ts'
import { ClaudeProcess } from './process.ts'

export interface AgentOptions {
  readonly prompt: string | AsyncIterable<SDKUserMessage>
  /** Claude's flags as on its command line, without a prompt. Those of the SDK itself stand before them. */
  readonly args?: readonly string[]
  readonly env: Environment
  /** Our own flags, by name. */
  readonly flags?: Flags
  readonly cwd?: string
  /** Whose settings claude reads: by default those of the user, the project and this checkout of it. */
  readonly settingSources?: readonly SettingSource[]
  /** Asked for permission; without it, whoever would be asked is nobody. */
  readonly canUseTool?: CanUseTool
  /** Whether messages come in pieces too, as they are written: by default they do. */
  readonly includePartialMessages?: boolean
  /** Gets what claude writes to stderr, which goes to ours otherwise. */
  readonly onStderr?: (text: string) => void
  /** Ends the agent as `close` does. */
  readonly signal?: AbortSignal
  /** Gets the spans in the place of all destinations; nothing of the run is kept. */
  readonly tracerProvider?: TracerProvider
}

/** What goes on beside claude, until it has ended. */
export interface RunTelemetry {
  /** Sends what is left; resolves with what there is to say. */
  finish(end: ChildEnd): Promise<string | undefined>
}

export interface AgentEnd {
  /** How claude ended. */
  readonly end: ChildEnd
  /** What there is to say of the telemetry, on one line; usually nothing. */
  readonly line?: string
}

export interface Agent {
  /** All that claude says, until it has ended. Throws only where claude could not be run to a result. */
  readonly messages: AsyncIterable<SDKMessage>
  readonly query: Query
  /** What is recorded: ids, folder, settings with their destinations. Undefined while telemetry is off. */
  readonly run: RunPlan | undefined
  readonly resolution: Resolution
  readonly pid: number
  /**
   * Ends claude, if it has not ended: where it is at work, by this signal, or SIGINT. Sends the telemetry within the time that
   * exit may take. The same promise whenever it is called; never rejects.
   */
  close(signal?: NodeJS.Signals): Promise<AgentEnd>
  /** Does not wait for claude any longer: it is killed, with what it runs in its process group. */
  kill(): void
}

/** Someone who looks on: the console, or whoever prints the answer. Called for each message, in order. */
export type AgentObserver = (message: SDKMessage) => void

/** Fails, with nothing left running, where there is no claude or it cannot be started. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { args = [], env, cwd = workingFolder() } = options
  const claude = findClaude(env, process.execPath)
  const told = await inheritSettings(env, options.flags ?? {})
  const [resolution, { query }] = await Promise.all([
    resolveSettings(told.env, told.flags),
    import('@anthropic-ai/claude-agent-sdk/core'),
  ])
  const { run, begin, trouble } = await planTelemetry(resolution, { ...told, args }, options.tracerProvider)
  const isTold = run?.hub !== undefined && (await settingsTellOfTelemetry(args, env, cwd))
  let child: ClaudeProcess | undefined
  const asked = new Asked(options.prompt)
  const started = query({
    prompt: asked.prompt,
    options: {
      ...sdkOptions(options),
      cwd,
      env: run === undefined ? { ...env } : claudeEnvironment(run, env, isTold),
      pathToClaudeCodeExecutable: claude,
      ...(run === undefined ? {} : { hooks: createCallbacks(run.folder, () => child?.pid ?? 0) }),
      spawnClaudeCodeProcess: (how) => {
        child = new ClaudeProcess(how, args, options.onStderr)
        return child.pipes
      },
    },
  })
  if (child === undefined) throw new Error('the Agent SDK did not start claude')
  const agent = new RunningAgent(started, asked, child, run, resolution, begin?.(child.pid), trouble)
  options.signal?.addEventListener('abort', () => void agent.close(), { once: true })
  if (options.signal?.aborted) void agent.close()
  return agent
}

/** The prompt of Claude Code itself, without which the SDK would send none; what is asked of the model is as with `claude -p`. */
function sdkOptions({ settingSources, canUseTool, includePartialMessages = true }: AgentOptions): Options {
  return {
    systemPrompt: { type: 'preset', preset: 'claude_code' },
    settingSources: [...(settingSources ?? (['user', 'project', 'local'] as const))],
    includePartialMessages,
    ...(canUseTool === undefined ? {} : { canUseTool }),
  }
}

interface PlannedTelemetry {
  readonly run?: RunPlan
  /** Called when claude runs. */
  readonly begin?: (claudePid: number) => RunTelemetry
  /** Why there is none, where that is not what the user asked for. */
  readonly trouble?: string
}

async function planTelemetry(
  resolution: Resolution,
  told: Pick<RunPlan, 'args' | 'env' | 'flags'>,
  provider: TracerProvider | undefined,
): Promise<PlannedTelemetry> {
  if (resolution.config.disabled) return {}
  const trouble = troubleOf(resolution)
  if (trouble !== undefined) return { trouble }
  try {
    const run = await planRun(resolution, { ...told, hooks: 'callbacks' })
    if (provider !== undefined) return (await import('./provider.ts')).planProviderRun(run, provider)
    return { run, begin: (pid) => new Telemetry(run, pid) }
  } catch (error) {
    return { trouble: `telemetry was off: ${describeError(error)}` }
  }
}

/** What is asked. Where messages cannot be read on, the SDK would say no more than that it was aborted: it is told that there are no more. */
class Asked {
  readonly prompt: string | AsyncIterable<SDKUserMessage>
  /** Why they could not be read on. */
  failure: unknown

  constructor(prompt: string | AsyncIterable<SDKUserMessage>) {
    this.prompt = typeof prompt === 'string' ? prompt : this.readOn(prompt)
  }

  private async *readOn(messages: AsyncIterable<SDKUserMessage>): AsyncGenerator<SDKUserMessage> {
    try {
      yield* messages
    } catch (error) {
      this.failure = error
    }
  }
}

class RunningAgent implements Agent {
  readonly messages: AsyncIterable<SDKMessage>
  private isAtWork = true
  private hasResult = false
  private closing: Promise<AgentEnd> | undefined

  constructor(
    readonly query: Query,
    private readonly asked: Asked,
    private readonly child: ClaudeProcess,
    readonly run: RunPlan | undefined,
    readonly resolution: Resolution,
    private readonly telemetry: RunTelemetry | undefined,
    private readonly trouble: string | undefined,
  ) {
    this.messages = this.read()
  }

  get pid(): number {
    return this.child.pid
  }

  close(signal: NodeJS.Signals = 'SIGINT'): Promise<AgentEnd> {
    this.closing ??= this.finish(signal)
    return this.closing
  }

  kill(): void {
    this.child.killGroup()
  }

  private async *read(): AsyncGenerator<SDKMessage, void> {
    try {
      for await (const message of this.query) {
        if (message.type === 'result') this.hasResult = true
        this.isAtWork = message.type !== 'result'
        yield message
      }
    } catch (error) {
      if (this.asked.failure === undefined) await this.judge(error)
    }
    if (this.asked.failure !== undefined) throw this.asked.failure
  }

  /** The SDK throws what a result has told already, and how claude ended, which `close` tells. */
  private async judge(error: unknown): Promise<void> {
    await this.child.end(undefined)
    // Fails where it could not be started. Otherwise it has said why it ended, if not by a result then on stderr.
    await this.child.ended
    if (this.hasResult || this.closing !== undefined) return
    if (error instanceof Error && /exited with code|terminated by signal/.test(error.message)) return
    throw new Failure('unavailable', `the Agent SDK gave up: ${describeError(error)}`)
  }

  private async finish(signal: NodeJS.Signals): Promise<AgentEnd> {
    await this.child.end(this.isAtWork ? signal : undefined)
    this.query.close()
    const end = await this.child.ended.catch((): ChildEnd => ({ code: 126 }))
    const line = await this.finishTelemetry(end)
    return line === undefined ? { end } : { end, line }
  }

  private async finishTelemetry(end: ChildEnd): Promise<string | undefined> {
    try {
      return this.trouble ?? (await this.telemetry?.finish(end))
    } catch (error) {
      return `telemetry failed: ${describeError(error)}; records may be left in ${this.run?.folder}`
    }
  }
}
