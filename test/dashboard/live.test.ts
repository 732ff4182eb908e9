/** What goes on now: the same whatever the order in which it comes, however often, and bounded. */
import { describe, expect, test } from 'bun:test'
import { createLive, type Live } from '../../src/dashboard/live.ts'
import type { OtlpBatch, OtlpPoint } from '../../src/telemetry/otlp.ts'
import { batchesOf, recorded } from './recorded.ts'
import { Story, second, source } from './story.ts'

const begin = 1_700_000_000 * second

function liveOf(...batches: readonly OtlpBatch[]): Live {
  const live = createLive()
  for (const batch of batches) live.take(batch)
  return live
}

function inFlight(live: Live): string[] {
  return (live.session('s')?.inFlight ?? []).map(({ useId, isAsking }) => `${useId}${isAsking ? '?' : ''}`)
}

/** Every record in a request of its own. */
function single(story: Story): OtlpBatch[] {
  return [
    ...story.logs.map((log): OtlpBatch => ({ signal: 'logs', logs: [log] })),
    ...story.spans.map((span): OtlpBatch => ({ signal: 'traces', spans: [span] })),
  ]
}

describe('Tools in flight', () => {
  test('are those that have begun and not ended, and it shows for which a person is asked', () => {
    const story = new Story('s', begin)
    for (const id of ['a', 'b', 'c', 'd']) story.log('claude.tool.start', 1, { 'tool.use_id': id, 'tool.name': 'Bash' })
    story.log('claude.permission.asked', 2, { 'tool.use_id': 'b' })
    story.log('claude.permission.asked', 2, { 'tool.use_id': 'c' })
    story.log('claude.permission.granted', 3, { 'tool.use_id': 'c' })
    story.log('claude.tool.end', 3, { 'tool.use_id': 'a' })
    story.log('claude.tool.error', 3, { 'tool.use_id': 'd' })
    expect(inFlight(liveOf(...story.batches()))).toEqual(['b?', 'c'])
  })

  test('are none that ended before their beginning was heard of, and none after the session', () => {
    const story = new Story('s', begin)
    story.log('claude.tool.end', 2, { 'tool.use_id': 'a' })
    story.log('claude.tool.start', 1, { 'tool.use_id': 'a', 'tool.name': 'Bash' })
    story.log('claude.tool.start', 1, { 'tool.use_id': 'b', 'tool.name': 'Bash' })
    expect(inFlight(liveOf(...story.batches()))).toEqual(['b'])
    story.log('session.end', 3, {})
    expect(inFlight(liveOf(...story.batches()))).toEqual([])
  })

  test('are none when a recorded session is over', async () => {
    const session = await recorded('demo')
    const live = liveOf(...batchesOf(session))
    const id = String(session.spans[0]?.attributes['session.id'])
    expect(session.logs.filter(({ eventName }) => eventName === 'claude.tool.start').length).toBeGreaterThan(5)
    expect(live.session(id)?.inFlight).toEqual([])
  })
})

describe('The context of a session', () => {
  test('is that of the main conversation since the last compaction, by time, each answer once', () => {
    const story = new Story('s', begin)
    story.chat(1, 2, [10, 20, 30_000, 40])
    story.chat(5, 6, [10, 20, 90_000, 40])
    story.log('claude.compaction', 7, {})
    story.chat(10, 11, [10, 20, 1000, 40])
    story.chat(8, 9, [10, 20, 900, 40])
    story.chat(12, 13, [10, 20, 99_000, 40], undefined, { 'gen_ai.agent.id': 'a' })
    story.chat(12, 13, [10, 20, 99_000, 40], undefined, { 'claude.query_source': 'auxiliary' })
    const batches = single(story)
    const expected = [970, 1070]
    for (const order of [batches, batches.toReversed(), [...batches, ...batches]]) {
      const context = liveOf(...order).session('s')?.context ?? []
      expect(context.map(({ tokens }) => tokens)).toEqual(expected)
    }
  })

  test('is known by Claude Code’s own events where claude-otel sends nothing', () => {
    const story = new Story('s', begin)
    const tokens = { input_tokens: '5', output_tokens: '6', cache_read_tokens: '700', cache_creation_tokens: '8' }
    story.log('api_request', 1, { ...tokens, query_source: 'repl_main_thread' })
    story.log('api_request', 2, { ...tokens, query_source: 'agent:builtin:Explore' })
    const session = liveOf(...story.batches()).session('s')
    expect(session?.sources).toEqual(['claude-code'])
    expect(session?.context.map((sample) => sample.tokens)).toEqual([719])
    const both = new Story('s', begin)
    both.log('session.start', 0, {})
    both.log('api_request', 1, { ...tokens, query_source: 'repl_main_thread' })
    expect(liveOf(...both.batches()).session('s')?.context).toEqual([])
  })
})

describe('What is wrong', () => {
  test('is the last failures, each once, the newest first, no more than fifty', () => {
    const story = new Story('s', begin)
    for (let at = 0; at < 80; at += 1) story.log('claude.tool.error', at, {}, undefined, `failure ${at}`)
    story.log('claude.tool.end', 90, {})
    story.log('api_error', 91, { error: 'overloaded' })
    const errors = liveOf(...single(story).toReversed(), ...story.batches()).errors()
    expect(errors).toHaveLength(50)
    expect(errors[0]).toMatchObject({ sessionId: 's', event: 'api_error', text: 'overloaded', severity: 'error' })
    expect(errors[1]?.text).toBe('failure 79')
    expect(errors.at(-1)?.text).toBe('failure 31')
  })

  test('is what claude-otel counts of itself, over all that count, by the highest of a growing sum', () => {
    const point = (instance: string, value: number, temporality: 'cumulative' | 'delta' = 'cumulative'): OtlpPoint => ({
      source: { ...source, resource: { 'service.instance.id': instance } },
      type: 'sum',
      name: 'claude_otel.hooks_lost_total',
      unit: '{hook}',
      description: '',
      attributes: {},
      startUnixMicro: begin,
      timeUnixMicro: begin + value,
      isAbsent: false,
      exemplars: [],
      value,
      temporality,
      isMonotonic: true,
    })
    const points = [
      point('a', 2),
      point('a', 3),
      point('a', 3),
      point('b', 4),
      point('c', 1, 'delta'),
      point('c', 1, 'delta'),
    ]
    const live = liveOf(...points.map((each): OtlpBatch => ({ signal: 'metrics', points: [each] })))
    expect(live.troubles().get('claude_otel.hooks_lost_total')).toBe(3 + 4 + 2)
  })
})

describe('What arrives', () => {
  test('is counted by who sends it; what is recalled has not arrived', () => {
    const story = new Story('s', begin)
    story.chat(1, 2, [1, 1, 1, 1])
    story.log('claude.user_prompt', 0, {})
    const live = liveOf(...story.batches(), ...story.batches())
    for (const batch of story.batches()) live.recall(batch)
    expect(live.arrivals()).toMatchObject([
      { service: 'claude-code', scope: 'claude-otel', spans: 2, logs: 2, points: 0 },
    ])
  })

  test('of a thousand sessions is remembered of the last three hundred', () => {
    const live = createLive()
    for (let index = 0; index < 1000; index += 1) {
      const story = new Story(`s${index}`, begin)
      story.log('claude.user_prompt', 0, {})
      for (const batch of story.batches()) live.take(batch)
    }
    expect(live.session('s699')).toBeUndefined()
    expect(live.session('s700')).toBeDefined()
    expect(live.revision('s999')).toBeGreaterThan(0)
  })
})
