/** Sittings at the TUI: what somebody does, and what is to be seen afterwards in the telemetry. */

import { expect } from 'bun:test'
import { join } from 'node:path'
import type { ClaudeHome } from '../kit/claude-home.ts'
import { error, type Script, text, tools } from '../kit/messages-api.ts'
import { metricTotals, type Span } from '../kit/otlp-sink.ts'
import type { Terminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { type Stage, sessionsOf } from './play.ts'
import { bash, endless, model, oneAnswer, oneTool, subagent, waitForFile } from './words.ts'

export interface Sitting {
  readonly title: string
  readonly args: readonly string[]
  readonly script: (home: ClaudeHome) => Script
  readonly env?: Readonly<Record<string, string>>
  readonly prepare?: (home: ClaudeHome) => Promise<void>
  /** Returns what is to be the same with bare claude; `hungUp` where the terminal was closed, so that there is no exit code. */
  readonly act: (terminal: Terminal, stage: Stage, told: Told) => Promise<unknown>
  /** One tree for each session, in their order. */
  readonly trees: readonly string[]
  readonly also?: (spans: readonly Span[], stage: Stage) => void
}

/** Waits for a log record in the collector; with bare claude there is none to wait for. */
export type Told = (event: string) => Promise<void>

export const hungUp = 'hung up'

export const manual = ['--permission-mode', 'manual']
const free = [...manual, '--allowedTools=Bash', '--allowedTools=Agent']

export async function ready(terminal: Terminal): Promise<void> {
  await terminal.shows('? for shortcuts', 30_000)
}

/** The log records of prompts: what they say, and the turn's span of each. */
function promptsOf({ sink }: Stage): { readonly bodies: unknown[]; readonly turns: number } {
  const logs = sink.logs().filter(({ eventName }) => eventName === 'claude.user_prompt')
  return { bodies: logs.map(({ body }) => body), turns: new Set(logs.map(({ spanId }) => spanId)).size }
}

const interrupted = `
  claude.session
    invoke_agent claude-code !
      chat ${model}
      execute_tool Bash tool.status=interrupted !
`

const basics: readonly Sitting[] = [
  {
    title: 'two prompts, Escape while a tool runs, /clear, a prompt, /exit',
    args: ['--permission-mode', 'manual', '--allowedTools=Bash'],
    script: (home) => ({ main: [text('The first answer.'), endless(home).call, text('After the clear.')] }),
    async act(terminal, { home }) {
      await terminal.shows('? for shortcuts')
      const screen = words(terminal.screen())
      await terminal.enter('Say something')
      await terminal.shows('The first answer.')
      await terminal.enter('Wait for nothing')
      await until('the tool to run', endless(home).runs)
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('/clear')
      await terminal.gone('Interrupted')
      await terminal.enter('Are you there?')
      await terminal.shows('After the clear.')
      await terminal.enter('/exit')
      return screen
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=interrupted !
      `,
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
      `,
    ],
    also(spans, { sink }) {
      const [first, second] = sessionsOf(spans) as [Span, Span]
      const ends = [first, second].map(({ attributes }) => attributes['session.end_reason'])
      expect(ends).toEqual(['clear', 'prompt_input_exit'])
      expect(second.attributes['session.source']).toBe('clear')
      expect(second.attributes['session.previous_id']).toBe(first.attributes['session.id'] ?? null)
      expect(second.links.map(({ spanId }) => spanId)).toEqual([first.spanId])
      expect(metricTotals(sink.points(), 'claude.sessions_total', 'source')).toEqual({ startup: 1, clear: 1 })
    },
  },
  {
    title: 'Ctrl-C in text mode, which reaches claude once',
    args: ['-p', 'Wait', '--permission-mode', 'bypassPermissions'],
    script: (home) => ({ main: [endless(home).call] }),
    async act(terminal, { home }) {
      await until('the tool to run', endless(home).runs)
      terminal.press('C-c')
      await terminal.exited()
      return words(terminal.screen())
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=interrupted !
      `,
    ],
  },
]

const interruptions: readonly Sitting[] = [
  {
    title: 'Ctrl-C while a tool runs, another prompt, and Ctrl-C twice',
    args: free,
    script: (home) => ({ main: [endless(home).call, text('I am here.')] }),
    async act(terminal, { home }) {
      await ready(terminal)
      await terminal.enter('Wait')
      await until('the tool to run', endless(home).runs)
      terminal.press('C-c')
      await terminal.shows('Interrupted')
      await terminal.enter('Are you there?')
      await terminal.shows('I am here.')
      await terminal.pressUntil('C-c', 'again to exit')
      terminal.press('C-c')
    },
    trees: [`${interrupted}\n    invoke_agent claude-code\n      chat ${model}`],
    also: (spans) => expect(sessionsOf(spans)[0]?.attributes['session.end_reason']).toBe('prompt_input_exit'),
  },
  {
    title: 'Escape while the answer streams',
    args: manual,
    script: () => ({ main: [text('Some words of many.', { eventDelayMs: 1000 }), text('Heard.')] }),
    async act(terminal) {
      await ready(terminal)
      await terminal.enter('Talk')
      await terminal.shows('Some word')
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('Stop')
      await terminal.shows('Heard.')
      await terminal.enter('/exit')
    },
    // What claude estimates of the answer's rest stands in no message.
    trees: [
      `
        claude.session
          chat ${model} (auxiliary)
          invoke_agent claude-code !
            chat ${model}
          invoke_agent claude-code
            chat ${model}
      `,
    ],
    also: (_, { sink }) => expect(metricTotals(sink.points(), 'claude.model_requests_total')).toEqual({ '': 2 }),
  },
  {
    title: 'Escape before the answer begins, of which the transcript says nothing',
    args: manual,
    script: () => ({ main: [text('Never said.', { delayMs: 30_000 }), text('Heard.')] }),
    async act(terminal, { api }) {
      await ready(terminal)
      await terminal.enter('Talk')
      await until('the request', () => api.requests().some(({ lane }) => lane === 'main'))
      await terminal.shows('esc to interrupt')
      // The prompt goes back to where it was typed.
      await terminal.pressUntil('Escape', /─\n❯.Talk/)
      terminal.press('C-u')
      await terminal.shows(/─\n❯\s*\n─/)
      await terminal.enter('Stop')
      await terminal.shows('Heard.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
          invoke_agent claude-code
            chat ${model}
      `,
    ],
  },
  {
    title: 'Escape while a background agent works, which goes on',
    args: free,
    script: ({ path }) => ({
      main: [
        tools(subagent('SUB-ONE', true)),
        tools(bash(`touch ${path}/main; timeout 30 tail -f /dev/null`)),
        text('It is back.'),
      ],
      agents: {
        'SUB-ONE': [tools(bash(`touch ${path}/sub; ${waitForFile(`${path}/go`)}`)), text('Sub done.')],
      },
    }),
    async act(terminal, { home: { path } }) {
      const isThere = (name: string) => () => Bun.file(join(path, name)).exists()
      await ready(terminal)
      await terminal.enter('Delegate')
      await until('the tool to run', isThere('main'))
      await until('the agent’s tool to run', isThere('sub'))
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await Bun.write(join(path, 'go'), '')
      await terminal.shows('It is back.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat ${model}
            execute_tool Agent tool.status=success
              invoke_agent general-purpose
                chat ${model}
                execute_tool Bash tool.status=success
                chat ${model}
            chat ${model}
            execute_tool Bash tool.status=interrupted !
          invoke_agent claude-code
            chat ${model}
      `,
    ],
  },
]

const commands: readonly Sitting[] = [
  {
    title: '!command, which is a prompt of its own',
    args: manual,
    script: () => ({ main: [text('I see.')] }),
    async act(terminal) {
      await ready(terminal)
      await terminal.pressUntil('!', '! for')
      await terminal.enter('echo hello')
      await terminal.shows('I see.')
      await terminal.enter('/exit')
    },
    trees: [oneAnswer],
    // On a slow screen the mark is pressed again.
    also: (_, stage) => expect(promptsOf(stage).bodies).toEqual([expect.stringMatching(/^!{1,3}echo hello$/)]),
  },
  {
    title: '/compact between two prompts',
    args: manual,
    script: () => ({ main: [text('First.'), text('Second.')], auxiliary: '<summary>They said one.</summary>' }),
    async act(terminal) {
      await ready(terminal)
      await terminal.enter('One')
      await terminal.shows('First.')
      await terminal.enter('/compact')
      await terminal.shows('Compacted')
      await terminal.enter('Two')
      await terminal.shows('Second.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          chat ${model} (auxiliary)
          invoke_agent claude-code
            chat ${model}
          invoke_agent claude-code
            chat ${model}
      `,
    ],
    also: (_, { sink }) => {
      expect(metricTotals(sink.points(), 'claude.compactions_total', 'compaction.trigger')).toEqual({ manual: 1 })
      const logs = sink.logs().filter(({ eventName }) => eventName === 'claude.compaction')
      expect(logs.map(({ attributes }) => attributes['compaction.trigger'])).toEqual(['manual'])
    },
  },
  {
    title: '/model, which another model answers after',
    args: manual,
    script: () => ({ main: [text('First.'), text('Second.')] }),
    async act(terminal) {
      await ready(terminal)
      await terminal.enter('One')
      await terminal.shows('First.')
      await terminal.enter('/model sonnet')
      await terminal.shows('Switch model?')
      await terminal.pressUntil('Enter', 'Set model to')
      await terminal.enter('Two')
      await terminal.shows('Second.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat ${model}
          invoke_agent claude-code
            chat claude-sonnet-5-5
      `,
    ],
    also: (_, { sink }) => {
      const switches = sink.logs().filter(({ eventName }) => eventName === 'claude.model_switch')
      expect(switches.map(({ attributes }) => attributes['model.to'])).toEqual(['claude-sonnet-5-5'])
    },
  },
  {
    title: '/clear while a background agent works, which goes on',
    args: free,
    script: ({ path }) => ({
      main: [tools(subagent('SUB-ONE', true)), text('Started.'), text('After the clear.'), text('It is back.')],
      agents: {
        'SUB-ONE': [tools(bash(`touch ${path}/sub; ${waitForFile(`${path}/go`)}`)), text('Sub done.')],
      },
    }),
    async act(terminal, { home: { path } }) {
      await ready(terminal)
      await terminal.enter('Delegate')
      await terminal.shows('Started.')
      await until('the agent’s tool to run', () => Bun.file(join(path, 'sub')).exists())
      await terminal.enter('/clear')
      await terminal.gone('Started.')
      await terminal.enter('Next')
      await terminal.shows('After the clear.')
      await Bun.write(join(path, 'go'), '')
      await terminal.shows('It is back.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat ${model}
            execute_tool Agent tool.status=success
              invoke_agent general-purpose
                chat ${model}
                execute_tool Bash tool.status=success
            chat ${model}
      `,
      `
        claude.session
          invoke_agent claude-code
            chat ${model}
          invoke_agent general-purpose
            chat ${model}
          invoke_agent claude-code
            chat ${model}
      `,
    ],
    also: (_, { sink }) => expect(metricTotals(sink.points(), 'claude.tool_calls_errors_total')).toEqual({}),
  },
  {
    title: '/resume to the conversation before /clear',
    args: manual,
    script: () => ({ main: [text('Answer A.'), text('Answer B.'), text('Answer C.')] }),
    async act(terminal) {
      await ready(terminal)
      await terminal.enter('First prompt')
      await terminal.shows('Answer A.')
      await terminal.enter('/clear')
      await terminal.gone('Answer A.')
      await terminal.enter('Next')
      await terminal.shows('Answer B.')
      await terminal.enter('/resume')
      await terminal.shows('❯ First prompt')
      await terminal.pressUntil('Enter', 'Answer A.')
      await terminal.enter('Again')
      await terminal.shows('Answer C.')
      await terminal.enter('/exit')
    },
    trees: [oneAnswer, oneAnswer, oneAnswer],
    also: (spans) => {
      const [first, second, third] = sessionsOf(spans)
      const reasons = [first, second, third].map((session) => session?.attributes['session.end_reason'])
      expect(reasons).toEqual(['clear', 'resume', 'prompt_input_exit'])
      expect(third?.attributes['session.id']).toBe(first?.attributes['session.id'] ?? '')
      expect(third?.links.map(({ spanId }) => spanId)).toEqual([first?.spanId ?? ''])
    },
  },
]

const queues: readonly Sitting[] = [
  {
    title: 'two prompts written while a tool runs, which the model is told of in the same turn',
    args: free,
    script: ({ path }) => ({
      main: [tools(bash(`touch ${path}/run; ${waitForFile(`${path}/go`)}`)), text('All three.')],
    }),
    async act(terminal, { home: { path } }) {
      await ready(terminal)
      await terminal.enter('First')
      await until('the tool to run', () => Bun.file(join(path, 'run')).exists())
      await terminal.enter('Second')
      await enqueued(path, 1)
      await terminal.enter('Third')
      await enqueued(path, 2)
      await Bun.write(join(path, 'go'), '')
      await terminal.shows('All three.')
      await terminal.enter('/exit')
    },
    trees: [oneTool],
    also: (_, stage) => expect(promptsOf(stage)).toEqual({ bodies: ['First', 'Second', 'Third'], turns: 1 }),
  },
  {
    title: 'two prompts written while the model answers, which are one turn after it',
    args: manual,
    script: ({ path }) => ({
      main: [text('Answer A.', { until: () => Bun.file(join(path, 'go')).exists() }), text('Answer to both.')],
    }),
    async act(terminal, { api, home: { path } }) {
      await ready(terminal)
      await terminal.enter('First')
      await until('the request', () => api.requests().some(({ lane }) => lane === 'main'))
      await terminal.enter('Second')
      await enqueued(path, 1)
      await terminal.enter('Third')
      await enqueued(path, 2)
      await Bun.write(join(path, 'go'), '')
      await terminal.shows('Answer to both.')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat ${model}
          invoke_agent claude-code
            chat ${model}
      `,
    ],
    also: (_, stage) => expect(promptsOf(stage)).toEqual({ bodies: ['First', 'Second', 'Third'], turns: 2 }),
  },
]

const exits: readonly Sitting[] = [
  {
    title: 'an API that refuses the key',
    args: manual,
    env: { CLAUDE_CODE_MAX_RETRIES: '1' },
    script: () => ({ main: [error(401), error(401)] }),
    async act(terminal) {
      await ready(terminal)
      await terminal.enter('Hello')
      await terminal.shows('Please run /login')
      await terminal.enter('/exit')
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat ${model} !
      `,
    ],
  },
  {
    title: 'SIGTERM after a turn',
    args: manual,
    script: () => ({ main: [text('Hello.')] }),
    async act(terminal, _, told) {
      await ready(terminal)
      await terminal.enter('Hi')
      await terminal.shows('Hello.')
      await told('claude.turn.end')
      terminal.signal('SIGTERM')
    },
    trees: [
      `
        claude.session !
          invoke_agent claude-code
            chat ${model}
      `,
    ],
    also: (spans) => expect(sessionsOf(spans)[0]?.attributes).toMatchObject({ 'session.end_reason': 'other' }),
  },
  {
    title: 'a terminal that is closed',
    args: manual,
    script: () => ({ main: [text('Hello.')] }),
    async act(terminal, _, told) {
      await ready(terminal)
      await terminal.enter('Hi')
      await terminal.shows('Hello.')
      await told('claude.turn.end')
      terminal.close()
      return hungUp
    },
    trees: [oneAnswer],
    also: (spans) => expect(sessionsOf(spans)[0]?.attributes).toMatchObject({ 'session.end_reason': 'other' }),
  },
  {
    title: 'a folder that is not trusted: nothing runs, nothing is sent',
    args: manual,
    prepare: async ({ path }) => {
      const file = join(path, '.claude.json')
      await Bun.write(file, JSON.stringify({ ...(await Bun.file(file).json()), projects: {} }))
    },
    script: () => ({ main: [] }),
    async act(terminal) {
      await terminal.shows('No, exit', 30_000)
      const screen = words(terminal.screen())
      await Promise.race([terminal.pressUntil('Enter', 'never').catch(() => {}), terminal.exited()])
      return screen.filter((line) => !line.startsWith('/'))
    },
    trees: [],
  },
]

export const sittings = [...basics, ...interruptions, ...commands, ...queues, ...exits]

/** Waits until claude has taken so many prompts into its queue, of which the transcript tells. */
async function enqueued(path: string, count: number): Promise<void> {
  const transcripts = new Bun.Glob('.claude/projects/*/*.jsonl')
  await until(`${count} prompts in the queue`, async () => {
    const files = [...transcripts.scanSync({ cwd: path, absolute: true, dot: true })]
    const texts = await Promise.all(files.map((file) => Bun.file(file).text()))
    return texts.join('').split('"operation":"enqueue"').length > count
  })
}

/** The screen's text, line by line: the logo is made of block characters and moves. */
export function words(screen: string): string[] {
  const lines = screen.split('\n').map((line) => line.replace(/[\u2580-\u259f]/g, '').trim())
  return lines.filter((line) => line !== '')
}
