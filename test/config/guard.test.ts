/** The guard's thresholds: how they are written, what they become, and all that can be wrong. */
import { describe, expect, test } from 'bun:test'
import { renderConfig } from '../../src/commands/config.ts'
import { type ConfigSources, resolveConfig } from '../../src/config/config.ts'

function resolve(env: Record<string, string>, more: Partial<ConfigSources> = {}) {
  return resolveConfig({ env: { HOME: '/home/me', ...env }, ...more })
}

const listed = (...guard: unknown[]) => resolve({ CLAUDE_OTEL_GUARD: JSON.stringify(guard) })
const inFile = (content: Record<string, unknown>) => resolve({}, { file: { path: '/me.json', content, problems: [] } })
const rules = ({ config }: ReturnType<typeof resolve>) => config.hub.guard
const messages = ({ problems }: ReturnType<typeof resolve>) =>
  problems.map(({ message, hint }) => `${message} | ${hint}`)

const notice = { isNoticed: true, timeoutMs: 60_000 }
const context80 = { name: 'context above 80%', on: 'context', per: 'session', above: 0.8, unit: 'share', ...notice }

describe('a guard', () => {
  test('is none where nothing is said', () => {
    expect(rules(resolve({}))).toEqual([])
  })

  test('is a list of thresholds, in the environment or the settings file', () => {
    const entry = { on: 'context', above: '80%' }
    for (const each of [listed(entry), inFile({ guard: [entry] }), inFile({ guard: [entry, entry] })]) {
      expect(messages(each)).toEqual([])
      expect(rules(each)).toEqual([context80] as never)
    }
  })

  test.each([
    ['context', undefined, '62.5%', 0.625, 'share', 'context above 62.5%'],
    ['context', undefined, '150k', 150_000, 'tokens', 'context above 150000 tokens'],
    ['context', 'session', 150_000, 150_000, 'tokens', 'context above 150000 tokens'],
    ['tokens', undefined, '1.5M', 1_500_000, 'tokens', 'tokens above 1500000 tokens'],
    ['tokens', 'day', 7, 7, 'tokens', 'tokens of a day above 7 tokens'],
    ['cost', undefined, 5, 5, 'usd', 'cost above $5'],
    ['cost', 'day', '$2.50', 2.5, 'usd', 'cost of a day above $2.5'],
  ])('on %s per %s above %s is %d %s', (on, per, above, amount, unit, name) => {
    const resolution = listed({ on, above, ...(per === undefined ? {} : { per }) })
    expect(messages(resolution)).toEqual([])
    expect(rules(resolution)).toMatchObject([{ name, on, per: per ?? 'session', above: amount, unit }])
  })

  test('runs a command, posts to a webhook, or both; a notice comes with them unless it is refused', () => {
    const [command, webhook] = [['/bin/a', '--b', 'c d'], 'https://example.com/x?y=z']
    const doing = (what: unknown) => rules(listed({ on: 'cost', above: 5, do: what }))
    expect(doing('notice')).toMatchObject([{ isNoticed: true }])
    expect(doing({ command })).toMatchObject([{ command, isNoticed: true }])
    expect(doing({ command, webhook, notice: false })).toMatchObject([{ command, webhook, isNoticed: false }])
  })

  test('has a setting for each usual threshold, which share a command and a webhook', () => {
    const resolution = resolve({
      CLAUDE_OTEL_GUARD_CONTEXT: '80%',
      CLAUDE_OTEL_GUARD_TOKENS: '2M',
      CLAUDE_OTEL_GUARD_COST: '5',
      CLAUDE_OTEL_GUARD_DAY_TOKENS: '20M',
      CLAUDE_OTEL_GUARD_DAY_COST: '50',
      CLAUDE_OTEL_GUARD_COMMAND: '["/usr/bin/save", "it"]',
      CLAUDE_OTEL_GUARD_WEBHOOK: 'http://127.0.0.1:9/x',
      CLAUDE_OTEL_GUARD_TIMEOUT: '5000',
    })
    expect(messages(resolution)).toEqual([])
    const shared = {
      command: ['/usr/bin/save', 'it'],
      webhook: 'http://127.0.0.1:9/x',
      isNoticed: true,
      timeoutMs: 5000,
    }
    expect(rules(resolution).map(({ name }) => name)).toEqual([
      'context above 80%',
      'tokens above 2000000 tokens',
      'cost above $5',
      'tokens of a day above 20000000 tokens',
      'cost of a day above $50',
    ])
    for (const rule of rules(resolution)) expect(rule).toMatchObject(shared)
    expect(rules(resolve({ CLAUDE_OTEL_GUARD_COST: '5', CLAUDE_OTEL_GUARD_COMMAND: 'notify' }))).toMatchObject([
      { command: ['notify'] },
    ])
    const nested = inFile({ guard: { context: '80%', command: ['notify-send', 'x'] } })
    expect(messages(nested)).toEqual([])
    expect(rules(nested)).toMatchObject([{ ...context80, command: ['notify-send', 'x'] }] as never)
  })

  test('whose command belongs to no threshold is noted', () => {
    const { notes } = resolve({ CLAUDE_OTEL_GUARD_COMMAND: 'notify' })
    expect(notes.join()).toContain('guard.command is set (from CLAUDE_OTEL_GUARD_COMMAND), and no threshold')
  })

  test.each([
    [{ above: 5 }, 'on is not there', 'use one of: context, tokens, cost'],
    [{ on: 'money', above: 5 }, 'on is "money"', 'use one of: context, tokens, cost'],
    [{ on: 'cost' }, 'above is not there', 'use an amount in US dollars such as 5 or $2.50'],
    [{ on: 'cost', above: 0 }, 'above is 0', 'use an amount in US dollars'],
    [{ on: 'context', above: 0.8 }, 'above is 0.8', 'use a percentage such as 80%'],
    [{ on: 'context', above: '101%' }, 'above is "101%"', 'use a percentage such as 80%'],
    [{ on: 'tokens', above: '80%' }, 'above is "80%"', 'use a number of tokens'],
    [{ on: 'tokens', above: -1 }, 'above is -1', 'use a number of tokens'],
    [{ on: 'context', per: 'day', above: '80%' }, 'per is "day"', 'a context is of one session'],
    [{ on: 'cost', per: 'week', above: 5 }, 'per is "week"', 'use one of: session, day'],
    [{ on: 'cost', abov: 5, above: 5 }, '"abov" is nothing of a guard', 'did you mean above?'],
    [{ on: 'cost', above: 5, do: 'run' }, 'do is "run"', 'use "notice", or an object'],
    [{ on: 'cost', above: 5, do: { comand: ['a'] } }, '"comand" is nothing to do', 'did you mean command?'],
    [{ on: 'cost', above: 5, do: { command: [] } }, 'command is []', 'use a list of a program'],
    [{ on: 'cost', above: 5, do: { command: ['a', 1] } }, 'command is ["a",1]', 'use a list of a program'],
    [{ on: 'cost', above: 5, do: { command: ['./a'] } }, 'command is ["./a"]', 'use the absolute path'],
    [{ on: 'cost', above: 5, do: { command: ['~/a'] } }, 'command is ["~/a"]', 'use the absolute path'],
    [{ on: 'cost', above: 5, do: { webhook: 'ftp://h/secret' } }, 'webhook is "ftp://h/…"', 'use an address'],
    [{ on: 'cost', above: 5, do: { webhook: 'secret' } }, 'webhook is unreadable', 'use an address'],
    [{ on: 'cost', above: 5, do: { command: ['a'], notice: 'no' } }, 'notice is "no"', 'use true or false'],
    [{ on: 'cost', above: 5, do: { notice: false } }, 'there is nothing to do', 'name a "command" or a "webhook"'],
  ])('refuses %j', (entry, what, hint) => {
    const resolution = listed({ on: 'context', above: '80%' }, entry)
    expect(messages(resolution)).toEqual([
      expect.stringContaining(`guard number 2: ${what} (from CLAUDE_OTEL_GUARD) | ${hint}`),
    ])
    expect(rules(resolution)).toEqual([context80] as never)
  })

  test.each([
    [{ CLAUDE_OTEL_GUARD: 'context' }, 'use a list of objects such as [{"on"'],
    [
      { CLAUDE_OTEL_GUARD_CONTEXT: '120%' },
      'guard.context is "120%" (from CLAUDE_OTEL_GUARD_CONTEXT) | use a percentage',
    ],
    [
      { CLAUDE_OTEL_GUARD_COMMAND: 'bin/x' },
      'guard.command is "bin/x" (from CLAUDE_OTEL_GUARD_COMMAND) | use the absolute',
    ],
    [
      { CLAUDE_OTEL_GUARD_WEBHOOK: 'secret' },
      'guard.webhook is unreadable (from CLAUDE_OTEL_GUARD_WEBHOOK) | use an address',
    ],
  ])('is told what is wrong with %j', (env, message) => {
    expect(messages(resolve(env)).join()).toContain(message)
  })

  test('shows no secret of its webhooks, and no token of the hub', () => {
    const resolution = resolve({
      CLAUDE_OTEL_GUARD: JSON.stringify({ on: 'cost', above: 5, do: { webhook: 'https://h/SECRET1' } }),
      CLAUDE_OTEL_GUARD_WEBHOOK: 'https://hooks.example.com/SECRET2',
      CLAUDE_OTEL_HUB_TOKEN: 'SECRET3',
    })
    const shown = renderConfig(resolution)
    expect(shown).not.toContain('SECRET')
    expect(shown).toContain('cost above 5')
    expect(shown).toContain('https://hooks.example.com/…')
  })
})
