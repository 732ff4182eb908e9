/** Sessions, spans and log records as the page shows them, and sums over the right time. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { healthView } from '../../src/dashboard/health-view.ts'
import { createLive } from '../../src/dashboard/live.ts'
import { logView } from '../../src/dashboard/log-view.ts'
import { oneTree } from '../../src/dashboard/one-tree.ts'
import { historyView, nowView } from '../../src/dashboard/overview.ts'
import { logParts, spanParts } from '../../src/dashboard/session-parts.ts'
import { createSessionViews } from '../../src/dashboard/session-view.ts'
import { readSpanFacts } from '../../src/dashboard/span-facts.ts'
import { sessionRow, sessionState, spanView, turnRows } from '../../src/dashboard/views.ts'
import { renderWaterfall } from '../../src/dashboard/waterfall.ts'
import { openStore } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { readBatches } from '../usage/recorded.ts'
import { Story, second, usageOf } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-views-'))
afterAll(() => rmSync(root, { recursive: true }))

const minute = 60 * second
const begin = 1_700_000_000 * second

describe('A session', () => {
  test('is active while it is heard of, ended when it says so, lost when it is silent or claude was gone', () => {
    const heard = { id: 's', firstTime: begin, lastTime: begin + minute }
    const ended = { ...heard, endTime: begin + minute, endReason: 'other' }
    const later = begin + 2 * minute
    expect(sessionState(heard, later)).toBe('active')
    expect(sessionState(heard, begin + 32 * minute)).toBe('lost')
    expect(sessionState(ended, later)).toBe('ended')
    expect(sessionState(ended, begin + 300 * minute)).toBe('ended')
    expect(sessionState({ ...ended, endReason: 'crashed' }, later)).toBe('lost')
  })

  test('has ended though its last metrics come after its end, and goes on when it is resumed', () => {
    const ended = { id: 's', firstTime: begin, lastTime: begin + minute, endTime: begin + minute, endReason: 'other' }
    const now = begin + 5 * minute
    expect(sessionState({ ...ended, lastTime: begin + minute + second }, now)).toBe('ended')
    const resumed = { ...ended, lastTime: begin + 4 * minute }
    expect(sessionRow(resumed, now)).toEqual({
      id: 's',
      state: 'active',
      startUnixMicro: begin,
      lastUnixMicro: begin + 4 * minute,
    })
  })

  test('belongs to its repository, else to the folder it runs in', () => {
    const facts = { id: 's', firstTime: begin, lastTime: begin }
    const project = (more: object) => sessionRow({ ...facts, ...more }, begin).project
    expect(project({ repository: 'claude-otel', cwd: '/home/dev/else' })).toBe('claude-otel')
    expect(project({ cwd: '/home/dev/proj/' })).toBe('proj')
    expect(project({ cwd: 'C:\\Users\\dev\\proj' })).toBe('proj')
    expect(project({})).toBeUndefined()
  })
})

describe('A span', () => {
  test('shows the prompt as it was recorded, and none that was withheld', () => {
    const story = new Story('s', begin)
    story.turn(1, 0, 1, undefined, { 'prompt.preview': 'the beginning of a' })
    story.span('claude_code.interaction', 0, 1, { user_prompt: '<REDACTED>' })
    story.span('claude_code.interaction', 0, 1, { user_prompt: 'open words' })
    expect(story.spans.map((span) => readSpanFacts(span).detail)).toEqual([
      'the beginning of a',
      undefined,
      'open words',
    ])
  })

  test('shows all its attributes by name, whatever they are', () => {
    const story = new Story('s', begin)
    story.span('x', 0, 1, { z: 'text', a: [1, 'two'], m: null, n: 1.5 })
    const [span] = story.spans
    if (span === undefined) throw new Error('no span')
    expect(spanView(span).attributes).toEqual([
      ['a', '[1,"two"]'],
      ['m', 'null'],
      ['n', '1.5'],
      ['session.id', 's'],
      ['z', 'text'],
    ])
  })
})

describe('A log record', () => {
  test('says its words, or what Claude Code says in attributes', () => {
    const story = new Story('s', begin)
    story.log('claude.tool.error', 0, {}, undefined, 'Bash failed')
    story.log('api_error', 0, { error: 'overloaded', model: 'opus' }, undefined, 'claude_code.api_error')
    story.log('claude.user_prompt', 0, {})
    expect(story.logs.map(logView).map(({ severity, text }) => [severity, text])).toEqual([
      ['error', 'Bash failed'],
      ['error', 'overloaded · opus'],
      ['info', ''],
    ])
  })
})

describe('A long session', () => {
  test('is read from the store in parts, everything once', async () => {
    const store = await openStore(join(root, 'long.db'))
    const story = new Story('s', begin)
    // Many that began together: the edge of a part lies between them.
    for (let index = 0; index < 1203; index += 1) {
      story.tool('Bash', Math.floor(index / 400), 9, undefined, { index })
      story.log('claude.tool.start', Math.floor(index / 400), { index })
    }
    for (const batch of story.batches()) await store.append(batch)
    const [spans, logs] = [[] as number[], [] as number[]]
    const sizes: number[] = []
    for await (const part of spanParts(store, 's')) {
      sizes.push(part.length)
      spans.push(...part.map(({ attributes }) => Number(attributes.index)))
    }
    for await (const part of logParts(store, 's')) logs.push(...part.map(({ attributes }) => Number(attributes.index)))
    const all = Array.from({ length: 1203 }, (_, index) => index)
    expect(spans.toSorted((a, b) => a - b)).toEqual(all)
    expect(logs.toSorted((a, b) => a - b)).toEqual(all)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
    store.close()
  })
})

describe('Turns', () => {
  test('have the tools and tokens below them, each its own, and calls outside of any count for none', () => {
    const story = new Story('s', begin)
    const session = story.session(0, 100)
    for (const at of [10, 30]) {
      const turn = story.turn(at / 10, at, at + 10, session)
      const call = story.tool('Agent', at + 1, at + 9, turn)
      story.chat(at + 2, at + 3, [at, 0, 0, 0], call)
    }
    story.chat(50, 60, [1000, 0, 0, 0], session)
    const native = story.span('claude_code.interaction', 70, 90, {})
    const tool = story.span('claude_code.tool', 71, 80, { tool_name: 'Bash', tool_use_id: 't' }, native)
    story.span('claude_code.tool.execution', 72, 79, { tool_use_id: 't' }, tool)
    const turns = turnRows(renderWaterfall(oneTree(story.spans.map(readSpanFacts))).rows)
    expect(turns.map(({ tools, tokens }) => [tools, tokens.input])).toEqual([
      [1, 10],
      [1, 30],
      [1, 0],
    ])
  })
})

describe('What is there now', () => {
  test('are active sessions, apart from those that are over; one that only one side tells of is incomplete', async () => {
    const store = await openStore(join(root, 'active.db'))
    const nowMs = Date.now()
    const live = createLive()
    const tell = async (id: string, ...events: readonly string[]) => {
      const story = new Story(id, nowMs * 1000 - minute)
      for (const event of events) story.log(event, 1, event === 'session.end' ? { 'session.end_reason': 'exit' } : {})
      for (const batch of story.batches()) {
        await store.append(batch)
        live.take(batch)
      }
    }
    await tell('both', 'session.start', 'api_request')
    await tell('ours', 'session.start')
    await tell('claudes', 'api_request')
    await tell('over', 'session.start', 'session.end')
    const view = await nowView(store, live, undefined, [], nowMs)
    expect(view.sessions.map(({ id }) => id).sort()).toEqual(['both', 'claudes', 'ours'])
    expect(view.recent.map(({ id }) => id)).toEqual(['over'])
    const { incomplete } = await healthView(store, live, () => [], store.counts(), nowMs)
    expect(Object.fromEntries(incomplete.map(({ session, missing }) => [session.id, missing]))).toEqual({
      ours: 'claude-code',
      claudes: 'claude-otel',
    })
    store.close()
  })
})

describe('Usage', () => {
  const noon = new Date(2026, 10, 21, 12, 0, 0).getTime()
  const who = { model: 'm', project: 'p', sessionId: 's', querySource: 'main', costUsd: 1 }
  const used = (atMs: number) => ({
    ...who,
    atMs,
    inputTokens: 100,
    outputTokens: 0,
    cacheReadTokens: 0,
    cacheCreationTokens: 0,
  })

  test('of the history is that of whole days, today among them', async () => {
    const store = await openStore(join(root, 'history.db'))
    const midnight = new Date(2026, 10, 21).getTime()
    const usage = usageOf([midnight, midnight - 1, midnight - 86_400_000, midnight - 86_400_001].map(used))
    const days = async (count: number) =>
      (await historyView(store, usage, { by: 'day', days: count, nowMs: noon })).rows.map(({ key }) => key)
    expect(await days(1)).toEqual(['2026-11-21'])
    expect((await days(2)).sort()).toEqual(['2026-11-20', '2026-11-21'])
    expect(await days(3)).toHaveLength(3)
    store.close()
  })

  test('burns by the last ten minutes, today since midnight, the chart by the hour', async () => {
    const store = await openStore(join(root, 'now.db'))
    const ago = (minutes: number) => used(noon - minutes * 60_000)
    const usage = usageOf([ago(0), ago(9), ago(11), ago(59), ago(61), ago(13 * 60)])
    const view = await nowView(store, createLive(), usage, [], noon)
    expect(view.usage).toMatchObject({
      today: { inputTokens: 500 },
      burn: { tokensPerMinute: 20, usdPerHour: 12 },
    })
    expect(view.usage?.minutes).toHaveLength(4)
    store.close()
  })
})

describe('Health', () => {
  const one = (batches: readonly OtlpBatch[]) =>
    batches.flatMap((batch): OtlpBatch[] =>
      batch.signal === 'logs' ? batch.logs.map((log) => ({ signal: 'logs', logs: [log] })) : [batch],
    )

  test('tells of which sessions events were lost, and in which the sources disagree', async () => {
    const store = await openStore(join(root, 'health.db'))
    const live = createLive()
    let requests = 0
    // The second answer's event never came.
    const come = one(readBatches('05-full-grpc')).filter((batch) => {
      const isRequest = batch.signal === 'logs' && batch.logs[0]?.eventName === 'api_request'
      if (isRequest) requests += 1
      return !isRequest || requests !== 2
    })
    for (const batch of [...come, ...readBatches('06-full-protobuf-gzip')]) {
      await store.append(batch)
      live.take(batch)
    }
    const id = '99036755-21a4-4db4-b684-1e5631bda207'
    const last = Math.max(
      ...store.sessions({ sinceUnixMicro: 0, untilUnixMicro: 1e18 }, 9).map(({ lastTime }) => lastTime),
    )
    const at = (ms: number) => healthView(store, live, () => [], store.counts(), last / 1000 + ms)
    const { lost, disagreeing } = await at(3_600_000)
    expect(lost).toMatchObject([{ session: { id }, events: 1 }])
    expect(disagreeing).toMatchObject([
      { session: { id }, source: 'metrics', captured: { events: expect.any(Number) } },
    ])
    // What goes on may still be on its way.
    expect((await at(1000)).disagreeing).toEqual([])
    const { view } = (await createSessionViews(store, live).read(id)) ?? {}
    expect(view?.usage).toMatchObject({ source: 'metrics', captured: { metrics: 1, ...disagreeing[0]?.captured } })
    expect(view?.usage?.tokens).toBeGreaterThan(view?.tokens.input ?? 0)
    store.close()
  })
})
