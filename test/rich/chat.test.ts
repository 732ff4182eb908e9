/** The chat in a pseudo-terminal, with the real claude: what a person sees, and what is recorded of it. */
import { describe, expect, test } from 'bun:test'
import { readFileSync, statSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { error, text, tools, toolUse } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { clear, expectSessions, openStage, sessionsOf, showingTree } from '../sessions/play.ts'
import { bash, endless, model, oneAnswer, read, subagent } from '../sessions/words.ts'
import { type ChatScene, inChat, inTerminal, lastAsked, permitted, still } from './chat-scene.ts'

const twoAnswers = `
  claude.session
    invoke_agent claude-code
      chat ${model}
    invoke_agent claude-code
      chat ${model}
`

function expectTrees(scene: ChatScene, ...trees: readonly string[]): void {
  showingTree(scene.sink.spans(), () => expectSessions(scene, trees))
}

describe('A chat shows', () => {
  inChat(
    'a banner, the tools of a turn, the answer as Markdown, what it took, and the sum at the end',
    [tools(bash('echo one; echo two'), read('README.md')), text('# Found\n\nIt is **one** file:\n\n- `README.md`')],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('What is here?')
      await terminal.shows('context left')
      expect(await scene.leave()).toBe(0)
      expect(still(terminal.screen())).toEqual([
        '╭─ 🤖 claude-otel 0.1.0 ────────────────────────────╮',
        '│ Model        Claude Code’s default                │',
        '│ Permissions  as in your settings                  │',
        '│ Folder       ~/project                            │',
        '│ Telemetry    http/json http://127.0.0.1:50000     │',
        '│ Session      11111111-2222-4333-8444-555555555555 │',
        '│                                                   │',
        '│ /help lists commands, exit or Ctrl-D leaves       │',
        '╰───────────────────────────────────────────────────╯',
        `Claude Code 2.1.329 · ${model} · no MCP servers · trace 0af7651916cd43dd8448eb211c80319c`,
        '',
        '❯ What is here?',
        '🔧 Bash - command="echo one; echo two", description="Run it"',
        '🔧 Read - file_path=README.md',
        ...Array(4).fill(expect.stringMatching(/^(✅ Bash → 2 lines|✅ Read → 4 lines| {3}one| {3}two)/)),
        '',
        'Found',
        '',
        'It is one file:',
        '',
        '• README.md',
        '203 in, 83 out, 6.4k cached · $0.0057 · 2 tools · 0.1 s · 99 % context left',
        '',
        '❯ exit',
        '',
        '╭─ 📊 Metrics ────────────────────╮',
        '│ Turns    1                      │',
        '│ Tokens   203 in, 83 out         │',
        '│ Cache    6.0k read, 403 written │',
        '│ Cost     $0.0057                │',
        '│ Tools    2: Bash, Read          │',
        '│ Worked   0.1 s                  │',
        '│ Context  99 % left              │',
        '╰─────────────────────────────────╯',
        'Goodbye! 👋',
      ])
      expectTrees(
        scene,
        `
          claude.session
            invoke_agent claude-code
              chat ${model}
              execute_tool Bash tool.status=success
              execute_tool Read tool.status=success
              chat ${model}
        `,
      )
      const [session] = sessionsOf(scene.sink.spans())
      expect(terminal.screen()).toContain(session?.traceId ?? 'no trace')
      expect(terminal.screen()).toContain(String(session?.attributes['session.id']))
    },
    { args: permitted },
  )

  inChat(
    'what agents do below them',
    () => ({
      main: [tools(subagent('MARK', false)), text('It has looked.')],
      agents: { MARK: [tools(bash('echo sub')), text('Nothing there.')] },
    }),
    async (scene) => {
      await scene.terminal.enter('Look')
      await scene.terminal.shows('context left')
      const lines = still(scene.terminal.screen())
      const begin = lines.indexOf('❯ Look')
      expect(lines.slice(begin + 1, begin + 5).map((line) => line.replace(' · 0.1 s', ''))).toEqual([
        '🤖 general-purpose - task MARK',
        '   🔧 Bash - command="echo sub", description="Run it"',
        '   ✅ Bash → sub',
        '✅ Agent → Nothing there.',
      ])
      expect(await scene.leave()).toBe(0)
    },
    { args: permitted },
  )

  inChat(
    'everything on a terminal of 40 columns, in which wide characters stay whole',
    [
      tools(bash('echo 日本語')),
      text(
        '表:\n\n| 名前 | 値 |\n|---|---|\n| 日本語のとても長い名前です、はい | 👩‍👩‍👧 two |\n\n日本語の文章がここに続きます。とても長い文章です。',
      ),
    ],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('日本語でお願いします。とても長い質問なので、折り返します。')
      await terminal.shows('left')
      await terminal.shows(/left\n\n?❯/)
      const lines = still(terminal.screen()).map((line) => line.replace(/^(✅.*) · 0.1 s$/, '$1'))
      expect(lines.slice(lines.indexOf('no MCP servers · trace') + 2)).toEqual([
        '',
        '❯ 日本語でお願いします。とても長い質問',
        '  なので、折り返します。',
        '🔧 Bash - command="echo 日本語",',
        '   description="Run it"',
        '✅ Bash → 日本語',
        '',
        '表:',
        '',
        '名前                            │ 値',
        '────────────────────────────────┼───────',
        '日本語のとても長い名前です、は  │ 👩‍👩‍👧 two',
        'い                              │',
        '',
        '日本語の文章がここに続きます。とても長い',
        '文章です。',
        '203 in, 83 out, 6.4k cached · $0.0057 ·',
        '1 tool · 0.1 s · 99 % context left',
        '❯',
      ])
      expect(lastAsked(scene)).toEqual(['日本語でお願いします。とても長い質問なので、折り返します。'])
    },
    { args: permitted, columns: 40, ready: 'no MCP servers' },
  )

  inChat(
    'words alone with NO_COLOR: no colour, no sign, and the prompt all the same',
    [tools(bash('echo hi')), text('**Said.**')],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('Say hi')
      await terminal.shows('context left')
      expect(terminal.colours()).not.toContain('\x1b[')
      expect(terminal.screen()).toContain('ok: Bash -> hi')
      expect(terminal.screen()).toMatch(/^Said\.$/m)
      expect([...terminal.screen()].filter((character) => character > '~' && character !== '’')).toEqual([])
      expect(await scene.leave()).toBe(0)
    },
    { args: permitted, env: { NO_COLOR: '1' } },
  )

  inChat(
    'nothing that a tool could do to the terminal',
    [tools(bash("printf 'a\\033]0;owned\\007\\033[2Jb\\nc'")), text('Done.')],
    async (scene) => {
      await scene.terminal.enter('Attack')
      await scene.terminal.shows('context left')
      expect(scene.terminal.screen()).toContain('claude-otel 0.1.0')
      expect(scene.terminal.screen()).toContain('   ab\n   c\n')
    },
    { args: permitted },
  )
})

