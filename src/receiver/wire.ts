/**
 * Protobuf's wire format, read forward over one buffer: fields, lengths, numbers, texts. Whatever does not fit is Malformed with the
 * place of the byte. Knows nothing of OTLP but that its times are nanoseconds.
 */

import { readText } from './known-texts.ts'
import { deepestValue, Malformed, mostParts, TooLarge } from './records.ts'

const varint = 0
const eight = 1
const bytes = 2
const group = 3
const groupEnd = 4
const four = 5

/** A part of the buffer: a message that is read later. */
export interface Part {
  readonly start: number
  readonly end: number
}

export class WireReader {
  /** Of the field that `next` came to. */
  field = 0
  #type = 0
  #at = 0
  /** Of the message that is read now. */
  #end: number
  #depth = 0
  #parts = 0
  readonly #bytes: Buffer
  readonly #view: DataView

  constructor(message: Uint8Array) {
    this.#bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
    this.#view = new DataView(message.buffer, message.byteOffset, message.byteLength)
    this.#end = message.byteLength
  }

  /** Goes on to the next field of the message; false at its end. */
  next(): boolean {
    if (this.#at >= this.#end) return false
    const tag = this.#size()
    this.field = tag >>> 3
    this.#type = tag & 7
    if (this.field === 0) this.#fail('a field without a number')
    return true
  }

  /** Enters the message that the field holds, until `leave` gets what this returned. */
  enter(): number {
    const outer = this.#end
    const end = this.#lengthEnd()
    this.#deeper()
    this.#end = end
    return outer
  }

  leave(outer: number): void {
    this.#depth--
    this.#at = this.#end
    this.#end = outer
  }

  /** Passes the message that the field holds, to be read with `enterPart`. */
  part(): Part {
    const end = this.#lengthEnd()
    const start = this.#at
    this.#at = end
    return { start, end }
  }

  /** Enters a part, until `leavePart` gets what this returned. */
  enterPart({ start, end }: Part): Part {
    const back = { start: this.#at, end: this.#end }
    this.#deeper()
    this.#at = start
    this.#end = end
    return back
  }

  leavePart({ start, end }: Part): void {
    this.#depth--
    this.#at = start
    this.#end = end
  }

  /** A field that means nothing to us. */
  skip(): void {
    if (this.#type === group) this.#skipGroup(this.field, 1)
    else this.#skipValue()
  }

  text(): string {
    const end = this.#lengthEnd()
    const start = this.#at
    this.#at = end
    return readText(this.#bytes, start, end)
  }

  hex(): string {
    const end = this.#lengthEnd()
    const start = this.#at
    this.#at = end
    return this.#bytes.toString('hex', start, end)
  }

  base64(): string {
    const { start, end } = this.part()
    return this.#bytes.toString('base64', start, end)
  }

  bool(): boolean {
    this.#expect(varint)
    const byte = this.#bytes[this.#at]
    if (byte !== undefined && byte < 128) {
      this.#at++
      return byte !== 0
    }
    return this.#bigVarint() !== 0n
  }

  uint32(): number {
    this.#expect(varint)
    return this.#varint()
  }

  /** An enum; one that is negative comes as a number of 64 bits. */
  int32(): number {
    return this.uint32() | 0
  }

  /** A signed number of 32 bits in zigzag. */
  sint32(): number {
    const value = this.uint32()
    return (value >>> 1) ^ -(value & 1)
  }

  /** A signed number of 64 bits; the text of its digits where a number would not be exact. */
  int64(): number | string {
    this.#expect(varint)
    const byte = this.#bytes[this.#at]
    if (byte !== undefined && byte < 128) {
      this.#at++
      return byte
    }
    const value = BigInt.asIntN(64, this.#bigVarint())
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value.toString()
  }

  fixed32(): number {
    this.#expect(four)
    return this.#view.getUint32(this.#step(4), true)
  }

  double(): number {
    this.#expect(eight)
    return this.#view.getFloat64(this.#step(8), true)
  }

  /** An unsigned number of 64 bits, rounded where a number cannot hold it. */
  fixed64(): number {
    this.#expect(eight)
    const at = this.#step(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 0x1_0000_0000
  }

  /** A signed number of 64 bits, rounded where a number cannot hold it. */
  sfixed64(): number {
    this.#expect(eight)
    const at = this.#step(8)
    return this.#view.getUint32(at, true) + this.#view.getInt32(at + 4, true) * 0x1_0000_0000
  }

  /** Nanoseconds as whole microseconds. 2^32 is 4294967 thousands and 296, which keeps all of it exact. */
  micro(): number {
    this.#expect(eight)
    const at = this.#step(8)
    const low = this.#view.getUint32(at, true)
    const high = this.#view.getUint32(at + 4, true)
    return high * 4_294_967 + Math.floor((high * 296 + low) / 1000)
  }

  /** Appends repeated doubles, packed or one of them. */
  doubles(into: number[]): void {
    this.#list(eight, () => into.push(this.double()))
  }

  /** Appends repeated unsigned numbers of 64 bits, packed or one of them. */
  fixed64s(into: number[]): void {
    this.#list(eight, () => into.push(this.fixed64()))
  }

  /** Appends repeated unsigned varints, packed or one of them. */
  varints(into: number[]): void {
    this.#list(varint, () => into.push(Number(this.#bigVarint())))
  }

  #list(type: number, read: () => void): void {
    if (this.#type === type) return void read()
    const end = this.#lengthEnd()
    this.#type = type
    while (this.#at < end) read()
    if (this.#at !== end) this.#fail('packed numbers of half a number')
  }

  #deeper(): void {
    if (++this.#parts > mostParts) throw new TooLarge(`more than ${mostParts} messages in one request`)
    if (++this.#depth > deepestValue) this.#fail(`more than ${deepestValue} messages in one another`)
  }

  #expect(type: number): void {
    if (this.#type !== type) this.#fail(`field ${this.field} is of wire type ${this.#type} instead of ${type}`)
  }

  /** Where the value that begins here ends, after its length is read. */
  #lengthEnd(): number {
    this.#expect(bytes)
    const end = this.#size() + this.#at
    if (end > this.#end) this.#fail(`field ${this.field} is longer than its message`)
    return end
  }

  #step(length: number): number {
    const at = this.#at
    this.#at = at + length
    if (this.#at > this.#end) this.#fail(`field ${this.field} is cut`)
    return at
  }

  /** A tag or a length. Those that need more than 32 bits are not cut to something smaller. */
  #size(): number {
    const start = this.#at
    const size = this.#varint()
    const length = this.#at - start
    if (length > 5 || (length === 5 && (this.#bytes[this.#at - 1] as number) > 15)) {
      this.#fail('a tag or a length of more than 32 bits')
    }
    return size
  }

  /** The low 32 bits of a varint. */
  #varint(): number {
    const bytes = this.#bytes
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) this.#fail('a number is cut')
      const byte = bytes[this.#at++] as number
      if (shift < 32) value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
    }
    return this.#fail('a number of more than ten bytes')
  }

  /** All 64 bits of a varint, unsigned. */
  #bigVarint(): bigint {
    let low = 0
    let high = 0n
    for (let index = 0; index < 10; index++) {
      if (this.#at >= this.#end) this.#fail('a number is cut')
      const byte = this.#bytes[this.#at++] as number
      if (index < 7) low += (byte & 127) * 128 ** index
      else high |= BigInt(byte & 127) << BigInt(7 * index)
      if (byte < 128) return BigInt.asUintN(64, high | BigInt(low))
    }
    return this.#fail('a number of more than ten bytes')
  }

  #skipValue(): void {
    switch (this.#type) {
      case varint:
        this.#varint()
        break
      case eight:
        this.#step(8)
        break
      case bytes:
        this.#at = this.#lengthEnd()
        break
      case four:
        this.#step(4)
        break
      default:
        this.#fail(`field ${this.field} is of wire type ${this.#type}`)
    }
  }

  #skipGroup(opened: number, depth: number): void {
    if (depth > deepestValue) this.#fail(`more than ${deepestValue} groups in one another`)
    while (this.next()) {
      if (this.#type === groupEnd) {
        if (this.field !== opened) this.#fail(`the end of group ${this.field} in group ${opened}`)
        return
      }
      if (this.#type === group) this.#skipGroup(this.field, depth + 1)
      else this.#skipValue()
    }
    this.#fail(`group ${opened} has no end`)
  }

  #fail(what: string): never {
    throw new Malformed(`${what} (byte ${this.#at})`)
  }
}
