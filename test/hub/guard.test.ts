/** The guard over recorded sessions whose times are moved to now: what crosses fires once, whatever else happens. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveConfig } from '../../src/config/config.ts'
import { createLive, readLive } from '../../src/dashboard/live.ts'
import { createGuard } from '../../src/hub/guard.ts'
import type { Crossing } from '../../src/hub/guard-crossing.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { createPrices } from '../../src/usage/pricing.ts'
import { batchesOf, recorded } from '../dashboard/recorded.ts'
import { Story } from '../dashboard/story.ts'
import { type CaseName, servedTokens } from '../usage/recorded.ts'
import { moved, recordedNow } from './moved.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-guard-'))
afterAll(() => rmSync(root, { recursive: true }))
let homes = 0

function rulesOf(...guard: object[]) {
  const { config, problems } = resolveConfig({ env: { HOME: root, CLAUDE_OTEL_GUARD: JSON.stringify(guard) } })
  expect(problems).toEqual([])
  return config.hub.guard
}

interface Watch {
  readonly crossings: Crossing[]
  readonly store: Store
  say(...batches: readonly OtlpBatch[]): Promise<void>
  fired(): string[]
  close(): Promise<void>
}

/** What a hub does with what comes, at a time of ours. */
async function watch(path: string, now: () => number, ...guard: object[]): Promise<Watch> {
  const store = await openStore(path)
  const live = createLive()
  await readLive(live, store, (now() - 30 * 60_000) * 1000)
  const crossings: Crossing[] = []
  const told = await createGuard({
    rules: rulesOf(...guard),
    store,
    live,
    contextTokens: createPrices().contextTokens,
    onCrossing: (crossing) => crossings.push(crossing),
    onProblem: (message) => {
      throw new Error(message)
    },
    now,
  })
  return {
    crossings,
    store,
    say: async (...batches) => {
      for (const batch of batches) {
        await store.append(batch)
        live.take(batch)
        told.take(batch)
        await told.check()
      }
    },
    fired: () => crossings.map(({ rule, session }) => `${rule} @${session.id}`),
    close: async () => {
      await told.close()
      store.close()
    },
  }
}

const fresh = () => join(root, `${homes++}.db`)
/** At noon, so that no day ends in between. */
const noon = new Date().setHours(12, 0, 0, 0)
const atNoon = () => noon

function served(name: CaseName): number {
  const all = Object.values(servedTokens(name, 'with cut'))
  return all.reduce(
    (sum, each) => sum + Object.values(each).reduce((part: number, count: number) => part + count, 0),
    0,
  )
}

describe('A threshold on tokens', () => {
  test('of a session and of a day fires once each, with the facts', async () => {
    const guard = await watch(
      fresh(),
      atNoon,
      { on: 'tokens', above: served('05-full-grpc') - 1 },
      { on: 'tokens', above: served('05-full-grpc') },
      { on: 'tokens', per: 'day', above: 1000 },
      { on: 'cost', above: 0.01 },
      { on: 'cost', per: 'day', above: 1_000_000 },
    )
    const batches = recordedNow('05-full-grpc', noon * 1000)
    await guard.say(...batches, ...batches)
    const id = guard.crossings[0]?.session.id ?? ''
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(guard.fired().sort()).toEqual(
      [
        `cost above $0.01 @${id}`,
        `tokens above ${served('05-full-grpc') - 1} tokens @${id}`,
        `tokens of a day above 1000 tokens @${id}`,
      ].sort(),
    )
    const crossing = guard.crossings.find(({ rule }) => rule.startsWith('tokens above'))
    expect(crossing).toMatchObject({
      on: 'tokens',
      per: 'session',
      value: served('05-full-grpc'),
      time: new Date(noon).toISOString(),
    })
    expect(crossing?.session).toMatchObject({
      tokens: served('05-full-grpc'),
      model: 'claude-opus-5-5',
      contextLimit: 1_000_000,
    })
    expect(crossing?.session.costUsd).toBeGreaterThan(0.01)
    expect(crossing?.day.tokens).toBe(served('05-full-grpc'))
    await guard.close()
  })

  test('of a day is that of all its sessions, and fires anew the next day', async () => {
    const path = fresh()
    const rule = { on: 'tokens', per: 'day', above: served('40-two-concurrent') - 1 }
    const lower = { on: 'tokens', per: 'day', above: 1000 }
    const guard = await watch(path, atNoon, rule, lower)
    await guard.say(...recordedNow('40-two-concurrent', noon * 1000))
    expect(guard.fired()).toHaveLength(2)
    await guard.close()
    const tomorrow = noon + 86_400_000
    const later = await watch(path, () => tomorrow, lower)
    await later.say(...recordedNow('05-full-grpc', tomorrow * 1000))
    expect(later.crossings.map(({ day }) => day.tokens)).toEqual([served('05-full-grpc')])
    await later.close()
  })
})

