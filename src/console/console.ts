/**
 * The console of the rich mode: an agent's messages as they come. What the model answers goes to stdout, and everything about it
 * to stderr, so that pipes get the answer alone.
 */
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { Blocks } from './blocks.ts'
import { renderMarkdown } from './markdown.ts'
import { Metrics, type Used, usedParts } from './metrics.ts'
import { type Bottom, Screen } from './screen.ts'
import { cutEnd, harmless, widthOf, wrapHanging } from './text.ts'
import { type Sign, type Theme, themeFor } from './theme.ts'
import { type Piece, View } from './view.ts'

/** A stream to a terminal or elsewhere. */
export interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
}

export interface ConsoleOptions {
  /** Where the answer goes; absent: somebody else prints it. */
  readonly stdout?: Stream
  /** Where everything else goes; absent: nobody wants to know. */
  readonly stderr?: Stream
  readonly env: Readonly<Record<string, string | undefined>>
  /** Somebody asked for words alone. */
  readonly isPlain: boolean
  readonly cwd: string
  /** Hides secrets in what is told of tools. */
  readonly mask: (text: string) => string
}

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const everyMs = 100
/** Where nobody says how wide it is. */
const [usualColumns, usualRows] = [80, 24]
/** Of a block that is being written, the last rows are shown. */
const growingRows = 8

export class AgentConsole {
  readonly theme: Theme
  readonly screen: Screen
  readonly metrics = new Metrics()
  private readonly view: View
  private readonly blocks = new Blocks()
  /** Undefined where the answer goes on as it comes. */
  private readonly answerTheme: Theme | undefined
  private readonly writeAnswer: (text: string) => void
  private readonly writeLine: (text: string) => void
  private lastAnswer: 'none' | 'open' | 'whole' | 'ended' = 'none'
  private wasAnswer = false
  private timer: ReturnType<typeof setInterval> | undefined
  private turnMs = 0
  private prompt: ((columns: number) => Bottom | undefined) | undefined
  private readonly held: Piece[] = []
  private covers: readonly ((columns: number) => Bottom)[] = []

  constructor(private readonly options: ConsoleOptions) {
    const { stdout, stderr, env, isPlain, cwd, mask } = options
    this.theme = themeFor(stderr?.isTTY === true, env, isPlain)
    this.answerTheme = stdout?.isTTY === true ? themeFor(true, env, isPlain) : undefined
    this.writeLine = (text) => void stderr?.write(text)
    // One terminal: the bottom makes way for the answer too.
    this.writeAnswer = (text) => void stdout?.write(text)
    this.screen = new Screen({
      write: this.writeLine,
      columns: () => stderr?.columns || usualColumns,
      rows: () => stderr?.rows || usualRows,
      bottom: (columns) => this.bottom(columns),
    })
    this.view = new View({ theme: this.theme, cwd, mask })
  }

  /** Everything that the agent says, in order. What a turn has used when the message ends it. */
  onMessage(message: SDKMessage): Used | undefined {
    for (const piece of this.view.take(message, performance.now())) this.show(piece)
    const turn = this.metrics.take(message)
    if (turn !== undefined) this.rest()
    return turn
  }

  /** A turn begins: something moves on a terminal until it has ended, or `rest` is called. */
  work(): void {
    this.view.begin()
    this.turnMs = performance.now()
    if (!this.theme.isRich || this.timer !== undefined) return
    this.timer = setInterval(() => this.refresh(), everyMs)
    this.timer.unref()
    this.refresh()
  }

  /** Nothing moves any more. */
  rest(): void {
    if (this.timer === undefined) return
    clearInterval(this.timer)
    this.timer = undefined
    this.refresh()
  }

  setPrompt(render: ((columns: number) => Bottom | undefined) | undefined): void {
    this.prompt = render
    this.refresh()
  }

  cover(render: (columns: number) => Bottom): () => void {
    this.covers = [...this.covers, render]
    this.refresh()
    return () => {
      this.covers = this.covers.filter((each) => each !== render)
      for (const piece of this.held.splice(0)) this.show(piece)
      this.refresh()
    }
  }

  refresh(): void {
    this.screen.refresh()
  }

  clear(): void {
    this.screen.clear()
  }

  /** Nothing is at the bottom any more, whoever was there. */
  close(): void {
    clearInterval(this.timer)
    this.timer = undefined
    this.prompt = undefined
    this.covers = []
    for (const piece of this.held.splice(0)) this.show(piece)
    this.refresh()
  }

