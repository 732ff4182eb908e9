/** Metrics of OTLP in protobuf, of every type. A point waits until all that is said of its metric is known. */

import type { OtlpExemplar, OtlpSource } from '../telemetry/otlp.ts'
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
import { readAttribute, readSpanId, readTraceId } from './protobuf-values.ts'
import { type BatchDraft, newExemplar, setText } from './records.ts'
import type { Part, WireReader } from './wire.ts'

const typeOfField: { readonly [field: number]: MetricType } = {
  5: 'gauge',
  7: 'sum',
  9: 'histogram',
  10: 'exponential_histogram',
  11: 'summary',
}

const ofNoType: Pick<MetricDraft, 'temporality' | 'isMonotonic'> = { temporality: 'unspecified', isMonotonic: false }

export function readMetric(wire: WireReader, source: OtlpSource, batch: BatchDraft): void {
  const metric = newMetric(source)
  let type: MetricType | undefined
  let points: Part[] = []
  const outer = wire.enter()
  while (wire.next()) {
    const said = typeOfField[wire.field]
    if (wire.field === 1) metric.name = wire.text()
    else if (wire.field === 2) metric.description = wire.text()
    else if (wire.field === 3) metric.unit = wire.text()
    else if (said !== undefined) {
      if (said !== type) {
        // A metric is of one type: the last that is said.
        Object.assign(metric, ofNoType)
        points = []
        type = said
      }
      readData(wire, metric, batch, points)
    } else wire.skip()
  }
  if (type !== undefined) readPoints(wire, type, metric, batch, points)
  wire.leave(outer)
}

function readPoints(
  wire: WireReader,
  type: MetricType,
  metric: MetricDraft,
  batch: BatchDraft,
  points: readonly Part[],
): void {
  const readField = pointFields[type]
  for (const part of points) {
    const point = newPoint()
    const back = wire.enterPart(part)
    while (wire.next()) readField(wire, point, batch)
    wire.leavePart(back)
    batch.addPoint(finishPoint(type, metric, point))
  }
}

/** Gauge, Sum, Histogram, ExponentialHistogram, Summary: they number alike what they have. */
function readData(wire: WireReader, metric: MetricDraft, batch: BatchDraft, points: Part[]): void {
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) {
      batch.count.add()
      points.push(wire.part())
    } else if (wire.field === 2) metric.temporality = temporalityOf(wire.int32())
    else if (wire.field === 3) metric.isMonotonic = wire.bool()
    else wire.skip()
  }
  wire.leave(outer)
}

type ReadField = (wire: WireReader, point: PointDraft, batch: BatchDraft) => void

const pointFields: { readonly [T in MetricType]: ReadField } = {
  gauge: readNumberField,
  sum: readNumberField,
  histogram: readHistogramField,
  exponential_histogram: readExponentialField,
  summary: readSummaryField,
}

function readNumberField(wire: WireReader, point: PointDraft, batch: BatchDraft): void {
  switch (wire.field) {
    case 4:
      point.value = wire.double()
      break
    case 5:
      readExemplar(wire, point, batch)
      break
    case 6:
      point.value = wire.sfixed64()
      break
    case 7:
      readAttribute(wire, point.attributes)
      break
    case 8:
      point.flags = wire.uint32()
      break
    default:
      readTimes(wire, point)
  }
}

function readHistogramField(wire: WireReader, point: PointDraft, batch: BatchDraft): void {
  switch (wire.field) {
    case 4:
      point.count = wire.fixed64()
      break
    case 5:
      point.sum = wire.double()
      break
    case 6:
      wire.fixed64s(point.bucketCounts)
      break
    case 7:
      wire.doubles(point.bounds)
      break
    case 8:
      readExemplar(wire, point, batch)
      break
    case 9:
      readAttribute(wire, point.attributes)
      break
    case 10:
      point.flags = wire.uint32()
      break
    case 11:
      point.min = wire.double()
      break
    case 12:
      point.max = wire.double()
      break
    default:
      readTimes(wire, point)
  }
}

function readExponentialField(wire: WireReader, point: PointDraft, batch: BatchDraft): void {
  switch (wire.field) {
    case 1:
      readAttribute(wire, point.attributes)
      break
    case 4:
      point.count = wire.fixed64()
      break
    case 5:
      point.sum = wire.double()
      break
    case 6:
      point.scale = wire.sint32()
      break
    case 7:
      point.zeroCount = wire.fixed64()
      break
    case 8:
      readBuckets(wire, point.positive)
      break
    case 9:
      readBuckets(wire, point.negative)
      break
    case 10:
      point.flags = wire.uint32()
      break
    case 11:
      readExemplar(wire, point, batch)
      break
    case 12:
      point.min = wire.double()
      break
    case 13:
      point.max = wire.double()
      break
    case 14:
      point.zeroThreshold = wire.double()
      break
    default:
      readTimes(wire, point)
  }
}

function readSummaryField(wire: WireReader, point: PointDraft, batch: BatchDraft): void {
  switch (wire.field) {
    case 4:
      point.count = wire.fixed64()
      break
    case 5:
      point.sum = wire.double()
      break
    case 6:
      batch.count.add()
      point.quantiles.push(readQuantile(wire))
      break
    case 7:
      readAttribute(wire, point.attributes)
      break
    case 8:
      point.flags = wire.uint32()
      break
    default:
      readTimes(wire, point)
  }
}

/** The same fields in points of all types. */
function readTimes(wire: WireReader, point: PointDraft): void {
  if (wire.field === 2) point.startUnixMicro = wire.micro()
  else if (wire.field === 3) point.timeUnixMicro = wire.micro()
  else wire.skip()
}

function readBuckets(wire: WireReader, buckets: Buckets): void {
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) buckets.offset = wire.sint32()
    else if (wire.field === 2) wire.varints(buckets.bucketCounts)
    else wire.skip()
  }
  wire.leave(outer)
}

function readQuantile(wire: WireReader): { quantile: number; value: number } {
  const at = { quantile: 0, value: 0 }
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) at.quantile = wire.double()
    else if (wire.field === 2) at.value = wire.double()
    else wire.skip()
  }
  wire.leave(outer)
  return at
}

function readExemplar(wire: WireReader, point: PointDraft, batch: BatchDraft): void {
  batch.count.add()
  const exemplar = newExemplar()
  const outer = wire.enter()
  while (wire.next()) readExemplarField(wire, exemplar)
  wire.leave(outer)
  point.exemplars.push(exemplar satisfies OtlpExemplar)
}

function readExemplarField(wire: WireReader, exemplar: ReturnType<typeof newExemplar>): void {
  switch (wire.field) {
    case 2:
      exemplar.timeUnixMicro = wire.micro()
      break
    case 3:
      exemplar.value = wire.double()
      break
    case 4:
      setText(exemplar, 'spanId', readSpanId(wire))
      break
    case 5:
      setText(exemplar, 'traceId', readTraceId(wire))
      break
    case 6:
      exemplar.value = wire.sfixed64()
      break
    case 7:
      readAttribute(wire, exemplar.attributes)
      break
    default:
      wire.skip()
  }
}
