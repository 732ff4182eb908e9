/** The cases of text mode as data: arguments, script, signal, expected tree and exit. */

import { expect } from 'bun:test'
import { join } from 'node:path'
import type { RunOptions } from '../kit/claude-home.ts'
import { error, text, thinking, tools, toolUse } from '../kit/messages-api.ts'
import { decisions } from './decisions.ts'
import { ends } from './ends.ts'
import { modes } from './modes.ts'
import type { Case, Played } from './play.ts'
import {
  bash,
  endless,
  model,
  oneAnswer,
  oneTool,
  read,
  sessionOf,
  subagent,
  success,
  toolsOf,
  unattended,
  userLine,
} from './words.ts'

const answers: readonly Case[] = [
  {
    title: 'a text answer',
    args: () => ['-p', 'Say hello'],
    script: () => ({ main: [text('Hello.')] }),
    tree: oneAnswer,
    exit: success,
    also: (played) => {
      expect(sessionOf(played).attributes).toMatchObject({
        'prompt.preview': 'Say hello',
        'session.source': 'startup',
        'gen_ai.request.model': model,
        'gen_ai.response.model': model,
      })
      expect(sessionOf(played).attributes).toMatchObject({ 'vcs.ref.head.name': 'main' })
    },
  },
  {
    title: 'thinking, text and a tool in one message',
    args: () => ['-p', 'Say hi', ...unattended],
    script: () => ({
      main: [thinking('It wants a greeting.', { type: 'text', text: 'Running echo.' }, bash('echo hi')), text('Done.')],
    }),
    tree: oneTool,
    exit: success,
  },
  {
    title: 'an answer of another model than was asked',
    args: () => ['-p', 'Say hello'],
    script: () => ({ main: [text('Hello.', { model: 'claude-haiku-4-5' })] }),
    tree: oneAnswer,
    exit: success,
    also: (played) => {
      const models = { 'gen_ai.request.model': model, 'gen_ai.response.model': 'claude-haiku-4-5' }
      expect(sessionOf(played).attributes).toMatchObject(models)
    },
  },
  {
    title: 'a result as JSON',
    args: () => ['-p', 'Say hi', '--output-format', 'json', ...unattended],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    tree: oneTool,
    exit: success,
  },
  {
    title: 'a stream of JSON',
    args: () => ['-p', 'Say hi', '--output-format', 'stream-json', '--verbose', ...unattended],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    tree: oneTool,
    exit: success,
  },
  {
    title: 'two prompts of a stream of JSON',
    args: () => ['-p', '--input-format', 'stream-json', '--output-format', 'stream-json', '--verbose'],
    stdin: ['One', 'Two'].map(userLine).join(''),
    script: () => ({ main: [text('First.'), text('Second.')] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a compaction, whose request stands in no transcript',
    args: () => ['-p', '--input-format', 'stream-json', '--output-format', 'stream-json', '--verbose'],
    stdin: ['One', '/compact', 'Two'].map(userLine).join(''),
    script: () => ({ main: [text('First.'), text('Second.')], auxiliary: '<summary>They said one.</summary>' }),
    tree: `
      claude.session
        chat ${model} (auxiliary)
        invoke_agent claude-code
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a prompt on stdin',
    args: () => ['-p'],
    stdin: 'Say hello',
    script: () => ({ main: [text('Hello.')] }),
    tree: oneAnswer,
    exit: success,
    also: (played) => expect(sessionOf(played).attributes['prompt.preview']).toBe('Say hello'),
  },
  {
    title: 'a document on stdin beside the prompt',
    args: () => ['-p', 'Summarise this'],
    stdin: 'A line of a long document.\n'.repeat(4000),
    script: () => ({ main: [text('Lines.')] }),
    tree: oneAnswer,
    exit: success,
  },
  ...['--otel-endpoint', '--claude-otel-debug', '--version', 'drain', 'hook'].map((prompt) => ({
    title: `the prompt "${prompt}"`,
    args: () => ['-p', '--', prompt],
    script: () => ({ main: [text('Hello.')] }),
    tree: oneAnswer,
    exit: success,
    also: (played: Played) => expect(sessionOf(played).attributes['prompt.preview']).toBe(prompt),
  })),
]

const toolCalls: readonly Case[] = [
  {
    title: 'parallel tools, one of which fails',
    args: () => ['-p', 'Look around', ...unattended],
    script: ({ project }) => ({
      main: [
        tools(
          read(join(project, 'README.md')),
          bash('echo out; echo bad >&2; exit 3'),
          read(join(project, 'none.txt')),
        ),
        text('Done.'),
      ],
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Read tool.status=success
          execute_tool Bash tool.status=error !
          execute_tool Read tool.status=error !
          chat ${model}
    `,
    exit: success,
    also: (played) => {
      const [failed] = toolsOf(played, 'Bash')
      expect(failed?.attributes).toMatchObject({ exit_code: 3, 'tool.name': 'Bash', 'gen_ai.tool.name': 'Bash' })
    },
  },
  {
    title: 'files written and edited',
    args: () => ['-p', 'Write', ...unattended],
    script: ({ project }) => ({
      main: [
        tools(toolUse('Write', { file_path: join(project, 'new.txt'), content: 'one\ntwo\n' })),
        tools(toolUse('Edit', { file_path: join(project, 'new.txt'), old_string: 'two', new_string: 'three' })),
        text('Done.'),
      ],
    }),
    leaves: ({ project }) => Bun.file(join(project, 'new.txt')).text(),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Write tool.status=success
          chat ${model}
          execute_tool Edit tool.status=success
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'calls that claude refuses before they start',
    args: () => ['-p', 'Try', ...unattended],
    script: () => ({
      main: [tools(toolUse('NoSuchTool', { x: 1 }), toolUse('Bash', { cmd: 'wrong' })), text('Done.')],
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool NoSuchTool tool.status=error !
          execute_tool Bash tool.status=error !
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a tool that nobody is there to permit',
    args: () => ['-p', 'Touch', '--permission-mode', 'default'],
    script: () => ({ main: [tools(bash('touch forbidden')), text('Done.')] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=denied !
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a tool that takes too long',
    args: () => ['-p', 'Wait', ...unattended],
    script: () => ({ main: [tools(toolUse('Bash', { command: 'sleep 5', timeout: 300 })), text('Done.')] }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=timeout !
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a command in the background, which ends after the turn that started it',
    args: () => ['-p', 'Start', ...unattended],
    script: () => ({
      main: [
        tools(toolUse('Bash', { command: 'sleep 0.5; echo late', run_in_background: true })),
        text('Started.'),
        text('It is done.'),
      ],
    }),
    tree: `
      claude.session
        invoke_agent claude-code
          chat ${model}
          execute_tool Bash tool.status=success
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
    also: (played) => expect(toolsOf(played, 'Bash')[0]?.attributes.background).toBe(true),
  },
  {
    title: 'sixty tool calls',
    args: () => ['-p', 'Work', ...unattended],
    script: ({ project }) => ({
      main: [
        ...sixty((index) => tools(index % 2 ? read(join(project, 'README.md')) : bash(`echo ${index}`))),
        text('Done.'),
      ],
    }),
    tree: [
      'claude.session',
      '  invoke_agent claude-code',
      ...sixty((index) => `    chat ${model}\n    execute_tool ${index % 2 ? 'Read' : 'Bash'} tool.status=success`),
      `    chat ${model}`,
    ].join('\n'),
    exit: success,
    also: (played) => {
      for (const { attributes } of [...toolsOf(played, 'Bash'), ...toolsOf(played, 'Read')]) {
        expect(attributes.duration_ms).toBeGreaterThanOrEqual(0)
        expect(attributes.response_bytes).toBeGreaterThan(0)
      }
      const bytes = toolsOf(played, 'Bash').map(({ attributes }) => attributes.stdout_bytes)
      expect(bytes).toEqual(sixty((index) => String(index).length).filter((_, index) => index % 2 === 0))
    },
  },
]

const subagents: readonly Case[] = [
  {
    title: 'a subagent in the foreground',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [tools(subagent('SUB-ONE', false)), text('Done.')],
      agents: { 'SUB-ONE': [tools(bash('echo from-sub')), text('Sub done.')] },
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
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'two subagents at once, one of which calls a failing tool',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [tools(subagent('SUB-ONE', false), subagent('SUB-TWO', false)), text('Done.')],
      agents: {
        'SUB-ONE': [tools(bash('echo one')), text('One done.')],
        // Slower, so that the two always end in this order.
        'SUB-TWO': [tools(bash('exit 7')), text('Two failed.', { delayMs: 400 })],
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
              execute_tool Bash tool.status=error !
              chat ${model}
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a subagent in the background, which ends after the turn that started it',
    args: () => ['-p', 'Delegate', ...unattended],
    script: () => ({
      main: [tools(subagent('SUB-ONE', true)), text('Started.'), text('It is done.')],
      agents: { 'SUB-ONE': [{ ...tools(bash('echo from-sub')), delayMs: 700 }, text('Sub done.')] },
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
          chat ${model}
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
]

const faults: readonly Case[] = [
  {
    title: 'an API that refuses the key',
    args: () => ['-p', 'Say hello'],
    env: { CLAUDE_CODE_MAX_RETRIES: '1' },
    script: () => ({ main: [error(401), error(401)] }),
    tree: `
      claude.session !
        invoke_agent claude-code !
          chat ${model} !
    `,
    exit: { exitCode: 1, signal: null },
  },
  {
    title: 'an API that fails three times and then answers',
    args: () => ['-p', 'Say hello'],
    script: () => ({ main: [error(529), error(500), error(429, 1), text('Hello.')] }),
    tree: oneAnswer,
    exit: success,
  },
  {
    title: 'a stream that is cut, and its second try',
    args: () => ['-p', 'Say hello'],
    script: () => ({ main: [text('Half of a message that is never', { cut: true }), text('Hello.')] }),
    tree: `
      claude.session
        chat ${model} (auxiliary)
        invoke_agent claude-code
          chat ${model}
    `,
    exit: success,
  },
  {
    title: 'a slow answer',
    args: () => ['-p', 'Say hello'],
    script: () => ({ main: [text('Hello.', { delayMs: 600, eventDelayMs: 30 })] }),
    tree: oneAnswer,
    exit: success,
    also: ({ sink }) => {
      const chat = sink.spans().find((span) => span.name === `chat ${model}`)
      expect(chat === undefined ? 0 : chat.endUnixMicro - chat.startUnixMicro).toBeGreaterThan(600_000)
    },
  },
  interruption('SIGINT', 'group', success),
  interruption('SIGINT', 'process', success),
  interruption('SIGTERM', 'process', { exitCode: 143, signal: null }),
  interruption('SIGHUP', 'process', { exitCode: 129, signal: null }),
  {
    title: 'claude killed in the middle of a tool',
    args: () => ['-p', 'Die', ...unattended],
    script: () => ({ main: [tools(bash('kill -KILL $PPID'))] }),
    tree: `
      claude.session !
        invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=abandoned !
    `,
    exit: { exitCode: null, signal: 'SIGKILL' },
    also: (played) => expect(sessionOf(played).attributes['session.end_reason']).toBe('crashed'),
  },
]

const beside: readonly Case[] = [
  {
    title: "the user's own hooks, of a project and of --settings",
    args: ({ path }) => ['-p', 'Say hi', ...unattended, '--settings', join(path, 'own.json')],
    script: () => ({ main: [tools(bash('echo hi')), text('Done.')] }),
    prepare: async ({ path, project }) => {
      await Bun.write(join(path, 'own.json'), hooksThatLog(path, 'settings'))
      await Bun.write(join(project, '.claude/settings.json'), hooksThatLog(path, 'project'))
    },
    leaves: async ({ path }) => (await Bun.file(join(path, 'fired')).text()).split('\n').sort().join('\n').trim(),
    tree: oneTool,
    exit: success,
    also: ({ left }) => expect(left.split('\n')).toEqual([...fired('project'), ...fired('settings')]),
  },
]

export const cases = [...answers, ...toolCalls, ...subagents, ...faults, ...beside, ...decisions, ...ends, ...modes]

function sixty<Item>(make: (index: number) => Item): Item[] {
  return Array.from({ length: 60 }, (_, index) => make(index))
}

function interruption(name: NodeJS.Signals, to: NonNullable<RunOptions['signal']>['to'], exit: Case['exit']): Case {
  return {
    title: `${name} to the ${to} while a tool runs`,
    args: () => ['-p', 'Wait', ...unattended],
    script: (home) => ({ main: [endless(home).call] }),
    signal: (home) => ({ name, to, when: endless(home).runs }),
    maySay: 'Execution error',
    tree: `
      claude.session${exit.exitCode === 0 ? '' : ' !'}
        invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=interrupted !
    `,
    exit,
  }
}

const hookEvents = ['PostToolUse', 'PreToolUse', 'SessionEnd', 'SessionStart', 'Stop', 'UserPromptSubmit']

function hooksThatLog(folder: string, source: string): string {
  const hook = (event: string) => ({
    type: 'command',
    command: `echo ${source} ${event} >> ${join(folder, 'fired')}`,
  })
  const hooks = Object.fromEntries(hookEvents.map((event) => [event, [{ hooks: [hook(event)] }]]))
  return JSON.stringify({ hooks })
}

function fired(source: string): string[] {
  return hookEvents.map((event) => `${source} ${event}`)
}
