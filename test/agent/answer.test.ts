/** What a run prints, message by message. */
import { describe, expect, test } from 'bun:test'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { type AnswerFormat, createAnswer } from '../../src/agent/answer.ts'

describe('An answer', () => {
  test('as text is that of each result, a blank line between two', () => {
    expect(print('text', [delta('Work'), result('Started.'), delta('More'), result('Done.')])).toBe(
      'Started.\n\nDone.\n',
    )
  })

  test('as text may be empty', () => {
    expect(print('text', [result('')])).toBe('\n')
  })

  test('that failed says why, in claude’s words', () => {
    expect(print('text', [failed('error_max_turns', ['Reached maximum number of turns (1)'])])).toBe(
      'Error: Reached maximum number of turns (1)\n',
    )
    expect(print('text', [failed('error_during_execution', ['[ede_diagnostic] x=y'])])).toBe('Execution error\n')
  })

  test('as JSON is the last result on one line, or nothing', () => {
    const last = result('Done.')
    expect(print('json', [result('Started.'), delta('x'), last])).toBe(`${JSON.stringify(last)}\n`)
    expect(print('json', [delta('x')])).toBe('')
  })

  test('as a stream of JSON is every message on a line', () => {
    const messages = [delta('x'), result('Done.')]
    expect(print('stream-json', messages)).toBe(messages.map((message) => `${JSON.stringify(message)}\n`).join(''))
  })

  test('while it is written is the text of the main conversation, messages apart, lines ended', () => {
    const messages = [delta('Fir'), delta('st.'), stop(), delta('of a subagent', 'toolu_1'), stop('toolu_1')]
    expect(print('live', [...messages, delta('Then.'), stop(), result('Then.')])).toBe('First.\n\nThen.\n')
    expect(print('live', [delta('Cut'), failed('error_during_execution', [])])).toBe('Cut\nExecution error\n')
    expect(print('live', [delta('No end')])).toBe('No end\n')
    expect(print('live', [delta('A line.\n'), stop(), result('A line.\n')])).toBe('A line.\n')
  })
})

function print(format: AnswerFormat, messages: readonly SDKMessage[]): string {
  const answer = createAnswer(format)
  return messages.map((message) => answer.show(message)).join('') + answer.end()
}

function delta(text: string, parent: string | null = null): SDKMessage {
  const event = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }
  return message({ type: 'stream_event', parent_tool_use_id: parent, event })
}

function stop(parent: string | null = null): SDKMessage {
  return message({ type: 'stream_event', parent_tool_use_id: parent, event: { type: 'content_block_stop', index: 0 } })
}

function result(text: string): SDKMessage {
  return message({ type: 'result', subtype: 'success', is_error: false, result: text })
}

function failed(subtype: string, errors: readonly string[]): SDKMessage {
  return message({ type: 'result', subtype, is_error: true, errors })
}

/** The SDK's messages have many fields that nobody here looks at. */
function message(fields: Readonly<Record<string, unknown>>): SDKMessage {
  return fields as unknown as SDKMessage
}
