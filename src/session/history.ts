/**
 * The conversations of a session, its own and its subagents', as messages: what a transcript told of prompts, answers, thinking,
 * tool calls and their results. Nothing is kept for it but what the entries hold anyway; of each conversation as much is
 * remembered as one attribute may have, the newest. Where nobody wants messages it remembers nothing.
 */
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import {
  cutJson,
  finishReasonOf,
  type Message,
  type OutputMessage,
  type Part,
  renderMessages,
} from '../telemetry/messages.ts'
import { restore } from '../telemetry/summary.ts'
import type { Invocation } from './invocations.ts'

type AnswerLine = Extract<TranscriptDetail, { type: 'message' }>
type ToolResult = Extract<TranscriptDetail, { type: 'tool-result' }>

/** An answer, as far as it was told: line by line, with lines of others between. */
interface Answer {
  readonly id: string
  readonly invocation: string
  readonly said: Said
  readonly parts: Part[]
  stopReason?: string | undefined
}

interface Said {
  readonly message: Message
  chars: number
}

class Conversation {
  /** The newest, within the bound. */
  readonly said: Said[] = []
  omitted = 0
  answer: Answer | undefined
  instructions: string | undefined
  private chars = 0

  constructor(private readonly maxChars: number) {}

  add(message: Message): Said {
    const said = { message, chars: 0 }
    this.said.push(said)
    this.grow(said, message.parts)
    return said
  }

  grow(said: Said, parts: readonly Part[]): void {
    const chars = JSON.stringify(parts).length
    said.chars += chars
    this.chars += chars
    while (this.chars > this.maxChars && this.said.length > 1) {
      this.chars -= this.said.shift()?.chars ?? 0
      this.omitted += 1
    }
  }

  clear(): void {
    this.said.length = 0
    this.chars = 0
    this.omitted = 0
  }
}

export class History {
  /** By agent id; '' is the session's own. */
  private readonly conversations = new Map<string, Conversation>()
  /** What a turn, or a life of an agent, was asked. */
  private readonly asked = new Map<string, Message[]>()

  constructor(
    /** Characters of the messages of one attribute; 0 where nobody wants them. */
    private readonly maxChars: number,
  ) {}

  /** `turn` is the one that the prompt belongs to; a subagent's has none. */
  onPrompt(text: string, agentId: string | undefined, turn?: Invocation): void {
    if (this.maxChars === 0) return
    const message: Message = { role: 'user', parts: [{ type: 'text', content: text }] }
    this.of(agentId).add(message)
    const key = agentId ?? turn?.ref.spanId ?? ''
    this.asked.set(key, [...(this.asked.get(key) ?? []), message])
  }

  /** A line of an answer. With the first of them, what the model was asked until then: the attributes for that. */
  onAnswer(line: AnswerLine, invocation: Invocation): AttributeSet {
    if (this.maxChars === 0) return {}
    const conversation = this.of(invocation.agentId)
    const isFirst = conversation.answer?.id !== line.messageId
    const input = isFirst ? this.input(conversation) : {}
    const answer = isFirst ? begin(conversation, line.messageId, keyOf(invocation)) : conversation.answer
    if (answer === undefined) return input
    const parts = partsOf(line)
    answer.parts.push(...parts)
    answer.stopReason = line.stopReason
    conversation.grow(answer.said, parts)
    return input
  }

  onResult({ useId, isError, message, response }: ToolResult, agentId: string | undefined): void {
    if (this.maxChars === 0) return
    const told = isError ? message.text : restore(response.summary)
    this.of(agentId).add({ role: 'tool', parts: [{ type: 'tool_call_response', id: useId, response: told }] })
  }

  onInstructions(texts: readonly { readonly text: string }[], agentId: string | undefined): void {
    const parts = texts.map(({ text }) => ({ type: 'text', content: text }))
    this.of(agentId).instructions = cutJson(JSON.stringify(parts), this.maxChars)
  }

  /** The model goes on from a summary, and from what follows. */
  onCompaction(): void {
    this.of(undefined).clear()
  }

  /** An answer that is whole, or will never be. */
  output(messageId: string, agentId: string | undefined): AttributeSet {
    if (this.maxChars === 0) return {}
    const { answer } = this.of(agentId)
    return answer?.id === messageId ? this.answered(answer) : {}
  }

  /** What a turn or an agent was asked, and its last answer; asked for once, at its end. */
  invocation(invocation: Invocation): AttributeSet {
    const { answer, instructions } = this.of(invocation.agentId)
    const key = keyOf(invocation)
    const asked = this.asked.get(key) ?? []
    this.asked.delete(key)
    return {
      'gen_ai.system_instructions': instructions,
      'gen_ai.input.messages': renderMessages(asked, this.maxChars),
      ...(answer?.invocation === key ? this.answered(answer) : {}),
    }
  }

  /** The session's own conversation: all but its last answer, and that. */
  session(): AttributeSet {
    const conversation = this.of(undefined)
    const { answer } = conversation
    return { ...this.input(conversation, answer?.said), ...(answer === undefined ? {} : this.answered(answer)) }
  }

  private input({ instructions, said, omitted }: Conversation, but?: Said): AttributeSet {
    const messages = said.filter((each) => each !== but).map(({ message }) => message)
    return {
      'gen_ai.system_instructions': instructions,
      'gen_ai.input.messages': renderMessages(messages, this.maxChars, omitted),
    }
  }

  private answered({ parts, stopReason }: Answer): AttributeSet {
    const message: OutputMessage = { role: 'assistant', parts, finish_reason: finishReasonOf(stopReason) }
    return { 'gen_ai.output.messages': renderMessages([message], this.maxChars) }
  }

  private of(agentId = ''): Conversation {
    const known = this.conversations.get(agentId)
    if (known !== undefined) return known
    const conversation = new Conversation(this.maxChars)
    this.conversations.set(agentId, conversation)
    return conversation
  }
}

function begin(conversation: Conversation, id: string, invocation: string): Answer {
  const parts: Part[] = []
  const answer = { id, invocation, parts, said: conversation.add({ role: 'assistant', parts }) }
  conversation.answer = answer
  return answer
}

function keyOf({ agentId, ref }: Invocation): string {
  return agentId ?? ref.spanId
}

function partsOf({ thinking, text, tools = [] }: AnswerLine): Part[] {
  return [
    ...(thinking === undefined ? [] : [{ type: 'reasoning', content: thinking.text } as const]),
    ...(text === undefined ? [] : [{ type: 'text', content: text.text } as const]),
    ...tools.map(({ useId = '', name, input }) => {
      return { type: 'tool_call', id: useId, name, arguments: restore(input) } as const
    }),
  ]
}
