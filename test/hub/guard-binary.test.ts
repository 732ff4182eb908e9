/** The guard of the compiled binary: a recorded session is posted, a command and a webhook hear of it, once over restarts. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import type { NowView } from '../../src/dashboard/overview.ts'
import type { Crossing } from '../../src/hub/guard-crossing.ts'
import { claudeOtelBinary, run } from '../kit/claude-home.ts'
import { text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { clear, openStage } from '../sessions/play.ts'
import { bash, unattended } from '../sessions/words.ts'
import { createHubHome, type HubHome, type HubProcess } from './kit.ts'
import { postedNow } from './moved.ts'

beforeAll(buildIfStale, 60_000)

const homes: HubHome[] = []
afterAll(() => {
  for (const home of homes) home.remove()
})

function hubHome(): HubHome {
  const home = createHubHome()
  homes.push(home)
  return home
}

async function post(hub: HubProcess, agoMs = 0): Promise<void> {
  for (const { path, body } of postedNow('70-tui-cumulative', agoMs)) {
    const url = `http://127.0.0.1:${hub.httpPort}${path}`
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(response.status).toBe(200)
  }
}

/** In the recording: `/clear` makes it two. */
const [first, second] = ['e874c9c8-b24a-4300-905f-68a05e8912f7', '2ee6f135-a845-477d-bf76-40793dc7b73a'] as const

describe('The guard', () => {
  test('tells a command and a webhook what was crossed, says it once, and shows it', async () => {
    const home = hubHome()
    const heard: Crossing[] = []
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: async (request) => {
        heard.push((await request.json()) as Crossing)
        return new Response()
      },
    })
    const file = join(home.path, 'heard')
    const transcript = join(home.path, '.claude/projects/-w', `${first}.jsonl`)
    mkdirSync(join(home.path, '.claude/projects/-w'), { recursive: true })
    writeFileSync(transcript, '')
    const rules = [
      { on: 'context', above: 21_400, do: { command: ['/bin/sh', '-c', 'cat >> "$0"', file] } },
      { on: 'tokens', per: 'day', above: 100, do: { webhook: `http://127.0.0.1:${server.port}/x`, notice: false } },
    ]
    const configured = { CLAUDE_OTEL_GUARD: JSON.stringify(rules) }
    const lines = () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [])
    try {
      const hub = await home.start([], configured)
      await post(hub)
      await until('both', () => lines().length === 2 && heard.length === 1)
      // Both run at once.
      const told = lines().map((line) => JSON.parse(line) as Crossing)
      expect(told.map(({ session }) => session.id).sort()).toEqual([second, first])
      expect(told.find(({ session }) => session.id === first)).toMatchObject({
        rule: 'context above 21400 tokens',
        session: { model: 'claude-opus-5-5', contextLimit: 1_000_000, transcript },
      })
      expect(heard[0]).toMatchObject({ on: 'tokens', per: 'day', above: 100 })
      const said = () =>
        hub
          .stderr()
          .split('\n')
          .filter((line) => line.includes('context above 21400 tokens'))
      expect(said()).toHaveLength(2)
      expect(hub.stderr()).not.toContain('tokens of a day')
      const now = (await (await fetch(`http://127.0.0.1:${hub.port}/api/now`)).json()) as NowView
      expect(now.notices.map(({ sessionId }) => sessionId)).toEqual([second, first])
      expect(now.sessions.map(({ context }) => context?.windowTokens)).toEqual([1_000_000, 1_000_000])
      expect(await hub.end()).toBe(0)

      // A rule that is new, and looked at behind the others, says when they have been.
      const more = JSON.stringify([...rules, { on: 'tokens', above: 100 }])
      const again = await home.start([], { CLAUDE_OTEL_GUARD: more })
      await post(again)
      const news = (line: string) => line.endsWith(' tokens (tokens above 100 tokens)')
      const saidAgain = () =>
        again
          .stderr()
          .split('\n')
          .filter((line) => line !== '')
      await until('both sessions to be looked at', () => saidAgain().filter(news).length === 2)
      await again.end()
      expect([lines().length, heard.length]).toEqual([2, 1])
      expect(saidAgain().filter((line) => !news(line))).toEqual([])
    } finally {
      await server.stop(true)
    }
  }, 60_000)

  test('is silent about what happened an hour ago, and about a command that cannot be run tells how', async () => {
    const home = hubHome()
    const env = { CLAUDE_OTEL_GUARD_TOKENS: '100', CLAUDE_OTEL_GUARD_COMMAND: '/no/such/program' }
    const hub = await home.start([], env)
    await post(hub, 3_600_000)
    const totals = (await hub.usage()).totals
    expect(totals.outputTokens).toBeGreaterThan(0)
    expect(hub.stderr()).toBe('')
    await post(hub)
    await until('the failure', () => hub.stderr().includes('command /no/such/program could not be run'))
    expect(hub.stderr()).toContain(`session ${first.slice(0, 8)} is at `)
    expect(await hub.end()).toBe(0)
  }, 60_000)

  test('that is set up wrongly does not begin, and says what would be right', async () => {
    const bad = { CLAUDE_OTEL_GUARD_CONTEXT: '120%' }
    await expect(hubHome().start([], bad)).rejects.toThrow(
      'guard.context is "120%" (from CLAUDE_OTEL_GUARD_CONTEXT)\n  use a percentage such as 80%',
    )
  })
})