describe('Somebody at a chat', () => {
  inChat('writes several lines, by a backslash, Alt-Enter or a paste', [text('One.'), text('Two.')], async (scene) => {
    const { terminal } = scene
    await terminal.enter('first\\')
    await terminal.enter('second')
    await terminal.shows('One.')
    expect(lastAsked(scene)).toEqual(['first\nsecond'])
    await terminal.paste('pasted\nlines ')
    await terminal.shows('lines')
    terminal.press('M-Enter')
    await terminal.enter('and more')
    await terminal.shows('Two.')
    expect(lastAsked(scene).at(-1)).toBe('pasted\nlines \nand more')
    expect(await scene.leave()).toBe(0)
    expectTrees(scene, twoAnswers)
  })

  test('finds what was said in the chat before, without its secrets', async () => {
    const stage = await openStage(() => ({ main: [text('One.'), text('Two.')] }))
    const secret = `ghp_${'a1B2'.repeat(9)}`
    const history = join(stage.home.state, 'chat-history')
    try {
      await inTerminal(stage, {}, async ({ terminal, leave }) => {
        await terminal.enter(`Use ${secret}`)
        await terminal.shows('One.')
        await leave()
      })
      expect(readFileSync(history, 'utf8')).toBe('"Use [REDACTED:github-token]"\n')
      expect(statSync(history).mode & 0o777).toBe(0o600)
      const second = join(stage.home.path, 'second')
      await mkdir(second)
      await inTerminal(
        stage,
        {},
        async ({ terminal, leave }) => {
          terminal.press('Up')
          terminal.press('Up')
          await terminal.shows('❯ Use [REDACTED:github-token]')
          terminal.press('C-c')
          terminal.press('C-r')
          await terminal.enter('use')
          await terminal.shows('❯ Use')
          terminal.press('Enter')
          await terminal.shows('Two.')
          await leave()
        },
        second,
      )
    } finally {
      await clear(stage)
    }
  }, 60_000)

  inChat(
    'permits a tool, denies one with what to do instead, and stops at one',
    [
      tools(bash('touch allowed')),
      text('Touched.'),
      tools(bash('touch forbidden')),
      text('Then not.'),
      tools(bash('touch never')),
      text('Back.'),
    ],
    async (scene) => {
      const { terminal, home } = scene
      await terminal.enter('Touch one')
      await terminal.shows('❓ Claude wants to use Bash')
      await terminal.shows('touch allowed')
      await terminal.pressUntil('Enter', 'Touched.')
      await terminal.enter('Touch another')
      await terminal.shows('   command      touch forbidden')
      await terminal.pressUntil('3', 'What instead?')
      await terminal.enter('Use tests')
      await terminal.shows('Then not.')
      await terminal.enter('And another')
      await terminal.shows('   command      touch never')
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('Are you there?')
      await terminal.shows('Back.')
      expect(await scene.leave()).toBe(0)
      const isThere = (name: string) => Bun.file(join(home.project, name)).exists()
      expect([await isThere('allowed'), await isThere('forbidden'), await isThere('never')]).toEqual([
        true,
        false,
        false,
      ])
      expectTrees(
        scene,
        `
          claude.session
            invoke_agent claude-code
              chat ${model}
              execute_tool Bash tool.status=success
              chat ${model}
            invoke_agent claude-code
              chat ${model}
              execute_tool Bash tool.status=denied !
              chat ${model}
            invoke_agent claude-code !
              chat ${model}
              execute_tool Bash tool.status=denied !
            invoke_agent claude-code
              chat ${model}
        `,
      )
    },
  )

  inChat(
    'permits for the session, which asks no second time and writes no settings',
    [tools(bash('touch one')), text('First.'), tools(bash('touch one')), text('Second.')],
    async ({ terminal, home, leave }) => {
      await terminal.enter('Touch')
      await terminal.shows('2. Yes, and in this session')
      await terminal.pressUntil('2', 'First.')
      await terminal.enter('Again')
      await terminal.shows('Second.')
      expect(await leave()).toBe(0)
      expect(await Bun.file(join(home.project, '.claude/settings.local.json')).exists()).toBe(false)
    },
  )

  const colours = [
    { label: 'Red', description: 'warm' },
    { label: 'Blue', description: 'cold' },
  ]
  inChat(
    'answers a question of the model',
    [
      tools(
        toolUse('AskUserQuestion', {
          questions: [{ question: 'Which colour?', header: 'Colour', multiSelect: false, options: colours }],
        }),
      ),
      text('Blue it is.'),
    ],
    async ({ terminal, api, leave }) => {
      await terminal.enter('Ask me')
      await terminal.shows('❓ Which colour?')
      await terminal.pressUntil('2', 'Blue it is.')
      expect(JSON.stringify(api.requests().at(-1)?.body.messages)).toContain('Which colour?')
      expect(terminal.screen()).toContain('💬 Blue')
      expect(await leave()).toBe(0)
    },
  )

  inChat(
    'approves a plan',
    [tools(toolUse('ExitPlanMode', { plan: '# Plan\n\n1. Look' })), text('Off we go.')],
    async ({ terminal, leave }) => {
      await terminal.enter('Plan it')
      await terminal.shows('╭─ The plan')
      await terminal.pressUntil('2', 'Off we go.')
      expect(await leave()).toBe(0)
    },
    { args: ['--permission-mode', 'plan'] },
  )

  inChat(
    'interrupts a turn by Ctrl-C, and goes on with the same session',
    (home) => ({ main: [endless(home).call, text('Here.')] }),
    async (scene) => {
      const { terminal, home } = scene
      await terminal.enter('Wait')
      await until('the tool to run', endless(home).runs)
      terminal.press('C-c')
      await terminal.shows('Interrupted')
      await terminal.enter('Are you there?')
      await terminal.shows('Here.')
      expect(await scene.leave()).toBe(0)
      expectTrees(
        scene,
        `
          claude.session
            invoke_agent claude-code !
              chat ${model}
              execute_tool Bash tool.status=interrupted !
            invoke_agent claude-code
              chat ${model}
        `,
      )
    },
    { args: permitted },
  )

  inChat('is warned by a first Ctrl-C, and leaves by a second in a row', [text('Hello.')], async (scene) => {
    const { terminal } = scene
    terminal.press('C-c')
    await terminal.shows('Ctrl-C again leaves')
    await terminal.enter('Hi')
    await terminal.shows('context left')
    terminal.press('C-c')
    await until('a second warning', () => terminal.screen().split('Ctrl-C again leaves').length === 3)
    terminal.press('x')
    await terminal.shows('❯ x')
    terminal.press('C-c')
    await terminal.gone('❯ x')
    terminal.press('C-c')
    await until('a third warning', () => terminal.screen().split('Ctrl-C again leaves').length === 4)
    terminal.press('C-c')
    expect(await terminal.exited()).toBe(0)
    expectTrees(scene, oneAnswer)
  })

  inChat(
    'leaves by Ctrl-D, and what is written while claude works is the next prompt',
    [text('One.', { delayMs: 1500 }), text('Two.')],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('First')
      await terminal.shows('Thinking')
      await terminal.enter('Second')
      await terminal.shows('Two.')
      terminal.press('C-d')
      expect(await terminal.exited()).toBe(0)
      expectTrees(scene, twoAnswers)
    },
  )
})

