/** The dashboard's server: who may look, what is answered, and that nobody waits for anybody. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Failure } from '../../src/base/errors.ts'
import { createFeed, type Feed } from '../../src/dashboard/feed.ts'
import { type Dashboard, type DashboardOptions, startDashboard } from '../../src/dashboard/server.ts'
import type { RowView } from '../../src/dashboard/session-view.ts'
import type { SessionView } from '../../src/dashboard/views.ts'
import type { WaterfallRow } from '../../src/dashboard/waterfall.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import { processorMs } from '../kit/cost.ts'
import { until } from '../kit/until.ts'
import { readBoth } from './both.ts'
import { batchesOf, recorded } from './recorded.ts'
import { Story, second, usageOf } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-dashboard-'))
afterAll(() => rmSync(root, { recursive: true }))

let store: Store
let feed: Feed
let dashboards: Dashboard[]

beforeEach(async () => {
  store = await openStore(join(mkdtempSync(join(root, 'home-')), 'hub.db'))
  feed = createFeed({ gatherMs: 5 })
  dashboards = []
})

afterEach(async () => {
  for (const dashboard of dashboards) await dashboard.close()
  feed.close()
  store.close()
})

async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
  const dashboard = await startDashboard({ host: '127.0.0.1', port: 0, store, feed, health: () => [], ...options })
  dashboards.push(dashboard)
  return dashboard
}

async function add(story: Story): Promise<void> {
  for (const batch of story.batches()) {
    await store.append(batch)
    feed.publish(batch)
  }
}

async function statusOf(url: string, init: RequestInit = {}): Promise<number> {
  const response = await fetch(url, { redirect: 'manual', ...init })
  await response.body?.cancel()
  return response.status
}

describe('Who may look', () => {
  test('is who calls the dashboard by one of its own names', async () => {
    const { url, port } = await start()
    const called = (host: string) => statusOf(`${url}/api/now`, { headers: { host } })
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST`, `[::1]:${port}`, 'localhost:9']) {
      expect(await called(host)).toBe(200)
    }
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1.evil.example',
      '192.168.1.7',
      'localhost.evil',
    ]) {
      expect(await called(host)).toBe(421)
    }
  })

  test('is no page of another site', async () => {
    const { url, port } = await start()
    const from = (headers: Record<string, string>) => statusOf(`${url}/api/now`, { headers })
    expect(await from({ origin: url })).toBe(200)
    expect(await from({ origin: 'https://evil.example' })).toBe(403)
    expect(await from({ origin: `http://localhost:${port}` })).toBe(403)
    expect(await from({ origin: 'null' })).toBe(403)
    expect(await from({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' })).toBe(403)
    expect(await from({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' })).toBe(200)
    expect(await from({ 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' })).toBe(200)
  })

  test('can only read', async () => {
    const { url } = await start()
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect(await statusOf(`${url}/api/now`, { method })).toBe(405)
    }
    const head = await fetch(`${url}/page.js`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
      200,
      'text/javascript; charset=utf-8',
      '',
    ])
  })

  test('has the token where there is one, by header, or by the cookie that the first visit leaves', async () => {
    const { url, port } = await start({ token: 'tok en/1' })
    const visit = (path: string, headers: Record<string, string> = {}) => statusOf(`${url}${path}`, { headers })
    for (const path of ['/', '/page.js', '/api/now', '/events']) expect(await visit(path)).toBe(401)
    expect(await visit('/api/now', { authorization: 'Bearer tok en/1' })).toBe(401)
    expect(await visit('/?token=wrong')).toBe(401)
    expect(await visit('/api/now?token=tok%20en/1')).toBe(401)
    const first = await fetch(`${url}/?token=tok%20en/1`, { redirect: 'manual' })
    expect([first.status, first.headers.get('location')]).toEqual([303, '/'])
    const cookie = first.headers.get('set-cookie') ?? ''
    expect(cookie).toMatch(new RegExp(`^claude_otel_${port}=[0-9a-f]{64}; HttpOnly; SameSite=Strict; Path=/`))
    expect(await visit('/api/now', { cookie: cookie.split(';')[0] ?? '' })).toBe(200)
    expect(await visit('/api/now', { cookie: `claude_otel_${port}=${'0'.repeat(64)}` })).toBe(401)
  })

  test('needs a token beyond loopback', async () => {
    expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({ kind: 'config' })
    const { port } = await start({ host: '0.0.0.0', token: 'abc' })
    const url = `http://127.0.0.1:${port}/api/now`
    expect(await statusOf(url)).toBe(401)
    expect(await statusOf(url, { headers: { authorization: 'bearer abc' } })).toBe(200)
    expect(await statusOf(url, { headers: { authorization: 'Bearer abc', host: 'evil.example' } })).toBe(421)
  })

  test('gets nothing that runs code or comes from elsewhere', async () => {
    const { url } = await start({ token: 'abc' })
    const authorization = 'Bearer abc'
    const paths = ['/', '/page.css', '/api/now', '/nothing', '/events']
    const responses = await Promise.all(paths.map((path) => fetch(`${url}${path}`, { headers: { authorization } })))
    for (const response of [...responses, await fetch(url)]) {
      const { headers } = response
      expect(headers.get('content-security-policy')).toContain(
        "default-src 'none'; script-src 'self'; style-src 'self'",
      )
      expect(headers.get('content-security-policy')).not.toContain('unsafe')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('access-control-allow-origin')).toBeNull()
      await response.body?.cancel()
    }
  })
})

describe('The page', () => {
  test('is whole in itself: script and style are there, and nothing of another host', async () => {
    const { url } = await start()
    const html = await (await fetch(url)).text()
    const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? '')
    const own = links.filter((link) => !link.startsWith('data:'))
    expect(own).toEqual(['/page.css', '/page.js'])
    for (const link of own) expect((await (await fetch(`${url}${link}`)).text()).length).toBeGreaterThan(5000)
    expect(html).not.toContain('<style')
    expect(html).not.toMatch(/<script(?![^>]*src=)/)
    const css = await (await fetch(`${url}/page.css`)).text()
    expect(css).not.toMatch(/url\(|@import/)
  })

  test('is asked for again each time, and sent only when it is another', async () => {
    const { url } = await start()
    const first = await fetch(`${url}/page.js`)
    const etag = first.headers.get('etag') ?? ''
    expect([etag.length > 10, first.headers.get('cache-control')]).toEqual([true, 'no-cache'])
    expect(await statusOf(`${url}/page.js`, { headers: { 'if-none-match': etag } })).toBe(304)
    expect(await statusOf(`${url}/page.js`, { headers: { 'if-none-match': '"other"' } })).toBe(200)
  })
})

describe('The port', () => {
  test('that is taken is told with the mend', async () => {
    const { port } = await start()
    const failure = await start({ port }).catch((error) => error)
    expect(failure).toBeInstanceOf(Failure)
    expect(failure).toMatchObject({ kind: 'unavailable', message: `port ${port} on 127.0.0.1 is taken` })
    expect(failure.hint).toContain('--port')
  })

  test('is free again after close, though somebody still listens to events', async () => {
    const first = await start()
    const events = await fetch(`${first.url}/events`)
    await first.close()
    const second = await start({ port: first.port })
    expect(second.port).toBe(first.port)
    expect(await events.text().catch(() => 'cut')).toBeString()
  })

  test('leaves nobody behind who listens to the feed', async () => {
    let listeners = 0
    const counted = (unsubscribe: () => void) => {
      listeners += 1
      return () => {
        listeners -= 1
        unsubscribe()
      }
    }
    const watched: Feed = {
      get lastId() {
        return feed.lastId
      },
      publish: (batch) => feed.publish(batch),
      announce: (sessions) => feed.announce(sessions),
      after: (id) => feed.after(id),
      onBatch: (listener) => counted(feed.onBatch(listener)),
      onChange: (listener) => counted(feed.onChange(listener)),
      close: () => {},
    }
    const { close, port } = await startDashboard({ host: '127.0.0.1', port: 0, store, feed: watched, health: () => [] })
    expect(listeners).toBe(2)
    await startDashboard({ host: '127.0.0.1', port, store, feed: watched, health: () => [] }).catch(() => {})
    expect(listeners).toBe(2)
    await close()
    expect(listeners).toBe(0)
  })

  test('of an address that is not ours is a failure too', () => {
    expect(start({ host: '192.0.2.1', token: 'abc' })).rejects.toMatchObject({ kind: 'unavailable' })
  })
})

describe('The answers', () => {
  const nowMicro = () => Date.now() * 1000

  async function json<Answer>(url: string): Promise<Answer> {
    const response = await fetch(url)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    return response.json() as Promise<Answer>
  }

  test('tell a recorded session: its rows, its turns, its log records, each span as it was recorded', async () => {
    const session = await recorded('demo')
    const { url } = await start()
    for (const batch of batchesOf(session)) await store.append(batch)
    const id = String(session.spans[0]?.attributes['session.id'])
    const view = await json<SessionView>(`${url}/api/sessions/${id}`)
    expect(view).toMatchObject({ rowCount: session.spans.length, session: { id, state: 'ended', title: 'go' } })
    const path = `${url}/api/sessions/${id}`
    const first = await json<{ rows: WaterfallRow[]; revision: string }>(`${path}/rows?limit=10`)
    const rest = await json<{ rows: WaterfallRow[] }>(`${path}/rows?offset=10`)
    expect(first.revision).toBe(view.revision)
    expect([first.rows.length, rest.rows.length]).toEqual([10, session.spans.length - 10])
    expect(new Set([...first.rows, ...rest.rows].map(({ spanId }) => spanId)).size).toBe(session.spans.length)
    const logs = await json<unknown[]>(`${path}/logs`)
    expect(logs).toHaveLength(session.logs.length)
    expect(await json<unknown[]>(`${path}/logs?offset=${logs.length - 1}`)).toEqual(logs.slice(-1))
    const bash = session.spans.find(({ name }) => name === 'execute_tool Bash')
    const { parts } = await json<RowView>(`${path}/rows/${bash?.spanId}`)
    expect(Object.fromEntries(parts[0]?.attributes ?? [])['input.summary']).toBe(
      String(bash?.attributes['input.summary']),
    )
  })

  test('have the words of all who tell of a thing, ours first', async () => {
    const both = readBoth('terminal')
    const { url } = await start()
    for (const batch of batchesOf(both)) await store.append(batch)
    const path = `${url}/api/sessions/${String(both.spans[0]?.attributes['session.id'])}`
    const { rows } = await json<{ rows: WaterfallRow[] }>(`${path}/rows`)
    const parts = async (row: WaterfallRow | undefined) => {
      const view = await json<RowView>(`${path}/rows/${encodeURIComponent(row?.spanId ?? '')}`)
      return view.parts.map(({ teller, name, attributes }) => [teller, name, Object.fromEntries(attributes)] as const)
    }
    const call = await parts(rows.find(({ kind }) => kind === 'tool'))
    expect(call.map(([teller, name]) => `${teller} ${name}`)).toEqual([
      'claude-otel execute_tool Bash',
      'claude-code claude_code.tool',
      'claude-code claude_code.tool.execution',
      'event tool_result',
    ])
    const ids = call.map(([, , attributes]) => attributes['tool.use_id'] ?? attributes.tool_use_id)
    expect(new Set(ids).size).toBe(1)
    const [, event] = await parts(rows.find(({ detail }) => detail === 'compaction'))
    expect(event?.[2]).toMatchObject({ query_source: 'compact' })
    const unknown = await fetch(`${path}/rows/nothing`)
    expect(unknown.status).toBe(404)
  })

  test('change with what comes', async () => {
    const { url } = await start()
    const story = new Story('s1', nowMicro())
    story.log('session.start', 0, {}, story.newId())
    await add(story)
    const before = await json<SessionView>(`${url}/api/sessions/s1`)
    expect(before).toMatchObject({ rowCount: 1, session: { state: 'active' } })
    story.chat(0, 1, [1, 2, 3, 4])
    await add(story)
    const after = await json<SessionView>(`${url}/api/sessions/s1`)
    expect(after).toMatchObject({ rowCount: 2, tokens: { input: 1 } })
    expect(after.revision).not.toBe(before.revision)
  })

  test('say what goes on, after a restart too', async () => {
    const story = new Story('s1', nowMicro() - 60 * second)
    const model = { 'gen_ai.response.model': 'claude-opus-5-5', 'vcs.repository.name': 'shop' }
    story.log('session.start', 0, model, story.newId())
    for (const at of [1, 11, 21]) story.chat(at, at + 1, [100, 400, 40_000 + at * 1000, 500], undefined, {})
    story.log('claude.tool.start', 30, { 'tool.name': 'Bash', 'tool.use_id': 'u1', 'input.summary': 'make' })
    story.log('claude.permission.asked', 31, { 'tool.name': 'Bash', 'tool.use_id': 'u1' })
    story.log('claude.tool.error', 32, { 'tool.name': 'Read', 'tool.use_id': 'u0' }, undefined, 'Read failed')
    for (const batch of story.batches()) await store.append(batch)
    const fact = { model: 'claude-opus-5-5', project: 'shop', sessionId: 's1', querySource: 'main', costUsd: 0.6 }
    const tokens = { inputTokens: 100, outputTokens: 200, cacheReadTokens: 3000, cacheCreationTokens: 700 }
    const usage = usageOf([{ ...fact, ...tokens, atMs: Date.now() - 1000 }], { 'claude-opus-5-5': 200_000 })
    const { url } = await start({ usage })
    expect(await json<object>(`${url}/api/now`)).toMatchObject({
      sessions: [
        {
          id: 's1',
          state: 'active',
          project: 'shop',
          today: tokens,
          live: { inFlight: [{ name: 'Bash', detail: 'make', isAsking: true }], sources: ['claude-otel'] },
          context: { tokens: 62_000, windowTokens: 200_000, forecast: { minutes: expect.closeTo(1.75) } },
        },
      ],
      usage: { today: tokens, burn: { tokensPerMinute: 400, usdPerHour: expect.closeTo(3.6) } },
      errors: [{ sessionId: 's1', text: 'Read failed' }],
    })
    // What was there before the start has not arrived since.
    expect(await json<object>(`${url}/api/health`)).toMatchObject({ arrivals: [], store: { spans: 3, logs: 4 } })
  })

  test('sum usage by day, model, project and session; sessions are listed without it too', async () => {
    const story = new Story('s1', nowMicro() - 60 * second)
    story.session(0, 10, { 'process.working_directory': '/home/dev/shop' })
    await add(story)
    const tokens = { inputTokens: 1, outputTokens: 2, cacheReadTokens: 3, cacheCreationTokens: 4, costUsd: null }
    const fact = { model: 'm', project: 'shop', sessionId: 's2', querySource: 'main', ...tokens }
    const usage = usageOf([
      { ...fact, atMs: Date.now() - 1000 },
      { ...fact, atMs: Date.now() - 1000, model: 'n', sessionId: 's1' },
      { ...fact, atMs: Date.now() - 40 * 86_400_000 },
    ])
    const { url } = await start({ usage })
    const keys = async (query: string) => {
      const { rows } = await json<{ rows: { key: string }[] }>(`${url}/api/history?${query}`)
      return rows.map(({ key }) => key).sort()
    }
    expect(await keys('by=model')).toEqual(['m', 'n'])
    expect(await keys('by=project')).toEqual(['shop'])
    expect(await keys('by=day&days=50')).toHaveLength(2)
    expect(await keys('by=day&days=1')).toHaveLength(1)
    expect(await keys('by=sessionId')).toEqual(['s1', 's2'])
    const plain = await start()
    const history = await json<object>(`${plain.url}/api/history?by=sessionId`)
    expect(history).toMatchObject({
      hasUsage: false,
      rows: [{ key: 's1', session: { project: 'shop', state: 'ended' } }],
    })
  })

  test('are 404 for what is not there', async () => {
    const { url } = await start()
    const paths = [
      'sessions/none',
      'sessions/none/rows',
      'spans/00/00',
      `spans/${'0'.repeat(32)}/${'0'.repeat(16)}`,
      '',
      'x',
    ]
    for (const path of [...paths, 'sessions/%E0%A4%A', '../etc/passwd']) {
      expect(await statusOf(`${url}/api/${path}`)).toBe(404)
    }
    expect(await (await fetch(`${url}/api/sessions/none/logs`)).json()).toEqual([])
  })

  test('of a session of ten thousand spans keep nobody else waiting', async () => {
    const story = new Story('big', nowMicro() - 20_000 * second)
    const turn = story.turn(1, 0, 10_001)
    const words = 'x'.repeat(200)
    for (let index = 0; index < 10_000; index += 1) {
      story.tool('Bash', index, index + 1, turn, {
        duration_ms: 900,
        'tool.input.command': words,
        'tool.response.stdout': words,
      })
    }
    for (const batch of story.batches()) await store.append(batch)
    const { url } = await start()
    let longestMs = 0
    let lastMs = processorMs()
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, processorMs(lastMs))
      lastMs = processorMs()
    }, 1)
    const view = await json<SessionView>(`${url}/api/sessions/big`)
    clearInterval(timer)
    expect(view.rowCount).toBe(10_001)
    expect(longestMs).toBeLessThan(250)
  })
})

describe('Events', () => {
  test('come when something does, and a client that reads nothing is let go', async () => {
    const { url, port } = await start({ streams: { maxWaitingBytes: 64 * 1024 } })
    const reader = (await fetch(`${url}/events`)).body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    const reading = (async () => {
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { value: undefined, done: true }
        if (done) return
        text += decoder.decode(value as Uint8Array, { stream: true })
      }
    })()
    const deaf = connect(port, '127.0.0.1')
    let isCut = false
    deaf.on('close', () => {
      isCut = true
    })
    deaf.on('error', () => {})
    deaf.write(`GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    await new Promise<void>((resolve) => deaf.once('readable', resolve))
    const long = `session-${'x'.repeat(300_000)}`
    let sent = 0
    await until('the deaf client to be cut off', () => {
      const story = new Story(`${long}${sent}`, nowMicro())
      story.log('claude.user_prompt', 0, {})
      for (const batch of story.batches()) feed.publish(batch)
      sent += 1
      // Only one who reads hears that it is cut off: by then far more than a socket holds has been said.
      if (sent === 100) deaf.resume()
      return isCut
    })
    await until('the other to hear of all', () => text.includes(`${long}${sent - 1}"`))
    await reader?.cancel()
    await reading
  }, 20_000)

  const nowMicro = () => Date.now() * 1000
})
