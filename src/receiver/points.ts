/** Points of metrics as both encodings fill them: everything that a point of any type can have, then what its type has. */

import type { OtlpAttributes, OtlpExemplar, OtlpPoint, OtlpSource, OtlpTemporality } from '../telemetry/otlp.ts'

/** A metric without its points. */
export interface MetricDraft {
  readonly source: OtlpSource
  name: string
  unit: string
  description: string
  /** Of those types that have one. */
  temporality: OtlpTemporality
  isMonotonic: boolean
}

export function newMetric(source: OtlpSource): MetricDraft {
  return { source, name: '', unit: '', description: '', temporality: 'unspecified', isMonotonic: false }
}

export const metricTypes = ['gauge', 'sum', 'histogram', 'exponential_histogram', 'summary'] as const
export type MetricType = (typeof metricTypes)[number]

export interface Buckets {
  offset: number
  bucketCounts: number[]
}

/** Everything that a point of any type can have; `finishPoint` takes what its type has. */
export interface PointDraft {
  attributes: OtlpAttributes
  startUnixMicro: number
  timeUnixMicro: number
  flags: number
  exemplars: OtlpExemplar[]
  value: number | undefined
  count: number
  sum: number | undefined
  min: number | undefined
  max: number | undefined
  bounds: number[]
  bucketCounts: number[]
  scale: number
  zeroCount: number
  zeroThreshold: number
  positive: Buckets
  negative: Buckets
  quantiles: { readonly quantile: number; readonly value: number }[]
}

export function newPoint(): PointDraft {
  return {
    attributes: {},
    startUnixMicro: 0,
    timeUnixMicro: 0,
    flags: 0,
    exemplars: [],
    value: undefined,
    count: 0,
    sum: undefined,
    min: undefined,
    max: undefined,
    bounds: [],
    bucketCounts: [],
    scale: 0,
    zeroCount: 0,
    zeroThreshold: 0,
    positive: { offset: 0, bucketCounts: [] },
    negative: { offset: 0, bucketCounts: [] },
    quantiles: [],
  }
}

const noRecordedValue = 1

/** The point as its type has it. A number without a value is absent, as one with the flag is. */
export function finishPoint(type: MetricType, metric: MetricDraft, point: PointDraft): OtlpPoint {
  const { attributes, startUnixMicro, timeUnixMicro, flags, exemplars } = point
  const { source, name, unit, description, temporality } = metric
  const isNumber = type === 'gauge' || type === 'sum'
  const isAbsent = (flags & noRecordedValue) !== 0 || (isNumber && point.value === undefined)
  const common = {
    ...{ source, name, unit, description, attributes },
    ...{ startUnixMicro, timeUnixMicro, isAbsent, exemplars },
  }
  const value = point.value ?? 0
  const { count, sum, bounds, bucketCounts, scale, zeroCount, zeroThreshold, positive, negative, quantiles } = point
  switch (type) {
    case 'gauge':
      return { ...common, type, value }
    case 'sum':
      return { ...common, type, value, temporality, isMonotonic: metric.isMonotonic }
    case 'histogram':
      return { ...common, type, temporality, count, ...extremes(point), bounds, bucketCounts }
    case 'exponential_histogram':
      return {
        ...{ ...common, type, temporality, count, ...extremes(point) },
        ...{ scale, zeroCount, zeroThreshold, positive, negative },
      }
    case 'summary':
      return { ...common, type, count, sum: sum ?? 0, quantiles }
  }
}

function extremes({ sum, min, max }: PointDraft): { sum?: number; min?: number; max?: number } {
  return {
    ...(sum === undefined ? {} : { sum }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  }
}

export function temporalityOf(code: number): OtlpTemporality {
  return code === 1 ? 'delta' : code === 2 ? 'cumulative' : 'unspecified'
}
