/** Cases of claude's own modes and options, also of those that run no hooks: there nothing is sent and nothing breaks. */

import { expect } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { error, text, tools, toolUse } from '../kit/messages-api.ts'
import { metricTotals } from '../kit/otlp-sink.ts'
import { type Case, type Played, sessionsOf } from './play.ts'
import {
  bash,
  model,
  oneAnswer,
  oneTool,
  sessionOf,
  streamJson,
  subagent,
  success,
  toolsOf,
  unattended,
  userLine,
} from './words.ts'

const hello = () => ({ main: [text('Hello.')] })

/** No hook, no record: not even a run's folder is left. */
function leavesNothing({ home }: Played): void {
  expect(readdirSync(join(home.state, 'runs'))).toEqual([])
}

const silent: readonly Case[] = [
  ...['--bare', '--safe-mode'].map((option) => ({ title: option, args: () => ['-p', 'Hi', option] })),
  { title: 'CLAUDE_CODE_SIMPLE', args: () => ['-p', 'Hi'], env: { CLAUDE_CODE_SIMPLE: '1' } },
  {
    title: 'disableAllHooks in the settings',
    args: () => ['-p', 'Hi'],
    prepare: async ({ path }: Played['home']) => {
      await Bun.write(join(path, '.claude/settings.json'), '{"disableAllHooks":true}')
    },
  },
].map((theCase) => ({ ...theCase, script: hello, tree: [], exit: success, also: leavesNothing }))

