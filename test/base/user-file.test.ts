/** Files of the user's that we change: whole or not at all, with their rights, and not under somebody else's hands. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readUserFile, requireWritable, writeUserFile } from '../../src/base/user-file.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-user-file-'))
afterAll(() => rmSync(root, { recursive: true }))

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'home-'))
  path = join(folder, 'settings.json')
})

describe('a file of the user’s', () => {
  test('is written with the rights that it has, and made with those that are asked for', () => {
    writeUserFile(readUserFile(path), 'new', 0o600)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o664)
    writeUserFile(readUserFile(path), 'newer', 0o600)
    expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['newer', 0o664])
    expect(readdirSync(folder)).toEqual(['settings.json'])
  })

  test('is not written when somebody else has changed it, made it or taken it away since it was read', () => {
    const none = readUserFile(path)
    writeFileSync(path, 'theirs')
    expect(() => writeUserFile(none, 'ours')).toThrow('changed by somebody else')
    const file = readUserFile(path)
    writeFileSync(path, 'theirs, changed')
    expect(() => writeUserFile(file, 'ours')).toThrow('changed by somebody else')
    expect(readFileSync(path, 'utf8')).toBe('theirs, changed')
    rmSync(path)
    expect(() => writeUserFile(file, undefined)).toThrow('changed by somebody else')
  })

  test('stays as it is, and leaves no draft, when it cannot be written', () => {
    writeFileSync(path, 'before')
    const file = readUserFile(path)
    writeFileSync(join(folder, `.claude-otel-${process.pid}.draft`), 'of one that was killed')
    expect(() => writeUserFile(file, 'after')).toThrow('cannot be written')
    expect(readFileSync(path, 'utf8')).toBe('before')
    expect(readdirSync(folder)).toEqual(['settings.json'])
  })

  test('behind links is the file that they lead to', () => {
    const target = join(folder, 'target')
    writeFileSync(target, 'before')
    symlinkSync('target', join(folder, 'link'))
    symlinkSync('link', path)
    const file = readUserFile(path)
    expect(file).toEqual({ path, realPath: target, text: 'before' })
    writeUserFile(file, 'after')
    expect(readFileSync(target, 'utf8')).toBe('after')
  })

  test('that nobody may write is refused before', () => {
    writeFileSync(path, 'mine', { mode: 0o400 })
    expect(() => requireWritable(readUserFile(path))).toThrow('read-only')
    requireWritable(readUserFile(join(folder, 'none/yet')))
  })
})
