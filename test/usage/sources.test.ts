/** Which source of a session's usage is believed, and how much the others have captured. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { createTranscriptReader, noUsage } from '../../src/claude/transcript.ts'
import type { OtlpBatch, OtlpSpan } from '../../src/telemetry/otlp.ts'
import type { TokenCounts, UsageRecord, UsageSource, UsageTotals } from '../../src/usage/record.ts'
import { readMessage } from '../../src/usage/requests.ts'
import {
  addToTotals,
  beyondEvents,
  capturedBy,
  capturedInAll,
  chooseSource,
  disagreements,
  tokensOf,
} from '../../src/usage/sources.ts'
import { trackRequests } from '../../src/usage/tracker.ts'
import { keeperOf } from '../kit/keeper.ts'
import { play, readRecording, runsOf } from '../session/recording.ts'
import { addTokens, Ledger, noTokens, prices, readBatches, servedIn } from './recorded.ts'

const totals = (inputTokens: number): UsageTotals => ({
  ...noTokens,
  inputTokens,
  requests: 1,
  costUsd: null,
  unpricedRequests: 0,
})

function choose(inputs: Partial<Record<UsageSource, number>>) {
  const bySource = Object.fromEntries(Object.entries(inputs).map(([source, tokens]) => [source, totals(tokens)]))
  const source = chooseSource(bySource)
  return { source, captured: capturedBy({ bySource, ...(source === undefined ? {} : { source }) }) }
}

describe('the source of a session', () => {
  test('is the metrics where others say the same or less', () => {
    expect(choose({ transcript: 996, events: 1000, wrapper: 1000, metrics: 1000 })).toEqual({
      source: 'metrics',
      captured: { metrics: 1, wrapper: 1, events: 1, transcript: 0.996 },
    })
  })

  test('is the one that has lost less where metrics were lost', () => {
    expect(choose({ metrics: 250, wrapper: 1000 })).toEqual({
      source: 'wrapper',
      captured: { metrics: 0.25, wrapper: 1 },
    })
  })

  test('of equals is the first of metrics, wrapper, events, transcript', () => {
    expect(choose({ transcript: 7, events: 7, wrapper: 7 }).source).toBe('wrapper')
    expect(choose({ transcript: 7, events: 7 }).source).toBe('events')
    expect(choose({ transcript: 7 })).toEqual({ source: 'transcript', captured: { transcript: 1 } })
  })

  test('is none without usage, and any where all say nothing', () => {
    expect(choose({})).toEqual({ source: undefined, captured: {} })
    expect(choose({ events: 0 })).toEqual({ source: 'events', captured: { events: 1 } })
  })
})

describe('the difference of metrics and events', () => {
  test('needs both, and is never negative', () => {
    expect(beyondEvents({ bySource: { metrics: totals(5) } })).toBeUndefined()
    expect(beyondEvents({ bySource: { events: totals(5) } })).toBeUndefined()
    expect(beyondEvents({ bySource: { metrics: totals(5), events: totals(7) } })).toMatchObject({ inputTokens: 0 })
    const costs = { metrics: { ...totals(7), costUsd: 0.5 }, events: { ...totals(5), costUsd: 0.125 } }
    expect(beyondEvents({ bySource: costs })).toMatchObject({ inputTokens: 2, costUsd: 0.375 })
  })
})

describe('totals', () => {
  const record = (more: Partial<UsageRecord>): UsageRecord => ({
    ...noTokens,
    id: 'x',
    source: 'wrapper',
    sessionId: 's',
    orchestrationId: 's',
    model: 'm',
    timeUnixMicro: 1,
    costUsd: null,
    ...more,
  })

  test('say how many requests have no price, and have a cost once one has', () => {
    const one = addToTotals(undefined, record({ inputTokens: 3 }))
    expect(one).toMatchObject({ requests: 1, unpricedRequests: 1, costUsd: null, inputTokens: 3 })
    expect(addToTotals(one, record({ inputTokens: 3, costUsd: 2 }))).toMatchObject({
      requests: 2,
      unpricedRequests: 1,
      costUsd: 2,
      inputTokens: 6,
    })
  })

  test('count no request for what has no input, and none for metrics', () => {
    expect(addToTotals(undefined, record({ outputTokens: 9 })).requests).toBe(0)
    expect(addToTotals(undefined, record({ source: 'metrics', inputTokens: 9 })).requests).toBe(0)
  })
})

const source = { resource: {}, scopeName: 'claude-otel', scopeVersion: '0.1.0', scopeAttributes: {} }

/** The spans that claude-otel made of a recorded session. */
async function spansOf(name: string): Promise<readonly OtlpSpan[]> {
  const { spans } = await play(runsOf(readRecording(name)))
  return spans.map(({ traceId, spanId, name, start, end, attributes }) => ({
    source,
    traceId,
    spanId,
    name,
    kind: 0,
    flags: 0,
    startUnixMicro: start,
    endUnixMicro: end,
    attributes,
    events: [],
    links: [],
    statusCode: 0,
  }))
}

