/** Disks in trouble, and folders with what is not ours in them: the compiled binary, and the real claude where a session is played. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import { createRunFolder, type RunFolder } from '../../src/session/run.ts'
import { claudeOtelBinary, type RunResult, run } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { metricTotals, type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'
import { fillSpool, readRecording } from '../session/recording.ts'
import { outdent, type Stage, tree } from '../sessions/play.ts'
import { bash } from '../sessions/words.ts'
import { prompt, withStage } from './kit.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-disk-'))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

const timeoutMs = 120_000
const model = 'claude-opus-5-5'

/**
 * Plays a session whose state folder is a small disk of its own. A mount namespace is how a test may mount one; nobody outside sees
 * it, and it goes with the processes in it.
 */
function runOnDisk({ home, api, sink }: Stage, { size = '1m', after = '' }): Promise<RunResult> {
  mkdirSync(home.state, { recursive: true })
  const mount = `mount -t tmpfs -o size=${size},mode=700 disk "$0" && ${after === '' ? ':' : after} && exec "$@"`
  return run({
    command: ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount, home.state, claudeOtelBinary, ...prompt],
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
  })
}

const oneTool: Script = { main: [tools(bash('echo hi')), text('Done.')] }

function expectUnharmed({ exitCode, signal, stdout, stderr }: RunResult): void {
  expect({ exitCode, signal, stdout }).toEqual({ exitCode: 0, signal: null, stdout: 'Done.\n' })
  expect(stderr.split('\n').length, stderr).toBeLessThanOrEqual(2)
}

describe.skipIf(process.platform !== 'linux')('the session is what it would be alone', () => {
  const troubles = {
    'a disk that is full from the start': { size: '16k' },
    'a disk that has no room beyond our plugin': { size: '28k' },
    'a folder that is read-only': { after: 'mount -o remount,ro "$0"' },
  }
  for (const [title, disk] of Object.entries(troubles)) {
    test(
      `on ${title}`,
      () =>
        withStage(
          async (stage) => {
            const result = await runOnDisk(stage, disk)
            expectUnharmed(result)
            expect(result.stderr).toStartWith('claude-otel: ')
          },
          () => oneTool,
        ),
      timeoutMs,
    )
  }

  test(
    'where no home is known',
    () =>
      withStage(
        async ({ home, api, sink }) => {
          const config = { CLAUDE_CONFIG_DIR: home.path, CLAUDE_OTEL_HOME: undefined, HOME: undefined }
          const env = home.environment(api.url, { ...sink.environment(), ...config })
          const result = await run({ command: [claudeOtelBinary, ...prompt], cwd: home.project, env })
          expectUnharmed(result)
          expect(result.stderr).toContain('no home folder is known')
          expect(sink.spans()).toEqual([])
        },
        () => oneTool,
      ),
    timeoutMs,
  )

  test(
    'on a disk that is full for a while, and everything is told when there is room again',
    () =>
      withStage(
        async (stage) => {
          expectUnharmed(await runOnDisk(stage, { size: '2m' }))
          const spans = stage.sink.spans()
          expect(tree(spans)).toBe(
            outdent(`
              claude.session
                invoke_agent claude-code
                  chat ${model}
                  execute_tool Bash tool.status=success
                  chat ${model}
                  execute_tool Bash tool.status=success
                  chat ${model}
                  execute_tool Bash tool.status=success
                  chat ${model}
            `),
          )
          expect(metricTotals(stage.sink.points(), 'claude.tool_calls_total')['']).toBe(3)
        },
        ({ state }): Script => ({
          main: [
            tools(bash(`head -c 4m /dev/zero > ${state}/filler 2> /dev/null; true`)),
            tools(bash('sleep 1')),
            tools(bash(`rm ${state}/filler`)),
            text('Done.'),
          ],
        }),
      ),
    timeoutMs,
  )
})

interface Scene {
  readonly home: string
  readonly sink: OtlpSink
}

async function withScene(play: (scene: Scene) => Promise<void>): Promise<void> {
  const sink = await startOtlpSink()
  try {
    await play({ home: mkdtempSync(join(root, 'home-')), sink })
  } finally {
    await sink.close()
  }
}

