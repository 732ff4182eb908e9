/** What the guard does: commands without a shell, webhooks with a few tries, and failures that are told and disturb nothing. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GuardRule } from '../../src/config/config.ts'
import { createGuardActions, type GuardActionsOptions } from '../../src/hub/guard-actions.ts'
import type { Crossing } from '../../src/hub/guard-crossing.ts'
import { guardHealth, guardNotices } from '../../src/hub/guard-health.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { until } from '../kit/until.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-actions-'))
let store: Store
let folder = ''
const opened: Store[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(root, 'home-'))
  store = await openStore(join(folder, 'hub.db'))
  opened.push(store)
})
afterAll(() => {
  for (const each of opened) each.close()
  rmSync(root, { recursive: true })
})

const crossing: Crossing = {
  rule: 'context above 80%',
  on: 'context',
  per: 'session',
  above: 0.8,
  unit: 'share',
  value: 0.83,
  time: '2026-11-21T12:00:00.000Z',
  text: 'context above 80%: session s1 is at 83.0%, 166,000 of 200,000 tokens',
  session: {
    id: 's1',
    tokens: 500,
    costUsd: null,
    model: 'm',
    contextTokens: 166_000,
    contextLimit: 200_000,
    cwd: '/w o r k',
  },
  day: { date: '2026-11-21', tokens: 900, costUsd: 1.5 },
}

function rule(actions: Partial<GuardRule>): GuardRule {
  const { rule: name, on, per, above, unit } = crossing
  return { name, on, per, above, unit, isNoticed: false, timeoutMs: 5000, ...actions }
}

async function actionsWith(more: Partial<GuardActionsOptions> = {}) {
  const said: string[] = []
  const env = { PATH: process.env.PATH ?? '', KEPT: 'yes' }
  const notice = (message: string) => void said.push(message)
  const actions = await createGuardActions({ store, env, retryMs: [1, 1], notice, onChange: () => {}, ...more })
  return { ...actions, said, actions }
}

const later = () => AbortSignal.timeout(10_000)

async function outcomeOf(given: Partial<GuardRule>): Promise<{ what: string; hasFailed: boolean; said: string[] }> {
  const { actions, said } = await actionsWith()
  actions.start(crossing, [rule(given)])
  await actions.close(later())
  const [outcome] = actions.firings()[0]?.outcomes ?? []
  if (outcome === undefined) throw new Error('nothing came of it')
  return { ...outcome, said }
}

const sh = (script: string, ...args: string[]) => ['/bin/sh', '-c', script, 'sh', ...args]

describe('A command', () => {
  test('gets its arguments as they are, the facts as variables and as JSON, and runs from the root', async () => {
    const file = join(folder, 'told')
    const script = '{ pwd; echo "$2"; env | grep -E "^(KEPT|CLAUDE_OTEL_GUARD_)" | sort; cat; } > "$1"'
    const told = await outcomeOf({ command: sh(script, file, '$(id) `id` *') })
    expect(told).toEqual({ what: 'command /bin/sh: done', hasFailed: false, said: [] })
    const [where, argument, ...rest] = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect([where, argument]).toEqual(['/', '$(id) `id` *'])
    expect(JSON.parse(rest.pop() ?? '')).toEqual(crossing)
    expect(rest).toEqual([
      'CLAUDE_OTEL_GUARD_ABOVE=0.8',
      'CLAUDE_OTEL_GUARD_ON=context',
      'CLAUDE_OTEL_GUARD_PER=session',
      'CLAUDE_OTEL_GUARD_RULE=context above 80%',
      'CLAUDE_OTEL_GUARD_SESSION_CONTEXT_LIMIT=200000',
      'CLAUDE_OTEL_GUARD_SESSION_CONTEXT_TOKENS=166000',
      'CLAUDE_OTEL_GUARD_SESSION_CWD=/w o r k',
      'CLAUDE_OTEL_GUARD_SESSION_ID=s1',
      'CLAUDE_OTEL_GUARD_SESSION_MODEL=m',
      'CLAUDE_OTEL_GUARD_SESSION_TOKENS=500',
      `CLAUDE_OTEL_GUARD_TEXT=${crossing.text}`,
      'CLAUDE_OTEL_GUARD_TIME=2026-11-21T12:00:00.000Z',
      'CLAUDE_OTEL_GUARD_TODAY=2026-11-21',
      'CLAUDE_OTEL_GUARD_TODAY_COST_USD=1.5',
      'CLAUDE_OTEL_GUARD_TODAY_TOKENS=900',
      'CLAUDE_OTEL_GUARD_UNIT=share',
      'CLAUDE_OTEL_GUARD_VALUE=0.83',
      'KEPT=yes',
    ])
  })

  test('that reads nothing, and prints a lot, is done all the same', async () => {
    expect(await outcomeOf({ command: sh('head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2') })).toMatchObject({
      hasFailed: false,
    })
  })

  test('that fails, is killed or is not there, is told with its last words', async () => {
    const failing = await outcomeOf({ command: sh('echo first >&2; echo last words >&2; exit 3') })
    expect(failing.what).toBe('command /bin/sh ended with 3: last words')
    expect(failing.said).toEqual(['the guard’s command /bin/sh ended with 3: last words'])
    expect((await outcomeOf({ command: sh('kill -TERM $$') })).what).toBe('command /bin/sh was killed by SIGTERM')
    const missing = await outcomeOf({ command: ['/no/such/program'] })
    expect(missing).toMatchObject({
      hasFailed: true,
      what: expect.stringContaining('command /no/such/program could not be run'),
    })
  })

  test('that takes too long is ended, with what it has started', async () => {
    const file = join(folder, 'pids')
    const script = 'sleep 60 & echo $! > "$1"; echo $$ >> "$1"; wait'
    const told = await outcomeOf({ command: sh(script, file), timeoutMs: 500 })
    expect(told.what).toBe('command /bin/sh was ended: it took longer than 500 ms')
    const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number)
    expect(pids).toHaveLength(2)
    await until('both to be gone', () => pids.every((pid) => !isAlive(pid)))
  })

  test('that goes on when the hub ends is ended by its deadline', async () => {
    const file = join(folder, 'pid')
    const { actions } = await actionsWith()
    actions.start(crossing, [rule({ command: sh('echo $$ > "$1"; exec sleep 60', file), timeoutMs: 60_000 })])
    await until('it to run', () => existsSync(file) && readFileSync(file, 'utf8').includes('\n'))
    await actions.close(AbortSignal.timeout(50))
    expect(actions.firings()[0]?.outcomes).toEqual([
      { what: 'command /bin/sh was ended: the hub ended', hasFailed: true },
    ])
    await until('it to be gone', () => !isAlive(Number(readFileSync(file, 'utf8'))))
  })

  test('of many runs with no more than three others', async () => {
    const log = join(folder, 'log')
    const { actions } = await actionsWith()
    const command = sh('echo + >> "$1"; sleep 0.05; echo - >> "$1"', log)
    for (let count = 0; count < 12; count += 1) actions.start(crossing, [rule({ command })])
    await actions.close(later())
    const lines = readFileSync(log, 'utf8').trimEnd().split('\n')
    expect(lines).toHaveLength(24)
    let running = 0
    const most = Math.max(...lines.map((line) => (running += line === '+' ? 1 : -1)))
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
  })
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

describe('A webhook', () => {
  async function posted(answers: readonly number[], signal = later()) {
    const got: { method: string; type: string | null; body: unknown }[] = []
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        got.push({ method: request.method, type: request.headers.get('content-type'), body: await request.json() })
        const status = answers[got.length - 1] ?? 200
        return new Response('', { status, headers: status === 302 ? { location: '/elsewhere' } : {} })
      },
    })
    const { actions, said } = await actionsWith()
    const origin = `http://127.0.0.1:${server.port}`
    actions.start(crossing, [rule({ webhook: `${origin}/secret/path` })])
    await actions.close(signal)
    await server.stop(true)
    return { got, said, origin, outcome: actions.firings()[0]?.outcomes[0] }
  }

  test('is posted the facts once', async () => {
    const { got, outcome, origin } = await posted([204])
    expect(got).toEqual([{ method: 'POST', type: 'application/json', body: crossing }])
    expect(outcome).toEqual({ what: `webhook at ${origin}: done`, hasFailed: false })
  })

  test('that fails for the moment is tried again, three times in all', async () => {
    expect((await posted([503, 429])).got).toHaveLength(3)
    const { got, outcome, said, origin } = await posted([500, 502, 503, 200])
    expect(got).toHaveLength(3)
    expect(outcome).toEqual({ what: `webhook at ${origin} failed: it answered 503`, hasFailed: true })
    expect(said).toEqual([`the guard’s webhook at ${origin} failed: it answered 503`])
  })

  test('that refuses or points elsewhere is not tried again', async () => {
    expect((await posted([404])).got).toHaveLength(1)
    const { got, outcome } = await posted([302])
    expect(got).toHaveLength(1)
    expect(outcome?.what).toEndWith('it answered 302')
  })

  test('that nobody listens at is told, without its path', async () => {
    const free = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
    const { port } = free
    await free.stop(true)
    const { what, hasFailed } = await outcomeOf({ webhook: `http://127.0.0.1:${port}/secret` })
    expect({ what, hasFailed }).toEqual({
      what: `webhook at http://127.0.0.1:${port} failed: it cannot be reached`,
      hasFailed: true,
    })
  })
})

describe('What has fired', () => {
  test('is news when it fires, and when something has come of it', async () => {
    const news: string[] = []
    const { actions } = await actionsWith({ onChange: (id) => news.push(id) })
    actions.start(crossing, [rule({ command: ['true'] })])
    expect(news).toEqual(['s1'])
    await actions.close(later())
    expect(news).toEqual(['s1', 's1'])
  })

  test('too often at once is told instead of done', async () => {
    const { actions, said } = await actionsWith()
    for (let count = 0; count < 110; count += 1) actions.start(crossing, [rule({ command: ['true'] })])
    await actions.close(later())
    expect(said).toEqual(Array.from({ length: 6 }, () => 'the guard’s queue is full: not done'))
    const [last] = actions.firings()
    expect(last?.outcomes).toEqual([{ what: 'queue is full: not done', hasFailed: true }])
  })

  test('is told a person where that is wanted, and is known with its outcome after a restart', async () => {
    const first = await actionsWith()
    first.actions.start(crossing, [rule({ command: ['false'] }), rule({ isNoticed: true })])
    first.actions.start({ ...crossing, time: '2026-11-21T13:00:00.000Z', text: 'quiet' }, [rule({ command: ['true'] })])
    await first.actions.close(later())
    expect(first.said).toEqual([crossing.text, 'the guard’s command false ended with 1'])
    const firings = (await actionsWith()).actions.firings()
    expect(firings).toEqual(first.actions.firings())
    expect(guardNotices(firings, Date.parse(crossing.time))).toEqual([
      { text: crossing.text, unixMicro: Date.parse(crossing.time) * 1000, sessionId: 's1' },
    ])
    expect(guardNotices(firings, Date.parse(crossing.time) + 86_400_000)).toEqual([])
    const [section] = guardHealth([rule({}), rule({ command: ['true'] })], firings)
    expect(section?.lines).toMatchObject([
      { label: 'context above 80%', value: 'watched', level: 'ok' },
      { label: 'quiet', level: 'ok', hint: 'command true: done' },
      { label: crossing.text, level: 'error', hint: 'command false ended with 1' },
    ])
    expect(guardHealth([], [])).toEqual([])
  })
})

test('What was done is written down before it ends, in its order, by a store that takes its time', async () => {
  const kept: string[] = []
  const slow = {
    marks: () => [],
    putMark: async ({ value }: { readonly value: string }) => {
      await new Promise((resolve) => setImmediate(resolve))
      kept.push(JSON.parse(value).outcomes.length)
    },
  }
  const { actions } = await actionsWith({ store: slow })
  actions.start(crossing, [rule({ command: ['true'] })])
  await actions.close(later())
  expect(kept.map(Number)).toEqual([0, 1])
})
