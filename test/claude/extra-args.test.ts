/** claude's command line as an object and back, and the table of flags that both go by, held to claude itself. */
import { describe, expect, test } from 'bun:test'
import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { type ExtraArgs, type FlagValue, parseClaudeArgs, renderClaudeArgs } from '../../src/claude/extra-args.ts'
import { allFlags, canonicalName, type Takes, takesNextWord, takesOf } from '../../src/claude/flags.ts'
import { claudeBinary } from '../kit/claude-home.ts'

describe('A command line is separated', () => {
  test.each<[readonly string[], string | undefined, ExtraArgs]>([
    [[], undefined, {}],
    [['Say hello'], 'Say hello', {}],
    [['--model', 'opus', 'Say hello'], 'Say hello', { model: 'opus' }],
    [['--model=opus', 'Say hello'], 'Say hello', { model: 'opus' }],
    [['Say hello', '--model', 'opus'], 'Say hello', { model: 'opus' }],
    [['--verbose', 'Say hello'], 'Say hello', { verbose: null }],
    // The value of the last flag is not the prompt.
    [['--model', 'opus'], undefined, { model: 'opus' }],
    [['--resume', 'id'], undefined, { resume: 'id' }],
    [['--resume', '--verbose', 'Go on'], 'Go on', { resume: null, verbose: null }],
    [['-c', 'Go on'], 'Go on', { continue: null }],
    [['-d', 'hooks', 'Go on'], 'Go on', { debug: 'hooks' }],
    [['-n', 'mine', 'Go on'], 'Go on', { name: 'mine' }],
    [['-nmine', 'Go on'], 'Go on', { name: 'mine' }],
    [['-pc', 'Go on'], 'Go on', { print: null, continue: null }],
    [['--append-system-prompt', '--be brief', 'Hi'], 'Hi', { 'append-system-prompt': '--be brief' }],
    [['--system-prompt=', 'Hi'], 'Hi', { 'system-prompt': '' }],
    [['--json-schema={"a":"b=c"}', 'Hi'], 'Hi', { 'json-schema': '{"a":"b=c"}' }],
    [['--allowedTools', 'Bash', 'Read', '--', 'Hi'], 'Hi', { allowedTools: ['Bash', 'Read'] }],
    [['--allowed-tools=Bash', 'Hi', '--allowedTools', 'Read'], 'Hi', { allowedTools: ['Bash', 'Read'] }],
    [['--add-dir', 'a', 'b'], undefined, { 'add-dir': ['a', 'b'] }],
    [['--plugin-dir', 'a', '--plugin-dir', 'b', 'Hi'], 'Hi', { 'plugin-dir': ['a', 'b'] }],
    [['--tmux=classic', 'Hi'], 'Hi', { tmux: 'classic' }],
    [['--', '--model'], '--model', {}],
    [['-'], '-', {}],
    [['--add-dir', 'a', '-', '--', 'Hi'], 'Hi', { 'add-dir': ['a', '-'] }],
    [['--brand-new', '-', 'Hi'], 'Hi', { 'brand-new': '-' }],
    [['--brand-new', 'value', 'Hi'], 'Hi', { 'brand-new': 'value' }],
    [['--brand-new', '--model', 'opus', 'Hi'], 'Hi', { 'brand-new': null, model: 'opus' }],
    [['-z', '1', 'Hi'], 'Hi', { '-z': '1' }],
  ])('%j', (args, prompt, extraArgs) => {
    const parsed = parseClaudeArgs(args)
    expect(parsed.prompt).toBe(prompt as string)
    expect(parsed.extraArgs).toEqual(extraArgs)
    expect(parsed.more).toEqual([])
  })

  test('into the last word as the prompt and those before it', () => {
    expect(parseClaudeArgs(['one', '--verbose', 'two'])).toEqual({
      prompt: 'two',
      more: ['one'],
      extraArgs: { verbose: null },
    })
  })
})

