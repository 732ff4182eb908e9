/** What claude asks in a chat, and what a person's keys make of it. */
import { describe, expect, test } from 'bun:test'
import { PassThrough } from 'node:stream'
import type { ReadStream } from 'node:tty'
import type { PermissionResult, PermissionUpdate } from '@anthropic-ai/claude-agent-sdk/core'
import { forThisSession, Questions, rulesText } from '../../src/chat/questions.ts'
import { AgentConsole } from '../../src/console/console.ts'
import { Keyboard } from '../../src/console/prompt-keyboard.ts'
import { type FakeTerminal, fakeTerminal } from '../console/screen.ts'
import { until } from '../kit/until.ts'

const rule: PermissionUpdate = {
  type: 'addRules',
  rules: [{ toolName: 'Bash', ruleContent: 'npm test:*' }],
  behavior: 'allow',
  destination: 'localSettings',
}
const folder: PermissionUpdate = { type: 'addDirectories', directories: ['/srv'], destination: 'session' }
const mode: PermissionUpdate = { type: 'setMode', mode: 'acceptEdits', destination: 'session' }

interface Scene {
  readonly terminal: FakeTerminal
  ask(tool: string, input: Record<string, unknown>, more?: object): Promise<PermissionResult | null>
  /** Presses keys once the screen shows it, and long enough after it for an answer. */
  press(wanted: string, ...keys: string[]): Promise<void>
}

const enter = '\r'
const down = '\x1b[B'
const leave = '\x1b'

async function withScene(act: (scene: Scene) => Promise<void>): Promise<void> {
  const terminal = fakeTerminal(100)
  const stdin = Object.assign(new PassThrough(), { setRawMode: () => stdin }) as unknown as ReadStream & PassThrough
  const mask = (text: string) => text.replaceAll('hunter2', '[REDACTED]')
  const console = new AgentConsole({ stdout: terminal, stderr: terminal, env: {}, isPlain: false, cwd: '/', mask })
  const keyboard = new Keyboard(
    stdin,
    () => {},
    () => {},
  )
  const questions = new Questions({ console, keyboard, mask })
  keyboard.open()
  try {
    await act({
      terminal,
      ask: (tool, input, more = {}) =>
        questions.canUseTool(tool, input, {
          signal: new AbortController().signal,
          toolUseID: 't',
          requestId: 'r',
          ...more,
        }),
      async press(wanted, ...keys) {
        await until(wanted, () => terminal.lines().join('\n').includes(wanted))
        // An Enter that comes with the question does not count.
        await Bun.sleep(320)
        for (const key of keys) stdin.write(key)
      },
    })
  } finally {
    keyboard.close()
  }
}

const input = { command: 'npm test\x1b[2J', description: 'Run hunter2' }

describe('a permission', () => {
  test('is given once, and the input goes through as it was', () =>
    withScene(async ({ ask, press, terminal }) => {
      const answer = ask('Bash', input, { suggestions: [rule, mode] })
      await press('1. Yes')
      const screen = terminal.lines()
      await press('1. Yes', enter)
      expect(await answer).toEqual({ behavior: 'allow', updatedInput: input, decisionClassification: 'user_temporary' })
      expect(screen).toEqual([
        '❓ Claude wants to use Bash',
        '   command      npm test',
        '   description  Run [REDACTED]',
        '❯ 1. Yes',
        '  2. Yes, and in this session from now on · Bash(npm test:*)',
        '  3. No · and say what to do instead',
        'Enter takes, Esc leaves',
      ])
      expect(terminal.lines().slice(3)).toEqual(['💬 allowed'])
    }))

  test('is given for the session, and written into no file', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('Bash', input, { suggestions: [rule, mode, folder] })
      await press('2. Yes, and', '2')
      expect(await answer).toMatchObject({
        behavior: 'allow',
        updatedPermissions: [{ ...rule, destination: 'session' }, folder],
      })
    }))

  test('is denied with what to do instead, and then the turn goes on', () =>
    withScene(async ({ ask, press, terminal }) => {
      const answer = ask('Bash', input)
      await press('2. No', '2')
      await press('What instead?', 'Use bun', enter)
      expect(await answer).toMatchObject({
        behavior: 'deny',
        interrupt: false,
        message: expect.stringContaining('Use bun'),
      })
      expect(terminal.lines().at(-1)).toBe('💬 denied: Use bun')
    }))

  test('is denied by Escape, and the turn ends', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('Bash', input)
      await press('1. Yes', leave)
      expect(await answer).toMatchObject({ behavior: 'deny', interrupt: true })
    }))

  test('is not given by what somebody was just writing', () =>
    withScene(async ({ ask, press, terminal }) => {
      const answer = ask('Bash', input)
      await press('1. Yes', 'hello', enter, 'world ', enter)
      await Bun.sleep(50)
      expect(terminal.lines().join()).toContain('1. Yes')
      await press('1. Yes', leave)
      expect(await answer).toMatchObject({ behavior: 'deny' })
    }))

  test('of a dangerous thing wants more than one key', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('Bash', input, { defaultToNo: true })
      await press('❯ 2. No', '1')
      await press('❯ 2. No', down)
      await press('❯ 1. Yes', enter)
      expect(await answer).toMatchObject({ behavior: 'allow' })
    }))

  test('for good is not offered where it must not be', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('Bash', input, { suggestions: [rule], suppressAlwaysAllowRule: true })
      await press('2. No', '2')
      await press('What instead?', enter)
      expect(await answer).toMatchObject({ behavior: 'deny', interrupt: true })
    }))

  test('that is taken back leaves the screen, and the next one comes', () =>
    withScene(async ({ ask, press, terminal }) => {
      const controller = new AbortController()
      const first = ask('Bash', input, { signal: controller.signal })
      const second = ask('Read', { file_path: '/x' })
      await press('use Bash')
      expect(terminal.lines().join('\n')).not.toContain('use Read')
      controller.abort()
      expect(await first).toMatchObject({ behavior: 'deny' })
      await press('use Read', enter)
      expect(await second).toMatchObject({ behavior: 'allow' })
    }))
})

