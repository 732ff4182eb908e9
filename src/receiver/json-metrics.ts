/** Metrics of OTLP in JSON, of every type. */

import type { OtlpExemplar, OtlpSource } from '../telemetry/otlp.ts'
import type { EnumNames, Json, JsonReader } from './json-reader.ts'
import { readAttributes } from './json-values.ts'
import {
  type Buckets,
  finishPoint,
  type MetricDraft,
  type MetricType,
  newMetric,
  newPoint,
  type PointDraft,
  temporalityOf,
} from './points.ts'
import { type BatchDraft, newExemplar } from './records.ts'

const temporalities: EnumNames = {
  AGGREGATION_TEMPORALITY_UNSPECIFIED: 0,
  AGGREGATION_TEMPORALITY_DELTA: 1,
  AGGREGATION_TEMPORALITY_CUMULATIVE: 2,
}

const keys: readonly (readonly [string, MetricType])[] = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'exponential_histogram'],
  ['summary', 'summary'],
]

export function readMetric(json: JsonReader, from: Json, source: OtlpSource, batch: BatchDraft): void {
  const metric = newMetric(source)
  metric.name = json.text(from, 'name')
  metric.unit = json.text(from, 'unit')
  metric.description = json.text(from, 'description')
  for (const [key, type] of keys) json.child(from, key, (data) => readData(json, data, type, metric, batch))
}

function readData(json: JsonReader, data: Json, type: MetricType, metric: MetricDraft, batch: BatchDraft): void {
  metric.temporality = temporalityOf(json.enum(data, 'aggregationTemporality', temporalities))
  metric.isMonotonic = json.bool(data, 'isMonotonic')
  json.each(data, 'dataPoints', (from) => {
    batch.count.add()
    const point = newPoint()
    point.attributes = readAttributes(json, from, 'attributes')
    point.startUnixMicro = json.micro(from, 'startTimeUnixNano')
    point.timeUnixMicro = json.micro(from, 'timeUnixNano')
    point.flags = json.int32(from, 'flags')
    json.each(from, 'exemplars', (exemplar) => {
      batch.count.add()
      point.exemplars.push(readExemplar(json, exemplar))
    })
    readPoint[type](json, from, point, batch)
    batch.addPoint(finishPoint(type, metric, point))
  })
}

type ReadPoint = (json: JsonReader, from: Json, point: PointDraft, batch: BatchDraft) => void

/** What a point of the type has beyond what all have. */
const readPoint: { readonly [T in MetricType]: ReadPoint } = {
  gauge: readNumber,
  sum: readNumber,
  histogram(json, from, point) {
    readSums(json, from, point)
    point.bounds = json.doubles(from, 'explicitBounds')
    point.bucketCounts = json.counts(from, 'bucketCounts')
  },
  exponential_histogram(json, from, point) {
    readSums(json, from, point)
    point.scale = json.int32(from, 'scale')
    point.zeroCount = json.count(from, 'zeroCount')
    point.zeroThreshold = json.double(from, 'zeroThreshold') ?? 0
    readBuckets(json, from, 'positive', point.positive)
    readBuckets(json, from, 'negative', point.negative)
  },
  summary(json, from, point, batch) {
    readSums(json, from, point)
    json.each(from, 'quantileValues', (at) => {
      batch.count.add()
      point.quantiles.push({ quantile: json.double(at, 'quantile') ?? 0, value: json.double(at, 'value') ?? 0 })
    })
  },
}

function readNumber(json: JsonReader, from: Json, point: PointDraft): void {
  point.value = json.double(from, 'asDouble') ?? json.whole(from, 'asInt')
}

function readSums(json: JsonReader, from: Json, point: PointDraft): void {
  point.count = json.count(from, 'count')
  point.sum = json.double(from, 'sum')
  point.min = json.double(from, 'min')
  point.max = json.double(from, 'max')
}

function readBuckets(json: JsonReader, from: Json, key: string, buckets: Buckets): void {
  json.child(from, key, (side) => {
    buckets.offset = json.int32(side, 'offset')
    buckets.bucketCounts = json.counts(side, 'bucketCounts')
  })
}

function readExemplar(json: JsonReader, from: Json): OtlpExemplar {
  const exemplar = newExemplar()
  exemplar.timeUnixMicro = json.micro(from, 'timeUnixNano')
  exemplar.value = json.double(from, 'asDouble') ?? json.whole(from, 'asInt') ?? 0
  exemplar.attributes = readAttributes(json, from, 'filteredAttributes')
  const traceId = json.id(from, 'traceId', 16)
  if (traceId !== undefined) exemplar.traceId = traceId
  const spanId = json.id(from, 'spanId', 8)
  if (spanId !== undefined) exemplar.spanId = spanId
  return exemplar
}