function ours({ home, sink }: Scene, args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const env = { PATH: '/usr/bin:/bin', HOME: home, CLAUDE_OTEL_HOME: home, ...sink.environment(), ...more }
  return run({ command: [claudeOtelBinary, ...args], cwd: home, env })
}

const drain = (scene: Scene, more: Readonly<Record<string, string>> = {}) => ours(scene, ['drain'], more)
const calls = readRecording('tools').filter(({ pid }, _, [first]) => pid === first?.pid)

function leaveRun({ home }: Scene, name = 'claude-9000001'): RunFolder {
  const folder = createRunFolder(join(home, 'runs', name))
  fillSpool(folder, calls)
  return folder
}

function contentOf({ sink }: Scene): object {
  const unique = (records: readonly object[]) => [
    ...new Set(records.map((record) => JSON.stringify({ ...record, resource: undefined }))),
  ]
  const totals = ['claude.tool_calls_total', 'claude.tokens_total', 'claude.sessions_total', 'claude.turns_total']
  return {
    spans: unique(sink.spans()).sort(),
    logs: sink.logs().filter(({ eventName }) => eventName !== 'claude_otel.hook.error').length,
    metrics: totals.map((name) => metricTotals(sink.points(), name)['']),
  }
}

async function wholeContent(): Promise<object> {
  let content = {}
  await withScene(async (scene) => {
    leaveRun(scene)
    expect((await drain(scene)).exitCode).toBe(0)
    content = contentOf(scene)
  })
  return content
}

describe('a file that was cut', () => {
  test('in the spool, at every byte, is counted as broken and takes nothing else with it', async () => {
    const whole = await wholeContent()
    await withScene(async (scene) => {
      const folder = leaveRun(scene)
      const [first] = readdirSync(folder.spool).sort()
      const record = readFileSync(join(folder.spool, first ?? ''))
      // Less than a whole record: its last byte is the line break at the end.
      for (let length = 0; length < record.length - 1; length++) {
        writeFileSync(join(folder.spool, `${first}-${length}`), record.subarray(0, length))
      }
      const { exitCode, stderr } = await drain(scene)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(contentOf(scene)).toEqual(whole)
      const broken = metricTotals(scene.sink.points(), 'claude_otel.records_broken_total')['']
      expect(broken).toBe(record.length - 1)
      expect(existsSync(folder.path)).toBe(false)
    })
  }, 60_000)

  test('in the journal, at every byte of a line and between, is taken up with the spool still full', async () => {
    const whole = await wholeContent()
    const dead = { CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }
    let journal = Buffer.alloc(0)
    await withScene(async (scene) => {
      const folder = leaveRun(scene)
      await drain(scene, dead)
      journal = readFileSync(folder.journal)
    })
    const lines = journal.toString().split('\n')
    const second = Buffer.byteLength(`${lines[0]}\n`)
    const everyByteOf = Array.from({ length: 40 }, (_, index) => second + index * 3)
    const elsewhere = Array.from({ length: 24 }, (_, index) => Math.floor((journal.length / 24) * index))
    const cuts = [...everyByteOf, ...elsewhere]
    const atOnce = 4
    for (let at = 0; at < cuts.length; at += atOnce) {
      await Promise.all(
        cuts.slice(at, at + atOnce).map((cut) =>
          withScene(async (scene) => {
            const folder = leaveRun(scene)
            writeFileSync(folder.journal, journal.subarray(0, cut))
            const { exitCode, stderr } = await drain(scene)
            expect({ cut, exitCode, stderr }).toEqual({ cut, exitCode: 0, stderr: '' })
            expect({ cut, ...contentOf(scene) }).toEqual({ cut, ...whole })
          }),
        ),
      )
    }
  }, 120_000)
})

