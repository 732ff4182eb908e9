/**
 * How full a session's context is, and how long until Claude Code compacts it if it goes on growing as it did. Pure; what cannot be
 * known is left out.
 */
import { longContextTokens } from '../usage/pricing.ts'

/** The main conversation's context after an answer: all that went in, and what came out. */
export interface ContextSample {
  readonly unixMicro: number
  readonly tokens: number
  /** The turn it belongs to, where that is told. */
  readonly promptId?: string
}

export interface SessionContext {
  readonly tokens: number
  /** The last samples, for a line. */
  readonly samples: readonly ContextSample[]
  /** Where the model's window is known. */
  readonly windowTokens?: number
  /** What Claude Code leaves free of it: above this it compacts by itself, unless it is told otherwise. */
  readonly compactTokens?: number
  readonly forecast?: Forecast
}

/** Until the compaction, at the pace of the last answers; hours in which nobody worked are none. */
export interface Forecast {
  readonly minutes: number
  /** Absent for sessions of too few turns. */
  readonly turns?: number
}

/** Claude Code 2.1.329 keeps 20,000 tokens for the summary and 13,000 on top: it compacts at 83.5 % of 200,000, at 96.7 % of a million. */
const spareTokens = 33_000
const shownSamples = 60
/** The pace is that of so many answers, or turns, at most; fewer than three say nothing. */
const recent = 10
const least = 3
/** A person who thinks for longer is away. */
const awayMicro = 5 * 60 * 1_000_000

/** Undefined before the first answer. `windowTokens` is what the model is known to see at once. */
export function sessionContext(
  samples: readonly ContextSample[],
  windowTokens: number | undefined,
): SessionContext | undefined {
  const tokens = samples.at(-1)?.tokens
  if (tokens === undefined) return undefined
  const window = inForce(samples, windowTokens)
  const compactTokens = window === undefined || window <= 2 * spareTokens ? undefined : window - spareTokens
  const forecast = compactTokens === undefined ? undefined : forecastOf(samples, compactTokens)
  return {
    tokens,
    samples: samples.slice(-shownSamples),
    ...(window === undefined ? {} : { windowTokens: window }),
    ...(compactTokens === undefined ? {} : { compactTokens }),
    ...(forecast === undefined ? {} : { forecast }),
  }
}

/** More in it than there is room for means the long window, which answers do not name. */
function inForce(samples: readonly ContextSample[], windowTokens: number | undefined): number | undefined {
  if (windowTokens === undefined) return undefined
  const most = Math.max(...samples.map(({ tokens }) => tokens))
  if (most <= windowTokens) return windowTokens
  return most <= longContextTokens ? longContextTokens : undefined
}

function forecastOf(samples: readonly ContextSample[], fullTokens: number): Forecast | undefined {
  const last = samples.slice(-recent)
  const left = fullTokens - (last.at(-1)?.tokens ?? 0)
  const perMicro = growth(last) / workedMicro(last)
  if (last.length < least || left <= 0 || !(perMicro > 0) || !Number.isFinite(perMicro)) return undefined
  const turns = turnsLeft(samples, left)
  return { minutes: left / perMicro / 60_000_000, ...(turns === undefined ? {} : { turns }) }
}

function turnsLeft(samples: readonly ContextSample[], left: number): number | undefined {
  if (samples.some(({ promptId }) => promptId === undefined)) return undefined
  // Where each turn ended; the last one may still go on.
  const ends = [...new Map(samples.map((sample) => [sample.promptId, sample])).values()].slice(-recent)
  const perTurn = growth(ends) / (ends.length - 1)
  return ends.length >= least && perTurn > 0 ? left / perTurn : undefined
}

function growth(samples: readonly ContextSample[]): number {
  return (samples.at(-1)?.tokens ?? 0) - (samples[0]?.tokens ?? 0)
}

function workedMicro(samples: readonly ContextSample[]): number {
  return samples.reduce((sum, { unixMicro }, at) => {
    const before = samples[at - 1]
    return before === undefined ? 0 : sum + Math.min(awayMicro, unixMicro - before.unixMicro)
  }, 0)
}
