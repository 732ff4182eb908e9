/** Runs that somebody left behind, and who takes which. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, resolveConfig } from '../../src/config/config.ts'
import { recoverRuns } from '../../src/session/recover.ts'
import { createRunFolder, isOwned, type RunContext, type RunFolder, writeJsonFile } from '../../src/session/run.ts'
import { fillSpool, readExported } from './recording.ts'
import { run } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-recover-'))
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
})

const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function toFile(name: string): Config {
  const env = { OTEL_TRACES_EXPORTER: 'file', OTEL_LOGS_EXPORTER: 'file', OTEL_METRICS_EXPORTER: 'file' }
  return resolveConfig({ env: { ...env, CLAUDE_OTEL_FILE: join(home, name) } }).config
}

const toNobody = resolveConfig({
  env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
}).config

/** A run of one session, `minutes` old, of a claude with this process id. */
function leave(session: string, minutes: number, pid = 9_000_001): RunFolder {
  const folder = createRunFolder(join(home, 'runs', session))
  const at = (Date.now() - minutes * 60_000) * 1000
  fillSpool(folder, [{ at, pid, payload: { session_id: session, hook_event_name: 'SessionStart', source: 'startup' } }])
  const then = new Date(at / 1000)
  utimesSync(folder.path, then, then)
  return folder
}

const recover = (
  configFor: (context: RunContext | undefined) => Config,
  more: { triesAll?: boolean; deadline?: AbortSignal } = {},
) =>
  recoverRuns({
    paths: {
      runs: join(home, 'runs'),
      sessions: join(home, 'sessions'),
      reports: join(home, 'reports.jsonl'),
      dropped: join(home, 'dropped.jsonl'),
    },
    configFor: async (context) => configFor(context),
    deadline: AbortSignal.timeout(10_000),
    triesAll: true,
    ...more,
  })

const sent = (name: string): unknown[] =>
  readExported(join(home, name)).spans.map(({ attributes }) => attributes['session.id'])

