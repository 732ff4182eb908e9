/** One session, whoever tells of it: sessions recorded with claude-otel and Claude Code both telling, heard in part and as a whole. */
import { describe, expect, test } from 'bun:test'
import { EventReader } from '../../src/dashboard/event-facts.ts'
import { oneTree, type TreeSpan } from '../../src/dashboard/one-tree.ts'
import { marksSpan, openSpans } from '../../src/dashboard/open-spans.ts'
import { readSpanFacts } from '../../src/dashboard/span-facts.ts'
import { activities, timeSpent } from '../../src/dashboard/time-spent.ts'
import { modelTokens, turnRows } from '../../src/dashboard/views.ts'
import { renderWaterfall } from '../../src/dashboard/waterfall.ts'
import { bothCases, hearings, isOfWrapper, readBoth, treeOf } from './both.ts'
import { Story, second } from './story.ts'

const begin = 1_700_000_000 * second

function outline(tree: readonly TreeSpan[]): string[] {
  return renderWaterfall(tree).rows.map(({ depth, name, kind, detail, status, hasFailed }) => {
    const words = [name, kind === 'model' ? detail : undefined, status, hasFailed ? '!' : undefined].filter(Boolean)
    return `${'  '.repeat(depth)}${words.join(' ')}`
  })
}

function told({ spans, logs }: Story): readonly TreeSpan[] {
  return treeOf({ spans, logs })
}

/** A row for each thing, who tells of it, ours first. */
function tellers(tree: readonly TreeSpan[]): string[] {
  return renderWaterfall(tree).rows.map(
    ({ name, teller, also = [] }) => `${name}: ${[teller, ...also.map((told) => told.teller)].join(', ')}`,
  )
}

const printed = [
  '  opus',
  '  Bash success',
  '  Bash error !',
  '  opus',
  '  Agent success',
  '    general-purpose',
  '      opus',
  '      Bash success',
  '      opus',
  '  opus',
  '  Read error !',
  '  opus',
]

const sittings = [
  ['  opus', '  Bash success', '  opus'],
  ['  opus compaction', '  opus compaction'],
  ['  opus'],
  ['  opus', '  Bash denied !'],
]

function withoutRules(lines: readonly string[]): string[] {
  return lines
    .filter((line) => !/permission/.test(line))
    .map((line) => line.replace('claude-opus-5-5', 'opus').replace(/ completed| interrupted !/, ''))
}