describe('What is history', () => {
  test('fires nothing: old requests, a backfill, spans that come late', async () => {
    const guard = await watch(
      fresh(),
      atNoon,
      { on: 'tokens', above: 1 },
      { on: 'context', above: 1000 },
      { on: 'cost', per: 'day', above: 0.0001 },
    )
    await guard.say(...recordedNow('05-full-grpc', (noon - 11 * 60_000) * 1000))
    await guard.say(...moved(batchesOf(await recorded('demo')), (noon - 3_600_000) * 1000))
    expect(guard.fired()).toEqual([])
    await guard.say(...recordedNow('06-full-protobuf-gzip', (noon - 9 * 60_000) * 1000))
    expect(new Set(guard.crossings.map(({ session }) => session.id)).size).toBe(1)
    expect(guard.fired()).toHaveLength(3)
    await guard.close()
  })

  test('of a session that goes on is not what it is now', async () => {
    const guard = await watch(fresh(), atNoon, { on: 'context', above: '80%' }, { on: 'tokens', above: 10 })
    const story = new Story('s', (noon - 3_600_000) * 1000)
    story.chat(0, 1, [1000, 10, 900_000, 0])
    // An hour later, and no answer yet.
    story.log('claude.user_prompt', 3590, {})
    await guard.say({ signal: 'traces', spans: story.spans }, { signal: 'logs', logs: story.logs })
    expect(guard.fired()).toEqual([])
    await guard.close()
  })
})

