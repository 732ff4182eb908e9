/**
 * `claude-otel chat` at a terminal: a banner, a prompt, and turns that share one context. Whatever happens, the terminal is as it
 * was before when this has ended.
 */
import type { ReadStream } from 'node:tty'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { catchSignals } from '../agent/signals.ts'
import { describeError, Failure } from '../base/errors.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { nearest } from '../config/suggest.ts'
import { AgentConsole } from '../console/console.ts'
import { turnLine } from '../console/metrics.ts'
import { Prompt } from '../console/prompt.ts'
import { History } from '../console/prompt-history.ts'
import { Keyboard } from '../console/prompt-keyboard.ts'
import { oneLine, wrap, wrapHanging } from '../console/text.ts'
import { Actions } from './actions.ts'
import { claudeLine, renderBanner, renderMetrics } from './banner.ts'
import { type ChatCommandName, chatCommands, readRequest } from './commands.ts'
import type { ChatOptions } from './options.ts'
import { Questions } from './questions.ts'
import { Talk } from './talk.ts'

/** Until somebody leaves, or a signal says so. Fails where claude cannot be started. */
export async function chat(options: ChatOptions): Promise<ChildEnd> {
  const room = new ChatRoom(options)
  return room.run()
}

class ChatRoom {
  private readonly console: AgentConsole
  private readonly keyboard: Keyboard
  private readonly prompt: Prompt
  private readonly talk: Talk
  private readonly history: History
  private readonly actions: Actions
  private commands: readonly string[] = []
  private isIntroduced = false
  private failure: unknown

  constructor(private readonly options: ChatOptions) {
    const { stdin, stdout, stderr, env, flags, cwd, mask, extraArgs } = options
    this.history = new History(options.places.history, mask)
    this.console = new AgentConsole({ stdout, stderr, env, isPlain: options.isPlain, cwd, mask })
    this.keyboard = new Keyboard(stdin as ReadStream, () => this.prompt.end())
    this.prompt = new Prompt({
      ground: this.console,
      keyboard: this.keyboard,
      history: this.history,
      completions: () => [...chatCommands.map(({ name }) => `/${name}`), ...this.commands.map((name) => `/${name}`)],
    })
    const questions = new Questions({ console: this.console, keyboard: this.keyboard, mask })
    this.talk = new Talk({
      ...{ extraArgs, env, flags, cwd },
      canUseTool: questions.canUseTool,
      onMessage: (message) => this.take(message),
      onStderr: () => {},
      onLost: (reason) => this.lost(reason),
      onTelemetry: (line) => this.console.tell('warning', oneLine(line)),
    })
    const { console, keyboard, talk } = this
    this.actions = new Actions({ console, keyboard, talk, options })
  }

  async run(): Promise<ChildEnd> {
    const { stderr, stdout } = this.options
    const { console } = this
    console.print(renderBanner(this.facts(), console.screen.columns, console.theme))
    this.keyboard.open()
    const onResize = () => console.refresh()
    stderr.on('resize', onResize)
    // A terminal that is gone is told by a signal.
    for (const stream of [stderr, stdout]) stream.on('error', () => {})
    const stopped = Promise.withResolvers<void>()
    const signals = catchSignals(
      () => stopped.resolve(),
      () => void this.talk.interrupt(true),
    )
    try {
      this.greet()
      await Promise.race([this.converse(), stopped.promise])
    } finally {
      console.close()
      this.keyboard.close()
      await this.leave(signals.first)
      stderr.off('resize', onResize)
      signals.stop()
    }
    if (this.failure !== undefined) throw this.failure
    return signals.first === undefined ? { code: 0 } : { signal: signals.first }
  }

  private facts() {
    const { extraArgs, env, cwd, resolution } = this.options
    const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
    return {
      model: text(extraArgs.model) ?? env.ANTHROPIC_MODEL,
      permissionMode: text(extraArgs['permission-mode']),
      ...{ cwd, resolution, sessionId: this.talk.sessionId },
    }
  }

  /** claude is started while somebody reads the banner. */
  private greet(): void {
    this.talk.start().then(
      (agent) => this.introduce(agent).catch(() => {}),
      (error: unknown) => {
        this.failure = error
        this.prompt.end()
      },
    )
  }

  /** A claude that ends before it has said anything will do so again. */
  private lost(reason: string): void {
    this.console.tell('failure', this.console.theme.bad(oneLine(reason)))
    if (this.isIntroduced) return
    this.failure = new Failure('unavailable', 'claude has ended before the chat began')
    this.prompt.end()
  }

  private async introduce(agent: Awaited<ReturnType<Talk['start']>>): Promise<void> {
    const [told, servers] = await Promise.all([agent.query.initializationResult(), agent.query.mcpServerStatus()])
    this.isIntroduced = true
    this.commands = told.commands.flatMap(({ name, aliases = [] }) => [name, ...aliases])
    const model = told.models.find(({ value }) => value === (this.facts().model ?? 'default'))
    const facts = { version: told.claude_code_version, model: model?.resolvedModel ?? this.facts().model, servers }
    const line = claudeLine({ ...facts, traceId: agent.run?.root.traceId }, this.console.theme)
    this.console.print(wrap(line, this.console.screen.columns))
  }

