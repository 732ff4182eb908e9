/** Where our files are, and that nobody else may look into them. */
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configFilePath, resolveStatePaths } from '../../src/base/paths.ts'
import { ensurePrivateFolder, makePrivateFolder } from '../../src/base/private-folder.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-paths-'))
afterAll(() => rmSync(root, { recursive: true }))

describe('the state folder', () => {
  test('holds everything that we keep', () => {
    expect(resolveStatePaths({ CLAUDE_OTEL_HOME: '/x' })).toEqual({
      root: '/x',
      runs: '/x/runs',
      sessions: '/x/sessions',
      plugin: '/x/plugin',
      dropped: '/x/dropped.jsonl',
      signals: '/x/signals.jsonl',
      installations: '/x/installations',
      log: '/x/log',
      reports: '/x/reports.jsonl',
      hub: '/x/hub',
      hubPresence: '/x/hub/hub.json',
      hubLog: '/x/hub/log',
      hubStore: '/x/hub.db',
      presetsTold: '/x/presets-told',
    })
  })

  test('is nowhere without a home', () => {
    expect(resolveStatePaths({})).toBeUndefined()
  })
})

test('a relative state folder is one of the working directory', () => {
  expect(resolveStatePaths({ CLAUDE_OTEL_HOME: 'mine' })?.runs).toBe(join(process.cwd(), 'mine', 'runs'))
})

describe('the user’s settings file', () => {
  test.each([
    [{ CLAUDE_OTEL_HOME: '/x', XDG_CONFIG_HOME: '/c', HOME: '/h' }, '/x/config.json'],
    [{ XDG_CONFIG_HOME: '/c', HOME: '/h' }, '/c/claude-otel/config.json'],
    [{ XDG_CONFIG_HOME: 'relative', HOME: '/h' }, '/h/.config/claude-otel/config.json'],
    [{ HOME: '/h' }, '/h/.config/claude-otel/config.json'],
    [{}, undefined],
  ])('with %j is %p', (env, path) => {
    expect(configFilePath(env)).toBe(path)
  })
})

describe('a private folder', () => {
  test('is made with what is missing above it, for its owner alone', () => {
    const path = ensurePrivateFolder(join(root, 'a/b/c'))
    expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(statSync(join(root, 'a/b')).mode & 0o077).toBe(0)
  })

  test('that others could read is closed to them', () => {
    const path = join(root, 'open')
    mkdirSync(path)
    chmodSync(path, 0o755)
    ensurePrivateFolder(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test('of somebody else’s choice is made private, and left as it is where it was there', () => {
    const path = join(root, 'shared')
    mkdirSync(path)
    chmodSync(path, 0o1777)
    makePrivateFolder(path)
    expect(statSync(path).mode & 0o7777).toBe(0o1777)
    expect(statSync(makePrivateFolder(join(path, 'new'))).mode & 0o777).toBe(0o700)
  })
})