describe('A threshold on the context', () => {
  const chatted = (at: number, tokens: number) => {
    const story = new Story('s', (noon - 300_000) * 1000, 'f'.repeat(32))
    for (let skip = 0; skip < at; skip += 1) story.newId()
    story.chat(at, at + 1, [tokens, 0, 0, 0], undefined, { 'gen_ai.response.model': 'claude-haiku-4-5' })
    return story
  }
  const compaction = (at: number) => {
    const story = new Story('s', (noon - 300_000) * 1000, 'f'.repeat(32))
    story.log('claude.compaction', at, {})
    return story
  }

  test('in percent of what the model sees fires above it, and after a compaction again', async () => {
    const guard = await watch(fresh(), atNoon, { on: 'context', above: '80%' })
    const at = async (story: Story) => {
      await guard.say(...story.batches())
      return guard.crossings.length
    }
    expect(await at(chatted(1, 160_000))).toBe(0)
    expect(await at(chatted(2, 160_001))).toBe(1)
    expect(await at(chatted(3, 180_000))).toBe(1)
    // It wavers around the threshold: the same crossing.
    expect(await at(chatted(4, 150_000))).toBe(1)
    expect(await at(chatted(5, 170_000))).toBe(1)
    expect(await at(compaction(6))).toBe(1)
    expect(await at(chatted(7, 30_000))).toBe(1)
    expect(await at(chatted(8, 161_000))).toBe(2)
    expect(guard.crossings[1]).toMatchObject({
      value: 0.805,
      unit: 'share',
      session: { id: 's', contextTokens: 161_000, contextLimit: 200_000 },
      text: 'session s is at 80.5%, 161,000 of 200,000 tokens (context above 80%)',
    })
    await guard.close()
  })

  test('fires once over restarts of the hub, and is armed over them', async () => {
    const path = fresh()
    const counts: number[] = []
    for (const story of [
      chatted(1, 170_000),
      chatted(2, 171_000),
      chatted(3, 20_000),
      chatted(4, 172_000),
      chatted(5, 173_000),
    ]) {
      const guard = await watch(path, atNoon, { on: 'context', above: '80%' })
      await guard.say(...story.batches())
      counts.push(guard.crossings.length)
      await guard.close()
    }
    expect(counts).toEqual([1, 0, 0, 1, 0])
  })

  test('in tokens needs no window, one in percent says nothing of a model that nobody knows', async () => {
    const guard = await watch(fresh(), atNoon, { on: 'context', above: '10%' }, { on: 'context', above: '150k' })
    const story = new Story('s', (noon - 300_000) * 1000)
    story.chat(1, 2, [150_001, 0, 0, 0], undefined, { 'gen_ai.response.model': 'who-knows' })
    await guard.say(...story.batches())
    expect(guard.fired()).toEqual(['context above 150000 tokens @s'])
    await guard.close()
  })

  test('is that of the recorded main conversation, by claude’s events and by our spans', async () => {
    const tui = await watch(fresh(), atNoon, { on: 'context', above: '21400' })
    await tui.say(...recordedNow('70-tui-cumulative', noon * 1000))
    expect(tui.crossings.map(({ value }) => value)).toEqual([21_410, 21_498])
    await tui.close()
    const ours = await watch(fresh(), atNoon, { on: 'context', above: 200 })
    await ours.say(...moved(batchesOf(await recorded('demo')), noon * 1000))
    expect(ours.crossings).toHaveLength(1)
    expect(ours.crossings[0]?.session).toMatchObject({ cwd: expect.any(String), contextLimit: 1_000_000 })
    await ours.close()
  })
})

describe('A store that cannot be asked', () => {
  test('is told once, and what has come then is looked at again', async () => {
    const store = await openStore(fresh())
    let failures = 2
    const said: string[] = []
    const crossings: Crossing[] = []
    const guard = await createGuard({
      rules: rulesOf({ on: 'tokens', above: 10 }),
      store: {
        marks: (...asked) => store.marks(...asked),
        putMark: (mark) => store.putMark(mark),
        session: (id) => store.session(id),
        sessionUsage: async (id) => {
          if (failures-- > 0) throw new Error('nobody answers')
          return store.sessionUsage(id)
        },
        usage: (...asked) => store.usage(...asked),
      },
      live: createLive(),
      contextTokens: () => undefined,
      onCrossing: (crossing) => crossings.push(crossing),
      onProblem: (message) => said.push(message),
      now: atNoon,
    })
    const batches = recordedNow('05-full-grpc', noon * 1000)
    for (const batch of batches) await store.append(batch)
    for (const batch of batches) guard.take(batch)
    await guard.check()
    await guard.check()
    expect(crossings).toEqual([])
    await guard.check()
    expect(crossings).toHaveLength(1)
    expect(said).toEqual(['the guard could not look: nobody answers'])
    await guard.close()
    store.close()
  })
})

describe('Rules of one threshold', () => {
  test('are one crossing with several things to do', async () => {
    const store = await openStore(fresh())
    const live = createLive()
    const counts: number[] = []
    const guard = await createGuard({
      rules: rulesOf({ on: 'tokens', above: 10, do: { command: ['true'] } }, { on: 'tokens', above: 10, do: 'notice' }),
      store,
      live,
      contextTokens: () => undefined,
      onCrossing: (_, rules) => counts.push(rules.length),
      onProblem: (message) => {
        throw new Error(message)
      },
      now: atNoon,
    })
    for (const batch of recordedNow('05-full-grpc', noon * 1000)) {
      await store.append(batch)
      guard.take(batch)
      await guard.check()
    }
    expect(counts).toEqual([2])
    await guard.close()
    store.close()
  })
})
