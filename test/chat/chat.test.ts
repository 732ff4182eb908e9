/** What a chat is made of besides its console: commands, the banner, earlier sessions, what is said to the agent. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claudeLine, destinationsOf, renderBanner } from '../../src/chat/banner.ts'
import { chatCommands, readRequest } from '../../src/chat/commands.ts'
import { Inbox } from '../../src/chat/inbox.ts'
import { listSessions } from '../../src/claude/sessions.ts'
import { resolveConfig } from '../../src/config/config.ts'
import { renderPanel } from '../../src/console/panel.ts'
import { widthOf } from '../../src/console/text.ts'
import { plainTheme, richTheme } from '../../src/console/theme.ts'

describe('what somebody says', () => {
  test('is a prompt, a word to leave, or a command of ours or of claude', () => {
    for (const text of ['exit', 'QUIT', ' bye ', '/exit', '/quit']) expect(readRequest(text)).toEqual({ kind: 'exit' })
    for (const text of ['exit now', '/tmp/file is broken', 'a /help', '/ help', '//'])
      expect(readRequest(text)).toEqual({ kind: 'prompt' })
    expect(readRequest('/model  opus ')).toEqual({ kind: 'ours', name: 'model', argument: 'opus' })
    expect(readRequest('/compact keep the names')).toEqual({ kind: 'theirs', name: 'compact' })
    expect(readRequest('/plugin:skill')).toEqual({ kind: 'theirs', name: 'plugin:skill' })
    for (const { name } of chatCommands.filter((each) => each.name !== 'exit'))
      expect(readRequest(`/${name}`)).toEqual({ kind: 'ours', name, argument: '' })
  })

  test('reaches the agent in its order, before and after somebody asks, until its end', async () => {
    const inbox = new Inbox()
    inbox.say('one')
    const heard: unknown[] = []
    const hearing = (async () => {
      for await (const { message } of inbox) heard.push(message.content)
    })()
    await Promise.resolve()
    inbox.say('two')
    inbox.say('three')
    inbox.end()
    await hearing
    expect(heard).toEqual(['one', 'two', 'three'])
  })
})

describe('the banner', () => {
  const resolve = (env: Record<string, string>) => resolveConfig({ env: { HOME: '/home/me', ...env }, flags: {} })
  const facts = {
    model: undefined,
    permissionMode: 'plan',
    cwd: '/srv/project',
    sessionId: '11111111-2222-4333-8444-555555555555',
    resolution: resolve({ OTEL_EXPORTER_OTLP_ENDPOINT: 'https://otel.example.com', OTEL_METRICS_EXPORTER: 'none' }),
  }

  test('says who answers, what is allowed, and where the telemetry goes', () => {
    expect(renderBanner(facts, 80, plainTheme)).toEqual(
      [
        'claude-otel 0.0.0-source',
        '  Model        Claude Code’s default',
        '  Permissions  plan',
        '  Folder       /srv/project',
        '  Telemetry    grpc https://otel.example.com',
        '  Session      11111111-2222-4333-8444-555555555555',
        '  ',
        '  /help lists commands, exit or Ctrl-D leaves',
      ].map((line) => line.trimEnd()),
    )
  })

  test('cannot be broken by what somebody else has set', () => {
    const hostile = { ...facts, model: 'opus\x1b[2J', permissionMode: '\x1b]0;t\x07plan', sessionId: 'a\nb' }
    const text = renderBanner(hostile, 80, plainTheme).join('\n')
    expect(text).toContain('Model        opus\n  Permissions  plan\n')
    expect(text).toContain('Session      a b\n')
  })

  test('fits every terminal', () => {
    for (const theme of [plainTheme, richTheme]) {
      for (let columns = 10; columns < 110; columns += 3) {
        for (const line of renderBanner(facts, columns, theme)) expect(widthOf(line)).toBeLessThanOrEqual(columns)
      }
    }
  })

  test('says where telemetry goes, each place once, or why nowhere', () => {
    expect(destinationsOf(resolve({ OTEL_SDK_DISABLED: 'true' }))).toBe('off')
    expect(destinationsOf(resolve({}))).toBe('the hub on this machine (http://127.0.0.1:4317)')
    expect(destinationsOf(resolve({ OTEL_EXPORTER_OTLP_PROTOCOL: 'nonsense' }))).toStartWith('off: ')
    const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
    expect(destinationsOf(resolve(none))).toBe('nowhere: all exporters are none')
    const several = { OTEL_TRACES_EXPORTER: 'console,file', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
    expect(destinationsOf(resolve({ LOGFIRE_TOKEN: 'pylf_v1_eu_abc' }))).toBe(
      'the hub on this machine (http://127.0.0.1:4317), Logfire (https://logfire-eu.pydantic.dev)',
    )
    expect(destinationsOf(resolve(several))).toMatch(/^this console, .*signals.jsonl$/)
  })

  test('is followed by what only claude knows', () => {
    const servers = [
      { name: 'git\x1b[2J', status: 'connected' },
      { name: 'db', status: 'failed' },
    ]
    expect(
      claudeLine({ version: '2.1.329', model: 'claude-opus-5-5\x1b[A', servers, traceId: 'abc' }, plainTheme),
    ).toBe('Claude Code 2.1.329 | claude-opus-5-5 | MCP: git, db (failed) | trace abc')
    expect(claudeLine({ version: undefined, model: undefined, servers: [], traceId: undefined }, plainTheme)).toBe(
      'Claude Code | no MCP servers',
    )
  })
})

describe('a panel', () => {
  test('is as wide as it has to be, and closed on all sides', () => {
    expect(renderPanel({ title: 'T', lines: ['日本', 'abc'] }, 80, richTheme).map(Bun.stripANSI)).toEqual([
      '╭─ T ──╮',
      '│ 日本 │',
      '│ abc  │',
      '╰──────╯',
    ])
  })

  test('has sides of one length, whatever is in it', () => {
    for (const title of ['A title that is longer than all that follows', 'x'.repeat(200), '日本']) {
      const widths = renderPanel({ title, lines: ['one', '👩‍👩‍👧'] }, 60, richTheme).map(widthOf)
      expect(new Set(widths).size).toBe(1)
      expect(widths[0]).toBeLessThanOrEqual(60)
    }
  })
})

describe('earlier sessions', () => {
  const home = mkdtempSync(join(tmpdir(), 'claude-otel-sessions-'))
  afterAll(() => rmSync(home, { recursive: true }))
  const folder = join(home, '.claude', 'projects', '-srv-my-project-x')
  mkdirSync(folder, { recursive: true })
  const keep = (number: number, lines: readonly object[]): string => {
    const id = `${number}1111111-2222-4333-8444-555555555555`
    const path = join(folder, `${id}.jsonl`)
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    utimesSync(path, number, number)
    return id
  }
  const user = (content: unknown, more: object = {}) => ({ type: 'user', message: { role: 'user', content }, ...more })
  const [first, second] = [
    keep(1, [
      { type: 'mode' },
      user('<command-name>/clear</command-name>'),
      user('meta', { isMeta: true }),
      user('The first'),
    ]),
    keep(2, [user([{ type: 'text', text: 'The second' }])]),
  ]
  keep(3, [{ type: 'summary' }])
  writeFileSync(join(folder, 'notes.jsonl'), JSON.stringify(user('no session')))

  test('are those of the folder that have a prompt, the newest first', () => {
    expect(listSessions({ HOME: home }, '/srv/my.project_x', 9)).toEqual([
      { id: second, prompt: 'The second', atUnixMs: 2000 },
      { id: first, prompt: 'The first', atUnixMs: 1000 },
    ])
    expect(listSessions({ HOME: home }, '/srv/my.project_x', 1)).toHaveLength(1)
  })

  test('are none where there is no such folder, or no home', () => {
    expect(listSessions({ HOME: home }, '/elsewhere', 9)).toEqual([])
    expect(listSessions({}, '/srv/my.project_x', 9)).toEqual([])
  })
})