describe('A session that both tell of', () => {
  test('is one tree, in which each thing stands once, with everybody who tells of it', () => {
    const tree = treeOf(readBoth('print'))
    expect(withoutRules(outline(tree))).toEqual(['Session', '  Turn 1', ...printed.map((line) => `  ${line}`)])
    const who = tellers(tree)
    expect(who[1]).toBe('Turn 1: claude-otel, claude-code, event')
    expect(who[2]).toBe('claude-opus-5-5: claude-otel, claude-code, event')
    // Claude Code tells of a call by two spans, one of them of the time in which it ran.
    expect(who[3]).toBe('Bash: claude-otel, claude-code, claude-code, event')
    const ids = tree.flatMap(({ spanId, also = [] }) => [spanId, ...also.map((each) => each.spanId)])
    const { spans } = readBoth('print')
    for (const span of spans) expect(ids.filter((id) => id === span.spanId).length).toBeGreaterThan(0)
  })

  test('has Claude Code’s traces of a terminal in it, its commands and what they asked the model', () => {
    const turns = ['Turn 1', '/compact', 'Turn 2', 'Turn 3']
    const expected = turns.flatMap((turn, index) => [turn, ...(sittings[index] ?? [])])
    for (const hearing of ['all', 'wrapper and events'] as const) {
      const tree = treeOf(readBoth('terminal', hearing))
      expect(withoutRules(outline(tree))).toEqual(['Session', ...[...expected, '/exit'].map((line) => `  ${line}`)])
    }
    const waits = renderWaterfall(treeOf(readBoth('terminal'))).rows
    const wait = waits.findIndex(({ kind }) => kind === 'permission')
    expect(waits[wait]?.name).toBe('waiting for permission')
    expect(waits[wait - 1]).toMatchObject({ name: 'Bash', depth: (waits[wait]?.depth ?? 0) - 1 })
  })

  test('has the prompts that Claude Code withholds, and each tool as we saw it', () => {
    const tree = treeOf(readBoth('terminal'))
    const alone = treeOf(readBoth('terminal', 'wrapper'))
    const seen = (spans: readonly TreeSpan[], kind: string) =>
      spans
        .filter((span) => span.kind === kind && span.teller === 'claude-otel')
        .map(({ detail, status, waitMicro, runMicro }) => ({ detail, status, waitMicro, runMicro }))
    expect(seen(tree, 'turn').map(({ detail }) => detail)).toEqual(['Touch one', 'Say it again', 'Touch another'])
    expect(seen(tree, 'tool')).toEqual(seen(alone, 'tool'))
    const bash = tree.find(({ kind, status }) => kind === 'tool' && status === 'success')
    expect(alone.find(({ spanId }) => spanId === bash?.spanId)).toMatchObject({
      startUnixMicro: bash?.startUnixMicro ?? 0,
      endUnixMicro: bash?.endUnixMicro ?? 0,
    })
  })

  test('tells a model call as long as the longest of those who saw it', () => {
    for (const { kind, also = [], startUnixMicro, endUnixMicro } of treeOf(readBoth('print'))) {
      if (kind !== 'model') continue
      const { spans } = readBoth('print')
      const native = spans.find(({ spanId }) => also.some((told) => told.spanId === spanId))
      expect(startUnixMicro).toBeLessThanOrEqual(native?.startUnixMicro ?? 0)
      expect(endUnixMicro).toBeGreaterThanOrEqual(native?.endUnixMicro ?? begin * 2)
    }
  })

  test('shows a failure that has no id once', () => {
    for (const hearing of ['all', 'wrapper and events', 'native'] as const) {
      const calls = treeOf(readBoth('refused', hearing)).filter(({ kind }) => kind === 'model')
      expect(calls).toHaveLength(1)
      expect(calls[0]).toMatchObject({ hasFailed: true })
    }
  })

  test.each(bothCases)('%s has the same tokens, the same turns, and time that adds up, whoever is heard', (name) => {
    const sums = hearings.map((hearing) => {
      const tree = treeOf(readBoth(name, hearing))
      const { rows } = renderWaterfall(tree)
      const { wallMicro, byActivity } = timeSpent(tree)
      expect(activities.reduce((sum, activity) => sum + byActivity[activity], 0)).toBe(wallMicro)
      const extent =
        Math.max(...rows.map((row) => row.endUnixMicro)) - Math.min(...rows.map((row) => row.startUnixMicro))
      expect(wallMicro).toBe(extent)
      const turns = turnRows(rows).filter((turn) => !turn.name.startsWith('/'))
      return { tokens: modelTokens(tree), tools: turns.map(({ tools }) => tools) }
    })
    for (const sum of sums) expect(sum).toEqual(sums[0] ?? sum)
  })

  test('spends with the model what it spent, with a person what was waited, however many tell', () => {
    const waits = hearings.map((hearing) => timeSpent(treeOf(readBoth('terminal', hearing))).byActivity.permission)
    const [all = 0, , wrapper = 0] = waits
    expect(all).toBeGreaterThan(1_000_000)
    expect(Math.abs(all - wrapper)).toBeLessThan(50_000)
    const models = hearings.map((hearing) => timeSpent(treeOf(readBoth('terminal', hearing))).byActivity.model)
    // Requests that no transcript tells of have no time of their own; that of the session is not theirs.
    for (const model of models) expect(model).toBeLessThan(1_000_000)
  })
})

