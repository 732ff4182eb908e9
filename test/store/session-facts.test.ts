/** What sessions are said to be, by us and by Claude Code itself, in whatever order it comes. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSessionFacts } from '../../src/store/session-facts.ts'
import { openStore } from '../../src/store/store.ts'
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpSpan } from '../../src/telemetry/otlp.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-facts-'))
afterAll(() => rmSync(root, { recursive: true }))

const source = { resource: { 'service.name': 'claude-code' }, scopeName: '', scopeVersion: '', scopeAttributes: {} }
const id = { 'session.id': 's1' }

const logs = (...records: readonly (Partial<OtlpLogRecord> & { attributes: OtlpAttributes })[]): OtlpBatch => ({
  signal: 'logs',
  logs: records.map((record) => ({ source, timeUnixMicro: 0, observedUnixMicro: 0, severityNumber: 9, ...record })),
})

function spans(...list: readonly (Partial<OtlpSpan> & { attributes: OtlpAttributes })[]): OtlpBatch {
  const whole = { source, traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1, name: 'x', kind: 1, statusCode: 0 }
  const times = { startUnixMicro: 1, endUnixMicro: 1, events: [], links: [] }
  return { signal: 'traces', spans: list.map((span) => ({ ...whole, ...times, ...span })) }
}

const ours: readonly OtlpBatch[] = [
  logs(
    {
      eventName: 'session.start',
      timeUnixMicro: 10,
      traceId: 't1',
      attributes: { ...id, 'session.source': 'startup' },
    },
    { eventName: 'claude.user_prompt', timeUnixMicro: 20, attributes: { ...id, 'prompt.preview': 'first words' } },
    { eventName: 'claude.user_prompt', timeUnixMicro: 60, attributes: { ...id, 'prompt.preview': 'later words' } },
  ),
  spans(
    { name: 'chat m', startUnixMicro: 30, endUnixMicro: 40, attributes: { ...id, 'gen_ai.response.model': 'opus' } },
    {
      name: 'chat n',
      startUnixMicro: 30,
      endUnixMicro: 45,
      attributes: { ...id, 'gen_ai.response.model': 'haiku', 'claude.query_source': 'auxiliary' },
    },
  ),
  spans({
    name: 'claude.session',
    traceId: 't1',
    startUnixMicro: 5,
    endUnixMicro: 90,
    attributes: {
      ...id,
      'session.end_reason': 'other',
      'process.working_directory': '/home/dev/proj',
      'vcs.repository.name': 'proj',
      'vcs.owner.name': 'org',
      'vcs.ref.head.name': 'main',
      'gen_ai.response.model': 'opus',
    },
  }),
]

const told = {
  id: 's1',
  firstTime: 5,
  lastTime: 90,
  traceId: 't1',
  source: 'startup',
  cwd: '/home/dev/proj',
  repository: 'org/proj',
  branch: 'main',
  model: 'opus',
  title: 'first words',
  endTime: 90,
  endReason: 'other',
}

describe('a session', () => {
  test('is what its spans and log records say together, and the same when they come again', async () => {
    const store = await openStore(join(root, 'one.db'))
    for (const batch of [...ours, ...ours]) await store.append(batch)
    expect(store.session('s1')).toEqual(told)
    expect(store.sessions({ sinceUnixMicro: 90, untilUnixMicro: 100 }, 10)).toEqual([told])
    expect(store.sessions({ sinceUnixMicro: 91, untilUnixMicro: 100 }, 10)).toEqual([])
    expect(store.sessions({ sinceUnixMicro: 0, untilUnixMicro: 5 }, 10)).toEqual([])
    expect(store.session('s2')).toBeUndefined()
    store.close()
  })

  test('that goes on after its end is heard of later than its end', async () => {
    const store = await openStore(join(root, 'two.db'))
    for (const batch of ours) await store.append(batch)
    await store.append(logs({ eventName: 'session.start', timeUnixMicro: 200, attributes: id }))
    expect(store.session('s1')).toMatchObject({ endTime: 90, lastTime: 200 })
    store.close()
  })

  test('that Claude Code tells of by itself is known by its events and its metrics', () => {
    const common = { ...id, 'user.email': 'dev@example.com', 'app.version': '2.1.329' }
    const events = logs(
      { eventName: 'user_prompt', timeUnixMicro: 7, attributes: { ...common, prompt: '<REDACTED>' } },
      { eventName: 'user_prompt', timeUnixMicro: 8, attributes: { ...common, prompt: 'open words' } },
      { eventName: 'api_request', timeUnixMicro: 9, attributes: { ...common, model: 'opus', query_source: 'sdk' } },
      {
        eventName: 'api_request',
        timeUnixMicro: 9,
        attributes: { ...common, model: 'haiku', query_source: 'compact' },
      },
      { eventName: 'api_request', timeUnixMicro: 9, attributes: { ...common, model: 'sub', agent_id: 'a1' } },
    )
    const facts = readSessionFacts(events).get('s1')
    expect(facts).toEqual({
      id: 's1',
      firstTime: 7,
      lastTime: 9,
      user: 'dev@example.com',
      version: '2.1.329',
      model: 'opus',
      title: 'open words',
    })
  })

  test('is none where its signals name none, whatever the resource says', () => {
    const named = { ...source, resource: { 'session.id': 's9' } }
    expect(readSessionFacts(logs({ source: named, timeUnixMicro: 1, attributes: {} })).size).toBe(0)
    expect(readSessionFacts(logs({ timeUnixMicro: 1, attributes: {} })).size).toBe(0)
    expect(readSessionFacts(spans({ startUnixMicro: 0, endUnixMicro: 0, attributes: id })).size).toBe(0)
  })
})

test('a user is called by the address where there is one', () => {
  const told = { ...id, 'user.account_uuid': 'f00d', 'user.email': 'dev@example.com' }
  const facts = readSessionFacts(logs({ timeUnixMicro: 10, attributes: told }))
  expect(facts.get('s1')?.user).toBe('dev@example.com')
})
