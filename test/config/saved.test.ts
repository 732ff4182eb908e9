/** Settings of flags and environment written into the user's file: read from there they say the same. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '../../src/config/config.ts'
import { readConfigFile } from '../../src/config/file.ts'
import { planSettings } from '../../src/config/saved.ts'
import { givenOutside } from '../../src/config/values.ts'
import { detectorNames } from '../../src/telemetry/detectors.ts'
import { compilePattern } from '../../src/telemetry/user-patterns.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-saved-'))
afterAll(() => rmSync(root, { recursive: true }))

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(root, 'home-')), 'deep/config.json')
})

/** A value of every kind, and every group that is also a setting. */
const env = {
  OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.com:4318',
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://traces.example.com/v1/traces',
  OTEL_EXPORTER_OTLP_PROTOCOL: 'HTTP/JSON',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x%2Cy,x-team=a%3Db',
  OTEL_EXPORTER_OTLP_TIMEOUT: '1234',
  OTEL_SERVICE_NAME: 'mine',
  OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test,team=%C3%B6',
  OTEL_TRACES_EXPORTER: 'otlp,file',
  OTEL_TRACES_SAMPLER: 'traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.25',
  OTEL_BSP_MAX_QUEUE_SIZE: '77',
  CLAUDE_OTEL_DEBUG: 'on',
  CLAUDE_OTEL_CONTENT: 'all',
  CLAUDE_OTEL_STORAGE_SIZE: '1GB',
  CLAUDE_OTEL_STORAGE_AGE: '3d',
  CLAUDE_OTEL_HUB_TOKEN: 'not-a-secret',
  CLAUDE_OTEL_REDACT_PATTERNS: '[{"name": "badge", "pattern": "B-[0-9]+"}]',
  CLAUDE_OTEL_REDACT_ALLOW: '["B-1"]',
  CLAUDE_OTEL_GUARD: '[{"on": "context", "above": "80%", "do": {"notify": true}}]',
  CLAUDE_OTEL_GUARD_COST: '5',
}

const masking = { compilePattern, kinds: detectorNames }

function save(variables: Readonly<Record<string, string>>, flags: Readonly<Record<string, string | true>> = {}): void {
  planSettings(path, givenOutside({ env: variables, flags })).carryOut()
}

/** Without the origins of values, which differ. */
function shown(sources: Parameters<typeof resolveConfig>[0]): Record<string, string> {
  const { settings } = resolveConfig({ ...sources, masking })
  return Object.fromEntries(settings.map((setting) => [setting.key, setting.shown]))
}

describe('settings that are saved', () => {
  test('say the same when they are read from the file', () => {
    save(env, { 'otel-preview-length': '12', 'otel-insecure': true })
    const file = readConfigFile(path)
    const flags = { 'otel-preview-length': '12', 'otel-insecure': true } as const
    const [saved, meant] = [
      { env: {}, file, masking },
      { env, flags, masking },
    ].map(resolveConfig)
    expect(saved?.problems.map(({ message }) => message.replace(/ \(from [^)]*\)+/g, ''))).toEqual(
      meant?.problems.map(({ message }) => message.replace(/ \(from [^)]*\)+/g, '')) as never,
    )
    expect(shown({ env: {}, file })).toEqual(shown({ env, flags }))
    expect(saved?.config.redaction.allow).toEqual(meant?.config.redaction.allow as never)
    expect(saved?.config.signals.logs).toEqual(meant?.config.signals.logs as never)
  })

  test('lie in a file of the user’s alone, beside what is there', () => {
    save({ OTEL_SERVICE_NAME: 'mine' })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    writeFileSync(path, '{\n  // of mine\n  "export.endpoint": "http://old:4317",\n  "debug": true\n}\n')
    save({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://new:4317', OTEL_EXPORTER_OTLP_TIMEOUT: '5' })
    expect(readFileSync(path, 'utf8')).toBe(`{
  // of mine
  "export.endpoint": "http://new:4317",
  "debug": true,
  "export": {
    "timeout": "5"
  }
}
`)
  })

  test('are not written where there is no place for them, or nothing can be read', () => {
    save({ OTEL_SERVICE_NAME: 'mine' })
    for (const [text, words] of [
      ['{"export": "http://x"}', 'has no place for export.endpoint'],
      ['{"a" 1}', 'is not JSON: line 1: colon expected'],
      ['[]', 'is not a JSON object'],
    ] as const) {
      writeFileSync(path, text)
      expect(() => save({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x' })).toThrow(words)
      expect(readFileSync(path, 'utf8')).toBe(text)
    }
  })
})