const options: readonly Case[] = [
  ...['--restricted', '--init', '--maintenance'].map((option) => ({
    title: option,
    args: () => ['-p', option, 'Hi'],
    script: hello,
    tree: oneAnswer,
    exit: success,
  })),
  {
    title: 'a result of a schema',
    args: () => {
      const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] }
      return ['-p', 'Hi', '--json-schema', JSON.stringify(schema), '--output-format', 'json']
    },
    script: () => ({ main: [tools(toolUse('StructuredOutput', { a: 'x' }))] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool StructuredOutput tool.status=success
    `,
    exit: success,
  },
  {
    title: 'a fallback to another model',
    args: () => ['-p', 'Hi', '--fallback-model', 'claude-sonnet-4-5'],
    script: () => ({ main: [error(529), error(529), error(529), error(529), text('Hello.')] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat claude-sonnet-4-5
    `,
    exit: success,
    also: (played) => {
      expect(sessionOf(played).attributes).toMatchObject({ model: 'claude-sonnet-4-5' })
      expect(metricTotals(played.sink.points(), 'claude.api_errors_total', 'error.type')).toEqual({ 529: 3 })
    },
  },
  {
    title: 'a picture in the prompt',
    args: () => streamJson,
    stdin: `${JSON.stringify({
      type: 'user',
      message: {
        role: 'user',
        content: [
          { type: 'text', text: 'Look' },
          { type: 'image', source: pixel() },
        ],
      },
    })}\n`,
    script: hello,
    tree: oneAnswer,
    exit: success,
    also: (played) => expect(sessionOf(played).attributes['prompt.preview']).toBe('Look'),
  },
  {
    title: 'tools of an MCP server, one of which fails',
    args: ({ path }) => ['-p', 'Call', ...unattended, '--mcp-config', join(path, 'mcp.json')],
    prepare: async ({ path }) => {
      const server = { command: resolve(import.meta.dir, '../../node_modules/.bin/bun'), args: [join(path, 'mcp.ts')] }
      await Bun.write(join(path, 'mcp.ts'), mcpServer)
      await Bun.write(join(path, 'mcp.json'), JSON.stringify({ mcpServers: { mock: server } }))
    },
    script: () => ({
      main: [
        tools(toolUse('mcp__mock__echo', { x: '1' })),
        tools(toolUse('mcp__mock__boom', { x: '1' })),
        text('Done.'),
      ],
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool mcp__mock__echo tool.status=success
          chat ${model}
          execute_tool mcp__mock__boom tool.status=error !
          chat ${model}
    `,
    exit: success,
    also: (played) => {
      const expected = { 'mcp.server.name': 'mock', 'mcp.method.name': 'tools/call' }
      expect(toolsOf(played, 'mcp__mock__echo')[0]?.attributes).toMatchObject(expected)
      // Where the hook was lost, these are the words of the transcript, which go on behind the server's.
      const message = expect.stringMatching(/^mcp:boom(\n|$)/)
      const boom = { ...expected, 'error.type': 'tool_error', 'error.message': message }
      expect(toolsOf(played, 'mcp__mock__boom')[0]?.attributes).toMatchObject(boom)
    },
  },
  {
    title: 'a page that cannot be fetched',
    args: () => ['-p', 'Fetch', ...unattended],
    script: () => ({
      main: [tools(toolUse('WebFetch', { url: 'http://127.0.0.1:9/x', prompt: 'What?' })), text('Done.')],
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool WebFetch tool.status=error !
          chat ${model}
    `,
    exit: success,
  },
]

const conversations: readonly Case[] = [
  {
    title: 'a context that claude compacts by itself, in the middle of a turn',
    args: () => ['-p', 'Work', ...unattended],
    script: () => ({
      main: [{ ...tools(bash('echo hi')), context: 990_000 }, text('Done.')],
      auxiliary: '<summary>They said hi.</summary>',
    }),
    tree: `
      claude.session
        chat ${model} (auxiliary)
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=success
          chat ${model}
    `,
    exit: success,
    also: ({ sink }) => {
      const [log, ...more] = sink.logs().filter(({ eventName }) => eventName === 'claude.compaction')
      expect(more).toEqual([])
      expect(log?.attributes).toMatchObject({ 'compaction.trigger': 'auto' })
      expect(log?.attributes['compaction.pre_tokens']).toBeGreaterThan(990_000)
    },
  },
  {
    title: '/clear between the prompts of a stream of JSON',
    args: () => streamJson,
    stdin: ['One', '/clear', 'Two'].map(userLine).join(''),
    script: () => ({ main: [text('First.'), text('Second.')] }),
    tree: [oneAnswer, oneAnswer],
    exit: success,
    also: ({ sink }) => {
      const [first, second] = sessionsOf(sink.spans())
      expect(first?.attributes['session.end_reason']).toBe('clear')
      expect(second?.attributes).toMatchObject({
        'session.source': 'clear',
        'session.previous_id': first?.attributes['session.id'],
      })
      expect(second?.links.map(({ spanId }) => spanId)).toEqual([first?.spanId ?? ''])
    },
  },
  {
    title: 'a prompt that is told to the model while a tool runs',
    args: () => [...streamJson, ...unattended],
    stdin: ['One', 'Two'].map(userLine).join(''),
    script: () => ({ main: [tools(bash('sleep 0.3')), text('Both.')] }),
    tree: oneTool,
    exit: success,
    also: ({ sink }) => {
      const prompts = sink.logs().filter(({ eventName }) => eventName === 'claude.user_prompt')
      expect(prompts.map(({ body }) => body)).toEqual(['One', 'Two'])
      expect(new Set(prompts.map(({ spanId }) => spanId)).size).toBe(1)
    },
  },
]

const agents: readonly Case[] = [
  {
    title: 'a subagent of a subagent',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [tools(subagent('SUB-ONE', false)), text('Done.')],
      agents: {
        'SUB-ONE': [tools(subagent('SUB-TWO', false)), text('One done.')],
        'SUB-TWO': [tools(bash('echo deep')), text('Two done.')],
      },
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Agent tool.status=success
            invoke_agent general-purpose
              chat ${model}
              execute_tool Agent tool.status=success
                invoke_agent general-purpose
                  chat ${model}
                  execute_tool Bash tool.status=success
                  chat ${model}
              chat ${model}
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'two subagents in the background, with the same call at the same time, and a turn for the end of each',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [tools(subagent('SUB-ONE', true), subagent('SUB-TWO', true)), text('Started.'), text('One.'), text('Two.')],
      agents: {
        'SUB-ONE': [tools(bash('sleep 0.3')), text('One done.', { delayMs: 300 })],
        // Much slower, so that the two never end together.
        'SUB-TWO': [tools(bash('sleep 0.3')), text('Two done.', { delayMs: 3000 })],
      },
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Agent tool.status=success
            invoke_agent general-purpose
              chat ${model}
              execute_tool Bash tool.status=success
              chat ${model}
          execute_tool Agent tool.status=success
            invoke_agent general-purpose
              chat ${model}
              execute_tool Bash tool.status=success
              chat ${model}
          chat ${model}
        invoke_agent claude-code
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a subagent that is sent a message after its end, and goes on',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [
        tools(subagent('SUB-ONE', false)),
        (body) => {
          const agent = /agentId: (\w+)/.exec(JSON.stringify(body))?.[1] ?? 'nobody'
          return tools(toolUse('SendMessage', { to: agent, message: 'SUB-ONE: go on', summary: 'go on' }))
        },
        text('Asked.'),
        text('Done.'),
      ],
      agents: { 'SUB-ONE': [text('First.'), { ...tools(bash('echo again')), delayMs: 500 }, text('Second.')] },
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Agent tool.status=success
            invoke_agent general-purpose
              chat ${model}
          chat ${model}
          execute_tool SendMessage tool.status=success
            invoke_agent general-purpose
              chat ${model}
              execute_tool Bash tool.status=success
              chat ${model}
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
]

export const modes = [...silent, ...options, ...conversations, ...agents]

function pixel() {
  const data = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
  return { type: 'base64', media_type: 'image/png', data }
}

const mcpServer = `
  const tool = (name) => ({ name, description: name, inputSchema: { type: 'object', properties: { x: { type: 'string' } } } })
  const answers = {
    initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'mock', version: '1' } }),
    'tools/list': () => ({ tools: ['echo', 'boom'].map(tool) }),
    'tools/call': ({ name }) => ({ content: [{ type: 'text', text: 'mcp:' + name }], isError: name === 'boom' }),
  }
  for await (const line of console) {
    const { id, method, params } = JSON.parse(line)
    if (id === undefined) continue
    console.log(JSON.stringify({ jsonrpc: '2.0', id, result: answers[method]?.(params) ?? {} }))
  }
`