describe('Nothing is lost', () => {
  const value = fc.oneof(fc.string(), fc.constantFrom('', '-', '--', '--model', '-x', 'a b', 'a=b', 'ü\n'))
  const known = fc.constantFrom(...allFlags().map((flag) => canonicalName(flag.replace(/^-+/, ''))))
  const unknown = fc.stringMatching(/^[a-z][a-z-]{2,20}$/).filter((name) => takesOf(name) === undefined)
  const flag = fc.oneof(known, unknown).chain((name): fc.Arbitrary<readonly [string, FlagValue | FlagValue[]]> => {
    const one: fc.Arbitrary<FlagValue> = takesOf(name) === 'value' ? value : fc.option(value)
    const some = fc.oneof(one, fc.array(one, { minLength: 2, maxLength: 4 }))
    return some.map((given) => [name, given] as const)
  })
  const flags = fc.array(flag, { maxLength: 6 }).map((entries): ExtraArgs => Object.fromEntries(entries))

  test('from the object to a command line and back', () => {
    const holds = (extraArgs: ExtraArgs): void => {
      expect(parseClaudeArgs(renderClaudeArgs(extraArgs))).toEqual({ extraArgs, more: [] })
    }
    fc.assert(fc.property(flags, holds))
  })

  test('and with a prompt behind', () => {
    const holds = (extraArgs: ExtraArgs, prompt: string): void => {
      expect(parseClaudeArgs([...renderClaudeArgs(extraArgs), '--', prompt])).toEqual({ prompt, extraArgs, more: [] })
    }
    fc.assert(fc.property(flags, value, holds))
  })

  test('from any command line, written again', () => {
    const word = fc.oneof(
      value,
      known.map((name) => `--${name}`),
      fc.constantFrom('-c', '-d', '-n', '-p', '-pc', '-z'),
    )
    const holds = (args: readonly string[]): void => {
      const { extraArgs } = parseClaudeArgs(args)
      expect(parseClaudeArgs(renderClaudeArgs(extraArgs)).extraArgs).toEqual(extraArgs)
    }
    fc.assert(fc.property(fc.array(word, { maxLength: 10 }), holds))
  })
})

test('a flag that lacks its value stands last, where it takes no other flag for it', () => {
  const { extraArgs } = parseClaudeArgs(['--model=opus', '--verbose', '--model'])
  expect(extraArgs).toEqual({ model: ['opus', null], verbose: null })
  expect(renderClaudeArgs(extraArgs)).toEqual(['--model=opus', '--verbose', '--model'])
})

describe('The table of flags', () => {
  test('has every flag of claude --help, with what it takes', () => {
    const help = Bun.spawnSync([claudeBinary, '--help'], { env: { PATH: process.env.PATH ?? '', HOME: '/nowhere' } })
    const lines = help.stdout.toString().split('\n')
    const told = lines.flatMap((line) => readDefinition(/^ {2}((?:-\w, )?--.*?)(?: {2,}|$)/.exec(line)?.[1] ?? ''))
    expect(told.length).toBeGreaterThan(60)
    expect(told.map(([name]) => [name, takesOf(name)])).toEqual(told)
  })

  test('has every flag that claude’s program defines, hidden ones too, and no other', () => {
    const defined = definitions()
    expect(defined.length).toBeGreaterThan(110)
    expect(defined.map(([name]) => [name, takesOf(name)])).toEqual(defined)
    const names = new Set(defined.map(([name]) => canonicalName(name)))
    const invented = allFlags().filter((flag) => !names.has(canonicalName(flag.replace(/^-+/, ''))))
    // These are defined elsewhere.
    expect(invented.sort()).toEqual(['--help', '--version', '-h', '-v'])
  })

  test('says which flags take the next word, whatever it is', () => {
    for (const option of ['--model', '-n', '--name']) expect(takesNextWord(option)).toBe(true)
    const others = [
      '--verbose',
      '--resume',
      '-r',
      '--allowedTools',
      '-c',
      '--n',
      '-model',
      'model',
      '--',
      '--model=opus',
    ]
    for (const other of others) expect(takesNextWord(other)).toBe(false)
  })
})

type Definition = [name: string, takes: Takes]

/** `-n, --name <name>` and its like; each name of it, without dashes. */
function readDefinition(text: string): Definition[] {
  const names = [...text.matchAll(/(?:^|, )--?([A-Za-z][\w-]*)/g)].map((match) => match[1] ?? '')
  const [, optional, required] = /(\[[^\]]+\])|(<[^>]+>)/.exec(text.replace(/\(.*/, '')) ?? []
  const takes = optional ? 'optional' : required?.endsWith('...>') ? 'values' : required ? 'value' : 'nothing'
  return names.map((name) => [name, takes])
}

/** From the program itself: the options of claude as a whole stand together in it, those of its commands elsewhere. */
function definitions(): Definition[] {
  const code = readBetween('"-d, --debug [filter]"', '"--remote-control-session-name-prefix <prefix>"')
  return [...code.matchAll(/\("((?:-\w, )?--[A-Za-z][\w-]*(?:, --[\w-]+)?(?: [<[][^"]*)?)"/g)].flatMap((match) =>
    readDefinition(match[1] ?? ''),
  )
}

/** The program is hundreds of megabytes. */
function readBetween(from: string, to: string): string {
  const file = openSync(join(claudeBinary, '../../@anthropic-ai/claude-code/bin/claude.exe'), 'r')
  const piece = Buffer.alloc(1 << 23)
  const overlap = 1 << 17
  try {
    for (let at = 0; ; at += piece.length - overlap) {
      const size = readSync(file, piece, 0, piece.length, at)
      const found = piece.subarray(0, size).toString('latin1')
      const end = found.indexOf(to, found.indexOf(from))
      if (found.includes(from) && end !== -1) return found.slice(found.indexOf(from) - 1, end + to.length + 2)
      if (size < piece.length) throw new Error('claude’s program has no such definitions')
    }
  } finally {
    closeSync(file)
  }
}
