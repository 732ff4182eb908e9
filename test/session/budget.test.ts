/** What is given up when there is too much, or when it is too old, and what never is. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveStatePaths, type StatePaths } from '../../src/base/paths.ts'
import { enforceBudget } from '../../src/session/budget.ts'
import { readDrops, recordDrop, renderDrops } from '../../src/session/drops.ts'
import { claimRun, createRunFolder, type RunFolder, writeJsonFile, writeSessionContext } from '../../src/session/run.ts'
import { run } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-budget-'))
afterAll(() => rmSync(root, { recursive: true }))

let paths: StatePaths
beforeEach(() => {
  const home = resolveStatePaths({ CLAUDE_OTEL_HOME: mkdtempSync(join(root, 'home-')) })
  if (home === undefined) throw new Error('no home')
  paths = home
})

const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const day = 86_400_000
const storage = { maxBytes: 5000, maxAgeMs: 7 * day }
const enforce = (more: Partial<typeof storage> = {}) => enforceBudget({ paths, storage: { ...storage, ...more } })
const left = (): string[] => readdirSync(paths.runs).sort()

/** A run that was over `ageMs` ago, with a journal and a record of these sizes. */
function leave(name: string, ageMs: number, journalBytes = 1000, spoolBytes = 0): RunFolder {
  const folder = createRunFolder(join(paths.runs, name))
  writeFileSync(folder.journal, 'j'.repeat(journalBytes))
  if (spoolBytes > 0) writeFileSync(join(folder.spool, '1-1'), 's'.repeat(spoolBytes))
  const then = new Date(Date.now() - ageMs)
  for (const path of [
    folder.journal,
    folder.spool,
    ...readdirSync(folder.spool).map((each) => join(folder.spool, each)),
  ])
    utimesSync(path, then, then)
  return folder
}

describe('runs that nobody owns', () => {
  test('go, the one that has been over for longest first, until the rest is within the size', () => {
    leave('claude-9000003', 3000, 2000)
    leave('claude-9000001', 1000, 2000, 500)
    leave('claude-9000002', 2000, 2000, 1000)
    leave('claude-9000004', 4000, 1500, 500)
    expect(enforce().map(({ run: name, reason, bytes }) => [name, reason, bytes])).toEqual([
      ['claude-9000004', 'size', 2000],
      ['claude-9000003', 'size', 2000],
      ['claude-9000002', 'size', 3000],
    ])
    expect(left()).toEqual(['claude-9000001'])
  })

  test('stay when they are within it to the byte', () => {
    leave('claude-9000001', 1000, 5000)
    expect(enforce()).toEqual([])
    expect(enforce({ maxBytes: 4999 })).toHaveLength(1)
  })

  test('go when they are too old, whatever their size', () => {
    leave('claude-9000001', 8 * day, 1)
    leave('claude-9000002', 6 * day, 1)
    expect(enforce().map(({ reason }) => reason)).toEqual(['age'])
    expect(left()).toEqual(['claude-9000002'])
  })

  test('are counted where they can be read, and told in a line', () => {
    leave('claude-9000001', 2000, 310_000_000 / 1000)
    leave('claude-9000002', 8 * day, 1000)
    const drops = enforce()
    expect(readDrops(paths.dropped)).toEqual(drops)
    leave('claude-9000003', 1000, 6000)
    const more = enforce()
    expect(readDrops(paths.dropped)).toEqual([...drops, ...more])
    expect(renderDrops(drops, { maxBytes: 256_000_000, maxAgeMs: 7 * day })).toBe(
      '2 runs (311 kB) dropped to stay within 7 d and 256 MB',
    )
    expect(renderDrops(more, { maxBytes: 5000, maxAgeMs: day })).toBe('1 run (6 kB) dropped to stay within 5 kB')
    expect(renderDrops([], storage)).toBeUndefined()
  })

  test('are counted once, also when whoever gave one up died before it was removed', () => {
    const drop = { run: 'claude-9000001', reason: 'size', bytes: 5 } as const
    recordDrop(paths.dropped, { at: 1, ...drop })
    recordDrop(paths.dropped, { at: 2, ...drop })
    for (const at of [3, 4]) recordDrop(paths.dropped, { at, ...drop, reason: 'full', entries: 7 })
    appendFileSync(paths.dropped, '{"at":5,"run":"torn')
    expect(readDrops(paths.dropped).map(({ at }) => at)).toEqual([2, 3, 4])
  })

  test('are given up once by whichever of several processes gets to it', async () => {
    for (let index = 0; index < 40; index++) leave(`claude-${9_000_000 + index}`, 100_000 - index * 1000, 1000)
    const source = JSON.stringify(join(import.meta.dir, '../../src/session/budget.ts'))
    const script = `import { enforceBudget } from ${source}
      console.log(JSON.stringify(enforceBudget({ paths: ${JSON.stringify(paths)}, storage: ${JSON.stringify(storage)} })))`
    const said = await Promise.all(
      Array.from({ length: 4 }, () => new Response(Bun.spawn([process.execPath, '-e', script]).stdout).json()),
    )
    expect(left()).toEqual([35, 36, 37, 38, 39].map((index) => `claude-${9_000_000 + index}`))
    expect(said.flat()).toHaveLength(35)
    expect(
      readDrops(paths.dropped)
        .map(({ run: name }) => name)
        .sort(),
    ).toHaveLength(35)
  })
})

