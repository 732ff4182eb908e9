/** The events on a session's span: in the order of their times, short, and true of how it ended. */
import { describe, expect, test } from 'bun:test'
import type { SpanEvent } from '../../src/telemetry/signal.ts'
import { Story, type Told, usage } from './story.ts'

const begun = () => new Story().start()
const events = (told: Told): readonly SpanEvent[] => told.session().events
const names = (told: Told): string[] => events(told).map(({ name }) => name)
const ended = (story: Story): Told => story.end().exit().tell()
const compact = { type: 'compaction', trigger: 'auto', preTokens: 9, durationMs: 1 } as const

describe('the events of a session', () => {
  test('tell its prompts, its turns with their tokens, and its end', () => {
    const story = begun()
      .prompt('p1', 'first')
      .message('m1', { usage: usage(10, 2, { cacheRead: 300, cacheCreation: 40 }), stopReason: 'tool_use' })
      .message('m2', { usage: usage(1, 5), stopReason: 'end_turn' })
      .stop()
      .prompt('p2', 'second')
      .message('m3', { usage: usage(7, 7), stopReason: 'end_turn' })
      .stop()
    const told = ended(story)
    expect(names(told)).toEqual([
      '👤 User prompt submitted',
      'Turn completed',
      '👤 User prompt submitted',
      'Turn completed',
      '🎉 Completed',
    ])
    const [first, turn, , next] = events(told)
    expect(first?.attributes).toEqual({ prompt: 'first' })
    expect(turn?.attributes).toEqual({
      turn: 1,
      status: 'completed',
      input_tokens: 11,
      output_tokens: 7,
      cache_read_tokens: 300,
      cache_creation_tokens: 40,
    })
    // Of its own turn, not the sum so far.
    expect(next?.attributes).toMatchObject({ turn: 2, input_tokens: 7, output_tokens: 7 })
  })

  test('stand in the order of their times, though the end of a turn was told late', () => {
    const story = begun().prompt('p1').stop().prompt('p2').during('p1')
    story.message('m1', { text: { text: 'a', bytes: 1, truncated: false }, stopReason: 'end_turn' })
    const told = ended(story)
    const times = events(told).map(({ timeUnixMicro }) => timeUnixMicro)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect(names(told).slice(0, 3)).toEqual(['👤 User prompt submitted', 'Turn completed', '👤 User prompt submitted'])
  })

  test('have the beginning of a prompt, however much of it is kept', () => {
    const story = begun().during('p1')
    const prompt = { text: 'x'.repeat(5000), bytes: 5000, truncated: false }
    const [event] = events(ended(story.line({ type: 'prompt', prompt, source: 'user' })))
    expect(event?.attributes).toEqual({ prompt: 'x'.repeat(256) })
  })

  test('have no prompt where no text is kept', () => {
    const prompt = { text: '', bytes: 7, truncated: true }
    const [event] = events(ended(begun().during('p1').line({ type: 'prompt', prompt, source: 'user' })))
    expect(event?.attributes).toEqual({})
  })

  test('tell of a compaction what is known of it', () => {
    const story = begun()
      .prompt('p1')
      .hook('PreCompact', { trigger: 'manual', custom_instructions: 'keep the names' })
      .line({ ...compact, trigger: 'manual' })
      .line(compact)
      .hook('PreCompact', { trigger: 'auto', custom_instructions: null })
      .line(compact)
    const compactions = events(ended(story)).filter(({ name }) => name === 'Context compaction')
    expect(compactions.map(({ attributes }) => attributes)).toEqual([
      { trigger: 'manual', has_custom_instructions: true },
      { trigger: 'auto' },
      { trigger: 'auto', has_custom_instructions: false },
    ])
  })

  test('of one that was killed have no completion', () => {
    expect(names(begun().prompt('p1').exit({ signal: 'SIGKILL' }).tell())).not.toContain('🎉 Completed')
    expect(names(ended(begun()))).toEqual(['🎉 Completed'])
  })
})
