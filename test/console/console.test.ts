/** The console over messages of the real claude, as somebody sees it on terminals of several widths, and as pipes get it. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { AgentConsole } from '../../src/console/console.ts'
import { turnLine } from '../../src/console/metrics.ts'
import { widthOf } from '../../src/console/text.ts'
import { richTheme, themeFor } from '../../src/console/theme.ts'
import { type FakeTerminal, fakeTerminal } from './screen.ts'

interface Told {
  readonly ms: number
  readonly message: SDKMessage
}

const recorded = (await Bun.file(join(import.meta.dir, '../fixtures/agent/messages.jsonl')).text())
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as Told)

/** The turns of the recording, by their number. */
function turnsOf(first: number, last = first): SDKMessage[] {
  let turn = 0
  return recorded.flatMap(({ message }) => {
    const of = turn
    if (message.type === 'result') turn += 1
    return of >= first && of <= last ? [message] : []
  })
}

interface Scene {
  readonly out: FakeTerminal
  readonly err: FakeTerminal
  readonly console: AgentConsole
}

/** With `isOne` both streams are the same terminal. */
function scene(
  columns: number,
  how: { isOne?: boolean; outTTY?: boolean; errTTY?: boolean; env?: object } = {},
): Scene {
  const err = fakeTerminal(columns, how.errTTY ?? true)
  const out = how.isOne ? err : fakeTerminal(columns, how.outTTY ?? true)
  const env = { ...how.env }
  const options = {
    stdout: out,
    stderr: err,
    env,
    isPlain: false,
    cwd: '/home/me/project',
    mask: (text: string) => text,
  }
  return { out, err, console: new AgentConsole(options) }
}

function show({ console }: Scene, messages: readonly SDKMessage[]): void {
  for (const message of messages) {
    const turn = console.onMessage(message)
    if (turn !== undefined) console.print([turnLine(turn, console.metrics.contextLeft, console.theme)])
  }
}

/** What takes as long as it takes. */
function timeless(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/ · \d+\.\d s$/, ''))
}

describe('a turn on a terminal', () => {
  test('is lines about tools, the answer, and what it took', () => {
    const both = scene(100, { isOne: true })
    show(both, turnsOf(1))
    expect(timeless(both.err.lines())).toEqual([
      '🔧 Bash - command="touch allowed; ls -la", description="Run it"',
      '🔧 Read - file_path=README.md',
      '🔧 Read - file_path="/nope"',
      '✅ Bash → 6 lines',
      '   total 16',
      '   drwxr-xr-x 3 root root 4096 Nov 21 21:25 .',
      '   drwx------ 4 root root 4096 Nov 21 21:25 ..',
      '   drwxr-xr-x 8 root root 4096 Nov 21 21:25 .git',
      '   … 2 more lines',
      '❌ Read → File does not exist. Note: your current working directory is /home/me/project.',
      '✅ Read → 4 lines',
      '',
      'Done.',
      '205 in, 85 out, 6.4k cached · $0.0059 · 3 tools · 2.1 s · 99 % context left',
    ])
  })

  test('shows what agents do below them', () => {
    const both = scene(100, { isOne: true })
    show(both, turnsOf(3))
    expect(timeless(both.err.lines())).toEqual([
      '🤖 general-purpose - look',
      '   🔧 Bash - command="echo sub", description="Run it"',
      '   ✅ Bash → sub',
      '✅ Agent → sub result',
      '',
      'Agent done.',
      '2.4k in, 2.2k out, 17k cached · $0.0734 · 2 tools · 2.0 s · 99 % context left',
    ])
  })

  test('shows a compaction once, and nothing that was said before it', () => {
    const both = scene(100, { isOne: true })
    show(both, turnsOf(9))
    expect(both.err.lines().slice(0, -1)).toEqual(['💬 Context compacted (manual): 3.5k → 2.7k tokens'])
  })

  test('is nothing wider than the terminal, at any width', () => {
    for (let columns = 12; columns <= 120; columns += columns < 40 ? 3 : 17) {
      const both = scene(columns, { isOne: true })
      show(both, turnsOf(0, 99))
      both.console.finish(false, '4bf92f3577b34da6a3ce929d0e0e4736')
      for (const line of both.err.lines()) expect(widthOf(line)).toBeLessThanOrEqual(columns)
      expect(both.err.lines().join('')).toContain('🎉')
    }
  })
})