describe('The commands of a chat', () => {
  inChat(
    'tell of it: help, cost, tools, trace, and one that nobody knows',
    [tools(bash('echo hi')), text('Hi.')],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('Hello')
      await terminal.shows('context left')
      const answerTo = async (command: string, last: string): Promise<string[]> => {
        await terminal.enter(command)
        await terminal.shows(last)
        const lines = still(terminal.screen())
        return lines.slice(lines.lastIndexOf(`❯ ${command}`) + 1, -1)
      }
      expect(await answerTo('/tools', '│ Bash  1 call │')).toEqual([
        '╭─ 🔧 Tools ───╮',
        '│ Bash  1 call │',
        '╰──────────────╯',
      ])
      expect(await answerTo('/cost', 'Metrics')).toContain('│ Tokens   203 in, 83 out         │')
      expect(await answerTo('/trace', 'Goes to')).toEqual([
        '╭─ 🔭 Trace ────────────────────────────────────╮',
        '│ Trace    0af7651916cd43dd8448eb211c80319c     │',
        '│ Session  11111111-2222-4333-8444-555555555555 │',
        '│ Goes to  http/json http://127.0.0.1:50000     │',
        '╰───────────────────────────────────────────────╯',
      ])
      expect(await answerTo('/compakt', 'no command')).toEqual([
        '❌ There is no command /compakt: did you mean /compact?',
      ])
      expect((await answerTo('/help', 'Ctrl-C twice leaves'))[0]).toBe('/help                       this list')
      expect(await scene.leave()).toBe(0)
    },
    { args: permitted },
  )

  inChat(
    'clear the context: a new session, with a trace of its own that is linked to the one before',
    [text('Before.'), text('After.')],
    async (scene) => {
      const { terminal, sink, api } = scene
      await terminal.enter('One')
      await terminal.shows('Before.')
      await terminal.enter('/clear')
      await terminal.shows('A new session with an empty context')
      await terminal.enter('Two')
      await terminal.shows('After.')
      expect(JSON.stringify(api.requests().at(-1)?.body.messages)).not.toContain('Before.')
      await terminal.enter('/trace')
      await terminal.shows('Goes to')
      expect(await scene.leave()).toBe(0)
      expectTrees(scene, oneAnswer, oneAnswer)
      const [first, second] = sessionsOf(sink.spans())
      expect(second?.traceId).not.toBe(first?.traceId)
      expect(terminal.screen()).toContain(`Trace    ${second?.traceId}`)
      expect(second?.attributes['session.previous_id']).toBe(first?.attributes['session.id'] ?? '')
    },
  )

  inChat('go to claude where it knows them', [text('Hi.')], async (scene) => {
    const { terminal } = scene
    await terminal.enter('Hello')
    await terminal.shows('Hi.')
    await terminal.enter('/compact')
    await terminal.shows('Context compacted (manual)')
    await terminal.shows('context left', 5000)
    expect(await scene.leave()).toBe(0)
  })

  inChat('change the model', [text('Small.')], async (scene) => {
    const { terminal, api } = scene
    await terminal.enter('/model haiku')
    await terminal.shows('From now on: haiku')
    await terminal.enter('Hello')
    await terminal.shows('Small.')
    expect(api.requests().at(-1)?.model).toContain('haiku')
    expect(await scene.leave()).toBe(0)
  })

  inChat('go on with an earlier session of the folder', [text('Remember 42.'), text('It was 42.')], async (scene) => {
    const { terminal, api, sink } = scene
    await terminal.enter('The first prompt')
    await terminal.shows('Remember 42.')
    await terminal.enter('/clear')
    await terminal.shows('A new session')
    await terminal.enter('/resume')
    await terminal.shows('1. The first prompt')
    await terminal.pressUntil('Enter', 'Going on with: The first prompt')
    await terminal.enter('What was it?')
    await terminal.shows('It was 42.')
    expect(JSON.stringify(api.requests().at(-1)?.body.messages)).toContain('Remember 42.')
    expect(await scene.leave()).toBe(0)
    const sessions = sessionsOf(sink.spans())
    expect(sessions.map(({ attributes }) => attributes['session.source'])).toEqual(['startup', 'clear', 'resume'])
    expect(sessions[2]?.attributes['session.id']).toBe(sessions[0]?.attributes['session.id'] ?? '')
  })
})

