/** The conversations of sessions as messages: what they say, what they leave out, how they are bounded, who gets them. */
import { describe, expect, test } from 'bun:test'
import { createToolCall, createToolResponse } from '../../src/claude/tool-call.ts'
import { attributes as allAttributes } from '../../src/telemetry/attributes.ts'
import { applyContentRule, type ContentRule, defaultContent } from '../../src/telemetry/content.ts'
import { createKeeper } from '../../src/telemetry/keeper.ts'
import type { Message, Part } from '../../src/telemetry/messages.ts'
import type { SpanSignal } from '../../src/telemetry/signal.ts'
import { faultsOfInput, faultsOfInstructions, faultsOfOutput } from '../kit/genai-schema.ts'
import { type Exported, play, readRecording, runsOf, type Span } from './recording.ts'
import { assemble, Story, type Told } from './story.ts'

const names = [
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.call.arguments',
  'gen_ai.tool.call.result',
] as const
const wholeRule: ContentRule = { ...defaultContent, whole: ['all'] }
const keeper = createKeeper({ rule: wholeRule })
const preview = (text: string) => ({ text, bytes: text.length, truncated: false })
const wanted = { history: { messages: 60_000, calls: 60_000 } }

interface Attributed {
  readonly attributes: Readonly<Record<string, unknown>>
}

const read = ({ attributes }: Attributed, name: (typeof names)[number]): unknown =>
  attributes[name] === undefined ? undefined : JSON.parse(String(attributes[name]))
const input = (span: Attributed) => read(span, 'gen_ai.input.messages') as Message[] | undefined
const output = (span: Attributed) => read(span, 'gen_ai.output.messages') as Message[] | undefined
/** `role: text`, or what else a part is. */
const words = (messages: readonly Message[] = []): string[] =>
  messages.flatMap(({ role, parts }) => parts.map((part) => `${role}: ${wordOf(part)}`))

function wordOf(part: Part): string {
  if (part.type === 'tool_call') return `${part.name} ${JSON.stringify(part.arguments)}`
  if (part.type === 'tool_call_response') return `→ ${JSON.stringify(part.response)}`
  return part.type === 'omitted' ? `${part.messages} omitted` : `${part.type === 'text' ? '' : '… '}${part.content}`
}

/** A prompt as both a hook and the transcript tell it. */
function ask(story: Story, promptId: string, text: string): Story {
  return story.prompt(promptId, text).line({ type: 'prompt', prompt: preview(text), source: 'user' })
}

function conversation(story = new Story(wanted)): Story {
  ask(story.start(), 'p1', 'list the files')
  return story
    .message('m1', { thinking: preview('let me look'), stopReason: 'tool_use' })
    .message('m1', { text: preview('I will look.'), stopReason: 'tool_use' })
    .message('m1', {
      stopReason: 'tool_use',
      tools: [createToolCall({ name: 'Bash', useId: 't1', input: { command: 'ls', more: { deep: [1] } } }, keeper)],
    })
    .pre('t1')
    .post('t1')
    .result('t1', { response: createToolResponse({ stdout: 'a.txt', interrupted: false }, keeper) })
    .message('m2', { text: preview('There is a.txt.'), stopReason: 'end_turn' })
    .stop()
}

const ended = (story: Story): Told => story.end().exit().tell()

