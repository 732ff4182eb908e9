/**
 * What a person is shown of an agent's messages: words of the answer as they come, lines about tools, agents and troubles, and
 * what goes on right now. A state and a message in, pieces out; no clock and no terminal.
 */
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { short } from './metrics.ts'
import { cutEnd, oneLine } from './text.ts'
import type { Sign, Theme } from './theme.ts'
import { count, isRecord, outputLines, resultSummary, textOf, toolName, toolTitle, type Words } from './titles.ts'

/** `text` is a part of the answer, `end` its end; a `line` is about it, and stands beside its `lead`; a tool's output is cut, all else wrapped. */
export type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'end' }
  | { readonly kind: 'line'; readonly lead: string; readonly text: string; readonly isOutput?: boolean }

interface Call {
  readonly name: string
  readonly isAgent: boolean
  readonly startMs: number
  readonly depth: number
}

const agentTools: ReadonlySet<string> = new Set(['Agent', 'Task'])
/** What such a tool does is asked for, or shown, in another way. */
const silentTools: ReadonlySet<string> = new Set(['AskUserQuestion', 'ExitPlanMode'])

export class View {
  private readonly calls = new Map<string, Call>()
  /** Ids of messages whose text came word by word. */
  private readonly streamed = new Set<string>()
  private current = ''
  private isWriting = false
  private activity = 'Starting'
  private outputTokens = 0
  /** What was said before a compaction comes again after it. */
  private isRepeating = false

  constructor(private readonly words: Words) {}

  /** Pieces in the order in which they are to be seen. `nowMs` is of any clock that only goes forward. */
  take(message: SDKMessage, nowMs: number): Piece[] {
    if (message.type === 'stream_event' || message.type === 'result') this.isRepeating = false
    if (this.isRepeating && message.type !== 'system') return []
    switch (message.type) {
      case 'stream_event':
        return message.parent_tool_use_id === null ? this.takeEvent(message.event) : []
      case 'assistant':
        return this.takeAnswer(message, nowMs)
      case 'user':
        return this.takeResults(message, nowMs)
      case 'system':
        return this.takeSystem(message)
      case 'result':
        this.calls.clear()
        return this.endText()
      default:
        return []
    }
  }

  /** A new turn has begun. */
  begin(): void {
    this.activity = 'Thinking'
    this.outputTokens = 0
  }

  /** A call has waited for a person until now. */
  restart(toolUseId: string, nowMs: number): void {
    const call = this.calls.get(toolUseId)
    if (call !== undefined) this.calls.set(toolUseId, { ...call, startMs: nowMs })
  }

  /** Nothing more is told of this call. */
  forget(toolUseId: string): void {
    this.calls.delete(toolUseId)
  }

  /** What goes on, for the line that moves. */
  status(nowMs: number): string {
    const running = [...this.calls.values()].filter(({ depth }) => depth === 0)
    const told = this.outputTokens > 0 ? `${this.words.theme.between}${short(this.outputTokens)} tokens` : ''
    const [first] = running
    if (first === undefined) return `${this.activity}${told}`
    const seconds = Math.floor((nowMs - first.startMs) / 1000)
    const names = running.map(({ name }) => toolName(name)).join(', ')
    return `${names}${seconds > 0 ? ` ${seconds} s` : ''}`
  }

  private takeEvent(event: unknown): Piece[] {
    if (!isRecord(event)) return []
    if (event.type === 'message_start' && isRecord(event.message)) this.current = String(event.message.id)
    if (event.type === 'content_block_start' && isRecord(event.content_block))
      this.activity = activities[String(event.content_block.type)] ?? this.activity
    if (event.type === 'content_block_stop') return this.endText()
    if (event.type === 'message_delta' && isRecord(event.usage)) this.outputTokens += Number(event.usage.output_tokens)
    const { delta } = event
    if (event.type !== 'content_block_delta' || !isRecord(delta) || typeof delta.text !== 'string') return []
    this.streamed.add(this.current)
    this.isWriting = true
    return [{ kind: 'text', text: delta.text }]
  }

  private takeAnswer(message: Extract<SDKMessage, { type: 'assistant' }>, nowMs: number): Piece[] {
    const { id, content } = message.message
    const isOfAgent = message.parent_tool_use_id !== null
    return content.flatMap((block): Piece[] => {
      if (block.type === 'tool_use')
        return [...this.endText(), ...this.beginCall(block, message.parent_tool_use_id, nowMs)]
      if (block.type !== 'text' || isOfAgent || this.streamed.has(id)) return []
      if (message.error !== undefined) return [this.line('failure', this.words.theme.bad(this.shown(block.text)))]
      return block.text === '' ? [] : [{ kind: 'text', text: block.text }, { kind: 'end' }]
    })
  }

  private beginCall(
    block: { id: string; name: string; input: unknown },
    parent: string | null,
    nowMs: number,
  ): Piece[] {
    const depth = parent === null ? 0 : (this.calls.get(parent)?.depth ?? 0) + 1
    const isAgent = agentTools.has(block.name)
    this.calls.set(block.id, { name: block.name, isAgent, startMs: nowMs, depth })
    if (silentTools.has(block.name)) return []
    const { theme } = this.words
    if (!isAgent) return [this.line('tool', emphasized(toolTitle(block.name, block.input, this.words), theme), depth)]
    const { subagent_type, description } = isRecord(block.input) ? block.input : {}
    const who = oneLine(String(subagent_type ?? 'agent'))
    return [this.line('agent', emphasized(`${who} - ${this.shown(String(description ?? ''))}`, theme), depth)]
  }

