/** OTLP in JSON, into our records: requests, traces and logs. */

import type { OtlpAttributes, OtlpSource } from '../telemetry/otlp.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { readMetric } from './json-metrics.ts'
import { type EnumNames, isObject, type Json, JsonReader, member } from './json-reader.ts'
import { readAttributes, readValue } from './json-values.ts'
import {
  BatchDraft,
  type Decoded,
  Malformed,
  mostParts,
  newEvent,
  newLink,
  newLog,
  newSource,
  newSpan,
  TooLarge,
} from './records.ts'

/** An `Export…ServiceRequest` of the signal. Throws Malformed for what is none, TooLarge for more records than are taken. */
export function decodeJson(signal: SignalType, message: Uint8Array): Decoded {
  const request = parse(message)
  const json = new JsonReader()
  const batch = new BatchDraft(signal)
  const [groups, scopes, records, read] = shapes[signal]
  json.each(request, groups, (group) => {
    const resource = readResource(json, group)
    json.each(group, scopes, (scope) => {
      batch.count.add()
      const source = readSource(json, scope, resource)
      json.each(scope, records, (record) => {
        batch.count.add()
        read(json, record, source, batch)
      })
    })
  })
  return batch.decoded()
}

function parse(message: Uint8Array): Json {
  if (message.length > mostParts && countValues(message) > mostParts) {
    throw new TooLarge(`more than ${mostParts} values in one request`)
  }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(message))
  } catch (error) {
    throw new Malformed(`the body is no JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isObject(value)) throw new Malformed('the body is JSON, but no object')
  return value
}

const [quote, backslash, comma, bracket, brace] = Buffer.from('"\\,[{')

/** What opens or parts values, outside of texts: before the parser makes an object of each. */
function countValues(message: Uint8Array): number {
  let count = 0
  let isText = false
  for (let at = 0; at < message.length; at++) {
    const byte = message[at]
    if (isText) {
      if (byte === backslash) at++
      else if (byte === quote) isText = false
    } else if (byte === quote) isText = true
    else if (byte === comma || byte === bracket || byte === brace) count++
  }
  return count
}

type ReadRecord = (json: JsonReader, record: Json, source: OtlpSource, batch: BatchDraft) => void

/** The keys of the three lists in one another, and the reader of a record. */
const shapes: { readonly [S in SignalType]: readonly [string, string, string, ReadRecord] } = {
  traces: ['resourceSpans', 'scopeSpans', 'spans', readSpan],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords', readLog],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics', readMetric],
}

function readResource(json: JsonReader, group: Json): OtlpAttributes {
  let attributes: OtlpAttributes = {}
  json.child(group, 'resource', (resource) => {
    attributes = readAttributes(json, resource, 'attributes')
  })
  return attributes
}

function readSource(json: JsonReader, group: Json, resource: OtlpAttributes): OtlpSource {
  const source = newSource(resource)
  json.child(group, 'scope', (scope) => {
    source.scopeName = json.text(scope, 'name')
    source.scopeVersion = json.text(scope, 'version')
    source.scopeAttributes = readAttributes(json, scope, 'attributes')
  })
  return source
}

const spanKinds = enumNames('SPAN_KIND_', ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'])
const statusCodes = enumNames('STATUS_CODE_', ['UNSET', 'OK', 'ERROR'])
const severities = enumNames('SEVERITY_NUMBER_', [
  'UNSPECIFIED',
  ...['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].flatMap((word) => [word, `${word}2`, `${word}3`, `${word}4`]),
])

function enumNames(prefix: string, words: readonly string[]): EnumNames {
  return Object.fromEntries(words.map((word, code) => [prefix + word, code]))
}

function readSpan(json: JsonReader, record: Json, source: OtlpSource, batch: BatchDraft): void {
  const span = newSpan(source)
  span.traceId = json.id(record, 'traceId', 16) ?? ''
  span.spanId = json.id(record, 'spanId', 8) ?? ''
  const parent = json.id(record, 'parentSpanId', 8)
  if (parent !== undefined) span.parentSpanId = parent
  const state = json.text(record, 'traceState')
  if (state !== '') span.traceState = state
  span.flags = json.int32(record, 'flags')
  span.name = json.text(record, 'name')
  span.kind = json.enum(record, 'kind', spanKinds)
  span.startUnixMicro = json.micro(record, 'startTimeUnixNano')
  span.endUnixMicro = json.micro(record, 'endTimeUnixNano')
  span.attributes = readAttributes(json, record, 'attributes')
  json.child(record, 'status', (status) => {
    span.statusCode = json.enum(status, 'code', statusCodes)
    const message = json.text(status, 'message')
    if (message !== '') span.statusMessage = message
  })
  json.each(record, 'events', (event) => {
    batch.count.add()
    span.events.push(readEvent(json, event))
  })
  json.each(record, 'links', (link) => {
    batch.count.add()
    span.links.push(readLink(json, link))
  })
  batch.addSpan(span)
}

function readEvent(json: JsonReader, from: Json) {
  const event = newEvent()
  event.timeUnixMicro = json.micro(from, 'timeUnixNano')
  event.name = json.text(from, 'name')
  event.attributes = readAttributes(json, from, 'attributes')
  return event
}

function readLink(json: JsonReader, from: Json) {
  const link = newLink()
  link.traceId = json.id(from, 'traceId', 16) ?? ''
  link.spanId = json.id(from, 'spanId', 8) ?? ''
  link.attributes = readAttributes(json, from, 'attributes')
  return link
}

function readLog(json: JsonReader, from: Json, source: OtlpSource, batch: BatchDraft): void {
  const record = newLog(source)
  record.timeUnixMicro = json.micro(from, 'timeUnixNano')
  record.observedUnixMicro = json.micro(from, 'observedTimeUnixNano')
  record.severityNumber = json.enum(from, 'severityNumber', severities)
  const severity = json.text(from, 'severityText')
  if (severity !== '') record.severityText = severity
  const name = json.text(from, 'eventName')
  if (name !== '') record.eventName = name
  if (member(from, 'body') !== undefined) record.body = readValue(json, from, 'body')
  record.attributes = readAttributes(json, from, 'attributes')
  const traceId = json.id(from, 'traceId', 16)
  if (traceId !== undefined) record.traceId = traceId
  const spanId = json.id(from, 'spanId', 8)
  if (spanId !== undefined) record.spanId = spanId
  batch.addLog(record)
}
