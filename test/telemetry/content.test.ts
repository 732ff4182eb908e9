/** What a rule lets pass of content, and what of a signal leaves to a destination. */
import { describe, expect, test } from 'bun:test'
import {
  applyContentRule,
  type ContentRule,
  defaultContent,
  limitOf,
  narrowerRule,
  widestRule,
} from '../../src/telemetry/content.ts'
import type { LogSignal, MetricSignal, SpanSignal } from '../../src/telemetry/signal.ts'

const ref = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
const previews = (previewLength: number): ContentRule => ({ ...defaultContent, previewLength })
const whole = (...names: string[]): ContentRule => ({ previewLength: 5, whole: names, wholeLength: 1000 })
const none: ContentRule = { previewLength: 0, whole: [], wholeLength: 0 }

const span = (attributes: SpanSignal['attributes'], more: Partial<SpanSignal> = {}): SpanSignal => ({
  kind: 'span',
  ref,
  name: 'execute_tool Bash',
  spanKind: 'internal',
  startUnixMicro: 1,
  endUnixMicro: 2,
  attributes,
  events: [],
  links: [],
  ...more,
})

const log = (eventName: string, body: string, attributes: LogSignal['attributes']): LogSignal => ({
  kind: 'log',
  eventName,
  body,
  severity: 'info',
  timeUnixMicro: 1,
  ref,
  attributes,
})

describe('the limit of an attribute', () => {
  test.each([
    ['prompt.preview', whole(), 5],
    ['prompt.preview', whole('prompt.preview'), 1000],
    ['prompt.preview', whole('all'), 1000],
    ['tool.input.command', whole('tool.input.*'), 1000],
    ['tool.input.command', whole('tool.input.command'), 1000],
    ['tool.input.path', whole('tool.input.command'), 5],
    ['tool.response.stdout', whole('tool.input.*'), 5],
    ['tool.error', whole('error.message'), 1000],
    ['tool.name', none, Number.POSITIVE_INFINITY],
    ['prompt.preview', none, 0],
    // Whole is never less than a preview.
    ['prompt.preview', { previewLength: 500, whole: ['all'], wholeLength: 10 }, 500],
  ] as const)('%s', (attribute, rule, limit) => {
    expect(limitOf(rule, attribute)).toBe(limit)
  })
})

describe('of several rules', () => {
  test('the widest lets pass what any lets pass', () => {
    const rules = [
      whole('prompt.preview'),
      previews(300),
      { previewLength: 1, whole: ['tool.input.*'], wholeLength: 7 },
    ]
    const widest = widestRule(rules)
    for (const name of ['prompt.preview', 'tool.input.command', 'error.message']) {
      for (const rule of rules) expect(limitOf(widest, name)).toBeGreaterThanOrEqual(limitOf(rule, name))
    }
    expect(limitOf(widestRule([]), 'prompt.preview')).toBe(0)
  })

  test('the narrower of two lets pass what both let pass', () => {
    const narrow = narrowerRule(whole('tool.input.command', 'prompt.preview'), {
      ...whole('tool.input.*'),
      wholeLength: 9,
    })
    expect(narrow).toEqual({ previewLength: 5, whole: ['tool.input.command'], wholeLength: 9 })
    expect(narrowerRule(whole('all'), whole('prompt.preview')).whole).toEqual(['prompt.preview'])
    expect(narrowerRule(whole('all'), none)).toEqual(none)
  })
})

describe('what one destination may get', () => {
  const attributes = {
    'tool.name': 'Bash-of-a-long-name',
    'input.summary': 'echo one two',
    'tool.input.command': 'echo one two',
    'tool.input.timeout': 60_000,
    'tool.response.stdout': 'one two',
    'tool.error': 'it went wrong',
    'error.message': 'it went wrong',
    'input.truncated': false,
    'response.truncated': false,
    response_bytes: 7,
  }
  const failed = span(attributes, {
    error: { message: 'it went wrong' },
    events: [{ name: 'e', timeUnixMicro: 1, attributes: { 'error.message': 'it went wrong' } }],
  })

  test('is the signal itself where nothing is to be cut', () => {
    const metric: MetricSignal = {
      kind: 'metric',
      instrument: 'claude.turns_total',
      value: 1,
      timeUnixMicro: 1,
      attributes: {},
    }
    for (const signal of [failed, metric, log('session.start', 'started', {})])
      expect(applyContentRule(signal, defaultContent)).toBe(signal)
  })

  test('of a span is cut in its attributes, events and status, and its flags say so', () => {
    expect(applyContentRule(failed, whole('tool.input.*'))).toEqual({
      ...failed,
      attributes: {
        ...attributes,
        'input.summary': 'echo ',
        'tool.response.stdout': 'one t',
        'tool.error': 'it we',
        'error.message': 'it we',
        'response.truncated': true,
      },
      events: [{ name: 'e', timeUnixMicro: 1, attributes: { 'error.message': 'it we' } }],
      error: { message: 'it we' },
    })
  })

  test('is no content at all where none is allowed: names, sizes and numbers stay', () => {
    const kept = applyContentRule(failed, none)
    expect(kept.attributes).toEqual({
      'tool.name': 'Bash-of-a-long-name',
      'tool.input.timeout': 60_000,
      'input.truncated': true,
      'response.truncated': true,
      response_bytes: 7,
    })
    expect(kept.error).toEqual({})
    expect(JSON.stringify(kept)).not.toContain('wrong')
  })

  test.each([
    ['claude.user_prompt', 'one two three', { 'prompt.preview': 'one two three' }, 'one t'],
    ['claude.tool.start', 'Bash: one two three', { 'input.summary': 'one two three' }, 'Bash: one t'],
    ['claude.tool.error', 'Bash error: one two three', { 'tool.error': 'one two three' }, 'Bash error: one t'],
    ['claude.notification', 'one two three', { 'notification.message': 'one two three' }, 'one t'],
    ['claude.turn.end', 'turn 1 completed', { 'prompt.preview': 'turn 1 completed' }, 'turn 1 completed'],
    // Without the attribute the whole body is somebody's words.
    ['claude.user_prompt', 'one two three', {}, 'one t'],
  ] as const)('of the body of %s is cut where somebody speaks', (event, body, given, expected) => {
    expect(applyContentRule(log(event, body, given), whole()).body).toBe(expected)
    const silent = applyContentRule(log(event, body, given), none)
    expect(silent.body).toBe(event === 'claude.turn.end' ? body : event)
    expect(silent.attributes).toEqual({})
  })

  test('is cut before a placeholder rather than in it', () => {
    const masked = log('claude.user_prompt', 'a [REDACTED:jwt] b', { 'prompt.preview': 'a [REDACTED:jwt] b' })
    expect(applyContentRule(masked, previews(9)).attributes).toEqual({ 'prompt.preview': 'a ' })
    expect(applyContentRule(masked, previews(16)).body).toBe('a [REDACTED:jwt]')
  })
})
