/** Where Claude Code's settings say where its telemetry goes. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { settingsTellOfTelemetry } from '../../src/claude/settings-telemetry.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-settings-'))
afterAll(() => rmSync(root, { recursive: true }))

const telling = JSON.stringify({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example' } })

/** A home with a project in it and one file with these words. */
function place(path: string, words: string) {
  const home = mkdtempSync(join(root, 'home-'))
  const file = join(home, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, words)
  return { home, cwd: join(home, 'project'), file }
}

describe('settings of Claude Code', () => {
  test.each([
    '.claude/settings.json',
    '.claude/remote-settings.json',
    'project/.claude/settings.json',
    'project/.claude/settings.local.json',
  ])('tell of telemetry in %s', async (path) => {
    const { home, cwd } = place(path, telling)
    expect(await settingsTellOfTelemetry([], { HOME: home }, cwd)).toBe(true)
    expect(await settingsTellOfTelemetry([], { HOME: root }, root)).toBe(false)
  })

  test('are where CLAUDE_CONFIG_DIR says', async () => {
    const { home, cwd } = place('other/settings.json', telling)
    expect(await settingsTellOfTelemetry([], { HOME: home, CLAUDE_CONFIG_DIR: join(home, 'other') }, cwd)).toBe(true)
    expect(await settingsTellOfTelemetry([], { HOME: home }, cwd)).toBe(false)
  })

  test('tell of it on the command line, as a file or as JSON', async () => {
    const { file } = place('mine.json', telling)
    for (const given of [file, telling])
      for (const args of [['--settings', given], [`--settings=${given}`], ['-p', '--managed-settings', given]])
        expect(await settingsTellOfTelemetry(args, {}, root)).toBe(true)
    expect(await settingsTellOfTelemetry(['--settings', '{}', '-p', telling], {}, root)).toBe(false)
  })

  test.each([
    ['{"env":{"CLAUDE_CODE_ENABLE_TELEMETRY":"1"}}', true],
    ['{"env":{"OTEL_METRICS_EXPORTER":"otlp"}}', true],
    ['{"env":{"OTEL_EXPORTER_OTLP_HEADERS":"a=b"}}', true],
    ['{"otelHeadersHelper":"/bin/headers"}', true],
    ['{ broken "OTEL_LOGS_EXPORTER"', true],
    ['{"env":{"OTEL_LOG_USER_PROMPTS":"1","CLAUDE_OTEL_DEBUG":"1"}}', false],
    ['', false],
  ])('of %s: %p', async (words, tells) => {
    const { home, cwd } = place('.claude/settings.json', words)
    expect(await settingsTellOfTelemetry([], { HOME: home }, cwd)).toBe(tells)
  })
})
