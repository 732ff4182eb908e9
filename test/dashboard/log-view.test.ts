/** Log records side by side: what both tell is shown once, what only one tells as it is. */
import { describe, expect, test } from 'bun:test'
import { createLive } from '../../src/dashboard/live.ts'
import { type LogView, logView, withoutTwins } from '../../src/dashboard/log-view.ts'
import { bothCases, readBoth } from './both.ts'
import { Story, second } from './story.ts'

const begin = 1_700_000_000 * second

function count(logs: readonly LogView[], event: string): number {
  return logs.filter((log) => log.event === event).length
}

const pairs = [
  ['claude.user_prompt', 'user_prompt'],
  ['claude.assistant_response', 'assistant_response'],
  ['claude.tool.end', 'tool_result'],
  ['claude.tool.error', 'tool_result'],
  ['claude.permission.granted', 'tool_decision'],
  ['claude.permission.denied', 'tool_decision'],
  ['claude.api_error', 'api_error'],
  ['claude.compaction', 'compaction'],
] as const

describe('Log records that both tell', () => {
  test('are shown once, ours, in every recorded session', () => {
    const seen = new Set<string>()
    for (const name of bothCases) {
      const all = readBoth(name).logs.map(logView)
      const shown = withoutTwins(all)
      expect(all.length - shown.length).toBe(shown.filter(({ twin }) => twin !== undefined).length)
      for (const { event, twin } of shown) if (twin !== undefined) seen.add(`${event} ${twin}`)
      // What is ours is all there, in its order; of theirs what we do not tell.
      expect(shown.filter(({ event }) => event.startsWith('claude.')).map((log) => log.unixMicro)).toEqual(
        all.filter(({ event }) => event.startsWith('claude.')).map((log) => log.unixMicro),
      )
      expect(count(shown, 'tool_result')).toBe(0)
      expect(count(shown, 'api_error')).toBe(0)
      expect(count(shown, 'api_request')).toBe(count(all, 'api_request'))
    }
    expect([...seen].sort()).toEqual(pairs.map((pair) => pair.join(' ')).sort())
  })

  test('are those of the same thing: a command’s prompt, and requests of a compaction, stay', () => {
    const shown = withoutTwins(readBoth('terminal').logs.map(logView))
    expect(shown.filter(({ event }) => event === 'user_prompt').map(({ text }) => text)).toEqual(['compact', 'exit'])
    expect(count(shown, 'assistant_response')).toBe(2)
  })

  test('are one for one, the nearest first, and not those of another time', () => {
    const story = new Story('s', begin)
    story.log('claude.api_error', 0, {}, undefined, 'first')
    story.log('claude.api_error', 4, {}, undefined, 'second')
    for (const at of [4.1, 5, 30]) story.log('api_error', at, { error: `at ${at}` })
    const shown = withoutTwins(story.logs.map(logView))
    expect(shown.map(({ text, twin }) => [text, twin])).toEqual([
      ['first', 'api_error'],
      ['second', 'api_error'],
      ['at 30', undefined],
    ])
    const late = withoutTwins(
      story.logs.filter(({ eventName }, index) => eventName !== 'api_error' || index === 4).map(logView),
    )
    expect(late.map(({ twin }) => twin)).toEqual([undefined, undefined, undefined])
  })

  test('are one error on Now, whichever came first', () => {
    for (const name of ['print', 'refused'] as const) {
      const { logs } = readBoth(name)
      // A turn that failed did so by something that is told too.
      const failed = logs.filter(({ severityNumber }) => severityNumber >= 17)
      const ours = failed.filter(({ eventName }) => eventName !== 'claude.turn.end').length
      for (const order of [logs, logs.toReversed()]) {
        const live = createLive()
        for (const log of order) live.take({ signal: 'logs', logs: [log] })
        expect(live.errors().map(({ event }) => event)).not.toContain('tool_result')
        expect(live.errors()).toHaveLength(ours)
      }
    }
  })

  test('of different sessions are different', () => {
    const live = createLive()
    const [a, b] = [new Story('a', begin), new Story('b', begin)]
    a.log('claude.api_error', 0, {}, undefined, 'overloaded')
    b.log('api_error', 0, { error: 'overloaded' })
    live.take({ signal: 'logs', logs: [...a.logs, ...b.logs] })
    expect(live.errors()).toHaveLength(2)
  })
})

describe('A log record', () => {
  test('names the thing it is of, as its row does', () => {
    const keys = readBoth('print').logs.map(logView)
    const result = keys.find(({ event }) => event === 'tool_result')
    expect(result?.key).toMatch(/^tool toolu_/)
    expect(keys.find(({ event }) => event === 'api_request')?.key).toMatch(/^model req_/)
    expect(keys.find(({ event }) => event === 'user_prompt')?.key).toMatch(/^turn /)
  })
})
