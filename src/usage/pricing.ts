/**
 * What tokens cost where Claude Code does not say it itself, and how many a model sees at once: a dated table of Anthropic's list
 * prices, and the user's own before it. Prices hold for one request, never for a sum of several: the long-context tier depends on
 * each request's input. A model that the table does not name has no price; it is not guessed from the name of an older one.
 */
import { readFileSync } from 'node:fs'
import { describeError, Failure } from '../base/errors.ts'
import table from './price-table.json' with { type: 'json' }

/** USD per million tokens. */
interface TokenRates {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheWrite5m: number
  readonly cacheWrite1h: number
}

export interface Rates extends TokenRates {
  /** The day (UTC) from which they hold; absent: from the beginning. */
  readonly from?: string
  /** What a request costs as a whole whose input, cached included, is above so many tokens. */
  readonly longContext?: TokenRates & { readonly above: number }
}

export interface ModelPrices {
  /** Without date, provider and variant, which are taken off a model's name before it is looked up. */
  readonly names: readonly string[]
  /** By `from`, the oldest first. */
  readonly prices: readonly Rates[]
  /** How many tokens it sees at once, unless more are asked for with `[1m]`. */
  readonly contextTokens?: number
}

export interface PriceTable {
  readonly source: string
  /** The day on which the prices were taken. */
  readonly date: string
  readonly unit: 'USD per million tokens'
  readonly models: Readonly<Record<string, ModelPrices>>
}

/** The tokens of one request in Claude's meaning. Cache writes whose life is not known count as those of five minutes. */
export interface PricedTokens {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
  /** Of `cacheCreationTokens`, those written for an hour. */
  readonly cacheCreation1hTokens?: number
}

export interface Price {
  readonly usd: number
  /** `user`, or `table` and its date. */
  readonly source: string
}

export interface Prices {
  /** The price of one request at its time; undefined where there is none. */
  readonly priceOf: (model: string, tokens: PricedTokens, unixMicro: number) => Price | undefined
  /** How many tokens the model sees at once; undefined where nobody knows. */
  readonly contextTokens: (model: string) => number | undefined
}

/** What `[1m]` at the end of a model's name asks for. */
export const longContextTokens = 1_000_000

/** The vendored table, and before it the user's, as `parsePrices` gives it. */
export function createPrices(user?: PriceTable): Prices {
  const tables = [
    ...(user === undefined ? [] : [{ source: 'user', models: byName(user) }]),
    { source: `table ${vendoredPrices.date}`, models: byName(vendoredPrices) },
  ]
  return {
    priceOf: (model, tokens, unixMicro) => {
      for (const { source, models } of tables) {
        const found = models.get(model) ?? models.get(plainName(model))
        const rates = found && ratesAt(found.prices, unixMicro)
        if (rates !== undefined) return { usd: costOf(rates, tokens), source }
      }
      return undefined
    },
    contextTokens: (model) => {
      const exact = tables.find(({ models }) => models.get(model)?.contextTokens !== undefined)
      if (exact !== undefined) return exact.models.get(model)?.contextTokens
      if (model.endsWith('[1m]')) return longContextTokens
      const name = plainName(model)
      return tables.map(({ models }) => models.get(name)?.contextTokens).find((tokens) => tokens !== undefined)
    },
  }
}

/** `createPrices` with the user's file before the vendored table. Throws a Failure for a file that is not there or wrong. */
export function readPrices(path: string | undefined): Prices {
  if (path === undefined) return createPrices()
  try {
    return createPrices(parsePrices(readFileSync(path, 'utf8'), path))
  } catch (error) {
    if (error instanceof Failure) throw error
    const hint = 'name a file that can be read, in CLAUDE_OTEL_PRICES or as "prices" in the settings file'
    throw new Failure('config', `the prices in ${path} cannot be read: ${describeError(error)}`, hint)
  }
}

export const vendoredPrices: PriceTable = { ...table, unit: 'USD per million tokens' }

/**
 * The user's price file: `{"models": {"my-model": {"input": 4, "output": 20, "cacheRead": 0.4, "cacheWrite5m": 5,
 * "cacheWrite1h": 8, "context": 200000}}}`, USD per million tokens, with prices, context or both; a Failure names what is wrong in
 * it, and `origin` where it stands.
 */
