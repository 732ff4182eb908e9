/** How claude is told of our hooks without the user, or a program that reads claude's output, seeing anything of it. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hookRegistrations } from '../../src/claude/plugin.ts'
import { registerHooks } from '../../src/claude/registration.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-registration-'))
afterAll(() => rmSync(root, { recursive: true }))

const executable = '/opt/claude-otel'
const streaming = ['-p', '--output-format', 'stream-json', '--verbose']
let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'))
})

const register = (args: readonly string[]) =>
  registerHooks({ args, plugin: join(folder, 'plugin'), executable, folder })

type Hooks = Readonly<Record<string, readonly unknown[]>>

interface Settings {
  readonly hooks: Hooks
  readonly [key: string]: unknown
}

async function settingsOf(args: readonly string[]): Promise<Settings> {
  await register(args)
  return JSON.parse(readFileSync(join(folder, 'settings.json'), 'utf8')) as Settings
}

describe('a session whose output is for people or is text', () => {
  test.each([[[]], [['-p', 'hi']], [['-p', '--output-format', 'json']], [['--', '--output-format', 'stream-json']]])(
    'gets the plugin folder before everything else: %j',
    async (args: string[]) => {
      expect(await register(args)).toEqual(['--plugin-dir', join(folder, 'plugin'), ...args])
      expect(existsSync(join(folder, 'plugin/hooks/hooks.json'))).toBe(true)
    },
  )
})

describe('a session whose output tells of plugins', () => {
  const { SessionStart: _, ...expected } = hookRegistrations(executable)

  test('gets no plugin but settings of ours, without SessionStart', async () => {
    expect(await register(streaming)).toEqual(['--settings', join(folder, 'settings.json'), ...streaming])
    expect(await settingsOf(streaming)).toEqual({ hooks: expected })
    expect(statSync(join(folder, 'settings.json')).mode & 0o777).toBe(0o600)
    expect(existsSync(join(folder, 'plugin'))).toBe(false)
    expect((await register(['--output-format=stream-json']))[0]).toBe('--settings')
  })

  test('keeps the settings that the user gave, and the hooks in them, from a file or as text', async () => {
    const mine = { hooks: { Stop: [{ hooks: [{ type: 'command', command: 'mine' }] }], Mine: [] }, model: 'opus' }
    const path = join(folder, 'mine.json')
    writeFileSync(path, JSON.stringify(mine))
    for (const given of [path, JSON.stringify(mine), `  ${JSON.stringify(mine)}`]) {
      const settings = await settingsOf([...streaming, '--settings', given])
      expect(settings.model).toBe('opus')
      expect(settings.hooks.Stop).toEqual([...mine.hooks.Stop, ...(expected.Stop ?? [])])
      expect(settings.hooks).toHaveProperty('Mine')
      expect(Object.keys(settings.hooks)).toEqual(expect.arrayContaining(Object.keys(expected)))
    }
  })

  test('has one --settings, in the place of the user’s', async () => {
    expect(await register(['--settings', '{}', ...streaming])).toEqual([
      '--settings',
      join(folder, 'settings.json'),
      ...streaming,
    ])
  })

  test.each([
    ['a file that is not there', '/no/such/file'],
    ['broken JSON', '{"hooks":'],
    ['a list', '[]'],
  ])('leaves %s to claude, which says what is wrong', async (_, given) => {
    const args = [...streaming, '--settings', given]
    expect(await register(args)).toEqual(args)
  })
})