describe('suggestions', () => {
  test('are taken as narrow as they are, and never for longer than the session', () => {
    expect(forThisSession([rule, mode, folder])).toEqual([{ ...rule, destination: 'session' }, folder])
    expect(forThisSession([mode])).toEqual([mode])
    expect(forThisSession([{ ...rule, behavior: 'deny' }])).toEqual([])
    expect(rulesText([rule, mode, folder])).toBe('Bash(npm test:*), permission mode acceptEdits, files in /srv')
  })
})

describe('a question', () => {
  const red = { label: 'Red', description: 'warm' }
  const blue = { label: 'Blue', description: 'cold' }
  const question = { question: 'Which colour?', header: 'Colour', options: [red, blue], multiSelect: false }

  test('is answered by a choice', () =>
    withScene(async ({ ask, press, terminal }) => {
      const answer = ask('AskUserQuestion', { questions: [question] })
      await press('❯ 1. Red · warm', down, enter)
      expect(await answer).toEqual({
        behavior: 'allow',
        updatedInput: { questions: [question], answers: { 'Which colour?': 'Blue' } },
      })
      expect(terminal.lines()).toEqual(['❓ Which colour?', '💬 Blue'])
    }))

  test('is answered by several, and in one’s own words', () =>
    withScene(async ({ ask, press }) => {
      const both = { ...question, question: 'Which ones?', multiSelect: true }
      const answer = ask('AskUserQuestion', { questions: [both, question] })
      await press('[ ] Red', ' ', '2', enter)
      await press('❓ Which colour?', '3')
      await press('Your answer:', 'Grün', enter)
      expect(await answer).toMatchObject({
        updatedInput: { answers: { 'Which ones?': 'Red, Blue', 'Which colour?': 'Grün' } },
      })
    }))

  test('may stay without an answer', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('AskUserQuestion', { questions: [question] })
      await press('1. Red', '\x03')
      expect(await answer).toMatchObject({ behavior: 'deny', interrupt: true })
    }))
})

describe('a plan', () => {
  const plan = { plan: '# Plan\n\n1. Look\n2. Do' }

  test('is shown, and approved with the mode that follows', () =>
    withScene(async ({ ask, press, terminal }) => {
      const answer = ask('ExitPlanMode', plan)
      await press('1. Yes, and accept edits')
      expect(terminal.lines().join('\n')).toMatch(/╭─ The plan ─+╮\n│ Plan +│\n│ +│\n│ 1. Look +│/)
      await press('1. Yes, and accept edits', '2')
      expect(await answer).toMatchObject({
        behavior: 'allow',
        updatedPermissions: [{ type: 'setMode', mode: 'default', destination: 'session' }],
      })
    }))

  test('is sent back with a word, and planning goes on', () =>
    withScene(async ({ ask, press }) => {
      const answer = ask('ExitPlanMode', plan)
      await press('3. No', '3')
      await press('What instead?', 'Tests first', enter)
      expect(await answer).toMatchObject({
        behavior: 'deny',
        interrupt: false,
        message: expect.stringContaining('Tests first'),
      })
    }))
})
