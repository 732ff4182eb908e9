/** Who and where: from the signal itself, from its resource, from what the session's other signals said. */
import { describe, expect, test } from 'bun:test'
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpSpan } from '../../src/telemetry/otlp.ts'
import { numberOf } from '../../src/usage/correlation.ts'
import { trackUsage } from '../../src/usage/tracker.ts'
import { Ledger, prices } from './recorded.ts'

function request(
  attributes: OtlpAttributes,
  resource: OtlpAttributes = {},
  more: Partial<OtlpLogRecord> = {},
): OtlpBatch {
  const log: OtlpLogRecord = {
    source: {
      resource,
      scopeName: 'com.anthropic.claude_code.events',
      scopeVersion: '2.1.329',
      scopeAttributes: {},
    },
    timeUnixMicro: 1_795_247_000_000_000,
    observedUnixMicro: 0,
    severityNumber: 0,
    eventName: 'api_request',
    attributes: { 'session.id': 's1', model: 'claude-opus-5-5', input_tokens: 1_000_000, ...attributes },
    ...more,
  }
  return { signal: 'logs', logs: [log] }
}

function spanOf(attributes: OtlpAttributes, more: Partial<OtlpSpan> = {}): OtlpSpan {
  return {
    source: { resource: {}, scopeName: 'claude-otel', scopeVersion: '', scopeAttributes: {} },
    traceId: '1',
    spanId: '2',
    name: 'claude.session',
    kind: 1,
    flags: 0,
    startUnixMicro: 1,
    endUnixMicro: 2,
    attributes,
    events: [],
    links: [],
    statusCode: 0,
    ...more,
  }
}

const only = (...batches: readonly OtlpBatch[]) => {
  const ledger = new Ledger()
  for (const batch of batches) ledger.take(batch)
  return ledger.records.at(-1)
}

describe('the orchestration', () => {
  test('is the session itself where nobody names one', () => {
    expect(only(request({}))).toMatchObject({ sessionId: 's1', orchestrationId: 's1' })
  })

  test('is what the environment names, on the signal or its resource', () => {
    expect(only(request({ 'orchestration.id': 'nightly' }))?.orchestrationId).toBe('nightly')
    expect(only(request({}, { 'orchestration.id': 'nightly' }))?.orchestrationId).toBe('nightly')
  })

  test('once named holds for signals of the session that do not name it', () => {
    const named = request({ 'orchestration.id': 'nightly', request_id: 'a' })
    expect(only(named, request({ request_id: 'b' }))?.orchestrationId).toBe('nightly')
  })
})

describe('the session', () => {
  test('is the signal’s own, whatever the resource says', () => {
    expect(only(request({}, { 'session.id': 'evil' }))?.sessionId).toBe('s1')
  })

  test('is unknown where the signal names none', () => {
    expect(only(request({ 'session.id': '' }, { 'session.id': 'evil' }))?.sessionId).toBe('unknown')
  })

  test('whose repository one signal told has it on what comes after, in whatever way it comes', () => {
    const ledger = new Ledger()
    ledger.take({
      signal: 'traces',
      spans: [
        spanOf({
          'session.id': 's1',
          'vcs.owner.name': 'acme',
          'vcs.repository.name': 'rocket',
          'vcs.ref.head.name': 'main',
        }),
      ],
    })
    expect(ledger.session('s1')).toMatchObject({ repository: 'acme/rocket', branch: 'main', bySource: {} })
    ledger.restart()
    expect(ledger.take(request({})).records.at(-1)).toMatchObject({ repository: 'acme/rocket', branch: 'main' })
    expect(ledger.take(request({ 'session.id': 's2' })).records.at(-1)).not.toHaveProperty('repository')
  })

  test('learns who and where it is from requests too, and from nothing that names no session', () => {
    const ledger = new Ledger().take(request({ request_id: 'a' }))
    ledger.take(request({ request_id: 'b', 'vcs.repository.url.full': 'https://example.com/acme/rocket' }))
    expect(ledger.session('s1')).toMatchObject({ repository: 'https://example.com/acme/rocket' })
    ledger.take(request({ 'session.id': '', 'user.email': 'a@b.c' }, {}, { eventName: 'user_prompt' }))
    expect(ledger.session('unknown')).toBeUndefined()
  })

  test('is written only when it changed', () => {
    const start = request({ 'user.email': 'a@b.c' }, {}, { eventName: 'user_prompt' })
    const ledger = new Ledger()
    expect(trackUsage(start, ledger, prices).sessions).toHaveLength(1)
    ledger.take(start)
    expect(trackUsage(start, ledger, prices)).toEqual({ streams: [], sessions: [], records: [], outcomes: {} })
  })

  test('learns nothing from others', () => {
    const foreign = request({ 'vcs.ref.head.name': 'evil' }, {}, { eventName: 'log' })
    const logs = foreign.signal === 'logs' ? foreign.logs : []
    const source = { resource: {}, scopeName: 'com.example', scopeVersion: '', scopeAttributes: {} }
    const span = { ...spanOf({ 'session.id': 's1', 'vcs.ref.head.name': 'evil' }), source }
    const ledger = new Ledger()
    ledger.take({ signal: 'logs', logs: logs.map((log) => ({ ...log, source })) })
    ledger.take({ signal: 'traces', spans: [span] })
    expect(ledger.allSessions()).toEqual([])
  })

  test('has the times of its first and last increment', () => {
    const ledger = new Ledger()
    for (const [at, id] of [
      [5, 'a'],
      [3, 'b'],
      [9, 'c'],
      [4, 'd'],
    ] as const) {
      ledger.take(request({ request_id: id }, {}, { timeUnixMicro: at }))
    }
    expect(ledger.session('s1')).toMatchObject({ firstUnixMicro: 3, lastUnixMicro: 9 })
  })
})

