/** Cases of how a session fails or is ended: the API, signals at every moment, no prompt at all. */

import { expect } from 'bun:test'
import type { ClaudeHome } from '../kit/claude-home.ts'
import { type Answer, error, type MessagesApi, text, tools } from '../kit/messages-api.ts'
import type { Case } from './play.ts'
import { bash, failure, model, sessionOf, success, unattended, waitForFile } from './words.ts'

const errors: readonly Case[] = ([400, 429, 500] as const).map((status) => ({
  title: `an API that answers ${status} to every try`,
  args: () => ['-p', 'Say hello'],
  env: { CLAUDE_CODE_MAX_RETRIES: '1' },
  // A request that is called invalid is tried again in other forms.
  script: () => ({ main: Array.from({ length: status === 400 ? 6 : 2 }, () => error(status)) }),
  tree: `
    claude.session !
      invoke_agent claude-code !
        chat ${model} !
  `,
  exit: failure,
  also: (played) => {
    expect(sessionOf(played).attributes['api_errors.total']).toBeGreaterThanOrEqual(1)
    const chat = played.sink.spans().find(({ name }) => name.startsWith('chat'))
    expect(chat?.attributes['http.response.status_code']).toBe(status)
    expect(chat?.attributes['error.type']).not.toBe('unknown')
  },
}))

interface Moment {
  readonly name: string
  readonly main: (home: ClaudeHome) => readonly Answer[]
  readonly when: (home: ClaudeHome, api: MessagesApi) => boolean | Promise<boolean>
  /** Below the session, where claude could still say how it ended. */
  readonly turn: string
}

const waiting: Moment = {
  name: 'waits for the model',
  main: () => [text('Never said.', { delayMs: 20_000 })],
  when: (_, api) => api.requests().some(({ lane }) => lane === 'main'),
  turn: 'invoke_agent claude-code !',
}

const between: Moment = {
  name: 'has run a tool and waits for the model again',
  main: () => [tools(bash('echo hi')), text('Never said.', { delayMs: 20_000 })],
  when: (_, api) => api.requests().filter(({ lane }) => lane === 'main').length === 2,
  turn: `invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=success`,
}

const exits = {
  SIGINT: success,
  SIGTERM: { exitCode: 143, signal: null },
  SIGHUP: { exitCode: 129, signal: null },
} as const

function ended(name: keyof typeof exits, { name: moment, main, when, turn }: Moment): Case {
  return {
    title: `${name} while claude ${moment}`,
    args: () => ['-p', 'Wait', ...unattended],
    script: (home) => ({ main: main(home) }),
    signal: (home, api) => ({ name, to: 'process', when: () => when(home, api) }),
    maySay: 'Execution error',
    tree: `
      claude.session${name === 'SIGINT' ? '' : ' !'}
        ${turn}
    `,
    exit: exits[name],
    also: (played) => {
      const { attributes } = sessionOf(played)
      expect(attributes['session.end_reason']).toBe('other')
      const turns = played.sink.spans().filter(({ name }) => name === 'invoke_agent claude-code')
      expect(turns.map((span) => span.attributes['turn.status'])).toEqual(['interrupted'])
    },
  }
}

const signals = (Object.keys(exits) as (keyof typeof exits)[]).flatMap((name) =>
  [waiting, between].map((moment) => ended(name, moment)),
)

const kills: readonly Case[] = [
  {
    title: 'claude killed while it waits for the model',
    args: () => ['-p', 'Die', ...unattended],
    // The tool leaves a program behind that kills claude when the next request has come.
    script: ({ path }) => ({
      main: [
        tools(bash(`pid=$PPID; (${waitForFile(`${path}/asked`)}; kill -KILL $pid) >/dev/null 2>&1 &`)),
        () => {
          void Bun.write(`${path}/asked`, '')
          return text('Never said.', { delayMs: 20_000 })
        },
      ],
    }),
    tree: `
      claude.session !
        invoke_agent claude-code !
          chat ${model}
          execute_tool Bash tool.status=success
    `,
    exit: { exitCode: null, signal: 'SIGKILL' },
    also: (played) => {
      expect(sessionOf(played).attributes['session.end_reason']).toBe('crashed')
      const turn = played.sink.spans().find(({ name }) => name.startsWith('invoke_agent'))
      expect(turn?.attributes['turn.status']).toBe('abandoned')
    },
  },
]

const empty: readonly Case[] = [
  {
    title: 'no prompt at all',
    args: () => ['-p'],
    stdin: '',
    script: () => ({ main: [] }),
    tree: 'claude.session !',
    exit: failure,
  },
  {
    title: '/context, which asks no model',
    args: () => ['-p', '/context'],
    script: () => ({ main: [] }),
    tree: 'claude.session',
    exit: success,
  },
  {
    title: '/clear as the prompt',
    args: () => ['-p', '/clear'],
    script: () => ({ main: [] }),
    tree: ['claude.session', 'claude.session'],
    exit: success,
  },
  {
    title: '--init-only, which ends before any prompt',
    args: () => ['-p', '--init-only'],
    script: () => ({ main: [] }),
    tree: 'claude.session',
    exit: success,
  },
]

export const ends = [...errors, ...signals, ...kills, ...empty]
