/** The settings of content and masking, from every source, and what is said of those that are wrong. */
import { describe, expect, test } from 'bun:test'
import { renderConfig } from '../../src/commands/config.ts'
import { capturedContent, type Environment, resolveConfig } from '../../src/config/config.ts'
import { resolveSettings } from '../../src/run/settings.ts'
import { detectorNames } from '../../src/telemetry/detectors.ts'
import { createRedactor } from '../../src/telemetry/redact.ts'
import { compilePattern } from '../../src/telemetry/user-patterns.ts'

const resolve = (env: Environment, content: Readonly<Record<string, unknown>> = {}) =>
  resolveConfig({
    env,
    file: { path: '/home/dev/config.json', content, problems: [] },
    masking: { compilePattern, kinds: detectorNames },
  })

const told = (env: Environment, content: Readonly<Record<string, unknown>> = {}) =>
  resolve(env, content).problems.map(({ message, hint }) => `${message} | ${hint}`)

describe('content', () => {
  test('is previews of 256 characters until somebody wants more', () => {
    expect(resolve({}).config.content).toEqual({ previewLength: 256, whole: [], wholeLength: 60_000 })
  })

  test('is opted in by name, in the environment and in the file', () => {
    const env = { CLAUDE_OTEL_CONTENT: 'prompt.preview, tool.input.command', CLAUDE_OTEL_CONTENT_LENGTH: '1000' }
    const expected = { previewLength: 256, whole: ['prompt.preview', 'tool.input.command'], wholeLength: 1000 }
    expect(resolve(env).config.content).toEqual(expected)
    const content = { content: ['tool.response.*'], previewLength: 0 }
    expect(resolve({}, content).config.content).toMatchObject({ previewLength: 0, whole: ['tool.response.*'] })
  })

  test('of a name that is none is told with what was meant', () => {
    const [problem] = told({ CLAUDE_OTEL_CONTENT: 'prompt.previw' })
    expect(problem).toContain('content is "prompt.previw" (from CLAUDE_OTEL_CONTENT)')
    expect(problem).toContain('did you mean prompt.preview')
    expect(told({ CLAUDE_OTEL_CONTENT: 'tool.name' })).toHaveLength(1)
  })

  test('of a destination is its own, and the widest is what is kept', () => {
    const destinations = [
      { name: 'team', endpoint: 'http://localhost:4317', previewLength: 0 },
      { name: 'mine', endpoint: 'http://localhost:4319', content: 'all', contentLength: 9000 },
      { name: 'other', endpoint: 'http://localhost:4320' },
    ]
    const { config, problems } = resolve({}, { destinations })
    expect(problems).toEqual([])
    expect(config.signals.traces.destinations.map(({ content }) => content)).toEqual([
      { previewLength: 0, whole: [], wholeLength: 60_000 },
      { previewLength: 256, whole: ['all'], wholeLength: 9000 },
      { previewLength: 256, whole: [], wholeLength: 60_000 },
    ])
    expect(capturedContent(config)).toEqual({ previewLength: 256, whole: ['all'], wholeLength: 60_000 })
  })
})

describe('masking', () => {
  test('takes one pattern, or a list of patterns with and without names', () => {
    const masked = (value: string) =>
      createRedactor(resolve({ CLAUDE_OTEL_REDACT_PATTERNS: value }).config.redaction).redact('ACME-1')
    expect(masked('ACME-\\d')).toBe('[REDACTED:custom]')
    expect(masked('[A-Z]+-\\d')).toBe('[REDACTED:custom]')
    expect(masked('["x", {"name": "acme", "pattern": "ACME-\\\\d"}]')).toBe('[REDACTED:acme]')
    const file = resolve(
      {},
      { redact: { patterns: [{ name: 'acme', pattern: 'ACME' }], allow: ['ACME-1'], off: ['jwt'] } },
    )
    expect(file.problems).toEqual([])
    expect(createRedactor(file.config.redaction).redact('ACME-1 ACME-2')).toBe('ACME-1 [REDACTED:acme]-2')
    expect(file.config.redaction.off).toEqual(['jwt'])
  })

  test('refuses a pattern that the engine cannot run, and says which, from where and why', () => {
    const [problem] = told({ CLAUDE_OTEL_REDACT_PATTERNS: '(?=x)y' })
    expect(problem).toContain('redact.patterns has "(?=x)y" (from CLAUDE_OTEL_REDACT_PATTERNS): ')
    expect(problem).toContain('no look-around')
    expect(told({}, { redact: { patterns: ['[a-'] } })[0]).toContain('from /home/dev/config.json (redact.patterns)')
  })

  test.each([
    ['an unknown kind', { CLAUDE_OTEL_REDACT_OFF: 'jwtt' }, 'did you mean jwt?'],
    ['a list that is no JSON', { CLAUDE_OTEL_REDACT_PATTERNS: '["a"' }, 'JSON list'],
    ['a name with blanks', { CLAUDE_OTEL_REDACT_PATTERNS: '[{"name": "a b", "pattern": "x"}]' }, 'JSON list'],
  ])('tells %s', (_, env, hint) => {
    expect(told(env)[0]).toContain(hint)
  })

  test('that cannot be done as asked keeps no content at all, for no destination', () => {
    const destinations = [{ endpoint: 'http://localhost:4317', content: 'all' }]
    for (const patterns of ['(?=x)', '["a"']) {
      const { config } = resolve(
        { CLAUDE_OTEL_REDACT_PATTERNS: patterns, CLAUDE_OTEL_CONTENT: 'all' },
        { destinations },
      )
      expect(capturedContent(config)).toEqual({ previewLength: 0, whole: [], wholeLength: 0 })
    }
  })

  test('without an engine at hand counts as wrong', () => {
    expect(resolveConfig({ env: { CLAUDE_OTEL_REDACT_PATTERNS: 'x' } }).problems).toHaveLength(1)
    expect(resolveConfig({ env: { CLAUDE_OTEL_REDACT_OFF: 'jwt' } }).problems).toHaveLength(1)
  })

  test('has its engine loaded where there are patterns', async () => {
    const { config, problems } = await resolveSettings({ CLAUDE_OTEL_REDACT_PATTERNS: 'ACME' }, {})
    expect(problems).toEqual([])
    expect(createRedactor(config.redaction).redact('ACME')).toBe('[REDACTED:custom]')
  })

  test('shows neither patterns nor allowed texts in --config', () => {
    const shown = renderConfig(
      resolve({ CLAUDE_OTEL_REDACT_PATTERNS: 'swordfish', CLAUDE_OTEL_REDACT_ALLOW: '["hunter2","x"]' }),
    )
    expect(shown).not.toContain('swordfish')
    expect(shown).not.toContain('hunter2')
    expect(shown).toContain('1 pattern')
    expect(shown).toContain('2 texts')
  })
})
