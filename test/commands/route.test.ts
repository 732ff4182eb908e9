/** Whose words a command line is: ours or claude's. */
import { describe, expect, test } from 'bun:test'
import { claudeCommands } from '../../src/claude/arguments.ts'
import { commandNames, type Route, route } from '../../src/commands/route.ts'

describe('a command line', () => {
  test.each<[string[], Route]>([
    [[], { to: 'claude', args: [] }],
    [['hello'], { to: 'claude', args: ['hello'] }],
    [['-p', 'drain'], { to: 'claude', args: ['-p', 'drain'] }],
    [['-v'], { to: 'claude', args: ['-v'] }],
    [['mcp', 'list'], { to: 'claude', args: ['mcp', 'list'] }],
    [['-p', '--help'], { to: 'claude', args: ['-p', '--help'] }],
    [['--', '--help'], { to: 'claude', args: ['--help'] }],
    [['--', 'drain', '--'], { to: 'claude', args: ['drain', '--'] }],
    [['--'], { to: 'claude', args: [] }],
    [[''], { to: 'claude', args: [''] }],
    [['constructor'], { to: 'claude', args: ['constructor'] }],
    [['--help'], { to: 'help' }],
    [['-h'], { to: 'claude', args: ['-h'] }],
    [['--version'], { to: 'version' }],
    [['--config'], { to: 'config' }],
    [['drain', '--json'], { to: 'command', name: 'drain', args: ['--json'] }],
    [['run', 'Hi'], { to: 'command', name: 'run', args: ['Hi'] }],
    [['--use-sdk', 'Hi'], { to: 'sdk', args: ['Hi'] }],
    [['Hi', '--model', 'opus', '--use-sdk'], { to: 'sdk', args: ['Hi', '--model', 'opus'] }],
    [['--use-sdk'], { to: 'sdk', args: [] }],
    // Behind a -- and as a value these are words of claude's.
    [['--', '--use-sdk'], { to: 'claude', args: ['--use-sdk'] }],
    [['-p', '--', '--use-sdk'], { to: 'claude', args: ['-p', '--', '--use-sdk'] }],
    [['--name', '--use-sdk'], { to: 'claude', args: ['--name', '--use-sdk'] }],
    [['pump', '/run'], { to: 'command', name: 'pump', args: ['/run'] }],
  ])('%j', (args, expected) => {
    expect(route(args)).toEqual(expected)
  })

  test('of ours takes nothing away from claude', () => {
    expect(commandNames.filter((name) => claudeCommands.has(name))).toEqual([])
  })
})
