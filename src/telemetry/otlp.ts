/**
 * OTLP as plain data: what a receiver has decoded, whatever the encoding was, and what usage and stores read. Ids are lower-case hex,
 * times whole microseconds since the Unix epoch (0 = not given), 64-bit integers numbers where these hold them exactly and decimal
 * texts where not. Empty optional fields are absent. Source: OTLP 1.11.
 */

/** JSON-like; bytes are base64 texts. */
export type OtlpValue = string | number | boolean | null | readonly OtlpValue[] | { readonly [key: string]: OtlpValue }

export type OtlpAttributes = { readonly [key: string]: OtlpValue }

/** Who speaks. One object for everything of the same `Resource…` of a request. */
export interface OtlpSource {
  readonly resource: OtlpAttributes
  readonly scopeName: string
  readonly scopeVersion: string
  readonly scopeAttributes: OtlpAttributes
}

export interface OtlpSpan {
  readonly source: OtlpSource
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly flags: number
  readonly name: string
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly attributes: OtlpAttributes
  readonly events: readonly OtlpSpanEvent[]
  readonly links: readonly OtlpSpanLink[]
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number
  readonly statusMessage?: string
}

export interface OtlpSpanEvent {
  readonly timeUnixMicro: number
  readonly name: string
  readonly attributes: OtlpAttributes
}

export interface OtlpSpanLink {
  readonly traceId: string
  readonly spanId: string
  readonly attributes: OtlpAttributes
}

export interface OtlpLogRecord {
  readonly source: OtlpSource
  readonly timeUnixMicro: number
  readonly observedUnixMicro: number
  readonly severityNumber: number
  readonly severityText?: string
  /** The record's own field, or else its attribute `event.name`. */
  readonly eventName?: string
  readonly body?: OtlpValue
  readonly attributes: OtlpAttributes
  readonly traceId?: string
  readonly spanId?: string
}

export type OtlpTemporality = 'unspecified' | 'delta' | 'cumulative'

interface PointCommon {
  readonly source: OtlpSource
  /** The metric's. */
  readonly name: string
  readonly unit: string
  readonly description: string
  readonly attributes: OtlpAttributes
  readonly startUnixMicro: number
  readonly timeUnixMicro: number
  /** The sender says that there is none at this time: the stream ends. */
  readonly isAbsent: boolean
  readonly exemplars: readonly OtlpExemplar[]
}

export interface OtlpExemplar {
  readonly timeUnixMicro: number
  readonly value: number
  readonly traceId?: string
  readonly spanId?: string
  readonly attributes: OtlpAttributes
}

/** One data point with its metric. */
export type OtlpPoint = PointCommon &
  (
    | { readonly type: 'gauge'; readonly value: number }
    | {
        readonly type: 'sum'
        readonly value: number
        readonly temporality: OtlpTemporality
        readonly isMonotonic: boolean
      }
    | {
        readonly type: 'histogram'
        readonly temporality: OtlpTemporality
        readonly count: number
        readonly sum?: number
        readonly min?: number
        readonly max?: number
        readonly bounds: readonly number[]
        readonly bucketCounts: readonly number[]
      }
    | {
        readonly type: 'exponential_histogram'
        readonly temporality: OtlpTemporality
        readonly count: number
        readonly sum?: number
        readonly min?: number
        readonly max?: number
        readonly scale: number
        readonly zeroCount: number
        readonly zeroThreshold: number
        readonly positive: { readonly offset: number; readonly bucketCounts: readonly number[] }
        readonly negative: { readonly offset: number; readonly bucketCounts: readonly number[] }
      }
    | {
        readonly type: 'summary'
        readonly count: number
        readonly sum: number
        readonly quantiles: readonly { readonly quantile: number; readonly value: number }[]
      }
  )

/** What one request brought. */
export type OtlpBatch =
  | { readonly signal: 'traces'; readonly spans: readonly OtlpSpan[] }
  | { readonly signal: 'logs'; readonly logs: readonly OtlpLogRecord[] }
  | { readonly signal: 'metrics'; readonly points: readonly OtlpPoint[] }
