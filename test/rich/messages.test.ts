/**
 * Messages, end to end: the real claude under the compiled binary, by the wrapper and by `claude-otel run`, with content opted in.
 * What the spans say of each request is held to what the model's API was really sent.
 */
import { beforeAll, describe, expect, test } from 'bun:test'
import { buildIfStale } from '../../scripts/build.ts'
import type { Message } from '../../src/telemetry/messages.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { faultsOfInput, faultsOfInstructions, faultsOfOutput } from '../kit/genai-schema.ts'
import { type Script, text, thinking, tools, toolUse } from '../kit/messages-api.ts'
import type { Span } from '../kit/otlp-sink.ts'
import { clear, openStage, runOn, type Stage } from '../sessions/play.ts'
import { bash, subagent } from '../sessions/words.ts'

beforeAll(buildIfStale, 60_000)

const script: Script = {
  main: [
    thinking('First a look.', toolUse('Bash', { command: 'echo out', description: 'Say it' })),
    tools(bash('echo one'), bash('exit 3')),
    tools(subagent('SUB-ONE', false)),
    text('All is done.'),
  ],
  agents: { 'SUB-ONE': [tools(bash('echo sub')), text('Sub is done.')] },
}
const mode = ['--permission-mode', 'bypassPermissions']
const ways = {
  wrapper: ['-p', 'Find the parrot', ...mode],
  run: ['run', ...mode, 'Find the parrot'],
} as const

const read = ({ attributes }: Span, name: string): unknown =>
  attributes[name] === undefined ? undefined : JSON.parse(String(attributes[name]))
const messages = (span: Span, name: string) => (read(span, name) ?? []) as Message[]

/** What a message says that both the API and the conventions name: texts of people and models, calls, ids of results. */
function told(list: readonly Message[]): string[] {
  return list.flatMap(({ role, parts }) =>
    parts.map((part) => {
      if (part.type === 'tool_call') return `call ${part.id} ${part.name} ${JSON.stringify(part.arguments)}`
      if (part.type === 'tool_call_response') return `result ${part.id}`
      return part.type === 'omitted' ? 'omitted' : `${role} ${part.type}: ${part.content}`
    }),
  )
}

type Json = Readonly<Record<string, unknown>>

/** The same of a request's body, without what Claude Code adds by itself. */
function asked(body: Json): string[] {
  const all = body.messages as readonly { readonly role: string; readonly content: string | readonly Json[] }[]
  return all.flatMap(({ role, content }) => {
    if (role === 'system') return []
    const blocks: readonly Json[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content
    return blocks.flatMap((block) => {
      if (block.type === 'tool_use') return [`call ${block.id} ${block.name} ${JSON.stringify(block.input)}`]
      if (block.type === 'tool_result') return [`result ${block.tool_use_id}`]
      if (block.type === 'thinking') return [`${role} reasoning: ${block.thinking}`]
      return typeof block.text === 'string' && !block.text.includes('<system-reminder>')
        ? [`${role} text: ${block.text}`]
        : []
    })
  })
}

async function playWay(way: keyof typeof ways, env: Readonly<Record<string, string>>): Promise<Stage> {
  const stage = await openStage(() => script)
  const { exitCode, stderr } = await runOn(stage, claudeOtelBinary, ways[way], { env })
  expect([exitCode, stderr]).toEqual([0, expect.any(String)])
  return stage
}

describe.each(Object.keys(ways) as (keyof typeof ways)[])('with content opted in, by the %s,', (way) => {
  test('each request has the messages that the model was sent, in the conventions’ shapes', async () => {
    const stage = await playWay(way, { CLAUDE_OTEL_CONTENT: 'all' })
    try {
      const spans = stage.sink.spans()
      for (const span of spans) {
        expect(faultsOfInput(messages(span, 'gen_ai.input.messages'))).toEqual([])
        expect(faultsOfOutput(messages(span, 'gen_ai.output.messages'))).toEqual([])
        expect(faultsOfInstructions(read(span, 'gen_ai.system_instructions') ?? [])).toEqual([])
      }
      const chats = spans
        .filter(({ name, attributes }) => name.startsWith('chat') && attributes['gen_ai.agent.name'] === 'claude-code')
        .toSorted((a, b) => a.startUnixMicro - b.startUnixMicro)
      const requests = stage.api.requests().filter(({ lane }) => lane === 'main')
      expect(chats.map((span) => told(messages(span, 'gen_ai.input.messages')))).toEqual(
        requests.map(({ body }) => asked(body)),
      )
      const [system] = chats.map((span) => read(span, 'gen_ai.system_instructions') as { readonly content: string }[])
      const sent = JSON.stringify(requests[0]?.body.system)
      expect(system?.length).toBeGreaterThan(0)
      for (const { content } of system ?? []) expect(sent).toContain(JSON.stringify(content).slice(1, -1))
      const session = spans.find(({ name }) => name === 'claude.session') as Span
      expect(told(messages(session, 'gen_ai.output.messages'))).toEqual(['assistant text: All is done.'])
      const agent = spans.find(({ name }) => name === 'invoke_agent general-purpose') as Span
      expect(told(messages(agent, 'gen_ai.input.messages')).join()).toContain('SUB-ONE')
      expect(told(messages(agent, 'gen_ai.output.messages'))).toEqual(['assistant text: Sub is done.'])
      const call = spans.find(({ attributes }) => attributes['tool.input.command'] === 'echo out') as Span
      expect(read(call, 'gen_ai.tool.call.arguments')).toEqual({ command: 'echo out', description: 'Say it' })
      expect(read(call, 'gen_ai.tool.call.result')).toMatchObject({ stdout: 'out' })
      const turns = session.events.filter(({ name }) => name === 'Turn completed')
      expect(turns.map(({ attributes }) => attributes.turn)).toEqual([1])
    } finally {
      await clear(stage)
    }
  }, 60_000)

  test('nobody gets messages by default', async () => {
    const stage = await playWay(way, {})
    try {
      const names = stage.sink.spans().flatMap(({ attributes }) => Object.keys(attributes))
      expect(
        names.filter((name) => /messages$|system_instructions|tool\.call\.(?:arguments|result)/.test(name)),
      ).toEqual([])
      expect(names.length).toBeGreaterThan(100)
    } finally {
      await clear(stage)
    }
  }, 60_000)
})
