/** A session of claude's, or one of its commands. */
import { describe, expect, test } from 'bun:test'
import { optionValue, replaceOptionValue, sessionSource, startsSession } from '../../src/claude/arguments.ts'

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

describe('where a session comes from', () => {
  test.each<[string, string[]]>([
    ['startup', ['-p', 'hello']],
    ['startup', []],
    ['startup', ['--', '--resume']],
    ['resume', ['--continue']],
    ['resume', ['-c', '-p', 'hi']],
    ['resume', ['--resume', 'id']],
    ['resume', ['--resume=id']],
    ['resume', ['-r', 'id']],
    ['fork', ['--resume', 'id', '--fork-session']],
  ])('is %s by %j', (source, args) => {
    expect(sessionSource(args)).toBe(source as ReturnType<typeof sessionSource>)
  })
})

describe('the value of an option', () => {
  test.each<[string[], string | undefined]>([
    [['--settings', 'a.json'], 'a.json'],
    [['--settings=a.json', '-p'], 'a.json'],
    [['--settings', 'a.json', '--settings', 'b.json'], 'b.json'],
    [['--settings', ''], ''],
    [['--settings'], undefined],
    [['--model', '--settings', 'a.json'], undefined],
    [['--', '--settings', 'a.json'], undefined],
    [[], undefined],
  ])('in %j is %p', (args, value) => {
    expect(optionValue(args, '--settings')).toBe(value as string)
  })

  test('is replaced where it counts, and nothing else is', () => {
    expect(replaceOptionValue(['-p', '--settings', 'a', 'x'], '--settings', 'new')).toEqual([
      '-p',
      '--settings',
      'new',
      'x',
    ])
    expect(replaceOptionValue(['--settings=a', 'x'], '--settings', 'new')).toEqual(['--settings=new', 'x'])
    expect(
      optionValue(replaceOptionValue(['--settings', 'a', '--settings', 'b'], '--settings', 'new'), '--settings'),
    ).toBe('new')
  })
})
