/** Recorded cases, as they came in and in every other way in which they could have: the tokens that were served, exactly. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { OtlpBatch, OtlpPoint } from '../../src/telemetry/otlp.ts'
import { beyondEvents } from '../../src/usage/sources.ts'
import { type CaseName, Ledger, readBatches, recordedCases, servedIn, servedTokens } from './recorded.ts'

const batchesOf = new Map(recordedCases.map((name) => [name, readBatches(name)]))

function play(batches: readonly OtlpBatch[]): Ledger {
  const ledger = new Ledger()
  for (const batch of batches) ledger.take(batch)
  return ledger
}

function batches(name: CaseName): readonly OtlpBatch[] {
  return batchesOf.get(name) ?? []
}

for (const name of recordedCases) {
  describe(name, () => {
    test('the metrics give exactly the served tokens, per model and type', () => {
      const served = servedTokens(name, 'with cut')
      expect(Object.values(served).every(({ inputTokens }) => inputTokens > 0)).toBe(true)
      expect(play(batches(name)).tokens('metrics')).toEqual(served)
    })

    test('the events give exactly the requests that were answered to their end', () => {
      const ledger = play(batches(name))
      expect(ledger.tokens('events')).toEqual(servedTokens(name, 'without cut'))
      const requests = ledger.records.flatMap(({ requestId }) => requestId ?? [])
      const served = servedIn(name).filter((request) => request.served !== 'drip')
      expect(requests.toSorted()).toEqual(served.map(({ requestId }) => requestId))
    })

    test('the cost is Claude’s own', () => {
      const { records } = play(batches(name))
      expect(new Set(records.filter(({ costUsd }) => costUsd !== null).map(({ costSource }) => costSource))).toEqual(
        new Set(['claude']),
      )
      expect(records.filter(({ source, costUsd }) => source === 'events' && costUsd === null)).toEqual([])
    })

    test('shuffled, repeated, split, batched otherwise, with restarts in between: the same', () => {
      const expected = play(batches(name))
      fc.assert(
        fc.property(otherwise(batches(name)), ({ batches: others, restarts }) => {
          const ledger = new Ledger()
          for (const [at, batch] of others.entries()) {
            if (restarts.has(at)) ledger.restart()
            ledger.take(batch)
          }
          expect(ledger.tokens('metrics')).toEqual(expected.tokens('metrics'))
          expect(ledger.tokens('events')).toEqual(expected.tokens('events'))
          expect(ledger.costUsd('metrics')).toBeCloseTo(expected.costUsd('metrics'), 9)
          expect(sessionTokens(ledger)).toEqual(sessionTokens(expected))
        }),
        { numRuns: 25 },
      )
    })
  })
}

/** The same points and records in another order, some more than once, in batches of any size. */
function otherwise(batches: readonly OtlpBatch[]) {
  const singles = batches.flatMap(single).filter(isAboutUsage)
  return fc
    .record({
      order: fc.shuffledSubarray([...singles.keys()], { minLength: singles.length }),
      repeated: fc.array(fc.nat(singles.length - 1), { maxLength: 40 }),
      sizes: fc.infiniteStream(fc.integer({ min: 1, max: 12 })),
      restarts: fc.array(fc.nat(singles.length), { maxLength: 5 }),
      places: fc.infiniteStream(fc.nat(singles.length)),
    })
    .map(({ order, repeated, sizes, restarts, places }) => {
      const all = [...order]
      for (const index of repeated) all.splice(places.next().value ?? 0, 0, index)
      const result: OtlpBatch[] = []
      for (let at = 0; at < all.length; ) {
        const size = sizes.next().value ?? 1
        result.push(...joined(all.slice(at, at + size).flatMap((index) => singles[index] ?? [])))
        at += size
      }
      return { batches: result, restarts: new Set(restarts) }
    })
}

/** One batch per point or record. */
function single(batch: OtlpBatch): OtlpBatch[] {
  if (batch.signal === 'metrics') return batch.points.map((point) => ({ signal: 'metrics', points: [point] }))
  if (batch.signal === 'logs') return batch.logs.map((log) => ({ signal: 'logs', logs: [log] }))
  return []
}