describe('what is not ours to read', () => {
  test('a later version’s journal, acknowledgements and run are left as they are, and the others are sent', () =>
    withScene(async (scene) => {
      const whole = await wholeContent()
      leaveRun(scene)
      const later = [
        [leaveRun(scene, 'later-1').journal, '{"v":99,"k":"run","words":"of later"}\n'],
        [leaveRun(scene, 'later-2').acked, '{"v":99,"acks":{}}'],
      ] as const
      for (const [path, content] of later) writeFileSync(path, content)
      const before = later.map(([path]) => snapshot(dirname(path)))
      await drain(scene)
      expect(contentOf(scene)).toEqual(whole)
      expect(later.map(([path]) => snapshot(dirname(path)))).toEqual(before)
    }))

  test('somebody’s files and folders among ours stay where they are, and hold nothing up', () =>
    withScene(async (scene) => {
      const whole = await wholeContent()
      const folder = leaveRun(scene)
      writeFileSync(join(scene.home, 'runs/.DS_Store'), 'x')
      writeFileSync(join(scene.home, 'notes.txt'), 'mine')
      mkdirSync(join(scene.home, 'runs/photos'))
      writeFileSync(join(scene.home, 'runs/photos/cat.png'), 'cat')
      writeFileSync(join(folder.path, 'mine.txt'), 'mine')
      mkdirSync(join(folder.spool, 'folder'))
      const { exitCode, stderr } = await drain(scene)
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
      expect(contentOf(scene)).toEqual(whole)
      expect(readFileSync(join(scene.home, 'notes.txt'), 'utf8')).toBe('mine')
      expect(readFileSync(join(scene.home, 'runs/photos/cat.png'), 'utf8')).toBe('cat')
      expect(readFileSync(join(folder.path, 'mine.txt'), 'utf8')).toBe('mine')
    }))
})

function snapshot(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), 'utf8')]))
}

describe('the budget', () => {
  const dead = { CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }

  /** Runs that nobody could deliver, last changed so many days ago; whoever tries in vain again does not make them younger. */
  async function leaveOld(scene: Scene, days: readonly number[]): Promise<RunFolder[]> {
    const folders = days.map((day) => leaveRun(scene, `claude-900000${day}`))
    const words = { ...calls[0]?.payload, hook_event_name: 'Notification', message: 'x'.repeat(1000) }
    const more = calls
      .slice(0, 1)
      .flatMap(({ at, pid }) =>
        Array.from({ length: 800 }, (_, index) => ({ at: at + 3e6 * (index + 1), pid, payload: words })),
      )
    for (const folder of folders) fillSpool(folder, more)
    await drain(scene, dead)
    for (const [index, folder] of folders.entries()) age(folder, (days[index] ?? 0) * 86_400_000)
    return folders
  }

  test('of size lets the oldest runs go, counts them, and says so', () =>
    withScene(async (scene) => {
      const old = await leaveOld(scene, [3, 2, 1])
      const bytes = old.reduce((sum, { journal }) => sum + statSync(journal).size, 0)
      const { stdout } = await drain(scene, { ...dead, CLAUDE_OTEL_STORAGE_SIZE: `${bytes - 1}` })
      expect(old.map(({ path }) => existsSync(path))).toEqual([false, true, true])
      expect(stdout).toMatch(/1 run \(\d+ kB\) dropped to stay within \d MB/)
      const status = JSON.parse((await ours(scene, ['status', '--json'])).stdout)
      expect(status.givenUp).toMatchObject([{ run: 'claude-9000003', reason: 'size' }])
    }))

  test('of age lets go what is older, however small, though it was tried again since', () =>
    withScene(async (scene) => {
      const old = await leaveOld(scene, [8, 6])
      await drain(scene, { ...dead, CLAUDE_OTEL_STORAGE_AGE: '30d' })
      const { stdout } = await drain(scene, dead)
      expect(old.map(({ path }) => existsSync(path))).toEqual([false, true])
      expect(stdout).toMatch(/1 run \(\d+ kB\) dropped to stay within 7 d/)
    }))
})

/** As if nobody had touched it for so long. */
function age(folder: RunFolder, ms: number): RunFolder {
  const then = new Date(Date.now() - ms)
  for (const name of readdirSync(folder.path, { recursive: true }))
    utimesSync(join(folder.path, String(name)), then, then)
  utimesSync(folder.path, then, then)
  return folder
}
