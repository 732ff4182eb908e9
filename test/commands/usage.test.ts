/** Usage in the terminal, by the compiled binary: history from recorded transcripts, told in every form. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { parseSince } from '../../src/commands/usage.ts'
import { openStore } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { vendoredPrices } from '../../src/usage/pricing.ts'
import { readBatches } from '../usage/recorded.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-usage-cli-'))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
})

function cli(...args: readonly string[]) {
  return cliWith({}, ...args)
}

async function cliWith(more: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const env = { ...more, PATH: '/usr/bin:/bin', HOME: home, CLAUDE_OTEL_HOME: join(home, 'otel'), TZ: 'UTC' }
  const child = Bun.spawn([BINARY, ...args], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  return { stdout, stderr, code: await child.exited }
}

const session = '8e81773f-71a1-4f64-ae8c-306fb2dd89aa'
const recorded = join(import.meta.dir, '../fixtures/hooks/tools/transcripts')
/** What the scripted API served in that session, subagent included. */
const served = { inputTokens: 1055, outputTokens: 455, cacheReadTokens: 30055, cacheCreationTokens: 2055 }

/** Where Claude Code keeps them, untouched for an hour. */
function placeTranscripts(project = 'proj'): string {
  const folder = join(home, '.claude/projects', project)
  mkdirSync(folder, { recursive: true })
  cpSync(recorded, folder, { recursive: true })
  rest(folder)
  return folder
}

function rest(folder: string): void {
  const then = new Date(Date.now() - 3_600_000)
  for (const name of readdirSync(folder, { recursive: true })) utimesSync(join(folder, String(name)), then, then)
}

async function totals(): Promise<object> {
  const { stdout } = await cli('usage', '--json')
  return JSON.parse(stdout).totals
}

describe('history', () => {
  test('is every answer of every transcript, subagents included, each once however often it is taken', async () => {
    placeTranscripts()
    const first = JSON.parse((await cli('backfill', '--json')).stdout)
    expect(first).toMatchObject({ requests: 10, newRequests: 10, skipped: 0, unreadable: [] })
    expect(await totals()).toMatchObject(served)
    const second = JSON.parse((await cli('backfill', '--json')).stdout)
    expect(second).toMatchObject({ requests: 0, newRequests: 0, skipped: second.files })
    expect(await totals()).toMatchObject(served)
  })

  test('counts what a fork has copied once, for the session that it was asked in', async () => {
    const folder = placeTranscripts()
    const copied = readFileSync(join(folder, `${session}.jsonl`), 'utf8').replaceAll(
      `"sessionId":"${session}"`,
      `"sessionId":"fork","requestSessionId":"${session}"`,
    )
    writeFileSync(join(folder, 'fork.jsonl'), copied)
    rest(folder)
    await cli('backfill')
    expect(await totals()).toMatchObject(served)
    const { rows } = JSON.parse((await cli('usage', 'session', '--json')).stdout)
    expect(rows.map((row: { session: string }) => row.session)).toEqual([session])
  })

  test('of a transcript that has grown takes what is new, and leaves an answer that may go on for later', async () => {
    const folder = placeTranscripts()
    await cli('backfill')
    const answer = (id: string) =>
      `${JSON.stringify({
        type: 'assistant',
        sessionId: session,
        timestamp: '2026-11-21T10:00:00.000Z',
        message: { id, model: 'claude-opus-5-5', usage: { input_tokens: 1000, output_tokens: 0 } },
      })}\n`
    appendFileSync(join(folder, `${session}.jsonl`), `${answer('msg_a')}${answer('msg_b')}half a li`)
    await cli('backfill')
    expect(await totals()).toMatchObject({ ...served, inputTokens: served.inputTokens + 1000 })
    rest(folder)
    await cli('backfill')
    expect(await totals()).toMatchObject({ ...served, inputTokens: served.inputTokens + 2000 })
  })

  test('is taken of files that are named, and says which cannot be read', async () => {
    copyFileSync(join(recorded, `${session}.jsonl`), join(home, 'one.jsonl'))
    rest(home)
    const { stdout } = await cli('backfill', join(home, 'one.jsonl'))
    expect(stdout).toMatch(/^1 transcript, .*\n8 answers, of which 8 new\n$/)
    const { code, stderr } = await cli('backfill', join(home, 'gone.jsonl'))
    expect(code).toBe(65)
    expect(stderr).toContain('gone.jsonl')
  })
})

