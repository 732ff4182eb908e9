/**
 * Sessions of a plain claude that is recorded by hooks in its settings alone: the same telemetry as under the wrapper, whoever
 * starts it, whatever is killed.
 */
import { beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { type Script, text, tools, toolUse } from '../kit/messages-api.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import {
  clear,
  delivered,
  expectExactTokens,
  expectSessionSums,
  expectSessions,
  expectWhole,
  openStage,
  outdent,
  runOn,
  type Stage,
  sessionId,
  sessionsOf,
  showingTree,
  tree,
} from '../sessions/play.ts'
import { expectTold } from '../sessions/told.ts'
import { bash, sessionOf, waitForFile } from '../sessions/words.ts'

const model = 'claude-opus-5-5'
const unattended = ['--session-id', sessionId, '--permission-mode', 'bypassPermissions']
const oneTool = outdent(`
  claude.session
    invoke_agent claude-code
      chat ${model}
      execute_tool Bash tool.status=success
      chat ${model}
`)

beforeAll(buildIfStale, 60_000)

/** A stage on which `hooks add` has been said, where the environment knew of the collector; claude's own does not. */
async function stageWithHooks(script: Parameters<typeof openStage>[0]): Promise<Stage> {
  const stage = await openStage(script)
  const added = await runOn(stage, claudeOtelBinary, ['hooks', 'add', '--save-config'])
  expect(added).toMatchObject({ stderr: '', exitCode: 0 })
  return stage
}

async function withHooks(
  script: (home: Stage['home']) => Script,
  play: (stage: Stage) => Promise<void>,
): Promise<void> {
  const stage = await stageWithHooks(script)
  try {
    await play(stage)
  } finally {
    await clear(stage)
  }
}

/** Only what claude itself needs: hooks have their settings from the file. */
function environment({ home, api }: Stage): Record<string, string> {
  return home.environment(api.url, { CLAUDE_OTEL_HUB: undefined })
}

function start(stage: Stage, args: readonly string[]) {
  const child = Bun.spawn([claudeBinary, ...args], {
    cwd: stage.home.project,
    env: environment(stage),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  return { child, output: Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]) }
}

async function plain(stage: Stage, args: readonly string[]): Promise<void> {
  const { child, output } = start(stage, args)
  const [, stderr] = await output
  expect([await child.exited, stderr]).toEqual([0, ''])
}

/** The process that looks after the run of an unwrapped claude. */
async function pumpOf({ home }: Stage): Promise<number> {
  return await until('a pump', () => {
    const runs = join(home.state, 'runs')
    const owners = names(runs).map((name) => join(runs, name, 'owner'))
    return owners.map((path) => Number.parseInt(readText(path), 10)).find((pid) => pid > 0)
  })
}

function journalOf({ home }: Stage): string {
  const runs = join(home.state, 'runs')
  return names(runs)
    .map((name) => readText(join(runs, name, 'journal.jsonl')))
    .join('')
}

