/** Our own words on the command line, answered by the compiled binary. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { readRevision } from '../../scripts/revision.ts'
import { createRunFolder, type RunFolder, writeJsonFile } from '../../src/session/run.ts'
import { fillSpool, readExported } from '../session/recording.ts'
import { run } from '../session/story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-cli-'))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
})

async function cli(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const env = { PATH: '/usr/bin:/bin', CLAUDE_OTEL_HOME: home, CLAUDE_BIN: '/bin/false', ...more }
  const child = Bun.spawn([BINARY, ...args], { env, cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

const toFile = (path: string): Record<string, string> => ({
  CLAUDE_OTEL_FILE: path,
  OTEL_TRACES_EXPORTER: 'file',
  OTEL_LOGS_EXPORTER: 'file',
  OTEL_METRICS_EXPORTER: 'file',
})
const toNobody = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' }

describe('what is asked of us', () => {
  test('--version is ours, and tells the commit it was built from', async () => {
    const { code, stdout, stderr } = await cli(['--version'])
    expect([code, stderr]).toEqual([0, ''])
    const [, told, commit] = /^claude-otel (\S+)(?: \(([0-9a-f]{12}(?:-dirty)?)\))?\n$/.exec(stdout) ?? []
    expect([told, commit !== undefined]).toEqual([
      packageJson.version,
      readRevision(join(import.meta.dir, '../..')) !== undefined,
    ])
  })

  test.each(['--help'])('%s tells the commands and flags of ours, and none that is internal', async (flag) => {
    const { code, stdout, stderr } = await cli([flag])
    expect([code, stderr]).toEqual([0, ''])
    for (const word of ['drain', 'hook', '--config', '--claude-otel-debug']) expect(stdout).toContain(word)
    expect(stdout).not.toMatch(/^ {2}pump/m)
  })

  test('--config tells every setting with its origin, and no secret', async () => {
    const headers = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2hunter2' }
    const { code, stdout } = await cli(['--config'], { ...toNobody, ...headers })
    expect(code).toBe(0)
    expect(stdout).toContain('from OTEL_EXPORTER_OTLP_PROTOCOL')
    expect(stdout).not.toContain('hunter2')
  })

  test('--config with a mistake tells it and exits as configuration errors do', async () => {
    const { code, stdout } = await cli(['--config'], { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' })
    expect(code).toBe(78)
    expect(stdout).toContain('gprc')
  })

  test('a flag that is not ours but looks like it is refused, with what was meant', async () => {
    const { code, stdout, stderr } = await cli(['--otel-endpont=x', 'hi'])
    expect([code, stdout]).toEqual([64, ''])
    expect(stderr).toBe('claude-otel: there is no flag --otel-endpont\n  did you mean --otel-endpoint?\n')
  })

  test('a flag without its value is refused', async () => {
    expect((await cli(['--otel-endpoint'])).code).toBe(64)
  })

  test('none of it writes anything', async () => {
    for (const args of [['--version'], ['--help'], ['--config']]) await cli(args)
    expect(readdirSync(home)).toEqual([])
  })
})

describe('drain', () => {
  /** A run that was killed: its records are in the spool, and nobody owns it. */
  function leaveRun(name: string): RunFolder {
    const folder = createRunFolder(join(home, 'runs', name))
    const at = Date.now() * 1000
    const payload = { session_id: name, hook_event_name: 'SessionStart', source: 'startup' }
    fillSpool(folder, [{ at, pid: 9_000_001, payload }])
    return folder
  }

  test('with nothing to send, or without any folder, is done', async () => {
    const expected = { code: 0, stdout: '0 of 0 runs done: 0 delivered, 0 queued, 0 dropped\n', stderr: '' }
    expect(await cli(['drain'])).toEqual(expected)
    mkdirSync(join(home, 'runs'))
    expect(await cli(['drain'])).toEqual(expected)
    expect(await cli(['drain'], { CLAUDE_OTEL_HOME: join(home, 'never/made') })).toEqual(expected)
    expect(existsSync(join(home, 'never'))).toBe(false)
  })

  test('sends what was left behind, once, and removes it', async () => {
    for (const name of ['s1', 's2']) leaveRun(name)
    const output = join(home, 'signals.jsonl')
    const { code, stdout } = await cli(['drain', '--json'], toFile(output))
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ runs: 2, settled: 2, queued: 0, dropped: 0, droppedRuns: 0 })
    expect(JSON.parse(stdout).delivered).toBeGreaterThan(0)
    const ids = readExported(output).spans.map(({ attributes }) => [
      attributes['session.id'],
      attributes['session.end_reason'],
    ])
    expect(ids.sort()).toEqual([
      ['s1', 'crashed'],
      ['s2', 'crashed'],
    ])
    expect(readdirSync(join(home, 'runs'))).toEqual([])
    expect((await cli(['drain'], toFile(output))).stdout).toStartWith('0 of 0')
  })

  test('sends a run where it was meant to go, unless somebody says otherwise now', async () => {
    const [then, now] = [join(home, 'then.jsonl'), join(home, 'now.jsonl')]
    const leave = (name: string): void =>
      writeJsonFile(leaveRun(name).context, { entry: run, env: toFile(then), flags: {} })
    leave('s1')
    expect((await cli(['drain'])).code).toBe(0)
    expect(readExported(then).spans).toHaveLength(1)
    leave('s2')
    expect((await cli(['drain'], toFile(now))).code).toBe(0)
    expect(readExported(now).spans.map(({ attributes }) => attributes['session.id'])).toEqual(['s2'])
  })

  test('sends to every destination that a run was begun with, and tells the numbers of each', async () => {
    const [a, b] = [join(home, 'a.jsonl'), join(home, 'b.jsonl')]
    const destinations = [
      { name: 'a', exporter: 'file', file: a },
      { name: 'b', exporter: 'file', file: b, signals: ['traces'] },
    ]
    const env = { CLAUDE_OTEL_DESTINATIONS: JSON.stringify(destinations) }
    writeJsonFile(leaveRun('s1').context, { entry: run, env, flags: {} })
    const { stdout } = await cli(['drain'])
    expect(stdout).toMatch(
      /^1 of 1 runs done: \d+ delivered, 0 queued, 0 dropped\n {2}a: \d+ delivered, 0 queued, 0 dropped\n {2}b: 1 delivered, 0 queued, 0 dropped\n$/,
    )
    expect([readExported(a).spans.length, readExported(b).spans.length]).toEqual([1, 1])
    expect([readExported(a).logs.length > 0, readExported(b).logs.length]).toEqual([true, 0])
    const now = join(home, 'now.jsonl')
    writeJsonFile(leaveRun('s2').context, { entry: run, env: toFile(a), flags: {} })
    const named = { CLAUDE_OTEL_DESTINATIONS: JSON.stringify([{ exporter: 'file', file: now }]) }
    expect((await cli(['drain'], named)).code).toBe(0)
    expect(readExported(now).spans.map(({ attributes }) => attributes['session.id'])).toEqual(['s2'])
    expect(readExported(a).spans).toHaveLength(1)
  })

  test('to a collector that is away keeps everything, and exits so that a script can tell', async () => {
    const folder = leaveRun('s1')
    const { code, stdout, stderr } = await cli(['drain', '--timeout', '5'], toNobody)
    expect(code).toBe(69)
    expect(stdout).toMatch(/^0 of 1 runs done: 0 delivered, [1-9]\d* queued/)
    expect(stderr).toMatch(/^claude-otel: .+\n/)
    expect(existsSync(folder.journal)).toBe(true)
    expect((await cli(['drain'], toFile(join(home, 'out')))).code).toBe(0)
    expect(existsSync(folder.path)).toBe(false)
  })

  test('leaves a run alone that a living process owns', async () => {
    const folder = leaveRun('s1')
    writeFileSync(join(folder.path, 'owner'), `${process.pid}\n`)
    expect((await cli(['drain'], toFile(join(home, 'out')))).stdout).toStartWith('0 of 0')
    expect(readdirSync(folder.spool)).toHaveLength(1)
  })

  test('leaves a run alone whose wrapped claude still lives', async () => {
    const folder = leaveRun('s1')
    const root1 = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
    writeJsonFile(folder.context, {
      entry: { ...run, wrapped: { root: root1, pid: process.pid, source: 'startup' } },
      env: {},
      flags: {},
    })
    expect((await cli(['drain'], toFile(join(home, 'out')))).stdout).toStartWith('0 of 0')
    expect(readdirSync(folder.spool)).toHaveLength(1)
  })

  test('is not held up by a run that it cannot read', async () => {
    const broken = leaveRun('a-broken')
    writeFileSync(broken.journal, 'not json\n')
    writeFileSync(join(home, 'runs/a-file'), '')
    leaveRun('s1')
    const { code, stdout } = await cli(['drain', '--json'], toFile(join(home, 'out')))
    expect([code, JSON.parse(stdout).settled]).toEqual([0, 1])
    expect(readdirSync(broken.spool)).toHaveLength(1)
  })

  test.each(['x', '0', '-1', '', 'NaN'])('with --timeout %j is refused', async (timeout) => {
    const { code, stderr } = await cli(['drain', `--timeout=${timeout}`])
    expect(code).toBe(64)
    expect(stderr).toContain(`--timeout is "${timeout}"`)
  })

  test('with an option that it does not have is refused', async () => {
    const { code, stderr } = await cli(['drain', '--jsn'])
    expect(code).toBe(64)
    expect(stderr).toContain('--json')
  })

  test('with a bad setting says which', async () => {
    const { code, stderr } = await cli(['drain'], { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' })
    expect(code).toBe(78)
    expect(stderr).toContain('OTEL_EXPORTER_OTLP_PROTOCOL')
  })

  test('--help tells its options', async () => {
    const { code, stdout } = await cli(['drain', '--help'])
    expect(code).toBe(0)
    expect(stdout).toContain('--timeout')
  })

  test('without any home says so', async () => {
    expect((await cli(['drain'], { CLAUDE_OTEL_HOME: '' })).code).toBe(74)
  })
})