/** The files of a recording, the agents' too. */
function transcriptsOf(name: string): readonly string[] {
  const folder = join(import.meta.dir, '../fixtures/hooks', name, 'transcripts')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.jsonl'))
    .map((path) => join(folder, path))
}

/** What the messages of the transcripts sum up to, read without any code of ours. */
function spentIn(name: string): TokenCounts {
  interface Line {
    readonly message?: { readonly id?: string; readonly model?: string; readonly usage?: Record<string, number> }
  }
  const usages = new Map<string, Record<string, number>>()
  for (const path of transcriptsOf(name)) {
    for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
      const { id, model, usage } = (JSON.parse(line) as Line).message ?? {}
      if (id !== undefined && usage !== undefined && model !== '<synthetic>') usages.set(id, usage)
    }
  }
  return [...usages.values()]
    .map((usage) => ({
      inputTokens: usage.input_tokens ?? 0,
      outputTokens: usage.output_tokens ?? 0,
      cacheReadTokens: usage.cache_read_input_tokens ?? 0,
      cacheCreationTokens: usage.cache_creation_input_tokens ?? 0,
    }))
    .reduce(addTokens, noTokens)
}

describe('a session without Claude Code’s own telemetry', () => {
  for (const name of ['tools', 'demo', 'multi']) {
    test(`${name}: the spans of claude-otel give all of it, once, with its turns, agents and prices`, async () => {
      const spans = await spansOf(name)
      const ledger = new Ledger()
        .take({ signal: 'traces', spans })
        .take({ signal: 'traces', spans: spans.toReversed() })
      const records = ledger.records.filter(({ querySource }) => querySource !== 'auxiliary')
      expect(records.reduce<TokenCounts>(addTokens, noTokens)).toEqual(spentIn(name))
      expect(ledger.outcomes.repeated).toBe(ledger.outcomes.counted)
      expect(new Set(ledger.records.map(({ source }) => source))).toEqual(new Set(['wrapper']))
      for (const record of records) {
        expect('agentName' in record).toBe(record.querySource === 'subagent')
        expect(record.querySource).toMatch(/^(main|subagent)$/)
        expect(record.costSource).toMatch(/^table /)
        expect(record.promptId).toBeString()
        expect(record.requestId).toBeString()
        expect(record.spanId).toMatch(/^[0-9a-f]{16}$/)
      }
    })

    test(`${name}: so do its transcripts`, () => {
      const ledger = new Ledger()
      for (const path of transcriptsOf(name)) {
        const reader = createTranscriptReader({ path, sinceUnixMicro: 0, keeper: keeperOf(10) })
        const records = reader
          .read()
          .flatMap(({ detail, ...fact }) =>
            detail.type === 'message' ? [readMessage(detail, fact, { sessionId: 's', orchestrationId: 's' })] : [],
          )
        ledger.write(trackRequests(records, ledger, prices))
      }
      expect(Object.values(ledger.tokens('transcript')).reduce(addTokens, noTokens)).toEqual(spentIn(name))
      expect(ledger.records.every(({ costUsd, promptId }) => costUsd !== null && promptId !== undefined)).toBe(true)
    })
  }
})

test('a message of a transcript is priced by what of the cache was written for an hour', () => {
  const usage = { ...noUsage, cacheCreation: 1_000_000, cacheCreation1h: 500_000 }
  const message = { type: 'message', messageId: 'm1', model: 'claude-opus-5-5', usage, startUnixMicro: 1000 } as const
  const record = readMessage(message, { timeUnixMicro: 3000 }, { sessionId: 's', orchestrationId: 's' })
  expect(record.durationMs).toBe(2)
  expect(trackRequests([record], new Ledger(), prices).records[0]?.costUsd).toBe(6.5)
})

test('the spans of claude-otel also tell of requests that no transcript line does', async () => {
  const ledger = new Ledger().take({ signal: 'traces', spans: await spansOf('multi') })
  const auxiliary = ledger.records.filter(({ querySource }) => querySource === 'auxiliary')
  expect(auxiliary.map(({ inputTokens, outputTokens }) => [inputTokens, outputTokens])).toEqual([[263, 143]])
})

