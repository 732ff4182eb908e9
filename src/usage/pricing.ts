/**
 * What tokens cost where Claude Code does not say it itself: a dated table of Anthropic's list prices, and the user's own prices
 * before it. Prices hold for one request, never for a sum of several: the long-context tier depends on each request's input. A
 * model that the table does not name has no price; it is not guessed from the name of an older one.
 */
import { Failure } from '../base/errors.ts'
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
}

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
        const rates = found && ratesAt(found, unixMicro)
        if (rates !== undefined) return { usd: costOf(rates, tokens), source }
      }
      return undefined
    },
  }
}

export const vendoredPrices: PriceTable = { ...table, unit: 'USD per million tokens' }

/**
 * The user's price file: `{"models": {"my-model": {"input": 4, "output": 20, "cacheRead": 0.4, "cacheWrite5m": 5,
 * "cacheWrite1h": 8}}}`, USD per million tokens; a Failure names what is wrong in it, and `origin` where it stands.
 */
export function parsePrices(text: string, origin: string): PriceTable {
  const file = parseJson(text, origin)
  if (!isObject(file) || !isObject(file.models)) throw wrong(origin, '"models" is not there')
  const models = Object.entries(file.models).map(([name, rates]): [string, ModelPrices] => [
    name,
    { names: [name], prices: [parseRates(rates, name, origin)] },
  ])
  return { source: origin, date: '', unit: 'USD per million tokens', models: Object.fromEntries(models) }
}

const kinds = ['input', 'output', 'cacheRead', 'cacheWrite5m', 'cacheWrite1h'] as const

function parseRates(value: unknown, model: string, origin: string): Rates {
  if (!isObject(value)) throw wrong(origin, `"models.${model}" is no object`)
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

function byName({ models }: PriceTable): ReadonlyMap<string, readonly Rates[]> {
  return new Map(Object.values(models).flatMap(({ names, prices }) => names.map((name) => [name, prices] as const)))
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
