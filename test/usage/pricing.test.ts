/** What tokens cost: as Claude Code says of its own recorded requests, by tier and day, and not at all where nobody knows. */
import { describe, expect, test } from 'bun:test'
import { Failure } from '../../src/base/errors.ts'
import { createPrices, parsePrices, readPrices, vendoredPrices } from '../../src/usage/pricing.ts'
import { Ledger, noTokens, prices, readBatches, recordedCases } from './recorded.ts'

const million = 1_000_000
const now = Date.parse('2026-11-21T00:00:00Z') * 1000

const usd = (model: string, tokens: Partial<Parameters<typeof prices.priceOf>[1]>, at = now): number | undefined =>
  prices.priceOf(model, { ...noTokens, ...tokens }, at)?.usd

describe('the vendored table', () => {
  for (const name of recordedCases) {
    test(`gives Claude’s own cost of every recorded request of ${name}`, () => {
      const ledger = new Ledger()
      for (const batch of readBatches(name)) ledger.take(batch)
      const requests = ledger.records.filter(({ source }) => source === 'events')
      expect(requests).not.toEqual([])
      for (const request of requests) {
        expect(request.cacheCreation1hTokens).toBe(5)
        expect(prices.priceOf(request.model, request, request.timeUnixMicro)?.usd).toBeCloseTo(request.costUsd ?? 0, 10)
      }
    })
  }

  test('has a price of everything for every model that has a cache', () => {
    const rates = Object.entries(vendoredPrices.models).flatMap(([model, { prices }]) =>
      prices.map((each) => ({ model, ...each })),
    )
    expect(rates.length).toBeGreaterThan(20)
    for (const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } of rates) {
      expect(output).toBeGreaterThan(input)
      if (cacheWrite5m === 0) continue
      expect([input > cacheRead, cacheRead > 0, cacheWrite5m > input, cacheWrite1h > cacheWrite5m]).toEqual([
        true,
        true,
        true,
        true,
      ])
    }
  })

  test('names itself and its day', () => {
    expect(prices.priceOf('claude-opus-5-5', noTokens, now)?.source).toBe(`table ${vendoredPrices.date}`)
    expect(vendoredPrices.date).toMatch(/^2026-\d\d-\d\d$/)
  })
})

describe('a price', () => {
  test('tells cache writes of five minutes from those of an hour', () => {
    expect(usd('claude-opus-5-5', { cacheCreationTokens: million })).toBe(5)
    expect(usd('claude-opus-5-5', { cacheCreationTokens: million, cacheCreation1hTokens: million })).toBe(8)
    expect(usd('claude-opus-5-5', { cacheCreationTokens: million, cacheCreation1hTokens: million / 2 })).toBe(6.5)
  })

  test('is that of the long context for all of a request whose input with cache is above the limit', () => {
    const below = { inputTokens: 100_000, cacheReadTokens: 60_000, cacheCreationTokens: 40_000, outputTokens: 1000 }
    expect(usd('claude-sonnet-4-5', below)).toBeCloseTo(0.3 + 0.018 + 0.15 + 0.015, 10)
    const above = { ...below, cacheReadTokens: 60_001 }
    expect(usd('claude-sonnet-4-5', above)).toBeCloseTo(0.6 + 0.0360006 + 0.3 + 0.0225, 10)
    expect(usd('claude-opus-5-5', { inputTokens: million })).toBe(4)
  })

  test('is that of the request’s day', () => {
    const dayBefore = Date.parse('2026-03-12T23:59:59Z') * 1000
    expect(usd('claude-opus-4-6', { inputTokens: million }, dayBefore)).toBe(10)
    expect(usd('claude-opus-4-6', { inputTokens: million }, Date.parse('2026-03-13') * 1000)).toBe(5)
  })

  test('knows a model with a date, a variant or another cloud’s way of naming it', () => {
    const names = [
      'claude-sonnet-4-5-20250929',
      'claude-sonnet-4-5[1m]',
      'claude-sonnet-4-5-20250929[1m]',
      'claude-sonnet-4-5@20250929',
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'anthropic/claude-sonnet-4.5',
    ]
    expect(names.map((name) => usd(name, { outputTokens: million }))).toEqual(names.map(() => 15))
    expect(usd('claude-3-5-haiku-latest', { outputTokens: million })).toBe(4)
    expect(usd('claude-sonnet-4-20250514', { outputTokens: million })).toBe(15)
  })

  test('is not guessed for a model that only begins like one that is known', () => {
    for (const model of ['claude-sonnet-5-7', 'claude-opus-9', 'gpt-9', '', 'unknown', 'claude-opus-5-5-mini']) {
      expect(usd(model, { inputTokens: 1 })).toBeUndefined()
    }
  })
})

