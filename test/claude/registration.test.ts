/** How claude is told of our hooks without the user, or a program that reads claude's output, seeing anything of it. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

const register = (args: readonly string[]) => registerHooks(args, join(folder, 'plugin'), executable, folder)

type Hooks = Readonly<Record<string, readonly unknown[]>>

function settingsOf(args: readonly string[]): { readonly hooks: Hooks; readonly [key: string]: unknown } {
  const { file } = register(args)
  if (file === undefined) throw new Error('there are no settings')
  return file.settings as { hooks: Hooks }
}

describe('a session whose output is for people or is text', () => {
  test.each([[[]], [['-p', 'hi']], [['-p', '--output-format', 'json']], [['--', '--output-format', 'stream-json']]])(
    'gets the plugin folder before everything else: %j',
    (args: string[]) => {
      expect(register(args)).toEqual({ args: ['--plugin-dir', join(folder, 'plugin'), ...args] })
      expect(existsSync(join(folder, 'plugin/hooks/hooks.json'))).toBe(true)
    },
  )
})

describe('a session whose output tells of plugins', () => {
  const { SessionStart: _, ...expected } = hookRegistrations(executable)

  test('gets no plugin but settings of ours, without SessionStart', () => {
    const { args, file } = register(streaming)
    expect(args).toEqual(['--settings', join(folder, 'settings.json'), ...streaming])
    expect(file).toEqual({ path: join(folder, 'settings.json'), settings: { hooks: expected } })
    expect(existsSync(join(folder, 'plugin'))).toBe(false)
    expect(register(['--output-format=stream-json']).args[0]).toBe('--settings')
  })

  test('keeps the settings that the user gave, and the hooks in them, from a file or as text', () => {
    const mine = { hooks: { Stop: [{ hooks: [{ type: 'command', command: 'mine' }] }], Mine: [] }, model: 'opus' }
    const path = join(folder, 'mine.json')
    writeFileSync(path, JSON.stringify(mine))
    for (const given of [path, JSON.stringify(mine), `  ${JSON.stringify(mine)}`]) {
      const settings = settingsOf([...streaming, '--settings', given])
      expect(settings.model).toBe('opus')
      expect(settings.hooks.Stop).toEqual([...mine.hooks.Stop, ...(expected.Stop ?? [])])
      expect(settings.hooks).toHaveProperty('Mine')
      expect(Object.keys(settings.hooks)).toEqual(expect.arrayContaining(Object.keys(expected)))
    }
  })

  test('has one --settings, in the place of the user’s', () => {
    expect(register(['--settings', '{}', ...streaming]).args).toEqual([
      '--settings',
      join(folder, 'settings.json'),
      ...streaming,
    ])
  })

  test.each([
    ['a file that is not there', '/no/such/file'],
    ['broken JSON', '{"hooks":'],
    ['a list', '[]'],
  ])('leaves %s to claude, which says what is wrong', (_, given) => {
    const args = [...streaming, '--settings', given]
    expect(register(args)).toEqual({ args })
  })
})