/** Nothing of ours goes on, and nothing is left of the run. */
async function quiet({ home }: Stage): Promise<void> {
  await until('the pump to be done', () => names(join(home.state, 'runs')).length === 0, { timeoutMs: 30_000 })
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function expectOneTool({ sink, api }: Stage): void {
  showingTree(sink.spans(), () => {
    expect(tree(sink.spans())).toBe(oneTool)
    expectWhole(sink.spans())
    expectExactTokens(sink, api)
    expectSessionSums(sink)
    expectTold(sink)
  })
}

const oneToolScript = () => ({ main: [tools(bash('echo hi')), text('Done.')] })

test('claude -p tells as much as under the wrapper, and the pump ends with it', async () => {
  await withHooks(oneToolScript, async (stage) => {
    await plain(stage, ['-p', 'Go', ...unattended])
    await delivered(stage)
    expectOneTool(stage)
    expect(sessionOf(stage).attributes).toMatchObject({
      'prompt.preview': 'Go',
      'session.source': 'startup',
      'session.end_reason': 'other',
      'vcs.ref.head.name': 'main',
    })
    await quiet(stage)
  })
}, 60_000)

test('what an SDK or an IDE speaks, streams of JSON both ways, tells each prompt', async () => {
  await withHooks(
    () => ({ main: [text('First.'), text('Second.')] }),
    async (stage) => {
      const line = (words: string) => `${JSON.stringify({ type: 'user', message: { role: 'user', content: words } })}\n`
      const streams = ['--output-format', 'stream-json', '--input-format', 'stream-json', '--verbose']
      const child = Bun.spawn([claudeBinary, ...streams, ...unattended], {
        cwd: stage.home.project,
        env: { ...environment(stage), CLAUDE_CODE_ENTRYPOINT: 'sdk-ts' },
        stdio: [Buffer.from(line('One') + line('Two')), 'pipe', 'pipe'],
      })
      const [stdout] = await Promise.all([new Response(child.stdout).text(), child.exited])
      expect(stdout.match(/"type":"result"/g)).toHaveLength(2)
      await delivered(stage)
      expectSessions(stage, [
        `
        claude.session
          invoke_agent claude-code
            chat ${model}
          invoke_agent claude-code
            chat ${model}
      `,
      ])
      await quiet(stage)
    },
  )
}, 60_000)

test('the TUI: turns and tools while it runs, its end when it ends', async () => {
  const script = () => ({ main: [tools(bash('echo hi')), text('First.'), text('Second.')] })
  await withHooks(script, async (stage) => {
    const { home, sink } = stage
    const terminal = await startTerminal({
      command: [claudeBinary, '--session-id', sessionId, '--permission-mode', 'manual', '--allowedTools=Bash'],
      cwd: home.project,
      env: environment(stage),
      folder: home.path,
    })
    try {
      await terminal.shows('? for shortcuts')
      await terminal.enter('Go')
      await terminal.shows('First.')
      await until('the turn to be sent while the TUI runs', () =>
        sink.spans().some(({ name }) => name === 'invoke_agent claude-code'),
      )
      expect(sink.spans().some(({ name }) => name === 'claude.session')).toBe(false)
      await terminal.enter('More')
      await terminal.shows('Second.')
      // Beside the word that some hook runs, nothing of ours is on the screen.
      await terminal.gone('running')
      expect(terminal.screen()).not.toMatch(/hook|claude-otel/i)
      await terminal.enter('/exit')
      expect(await terminal.exited()).toBe(0)
      await delivered(stage)
      expectSessions(stage, [`${oneTool}\n  invoke_agent claude-code\n    chat ${model}`])
      expect(sessionOf(stage).attributes['session.end_reason']).toBe('prompt_input_exit')
      await quiet(stage)
    } finally {
      terminal.close()
    }
  })
}, 90_000)

test('a session that is both wrapped and hooked is told once', async () => {
  await withHooks(oneToolScript, async (stage) => {
    const result = await runOn(stage, claudeOtelBinary, ['-p', 'Go', ...unattended])
    expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
    await delivered(stage)
    expectOneTool(stage)
    await quiet(stage)
    expect(sessionsOf(stage.sink.spans())).toHaveLength(1)
  })
}, 60_000)

test('hooks of the user, the project and this folder alone tell once', async () => {
  await withHooks(oneToolScript, async (stage) => {
    for (const scope of ['--project', '--local']) await runOn(stage, claudeOtelBinary, ['hooks', 'add', scope])
    await plain(stage, ['-p', 'Go', ...unattended])
    await delivered(stage)
    expectOneTool(stage)
  })
}, 60_000)

/** A tool call that goes on until a file is there. */
const held = ({ path }: Stage['home']) => ({
  main: [tools(bash(`touch ${path}/running; ${waitForFile(`${path}/go`)}`)), text('Done.')],
})
const running = ({ home }: Stage) => until('the tool to run', () => Bun.file(join(home.path, 'running')).exists())

describe('kill -9', () => {
  test('of claude: what it did until then is told, and its end', async () => {
    await withHooks(held, async (stage) => {
      const { child, output } = start(stage, ['-p', 'Go', ...unattended])
      await running(stage)
      await pumpOf(stage)
      child.kill('SIGKILL')
      await Bun.write(join(stage.home.path, 'go'), '')
      await output
      await delivered(stage)
      showingTree(stage.sink.spans(), () => {
        expect(sessionOf(stage).attributes['session.end_reason']).toBe('crashed')
        expectWhole(stage.sink.spans())
        expect(tree(stage.sink.spans())).toBe(
          outdent(`
            claude.session !
              invoke_agent claude-code !
                chat ${model}
                execute_tool Bash tool.status=abandoned !
          `),
        )
      })
      await quiet(stage)
    })
  }, 60_000)

  test('of the pump: the next hook starts another one, and all is told once', async () => {
    await withHooks(held, async (stage) => {
      const { child, output } = start(stage, ['-p', 'Go', ...unattended])
      await running(stage)
      const first = await pumpOf(stage)
      await until('it to have written something down', () => journalOf(stage).includes('"k":"hook"'))
      process.kill(first, 'SIGKILL')
      await Bun.write(join(stage.home.path, 'go'), '')
      await output
      expect(await child.exited).toBe(0)
      await delivered(stage)
      expectOneTool(stage)
      await quiet(stage)
    })
  }, 60_000)

  test('of the pump when no hook comes any more: drain tells the rest', async () => {
    await withHooks(held, async (stage) => {
      const { child, output } = start(stage, ['-p', 'Go', ...unattended])
      await running(stage)
      const pump = await pumpOf(stage)
      child.kill('SIGKILL')
      process.kill(pump, 'SIGKILL')
      await Bun.write(join(stage.home.path, 'go'), '')
      await output
      await child.exited
      const drained = await runOn(stage, claudeOtelBinary, ['drain'])
      expect(drained).toMatchObject({ stderr: '', exitCode: 0 })
      await delivered(stage)
      expect(sessionsOf(stage.sink.spans())).toHaveLength(1)
      expectWhole(stage.sink.spans())
      await quiet(stage)
    })
  }, 60_000)
})

test('two sessions at once have a pump each, and do not mix', async () => {
  const meet = (own: string, other: string) => bash(`touch ${own}; ${waitForFile(other)}`)
  const script = ({ path }: Stage['home']) => ({
    main: [],
    agents: {
      'ASKED-ONE': [tools(meet(`${path}/one`, `${path}/two`)), text('One.')],
      'ASKED-TWO': [tools(meet(`${path}/two`, `${path}/one`)), text('Two.')],
    },
  })
  await withHooks(script, async (stage) => {
    const ask = (prompt: string) => plain(stage, ['-p', prompt, '--permission-mode', 'bypassPermissions'])
    await Promise.all([ask('ASKED-ONE'), ask('ASKED-TWO')])
    await quiet(stage)
    expectSessions(stage, [oneTool, oneTool])
  })
}, 60_000)

/** A machine of its own: settings of an administrator where Claude Code looks for them. */
const unshare = process.getuid?.() === 0 ? ['unshare', '-m'] : ['unshare', '-rm']
const mounts = (folder: string) => `mount -t overlay overlay -o lowerdir=${folder}:/etc /etc`
const canMount = Bun.spawnSync([...unshare, 'sh', '-c', mounts('/usr')]).success

describe.skipIf(!canMount)('where an administrator has said of hooks', () => {
  for (const [said, fires, exit] of [
    ['nothing', true, 0],
    ['allowManagedHooksOnly', false, 78],
    ['disableAllHooks', false, 78],
  ] as const) {
    test(`${said}, claude does what hooks add takes for granted`, async () => {
      const stage = await openStage(() => ({ main: [text('Hello.')] }))
      const { home } = stage
      try {
        const settings = { ...(said === 'nothing' ? {} : { [said]: true }) }
        await Bun.write(join(home.path, 'etc/claude-code/managed-settings.json'), JSON.stringify(settings))
        const command = `touch ${home.path}/fired`
        const hooks = { Stop: [{ hooks: [{ type: 'command', command }] }] }
        await Bun.write(join(home.path, '.claude/settings.json'), JSON.stringify({ hooks }))
        const script = `${mounts(`${home.path}/etc`)} && "$0" -p Go > /dev/null && "$1" hooks add`
        const [shell = '', ...inside] = [...unshare, 'sh', '-c', script, claudeBinary, claudeOtelBinary]
        const { exitCode, stderr } = await runOn(stage, shell, inside)
        expect(exitCode).toBe(exit)
        expect(await Bun.file(join(home.path, 'fired')).exists()).toBe(fires)
        if (!fires) expect(stderr).toContain(`/etc/claude-code/managed-settings.json says ${said}`)
      } finally {
        await clear(stage)
      }
    }, 60_000)
  }
})

test('where telemetry is switched off nothing is told and nothing is kept, also while the session runs', async () => {
  await withHooks(held, async (stage) => {
    const path = join(stage.home.state, 'config.json')
    const config = JSON.parse(readText(path))
    await Bun.write(path, JSON.stringify({ ...config, disabled: true }))
    const { output } = start(stage, ['-p', 'Go', ...unattended])
    await running(stage)
    await pumpOf(stage)
    await until('records to be thrown away', () => {
      const runs = join(stage.home.state, 'runs')
      return names(runs).every((name) => names(join(runs, name, 'spool')).length === 0)
    })
    await Bun.write(join(stage.home.path, 'go'), '')
    await output
    await quiet(stage)
    expect(stage.sink.requests()).toEqual({})
  })
}, 60_000)

test('after hooks remove a session is not told of', async () => {
  await withHooks(oneToolScript, async (stage) => {
    await runOn(stage, claudeOtelBinary, ['hooks', 'remove'])
    await plain(stage, ['-p', 'Go', ...unattended])
    expect(names(join(stage.home.state, 'runs'))).toEqual([])
    expect(stage.sink.requests()).toEqual({})
  })
}, 60_000)

test('a session of a subagent is one tree', async () => {
  const agent = toolUse('Agent', {
    description: 'look',
    prompt: 'SUBAGENT look',
    subagent_type: 'general-purpose',
    run_in_background: false,
  })
  const script = () => ({
    main: [tools(agent), text('Done.')],
    agents: { SUBAGENT: [tools(bash('echo from the subagent')), text('Seen.')] },
  })
  await withHooks(script, async (stage) => {
    await plain(stage, ['-p', 'Go', ...unattended])
    await quiet(stage)
    expectSessions(stage, [
      `
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
    ])
  })
}, 60_000)