describe('usage', () => {
  test('is a table for people, rows for programs and a file for spreadsheets', async () => {
    placeTranscripts()
    await cli('backfill')
    const { stdout } = await cli('usage', 'model')
    const lines = stdout.split('\n').map((line) => line.trim().split(/\s{2,}/))
    expect(lines[0]).toEqual(['model', 'input', 'output', 'cache read', 'cache creation', 'cost'])
    const all = lines.find(([name]) => name === 'all')
    expect(all?.slice(0, 5)).toEqual(['all', '1,055', '455', '30,055', '2,055'])
    expect(all?.[5]).toMatch(/^\$\d+\.\d\d$/)
    expect(stdout).toEndWith(`\ncost: ${all?.[5]} by the price table of ${vendoredPrices.date}\n`)
    const csv = (await cli('usage', 'day', '--csv')).stdout.split('\r\n')
    expect(csv[0]).toBe('day,inputTokens,outputTokens,cacheReadTokens,cacheCreationTokens,costUsd')
    expect(csv[1]).toMatch(/^\d{4}-\d\d-\d\d,1055,455,30055,2055,0\.\d+$/)
    const { rows } = JSON.parse((await cli('usage', 'week', '--json')).stdout)
    expect(new Date(`${rows[0].week}T00:00:00Z`).getUTCDay()).toBe(1)
  })

  test('of a time is of that time', async () => {
    placeTranscripts()
    await cli('backfill')
    expect((await cli('usage', '--since', '2999-01-01')).stdout).toBe('nothing was used in that time\n')
    expect(JSON.parse((await cli('usage', '--since', '2999-01-01', '--json')).stdout)).toEqual({
      totals: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0, costUsd: 0 },
      rows: [],
      costSources: {},
      captured: {},
    })
  })

  test('is priced by the user’s file before the table, and says so; a file that is wrong is told', async () => {
    placeTranscripts()
    const path = join(home, 'prices.json')
    const env = { CLAUDE_OTEL_PRICES: path }
    const price = { input: 1000, output: 0, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0 }
    writeFileSync(path, '{"models": {"claude-opus-5-5": {"input": "4"}}}')
    const refused = await cliWith(env, 'backfill')
    expect(refused.code).toBe(78)
    expect(refused.stderr).toContain(`prices cannot be used: "models.claude-opus-5-5.input" is "4" (from ${path})`)
    writeFileSync(path, JSON.stringify({ models: { 'claude-opus-5-5': price } }))
    await cliWith(env, 'backfill')
    const { totals: all, costSources } = JSON.parse((await cli('usage', '--json')).stdout)
    expect(all.costUsd).toBeCloseTo((served.inputTokens * 1000) / 1e6)
    expect(costSources).toEqual({ user: all.costUsd })
    expect((await cli('usage')).stdout).toContain(`cost: $${all.costUsd.toFixed(2)} by your prices\n`)
  })

  test('of sessions whose sources differ says what each has captured', async () => {
    const path = join(home, 'hub.db')
    const store = await openStore(path)
    const [, ...fewer] = readBatches('05-full-grpc').flatMap((batch): OtlpBatch[] =>
      batch.signal === 'logs' ? batch.logs.map((log) => ({ signal: 'logs', logs: [log] })) : [],
    )
    const requests = fewer.filter((batch) => batch.signal === 'logs' && batch.logs[0]?.eventName === 'api_request')
    const metrics = readBatches('05-full-grpc').filter(({ signal }) => signal === 'metrics')
    for (const batch of [...metrics, ...requests.slice(1)]) await store.append(batch)
    store.close()
    const { rows, captured } = JSON.parse((await cli('usage', 'session', '--json', '--store', path)).stdout)
    expect(captured).toEqual({ metrics: 1, events: expect.any(Number) })
    expect(captured.events).toBeGreaterThan(0.5)
    expect(captured.events).toBeLessThan(0.999)
    expect(rows).toMatchObject([{ captured: { events: captured.events } }])
    const percent = (Math.floor(captured.events * 1000) / 10).toFixed(1)
    const { stdout } = await cli('usage', 'session', '--store', path)
    expect(stdout).toEndWith(`captured: events ${percent} % of what is counted; sources differ in 1 session\n`)
    expect(JSON.parse((await cli('usage', 'day', '--json', '--store', path)).stdout).rows[0]).not.toHaveProperty(
      'captured',
    )
  })

  test('that nobody has kept says what to do', async () => {
    const { code, stderr } = await cli('usage')
    expect(code).toBe(65)
    expect(stderr).toContain('claude-otel backfill')
  })

  test.each([
    [['usage', 'colour'], 'use one of: day, week'],
    [['usage', '--since', 'soon'], 'use 12h, 7d'],
    [['usage', '--store', 'redis://x'], 'the store is "redis://x"'],
  ])('refuses %p with what would be right', async (args, hint) => {
    const { code, stderr } = await cli(...args)
    expect(code).not.toBe(0)
    expect(stderr).toContain(hint)
  })

  test('reads times as people write them', () => {
    const now = Date.UTC(2026, 10, 21, 12)
    expect(parseSince('12h', now)).toBe(now - 43_200_000)
    expect(parseSince('7d', now)).toBe(now - 604_800_000)
    expect(parseSince('2w', now)).toBe(now - 1_209_600_000)
    expect(parseSince('2026-11-01', now)).toBe(new Date(2026, 10, 1).getTime())
    expect(parseSince('2026-11-01T10:00:00Z', now)).toBe(Date.UTC(2026, 10, 1, 10))
    for (const bad of ['', '7', '2026-02-31', '2026-13-01', 'Tuesday']) expect(() => parseSince(bad, now)).toThrow()
  })
})