describe('runs that were left behind', () => {
  test('are delivered oldest first, closed as crashed, and removed', async () => {
    for (const [session, minutes] of [
      ['s2', 2],
      ['s3', 1],
      ['s1', 3],
    ] as const)
      leave(session, minutes)
    const recovered = await recover(() => toFile('out'))
    expect(recovered.map(({ report }) => report.settled)).toEqual([true, true, true])
    expect(sent('out')).toEqual(['s1', 's2', 's3'])
    expect(readdirSync(join(home, 'runs'))).toEqual([])
  })

  test('go where their own context says', async () => {
    const folder = leave('s1', 1)
    const context = { entry: run, env: { CLAUDE_OTEL_FILE: 'its own' }, flags: {} }
    writeJsonFile(folder.context, context)
    leave('s2', 2)
    const asked: (RunContext | undefined)[] = []
    await recover((told) => {
      asked.push(told)
      return toFile(told === undefined ? 'unknown' : 'known')
    })
    expect(asked.filter((told) => told !== undefined)).toEqual([context])
    expect([sent('known'), sent('unknown')]).toEqual([['s1'], ['s2']])
  })

  test('are not those that a living process owns', async () => {
    const folder = leave('s1', 1)
    writeFileSync(join(folder.path, 'owner'), `${process.pid}\n`)
    expect(await recover(() => toFile('out'))).toEqual([])
    expect(readdirSync(folder.spool)).toHaveLength(1)
  })

  test('of a claude that nobody wrapped and that lives go on: its session stays open, its run stays', async () => {
    const claude = Bun.spawn(['sleep', '60'])
    children.push(claude)
    const folder = leave('s1', 0, claude.pid)
    await recover(() => toFile('out'))
    expect(existsSync(folder.path)).toBe(true)
    expect(isOwned(folder)).toBe(false)
    expect(readExported(join(home, 'out')).spans).toEqual([])
    claude.kill()
    await claude.exited
    await recover(() => toFile('out'))
    expect(sent('out')).toEqual(['s1'])
    expect(existsSync(folder.path)).toBe(false)
  })

  test.skipIf(process.platform !== 'linux')('of a claude whose number another process has now are over', async () => {
    const other = Bun.spawn(['sleep', '60'])
    children.push(other)
    leave('s1', 1, other.pid)
    const wrapped = leave('s2', 1)
    const root = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
    const entry = { ...run, wrapped: { root, pid: other.pid, birth: 1, source: 'startup' } }
    writeJsonFile(wrapped.context, { entry, env: {}, flags: {} })
    writeFileSync(join(wrapped.path, 'owner'), `${other.pid} 1\n`)
    await recover(() => toFile('out'))
    expect(sent('out').sort()).toEqual(['s1', 's2'])
    expect(readdirSync(join(home, 'runs'))).toEqual([])
  })

  test.skipIf(process.platform !== 'linux')(
    'by a wrapper that never got to its files, are left to it while it lives',
    async () => {
      const wrapper = Bun.spawn(['sleep', '60'])
      children.push(wrapper)
      const named = (at: number) => leave(`${at * 1000}-${wrapper.pid}-abcdef01`, 0)
      const [its, before] = [named(Date.now()), named(Date.now() - 60_000)]
      await recover(() => toFile('out'))
      expect([existsSync(its.path), existsSync(before.path)]).toEqual([true, false])
    },
  )

  test('are kept when they cannot be delivered, and the rest is tried or not as asked', async () => {
    for (const [session, minutes] of [
      ['s1', 3],
      ['s2', 2],
    ] as const)
      leave(session, minutes)
    expect(await recover(() => toNobody, { triesAll: false })).toHaveLength(1)
    expect(await recover(() => toNobody)).toHaveLength(2)
    expect(readdirSync(join(home, 'runs')).sort()).toEqual(['s1', 's2'])
    await recover(() => toFile('out'))
    expect(sent('out').sort()).toEqual(['s1', 's2'])
  })

  test('that go elsewhere are tried all the same when one could not be delivered', async () => {
    for (const [session, minutes] of [
      ['s1', 3],
      ['s2', 2],
      ['s3', 1],
    ] as const)
      leave(session, minutes)
    const configFor = (folder: string) => (folder === 's2' ? toFile('out') : toNobody)
    let asked = 0
    const recovered = await recover(() => configFor(['s1', 's2', 's3'][asked++] ?? ''), { triesAll: false })
    expect(recovered.map(({ report }) => report.settled)).toEqual([false, true])
    expect(sent('out')).toEqual(['s2'])
  })

  test('that have more than memory has room for are delivered in one pass, each signal once', async () => {
    const folder = leave('s1', 1)
    const at = Date.now() * 1000 - 50_000_000
    const notice = (number: number) => ({
      at: at + number * 3_000_000,
      pid: 9_000_001,
      payload: { session_id: 's1', hook_event_name: 'Notification', notification_type: 'idle', message: `${number}` },
    })
    fillSpool(
      folder,
      Array.from({ length: 40 }, (_, number) => notice(number)),
    )
    const narrow = { OTEL_BLRP_MAX_QUEUE_SIZE: '3', OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: '2', OTEL_BSP_MAX_QUEUE_SIZE: '1' }
    const file = { OTEL_TRACES_EXPORTER: 'file', OTEL_LOGS_EXPORTER: 'file', OTEL_METRICS_EXPORTER: 'none' }
    const { config } = resolveConfig({ env: { ...narrow, ...file, CLAUDE_OTEL_FILE: join(home, 'out') } })
    const [recovered] = await recover(() => config)
    expect(recovered?.report.settled).toBe(true)
    const { logs, spans } = readExported(join(home, 'out'))
    expect(logs.filter(({ event }) => event === 'claude.notification')).toHaveLength(40)
    expect(spans).toHaveLength(1)
  })

  test('with acknowledgements that nobody can read any more are sent again', async () => {
    for (const content of ['', '{"v":1,"destinations":{"a":{"tra', 'foreign', '{"traces":7}']) {
      const folder = leave('s1', 1)
      writeFileSync(folder.acked, content)
      expect((await recover(() => toFile('out'))).map(({ report }) => report.settled)).toEqual([true])
    }
    expect(sent('out')).toEqual(['s1', 's1', 's1', 's1'])
  })

  test('with acknowledgements of a later version are left to those who know it', async () => {
    const folder = leave('s1', 1)
    writeJsonFile(folder.acked, { v: 2, destinations: {} })
    expect(await recover(() => toFile('out'))).toEqual([])
    expect(existsSync(folder.acked)).toBe(true)
    expect(isOwned(folder)).toBe(false)
  })

  test('are left for another time when there is none', async () => {
    leave('s1', 1)
    expect(await recover(() => toFile('out'), { deadline: AbortSignal.abort() })).toEqual([])
    expect(readdirSync(join(home, 'runs'))).toEqual(['s1'])
  })

  test('are delivered once, by whichever of several gets them', async () => {
    for (let index = 0; index < 6; index++) leave(`s${index}`, index)
    await Promise.all([1, 2, 3].map(() => recover(() => toFile('out'))))
    expect(sent('out').sort()).toEqual(['s0', 's1', 's2', 's3', 's4', 's5'])
  })
})