describe('streams', () => {
  test('a pipe gets the words of the model alone, as they are', () => {
    const piped = scene(100, { outTTY: false })
    show(piped, turnsOf(0, 3))
    expect(piped.out.written()).toBe('# Hi\n\nHello **there**.\n\nDone.\n\nBlue it is.\n\nAgent done.\n')
    expect(piped.err.written()).toContain('🔧')
    expect(piped.err.written()).not.toContain('Done.')
  })

  test('without a terminal stderr has words, no sign, no colour, and nothing that moves', () => {
    const piped = scene(40, { outTTY: false, errTTY: false })
    piped.console.work()
    show(piped, turnsOf(1))
    piped.console.finish(true, undefined)
    const text = piped.err.written()
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences
    expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f]|[^\x00-\x7f]/)
    expect(text).toContain('ok: Bash -> 6 lines')
    expect(text).toContain('error: Failed | 205 in')
  })

  test('says nothing on stdout where somebody else prints the answer', () => {
    const err = fakeTerminal(80)
    const options = { stderr: err, env: {}, isPlain: false, cwd: '/', mask: (text: string) => text }
    for (const message of turnsOf(0)) new AgentConsole(options).onMessage(message)
    expect(err.written()).not.toContain('Hello')
  })

  test('plain is what somebody asks for, and what is no terminal', () => {
    expect(themeFor(true, {}, false)).toBe(richTheme)
    for (const env of [{ NO_COLOR: '1' }, { CI: 'true' }, { TERM: 'dumb' }])
      expect(themeFor(true, env, false).isRich).toBe(false)
    expect([themeFor(false, {}, false).isRich, themeFor(true, {}, true).isRich]).toEqual([false, false])
    expect(themeFor(true, { NO_COLOR: '', CI: 'false' }, false).isRich).toBe(true)
  })
})

describe('what moves', () => {
  test('is one line below all else, and leaves nothing behind', () => {
    const both = scene(60, { isOne: true })
    both.console.work()
    expect(both.err.lines().at(-1)).toMatch(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Thinking$/)
    expect(both.err.cursor.isShown).toBe(false)
    const [call, ...rest] = turnsOf(1).filter(({ type }) => type !== 'stream_event')
    both.console.onMessage(call as SDKMessage)
    for (const message of rest.slice(0, 4)) both.console.onMessage(message)
    expect(both.err.lines().at(-1)).toMatch(/^. Bash, Read, Read$/)
    const results = rest.filter(({ type }) => type === 'user')
    const answered = rest.indexOf(results[0] as SDKMessage)
    for (const message of rest.slice(4, answered + 1)) both.console.onMessage(message)
    expect(both.err.lines().at(-1)).toMatch(/^. Read, Read$/)
    rest.splice(4, answered - 3)
    for (const message of rest.slice(4)) both.console.onMessage(message)
    expect(both.err.lines().at(-1)).toBe('Done.')
    expect(both.err.cursor).toEqual({ row: both.err.lines().length, column: 0, isShown: true })
  })

  test('is never wider than the terminal, also when that becomes narrower', () => {
    const both = scene(60, { isOne: true })
    both.console.setPrompt(() => ({
      rows: ['> a prompt of thirty columns.', '  below'],
      cursor: { row: 1, column: 3 },
    }))
    both.console.work()
    both.console.tell('note', 'first')
    expect(both.err.lines()).toEqual([
      '💬 first',
      expect.stringContaining('Thinking'),
      '> a prompt of thirty columns.',
      '  below',
    ])
    both.err.narrow(12)
    both.console.setPrompt(() => ({ rows: ['> a prompt'], cursor: { row: 0, column: 10 } }))
    expect(both.err.lines()).toEqual(['💬 first', expect.stringContaining('Thinking'), '> a prompt'])
    both.console.setPrompt(() => ({ rows: ['> a prompt', '  that goes'], cursor: { row: 1, column: 11 } }))
    both.err.narrow(8)
    both.console.setPrompt(undefined)
    for (const line of both.err.lines().slice(1)) expect(widthOf(line)).toBeLessThanOrEqual(8)
    both.console.rest()
    expect(both.err.lines().join('').replaceAll(' ', '')).toBe('💬first')
  })

  test('shows a block while it is written, and each once', () => {
    const both = scene(40, { isOne: true })
    const event = (delta: object) =>
      ({ type: 'stream_event', parent_tool_use_id: null, event: delta }) as unknown as SDKMessage
    const write = (text: string) => both.console.onMessage(event({ type: 'content_block_delta', delta: { text } }))
    both.console.work()
    write('One **bo')
    both.console.refresh()
    expect(both.err.lines().slice(0, -1)).toEqual(['', 'One **bo'])
    write('ld**.\n\n- a\n')
    expect(both.err.lines().slice(0, -1)).toEqual(['', 'One bold.', '', '• a'])
    expect(both.err.cursor).toMatchObject({ row: 4, isShown: false })
    both.console.setPrompt(() => ({ rows: ['> x'], cursor: { row: 0, column: 3 } }))
    expect(both.err.lines().at(-1)).toBe('> x')
    expect(both.err.cursor).toEqual({ row: 5, column: 3, isShown: true })
    both.console.setPrompt(undefined)
    write('- b')
    both.console.onMessage(event({ type: 'content_block_stop' }))
    both.console.rest()
    expect(both.err.lines()).toEqual(['', 'One bold.', '', '• a', '• b'])
  })

  test('shows the last rows of a block that is long', () => {
    const both = scene(40, { isOne: true })
    both.console.work()
    const text = Array.from({ length: 30 }, (_, at) => `- ${at}`).join('\n')
    const delta = { type: 'content_block_delta', delta: { text } }
    both.console.onMessage({ type: 'stream_event', parent_tool_use_id: null, event: delta } as unknown as SDKMessage)
    both.console.refresh()
    expect(both.err.lines().slice(0, -1)).toEqual(['', ...[22, 23, 24, 25, 26, 27, 28, 29].map((at) => `• ${at}`)])
    both.console.rest()
  })

  test('never takes more rows than there are', () => {
    const both = scene(40, { isOne: true })
    Object.assign(both.err, { rows: 5 })
    both.console.tell('note', 'before')
    const uncover = both.console.cover(() => ({ rows: ['1', '2', '3', '4', '5', '6'], cursor: { row: 4, column: 1 } }))
    expect(both.err.lines()).toEqual(['💬 before', '3', '4', '5', '6'])
    expect(both.err.cursor).toMatchObject({ row: 3, column: 1 })
    uncover()
    expect(both.err.lines()).toEqual(['💬 before'])
  })

  test('makes way for a question, and what comes meanwhile is shown after it', () => {
    const both = scene(60, { isOne: true })
    both.console.work()
    both.console.tell('question', 'May I?')
    const uncover = both.console.cover(() => ({ rows: ['1. Yes'] }))
    both.console.tell('note', 'something else')
    expect(both.err.lines()).toEqual(['❓ May I?', '1. Yes'])
    uncover()
    both.console.rest()
    expect(both.err.lines()).toEqual(['❓ May I?', '💬 something else'])
  })
})

