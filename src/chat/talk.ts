/**
 * The conversation of a chat: one agent after another, each of which goes on with the session of the one before. A turn that
 * fails, and a claude that dies, end neither.
 */
import type { CanUseTool, SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { type Agent, startAgent } from '../agent/agent.ts'
import { agentArgs } from '../agent/arguments.ts'
import { describeError } from '../base/errors.ts'
import type { ExtraArgs } from '../claude/extra-args.ts'
import type { Environment } from '../config/config.ts'
import type { Flags } from '../run/settings.ts'
import { Inbox } from './inbox.ts'

export interface TalkOptions {
  /** Claude's flags. */
  readonly extraArgs: ExtraArgs
  readonly env: Environment
  readonly flags: Flags
  readonly cwd: string
  readonly canUseTool?: CanUseTool
  readonly onMessage: (message: SDKMessage) => void
  /** A line of claude's own about itself. */
  readonly onStderr: (text: string) => void
  /** claude has ended without having been asked to, and not in a turn. */
  readonly onLost: (reason: string) => void
  /** What there is to say of the telemetry of an agent that has ended. */
  readonly onTelemetry: (line: string) => void
}

/** How a turn ended: with a result, or with claude. */
export type TurnEnd = { readonly kind: 'result' } | { readonly kind: 'lost'; readonly reason: string }

/** Flags that say which session: they hold for the first agent alone. */
const sessionFlags: ReadonlySet<string> = new Set(['continue', 'resume', 'session-id', 'fork-session', 'from-pr'])

interface Life {
  readonly agent: Agent
  readonly inbox: Inbox
  readonly over: Promise<void>
}

export class Talk {
  /** Known before claude says it, unless an earlier session is gone on with. */
  sessionId: string | undefined
  private life: Promise<Life> | undefined
  private ending: Promise<void> = Promise.resolve()
  private turn: ((end: TurnEnd) => void) | undefined
  private hasBegun = false
  private trouble = ''

  constructor(private readonly options: TalkOptions) {
    const { 'session-id': given } = options.extraArgs
    const isEarlier = Object.keys(options.extraArgs).some((name) => sessionFlags.has(name))
    this.sessionId = typeof given === 'string' ? given : isEarlier ? undefined : crypto.randomUUID()
  }

  /** Starts claude, if it does not run. Fails where it cannot be started. */
  async start(): Promise<Agent> {
    this.life ??= this.begin(this.firstArgs())
    return (await this.life).agent
  }

  /** Says it, and waits for the end of the turn. Fails where claude cannot be started. */
  async say(text: string): Promise<TurnEnd> {
    const { promise, resolve } = Promise.withResolvers<TurnEnd>()
    this.turn = resolve
    await this.start()
    const life = await this.life
    life?.inbox.say(text)
    return promise
  }

  /** Asks claude to leave the turn; whoever asks again does not wait for it. */
  async interrupt(isAgain: boolean): Promise<void> {
    const life = await this.life
    if (isAgain) life?.agent.kill()
    else await life?.agent.query.interrupt().catch(() => {})
  }

  /** Ends this agent, and goes on with another session. */
  async resume(sessionId: string): Promise<Agent> {
    await this.end()
    this.sessionId = sessionId
    this.hasBegun = true
    return this.start()
  }

  /** Ends claude and sends the telemetry, within the time that exit may take; who asks again waits for the same. Never rejects. */
  end(signal?: NodeJS.Signals): Promise<void> {
    const { life } = this
    this.life = undefined
    if (life !== undefined) this.ending = this.close(life, signal)
    return this.ending
  }

  private async close(begun: Promise<Life>, signal: NodeJS.Signals | undefined): Promise<void> {
    const life = await begun.catch(() => undefined)
    if (life === undefined) return
    life.inbox.end()
    const { line } = await life.agent.close(signal)
    await life.over
    if (line !== undefined) this.options.onTelemetry(line)
  }

  private firstArgs(): string[] {
    const { extraArgs } = this.options
    if (!this.hasBegun && this.sessionId === undefined) return agentArgs(extraArgs)
    const others = Object.entries(extraArgs).filter(([name]) => !sessionFlags.has(name))
    const session = this.hasBegun ? { resume: this.sessionId ?? null } : { 'session-id': this.sessionId ?? null }
    return agentArgs({ ...Object.fromEntries(others), ...session })
  }

  private async begin(args: readonly string[]): Promise<Life> {
    const { env, flags, cwd, canUseTool } = this.options
    const inbox = new Inbox()
    const options = { prompt: inbox, args, env, flags, cwd, onStderr: (text: string) => this.onStderr(text) }
    const agent = await startAgent(canUseTool === undefined ? options : { ...options, canUseTool })
    return { agent, inbox, over: this.listen(agent) }
  }

  private async listen(agent: Agent): Promise<void> {
    let reason = 'claude has ended'
    try {
      for await (const message of agent.messages) this.take(message)
    } catch (error) {
      reason = describeError(error)
    }
    const { trouble } = this
    this.trouble = ''
    const isOurs = this.life === undefined
    this.life = undefined
    const { line } = await agent.close()
    if (line !== undefined && !isOurs) this.options.onTelemetry(line)
    const why = trouble === '' ? reason : trouble
    if (this.turn === undefined && !isOurs) this.options.onLost(why)
    this.finishTurn({ kind: 'lost', reason: why })
  }

  private take(message: SDKMessage): void {
    if ('session_id' in message && message.type === 'system' && message.subtype === 'init') {
      this.sessionId = message.session_id
      // From here on there is a transcript to go on with.
      this.hasBegun = true
    }
    this.options.onMessage(message)
    if (message.type === 'result') this.finishTurn({ kind: 'result' })
  }

  private finishTurn(end: TurnEnd): void {
    const { turn } = this
    this.turn = undefined
    turn?.(end)
  }

  private onStderr(text: string): void {
    this.trouble = text.trim() || this.trouble
    this.options.onStderr(text)
  }
}
