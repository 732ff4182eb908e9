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

describe('what a newer Claude Code says', () => {
  const unknown = 'claude_otel.unknown_total'

  test('is a log record and a count where we do not know the event', () => {
    const told = new Story().start().hook('SomethingNew', { detail: 'words' }).end().exit().tell()
    expect(told.sum(unknown, { 'hook.event': 'SomethingNew' })).toBe(1)
    expect(told.log('claude.hook.event')).toHaveLength(1)
  })

  test('is counted each time, and told once, where we know the event and not the field', () => {
    const story = new Story().start().prompt('p')
    for (const id of ['a', 'b'])
      story
        .pre(id, { novelty: { deep: id }, second: 1 })
        .post(id)
        .result(id)
    const told = story.stop().end().exit().tell()
    expect(told.sum(unknown)).toBe(4)
    expect(told.sum(unknown, { 'hook.event': 'PreToolUse', 'hook.field': 'novelty' })).toBe(2)
    const [record, more] = told.log('claude.hook.event')
    expect(record?.attributes).toMatchObject({ 'hook.event': 'PreToolUse', 'hook.field': 'novelty,second' })
    expect(String(record?.attributes['hook.fields'])).toContain('deep')
    expect(more).toBeUndefined()
  })

  test('is nothing in the events that were recorded', () => {
    const told = new Story().start().prompt('p').pre('a').post('a').stop().end().exit().tell()
    expect(told.sum(unknown)).toBe(0)
  })
})

test('texts that were cut and secrets that were masked are counted, from hooks and from transcript lines', () => {
  const story = new Story().start()
  const [, start] = story.entries
  if (start?.k !== 'hook') throw new Error('the story does not begin with a hook')
  story.entry({ ...start, from: 'again', kept: { cut: 2, masked: { jwt: 1 } } }).message('m')
  const line = story.entries.at(-1)
  if (line?.k !== 'line') throw new Error('the story does not end with a line')
  const told = story
    .entry({ ...line, kept: { cut: 1, masked: { jwt: 2, 'aws-key': 1 } } })
    .end()
    .exit()
    .tell()
  expect(told.sum('claude_otel.texts_cut_total')).toBe(3)
  expect(told.sum('claude_otel.secrets_masked_total', { 'secret.kind': 'jwt' })).toBe(3)
  expect(told.sum('claude_otel.secrets_masked_total')).toBe(4)
})
