/** What every signal of OTLP has in protobuf: attributes, values, ids. */

import type { OtlpAttributes, OtlpValue } from '../telemetry/otlp.ts'
import { knownId, Malformed, setValue } from './records.ts'
import type { WireReader } from './wire.ts'

/** A KeyValue, into the attributes; the last one of a key counts. */
export function readAttribute(wire: WireReader, into: OtlpAttributes): void {
  let key = ''
  let value: OtlpValue = null
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) key = wire.text()
    else if (wire.field === 2) value = readValue(wire, value)
    else wire.skip()
  }
  wire.leave(outer)
  setValue(into as { [key: string]: OtlpValue }, key, value)
}

/** An AnyValue; null for one without a value, or of a kind that we do not know. One that comes again goes on from `value`. */
export function readValue(wire: WireReader, value: OtlpValue = null): OtlpValue {
  const outer = wire.enter()
  while (wire.next()) {
    switch (wire.field) {
      case 1:
        value = wire.text()
        break
      case 2:
        value = wire.bool()
        break
      case 3:
        value = wire.int64()
        break
      case 4:
        value = wire.double()
        break
      case 5:
        value = readArray(wire, value)
        break
      case 6:
        value = readMap(wire, value)
        break
      case 7:
        value = wire.base64()
        break
      default:
        wire.skip()
    }
  }
  wire.leave(outer)
  return value
}

function readArray(wire: WireReader, before: OtlpValue): OtlpValue {
  const values: OtlpValue[] = Array.isArray(before) ? before : []
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) values.push(readValue(wire))
    else wire.skip()
  }
  wire.leave(outer)
  return values
}

function readMap(wire: WireReader, before: OtlpValue): OtlpValue {
  const map = isMap(before) ? before : {}
  const outer = wire.enter()
  while (wire.next()) {
    if (wire.field === 1) readAttribute(wire, map)
    else wire.skip()
  }
  wire.leave(outer)
  return map
}

function isMap(value: OtlpValue): value is OtlpAttributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `undefined` for one that is empty or all zeros. */
export function readTraceId(wire: WireReader): string | undefined {
  return readId(wire, 16)
}

export function readSpanId(wire: WireReader): string | undefined {
  return readId(wire, 8)
}

function readId(wire: WireReader, length: number): string | undefined {
  const hex = wire.hex()
  if (hex !== '' && hex.length !== 2 * length)
    throw new Malformed(`an id of ${hex.length / 2} bytes instead of ${length}`)
  return knownId(hex)
}
