/**
 * `claude-otel chat` at a terminal: a banner, a prompt, and turns that share one context. Whatever happens, the terminal is as it
 * was before when this has ended.
 */
import type { ReadStream } from 'node:tty'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { describeError, Failure } from '../base/errors.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { listSessions } from '../claude/sessions.ts'
import { nearest } from '../config/suggest.ts'
import { claudeLine, renderBanner, renderMetrics, renderTools } from './chat-banner.ts'
import { type ChatCommandName, chatCommands, chatKeys, readRequest } from './chat-commands.ts'
import type { ChatOptions, ChatPlaces } from './chat-options.ts'
import { Questions } from './chat-questions.ts'
import { Talk } from './chat-talk.ts'
import { AgentConsole } from './console.ts'
import { turnLine } from './console-metrics.ts'
import { renderRows, renderRowsPanel } from './console-panel.ts'
import { cutEnd, oneLine, wrap, wrapHanging } from './console-text.ts'
import { Prompt, type Said } from './prompt.ts'
import { choose } from './prompt-choice.ts'
import { History } from './prompt-history.ts'
import { Keyboard } from './prompt-keyboard.ts'
import { catchSignals } from './signals.ts'

/** How many earlier sessions are offered. */
const offered = 9

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
  private readonly places: ChatPlaces
  private commands: readonly string[] = []
  private isIntroduced = false
  private failure: unknown

  constructor(private readonly options: ChatOptions) {
    const { stdin, stdout, stderr, env, flags, cwd, mask, extraArgs } = options
    this.places = options.places
    this.console = new AgentConsole({ stdout, stderr, env, isPlain: options.isPlain, cwd, mask })
    this.keyboard = new Keyboard(stdin as ReadStream, () => this.prompt.end())
    this.prompt = new Prompt({
      ground: this.console,
      keyboard: this.keyboard,
      history: new History(this.places.history, mask),
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
    const stopped = Promise.withResolvers<Said>()
    const signals = catchSignals(
      () => stopped.resolve({ kind: 'end' }),
      () => void this.talk.interrupt(true),
    )
    try {
      this.greet()
      await this.converse(stopped.promise)
    } finally {
      console.rest()
      this.prompt.close()
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

  private async converse(stopped: Promise<Said>): Promise<void> {
    const first = this.options.prompt
    if (first !== undefined) {
      this.console.tell('prompt', oneLine(first))
      if (!(await this.handle(first, stopped))) return
    }
    for (;;) {
      const said = await Promise.race([this.prompt.read(), stopped])
      if (said.kind === 'end' || this.failure !== undefined) return
      if (said.kind === 'interrupt') {
        if (said.times > 1) return
        this.console.tell('warning', 'Ctrl-C again leaves, so does exit or Ctrl-D')
        continue
      }
      this.echo(said.text)
      if (!(await this.handle(said.text, stopped))) return
    }
  }

  /** What was said stays on the screen as it was written. */
  private echo(text: string): void {
    const { theme, screen } = this.console
    const lines = wrapHanging(text, screen.columns - 1, `${theme.accent(theme.caret)} `)
    this.console.print(['', ...lines])
  }

  /** False where this was the last. */
  private async handle(text: string, stopped: Promise<Said>): Promise<boolean> {
    const request = readRequest(text)
    if (request.kind === 'exit') return false
    try {
      if (request.kind === 'ours') await this.command(request.name, request.argument, stopped)
      else if (request.kind === 'prompt' || (await this.isTheirs(request.name))) await this.turn(text, stopped)
      else this.refuse(request.name)
    } catch (error) {
      this.console.tell('failure', this.console.theme.bad(oneLine(describeError(error))))
    }
    return true
  }

  private async turn(text: string, stopped: Promise<Said>): Promise<void> {
    let interrupts = 0
    this.prompt.during(() => {
      interrupts += 1
      void this.talk.interrupt(interrupts > 1)
    })
    this.console.work()
    const end = await Promise.race([this.talk.say(text), stopped])
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
    if (turn !== undefined && turn.turns > 0)
      console.print([turnLine(turn, console.metrics.contextLeft, console.theme)])
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

  private async command(name: ChatCommandName, argument: string, stopped: Promise<Said>): Promise<void> {
    const { console } = this
    const { columns } = console.screen
    if (name === 'help') console.print(this.help(columns))
    if (name === 'cost') console.print(renderMetrics(console.metrics, columns, console.theme))
    if (name === 'tools') console.print(renderTools(console.metrics, columns, console.theme))
    if (name === 'trace') console.print(await this.trace(columns))
    if (name === 'model') await this.model(argument)
    if (name === 'resume') await this.resume(argument)
    if (name !== 'clear') return
    await this.turn('/clear', stopped)
    console.tell('note', `A new session with an empty context: ${this.talk.sessionId ?? ''}`)
  }

  private help(columns: number): string[] {
    const { theme } = this.console
    const ours = chatCommands.map(({ name, about, ...more }) => {
      const argument = 'argument' in more ? ` [${more.argument}]` : ''
      return [`/${name}${argument}`, about] as const
    })
    const theirs = this.commands.filter(
      (name) => !name.startsWith('_') && !chatCommands.some((command) => command.name === name),
    )
    const more = theirs.length === 0 ? [] : [['claude’s own', theirs.map((name) => `/${name}`).join(' ')] as const]
    return renderRows([...ours, ...more, ...chatKeys], columns, theme)
  }

  private async trace(columns: number): Promise<string[]> {
    const { theme } = this.console
    const agent = await this.talk.start()
    if (agent.run === undefined) return [`${theme.signs.note} Telemetry is off: nothing is recorded.`]
    const found = await this.places.traceOf(agent.run, this.talk.sessionId)
    return renderRowsPanel(theme.isRich ? '🔭 Trace' : 'Trace', found, [], columns, theme)
  }

  private async model(name: string): Promise<void> {
    const { console, keyboard } = this
    const { query } = await this.talk.start()
    const models = await query.supportedModels()
    const asked = { ground: console, keyboard, signal: new AbortController().signal }
    const choices = models.map(({ displayName, description }) => ({ label: displayName, about: oneLine(description) }))
    const [chosen] = name === '' ? ((await choose(choices, {}, asked)) ?? []) : []
    const value = name === '' ? (chosen === undefined ? undefined : models[chosen]?.value) : name
    if (value === undefined) return
    await query.setModel(value)
    console.tell('note', `From now on: ${oneLine(value)}`)
  }

  private async resume(id: string): Promise<void> {
    const { console, keyboard } = this
    const { env, cwd } = this.options
    const sessions = listSessions(env, cwd, 100).filter((each) => each.id !== this.talk.sessionId)
    const choices = sessions.slice(0, offered).map(({ prompt, atUnixMs }) => ({
      label: cutEnd(oneLine(this.options.mask(prompt)), 60),
      about: new Date(atUnixMs).toLocaleString('sv').slice(0, 16),
    }))
    if (sessions.length === 0) return console.tell('note', 'There is no earlier session of this folder.')
    const asked = { ground: console, keyboard, signal: new AbortController().signal }
    const [at] = id === '' ? ((await choose(choices, {}, asked)) ?? []) : []
    const found = id === '' ? sessions[at ?? -1] : sessions.find((each) => each.id.startsWith(id))
    if (found === undefined)
      return id === '' ? undefined : console.tell('failure', `There is no session ${oneLine(id)} of this folder`)
    const agent = await this.talk.resume(found.id)
    console.tell('note', `Going on with: ${cutEnd(oneLine(this.options.mask(found.prompt)), 60)}`)
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