describe('A session that Claude Code alone tells of', () => {
  test('is a tree by its spans, and nearly the same by its events', () => {
    expect(withoutRules(outline(treeOf(readBoth('print', 'native'))))).toEqual(['Turn 1', ...printed])
    expect(withoutRules(outline(treeOf(readBoth('print', 'events'))))).toEqual(['Turn 1', ...printed])
    const expected = ['Turn 1', '/compact', 'Turn 2', 'Turn 3'].flatMap((turn, index) => [
      turn,
      ...(sittings[index] ?? []),
    ])
    for (const hearing of ['native', 'events'] as const) {
      expect(withoutRules(outline(treeOf(readBoth('terminal', hearing))))).toEqual([...expected, '/exit'])
    }
  })

  test('is the same where its events do not name the spans that they were told in, and shows who was waited for', () => {
    const { spans, logs } = readBoth('terminal', 'native')
    const loose = logs.map(({ spanId: _, traceId: __, ...log }) => log)
    const tree = treeOf({ spans, logs: loose })
    expect(outline(tree)).toEqual(outline(treeOf({ spans, logs })))
    const [call] = tree.filter(({ kind }) => kind === 'tool')
    expect(call?.waitMicro).toBeGreaterThan(800_000)
  })

  test('has the turns that their prompts say, though their times say otherwise', () => {
    const story = new Story('s', begin)
    const turns = [story.turn(1, 0, 100), story.turn(2, 10, 110)]
    const theirs = [
      story.span('claude_code.interaction', 5, 100, {}),
      story.span('claude_code.interaction', 0, 110, {}),
    ]
    for (const [index, spanId] of theirs.entries())
      story.log('user_prompt', index, { 'prompt.id': `p${index + 1}` }, spanId)
    const found = turns.map((id) =>
      told(story)
        .find(({ spanId }) => spanId === id)
        ?.also?.map(({ spanId }) => spanId),
    )
    expect(found).toEqual(theirs.map((id) => [id, id]))
  })

  test('has nobody wait for what a rule decides, and turns as long as what is told of them', () => {
    const rows = treeOf(readBoth('print', 'native'))
    expect(rows.filter(({ kind }) => kind === 'permission')).toEqual([])
    expect(rows.filter(({ name }) => name === 'permission by rule').length).toBeGreaterThan(3)
    const [turn, ...rest] = treeOf(readBoth('print', 'events'))
    for (const { endUnixMicro } of rest) expect(endUnixMicro).toBeLessThanOrEqual(turn?.endUnixMicro ?? 0)
  })

  test('has its turns in ours though no event says which is which', () => {
    const { spans } = readBoth('terminal')
    const turns = treeOf({ spans, logs: [] }).filter(({ kind, teller }) => kind === 'turn' && teller === 'claude-otel')
    expect(turns.map(({ also = [] }) => also.length)).toEqual([1, 1, 1])
  })

  test('ends its runs by silence', () => {
    const story = new Story('s', begin)
    for (const at of [0, 60, 7200]) story.span('claude_code.interaction', at, at + 10, {})
    const tree = oneTree(story.spans.map(readSpanFacts))
    expect(timeSpent(tree)).toMatchObject({
      wallMicro: 80 * second,
      byActivity: { hooks: 30 * second, idle: 50 * second },
    })
  })
})

describe('What goes on', () => {
  test.each(bothCases)('in %s has each thing once at every moment, whoever was heard of it first', (name) => {
    const { spans, logs } = readBoth(name)
    const final = new Set(treeOf({ spans, logs }).flatMap(({ key }) => key ?? []))
    let most = 0
    // Each side is heard as much later than the other as it can be.
    for (const [oursLate, theirsLate] of [
      [0, 0],
      [3_000_000, 0],
      [0, 3_000_000],
    ] as const) {
      for (const { timeUnixMicro: now } of logs) {
        const isHeard = (each: (typeof spans)[number] | (typeof logs)[number]) => {
          const at = 'endUnixMicro' in each ? each.endUnixMicro : each.timeUnixMicro
          return at <= now - (isOfWrapper(each) ? oursLate : theirsLate)
        }
        const facts = spans.filter(isHeard).map(readSpanFacts)
        const heard = logs.filter(isHeard)
        const events = new EventReader()
        for (const log of heard) events.take(log)
        const tree = oneTree(facts, openSpans(facts, heard.filter(marksSpan), now), events.facts())
        const keys = tree.flatMap(({ key }) => key ?? [])
        expect(new Set(keys).size).toBe(keys.length)
        for (const key of keys) expect(final.has(key) || key).toBe(true)
        const { rows } = renderWaterfall(tree)
        expect(rows.map(({ spanId }) => spanId).sort()).toEqual(tree.map(({ spanId }) => spanId).sort())
        const { wallMicro, byActivity } = timeSpent(tree)
        expect(activities.reduce((sum, activity) => sum + byActivity[activity], 0)).toBe(wallMicro)
        most = Math.max(most, keys.length)
      }
    }
    expect(most).toBe(final.size)
  })

  test('is over when Claude Code says so first', () => {
    const { spans, logs } = readBoth('print')
    const [tool] = spans.filter(({ name }) => name === 'execute_tool Bash')
    const marks = logs.filter(
      (log) => isOfWrapper(log) && log.eventName?.endsWith('start') && log.spanId === tool?.spanId,
    )
    const ours = openSpans([], marks, (tool?.endUnixMicro ?? 0) + second)
    expect(ours).toHaveLength(1)
    const events = new EventReader()
    for (const log of logs.filter((each) => !isOfWrapper(each))) events.take(log)
    const [open] = oneTree([], ours)
    const [over] = oneTree([], ours, events.facts())
    expect([open?.isOpen, over?.isOpen]).toEqual([true, undefined])
    expect(over?.endUnixMicro).toBeLessThan(open?.endUnixMicro ?? 0)
  })
})

