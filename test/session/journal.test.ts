/** The journal after every kind of death of its writer. */
import { afterAll, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../src/session/entries.ts'
import { openJournal } from '../../src/session/journal.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-journal-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
const newPath = (): string => join(root, `${count++}.jsonl`)

const run: Entry = {
  k: 'run',
  v: 1,
  at: 1,
  runId: 'r',
  resource: { 'host.name': 'bücher' },
  sampler: { kind: 'always_on', parentBased: true, ratio: 1 },
}
const entries: Entry[] = [
  run,
  { k: 'broken', at: 2, from: '2-1', reason: 'two\nlines, and “quotes” 😀', bytes: 3 },
  { k: 'repository', at: 3, session: 's', attributes: { 'vcs.ref.head.name': 'main' } },
  { k: 'exit', at: 4, pid: 42, code: 0 },
]

function write(path: string, told: readonly Entry[]): void {
  const journal = openJournal(path)
  journal.append(told)
  journal.close()
}

function read(path: string): readonly Entry[] {
  const journal = openJournal(path)
  const all = [...journal.read()]
  journal.close()
  return all
}

describe('a journal', () => {
  test('gives back what was appended, over several lives', () => {
    const path = newPath()
    for (const entry of entries) write(path, [entry])
    expect(read(path)).toEqual(entries)
  })

  test('is for its owner alone', () => {
    const path = newPath()
    write(path, entries)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('that is new is empty', () => {
    expect(read(newPath())).toEqual([])
  })

  test('cut at every byte opens with exactly its whole lines and goes on from there', () => {
    const path = newPath()
    write(path, entries)
    const whole = readFileSync(path)
    for (let length = 0; length <= whole.length; length++) {
      const part = whole.subarray(0, length)
      const lines = part.filter((byte) => byte === 0x0a).length
      writeFileSync(path, part)
      expect(read(path)).toEqual(entries.slice(0, lines))
      write(path, entries)
      expect(read(path)).toEqual([...entries.slice(0, lines), ...entries])
    }
  })

  test('takes an append of many megabytes whole', () => {
    const path = newPath()
    const big: Entry[] = Array.from({ length: 8 }, (_, index) => ({
      k: 'broken',
      at: index,
      from: 'x',
      reason: 'é'.repeat(1 << 20),
      bytes: 1,
    }))
    write(path, big)
    expect(read(path)).toEqual(big)
  })
})

describe('a journal that is not ours to read', () => {
  test('of another version is refused with file and line', () => {
    const path = newPath()
    write(path, [{ k: 'exit', at: 1, pid: 1 }])
    appendFileSync(path, `${JSON.stringify({ ...run, v: 2 })}\n`)
    expect(() => read(path)).toThrow(`${path}:2 is not a journal entry: version 2 is not known here`)
  })

  test('with a line that is no JSON is refused with file and line', () => {
    const path = newPath()
    write(path, entries)
    appendFileSync(path, '{"k":\n')
    expect(() => read(path)).toThrow(`${path}:5 is not a journal entry`)
  })
})

/** RLIMIT_FSIZE is a full disk that can be emptied from outside. */
describe.skipIf(process.platform !== 'linux')('a journal on a disk that was full for a while', () => {
  test('can be read, and has what was appended before and after, each once', async () => {
    const path = newPath()
    const script = newPath().replace('.jsonl', '.ts')
    writeFileSync(
      script,
      `import { openJournal } from ${JSON.stringify(join(import.meta.dir, '../../src/session/journal.ts'))}
       const entry = (at: number) => ({ k: 'broken', at, from: 'x', reason: 'y'.repeat(1500), bytes: 1 }) as const
       const journal = openJournal(${JSON.stringify(path)})
       journal.append([entry(1)])
       const more = [entry(2), entry(3), entry(4)]
       try { journal.append(more); console.log('not full') } catch { console.log('full') }
       await Bun.stdin.text()
       journal.append(more)
       journal.close()`,
    )
    const command = `trap '' XFSZ; exec "$0" "$1"`
    const child = Bun.spawn(['prlimit', '--fsize=4096:unlimited', 'sh', '-c', command, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const { value } = await child.stdout.getReader().read()
    expect(new TextDecoder().decode(value)).toBe('full\n')
    expect(Bun.spawnSync(['prlimit', `--pid=${child.pid}`, '--fsize=unlimited']).exitCode).toBe(0)
    child.stdin.end()
    expect(await child.exited).toBe(0)
    expect(read(path).map(({ at }) => at)).toEqual([1, 2, 3, 4])
  })
})