  /** A person has decided on a tool call: only now it begins, or there is nothing more to say of it. */
  decided(toolUseId: string, isAllowed: boolean): void {
    if (isAllowed) this.view.restart(toolUseId, performance.now())
    else this.view.forget(toolUseId)
  }

  /** A line about something, with its sign. */
  tell(sign: Sign, text: string): void {
    this.show({ kind: 'line', lead: `${this.theme.signs[sign]} `, text })
  }

  /** Lines that fit already, on stderr. */
  print(lines: readonly string[]): void {
    this.wasAnswer = false
    this.screen.print(lines)
  }

  /** The last line of a single prompt: what it took, and where it can be found. */
  finish(isError: boolean, traceId: string | undefined): void {
    this.rest()
    const { theme } = this
    const parts = [isError ? theme.bad('Failed') : theme.good('Completed'), ...usedParts(this.metrics.total)]
    this.tell(isError ? 'failure' : 'done', parts.join(theme.dim(theme.between)))
    if (traceId !== undefined) this.show({ kind: 'line', lead: '   ', text: theme.dim(`trace ${traceId}`) })
  }

  /** A question stays below what it is about: what comes meanwhile is shown when it is answered. */
  private show(piece: Piece): void {
    if (this.covers.length > 0) {
      this.held.push(piece)
      return
    }
    if (piece.kind === 'line') this.showLine(piece)
    else if (this.answerTheme === undefined) this.passOn(piece)
    else this.render(piece, this.answerTheme)
  }

  /** Block by block, with an empty line before each and between the answer and what is told. */
  private render(piece: Exclude<Piece, { kind: 'line' }>, theme: Theme): void {
    const complete = piece.kind === 'text' ? this.blocks.add(piece.text) : this.blocks.end()
    if (complete === undefined) return
    this.screen.print(['', ...renderMarkdown(complete, this.answerColumns, theme)], this.writeAnswer)
    this.wasAnswer = true
  }

  private showLine({ lead, text, isOutput }: Extract<Piece, { kind: 'line' }>): void {
    const space = this.wasAnswer ? [''] : []
    this.wasAnswer = false
    const { columns } = this.screen
    const cut = () => `${lead}${this.theme.dim(cutEnd(text, columns - widthOf(lead), this.theme.dots))}`
    this.screen.print([...space, ...(isOutput === true ? [cut()] : wrapHanging(text, columns, lead))])
  }

  /** As the model said it, with an empty line between two answers and a line feed at the end. */
  private passOn(piece: Exclude<Piece, { kind: 'line' }>): void {
    if (piece.kind === 'end') {
      if (this.lastAnswer === 'open') this.writeAnswer('\n')
      this.lastAnswer = 'ended'
      return
    }
    this.writeAnswer(this.lastAnswer === 'ended' ? `\n${piece.text}` : piece.text)
    // What ends in a line feed needs none.
    this.lastAnswer = piece.text.endsWith('\n') ? 'whole' : 'open'
  }

  /** What covers all else; or else what moves, and the prompt below it. */
  private bottom(columns: number): Bottom | undefined {
    const cover = this.covers.at(-1)
    if (cover !== undefined) return cover(columns)
    const prompt = this.prompt?.(columns)
    if (this.timer === undefined) return prompt
    const above = [...this.growing(), this.progress(columns)]
    const rows = [...above, ...(prompt?.rows ?? [])]
    if (prompt?.cursor === undefined) return { rows }
    return { rows, cursor: { ...prompt.cursor, row: prompt.cursor.row + above.length } }
  }

  /** What is being written, until it is a whole block. */
  private growing(): string[] {
    const { rest } = this.blocks
    if (this.answerTheme === undefined || rest.trim() === '') return []
    return ['', ...renderMarkdown(rest, this.answerColumns, this.answerTheme).slice(-growingRows)]
  }

  private get answerColumns(): number {
    return Math.max(4, this.options.stdout?.columns || usualColumns)
  }

  private progress(columns: number): string {
    const now = performance.now()
    const sign = spinner[Math.floor(now / everyMs) % spinner.length] ?? ''
    const seconds = Math.floor((now - this.turnMs) / 1000)
    const text = `${harmless(this.view.status(now))}${seconds > 0 ? `${this.theme.between}${seconds} s` : ''}`
    return `${this.theme.accent(sign)} ${this.theme.dim(cutEnd(text, columns - 3))}`
  }
}
