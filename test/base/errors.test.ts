/** How mistakes are told. */
import { describe, expect, test } from 'bun:test'
import { describeError, exitCodes, Failure, renderFailure } from '../../src/base/errors.ts'

describe('a failure', () => {
  test('is told with our name, and its hint is indented line by line', () => {
    expect(renderFailure(new Failure('config', 'x is "y"', 'use one of: a, b\nor leave it out'))).toBe(
      'claude-otel: x is "y"\n  use one of: a, b\n  or leave it out\n',
    )
  })

  test('without a hint is one line', () => {
    expect(renderFailure(new Failure('io', 'no room'))).toBe('claude-otel: no room\n')
  })

  test('has the exit code of sysexits.h, or the shell’s for a command', () => {
    expect(exitCodes).toMatchObject({ usage: 64, data: 65, unavailable: 69, io: 74, config: 78, notFound: 127 })
  })
})

describe('whatever was thrown', () => {
  test('is described in words', () => {
    expect(describeError(new TypeError('no such thing'))).toBe('no such thing')
    expect(describeError('plain')).toBe('plain')
    expect(describeError(undefined)).toBe('undefined')
  })
})