export function parsePrices(text: string, origin: string): PriceTable {
  const file = parseJson(text, origin)
  if (!isObject(file) || !isObject(file.models)) throw wrong(origin, '"models" is not there')
  const models = Object.entries(file.models).map(([name, rates]): [string, ModelPrices] => [
    name,
    { names: [name], ...parseModel(rates, name, origin) },
  ])
  return { source: origin, date: '', unit: 'USD per million tokens', models: Object.fromEntries(models) }
}

const kinds = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const

function parseModel(value: unknown, model: string, origin: string): Omit<ModelPrices, 'names'> {
  if (!isObject(value)) throw wrong(origin, `"models.${model}" is no object`)
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) throw wrong(origin, `"models.${model}.${unknown}" is not known`)
  const { context, ...rates } = value
  if (context === undefined) return { prices: [parseRates(rates, model, origin)] }
  const contextTokens = amount(context, `${model}.context`, origin)
  if (!Number.isSafeInteger(contextTokens) || contextTokens === 0)
    throw wrong(origin, `"models.${model}.context" is ${contextTokens}, no number of tokens`)
  return { prices: Object.keys(rates).length === 0 ? [] : [parseRates(rates, model, origin)], contextTokens }
}

const known: readonly string[] = [...kinds, 'longContext', 'context']

function parseRates(value: Readonly<Record<string, unknown>>, model: string, origin: string): Rates {
  const rates = tokenRates(value, model, origin)
  const { longContext } = value
  if (longContext === undefined) return rates
  if (!isObject(longContext)) throw wrong(origin, `"models.${model}.longContext" is no object`)
  const above = amount(longContext.above, `${model}.longContext.above`, origin)
  return { ...rates, longContext: { above, ...tokenRates(longContext, `${model}.longContext`, origin) } }
}

function tokenRates(value: Readonly<Record<string, unknown>>, place: string, origin: string): TokenRates {
  const entries = kinds.map((kind) => [kind, amount(value[kind], `${place}.${kind}`, origin)])
  return Object.fromEntries(entries) as Record<(typeof kinds)[number], number>
}

function amount(value: unknown, place: string, origin: string): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value
  throw wrong(origin, `"models.${place}" is ${JSON.stringify(value) ?? 'not there'}`)
}

function parseJson(text: string, origin: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw wrong(origin, 'it is no JSON')
  }
}

function wrong(origin: string, what: string): Failure {
  const example =
    '{"models": {"my-model": {"input": 4, "output": 20, "cacheRead": 0.4, "cacheWrite5m": 5, "cacheWrite1h": 8}}}'
  return new Failure('config', `prices cannot be used: ${what} (from ${origin})`, `USD per million tokens: ${example}`)
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function byName({ models }: PriceTable): ReadonlyMap<string, ModelPrices> {
  return new Map(Object.values(models).flatMap((model) => model.names.map((name) => [name, model] as const)))
}

/** `us.anthropic.claude-sonnet-4-5-20250929-v1:0`, `claude-opus-4-5@20251101`, `claude-opus-4-5[1m]`: the model alone. */
function plainName(model: string): string {
  return model
    .replace(/^(?:[a-z-]+\.)?anthropic[./]/, '')
    .replace(/\[[^\]]*\]$/, '')
    .replace(/-v\d+(?::\d+)?$/, '')
    .replace(/[-@]\d{8}$/, '')
    .replace(/-latest$/, '')
}

function ratesAt(prices: readonly Rates[], unixMicro: number): Rates | undefined {
  return prices.findLast(({ from }) => from === undefined || Date.parse(from) * 1000 <= unixMicro)
}

function costOf(rates: Rates, tokens: PricedTokens): number {
  const { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, cacheCreation1hTokens: hour = 0 } = tokens
  const { longContext } = rates
  const context = inputTokens + cacheReadTokens + cacheCreationTokens
  const { input, output, cacheRead, cacheWrite5m, cacheWrite1h } =
    longContext !== undefined && context > longContext.above ? longContext : rates
  const parts = [
    inputTokens * input,
    outputTokens * output,
    cacheReadTokens * cacheRead,
    Math.max(0, cacheCreationTokens - hour) * cacheWrite5m,
    hour * cacheWrite1h,
  ]
  return parts.reduce((sum, part) => sum + part, 0) / 1e6
}
