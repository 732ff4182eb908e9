/**
 * W3C trace context in text, and the sampler's decision about a root. Both are needed before claude starts,
 * so they stand here without the SDK.
 */
import type { SpanRef } from './signal.ts'

const pattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Reads TRACEPARENT and TRACESTATE; anything that W3C calls invalid is no parent at all. */
export function parseTraceparent(traceparent: string | undefined, tracestate?: string): SpanRef | undefined {
  const match = pattern.exec(traceparent?.trim() ?? '')
  if (match === null) return undefined
  const [, version, traceId = '', spanId = '', flags = '', rest] = match
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  const traceFlags = Number.parseInt(flags, 16) & 1
  return { traceId, spanId, traceFlags, ...(tracestate ? { traceState: tracestate } : {}) }
}

export function renderTraceparent(ref: SpanRef): string {
  return `00-${ref.traceId}-${ref.spanId}-${ref.traceFlags.toString(16).padStart(2, '0')}`
}

/** The samplers of OTEL_TRACES_SAMPLER that need no remote service. `ratio` is 0 to 1. */
export interface SamplerChoice {
  readonly kind: 'always_on' | 'always_off' | 'traceidratio'
  readonly parentBased: boolean
  readonly ratio: number
}

/**
 * Trace flags of a session's root: its parent's where the sampler asks the parent, else the SDK's own arithmetic
 * for ratios (the four words of the id, XORed, against the ratio of 2^32), so that both always decide alike.
 */
export function sampleRoot(sampler: SamplerChoice, traceId: string, parent?: SpanRef): number {
  if (sampler.parentBased && parent !== undefined) return parent.traceFlags & 1
  if (sampler.kind === 'always_on') return 1
  if (sampler.kind === 'always_off') return 0
  return isWithinRatio(traceId, sampler.ratio) ? 1 : 0
}

/** Whether a trace is among the share of all, by its id alone. */
export function isWithinRatio(traceId: string, ratio: number): boolean {
  let accumulation = 0
  for (let at = 0; at < 32; at += 8) {
    accumulation = (accumulation ^ Number.parseInt(traceId.slice(at, at + 8), 16)) >>> 0
  }
  return accumulation < Math.floor(ratio * 0xffffffff)
}
