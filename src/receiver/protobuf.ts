/**
 * OTLP in protobuf, field by field as version 1.11 of its schema numbers them, straight into our records. Fields that mean nothing
 * to us and those of later versions are passed over; test/receiver/conformance.test.ts lists them. Fields may come in any order, and
 * again: the last counts, messages are merged.
 */

import type { OtlpAttributes, OtlpSource } from '../telemetry/otlp.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { readMetric } from './protobuf-metrics.ts'
import { readAttribute, readSpanId, readTraceId, readValue } from './protobuf-values.ts'
import {
  BatchDraft,
  type Decoded,
  newEvent,
  newLink,
  newLog,
  newSource,
  newSpan,
  type SpanDraft,
  setText,
} from './records.ts'
import { type Part, WireReader } from './wire.ts'

/** An `Export…ServiceRequest` of the signal. Throws Malformed for what is none, TooLarge for more records than are taken. */
export function decodeProtobuf(signal: SignalType, message: Uint8Array): Decoded {
  const wire = new WireReader(message)
  const batch = new BatchDraft(signal)
  while (wire.next()) {
    if (wire.field === 1) readResourceGroup(wire, batch)
    else wire.skip()
  }
  return batch.decoded()
}

type ReadRecord = (wire: WireReader, source: OtlpSource, batch: BatchDraft) => void

const readers: { readonly [S in SignalType]: ReadRecord } = { traces: readSpan, logs: readLog, metrics: readMetric }

/** ResourceSpans, ResourceLogs, ResourceMetrics: they are alike. The scopes wait until the whole resource is known. */
function readResourceGroup(wire: WireReader, batch: BatchDraft): void {
  const resource = {}
  const scopes: Part[] = []
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) readResource(wire, resource)
    else if (wire.field === 2) {
      batch.count.add()
      scopes.push(wire.part())
    } else wire.skip()
  }
  for (const scope of scopes) {
    const back = wire.enterPart(scope)
    readScopeGroup(wire, batch, resource)
    wire.leavePart(back)
  }
  wire.leave(outer)
}

function readResource(wire: WireReader, attributes: OtlpAttributes): void {
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) readAttribute(wire, attributes)
    else wire.skip()
  }
  wire.leave(outer)
}

/** All records share the one source, so that it may become known after them. */
function readScopeGroup(wire: WireReader, batch: BatchDraft, resource: OtlpAttributes): void {
  const read = readers[batch.signal]
  const source = newSource(resource)
  while (wire.next()) {
    if (wire.field === 1) readScope(wire, source)
    else if (wire.field === 2) {
      batch.count.add()
      read(wire, source, batch)
    } else wire.skip()
  }
}

function readScope(wire: WireReader, source: ReturnType<typeof newSource>): void {
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) source.scopeName = wire.text()
    else if (wire.field === 2) source.scopeVersion = wire.text()
    else if (wire.field === 3) readAttribute(wire, source.scopeAttributes)
    else wire.skip()
  }
  wire.leave(outer)
}

function readSpan(wire: WireReader, source: OtlpSource, batch: BatchDraft): void {
  const span = newSpan(source)
  const outer = wire.enter()
  while (wire.next()) readSpanField(wire, span, batch)
  wire.leave(outer)
  batch.addSpan(span)
}

function readSpanField(wire: WireReader, span: SpanDraft, batch: BatchDraft): void {
  switch (wire.field) {
    case 1:
      span.traceId = readTraceId(wire) ?? ''
      break
    case 2:
      span.spanId = readSpanId(wire) ?? ''
      break
    case 3:
      setText(span, 'traceState', wire.text())
      break
    case 4:
      setText(span, 'parentSpanId', readSpanId(wire))
      break
    case 5:
      span.name = wire.text()
      break
    case 6:
      span.kind = wire.int32()
      break
    case 7:
      span.startUnixMicro = wire.micro()
      break
    case 8:
      span.endUnixMicro = wire.micro()
      break
    case 9:
      readAttribute(wire, span.attributes)
      break
    case 11:
      batch.count.add()
      span.events.push(readEvent(wire))
      break
    case 13:
      batch.count.add()
      span.links.push(readLink(wire))
      break
    case 15:
      readStatus(wire, span)
      break
    case 16:
      span.flags = wire.fixed32()
      break
    default:
      wire.skip()
  }
}

function readEvent(wire: WireReader) {
  const event = newEvent()
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) event.timeUnixMicro = wire.micro()
    else if (wire.field === 2) event.name = wire.text()
    else if (wire.field === 3) readAttribute(wire, event.attributes)
    else wire.skip()
  }
  wire.leave(outer)
  return event
}

function readLink(wire: WireReader) {
  const link = newLink()
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) link.traceId = readTraceId(wire) ?? ''
    else if (wire.field === 2) link.spanId = readSpanId(wire) ?? ''
    else if (wire.field === 4) readAttribute(wire, link.attributes)
    else wire.skip()
  }
  wire.leave(outer)
  return link
}

function readStatus(wire: WireReader, span: SpanDraft): void {
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 2) setText(span, 'statusMessage', wire.text())
    else if (wire.field === 3) span.statusCode = wire.int32()
    else wire.skip()
  }
  wire.leave(outer)
}

function readLog(wire: WireReader, source: OtlpSource, batch: BatchDraft): void {
  const record = newLog(source)
  const outer = wire.enter()
  while (wire.next()) readLogField(wire, record)
  wire.leave(outer)
  batch.addLog(record)
}

function readLogField(wire: WireReader, record: ReturnType<typeof newLog>): void {
  switch (wire.field) {
    case 1:
      record.timeUnixMicro = wire.micro()
      break
    case 2:
      record.severityNumber = wire.int32()
      break
    case 3:
      setText(record, 'severityText', wire.text())
      break
    case 5:
      record.body = readValue(wire, record.body)
      break
    case 6:
      readAttribute(wire, record.attributes)
      break
    case 9:
      setText(record, 'traceId', readTraceId(wire))
      break
    case 10:
      setText(record, 'spanId', readSpanId(wire))
      break
    case 11:
      record.observedUnixMicro = wire.micro()
      break
    case 12:
      setText(record, 'eventName', wire.text())
      break
    default:
      wire.skip()
  }
}