describe('messages of a tool or a model', () => {
  const hostile = '\x1b]0;owned\x07\x1b[2J\x1b[1;1H\u202egood\x9b5A'

  test('cannot move the cursor, nor set a title', () => {
    const both = scene(80, { isOne: true })
    const base = { parent_tool_use_id: null, uuid: 'u', session_id: 's' }
    const messages: unknown[] = [
      {
        ...base,
        type: 'assistant',
        message: {
          id: 'a',
          content: [{ type: 'tool_use', id: 't', name: `B${hostile}`, input: { [`k${hostile}`]: hostile } }],
        },
      },
      {
        ...base,
        type: 'user',
        message: {
          content: [{ type: 'tool_result', tool_use_id: 't', content: `${hostile}\n${hostile}`, is_error: true }],
        },
      },
      { ...base, type: 'assistant', message: { id: 'b', content: [{ type: 'text', text: `**x** ${hostile}` }] } },
      {
        ...base,
        type: 'assistant',
        error: 'server_error',
        message: { id: 'c', content: [{ type: 'text', text: hostile }] },
      },
      { ...base, type: 'system', subtype: 'informational', level: 'warning', content: hostile },
      { ...base, type: 'system', subtype: 'permission_denied', tool_name: hostile, tool_use_id: 'x', message: hostile },
      { ...base, type: 'user', message: { content: `<local-command-stdout>${hostile}</local-command-stdout>` } },
    ]
    both.console.work()
    // The fake terminal throws at any sequence that is not ours.
    for (const message of messages) both.console.onMessage(message as SDKMessage)
    both.console.rest()
    for (const sign of ['\x1b]', '\u202e', '\x9b', '\x07']) expect(both.err.written()).not.toContain(sign)
    expect(both.err.lines().filter((line) => line.includes('good'))).toHaveLength(9)
  })

  test('that the console does not know are nothing', () => {
    const both = scene(80, { isOne: true })
    for (const message of [{ type: 'new' }, { type: 'system', subtype: 'new' }])
      both.console.onMessage(message as unknown as SDKMessage)
    expect(both.err.lines()).toEqual([])
  })
})