function isAboutUsage(batch: OtlpBatch): boolean {
  if (batch.signal === 'metrics') return batch.points.some(({ name }) => /token|cost/.test(name))
  return batch.signal === 'logs' && batch.logs.some(({ eventName }) => eventName === 'api_request')
}

function joined(batches: readonly OtlpBatch[]): OtlpBatch[] {
  const points = batches.flatMap((batch) => (batch.signal === 'metrics' ? batch.points : []))
  const logs = batches.flatMap((batch) => (batch.signal === 'logs' ? batch.logs : []))
  return [
    { signal: 'metrics', points },
    { signal: 'logs', logs },
  ]
}

/** What the session rows say: tokens by source, without times and floating costs. */
function sessionTokens(ledger: Ledger) {
  return ledger
    .allSessions()
    .filter(({ lastUnixMicro }) => lastUnixMicro > 0)
    .map(({ sessionId, orchestrationId, firstUnixMicro, bySource }) => ({
      sessionId,
      orchestrationId,
      isDated: firstUnixMicro > 0,
      sums: Object.entries(bySource)
        .map(([source, { costUsd: _, ...totals }]) => [source, totals])
        .sort(),
    }))
    .sort((left, right) => (left.sessionId < right.sessionId ? -1 : 1))
}

describe('cumulative metrics', () => {
  for (const name of ['20-dies-restarts-cumulative', '70-tui-cumulative'] as const) {
    test(`${name}: whatever was lost before the last export is made up for`, () => {
      const all = batches(name)
      const metrics = [...all.entries()].flatMap(([at, batch]) => (batch.signal === 'metrics' ? [at] : []))
      const mayBeLost = metrics.slice(0, -1)
      expect(mayBeLost).not.toEqual([])
      fc.assert(
        fc.property(fc.subarray(mayBeLost), (lost) => {
          const ledger = play(all.filter((_, at) => !lost.includes(at)))
          expect(ledger.tokens('metrics')).toEqual(servedTokens(name, 'with cut'))
        }),
        { numRuns: 20 },
      )
    })
  }
})

describe('what belongs together', () => {
  test('two sessions at a time stay apart', () => {
    const ledger = play(batches('40-two-concurrent'))
    const sums = ledger.allSessions().map(({ sessionId, bySource }) => ({
      models: [...new Set(ledger.records.flatMap((record) => (record.sessionId === sessionId ? [record.model] : [])))],
      input: bySource.metrics?.inputTokens,
    }))
    expect(sums.toSorted((left, right) => (left.input ?? 0) - (right.input ?? 0))).toEqual([
      { models: ['claude-sonnet-5-5'], input: 981 },
      { models: ['claude-haiku-5-5'], input: 990 },
    ])
  })

  test('three processes of one resumed session are one session; the forked one is another', () => {
    const inputs = play(batches('43-resume-cumulative'))
      .allSessions()
      .flatMap(({ bySource }) => bySource.metrics?.inputTokens ?? [])
    expect(inputs).toEqual([101 + 1177 + 113, 114])
  })

  test('what a subagent spent is told as such, in metrics and events', () => {
    const { records } = play(batches('05-full-grpc'))
    const inputs = (source: string) =>
      records
        .filter((record) => record.source === source && record.querySource === 'subagent')
        .map(({ inputTokens, agentName, agentId }) => ({ inputTokens, agentName, hasId: agentId !== undefined }))
    expect(inputs('metrics')).toEqual([{ inputTokens: 218, agentName: 'general-purpose', hasId: false }])
    expect(inputs('events')).toEqual([
      { inputTokens: 108, agentName: 'general-purpose', hasId: true },
      { inputTokens: 110, agentName: 'general-purpose', hasId: true },
    ])
  })

  test('a compaction is auxiliary and keeps its finer word', () => {
    const { records } = play(batches('70-tui-cumulative'))
    const compactions = records.filter(({ purpose }) => purpose === 'compact')
    expect(compactions.map(({ inputTokens, querySource }) => [inputTokens, querySource])).toEqual([
      [106, 'auxiliary'],
      [107, 'auxiliary'],
    ])
  })

  test('a request’s record has its turn, its times and its trace', () => {
    const record = play(batches('70-tui-cumulative')).records.find(({ requestId }) => requestId === 'req_mock000002')
    expect(record).toMatchObject({
      promptId: expect.stringMatching(/^cfef/),
      traceId: '60cfc2392b04753feddad465e0ae87a4',
      durationMs: expect.any(Number),
      timeToFirstTokenMs: expect.any(Number),
      cacheCreation1hTokens: 5,
      effort: 'medium',
      querySource: 'main',
    })
  })
})