describe('the messages of a conversation', () => {
  test('grow from request to request, and each answer has its parts', () => {
    const [first, second] = ended(conversation()).chats() as [SpanSignal, SpanSignal]
    expect(words(input(first))).toEqual(['user: list the files'])
    expect(words(output(first))).toEqual([
      'assistant: … let me look',
      'assistant: I will look.',
      'assistant: Bash {"command":"ls","more":{"deep":[1]}}',
    ])
    expect(output(first)).toMatchObject([{ finish_reason: 'tool_call' }])
    expect(words(input(second))).toEqual([
      'user: list the files',
      ...words(output(first)),
      'tool: → {"stdout":"a.txt","interrupted":false}',
    ])
    expect(output(second)).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'There is a.txt.' }], finish_reason: 'stop' },
    ] as unknown as Message[])
  })

  test('are on the turn what it was asked and answered, on the session all of it', () => {
    const story = conversation()
    ask(story, 'p2', 'thanks')
      .message('m3', { text: preview('Welcome.'), stopReason: 'end_turn' })
      .stop()
    const told = ended(story)
    expect(words(input(told.turn('p1')))).toEqual(['user: list the files'])
    expect(words(output(told.turn('p1')))).toEqual(['assistant: There is a.txt.'])
    expect(words(input(told.turn('p2')))).toEqual(['user: thanks'])
    expect(words(output(told.turn('p2')))).toEqual(['assistant: Welcome.'])
    expect(words(input(told.session()))).toHaveLength(7)
    expect(words(input(told.session())).at(-1)).toBe('user: thanks')
    expect(words(output(told.session()))).toEqual(['assistant: Welcome.'])
  })

  test('of a turn without an answer are not those of the turn before', () => {
    const told = ended(ask(conversation(), 'p2', 'and now?'))
    expect(words(input(told.turn('p2')))).toEqual(['user: and now?'])
    expect(output(told.turn('p2'))).toBeUndefined()
  })

  test('of a subagent are its own', () => {
    const story = ask(new Story(wanted).start(), 'p1', 'check it')
    const told = ended(
      story
        .hook('SubagentStart', { agent_id: 'a1', agent_type: 'explorer' })
        .line({ type: 'prompt', prompt: preview('look around'), source: 'user' }, 'a1')
        .message('a1m1', { text: preview('Nothing there.'), stopReason: 'end_turn' }, 'a1')
        .hook('SubagentStop', { agent_id: 'a1', agent_type: 'explorer' })
        .message('m1', { text: preview('It is fine.'), stopReason: 'end_turn' })
        .stop(),
    )
    expect(words(input(told.agent('a1')))).toEqual(['user: look around'])
    expect(words(output(told.agent('a1')))).toEqual(['assistant: Nothing there.'])
    expect(words(input(told.turn('p1')))).toEqual(['user: check it'])
    expect(words(output(told.turn('p1')))).toEqual(['assistant: It is fine.'])
    expect(words(input(told.session()))).toEqual(['user: check it'])
  })

  test('of a subagent that is sent a message are those of each of its lives', () => {
    const agent = { agent_id: 'a1', agent_type: 'explorer' }
    const told = (story: Story, text: string) =>
      story
        .hook('SubagentStart', agent)
        .line({ type: 'prompt', prompt: preview(`${text}?`), source: 'user' }, 'a1')
        .message(`a1${text}`, { text: preview(`${text}.`), stopReason: 'end_turn' }, 'a1')
        .hook('SubagentStop', agent)
    const story = ask(new Story(wanted).start(), 'p1', 'check it')
    const lives = ended(told(told(story, 'one'), 'two').stop()).agents('a1')
    expect(lives.map((span) => [...words(input(span)), ...words(output(span))])).toEqual([
      ['user: one?', 'assistant: one.'],
      ['user: two?', 'assistant: two.'],
    ])
  })

  test('have of a failed call what it failed with', () => {
    const story = ask(new Story(wanted).start(), 'p1', 'go').message('m1', { stopReason: 'tool_use' }).pre('t1')
    story.result('t1', { isError: true, message: preview('Exit code 1') }).message('m2', { stopReason: 'end_turn' })
    expect(words(input(ended(story).chats().at(-1) as SpanSignal)).at(-1)).toBe('tool: → "Exit code 1"')
  })

  test('cost no more the longer a session is', () => {
    const story = new Story({ history: { messages: 2000, calls: 0 } }).start()
    const text = preview('w'.repeat(1000))
    for (let turn = 1; turn <= 1500; turn++) {
      story.during(`p${turn}`).line({ type: 'prompt', prompt: text, source: 'user' })
      story.message(`m${turn}`, { text, stopReason: 'end_turn' })
    }
    const startMs = performance.now()
    assemble(story.entries)
    const oneMs = (performance.now() - startMs) / 1500
    // All of it told with each request would be some milliseconds each.
    expect(oneMs).toBeLessThan(1)
  })

  test('begin anew with a compaction', () => {
    const story = conversation().line({ type: 'compaction', trigger: 'manual', preTokens: 9, durationMs: 1 })
    ask(story, 'p2', 'go on')
      .message('m3', { text: preview('Yes.'), stopReason: 'end_turn' })
      .stop()
    expect(words(input(ended(story).chats().at(-1) as SpanSignal))).toEqual(['user: go on'])
  })

  test('that are cut short have an error for their reason', () => {
    const story = ask(new Story(wanted).start(), 'p1', 'go')
    expect(output(ended(story.message('m1', { text: preview('I wi') })).chats()[0] as SpanSignal)).toMatchObject([
      { finish_reason: 'error' },
    ])
  })

  test('are bounded: the newest, with word of the others, on every span', () => {
    const story = new Story({ history: { messages: 1500, calls: 0 } }).start()
    for (let turn = 1; turn <= 30; turn++) {
      ask(story, `p${turn}`, `${turn} ${'q'.repeat(90)}`)
      story.message(`m${turn}`, { text: preview(`${turn} ${'a'.repeat(90)}`), stopReason: 'end_turn' }).stop()
    }
    const told = ended(story)
    const lengths = told.spans.map(({ attributes }) => String(attributes['gen_ai.input.messages'] ?? '').length)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(1500)
    const last = input(told.chats().at(-1) as SpanSignal) ?? []
    const [gone] = last[0]?.parts ?? []
    expect(gone).toMatchObject({ type: 'omitted' })
    expect((gone as { messages: number }).messages + last.length - 1).toBe(59)
    expect(words(last).at(-1)).toStartWith('user: 30 ')
    expect(Math.max(...lengths)).toBeGreaterThan(1000)
  })

  test('have the system prompt beside them', () => {
    const story = new Story(wanted)
      .start()
      .line({ type: 'instructions', texts: [preview('Be kind.'), preview('Help.')] })
    const told = ended(
      ask(story, 'p1', 'hi')
        .message('m1', { text: preview('Hello.'), stopReason: 'end_turn' })
        .stop(),
    )
    const spans = [told.session(), told.turn('p1'), ...told.chats()]
    for (const span of spans) {
      expect(read(span, 'gen_ai.system_instructions')).toEqual([
        { type: 'text', content: 'Be kind.' },
        { type: 'text', content: 'Help.' },
      ])
    }
  })
})