describe('The guard of a hub in the background', () => {
  test('acts on a session of the real claude, and knows its transcript and its folder', async () => {
    const stage = await openStage(() => ({ main: [tools(bash('echo one')), text('Done.')] }))
    const file = join(stage.home.path, 'heard')
    const free = () => {
      const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
      const { port } = server
      server.stop(true)
      return String(port)
    }
    const env = stage.home.environment(stage.api.url, {
      CLAUDE_OTEL_HUB: undefined,
      CLAUDE_OTEL_HUB_GRPC_PORT: free(),
      OTLP_RECEIVER_PORT: free(),
      CLAUDE_OTEL_HUB_PORT: '0',
      CLAUDE_OTEL_GUARD_CONTEXT: '1000',
      CLAUDE_OTEL_GUARD_COMMAND: JSON.stringify(['/bin/sh', '-c', 'cat > "$0".new; mv "$0".new "$0"', file]),
    })
    const ours = (...args: string[]) => run({ command: [claudeOtelBinary, ...args], cwd: stage.home.project, env })
    try {
      expect(await ours('-p', 'Go', ...unattended)).toMatchObject({ exitCode: 0, stdout: 'Done.\n' })
      await until('the command', () => existsSync(file))
      const { session } = JSON.parse(readFileSync(file, 'utf8')) as Crossing
      expect(session).toMatchObject({ cwd: stage.home.project, contextLimit: 1_000_000 })
      expect(session.contextTokens).toBeGreaterThan(1000)
      expect(readFileSync(session.transcript ?? '', 'utf8')).toContain(session.id)
    } finally {
      await ours('serve', '--stop')
      await clear(stage)
    }
  }, 60_000)
})

describe('The prices of a user', () => {
  test('that cannot be used are told with what is wrong in them', async () => {
    const home = hubHome()
    const path = join(home.path, 'prices.json')
    writeFileSync(path, '{"models": {"claude-opus-5-5": {"input": "4"}}}')
    await expect(home.start([], { CLAUDE_OTEL_PRICES: path })).rejects.toThrow(
      `prices cannot be used: "models.claude-opus-5-5.input" is "4" (from ${path})`,
    )
    await expect(home.start([], { CLAUDE_OTEL_PRICES: `${path}.not` })).rejects.toThrow(
      `the prices in ${path}.not cannot be read`,
    )
  })
})
