/** Diagnostics: lines in a private file, and never a reason to fail. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../../src/base/log.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-log-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('the log', () => {
  test('has a line for each message, with time and process, for its owner alone', () => {
    const path = join(root, 'log')
    for (const message of ['one', 'naïve']) createLog(path)(message)
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => line.split(' ').slice(1).join(' '))).toEqual([
      `${process.pid} one`,
      `${process.pid} naïve`,
    ])
    for (const line of lines) expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('that cannot be written is no trouble', () => {
    expect(() => createLog(join(root, 'no/such/folder/log'))('lost')).not.toThrow()
  })
})
