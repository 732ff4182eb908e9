/** The real claude under claude-otel, with its own telemetry on: all sources of one session against what the API served. */
import { expect, test } from 'bun:test'
import type { SessionUsage, TokenCounts } from '../../src/usage/record.ts'
import { capturedBy } from '../../src/usage/sources.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import type { Tokens } from '../kit/messages-api.ts'
import { cases } from '../sessions/cases.ts'
import { type Case, clear, play } from '../sessions/play.ts'
import { type Body, Ledger, readBatch } from './recorded.ts'

/** What one played session was told to have used, and the messages that the API served whole or began with. */
async function playedWithTelemetry(title: string): Promise<Told> {
  const theCase = cases.find((each) => each.title === title)
  if (theCase === undefined) throw new Error(`there is no case "${title}"`)
  const ledger = new Ledger()
  const collector = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      ledger.take(readBatch((await request.json()) as Body))
      return Response.json({})
    },
  })
  try {
    const played = await play(withTelemetry(theCase, collector.url.origin), claudeOtelBinary)
    const { api } = played
    await clear(played)
    const [session, ...others] = ledger.allSessions()
    if (session === undefined || others.length > 0) throw new Error(`${others.length + 1} sessions`)
    return { session, ledger, served: api.served().map(countsOf), cut: api.cutShort().map(countsOf) }
  } finally {
    await collector.stop(true)
  }
}

interface Told {
  readonly session: SessionUsage
  readonly ledger: Ledger
  readonly served: readonly TokenCounts[]
  readonly cut: readonly TokenCounts[]
}

function withTelemetry(theCase: Case, endpoint: string): Case {
  const telemetry = {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  }
  return { ...theCase, env: { ...theCase.env, ...telemetry } }
}

const countsOf = ({ input, output, cacheRead, cacheCreation }: Tokens): TokenCounts => ({
  inputTokens: input,
  outputTokens: output,
  cacheReadTokens: cacheRead,
  cacheCreationTokens: cacheCreation,
})

const sumOf = (counts: readonly TokenCounts[], name: keyof TokenCounts): number =>
  counts.reduce((sum, each) => sum + each[name], 0)

function sums(counts: readonly TokenCounts[]): TokenCounts {
  return {
    inputTokens: sumOf(counts, 'inputTokens'),
    outputTokens: sumOf(counts, 'outputTokens'),
    cacheReadTokens: sumOf(counts, 'cacheReadTokens'),
    cacheCreationTokens: sumOf(counts, 'cacheCreationTokens'),
  }
}

const exact = [
  'a compaction, whose request stands in no transcript',
  'two subagents at once, one of which calls a failing tool',
]

for (const title of exact) {
  test(`${title}: metrics, events and our spans each say what was served, and what it cost`, async () => {
    const { session, served } = await playedWithTelemetry(title)
    expect(session.source).toBe('metrics')
    expect(capturedBy(session)).toEqual({ metrics: 1, wrapper: 1, events: 1 })
    for (const source of ['metrics', 'wrapper', 'events'] as const) {
      expect(session.bySource[source]).toMatchObject(sums(served))
    }
    // The table knows what Claude Code charges, and our spans tell which cache writes were for an hour.
    expect(session.bySource.wrapper?.costUsd).toBeCloseTo(session.bySource.metrics?.costUsd ?? 0, 9)
    expect(session).toMatchObject({ repository: 'example/project', branch: 'main' })
  })
}

test('a stream that is cut, and its second try: metrics and our spans have both, the events one', async () => {
  const { session, served, cut } = await playedWithTelemetry('a stream that is cut, and its second try')
  // How much output the cut one had is Claude Code's estimate.
  const { outputTokens: _, ...both } = sums([...served, ...cut])
  expect(cut).toHaveLength(1)
  expect(session.bySource.metrics).toMatchObject(both)
  expect(session.bySource.wrapper).toMatchObject(both)
  expect(session.bySource.events).toMatchObject(sums(served))
  expect(session.source).toBe('metrics')
  expect(capturedBy(session).events).toBeLessThan(0.6)
})

test('claude killed in the middle of a tool: its own telemetry is lost, and our spans stand in for it', async () => {
  const { session, ledger, served } = await playedWithTelemetry('claude killed in the middle of a tool')
  expect(session.source).toBe('wrapper')
  expect(session.bySource).toEqual({ wrapper: expect.objectContaining(sums(served)) })
  expect(ledger.records.map(({ costSource }) => costSource)).toEqual([expect.stringMatching(/^table /)])
})