describe('a session with both', () => {
  const name = '40-two-concurrent'
  const sonnet = readBatches(name)
    .flatMap((batch) => (batch.signal === 'logs' ? batch.logs : []))
    .find(({ attributes }) => attributes.model === 'claude-sonnet-5-5')

  /** `chat` spans of one of its sessions, for what was served but the last `lost` requests. */
  function chats(lost: number): readonly OtlpSpan[] {
    const served = servedIn(name).filter(({ model }) => model === 'claude-sonnet-5-5')
    return served.slice(0, served.length - lost).map(({ requestId, model, usage }, at) => ({
      source,
      traceId: '1'.repeat(32),
      spanId: String(at + 1).padStart(16, '0'),
      name: `chat ${model}`,
      kind: 3,
      flags: 0,
      startUnixMicro: 1000,
      endUnixMicro: 2000,
      attributes: {
        'session.id': sonnet?.attributes['session.id'] ?? '',
        'gen_ai.operation.name': 'chat',
        'gen_ai.response.model': model,
        'gen_ai.response.id': `msg_${requestId}`,
        'tokens.input': usage.input_tokens,
        'tokens.output': usage.output_tokens,
        'tokens.cache_read': usage.cache_read_input_tokens,
        'tokens.cache_creation': usage.cache_creation_input_tokens,
      },
      events: [],
      links: [],
      statusCode: 0,
    }))
  }

  const sum = (spans: readonly OtlpSpan[]): number =>
    spans
      .flatMap(({ attributes }) => Object.entries(attributes))
      .reduce((total, [name, value]) => total + (name.startsWith('tokens.') ? Number(value) : 0), 0)

  /** What the session has used, from its records alone. */
  function believed({ records, session }: Ledger): number {
    const id = String(sonnet?.attributes['session.id'])
    const source = session(id)?.source
    return records
      .filter((record) => record.sessionId === id && record.source === source)
      .reduce((total, record) => total + tokensOf(record), 0)
  }

  function played(spans: readonly OtlpSpan[], hasMetrics = true) {
    const ledger = new Ledger()
    for (const batch of readBatches(name)) if (hasMetrics || batch.signal !== 'metrics') ledger.take(batch)
    ledger.take({ signal: 'traces', spans })
    return ledger.allSessions().find(({ sessionId }) => sessionId === sonnet?.attributes['session.id'])
  }

  test('is told by the metrics, and says what share our spans have', () => {
    const session = played(chats(1))
    expect(session?.bySource.wrapper?.inputTokens).toBe(981 - 117)
    expect(session?.source).toBe('metrics')
    const captured = capturedBy(session ?? { bySource: {} })
    expect(captured.events).toBe(1)
    const all = sum(chats(0))
    expect(captured.wrapper).toBeCloseTo(sum(chats(1)) / all, 12)
    expect(all).toBe(session?.bySource.metrics ? tokensOf(session.bySource.metrics) : 0)
  })

  test('never has used less than before while its sources overtake one another, and at the end all of it once', () => {
    const singles = readBatches(name).flatMap((batch): OtlpBatch[] => {
      if (batch.signal === 'metrics') return batch.points.map((point) => ({ signal: 'metrics', points: [point] }))
      return batch.signal === 'logs' ? batch.logs.map((log) => ({ signal: 'logs', logs: [log] })) : []
    })
    const all = [...singles, ...chats(0).map((span): OtlpBatch => ({ signal: 'traces', spans: [span] }))]
    fc.assert(
      fc.property(fc.shuffledSubarray([...all.keys()], { minLength: all.length }), (order) => {
        const ledger = new Ledger()
        let used = 0
        for (const index of order) {
          const batch = all[index]
          if (batch === undefined) continue
          ledger.take(batch)
          const now = believed(ledger)
          expect(now).toBeGreaterThanOrEqual(used)
          used = now
        }
        expect(used).toBe(sum(chats(0)))
      }),
      { numRuns: 10 },
    )
  })

  test('is told by our spans where the metrics were lost', () => {
    const session = played(chats(0), false)
    expect(session?.source).toBe('wrapper')
    expect(capturedBy(session ?? { bySource: {} })).toEqual({ wrapper: 1, events: 1 })
  })
})

describe('several sessions', () => {
  const usage = (id: string, inputs: Partial<Record<UsageSource, number>>) => {
    const bySource = Object.fromEntries(Object.entries(inputs).map(([source, tokens]) => [source, totals(tokens)]))
    const source = chooseSource(bySource)
    const times = { firstUnixMicro: 1, lastUnixMicro: 1 }
    return { sessionId: id, orchestrationId: id, ...times, bySource, ...(source === undefined ? {} : { source }) }
  }

  test('are compared source by source, over those that each told of', () => {
    const all = [
      usage('a', { metrics: 900, wrapper: 1000 }),
      usage('b', { metrics: 100 }),
      usage('c', {}),
      usage('d', { events: 0 }),
    ]
    expect(capturedInAll(all)).toEqual({ metrics: 1000 / 1100, wrapper: 1, events: 1 })
    expect(capturedInAll([])).toEqual({})
  })

  test('disagree where the difference would be seen', () => {
    expect(disagreements({ metrics: 1, wrapper: 0.9996, events: 0.9994, transcript: 0 })).toEqual({
      events: 0.9994,
      transcript: 0,
    })
  })
})
