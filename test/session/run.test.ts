/** Who owns a run, among real processes, and the small files beside it. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
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
import { join } from 'node:path'
import {
  claimRun,
  createRunFolder,
  isOwned,
  listRuns,
  pruneSessionContexts,
  type RunFolder,
  readJsonFile,
  readRunContext,
  readSessionContext,
  releaseRun,
  removeRunFolder,
  writeJsonFile,
  writeSessionContext,
} from '../../src/session/run.ts'
import { run } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-run-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
let folder: RunFolder
beforeEach(() => {
  folder = createRunFolder(join(root, 'runs', String(count++)))
})

const owner = (): string => join(folder.path, 'owner')
const onLinux = process.platform === 'linux'

const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function sleeper(): Bun.Subprocess {
  const child = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] })
  children.push(child)
  return child
}

async function deadPid(): Promise<number> {
  const child = Bun.spawn(['true'])
  await child.exited
  return child.pid
}

describe('the ownership of a run', () => {
  test('goes to the first who asks, and to nobody else while that one lives', () => {
    expect(isOwned(folder)).toBe(false)
    expect(claimRun(folder)).toBe(true)
    expect(isOwned(folder)).toBe(true)
    expect(claimRun(folder)).toBe(false)
    expect(readFileSync(owner(), 'utf8')).toStartWith(`${process.pid} `)
  })

  test('is free again when it was given back', () => {
    claimRun(folder)
    releaseRun(folder)
    expect(isOwned(folder)).toBe(false)
    expect(claimRun(folder)).toBe(true)
  })

  test('of a living process stays with it', () => {
    writeFileSync(owner(), `${sleeper().pid}\n`)
    expect(claimRun(folder)).toBe(false)
    expect(isOwned(folder)).toBe(true)
  })

  test('of a dead process goes to who asks', async () => {
    writeFileSync(owner(), `${await deadPid()} 12345\n`)
    expect(isOwned(folder)).toBe(false)
    expect(claimRun(folder)).toBe(true)
    expect(readFileSync(owner(), 'utf8')).toStartWith(`${process.pid} `)
  })

  test.skipIf(!onLinux)('of a dead process whose number another one has now goes to who asks', () => {
    writeFileSync(owner(), `${sleeper().pid} 1\n`)
    expect(isOwned(folder)).toBe(false)
    expect(claimRun(folder)).toBe(true)
  })

  test.each(['', 'garbage', '-1', '0 0', '1.5 3', '\0'])('by %j is by nobody', (text) => {
    writeFileSync(owner(), text)
    expect(claimRun(folder)).toBe(true)
  })

  test('of a folder that is gone, or is none, is refused', () => {
    removeRunFolder(folder)
    expect(claimRun(folder)).toBe(false)
    expect(existsSync(folder.path)).toBe(false)
    writeFileSync(folder.path, 'a file')
    expect(claimRun(folder)).toBe(false)
  })

  test('leaves no other files behind, won or lost', () => {
    claimRun(folder)
    claimRun(folder)
    expect(readdirSync(folder.path).sort()).toEqual(['owner', 'spool'])
    expect(statSync(owner()).mode & 0o777).toBe(0o600)
  })
})

describe('twenty processes that ask at once', () => {
  const processes = 20
  const rounds = 100
  const roundMs = 8

  /** Each process asks for every folder at the same moment as all others, and lives on; how many got each is the answer. */
  async function compete(folders: readonly RunFolder[]): Promise<number[]> {
    const script = join(root, `compete-${count++}.ts`)
    writeFileSync(
      script,
      `import { claimRun, runFolderAt } from ${JSON.stringify(join(import.meta.dir, '../../src/session/run.ts'))}
       const folders = ${JSON.stringify(folders.map(({ path }) => path))}.map(runFolderAt)
       const input = console[Symbol.asyncIterator]()
       console.log('ready')
       const first = Number((await input.next()).value)
       const won: number[] = []
       for (const [index, folder] of folders.entries()) {
         const moment = first + index * ${roundMs}
         await Bun.sleep(Math.max(0, moment - 2 - Date.now()))
         while (performance.timeOrigin + performance.now() < moment) {}
         if (claimRun(folder)) won.push(index)
       }
       console.log(JSON.stringify(won))
       await input.next()`,
    )
    const competitors = Array.from({ length: processes }, () => {
      const child = Bun.spawn([process.execPath, script], { stdio: ['pipe', 'pipe', 'inherit'] })
      children.push(child)
      return { stdin: child.stdin, lines: linesOf(child.stdout) }
    })
    for (const { lines } of competitors) expect((await lines.next()).value).toBe('ready')
    const first = Date.now() + 100
    for (const { stdin } of competitors) {
      stdin.write(`${first}\n`)
      stdin.flush()
    }
    const won: number[][] = []
    for (const { lines } of competitors) won.push(JSON.parse((await lines.next()).value ?? '[]'))
    return folders.map((_, index) => won.filter((indices) => indices.includes(index)).length)
  }

  async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
    let rest = ''
    for await (const chunk of stream) {
      const lines = `${rest}${new TextDecoder().decode(chunk)}`.split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
    return undefined
  }

  const folders = (): RunFolder[] =>
    Array.from({ length: rounds }, () => createRunFolder(join(root, 'contested', String(count++))))

  test('for a run that nobody owns: exactly one gets it, every time', async () => {
    expect(await compete(folders())).toEqual(Array.from({ length: rounds }, () => 1))
  }, 20_000)

  test('for a run whose owner is dead: never do two get it, and almost always one does', async () => {
    const contested = folders()
    const dead = await deadPid()
    for (const { path } of contested) writeFileSync(join(path, 'owner'), `${dead} 1\n`)
    const winners = await compete(contested)
    expect(winners.filter((number) => number > 1)).toEqual([])
    expect(winners.filter((number) => number === 1).length).toBeGreaterThan(rounds / 2)
  }, 20_000)
})