describe('a living run', () => {
  function living(): number {
    const child = Bun.spawn(['sleep', '60'])
    children.push(child)
    return child.pid
  }

  test('never goes: not one that is owned, nor one whose claude lives', () => {
    claimRun(leave('claude-9000001', 8 * day, 9000))
    const wrapped = leave('claude-9000002', 1000, 9000)
    const root1 = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
    const entry = { ...run, wrapped: { root: root1, pid: living(), source: 'startup' } }
    writeJsonFile(wrapped.context, { entry, env: {}, flags: {} })
    const alone = living()
    leave(`claude-${alone}`, 0, 9000)
    expect(enforce()).toEqual([])
    expect(left()).toHaveLength(3)
  })

  test.skipIf(process.platform !== 'linux')('is not one whose claude’s number another process has now', () => {
    leave(`claude-${living()}`, 60_000, 9000)
    expect(enforce()).toHaveLength(1)
  })
})

describe('what is not a run', () => {
  test('is left alone in the folder of runs, in runs and beside them', () => {
    mkdirSync(join(paths.runs, 'somebody-else'), { recursive: true })
    writeFileSync(join(paths.runs, 'somebody-else/big'), 'x'.repeat(9000))
    writeFileSync(join(paths.runs, 'a-file'), 'x'.repeat(9000))
    const folder = leave('claude-9000001', 8 * day)
    writeFileSync(join(folder.path, 'notes.txt'), 'x')
    for (const name of ['sessions', 'other']) mkdirSync(join(paths.root, name), { recursive: true })
    const old = [join(paths.sessions, 'notes.txt'), join(paths.root, 'other/x'), join(paths.root, 'mine.log')]
    for (const path of old) {
      writeFileSync(path, 'x')
      utimesSync(path, 0, 0)
    }
    expect(enforce()).toHaveLength(1)
    expect(left()).toEqual(['a-file', 'claude-9000001', 'somebody-else'])
    expect(readdirSync(folder.path)).toEqual(['notes.txt'])
    expect(old.filter((path) => !existsSync(path))).toEqual([])
  })

  test('of ours goes by age: what is remembered of sessions, logs, signals, counts', () => {
    const ref = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
    for (const sessionId of ['old', 'new'])
      writeSessionContext(paths.sessions, { v: 1, sessionId, conversationId: 'c', ref, startUnixMicro: 1 })
    const ours = [paths.log, `${paths.log}.1`, paths.signals, `${paths.signals}.1`, paths.dropped]
    for (const path of ours) writeFileSync(path, '')
    for (const path of [...ours.slice(1), join(paths.sessions, 'old.json')]) utimesSync(path, 0, 0)
    enforce()
    expect(readdirSync(paths.root).sort()).toEqual(['log', 'sessions'])
    expect(readdirSync(paths.sessions)).toEqual(['new.json'])
  })

  test('is no trouble when there is nothing at all', () => {
    expect(enforceBudget({ paths: { ...paths, runs: '/dev/null/x', sessions: '/dev/null/y' }, storage })).toEqual([])
  })
})
