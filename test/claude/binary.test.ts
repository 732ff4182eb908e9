/** Which claude is run: real files, links and permissions. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Failure } from '../../src/base/errors.ts'
import { findClaude } from '../../src/claude/binary.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-binary-'))
afterAll(() => rmSync(root, { recursive: true }))

let place = 0
let folder = ''
let self = ''

beforeEach(() => {
  folder = join(root, String(place++))
  self = program('own/claude-otel', 0o755, 'a binary of a size that nothing else has')
})

function program(path: string, mode = 0o755, content = '#!/bin/sh\n'): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, content)
  chmodSync(full, mode)
  return full
}

function link(target: string, path: string): string {
  const full = join(folder, path)
  mkdirSync(dirname(full), { recursive: true })
  symlinkSync(target, full)
  return full
}

function failureOf(find: () => string): Failure {
  try {
    find()
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error('it was found')
}

/** The folders that the search ends with are the machine's own: nothing of ours may be found before them. */
const isOnMachine = ['/usr/local/bin/claude', '/opt/homebrew/bin/claude', '/usr/bin/claude'].some(
  (path) => Bun.file(path).size > 0,
)

describe('CLAUDE_BIN', () => {
  test('is the claude that is run, whatever PATH has', () => {
    const named = program('elsewhere/my-claude')
    expect(findClaude({ CLAUDE_BIN: named, PATH: dirname(program('bin/claude')) }, self)).toBe(named)
  })

  test('as a bare word is looked for on PATH', () => {
    const named = program('bin/claude-next')
    expect(findClaude({ CLAUDE_BIN: 'claude-next', PATH: `/nowhere:${dirname(named)}` }, self)).toBe(named)
  })

  test('that is not there is told as not found, with its value', () => {
    const failure = failureOf(() => findClaude({ CLAUDE_BIN: join(folder, 'none'), PATH: '' }, self))
    expect(failure.kind).toBe('notFound')
    expect(failure.message).toContain(`CLAUDE_BIN is "${join(folder, 'none')}"`)
  })

  test('that is a folder is told as not found', () => {
    expect(failureOf(() => findClaude({ CLAUDE_BIN: folder }, self)).kind).toBe('notFound')
  })

  test('that cannot be executed is told as such', () => {
    const named = program('plain', 0o644)
    expect(failureOf(() => findClaude({ CLAUDE_BIN: named }, self)).kind).toBe('notExecutable')
  })

  test('that is this program, or a link to it, is refused', () => {
    expect(failureOf(() => findClaude({ CLAUDE_BIN: self }, self)).message).toContain('claude-otel itself')
    const linked = link(self, 'links/claude')
    expect(failureOf(() => findClaude({ CLAUDE_BIN: linked }, self)).kind).toBe('notFound')
  })

  test('that is empty counts as not set', () => {
    const found = program('bin/claude')
    expect(findClaude({ CLAUDE_BIN: '', PATH: dirname(found) }, self)).toBe(found)
  })
})

describe('without CLAUDE_BIN', () => {
  test('the first claude on PATH is run', () => {
    const [first, second] = [program('a/claude'), program('b/claude')]
    expect(findClaude({ PATH: `${dirname(first)}:${dirname(second)}` }, self)).toBe(first)
    expect(findClaude({ PATH: `${dirname(second)}:${dirname(first)}` }, self)).toBe(second)
  })

  test('a claude on PATH that is a link to this program, or a link to such a link, is passed over', () => {
    const direct = link(self, 'a/claude')
    const indirect = link(direct, 'b/claude')
    const real = program('c/claude')
    const PATH = [direct, indirect, real].map((path) => dirname(path)).join(':')
    expect(findClaude({ PATH }, link(self, 'started/as'))).toBe(real)
  })

  test('a hard link to this program, or a copy of it, is passed over', () => {
    for (const name of ['a', 'b']) mkdirSync(join(folder, name))
    linkSync(self, join(folder, 'a/claude'))
    copyFileSync(self, join(folder, 'b/claude'))
    const real = program('c/claude')
    expect(findClaude({ PATH: ['a', 'b', 'c'].map((name) => join(folder, name)).join(':') }, self)).toBe(real)
  })

  test('what is no program on PATH is passed over', () => {
    program('a/claude', 0o644)
    mkdirSync(join(folder, 'b/claude'), { recursive: true })
    link(join(folder, 'gone'), 'c/claude')
    const real = program('d/claude')
    expect(findClaude({ PATH: ['', 'a', 'b', 'c', 'd'].map((name) => join(folder, name)).join(':') }, self)).toBe(real)
  })

  test('an empty part of PATH is not the working directory', () => {
    const real = program('bin/claude')
    expect(findClaude({ PATH: `::${dirname(real)}:` }, self)).toBe(real)
  })

  test('the usual places of installers below the home folder come after PATH', () => {
    const installed = program('home/.local/bin/claude')
    expect(findClaude({ PATH: '/nowhere', HOME: join(folder, 'home') }, self)).toBe(installed)
    const onPath = program('bin/claude')
    expect(findClaude({ PATH: dirname(onPath), HOME: join(folder, 'home') }, self)).toBe(onPath)
  })

  test('nothing anywhere is told with what to do about it, as the shell’s 127', () => {
    if (isOnMachine) expect(findClaude({ PATH: '' }, self)).toStartWith('/')
    else {
      const failure = failureOf(() => findClaude({ PATH: '/nowhere', HOME: join(folder, 'empty') }, self))
      expect(failure.kind).toBe('notFound')
      expect(failure.hint).toContain('CLAUDE_BIN')
    }
  })
})