  private async converse(): Promise<void> {
    const first = this.options.prompt
    if (first !== undefined) {
      this.console.tell('prompt', oneLine(first))
      if (!(await this.handle(first))) return
    }
    for (;;) {
      const said = await this.prompt.read()
      if (said.kind === 'end' || this.failure !== undefined) return
      if (said.kind === 'interrupt') {
        if (said.times > 1) return
        this.console.tell('warning', 'Ctrl-C again leaves, so does exit or Ctrl-D')
        continue
      }
      this.echo(said.text)
      if (!(await this.handle(said.text))) return
    }
  }

  /** What was said stays on the screen as it was written. */
  private echo(text: string): void {
    const { theme, screen } = this.console
    const lines = wrapHanging(text, screen.columns - 1, `${theme.accent(theme.caret)} `)
    this.console.print(['', ...lines])
  }

  /** False where this was the last. */
  private async handle(text: string): Promise<boolean> {
    const request = readRequest(text)
    if (request.kind === 'exit') return false
    this.history.add(text)
    try {
      if (request.kind === 'ours') await this.command(request.name, request.argument)
      else if (request.kind === 'prompt' || (await this.isTheirs(request.name))) await this.turn(text)
      else this.refuse(request.name)
    } catch (error) {
      this.console.tell('failure', this.console.theme.bad(oneLine(describeError(error))))
    }
    return true
  }

  private async turn(text: string): Promise<void> {
    let interrupts = 0
    this.prompt.during(() => {
      interrupts += 1
      void this.talk.interrupt(interrupts > 1)
    })
    this.console.work()
    const end = await this.talk.say(text)
    this.console.rest()
    this.prompt.during(undefined)
    const { theme } = this.console
    if (end.kind === 'lost')
      this.console.tell(
        'failure',
        `${theme.bad(oneLine(end.reason))}${theme.between}the next prompt goes on with this session`,
      )
  }

  private take(message: SDKMessage): void {
    const { console } = this
    if (message.type === 'system' && message.subtype === 'init')
      this.commands = [...new Set([...this.commands, ...message.slash_commands])]
    const turn = console.onMessage(message)
    if (message.type !== 'result') return
    if (message.is_error && message.subtype !== 'success') this.tellEnd(message.terminal_reason, message.errors)
    if (turn === undefined || turn.turns === 0) return
    console.print(wrap(turnLine(turn, console.metrics.contextLeft, console.theme), console.screen.columns))
  }

  private tellEnd(reason: string | undefined, errors: readonly string[]): void {
    const isInterrupted = reason?.startsWith('aborted') === true
    const told = errors.filter((line) => !line.startsWith('[ede_diagnostic]')).map(oneLine)
    if (isInterrupted) this.console.tell('note', 'Interrupted: what shall be done instead?')
    else
      this.console.tell(
        'failure',
        this.console.theme.bad(told.join(' ') || (reason ?? 'the turn failed').replaceAll('_', ' ')),
      )
  }

  private async isTheirs(name: string): Promise<boolean> {
    if (this.commands.includes(name)) return true
    const agent = await this.talk.start()
    const { commands } = await agent.query.initializationResult()
    return commands.some(({ name: known, aliases = [] }) => known === name || aliases.includes(name))
  }

  private refuse(name: string): void {
    const meant = nearest(name, [...chatCommands.map((command) => command.name), ...this.commands])
    const hint = meant === undefined ? '/help lists them' : `did you mean /${meant}?`
    this.console.tell('failure', `There is no command /${oneLine(name)}: ${hint}`)
  }

  private async command(name: ChatCommandName, argument: string): Promise<void> {
    if (name === 'clear') await this.clear()
    else if (name === 'resume') await this.resume(argument)
    else await this.actions.act(name, argument, this.commands)
  }

  private async clear(): Promise<void> {
    await this.turn('/clear')
    this.console.tell('note', `A new session with an empty context: ${this.talk.sessionId ?? ''}`)
  }

  private async resume(id: string): Promise<void> {
    const found = await this.actions.chooseSession(id)
    if (found === undefined) return
    const agent = await this.talk.resume(found.id)
    this.console.tell('note', `Going on with: ${found.prompt}`)
    await this.introduce(agent)
  }

  /** The sum, and then the telemetry. */
  private async leave(signal: NodeJS.Signals | undefined): Promise<void> {
    const { console } = this
    const { total } = console.metrics
    if (total.turns > 0 && signal === undefined)
      console.print(['', ...renderMetrics(console.metrics, console.screen.columns, console.theme)])
    await this.talk.end(signal)
    if (signal === undefined && this.failure === undefined)
      console.print([console.theme.isRich ? 'Goodbye! 👋' : 'Goodbye!'])
  }
}
