/** What we tell of ourselves: hooks that took long, were lost, came twice or could not be read. */
import { describe, expect, test } from 'bun:test'
import { Story } from './story.ts'

const lost = 'claude_otel.hooks_lost_total'
const announced = (story: Story, id: string) =>
  story.message(`msg-${id}`, {
    tools: [{ name: 'Bash', useId: id, input: { text: '', bytes: 0, truncated: false, fields: {} }, inputKey: id }],
  })

describe('a hook of a tool call', () => {
  test('that came is not lost', () => {
    const story = new Story().start().prompt('p')
    const told = announced(story, 'a').pre('a').post('a').result('a').stop().end().exit().tell()
    expect(told.sum(lost)).toBe(0)
  })

  test('is lost when the transcript alone tells that the call ran', () => {
    const story = new Story().start().prompt('p')
    const told = announced(story, 'a').result('a').wait(3000).stop().end().exit().tell()
    expect(told.sum(lost, { 'hook.event': 'PreToolUse' })).toBe(1)
    expect(told.sum(lost, { 'hook.event': 'PostToolUse' })).toBe(1)
  })

  test('is lost alone when the other one came', () => {
    const story = new Story().start().prompt('p')
    announced(story, 'a').post('a').result('a')
    const told = announced(story, 'b').pre('b').result('b', { isError: true }).wait(3000).stop().end().exit().tell()
    expect(told.sum(lost)).toBe(2)
    expect(told.sum(lost, { 'hook.event': 'PreToolUse' })).toBe(1)
    expect(told.sum(lost, { 'hook.event': 'PostToolUseFailure' })).toBe(1)
  })

  test('is not lost when claude refused the call, a person denied it, or nobody knows whether it ran', () => {
    const story = new Story().start().prompt('p')
    announced(story, 'refused').result('refused', { isError: true, refused: true })
    announced(story, 'denied').pre('denied').result('denied', { isError: true, denial: 'rule' })
    announced(story, 'cut').pre('cut')
    const told = story.wait(3000).stop().end().exit().tell()
    expect(told.tool('cut').attributes['tool.status']).toBe('abandoned')
    expect(told.sum(lost)).toBe(0)
  })
})

test('how long a hook took is measured by event', () => {
  const story = new Story().start()
  const [, start] = story.entries
  if (start?.k !== 'hook') throw new Error('the story does not begin with a hook')
  const told = story
    .entry({ ...start, from: 'again', tookMicro: 1500 })
    .end()
    .exit()
    .tell()
  const [duration, more] = told.metrics.filter(({ instrument }) => instrument === 'claude_otel.hook.duration')
  expect(duration).toMatchObject({ value: 1.5, attributes: { 'hook.event': 'SessionStart' } })
  expect(more).toBeUndefined()
})

test('a hook that came twice and a record that cannot be read are counted, before any session too', () => {
  const story = new Story()
    .entry({ k: 'broken', at: 1, from: '1-1', reason: 'no header', bytes: 3 })
    .entry({ k: 'duplicate', at: 2, from: '2-2' })
  const told = story
    .start()
    .entry({ k: 'broken', at: 3, from: '3-3', reason: 'no header', bytes: 3 })
    .end()
    .exit()
    .tell()
  expect(told.sum('claude_otel.records_broken_total')).toBe(2)
  expect(told.sum('claude_otel.hooks_duplicate_total')).toBe(1)
  expect(told.log('claude_otel.hook.error')).toHaveLength(1)
})