  private takeResults(message: Extract<SDKMessage, { type: 'user' }>, nowMs: number): Piece[] {
    const { content } = message.message
    if (typeof content === 'string') return this.takeCommandOutput(content)
    return content.flatMap((block): Piece[] => {
      if (block.type !== 'tool_result') return []
      const call = this.calls.get(block.tool_use_id)
      if (call === undefined) return []
      this.calls.delete(block.tool_use_id)
      const isError = block.is_error === true
      if (silentTools.has(call.name) && !isError) return []
      const structure = isRecord(message.tool_use_result) && content.length === 1 ? message.tool_use_result : undefined
      return this.endCall(
        call,
        { value: resultOf(call, structure, block.content), text: textOf(block.content), isError },
        nowMs,
      )
    })
  }

  private endCall(
    call: Call,
    { value, text, isError }: { value: unknown; text: string; isError: boolean },
    nowMs: number,
  ) {
    const { theme } = this.words
    const seconds = (nowMs - call.startMs) / 1000
    const output = call.name === 'Bash' || isError ? outputLines(text, this.words) : []
    const summary =
      output.length > 0 && !isError
        ? count(lineCount(text), 'line')
        : resultSummary(isError ? text : value, isError, this.words)
    const took = seconds < 0.1 ? '' : theme.dim(`${theme.between}${seconds.toFixed(1)} s`)
    const told = `${toolName(call.name)} ${theme.dim(theme.arrow)} ${isError ? theme.bad(summary) : summary}${took}`
    const head = this.line(isError ? 'failure' : 'success', told, call.depth)
    const lead = `${indentation(call.depth)}   `
    return [head, ...output.map((each): Piece => ({ kind: 'line', lead, text: each, isOutput: true }))]
  }

  /** Of commands that Claude Code ran itself. */
  private takeCommandOutput(content: string): Piece[] {
    const told = /^<local-command-(?:stdout|stderr)>([\s\S]*)<\/local-command-/.exec(content)?.[1]?.trim()
    return told === undefined || told === '' ? [] : [this.line('note', this.shown(told))]
  }

  private takeSystem(message: Extract<SDKMessage, { type: 'system' }>): Piece[] {
    const { theme } = this.words
    switch (message.subtype) {
      case 'status':
        if (message.status !== null) this.activity = message.status === 'compacting' ? 'Compacting' : 'Thinking'
        return []
      case 'api_retry': {
        const seconds = Math.round(message.retry_delay_ms / 1000)
        const told = `${message.error.replaceAll('_', ' ')}: again in ${seconds} s (${message.attempt} of ${message.max_retries})`
        return [this.line('warning', theme.warn(told))]
      }
      case 'compact_boundary': {
        this.isRepeating = true
        const { pre_tokens, post_tokens, trigger } = message.compact_metadata
        const size = `${short(pre_tokens)} ${theme.arrow} ${post_tokens === undefined ? '?' : short(post_tokens)} tokens`
        return [this.line('note', `Context compacted (${trigger}): ${size}`)]
      }
      case 'permission_denied':
        return [this.line('failure', `${toolName(message.tool_name)} denied: ${this.shown(message.message)}`)]
      case 'local_command_output':
        return [{ kind: 'text', text: message.content }, { kind: 'end' }]
      case 'informational':
        return message.level === 'info' ? [] : [this.line('note', this.shown(message.content))]
      default:
        return []
    }
  }

  private endText(): Piece[] {
    if (!this.isWriting) return []
    this.isWriting = false
    return [{ kind: 'end' }]
  }

  private line(sign: Sign, text: string, depth = 0): Piece {
    return { kind: 'line', lead: `${indentation(depth)}${this.words.theme.signs[sign]} `, text }
  }

  /** In one line, masked, and not longer than somebody reads. */
  private shown(text: string): string {
    return cutEnd(oneLine(this.words.mask(text.slice(0, 4000))), 300, this.words.theme.dots)
  }
}

const activities: Readonly<Record<string, string>> = {
  text: 'Writing',
  thinking: 'Thinking',
  tool_use: 'Preparing a tool',
}

function indentation(depth: number): string {
  return '   '.repeat(Math.min(depth, 3))
}

/** Of an agent its last words: before them may stand what it did. */
function resultOf({ isAgent }: Call, structure: Readonly<Record<string, unknown>> | undefined, told: unknown): unknown {
  const content = structure?.content
  return isAgent && Array.isArray(content) ? content.slice(-1) : (structure ?? told)
}

function lineCount(text: string): number {
  return text.trim().split('\n').length
}

function emphasized(title: string, theme: Theme): string {
  const [name = '', ...rest] = title.split(' - ')
  return rest.length === 0 ? theme.bold(name) : `${theme.bold(name)} ${theme.dim('-')} ${rest.join(' - ')}`
}
