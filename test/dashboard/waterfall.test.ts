/** The rows of a trace: their order and depth, and the spans that nobody has sent yet. */
import { describe, expect, test } from 'bun:test'
import { marksSpan, openSpans } from '../../src/dashboard/open-spans.ts'
import { readSpanFacts } from '../../src/dashboard/span-facts.ts'
import { timeSpent } from '../../src/dashboard/time-spent.ts'
import { modelTokens, turnRows } from '../../src/dashboard/views.ts'
import { renderWaterfall, type Waterfall } from '../../src/dashboard/waterfall.ts'
import { recorded } from './recorded.ts'
import { Story, second } from './story.ts'

const begin = 1_700_000_000 * second

function outline({ rows }: Waterfall): string[] {
  return rows.map((row) => `${'  '.repeat(row.depth)}${row.name}${row.isOpen ? ' …' : ''}`)
}

describe('A waterfall', () => {
  test('has parents before children, and children by their start', () => {
    const story = new Story('s', begin)
    const session = story.session(0, 100)
    const later = story.turn(2, 50, 60, session)
    const turn = story.turn(1, 10, 40, session)
    story.tool('Bash', 52, 55, later)
    story.tool('Read', 20, 30, turn)
    story.chat(11, 20, [1, 1, 1, 1], turn)
    const rows = outline(renderWaterfall(story.spans.map(readSpanFacts)))
    expect(rows).toEqual(['Session', '  Turn 1', '    claude-opus-5-5', '    Read', '  Turn 2', '    Bash'])
  })

  test('puts a span whose parent is unknown at the top, and each span of a circle once', () => {
    const story = new Story('s', begin)
    story.tool('Orphan', 5, 6, '1'.repeat(16))
    const [a, b] = ['a'.repeat(16), 'b'.repeat(16)]
    story.span('execute_tool A', 1, 2, { 'gen_ai.operation.name': 'execute_tool', 'tool.name': 'A' }, b, a)
    story.span('execute_tool B', 1, 2, { 'gen_ai.operation.name': 'execute_tool', 'tool.name': 'B' }, a, b)
    expect(outline(renderWaterfall(story.spans.map(readSpanFacts)))).toEqual(['Orphan', 'A', '  B'])
  })

  test('goes as deep as the spans do', () => {
    const story = new Story('s', begin)
    let parent: string | undefined
    for (let depth = 0; depth < 20_000; depth += 1) parent = story.tool('Task', 0, 100, parent)
    const { rows } = renderWaterfall(story.spans.map(readSpanFacts))
    expect(rows.at(-1)?.depth).toBe(19_999)
  })

  test('of a recorded session has every span once, and a lane for each subagent', async () => {
    const { spans } = await recorded('demo')
    const { rows, lanes } = renderWaterfall(spans.map(readSpanFacts))
    expect(rows.map(({ spanId }) => spanId).sort()).toEqual(spans.map(({ spanId }) => spanId).sort())
    expect(lanes).toEqual(['main', 'general-purpose'])
    expect(outline({ rows, lanes }).slice(0, 4)).toEqual(['Session', '  Turn 1', '    claude-opus-5-5', '    Bash'])
    const agent = rows.findIndex(({ kind }) => kind === 'agent')
    expect(rows[agent - 1]).toMatchObject({ name: 'Agent', kind: 'tool', lane: 0 })
    expect(rows[agent + 1]).toMatchObject({ kind: 'model', lane: 1, depth: (rows[agent]?.depth ?? 0) + 1 })
  })
})

