/**
 * What the assembler says: plain data, no SDK, no clock. Times are whole microseconds since the Unix epoch.
 * The same journal always gives the same signals in the same order, and delivery acknowledges them by that order.
 */

import type { InstrumentName } from './metrics.ts'

export type AttributeValue = string | number | boolean | readonly string[]
export type Attributes = Readonly<Record<string, AttributeValue>>

/** W3C trace context of a span: 32 and 16 lower-case hex digits, flag bit 0 = sampled. */
export interface SpanRef {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
  readonly traceState?: string
}

export interface SpanLink {
  readonly ref: SpanRef
  readonly attributes: Attributes
}

export interface SpanEvent {
  readonly name: string
  readonly timeUnixMicro: number
  readonly attributes: Attributes
}

/** A finished span. `parent.isRemote` is set only for an inbound TRACEPARENT. */
export interface SpanSignal {
  readonly kind: 'span'
  readonly ref: SpanRef
  readonly parent?: SpanRef & { readonly isRemote?: boolean }
  readonly name: string
  readonly spanKind: 'internal' | 'client'
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly attributes: Attributes
  readonly events: readonly SpanEvent[]
  readonly links: readonly SpanLink[]
  /** Unset when absent: success is not marked, as the conventions ask. */
  readonly error?: { readonly message?: string }
}

export type Severity = 'debug' | 'info' | 'warn' | 'error'

export interface LogSignal {
  readonly kind: 'log'
  readonly eventName: string
  readonly body: string
  readonly severity: Severity
  readonly timeUnixMicro: number
  readonly ref: SpanRef
  readonly attributes: Attributes
}

/** One measurement of an instrument listed in attributes.ts; for `tools_in_flight` the value may be negative. */
export interface MetricSignal {
  readonly kind: 'metric'
  readonly instrument: InstrumentName
  readonly value: number
  readonly timeUnixMicro: number
  readonly attributes: Attributes
}

export type Signal = SpanSignal | LogSignal | MetricSignal
export type SignalType = 'traces' | 'logs' | 'metrics'