describe('the user’s prices', () => {
  const rates = { input: 1, output: 2, cacheRead: 3, cacheWrite5m: 4, cacheWrite1h: 5 }
  const own = (models: unknown) => createPrices(parsePrices(JSON.stringify({ models }), 'prices.json'))

  test('come before the table, for models it knows and others, and say so', () => {
    const mine = own({ 'claude-opus-5-5': rates, mine: { ...rates, longContext: { ...rates, above: 10, input: 7 } } })
    const tokens = { ...noTokens, inputTokens: million }
    expect(mine.priceOf('claude-opus-5-5-20261101', tokens, now)).toEqual({ usd: 1, source: 'user' })
    expect(mine.priceOf('mine', tokens, now)).toEqual({ usd: 7, source: 'user' })
    expect(mine.priceOf('claude-haiku-5-5', tokens, now)).toEqual({ usd: 0.1, source: `table ${vendoredPrices.date}` })
  })

  test('are found by the name as it stands, also where it ends like a date', () => {
    const mine = own({ 'mine-20261101': rates, mine: { ...rates, input: 9 } })
    const tokens = { ...noTokens, inputTokens: million }
    expect(mine.priceOf('mine-20261101', tokens, now)?.usd).toBe(1)
    expect(mine.priceOf('mine-20261102', tokens, now)?.usd).toBe(9)
  })

  const mistakes: readonly (readonly [string, RegExp])[] = [
    ['{', /it is no JSON \(from prices\.json\)/],
    ['[]', /"models" is not there/],
    ['{"models": {"m": 4}}', /"models\.m" is no object/],
    ['{"models": {"m": {"input": "4"}}}', /"models\.m\.input" is "4"/],
    ['{"models": {"m": {"input": 4, "output": -1}}}', /"models\.m\.output" is -1/],
    [JSON.stringify({ models: { m: { ...rates, cacheRead: undefined } } }), /"models\.m\.cacheRead" is not there/],
    [JSON.stringify({ models: { m: { ...rates, longContext: 5 } } }), /"models\.m\.longContext" is no object/],
    [JSON.stringify({ models: { m: { ...rates, ouput: 5 } } }), /"models\.m\.ouput" is not known/],
    ['{"models": {"m": {"context": "200k"}}}', /"models\.m\.context" is "200k"/],
    ['{"models": {"m": {"context": 0}}}', /"models\.m\.context" is 0/],
    ['{"models": {"m": {"context": 1000, "input": 4}}}', /"models\.m\.output" is not there/],
    [
      JSON.stringify({ models: { m: { ...rates, longContext: rates } } }),
      /"models\.m\.longContext\.above" is not there/,
    ],
  ]
  for (const [text, message] of mistakes) {
    test(`${text} is refused with what is wrong in it`, () => {
      expect(() => parsePrices(text, 'prices.json')).toThrow(message)
      expect(() => parsePrices(text, 'prices.json')).toThrow(Failure)
    })
  }
})

describe('the context of a model', () => {
  const contextOf = (models: object, name: string) =>
    createPrices(parsePrices(JSON.stringify({ models }), 'prices.json')).contextTokens(name)

  test('is known of every model that has a price but the oldest', () => {
    const unknown = Object.entries(vendoredPrices.models).filter(([, { contextTokens }]) => contextTokens === undefined)
    expect(unknown.map(([name]) => name)).toEqual(['claude-v1'])
    expect(prices.contextTokens('claude-opus-5-5')).toBe(1_000_000)
    expect(prices.contextTokens('us.anthropic.claude-haiku-4-5-20251001-v1:0')).toBe(200_000)
    expect(prices.contextTokens('who-knows')).toBeUndefined()
  })

  test('is a million where the name asks for it', () => {
    expect(['claude-sonnet-4-6', 'claude-sonnet-4-6[1m]', 'new[1m]'].map(prices.contextTokens)).toEqual([
      200_000, 1_000_000, 1_000_000,
    ])
  })

  test('is what the user says, with prices or without', () => {
    const models = { 'claude-haiku-4-5': { context: 150_000 }, 'claude-sonnet-4-6[1m]': { context: 500_000 } }
    expect(contextOf(models, 'claude-haiku-4-5-20251001')).toBe(150_000)
    expect(contextOf(models, 'claude-sonnet-4-6[1m]')).toBe(500_000)
    expect(contextOf(models, 'claude-sonnet-4-6')).toBe(200_000)
    const mine = createPrices(parsePrices(JSON.stringify({ models }), 'prices.json'))
    expect(mine.priceOf('claude-haiku-4-5', { ...noTokens, inputTokens: million }, now)?.source).toStartWith('table ')
  })
})

describe('the file with the user’s prices', () => {
  test('is told when it is not there; none is none', () => {
    expect(() => readPrices('/no/such/prices.json')).toThrow(
      /the prices in \/no\/such\/prices\.json cannot be read: .*ENOENT/,
    )
    expect(readPrices(undefined).contextTokens('claude-opus-5-5')).toBe(1_000_000)
  })
})
