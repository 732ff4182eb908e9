/** Where the time went: of sessions by hand, and of recorded ones, whose parts must add up to the whole. */
import { describe, expect, test } from 'bun:test'
import { oneTree } from '../../src/dashboard/one-tree.ts'
import { readSpanFacts } from '../../src/dashboard/span-facts.ts'
import { activities, type TimeSpent, timeSpent } from '../../src/dashboard/time-spent.ts'
import { recorded } from './recorded.ts'
import { Story, second } from './story.ts'

const begin = 1_700_000_000 * second

function spent(story: Story): Readonly<Record<string, number>> {
  const { wallMicro, byActivity } = timeSpent(oneTree(story.spans.map(readSpanFacts)))
  expect(sumOf(byActivity)).toBe(wallMicro)
  const seconds = Object.entries({ wall: wallMicro, ...byActivity }).map(([name, micro]) => [name, micro / second])
  return Object.fromEntries(seconds)
}

function sumOf(byActivity: TimeSpent['byActivity']): number {
  return activities.reduce((sum, activity) => sum + byActivity[activity], 0)
}

describe('Where the time went', () => {
  test('a call is permission first, the tool last, and hooks between; the rest of a turn is hooks, of a session idle', () => {
    const story = new Story('s', begin)
    const session = story.session(0, 100)
    const turn = story.turn(1, 10, 60, session)
    story.chat(12, 20, [1, 1, 1, 1], turn)
    story.tool('Bash', 20, 50, turn, { permission_wait_ms: 10_000, duration_ms: 15_000 })
    expect(spent(story)).toEqual({ wall: 100, model: 8, tool: 15, permission: 10, hooks: 17, idle: 50 })
  })

  test('what goes on at the same time counts once, and the model first', () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 30)
    story.chat(0, 10, [1, 1, 1, 1], turn)
    story.tool('Read', 5, 20, turn, { duration_ms: 15_000 })
    story.tool('Grep', 8, 25, turn, { duration_ms: 17_000 })
    story.tool('Bash', 22, 30, turn, { permission_wait_ms: 8000, duration_ms: 0 })
    expect(spent(story)).toEqual({ wall: 30, model: 10, tool: 15, permission: 5, hooks: 0, idle: 0 })
  })

  test('a call whose tool says that it ran longer than there was time for has waited first all the same', () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 10)
    story.tool('Bash', 0, 10, turn, { permission_wait_ms: 4000, duration_ms: 8000 })
    expect(spent(story)).toEqual({ wall: 10, model: 0, tool: 6, permission: 4, hooks: 0, idle: 0 })
  })

  test("a subagent's time is that of its model and its tools, not of the call that started it", () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 20)
    const call = story.tool('Agent', 0, 20, turn, { duration_ms: 20_000 })
    const agent = { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'general-purpose' }
    const id = story.span('invoke_agent general-purpose', 1, 19, { ...agent, 'gen_ai.agent.id': 'a' }, call)
    story.chat(2, 7, [1, 1, 1, 1], id)
    story.tool('Bash', 8, 12, id, { duration_ms: 4000 })
    expect(spent(story)).toEqual({ wall: 20, model: 5, tool: 4, permission: 0, hooks: 11, idle: 0 })
  })

  test('a call that was denied ran nothing', () => {
    const story = new Story('s', begin)
    const turn = story.turn(1, 0, 10)
    story.tool('Bash', 0, 10, turn, { 'tool.status': 'denied', permission_wait_ms: 6000 })
    expect(spent(story)).toEqual({ wall: 10, model: 0, tool: 0, permission: 6, hooks: 4, idle: 0 })
  })

  test('what lies between two runs of a session is not its time', () => {
    const story = new Story('s', begin)
    story.session(0, 10)
    const resumed = new Story('s', begin, 'f'.repeat(32))
    resumed.session(5000, 5020)
    story.spans.push(...resumed.spans)
    expect(spent(story)).toEqual({ wall: 30, model: 0, tool: 0, permission: 0, hooks: 0, idle: 30 })
  })

  test('nor is it where Claude Code tells of both runs', () => {
    const story = new Story('s', begin)
    story.session(0, 10)
    story.span('claude_code.interaction', 1, 9, {})
    const resumed = new Story('s', begin, 'f'.repeat(32))
    resumed.session(600, 620)
    resumed.span('claude_code.interaction', 601, 619, {})
    story.spans.unshift(...resumed.spans)
    expect(spent(story)).toEqual({ wall: 30, model: 0, tool: 0, permission: 0, hooks: 26, idle: 4 })
  })

  test("Claude Code's own spans say the same", () => {
    const story = new Story('s', begin)
    const turn = story.span('claude_code.interaction', 0, 20, {})
    story.span('claude_code.llm_request', 1, 5, {}, turn)
    const tool = story.span('claude_code.tool', 5, 18, { duration_ms: 13_000, tool_use_id: 't' }, turn)
    story.span('claude_code.tool.blocked_on_user', 5, 9, {}, tool)
    story.span('claude_code.tool.execution', 9, 16, { duration_ms: 7000, tool_use_id: 't' }, tool)
    expect(spent(story)).toEqual({ wall: 20, model: 4, tool: 7, permission: 4, hooks: 5, idle: 0 })
  })

  test('of nothing is nothing', () => {
    expect(timeSpent([]).wallMicro).toBe(0)
  })

  for (const name of ['demo', 'tools', 'multi', 'd_plan', 'fail', 'int_tool', 'e401', 'term_tool']) {
    test(`of the recorded session ${name} adds up to its wall time`, async () => {
      const { spans } = await recorded(name)
      const sessions = Map.groupBy(spans, ({ attributes }) => String(attributes['session.id']))
      for (const [, list] of sessions) {
        const { wallMicro, byActivity } = timeSpent(list.map(readSpanFacts))
        const roots = list.filter((span) => span.name === 'claude.session')
        const wall = roots.reduce((sum, span) => sum + span.endUnixMicro - span.startUnixMicro, 0)
        expect(sumOf(byActivity)).toBe(wallMicro)
        expect(wallMicro).toBeGreaterThanOrEqual(wall)
        if (list.some((span) => span.name.startsWith('chat '))) expect(byActivity.model).toBeGreaterThan(0)
      }
      expect(sessions.size).toBeGreaterThan(0)
    })
  }
})
