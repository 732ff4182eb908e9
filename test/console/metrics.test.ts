/** What turns and a chat have used, from messages of the real claude: each token once. */
import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { dollars, Metrics, nothingUsed, percent, short, type Used, usedParts } from '../../src/console/metrics.ts'

const recorded = (await Bun.file(join(import.meta.dir, '../fixtures/agent/messages.jsonl')).text())
  .split('\n')
  .filter((line) => line !== '')
  .map((line): SDKMessage => JSON.parse(line).message)

function turns(metrics: Metrics, messages: readonly SDKMessage[]): Used[] {
  return messages.map((message) => metrics.take(message)).filter((turn) => turn !== undefined)
}

describe('metrics', () => {
  test('of a turn are its own, with the cache apart, and those of its agents', () => {
    const [first, second, , withAgent] = turns(new Metrics(), recorded)
    expect(first).toMatchObject({ turns: 1, tools: 0, input: 101, output: 41, cacheRead: 3001, cacheCreation: 201 })
    expect(second).toMatchObject({ turns: 1, tools: 3, input: 205, output: 85 })
    expect(second?.usd).toBeCloseTo(0.005905, 6)
    expect(withAgent).toMatchObject({ tools: 2, input: 2416, output: 2176 })
  })

  test('of the chat are the sum, over sessions', () => {
    const metrics = new Metrics()
    const all = turns(metrics, recorded)
    const sum = (kind: keyof Used) => all.reduce((total, turn) => total + turn[kind], 0)
    for (const kind of ['turns', 'tools', 'input', 'output', 'cacheRead', 'cacheCreation'] as const)
      expect(metrics.total[kind]).toBe(sum(kind))
    expect(new Set(recorded.map((message) => ('session_id' in message ? message.session_id : ''))).size).toBe(2)
    // What claude says in the end of each of the two sessions.
    expect(metrics.total.usd).toBeCloseTo(0.0942616 + 0.5409248, 6)
    expect(metrics.tools).toEqual([
      ['Bash', 3],
      ['Read', 2],
      ['AskUserQuestion', 1],
      ['Agent', 1],
    ])
  })

  test('of a turn that asked no model are none', () => {
    const clear = turns(new Metrics(), recorded).at(5)
    expect({ ...clear, seconds: 0 }).toEqual(nothingUsed)
  })

  test('are taken from the sum where the SDK does not tell what is new', () => {
    const old = recorded.map((message) => {
      const { model_usage_since_last_result: _, ...rest } = message as Record<string, unknown>
      return rest as unknown as SDKMessage
    })
    const metrics = new Metrics()
    const [first, second] = turns(metrics, old)
    expect([first?.input, second?.input]).toEqual([101, 205])
    expect([first?.usd, second?.usd].map((usd) => usd?.toFixed(6))).toEqual(['0.002829', '0.005905'])
    expect(metrics.total.usd).toBeCloseTo(0.0942616 + 0.5409248, 6)
  })

  test('begin anew with another session, whose cost is told from nothing', () => {
    const usage = { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 }
    const result = (session: string, usd: number) =>
      ({
        type: 'result',
        session_id: session,
        total_cost_usd: usd,
        usage,
        modelUsage: {},
        num_turns: 1,
        duration_ms: 1,
      }) as unknown as SDKMessage
    const all = turns(new Metrics(), [result('a', 5), result('a', 7), result('b', 8)])
    expect(all.map(({ usd }) => usd)).toEqual([5, 2, 8])
  })

  test('say how much of the context is left, and begin anew with it', () => {
    const metrics = new Metrics()
    expect(metrics.contextLeft).toBeUndefined()
    turns(metrics, recorded.slice(0, recorded.findIndex(({ type }) => type === 'result') + 1))
    // 101 in, 201 and 3001 of the cache, 1 out when it was told, of a million.
    expect(metrics.contextLeft).toBeCloseTo(1 - 3304 / 1_000_000, 9)
    metrics.take(recorded.find(({ type }) => type === 'conversation_reset') as SDKMessage)
    expect(metrics.contextLeft).toBeUndefined()
  })
})

describe('numbers', () => {
  test('are short', () => {
    expect([0, 999, 1000, 9949, 9960, 34_449, 999_499, 999_500, 1_500_000].map(short)).toEqual([
      '0',
      '999',
      '1.0k',
      '9.9k',
      '10k',
      '34k',
      '999k',
      '1.0M',
      '1.5M',
    ])
    expect([0.00283, 0.0999, 0.1, 12.345].map(dollars)).toEqual(['$0.0028', '$0.0999', '$0.10', '$12.35'])
    expect([1, 0.999, 0.005].map(percent)).toEqual(['100 %', '99 %', '0 %'])
  })

  test('that are nothing are left out', () => {
    expect(usedParts({ ...nothingUsed, input: 1, output: 2, seconds: 1.25 })).toEqual(['1 in, 2 out', '1.3 s'])
    expect(usedParts({ ...nothingUsed, tools: 1, cacheRead: 5, usd: 1 })).toEqual([
      '0 in, 0 out, 5 cached',
      '$1.00',
      '1 tool',
      '0.0 s',
    ])
  })
})