describe('Spans that go on', () => {
  test('are known by the log records of their beginning, under what goes on above them', () => {
    const story = new Story('s', begin)
    const [session, turn, bash] = [story.newId(), story.newId(), story.newId()]
    story.log('session.start', 0, {}, session)
    story.log('claude.user_prompt', 5, { 'prompt.id': 'p1', 'prompt.preview': 'do it' }, turn)
    story.chat(6, 8, [10, 20, 30, 40], turn, { 'prompt.id': 'p1' })
    story.log('claude.tool.start', 8, { 'tool.name': 'Bash', 'input.summary': 'make', 'prompt.id': 'p1' }, bash)
    const spans = story.spans.map(readSpanFacts)
    const view = renderWaterfall([...spans, ...openSpans(spans, story.logs.filter(marksSpan), begin + 20 * second)])
    expect(outline(view)).toEqual(['Session …', '  Turn …', '    claude-opus-5-5', '    Bash …'])
    expect(view.rows[3]).toMatchObject({ detail: 'make', endUnixMicro: begin + 20 * second })
    expect(turnRows(view.rows)).toEqual([
      expect.objectContaining({
        prompt: 'do it',
        isOpen: true,
        tools: 1,
        tokens: { input: 10, output: 20, cacheRead: 30, cacheCreation: 40 },
      }),
    ])
  })

  test('are over when a log record says so, or when they have come', () => {
    const story = new Story('s', begin)
    const [told, sent] = [story.newId(), story.newId()]
    story.log('claude.tool.start', 1, { 'tool.name': 'Bash' }, told)
    story.log('claude.tool.error', 2, { 'tool.name': 'Bash' }, told)
    story.log('claude.tool.start', 1, { 'tool.name': 'Read' }, sent)
    story.span('execute_tool Read', 1, 2, { 'gen_ai.operation.name': 'execute_tool' }, undefined, sent)
    expect(openSpans(story.spans.map(readSpanFacts), story.logs, begin + 9 * second)).toEqual([])
  })

  test('wait while somebody is asked, and run from then on', () => {
    const story = new Story('s', begin)
    const call = story.newId()
    story.log('claude.tool.start', 1, { 'tool.name': 'Bash' }, call)
    const spent = () => {
      const open = openSpans([], story.logs.filter(marksSpan), begin + 31 * second)
      const { permission, tool } = timeSpent(open).byActivity
      return [permission / second, tool / second]
    }
    expect(spent()).toEqual([0, 30])
    story.log('claude.permission.asked', 1, {}, call)
    expect(spent()).toEqual([30, 0])
    story.log('claude.permission.granted', 11, {}, call)
    expect(spent()).toEqual([10, 20])
  })

  test('of a subagent are found by what it has already done', () => {
    const story = new Story('s', begin)
    const [turn, call, agent] = [story.newId(), story.newId(), story.newId()]
    const who = { 'gen_ai.agent.id': 'a1', 'gen_ai.agent.name': 'Explore', 'prompt.id': 'p1' }
    story.log('claude.user_prompt', 0, { 'prompt.id': 'p1' }, turn)
    story.log('claude.tool.start', 1, { 'tool.name': 'Agent', 'prompt.id': 'p1' }, call)
    story.chat(2, 3, [1, 1, 1, 1], agent, who)
    story.log('claude.tool.start', 3, { 'tool.name': 'Grep', ...who }, story.newId())
    const spans = story.spans.map(readSpanFacts)
    const view = renderWaterfall([...spans, ...openSpans(spans, story.logs, begin + 9 * second)])
    expect(outline(view)).toEqual(['Turn …', '  Agent …', '    Explore …', '      claude-opus-5-5', '      Grep …'])
  })

  test('are, at every moment of a recorded session, those whose end has not come', async () => {
    const { spans, logs } = await recorded('demo')
    const order = logs.toSorted((a, b) => a.timeUnixMicro - b.timeUnixMicro)
    let most = 0
    const whole = new Set(spans.map(({ spanId }) => spanId))
    for (const [index, log] of order.entries()) {
      const at = log.timeUnixMicro
      const sent = spans.filter(({ endUnixMicro }) => endUnixMicro <= at).map(readSpanFacts)
      const open = openSpans(sent, order.slice(0, index + 1).filter(marksSpan), at)
      most = Math.max(most, open.length)
      // Everything that goes on is a span that will come, as it was said to be.
      expect(open.filter(({ spanId }) => !whole.has(spanId))).toEqual([])
      for (const { spanId, kind, parentSpanId } of open) {
        const later = spans.map(readSpanFacts).find((span) => span.spanId === spanId)
        expect(kind).toBe(later?.kind ?? 'other')
        if (parentSpanId !== undefined) expect(parentSpanId).toBe(later?.parentSpanId ?? '')
      }
    }
    expect(most).toBeGreaterThan(3)
    expect(openSpans(spans.map(readSpanFacts), logs.filter(marksSpan), 0)).toEqual([])
  })
})

describe('Tokens of a session', () => {
  test('are those of its model calls, in total and by turn', async () => {
    const { spans } = await recorded('demo')
    const root = spans.find(({ name }) => name === 'claude.session')
    const facts = spans.map(readSpanFacts)
    const told = (name: string) => Number(root?.attributes[`tokens.${name}`])
    const total = {
      input: told('input'),
      output: told('output'),
      cacheRead: told('cache_read'),
      cacheCreation: told('cache_creation'),
    }
    expect(modelTokens(facts)).toEqual(total)
    expect(turnRows(renderWaterfall(facts).rows).map(({ tokens }) => tokens)).toEqual([total])
  })
})
