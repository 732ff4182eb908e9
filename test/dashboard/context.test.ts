/** How full a context is and when it is compacted: from the pace of the last answers, and nothing where that is not known. */
import { describe, expect, test } from 'bun:test'
import { type ContextSample, sessionContext } from '../../src/dashboard/context.ts'
import { second } from './story.ts'

const minute = 60 * second

function samples(tokens: readonly number[], promptIds?: string): ContextSample[] {
  return tokens.map((each, at) => {
    const promptId = promptIds?.[at]
    return { unixMicro: at * minute, tokens: each, ...(promptId === undefined ? {} : { promptId }) }
  })
}

const forecast = (...args: Parameters<typeof samples>) => sessionContext(samples(...args), 200_000)?.forecast

describe('The context of a session', () => {
  test('is what its last answer left, of the window of its model', () => {
    expect(sessionContext([], 200_000)).toBeUndefined()
    expect(sessionContext(samples([1000, 1200]), undefined)).toEqual({ tokens: 1200, samples: samples([1000, 1200]) })
    const known = sessionContext(samples([1000, 1200]), 200_000)
    expect(known).toMatchObject({ tokens: 1200, windowTokens: 200_000, compactTokens: 167_000 })
    expect(sessionContext(samples([1200]), 1_000_000)?.compactTokens).toBe(967_000)
    expect(sessionContext(samples([1200]), 32_000)).toEqual({
      tokens: 1200,
      samples: samples([1200]),
      windowTokens: 32_000,
    })
  })

  test('that holds more than the window is one of a million; that holds more still is of no window that we know', () => {
    expect(sessionContext(samples([200_000]), 200_000)?.windowTokens).toBe(200_000)
    expect(sessionContext(samples([200_001, 90_000]), 200_000)).toMatchObject({
      tokens: 90_000,
      windowTokens: 1_000_000,
    })
    expect(sessionContext(samples([1_000_001]), 200_000)).not.toHaveProperty('windowTokens')
  })

  test('shows the last samples alone', () => {
    const many = Array.from({ length: 100 }, (_, at) => at)
    expect(sessionContext(samples(many), undefined)?.samples).toEqual(samples(many).slice(40))
  })
})

describe('The forecast', () => {
  test('is of minutes at the pace of the last ten answers', () => {
    expect(forecast([100_000, 110_000, 120_000])).toEqual({ minutes: 4.7 })
    const fastBefore = [0, ...Array.from({ length: 10 }, (_, at) => 100_000 + at * 1000)]
    expect(forecast(fastBefore)?.minutes).toBeCloseTo(58)
  })

  test('counts no time in which nobody worked', () => {
    const [first, second, third] = samples([100_000, 110_000, 120_000])
    if (first === undefined || second === undefined || third === undefined) throw new Error('three')
    const away = { ...third, unixMicro: second.unixMicro + 600 * minute }
    // Five minutes of the ten hours are.
    expect(sessionContext([first, second, away], 200_000)?.forecast?.minutes).toBeCloseTo((47_000 / 20_000) * 6)
  })

  test('is of turns too, by where each turn ended', () => {
    expect(forecast([100_000, 105_000, 110_000, 115_000, 120_000], 'aabbc')?.turns).toBeCloseTo(47_000 / 7500)
    expect(forecast([100_000, 110_000, 120_000], 'aab')).toEqual({ minutes: 4.7 })
    expect(forecast([100_000, 110_000, 120_000], 'ab')).toEqual({ minutes: 4.7 })
  })

  test('is none of too few answers, of a context that does not grow, that is full, or whose window nobody knows', () => {
    expect(forecast([100_000, 110_000])).toBeUndefined()
    expect(forecast([100_000, 110_000, 100_000])).toBeUndefined()
    expect(forecast([120_000, 110_000, 100_000])).toBeUndefined()
    expect(forecast([150_000, 160_000, 167_000])).toBeUndefined()
    expect(sessionContext(samples([1, 2, 3]), undefined)).not.toHaveProperty('forecast')
    const atOnce = [1, 2, 3].map((tokens) => ({ unixMicro: 5, tokens }))
    expect(sessionContext(atOnce, 200_000)).not.toHaveProperty('forecast')
  })
})
