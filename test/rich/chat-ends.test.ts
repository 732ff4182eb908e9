/** How a chat ends, what it leaves of the terminal, and what it is without one. */
import { describe, expect, test } from 'bun:test'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { error, type Script, text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import {
  clear,
  delivered,
  expectSessions,
  openStage,
  runOn,
  type Stage,
  sessionsOf,
  showingTree,
} from '../sessions/play.ts'
import { bash, endless, model, oneAnswer, oneTool } from '../sessions/words.ts'
import { inChat, permitted } from './chat-scene.ts'

const timeoutMs = 60_000

const interrupted = `
  claude.session !
    invoke_agent claude-code !
      chat ${model}
      execute_tool Bash tool.status=interrupted !
`

/** Says how the terminal was left, and how the program ended. */
const around = [
  'sh',
  '-c',
  '"$@"; echo "ended $?"; stty -a | grep -o -- "-\\{0,1\\}icanon\\|-\\{0,1\\}echo\\b"; sleep 60',
  'sh',
]

describe('The terminal is as it was', () => {
  inChat(
    'after leaving',
    [],
    async ({ terminal }) => {
      await terminal.enter('exit')
      await terminal.shows(/ended 0\nicanon\necho/)
    },
    { around },
  )

  inChat(
    'after SIGTERM in a turn, which is told as interrupted',
    (home) => ({ main: [endless(home).call] }),
    async (scene) => {
      const { terminal, home } = scene
      await terminal.enter('Wait')
      await until('the tool to run', endless(home).runs)
      process.kill(chatOf(home.path), 'SIGTERM')
      await terminal.shows(/ended 143\nicanon\necho/)
      await delivered(scene)
      showingTree(scene.sink.spans(), () => expectSessions(scene, [interrupted]))
    },
    { around, args: permitted },
  )

  inChat(
    'after SIGTERM while a question waits',
    [tools(bash('touch it'))],
    async ({ terminal, home }) => {
      await terminal.enter('Touch')
      await terminal.shows('1. Yes')
      process.kill(chatOf(home.path), 'SIGTERM')
      await terminal.shows(/ended 143\nicanon\necho/)
    },
    { around },
  )

  inChat('where it is closed: all is delivered', [text('Hello.')], async (scene) => {
    await scene.terminal.enter('Hi')
    await scene.terminal.shows('context left')
    scene.terminal.close()
    await delivered(scene)
    showingTree(scene.sink.spans(), () => expectSessions(scene, [oneAnswer]))
  })

  inChat(
    'after Ctrl-Z, and the chat goes on where it was',
    [text('Hello.'), text('Again.')],
    async ({ terminal }) => {
      await terminal.enter('Hi')
      await terminal.shows('context left')
      terminal.press('C-z')
      await terminal.shows('Stopped')
      await terminal.enter('stty -a | grep -o " icanon"; fg')
      await terminal.shows(/^ icanon$/m)
      await terminal.enter('More')
      await terminal.shows('Again.')
      await terminal.enter('exit')
      await terminal.shows('Goodbye')
      // The prompt that was left is no line of its own.
      expect(terminal.screen()).toMatch(/context left\n\n?\[1\]\+ +Stopped/)
    },
    { fromShell: '$P chat' },
  )
})

describe('A chat that cannot begin', () => {
  const cases: readonly (readonly [string, readonly string[], Record<string, string>, RegExp])[] = [
    [
      'where there is no claude',
      [],
      { CLAUDE_BIN: '/nowhere/claude' },
      /claude-otel: .*\/nowhere\/claude[\s\S]*ended 127\nicanon\necho/,
    ],
    [
      'with a flag that claude does not know',
      ['--no-such-flag'],
      {},
      /unknown option '--no-such-flag'[\s\S]*ended 69\nicanon\necho/,
    ],
    ['with two prompts', ['one', 'two'], {}, /one first prompt, please[\s\S]*ended 64/],
    ['with another format', ['--output-format', 'json'], {}, /--output-format is not possible here[\s\S]*ended 64/],
  ]
  for (const [title, args, env, ready] of cases)
    inChat(`says so: ${title}`, [], async () => {}, { around, args, env, ready })
})

describe('Without a terminal', () => {
  /** Opens a stage, plays on it, and clears it. */
  function onStage(title: string, main: Script['main'], play: (stage: Stage) => Promise<void>): void {
    test(
      title,
      async () => {
        const stage = await openStage(() => ({ main }))
        try {
          await play(stage)
        } finally {
          await clear(stage)
        }
      },
      timeoutMs,
    )
  }
  const chat = (stage: Stage, stdin: string, args: readonly string[] = []) =>
    runOn(stage, claudeOtelBinary, ['chat', ...args], { stdin })

  onStage(
    'each line is a prompt of one session, and the answers are on stdout',
    [text('One **bold**.'), text('Two.')],
    async (stage) => {
      const result = await chat(stage, 'first \\\nline\n\nsecond\nexit\nnever said\n')
      expect(result).toMatchObject({ exitCode: 0, stdout: 'One **bold**.\n\nTwo.\n' })
      const [, asked] = stage.api.requests().filter(({ lane }) => lane === 'main')
      expect(JSON.stringify(asked?.body.messages)).toContain('first \\nline')
      expect(stage.api.surprises()).toEqual([])
      expect(sessionsOf(stage.sink.spans())).toHaveLength(1)
    },
  )

  onStage(
    'tools are told in words on stderr, and what would need a permission is denied',
    [tools(bash('touch it')), text('Could not.')],
    async (stage) => {
      const result = await chat(stage, 'Touch')
      expect(result).toMatchObject({ exitCode: 0, stdout: 'Could not.\n' })
      expect(result.stderr).toContain('tool: Bash - command="touch it"')
      expect(result.stderr).toContain('error: Bash -> ')
      expect(await Bun.file(`${stage.home.project}/it`).exists()).toBe(false)
    },
  )

  onStage('tools that are permitted run', [tools(bash('echo hi')), text('Said.')], async (stage) => {
    const result = await chat(stage, 'Say hi', ['--allowedTools=Bash'])
    expect(result).toMatchObject({ exitCode: 0, stdout: 'Said.\n' })
    showingTree(stage.sink.spans(), () => expectSessions(stage, [oneTool]))
  })

  onStage(
    'a turn that fails is told by the exit code, and the next one runs',
    [error(401), error(401), text('Better.')],
    async (stage) => {
      const env = { CLAUDE_CODE_MAX_RETRIES: '1' }
      const result = await runOn(stage, claudeOtelBinary, ['chat'], { stdin: 'One\nTwo\n', env })
      expect(result).toMatchObject({ exitCode: 1, stdout: 'Better.\n' })
      expect(result.stderr).toContain('error: ')
    },
  )

  test(
    'SIGTERM ends the turn, and all is delivered',
    async () => {
      const stage = await openStage((home) => ({ main: [endless(home).call] }))
      try {
        const signal = { name: 'SIGTERM', to: 'process', when: endless(stage.home).runs } as const
        const args = ['chat', 'Wait', ...permitted]
        const result = await runOn(stage, claudeOtelBinary, args, { stdin: 'and more\n', signal })
        expect(result).toMatchObject({ exitCode: null, signal: 'SIGTERM', stdout: '' })
        showingTree(stage.sink.spans(), () => expectSessions(stage, [interrupted]))
      } finally {
        await clear(stage)
      }
    },
    timeoutMs,
  )

  onStage('a first prompt of the command line comes first', [text('One.'), text('Two.')], async (stage) => {
    const result = await chat(stage, 'second\n', ['first'])
    expect(result).toMatchObject({ exitCode: 0, stdout: 'One.\n\nTwo.\n' })
  })
})

/** The process of the chat itself that runs in this home. */
function chatOf(path: string): number {
  const pids = [...new Bun.Glob('[0-9]*').scanSync({ cwd: '/proc', onlyFiles: false })]
  const found = pids.find((pid) => {
    const read = (file: string) => Bun.spawnSync(['cat', `/proc/${pid}/${file}`]).stdout.toString()
    const [program, second] = read('cmdline').split('\0')
    return program === claudeOtelBinary && second === 'chat' && read('environ').includes(`HOME=${path}\0`)
  })
  if (found === undefined) throw new Error('no chat runs')
  return Number(found)
}