test('the system prompt is within the bound too', () => {
  const texts = [preview('a'.repeat(900)), preview('b'.repeat(900))]
  const story = new Story({ history: { messages: 1000, calls: 0 } }).start().line({ type: 'instructions', texts })
  const span = ended(ask(story, 'p1', 'hi')).turn('p1')
  expect(String(span.attributes['gen_ai.system_instructions']).length).toBeLessThanOrEqual(1000)
  expect(faultsOfInstructions(read(span, 'gen_ai.system_instructions'))).toEqual([])
})

describe('a tool call', () => {
  test('has its arguments and its result as JSON, on its span alone', () => {
    const story = ask(new Story(wanted).start(), 'p1', 'go')
    const told = ended(
      story
        .pre('t1')
        .post('t1', { tool_response: { stdout: 'ok', list: [1, { a: null }] } })
        .post('t2', { tool_response: [{ type: 'text', text: 'words' }] })
        .post('t3', { tool_response: 'plain words' })
        .failed('t4', 'Exit code 2\nno such file')
        .stop(),
    )
    const result = (id: string) => told.tool(id).attributes['gen_ai.tool.call.result']
    expect(read(told.tool('t1'), 'gen_ai.tool.call.arguments')).toEqual({ command: 'run t1' })
    expect(JSON.parse(String(result('t1')))).toEqual({ stdout: 'ok', list: [1, { a: null }] })
    expect(JSON.parse(String(result('t2')))).toEqual([{ type: 'text', text: 'words' }])
    expect([result('t3'), result('t4')]).toEqual(['plain words', 'Exit code 2\nno such file'])
    for (const log of told.logs) {
      expect(Object.keys(log.attributes).filter((name) => (names as readonly string[]).includes(name))).toEqual([])
    }
  })

  test('has them within the bound, and JSON still', () => {
    const story = ask(new Story({ history: { messages: 0, calls: 150 } }).start(), 'p1', 'go')
    const told = ended(story.post('t1', { tool_input: { command: 'x'.repeat(190), other: 1 } }).stop())
    const text = String(told.tool('t1').attributes['gen_ai.tool.call.arguments'])
    expect(text.length).toBeLessThanOrEqual(150)
    expect(JSON.parse(text)).toMatchObject({ other: 1 })
  })
})