describe('the user', () => {
  const random = 'ab'.repeat(32)
  test('is the address, else the account, else the installation’s random id', () => {
    const all = { 'user.email': 'a@b.c', 'user.account_uuid': 'u1', 'user.id': random }
    expect(only(request(all))?.user).toBe('a@b.c')
    expect(only(request({ ...all, 'user.email': '' }))?.user).toBe('u1')
    expect(only(request({ 'user.id': random }))?.user).toBe(random)
  })

  test('once named is not replaced by the random id', () => {
    const named = request({ 'user.email': 'a@b.c', request_id: 'a' })
    expect(only(named, request({ 'user.id': random, request_id: 'b' }))?.user).toBe('a@b.c')
    expect(only(request({ 'user.id': random, request_id: 'b' }), named)?.user).toBe('a@b.c')
  })
})

describe('a request', () => {
  test('without an id is known by its place in the process and its time', () => {
    const ledger = new Ledger()
    const place = { 'event.sequence': 3, 'event.timestamp': '2026-11-21T07:00:00.000Z' }
    for (const each of [place, place, { ...place, 'event.sequence': 4 }]) ledger.take(request(each))
    ledger.take(request({ ...place, 'event.timestamp': '2026-11-21T08:00:00.000Z' }))
    expect(ledger.outcomes).toEqual({ counted: 3, repeated: 1 })
  })

  test('has the table’s price where Claude Code sends none, and none where the table has none', () => {
    expect(only(request({}))).toMatchObject({ costUsd: 4, costSource: expect.stringMatching(/^table \d/) })
    expect(only(request({ cost_usd: 0.5 }))).toMatchObject({ costUsd: 0.5, costSource: 'claude' })
    for (const attributes of [{ model: 'claude-next' }, { speed: 'fast' }]) {
      const record = only(request(attributes))
      expect(record?.costUsd).toBeNull()
      expect(record).not.toHaveProperty('costSource')
    }
    expect(only(request({ speed: 'normal' }))?.costUsd).toBe(4)
  })

  test('may have its numbers as texts', () => {
    expect(only(request({ input_tokens: '12', output_tokens: '3' }))).toMatchObject({
      inputTokens: 12,
      outputTokens: 3,
    })
  })

  test('is of Claude Code, or of nobody', () => {
    const foreign = request({})
    const logs = foreign.signal === 'logs' ? foreign.logs : []
    const others = logs.map((log) => ({ ...log, source: { ...log.source, scopeName: 'com.example' } }))
    expect(only({ signal: 'logs', logs: others })).toBeUndefined()
    expect(only(request({}, {}, { eventName: 'api_error' }))).toBeUndefined()
    expect(only(request({}, {}, { eventName: 'claude_code.api_request' }))).toBeDefined()
  })
})

describe('a chat span', () => {
  const chat = (session: string, spanId: string, message?: string) =>
    spanOf(
      {
        'session.id': session,
        'gen_ai.operation.name': 'chat',
        'tokens.input': 5,
        ...(message === undefined ? {} : { 'gen_ai.response.id': message }),
      },
      { spanId },
    )

  test('counts once for its message, in its session', () => {
    const spans = [chat('s1', '1', 'm1'), chat('s1', '2', 'm1'), chat('s1', '3', 'm2'), chat('s2', '4', 'm1')]
    expect(new Ledger().take({ signal: 'traces', spans }).outcomes).toEqual({ counted: 3, repeated: 1 })
  })

  test('of no message counts once by its own id', () => {
    const spans = [chat('s1', '1'), chat('s1', '2'), chat('s1', '1')]
    expect(new Ledger().take({ signal: 'traces', spans }).outcomes).toEqual({ counted: 2, repeated: 1 })
  })

  test('is priced by what of the cache was written for an hour', () => {
    const attributes = {
      'session.id': 's1',
      'gen_ai.operation.name': 'chat',
      'gen_ai.response.model': 'claude-opus-5-5',
      'tokens.input': 0,
      'tokens.cache_creation': 1_000_000,
    }
    const costOf = (more: OtlpAttributes) =>
      new Ledger().take({ signal: 'traces', spans: [spanOf({ ...attributes, ...more })] }).records[0]?.costUsd
    expect([costOf({}), costOf({ 'tokens.cache_creation_1h': 500_000 })]).toEqual([5, 6.5])
  })

  test('that failed has no tokens and is no request', () => {
    const failed = spanOf({ 'session.id': 's1', 'gen_ai.operation.name': 'chat', 'gen_ai.request.model': 'm' })
    expect(new Ledger().take({ signal: 'traces', spans: [failed] }).records).toEqual([])
  })
})

test('a number is one that can be counted', () => {
  expect([5, '5', 0.5, 0].map(numberOf)).toEqual([5, 5, 0.5, 0])
  expect([-1, '-1', '5x', '', null, true, Number.NaN, undefined].map(numberOf)).toEqual(Array(8).fill(undefined))
})
