/** A session of claude's, or one of its commands. */
import { describe, expect, test } from 'bun:test'
import { startsSession } from '../../src/claude/arguments.ts'

describe('a command line', () => {
  test.each(
    [[], ['hello'], ['-p', 'mcp'], ['--continue'], ['--model', 'opus', 'update'], ['--'], ['']].map((args) => [args]),
  )('%j starts a session', (args) => {
    expect(startsSession(args)).toBe(true)
  })

  test.each(
    [['mcp', 'list'], ['doctor'], ['update'], ['plugin', 'list'], ['--version'], ['-v'], ['--help'], ['-h']].map(
      (args) => [args],
    ),
  )('%j is answered without one', (args) => {
    expect(startsSession(args)).toBe(false)
  })
})