describe('Requests that no transcript tells of', () => {
  const auxiliary = { 'claude.query_source': 'auxiliary' }
  const named = (tokens: readonly number[], id: string) => ({
    model: 'claude-opus-5-5',
    request_id: id,
    duration_ms: 1000,
    query_source: 'generate_session_title',
    ...Object.fromEntries(
      ['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_creation_tokens'].map((name, i) => [
        name,
        tokens[i] ?? 0,
      ]),
    ),
  })

  test('are what their events say, and the rest of our sum of them', () => {
    const story = new Story('s', begin)
    const session = story.session(0, 100)
    story.chat(0, 100, [30, 50, 70, 90], session, auxiliary)
    story.log('api_request', 10, named([10, 20, 30, 40], 'r1'))
    const tokens = { input: 30, output: 50, cacheRead: 70, cacheCreation: 90 }
    expect(modelTokens(told(story))).toEqual(tokens)
    expect(outline(told(story))).toEqual([
      'Session',
      '  claude-opus-5-5 auxiliary requests together',
      '  claude-opus-5-5 title of the session',
    ])
    expect(told(story).find(({ key }) => key === 'model r1')).toMatchObject({ startUnixMicro: begin + 9 * second })
    story.log('api_request', 20, named([20, 30, 40, 50], 'r2'))
    expect(modelTokens(told(story))).toEqual(tokens)
    expect(outline(told(story))).toHaveLength(3)
    expect(timeSpent(told(story)).byActivity.model).toBe(2 * second)
  })

  test('are known again by the id that only some of those who tell have', () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 20)
    story.chat(0, 10, [10, 20, 30, 40], turn, { 'prompt.id': 'p1' })
    story.span('claude_code.llm_request', 1, 11, { ...named([10, 20, 30, 40], 'r1'), query_source: 'sdk' })
    story.log('api_request', 11, { ...named([10, 20, 30, 40], 'r1'), query_source: 'sdk', 'prompt.id': 'p1' })
    expect(told(story).filter(({ kind }) => kind === 'model')).toHaveLength(1)
    // What fails in another turn is another failure, however near.
    story.span('chat', 12, 13, { 'gen_ai.operation.name': 'chat', 'prompt.id': 'p1', 'tool.is_error': true }, turn)
    story.log('api_error', 14, { error: 'overloaded', model: 'm', 'prompt.id': 'p2' })
    expect(told(story).filter(({ kind }) => kind === 'model')).toHaveLength(3)
  })

  test('of one session that has no ids are told apart by their tokens and their time', () => {
    const story = new Story('s', begin)
    story.chat(0, 10, [10, 20, 30, 40])
    const anonymous = { input_tokens: 10, output_tokens: 20, cache_read_tokens: 30, cache_creation_tokens: 40 }
    story.span('claude_code.llm_request', 1, 11, { ...anonymous, model: 'claude-opus-5-5' })
    expect(oneTree(story.spans.map(readSpanFacts))).toHaveLength(1)
    story.span('claude_code.llm_request', 60, 70, { ...anonymous, model: 'claude-opus-5-5' })
    story.span('claude_code.llm_request', 2, 12, { ...anonymous, input_tokens: 11, model: 'claude-opus-5-5' })
    expect(oneTree(story.spans.map(readSpanFacts))).toHaveLength(3)
  })
})

describe('Hooks', () => {
  test('hang below the call that they are of', () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 100)
    const call = story.tool('Bash', 10, 30, turn, { 'tool.use_id': 't1' })
    story.tool('Read', 10, 30, turn, { 'tool.use_id': 't2' })
    const native = story.span('claude_code.interaction', 0, 100, {})
    story.span('claude_code.hook', 11, 13, { hook_event: 'PreToolUse', hook_name: 'PreToolUse:Bash' }, native)
    story.span('claude_code.hook', 95, 99, { hook_event: 'Stop', hook_name: 'Stop' }, native)
    story.log('user_prompt', 0, { 'prompt.id': 'p1' }, native)
    const events = new EventReader()
    for (const log of story.logs) events.take(log)
    const tree = oneTree(story.spans.map(readSpanFacts), [], events.facts())
    expect(outline(tree)).toEqual([
      'Turn 1 completed',
      '  Bash success',
      '    PreToolUse:Bash',
      '  Read success',
      '  Stop',
    ])
    expect(tree.find(({ name }) => name === 'PreToolUse:Bash')?.parentSpanId).toBe(call)
    // A call with nothing but hooks below it is still the time of its tool.
    expect(timeSpent(tree).byActivity.tool).toBe(20 * second)
  })
})
