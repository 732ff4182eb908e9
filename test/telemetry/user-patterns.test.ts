/** Patterns of users: what they find, what is refused, what cannot hang. */
import { describe, expect, test } from 'bun:test'
import { createRedactor, stricterRules } from '../../src/telemetry/redact.ts'
import { compilePattern } from '../../src/telemetry/user-patterns.ts'
import { leastCostMs } from '../kit/cost.ts'

const redactor = (...patterns: string[]) =>
  createRedactor({ patterns: patterns.map((each) => compilePattern('custom', each)), allow: [], off: [] })

describe('a pattern of the user’s', () => {
  test('masks what it finds, everywhere, before the known kinds', () => {
    expect(redactor('ACME-\\d{4}').redact('ACME-1234, then ACME-5678.')).toBe(
      '[REDACTED:custom], then [REDACTED:custom].',
    )
    expect(redactor('(?i)acme-[a-z]+').redact('Acme-abc')).toBe('[REDACTED:custom]')
    expect(redactor('password=\\w+').redact('password=hunter22')).toBe('[REDACTED:custom]')
  })

  test('is told by its own name, and counted', () => {
    const counted: string[] = []
    const { redact } = createRedactor({ patterns: [compilePattern('ticket', 'T-\\d+')], allow: ['T-1'], off: ['all'] })
    expect(redact('T-1 T-2 password=hunter22', (kind) => counted.push(kind))).toBe(
      'T-1 [REDACTED:ticket] password=hunter22',
    )
    expect(counted).toEqual(['ticket'])
  })

  test('finds what stands behind letters beyond the first plane', () => {
    expect(redactor('ACME').redact('😀 ☃ ACME 😀')).toBe('😀 ☃ [REDACTED:custom] 😀')
  })

  test.each([
    ['a look-ahead', '(?=secret)x'],
    ['a back reference', '(a)\\1'],
    ['no pattern', '[a-'],
    ['a match of nothing', 'x*'],
  ])('is refused with the reason when it is %s', (_, pattern) => {
    expect(() => compilePattern('custom', pattern)).toThrow(/./)
  })

  test.each(['(a+)+b', '(a|aa)+b', '(.*a){20}b', '(x+x+)+y'])('cannot take for ever: %s', (pattern) => {
    const { redact } = redactor(pattern)
    const [short = 0, long = 0] = [5000, 20_000].map((length) => leastCostMs(() => void redact('a'.repeat(length))))
    expect(long / Math.max(short, 5)).toBeLessThan(12)
  })
})

describe('what is allowed', () => {
  const allowing = (...allow: string[]) => createRedactor({ patterns: [], allow, off: [] }).redact

  test('stays, alone and as a part of what is allowed', () => {
    expect(allowing('AKIAIOSFODNN7EXAMPLE')('id AKIAIOSFODNN7EXAMPLE')).toBe('id AKIAIOSFODNN7EXAMPLE')
    expect(allowing('hunter22')('password=hunter22')).toBe('password=hunter22')
    expect(allowing('postgres://app:dev@localhost')('psql postgres://app:dev@localhost/app')).toBe(
      'psql postgres://app:dev@localhost/app',
    )
  })

  test('does not let pass what is longer, or stands elsewhere', () => {
    expect(allowing('hunter22')('password=hunter22-and-more')).toBe('password=[REDACTED:secret]')
    expect(allowing('postgres://app:dev@localhost')('postgres://app:dev@production')).toBe(
      'postgres://app:[REDACTED:url-password]@production',
    )
  })
})

describe('kinds that are switched off', () => {
  test('stay, the others are masked', () => {
    const { redact, namedSecret } = createRedactor({ patterns: [], allow: [], off: ['aws-key-id'] })
    expect(redact('AKIAIOSFODNN7EXAMPLE password=hunter22')).toBe('AKIAIOSFODNN7EXAMPLE password=[REDACTED:secret]')
    expect(namedSecret).toBe('[REDACTED:secret]')
  })

  test('are none of two sets of rules unless both have them off', () => {
    const pattern = compilePattern('custom', 'x')
    const one = { patterns: [pattern], allow: ['a', 'b'], off: ['jwt', 'secret'] } as const
    expect(stricterRules(one, { patterns: [], allow: ['b'], off: ['jwt'] })).toEqual({
      patterns: [pattern],
      allow: ['b'],
      off: ['jwt'],
    })
    expect(stricterRules(one, { patterns: [], allow: [], off: ['all'] }).off).toEqual(['jwt', 'secret'])
  })
})