describe('the folders of runs', () => {
  test('are private', () => {
    for (const path of [folder.path, folder.spool]) expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test('come oldest first', () => {
    const runs = join(root, 'several')
    for (const [name, age] of [
      ['b', 3],
      ['a', 1],
      ['c', 2],
    ] as const) {
      createRunFolder(join(runs, name))
      const then = new Date(Date.now() - age * 60_000)
      utimesSync(join(runs, name), then, then)
    }
    expect(listRuns(runs).map(({ path }) => path)).toEqual(['b', 'c', 'a'].map((name) => join(runs, name)))
  })

  test('that are not there are none', () => {
    expect(listRuns(join(root, 'never'))).toEqual([])
  })

  test('are removed with all that is ours in them', () => {
    claimRun(folder)
    for (const name of ['journal.jsonl', 'acked.json', 'acked.json.77', 'run.json', 'settings.json', 'owner.9'])
      writeFileSync(join(folder.path, name), 'x')
    mkdirSync(join(folder.path, 'replacing'))
    expect(removeRunFolder(folder)).toBe(true)
    expect(existsSync(folder.path)).toBe(false)
    expect(removeRunFolder(folder)).toBe(true)
  })

  test('are not removed while a record is in the spool', () => {
    writeFileSync(folder.journal, 'x')
    writeFileSync(join(folder.spool, '1-1'), 'x')
    expect(removeRunFolder(folder)).toBe(false)
    expect(readdirSync(folder.path).sort()).toEqual(['journal.jsonl', 'spool'])
  })

  test('keep what is not ours', () => {
    for (const name of ['notes.txt', 'acked.json.old']) writeFileSync(join(folder.path, name), 'x')
    mkdirSync(join(folder.spool, 'a-folder'))
    writeFileSync(folder.journal, 'x')
    expect(removeRunFolder(folder)).toBe(true)
    expect(readdirSync(folder.path).sort()).toEqual(['acked.json.old', 'notes.txt', 'spool'])
  })

  test('are told from whatever else lies beside them', () => {
    const runs = join(root, 'mixed')
    createRunFolder(join(runs, 'claude-1'))
    mkdirSync(join(runs, 'somebody-else'))
    writeFileSync(join(runs, '.DS_Store'), 'x')
    expect(listRuns(runs).map(({ path }) => path)).toEqual([join(runs, 'claude-1')])
  })
})

describe('a small file', () => {
  test('is written whole or not at all, for its owner alone', () => {
    const path = join(folder.path, 'x.json')
    writeJsonFile(path, { a: 'é' })
    expect(readJsonFile(path)).toEqual({ a: 'é' })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(folder.path).filter((name) => name.startsWith('x.json'))).toEqual(['x.json'])
  })

  test('that is absent or broken holds nothing', () => {
    expect(readJsonFile(join(folder.path, 'none'))).toBeUndefined()
    writeFileSync(join(folder.path, 'half'), '{"a":')
    expect(readJsonFile(join(folder.path, 'half'))).toBeUndefined()
  })
})

describe('what a run says of itself', () => {
  test('is read back, and nothing of another version', () => {
    const context = { entry: run, env: { HOME: '/h' }, flags: { 'otel-endpoint': 'http://c' } }
    writeJsonFile(folder.context, context)
    expect(readRunContext(folder)).toEqual(context)
    writeJsonFile(folder.context, { ...context, entry: { ...run, v: 2 } })
    expect(readRunContext(folder)).toBeUndefined()
    writeFileSync(folder.context, '[]')
    expect(readRunContext(folder)).toBeUndefined()
  })
})

describe('the span-context file of a session', () => {
  const sessions = join(root, 'sessions')
  const context = (sessionId: string) =>
    ({
      v: 1,
      sessionId,
      conversationId: 'c',
      ref: { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 },
      startUnixMicro: 5,
    }) as const

  test('is read back by a later process', () => {
    writeSessionContext(sessions, context('8e81773f-71a1-4f64-ae8c-306fb2dd89aa'))
    const found = readSessionContext(sessions, '8e81773f-71a1-4f64-ae8c-306fb2dd89aa')
    expect(found).toEqual(context('8e81773f-71a1-4f64-ae8c-306fb2dd89aa'))
    expect(statSync(sessions).mode & 0o777).toBe(0o700)
  })

  test.each(['../../escaped', '/etc/passwd', '..', 'a\0b', '', 'C:\\x', 'x'.repeat(5000), 'é😀'])(
    'of id %j stays in its folder',
    (id) => {
      const before = readdirSync(root).sort()
      writeSessionContext(sessions, context(id))
      expect(readSessionContext(sessions, id)?.sessionId).toBe(id)
      expect(readdirSync(root).sort()).toEqual(before)
    },
  )

  test('that is absent, broken or of another version is none', () => {
    mkdirSync(sessions, { recursive: true })
    writeFileSync(join(sessions, 'broken.json'), '{')
    writeFileSync(join(sessions, 'future.json'), '{"v":2}')
    for (const id of ['absent', 'broken', 'future']) expect(readSessionContext(sessions, id)).toBeUndefined()
  })

  test('goes when nobody has touched it for long, and not before', () => {
    for (const id of ['old', 'new']) writeSessionContext(sessions, context(id))
    const then = new Date(Date.now() - 10_000)
    utimesSync(join(sessions, 'old.json'), then, then)
    pruneSessionContexts(sessions, 5000)
    expect(readSessionContext(sessions, 'old')).toBeUndefined()
    expect(readSessionContext(sessions, 'new')).toBeDefined()
    pruneSessionContexts(join(root, 'never'), 0)
  })
})
