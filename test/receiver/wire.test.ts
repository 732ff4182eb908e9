/** Protobuf's wire format: what may stand there, and what may not. */
import { describe, expect, test } from 'bun:test'
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import { Malformed, TooLarge } from '../../src/receiver/records.ts'
import { WireReader } from '../../src/receiver/wire.ts'
import { encodeProtobuf, everything, field, signals } from './messages.ts'

describe('A message', () => {
  test('is nothing else when fields that nobody knows are in it', () => {
    const varint = Buffer.from([0xf8, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
    const eight = Buffer.from([0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8])
    const four = Buffer.from([0xfd, 0x3f, 1, 2, 3, 4])
    const group = Buffer.from([0xfb, 0x3f, 0x08, 1, 0x13, 0x14, 0xfc, 0x3f])
    const strangers = Buffer.concat([varint, eight, field(1023, Buffer.from('text')), four, group])
    for (const signal of signals) {
      const known = encodeProtobuf(signal, everything[signal])
      const message = Buffer.concat([strangers, known, strangers])
      expect(decodeProtobuf(signal, message)).toStrictEqual(decodeProtobuf(signal, known))
    }
  })

  test('that ends too early is malformed at every byte, unless a field ended there', () => {
    for (const signal of signals) {
      const message = encodeProtobuf(signal, everything[signal])
      for (let length = 1; length < message.length; length++) {
        expect(() => decodeProtobuf(signal, message.subarray(0, length))).toThrow(Malformed)
      }
    }
  })

  test.each([
    ['a field without a number', [0x00, 0x00]],
    ['a length beyond the end', [0x0a, 0x7f]],
    ['a length of four gigabytes', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a number of more than ten bytes', [0x08, ...new Array(11).fill(0x80)]],
    ['a group without an end', [0x0b, 0x08, 0x01]],
    ['the end of another group', [0x13, 0x1c]],
    ['an end without a group', [0x14]],
    ['a wire type that there is not', [0x0f]],
    ['a number in the place of a message', [0x08, 0x01]],
  ])('with %s is malformed', (_what, bytes) => {
    expect(() => decodeProtobuf('traces', Buffer.from(bytes))).toThrow(Malformed)
  })

  test('may not hold half a number, though more bytes follow it', () => {
    for (const cut of [Buffer.from([0x39, 1, 2, 3]), Buffer.from([0x85, 0x01, 1]), Buffer.from([0x30, 0x80])]) {
      const group = field(1, field(2, field(2, cut)))
      expect(() => decodeProtobuf('traces', Buffer.concat([group, group]))).toThrow(Malformed)
    }
  })

  test('may not hold half a number in a list, though more bytes follow it', () => {
    const point = (type: number, content: Buffer) => field(1, field(2, field(2, field(type, field(1, content)))))
    const more = Buffer.alloc(30, 0x18)
    for (const list of [field(6, Buffer.alloc(12)), field(7, Buffer.alloc(12))]) {
      expect(() => decodeProtobuf('metrics', point(9, Buffer.concat([list, more])))).toThrow('half a number')
    }
    const buckets = field(8, Buffer.concat([field(2, Buffer.from([0x80])), Buffer.from([0x01, 0x08, 0x00])]))
    expect(() => decodeProtobuf('metrics', point(10, buckets))).toThrow('half a number')
  })

  test('may not have values of other types than its fields are of', () => {
    for (const wrong of [
      [0x28, 0],
      [0x80, 0x01, 0, 0, 0, 0],
      [0x38, 0, 0, 0, 0, 0, 0, 0, 0],
      [0x4d, 0, 0, 0, 0],
    ]) {
      const group = field(1, field(2, field(2, Buffer.from(wrong))))
      expect(() => decodeProtobuf('traces', group)).toThrow('is of wire type')
    }
  })

  test('may not be in itself without end, nor groups', () => {
    let value: Buffer = Buffer.alloc(0)
    for (let depth = 0; depth < 5000; depth++) value = field(5, field(1, value))
    const log = field(2, field(5, value))
    expect(() => decodeProtobuf('logs', field(1, field(2, log)))).toThrow('more than 100 messages')
    expect(() => decodeProtobuf('logs', Buffer.alloc(1_000_000, 0x23))).toThrow('more than 100 groups')
  })

  test('of nothing but empty records is too large long before memory is short', () => {
    const empty = Buffer.alloc(2_200_000)
    for (let at = 0; at < empty.length; at += 2) empty[at] = 0x12
    const inGroup = field(1, field(2, empty))
    for (const signal of signals) expect(() => decodeProtobuf(signal, inGroup)).toThrow(TooLarge)
    expect(() => decodeProtobuf('traces', field(1, empty))).toThrow(TooLarge)
  })

  test('of nothing but empty values is so as well', () => {
    const value = field(1, field(6, Buffer.alloc(0)))
    const values = Buffer.alloc(value.length * 5_000_000, value)
    const log = field(2, field(5, field(5, values)))
    expect(() => decodeProtobuf('logs', field(1, field(2, log)))).toThrow('more than 8000000 messages')
  })
})

describe('A number', () => {
  const read = (bytes: readonly number[]) => {
    const wire = new WireReader(Buffer.from([0x08, ...bytes]))
    wire.next()
    return wire
  }

  test.each([
    [[0x00], 0],
    [[0x96, 0x01], 150],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], Number.MAX_SAFE_INTEGER],
    [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10], '9007199254740992'],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1],
    [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], '-9223372036854775808'],
  ])('of %p is the signed %p', (bytes, value) => {
    expect(read(bytes).int64()).toBe(value)
  })

  test('of nanoseconds is in whole microseconds, exactly, until 2255', () => {
    for (const nano of [0n, 1n, 999n, 1000n, 2n ** 32n - 1n, 2n ** 32n, 1795247342795000999n, 9007199254740991999n]) {
      const bytes = Buffer.alloc(9, 0x09)
      bytes.writeBigUInt64LE(nano, 1)
      const wire = new WireReader(bytes)
      wire.next()
      expect(wire.micro()).toBe(Number(nano / 1000n))
    }
  })

  test('of a list may be packed or alone, in any mixture', () => {
    const eight = (value: number) => {
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(BigInt(value))
      return bytes
    }
    const alone = Buffer.concat([Buffer.from([0x31]), eight(1)])
    const message = Buffer.concat([alone, field(6, Buffer.concat([eight(2), eight(3)])), alone])
    const wire = new WireReader(message)
    const counts: number[] = []
    while (wire.next()) wire.fixed64s(counts)
    expect(counts).toEqual([1, 2, 3, 1])
  })
})

describe('A text', () => {
  test('is the same whether it was seen before or not', () => {
    const texts = ['key', 'yek', 'ключ', 'k\u0000y', 'key'.repeat(50), '', 'ÿ', 'é', 'e\u0301']
    for (const text of [...texts, ...texts, ...texts.reverse()]) {
      const wire = new WireReader(field(1, Buffer.from(text)))
      wire.next()
      expect(wire.text()).toBe(text)
    }
  })

  test('that is no UTF-8 has replacement characters and is never mistaken for another', () => {
    const read = (bytes: Buffer) => {
      const wire = new WireReader(field(1, bytes))
      wire.next()
      return wire.text()
    }
    // A letter of Latin-1 has the code of the byte in its place; of so many pairs some fall together in the table of known texts.
    for (let code = 128; code < 256; code++) {
      for (let length = 0; length < 60; length++) {
        const [start, end] = ['='.repeat(length % 7), '-'.repeat(length)]
        const letter = Buffer.from(start + String.fromCharCode(code) + end)
        expect(read(letter)).toBe(letter.toString())
        const byte = Buffer.concat([Buffer.from(start), Buffer.from([code]), Buffer.from(end)])
        expect(read(byte)).toBe(`${start}\ufffd${end}`)
      }
    }
  })
})
