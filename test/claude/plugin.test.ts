/** The plugin folder: the shape that was measured to run our hooks, and nothing written that is there already. */
import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePlugin, hookRegistrations } from '../../src/claude/plugin.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-plugin-'))
afterAll(() => rmSync(root, { recursive: true }))

const executable = '/opt/my tools/claude-otel'
const registrations = hookRegistrations(executable) as Record<string, unknown>

describe('the hooks of the plugin', () => {
  test('are called directly, without a shell, with the name of their event', () => {
    for (const [event, registered] of Object.entries(registrations)) {
      const [group] = registered as [{ hooks: [Record<string, unknown>] }]
      expect(Object.keys(group)).toEqual(['hooks'])
      expect(group.hooks).toHaveLength(1)
      expect(group.hooks[0]).toMatchObject({ type: 'command', command: executable, args: ['hook', event], timeout: 10 })
    }
  })

  test('hold claude up only where something bigger than a call begins or ends, or a person is asked', () => {
    const held = Object.entries(registrations).filter(([, registered]) => !JSON.stringify(registered).includes('async'))
    expect(held.map(([event]) => event).sort()).toEqual([
      'PermissionRequest',
      'SessionEnd',
      'SessionStart',
      'Stop',
      'StopFailure',
      'UserPromptSubmit',
    ])
  })

  test('are the events that carry meaning', () => {
    expect(Object.keys(registrations).sort()).toEqual([
      'Notification',
      'PermissionDenied',
      'PermissionRequest',
      'PostModelSwitch',
      'PostToolUse',
      'PostToolUseFailure',
      'PreToolUse',
      'SessionEnd',
      'SessionStart',
      'Stop',
      'StopFailure',
      'SubagentStart',
      'SubagentStop',
      'UserPromptSubmit',
    ])
  })

  test.each(['WorktreeCreate', 'WorktreeRemove', 'PreCompact', 'PostCompact'])(
    'are never %s, where a silent hook changes what the user sees',
    (event) => {
      expect(registrations).not.toHaveProperty(event)
    },
  )
})

describe('the plugin folder', () => {
  const folder = join(root, 'plugin')
  const files = ['.claude-plugin/plugin.json', 'hooks/hooks.json'].map((name) => join(folder, name))
  const long = new Date('2020-01-01')
  const changed = (): string[] => files.filter((path) => statSync(path).mtimeMs !== long.getTime())

  test('has a manifest and the hooks, for nobody else to read', () => {
    ensurePlugin(folder, executable)
    const [manifest, hooks] = files.map((path) => JSON.parse(readFileSync(path, 'utf8')))
    expect(manifest.name).toBe('claude-otel')
    expect(hooks).toEqual({ hooks: registrations })
    for (const path of files) expect(statSync(path).mode & 0o777).toBe(0o600)
    for (const path of [folder, join(folder, 'hooks')]) expect(statSync(path).mode & 0o777).toBe(0o700)
  })

  test('is left alone when it is right', () => {
    for (const path of files) utimesSync(path, long, long)
    ensurePlugin(folder, executable)
    expect(changed()).toEqual([])
  })

  test('is written again where it differs, and only there', () => {
    for (const path of files) utimesSync(path, long, long)
    ensurePlugin(folder, '/elsewhere/claude-otel')
    expect(changed()).toEqual([join(folder, 'hooks/hooks.json')])
    expect(readFileSync(join(folder, 'hooks/hooks.json'), 'utf8')).toContain('"/elsewhere/claude-otel"')
  })

  test('is mended when a file in it is broken', () => {
    writeFileSync(join(folder, 'hooks/hooks.json'), '{"hooks": {')
    ensurePlugin(folder, executable)
    expect(JSON.parse(readFileSync(join(folder, 'hooks/hooks.json'), 'utf8'))).toEqual({ hooks: registrations })
  })

  test('keeps no drafts', () => {
    expect(existsSync(join(folder, `hooks/hooks.json.${process.pid}`))).toBe(false)
  })
})