describe('nobody gets messages', () => {
  const carriers = (told: Told) =>
    told.signals.flatMap((signal) => names.filter((name) => signal.attributes[name] !== undefined))

  test('where nobody has asked for them', () => {
    expect(carriers(ended(conversation(new Story())))).toEqual([])
    expect(new Set(carriers(ended(conversation())))).toEqual(new Set(names.filter((name) => !name.includes('system'))))
  })

  test('whose own rule does not name them', () => {
    const spans = ended(conversation()).spans
    const kept = (whole: string[], wholeLength = 60_000) =>
      new Set(
        spans.flatMap((span) => {
          const { attributes } = applyContentRule(span, { previewLength: 256, whole, wholeLength })
          return names.filter((name) => attributes[name] !== undefined)
        }),
      )
    expect(kept([])).toEqual(new Set())
    expect(kept(['prompt.preview', 'tool.input.*'])).toEqual(new Set())
    expect(kept(['gen_ai.output.messages'])).toEqual(new Set(['gen_ai.output.messages']))
    // A narrower bound is kept without an end to being JSON.
    for (const span of spans) {
      const { attributes } = applyContentRule(span, { previewLength: 256, whole: ['all'], wholeLength: 300 })
      const cut = { attributes }
      expect(String(attributes['gen_ai.input.messages'] ?? '').length).toBeLessThanOrEqual(300)
      expect([...faultsOfInput(input(cut) ?? []), ...faultsOfOutput(output(cut) ?? [])]).toEqual([])
    }
  })
})

describe('a recorded session with content opted in', () => {
  const chats = ({ spans }: Exported): Span[] =>
    spans.filter(({ name }) => name.startsWith('chat ')).sort((a, b) => a.start - b.start)

  test('has messages in the shapes of the conventions, whoever wrote its spool first', async () => {
    const runs = runsOf(readRecording('demo'))
    const more = { CLAUDE_OTEL_CONTENT: 'all' }
    const told = await play(runs, (calls) => calls, more)
    const answered = chats(told).filter(({ attributes }) => attributes['claude.query_source'] !== 'auxiliary')
    expect(answered).toHaveLength(10)
    for (const span of told.spans) {
      expect(faultsOfInput(input(span) ?? [])).toEqual([])
      expect(faultsOfOutput(output(span) ?? [])).toEqual([])
      expect(faultsOfInstructions(read(span, 'gen_ai.system_instructions') ?? [])).toEqual([])
    }
    const main = answered.filter(({ attributes }) => attributes['gen_ai.agent.name'] === 'claude-code')
    // Each has all of the one before, its answer, and the results of the tools.
    for (const [index, span] of main.slice(1).entries()) {
      const before = main[index] as Span
      const known = [...words(input(before)), ...words(output(before))]
      expect(words(input(span)).slice(0, known.length)).toEqual(known)
    }
    expect(words(output(main[0] as Span))[0]).toBe('assistant: … let me run it')
    const calls = told.spans.filter(({ name }) => name.startsWith('execute_tool'))
    for (const call of calls) expect(read(call, 'gen_ai.tool.call.arguments')).toBeObject()
    const session = told.spans.find(({ name }) => name === 'claude.session') as Span
    expect([...words(input(session)), ...words(output(session))]).toEqual([
      ...words(input(main.at(-1) as Span)),
      ...words(output(main.at(-1) as Span)),
    ])
    const reversed = await play(runs, (calls) => calls.toReversed(), more)
    expect(reversed.spans.map(({ attributes }) => attributes)).toEqual(told.spans.map(({ attributes }) => attributes))
  })

  test('has none of it by default', async () => {
    const { spans } = await play(runsOf(readRecording('demo')))
    const all = new Set(spans.flatMap(({ attributes }) => Object.keys(attributes)))
    for (const name of names) {
      expect(Object.keys(allAttributes)).toContain(name)
      expect(all.has(name)).toBe(false)
    }
  })
})