describe('records of metrics', () => {
  const points = batches('43-resume-cumulative').flatMap((batch) => (batch.signal === 'metrics' ? batch.points : []))
  const isOfUsage = ({ name }: OtlpPoint): boolean => /token|cost/.test(name)
  const [first = []] = [...Map.groupBy(points.filter(isOfUsage), ({ timeUnixMicro }) => timeUnixMicro).values()]

  test('are one for each set of attributes and time, with tokens and cost together', () => {
    const { records } = play(batches('70-tui-cumulative'))
    const metrics = records.filter(({ source }) => source === 'metrics')
    expect(new Set(metrics.map(({ id }) => id)).size).toBe(metrics.length)
    expect(metrics.every(({ costUsd, inputTokens }) => costUsd !== null && inputTokens > 0)).toBe(true)
  })

  test('that came in parts have one id', () => {
    const ledger = play(first.map((point) => ({ signal: 'metrics', points: [point] })))
    expect(ledger.records).toHaveLength(5)
    expect(new Set(ledger.records.map(({ id }) => id)).size).toBe(1)
  })

  test('of two processes that export at the same time are one with the sums of both', () => {
    const other = first.map((point) => ({ ...point, startUnixMicro: point.startUnixMicro + 1000 }))
    const { records } = play([{ signal: 'metrics', points: [...first, ...other] }])
    expect(records.map(({ inputTokens, costUsd }) => [inputTokens, costUsd])).toEqual([[202, 2 * 0.0136554]])
  })

  test('say what the tokens were spent on', () => {
    const { records } = play(batches('05-full-grpc'))
    const mcp = records.filter(({ source, mcpServer }) => source === 'metrics' && mcpServer !== undefined)
    expect(mcp.map(({ mcpServer, mcpTool, effort, inputTokens }) => [mcpServer, mcpTool, effort, inputTokens])).toEqual(
      [['demo', 'ping', 'medium', 113]],
    )
  })

  test('say which skill, and how fast', () => {
    const more = { 'skill.name': 'review', speed: 'fast' }
    const points = first.map((point) => ({ ...point, attributes: { ...point.attributes, ...more } }))
    const [record] = play([{ signal: 'metrics', points }]).records
    expect([record?.skill, record?.speed]).toEqual(['review', 'fast'])
  })

  test('know no other type of token', () => {
    for (const type of ['imaginary', 'toString', '', 5]) {
      const points = first.map((point) => ({ ...point, attributes: { ...point.attributes, type } }))
      const { records } = play([{ signal: 'metrics', points: points.filter(({ name }) => name.includes('token')) }])
      expect(records).toEqual([])
    }
  })

  test('count what cannot be counted as such', () => {
    const points = first.map((point) => ({ ...point, isAbsent: true }))
    expect(play([{ signal: 'metrics', points }]).outcomes).toEqual({ unusable: 5 })
  })
})

describe('the difference of metrics and events', () => {
  test('is the answer that the user broke off, and is not added to anything', () => {
    const ledger = play(batches('70-tui-cumulative'))
    const differences = ledger.allSessions().map((session) => beyondEvents(session))
    expect(differences.filter((each) => each !== undefined && each.inputTokens > 0)).toEqual([
      expect.objectContaining({
        inputTokens: 110,
        outputTokens: 20,
        cacheReadTokens: 20070,
        cacheCreationTokens: 1030,
      }),
    ])
    const chosen = ledger.allSessions().flatMap(({ source }) => source ?? [])
    expect(chosen).toEqual(['metrics', 'metrics'])
  })
})
