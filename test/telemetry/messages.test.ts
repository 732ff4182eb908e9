/** Messages as JSON within a length: what goes first, what is cut, and that it is JSON and messages all the same. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  cutJson,
  finishReasonOf,
  type Message,
  type Part,
  parseStructure,
  renderMessages,
} from '../../src/telemetry/messages.ts'
import { faultsOfInput } from '../kit/genai-schema.ts'

const say = (content: string, role: Message['role'] = 'user'): Message => ({
  role,
  parts: [{ type: 'text', content }],
})
const parse = (text: string | undefined): Message[] => JSON.parse(text ?? 'null') as Message[]
const omitted = (messages: number): Message => ({ role: 'system', parts: [{ type: 'omitted', messages }] })

const anyPart: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ type: fc.constantFrom('text' as const, 'reasoning' as const), content: fc.string({ maxLength: 3000 }) }),
  fc.record({
    type: fc.constant('tool_call' as const),
    id: fc.string({ maxLength: 30 }),
    name: fc.string({ maxLength: 30 }),
    arguments: fc.dictionary(fc.string({ maxLength: 9 }), fc.string({ maxLength: 900 }), { maxKeys: 5 }),
  }),
  fc.record({
    type: fc.constant('tool_call_response' as const),
    id: fc.string({ maxLength: 30 }),
    response: fc.oneof(fc.string({ maxLength: 900 }), fc.array(fc.integer(), { maxLength: 9 }), fc.constant(null)),
  }),
)
const anyMessage = fc.record({
  role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const, 'tool' as const),
  parts: fc.array(anyPart, { maxLength: 4 }),
})

describe('messages within a length', () => {
  test('are as they were where they have room', () => {
    const messages = [say('one'), say('two', 'assistant')]
    const whole = JSON.stringify(messages)
    expect(renderMessages(messages, whole.length)).toBe(whole)
    expect(cutJson(whole, whole.length)).toBe(whole)
    expect(renderMessages([], 1000)).toBeUndefined()
  })

  test('lose the oldest, and say how many', () => {
    const messages = Array.from({ length: 9 }, (_, index) => say(`${index} ${'x'.repeat(100)}`))
    const cut = parse(renderMessages(messages, 600))
    expect(cut[0]).toEqual(omitted(6))
    expect(cut.slice(1)).toEqual(messages.slice(6))
    // Cut again, by the rule of another destination; and where some were gone before.
    expect(parse(cutJson(JSON.stringify(cut), 300))).toEqual([omitted(8), ...messages.slice(8)])
    expect(parse(renderMessages(messages, 600, 4))[0]).toEqual(omitted(10))
    expect(parse(renderMessages(messages.slice(7), 600, 4))).toEqual([omitted(4), ...messages.slice(7)])
  })

  test('keep the last one, its texts cut, where that alone is too long', () => {
    const long: Message = {
      role: 'assistant',
      parts: [
        { type: 'text', content: 'y'.repeat(5000) },
        { type: 'tool_call', id: 'toolu_1', name: 'Bash', arguments: { command: 'z'.repeat(5000), timeout: 5 } },
      ],
    }
    const [first, message] = parse(renderMessages([say('before'), long], 1000))
    expect(first).toEqual(omitted(1))
    expect(message?.parts[1]).toMatchObject({ type: 'tool_call', id: 'toolu_1', name: 'Bash' })
    expect(JSON.stringify(message)).toMatch(/"content":"y{64,}"/)
    expect(faultsOfInput([first, message])).toEqual([])
  })

  test('are messages, and have that length, whatever they were', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), fc.integer({ min: 0, max: 4000 }), (messages, maxChars) => {
        const text = renderMessages(messages, maxChars)
        if (text === undefined) return
        expect(text.length).toBeLessThanOrEqual(maxChars)
        expect(faultsOfInput(text)).toEqual([])
        const kept = parse(text)
        const gone = kept[0]?.parts[0]
        const missing = gone?.type === 'omitted' ? gone.messages : 0
        expect(missing + kept.length - (missing > 0 ? 1 : 0)).toBe(messages.length)
      }),
    )
  })
})

describe('JSON within a length', () => {
  test('is an object still, with its texts cut alike', () => {
    const text = JSON.stringify({ path: '/a', content: 'c'.repeat(900), more: ['d'.repeat(900)], line: 7 })
    const cut = JSON.parse(cutJson(text, 500) ?? '') as { path: string; content: string; more: string[]; line: number }
    expect(cut).toMatchObject({ path: '/a', line: 7 })
    expect(cut.content.length).toBe(cut.more[0]?.length ?? 0)
    expect(cut.content.length).toBeGreaterThanOrEqual(64)
  })

  test('is a text where it is none, and nothing where not its texts are too much', () => {
    expect(cutJson('plain words', 5)).toBe('plain')
    expect(cutJson('[not json, at all]', 8)).toBe('[not jso')
    expect(cutJson(JSON.stringify(Array.from({ length: 500 }, (_, index) => index)), 100)).toBeUndefined()
  })

  test('never cuts a placeholder', () => {
    const text = JSON.stringify({ command: `${'a'.repeat(60)}[REDACTED:github-token] and more${'b'.repeat(300)}` })
    expect(cutJson(text, 100)).not.toMatch(/\[REDACTED(?!:github-token\])/)
  })

  test('is looked for in what looks like it', () => {
    expect(parseStructure(' {"a":1}')).toEqual({ a: 1 })
    expect(parseStructure('[1]')).toEqual([1])
    for (const text of ['', '1', '"a"', 'null', '{a}', '[1']) expect(parseStructure(text)).toBeUndefined()
  })
})

test('why an answer ended is said in the conventions’ words, or else in Claude’s', () => {
  const words = ['end_turn', 'stop_sequence', 'max_tokens', 'tool_use', 'refusal', 'pause_turn', undefined]
  expect(words.map(finishReasonOf)).toEqual([
    'stop',
    'stop',
    'length',
    'tool_call',
    'content_filter',
    'pause_turn',
    'error',
  ])
})
