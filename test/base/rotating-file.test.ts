/** A file that is held to a size, by one process and by several. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { appendRotating, rotatedPaths } from '../../src/base/rotating-file.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-rotating-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
const newPath = (): string => join(mkdtempSync(join(root, `case-${count++}-`)), 'file')
const linesOf = (path: string): string[] => readFileSync(path, 'utf8').trimEnd().split('\n')

describe('a file that is held to a size', () => {
  test('becomes the old one when it has grown beyond it, and the older one goes', () => {
    const path = newPath()
    for (let line = 0; line < 10; line++) appendRotating(path, `${line}\n`, 6)
    expect(readdirSync(join(path, '..')).sort()).toEqual(['file', 'file.1'])
    expect(rotatedPaths(path).map(linesOf)).toEqual([['6', '7', '8'], ['9']])
    for (const each of rotatedPaths(path)) expect(statSync(each).mode & 0o777).toBe(0o600)
  })

  test('takes what was put back by a process that came too late to rotate', () => {
    const path = newPath()
    appendRotating(path, 'a\n', 100)
    appendRotating(path, 'b\n', 2)
    appendRotating(path, 'c\n', 100)
    expect(rotatedPaths(path).map(linesOf)).toEqual([['a'], ['b', 'c']])
  })

  test('that cannot be written is told so', () => {
    expect(() => appendRotating(join(root, 'no/such/folder'), 'x\n', 1)).toThrow()
  })

  test('has every line of several processes that write at once', async () => {
    const path = newPath()
    const source = JSON.stringify(join(import.meta.dir, '../../src/base/rotating-file.ts'))
    const script = `import { appendRotating } from ${source}
      for (let line = 0; line < 400; line++) appendRotating(${JSON.stringify(path)}, process.argv[1] + ' ' + line + '\\n', 6000)`
    const children = ['a', 'b', 'c', 'd'].map((name) => Bun.spawn([process.execPath, '-e', script, name]))
    expect(await Promise.all(children.map(({ exited }) => exited))).toEqual([0, 0, 0, 0])
    expect(readdirSync(join(path, '..')).sort()).toEqual(['file', 'file.1'])
    const lines = rotatedPaths(path).flatMap(linesOf)
    // 1600 lines of 4 to 6 bytes: not more than once is the size reached.
    expect(new Set(lines).size).toBe(1600)
    expect(lines.length).toBe(1600)
  })
})
