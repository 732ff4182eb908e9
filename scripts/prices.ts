/**
 * Writes src/usage/price-table.json from the npm package @pydantic/genai-prices, installed somewhere outside of this project:
 * `bun scripts/prices.ts <folder of the package> <day of its release>`. What the package does not have yet, or has only by
 * guessing from the name of an older model, is taken from `measured` below.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ModelPrices, PriceTable, Rates } from '../src/usage/pricing.ts'

const target = join(import.meta.dir, '../src/usage/price-table.json')

/** What Claude Code 2.1.329 itself charges: these reproduce every `cost_usd` of its recorded requests. */
const measured: Readonly<Record<string, ModelPrices>> = {
  'claude-sonnet-5-5': {
    names: ['claude-sonnet-5-5'],
    contextTokens: 1_000_000,
    prices: [{ input: 2, output: 10, cacheRead: 0.1, cacheWrite5m: 2.5, cacheWrite1h: 4 }],
  },
  'claude-haiku-5-5': {
    names: ['claude-haiku-5-5'],
    contextTokens: 1_000_000,
    prices: [{ input: 0.1, output: 0.5, cacheRead: 0.01, cacheWrite5m: 0.125, cacheWrite1h: 0.2 }],
  },
}

/** Where Claude Code 2.1.329 sees less of a model than the model could, unless it is asked for with `[1m]`. */
const contexts: Readonly<Record<string, number>> = { 'claude-opus-4-6': 200_000, 'claude-sonnet-4-6': 200_000 }

type Amount =
  | number
  | { readonly base: number; readonly tiers: readonly { readonly start: number; readonly price: number }[] }

type Amounts = Readonly<Record<string, Amount | undefined>>

interface Dated {
  readonly constraint?: { readonly start_date?: string }
  readonly prices: Amounts
}

type Match =
  | { readonly or: readonly Match[] }
  | { readonly equals: string }
  | { readonly starts_with: string }
  | { readonly regex: string }
  | { readonly contains: string }

interface Model {
  readonly id: string
  readonly context_window?: number
  readonly match: Match
  readonly prices: Amounts | readonly Dated[]
}

interface Package {
  readonly findProvider: (options: { readonly providerId: string }) => { readonly models: readonly Model[] } | undefined
}

if (import.meta.main) {
  const [folder = '', day = ''] = process.argv.slice(2)
  const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }
  const { findProvider } = (await import(join(folder, 'dist/index.js'))) as Package
  const models = findProvider({ providerId: 'anthropic' })?.models ?? []
  const table: PriceTable = {
    source: `@pydantic/genai-prices ${version} (MIT, see price-table.license.txt), and Claude Code's own`,
    date: day,
    unit: 'USD per million tokens',
    models: { ...Object.fromEntries(models.map((model) => [model.id, modelPrices(model)])), ...measured },
  }
  await Bun.write(target, `${JSON.stringify(table, null, 1)}\n`)
  await Bun.write(join(import.meta.dir, '../src/usage/price-table.license.txt'), Bun.file(join(folder, 'LICENSE')))
}

function modelPrices({ id, match, prices, context_window }: Model): ModelPrices {
  const dated = Array.isArray(prices) ? (prices as readonly Dated[]) : [{ prices: prices as Amounts }]
  const names = [...new Set([id.replace(/-latest$/, ''), ...namesOf(match)])]
  const rates = dated.map(({ constraint, prices }) => ratesOf(prices, constraint?.start_date))
  const contextTokens = contexts[id] ?? context_window
  return { names, prices: rates, ...(contextTokens === undefined ? {} : { contextTokens }) }
}

/** Whole names only: a beginning (`claude-sonnet-5`) would take in every newer model, at the older one's price. */
function namesOf(match: Match): readonly string[] {
  if ('or' in match) return match.or.flatMap(namesOf)
  if ('equals' in match) return [match.equals]
  return 'starts_with' in match && !/@$|-20\d\d$/.test(match.starts_with) ? [match.starts_with] : []
}

function ratesOf(amounts: Amounts, from: string | undefined): Rates {
  const above = longContextStart(amounts)
  return {
    ...(from === undefined ? {} : { from }),
    ...ratesAt(amounts, 0),
    ...(above === undefined ? {} : { longContext: { above, ...ratesAt(amounts, above + 1) } }),
  }
}

function ratesAt(amounts: Amounts, inputTokens: number) {
  const at = (name: string): number => amountAt(amounts[name], inputTokens) ?? 0
  const input = at('input_mtok')
  // Models from before there was a cache have no prices of it, and no tokens.
  return {
    input,
    output: at('output_mtok'),
    cacheRead: at('cache_read_mtok'),
    cacheWrite5m: at('cache_write_mtok'),
    cacheWrite1h: at('cache_write_1h_mtok'),
  }
}

function amountAt(amount: Amount | undefined, inputTokens: number): number | undefined {
  if (amount === undefined || typeof amount === 'number') return amount
  return amount.tiers.reduce((price, tier) => (inputTokens > tier.start ? tier.price : price), amount.base)
}

function longContextStart(amounts: Amounts): number | undefined {
  const tiers = Object.values(amounts).flatMap((amount) => (typeof amount === 'object' ? amount.tiers : []))
  const starts = new Set(tiers.map(({ start }) => start))
  if (starts.size > 1) throw new Error(`more than one long-context tier: ${[...starts].join(', ')}`)
  return [...starts][0]
}