describe('What goes wrong in a chat', () => {
  inChat(
    'is told, and the next turn goes on: an error of the API',
    [error(401), error(401), text('Better.')],
    async (scene) => {
      const { terminal } = scene
      await terminal.enter('One')
      await terminal.shows('❌ ')
      await terminal.enter('Two')
      await terminal.shows('Better.')
      expect(await scene.leave()).toBe(0)
    },
    { env: { CLAUDE_CODE_MAX_RETRIES: '1' } },
  )

  inChat(
    'is told, and the next turn goes on: a claude that is killed',
    (home) => ({ main: [endless(home).call, text('Still here.')] }),
    async (scene) => {
      const { terminal, home } = scene
      await terminal.enter('Wait')
      await until('the tool to run', endless(home).runs)
      process.kill(claudeOf(home.path), 'SIGKILL')
      await terminal.shows('the next prompt goes on with this session')
      await terminal.enter('Are you there?')
      await terminal.shows('Still here.')
      expect(await scene.leave()).toBe(0)
      const sessions = sessionsOf(scene.sink.spans())
      expect(sessions.map(({ attributes }) => attributes['session.source'])).toEqual(['startup', 'resume'])
    },
    { args: permitted },
  )
})

describe('A chat beside the hub', () => {
  test('says that its telemetry goes there, and on which page it can be looked at', async () => {
    const stage = await openStage(() => ({ main: [text('Hello.')] }))
    const { home, api } = stage
    const hub = Bun.spawn([claudeOtelBinary, 'serve', '--grpc-port', '0', '--http-port', '0', '--port', '0'], {
      env: home.environment(api.url),
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    try {
      const presence = join(home.state, 'hub/hub.json')
      await until('the hub', () => Bun.file(presence).exists())
      const { grpcPort, url } = await Bun.file(presence).json()
      const env = { ...nowhere, CLAUDE_OTEL_HUB: 'on' }
      await inTerminal(stage, { env }, async ({ terminal, leave }) => {
        expect(terminal.screen()).toContain(`the hub on this machine (http://127.0.0.1:${grpcPort})`)
        await terminal.enter('Hi')
        await terminal.shows('context left')
        const [, session = ''] = /Session +([0-9a-f-]{36})/.exec(terminal.screen()) ?? []
        await terminal.enter('/trace')
        await terminal.shows(`${url}/#/session/${session}`)
        expect(await leave()).toBe(0)
      })
    } finally {
      hub.kill('SIGTERM')
      await hub.exited
      await clear(stage)
    }
  }, 60_000)
})

/** Nothing says where telemetry goes. */
const nowhere = { OTEL_EXPORTER_OTLP_ENDPOINT: undefined, OTEL_EXPORTER_OTLP_PROTOCOL: undefined }

/** The process of claude that runs in this home. */
function claudeOf(path: string): number {
  const found = [...new Bun.Glob('[0-9]*').scanSync({ cwd: '/proc', onlyFiles: false })].find((pid) => {
    try {
      const isOurs = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HOME=${path}\0`)
      return isOurs && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--output-format\0stream-json')
    } catch {
      return false
    }
  })
  if (found === undefined) throw new Error('no claude runs')
  return Number(found)
}
