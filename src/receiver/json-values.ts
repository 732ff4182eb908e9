/** What every signal of OTLP has in JSON: attributes and values. */

import type { OtlpAttributes, OtlpValue } from '../telemetry/otlp.ts'
import { type Json, type JsonReader, member } from './json-reader.ts'
import { setValue } from './records.ts'

/** A list of KeyValues; the last one of a key counts. */
export function readAttributes(json: JsonReader, from: Json, key: string): OtlpAttributes {
  const attributes: { [key: string]: OtlpValue } = {}
  json.each(from, key, (entry) => setValue(attributes, json.text(entry, 'key'), readValue(json, entry, 'value')))
  return attributes
}

type ReadValue = (json: JsonReader, any: Json, kind: string) => OtlpValue

const kinds: readonly (readonly [string, ReadValue])[] = [
  ['stringValue', (json, any, kind) => json.text(any, kind)],
  ['intValue', (json, any, kind) => json.int64(any, kind)],
  ['boolValue', (json, any, kind) => json.bool(any, kind)],
  ['doubleValue', (json, any, kind) => json.double(any, kind) ?? null],
  ['arrayValue', readArray],
  ['kvlistValue', readMap],
  ['bytesValue', (json, any, kind) => json.base64(any, kind)],
]

/** An AnyValue; null for one without a value, or of a kind that we do not know. */
export function readValue(json: JsonReader, from: Json, key: string): OtlpValue {
  let value: OtlpValue = null
  json.child(from, key, (any) => {
    value = readAny(json, any)
  })
  return value
}

function readAny(json: JsonReader, any: Json): OtlpValue {
  for (const [kind, read] of kinds) if (member(any, kind) !== undefined) return read(json, any, kind)
  return null
}

function readArray(json: JsonReader, any: Json, kind: string): OtlpValue {
  const values: OtlpValue[] = []
  json.child(any, kind, (array) => json.each(array, 'values', (item) => values.push(readAny(json, item))))
  return values
}

function readMap(json: JsonReader, any: Json, kind: string): OtlpValue {
  let map: OtlpAttributes = {}
  json.child(any, kind, (list) => {
    map = readAttributes(json, list, 'values')
  })
  return map
}
