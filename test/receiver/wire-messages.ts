/**
 * Requests as only the wire format can tell them, for fast-check: fields in any order, said again, packed or not, numbers longer than
 * they need be, and fields of no schema between them. Made from the schema alone, without our reader.
 */
import fc from 'fast-check'
import { Enum, type Field, Type } from 'protobufjs'
import { field, varint } from './messages.ts'

/**
 * All that the format allows, or what protobufjs reads as well. That is no fields that come twice (the last counts, messages are
 * merged, of a oneof the last stays), no numbers of six to nine bytes where it wants 32 bits, and of a bool only so many.
 */
export type Liberties = 'all' | 'some'

type Wire = fc.Arbitrary<Buffer>

const deepest = 8
const unknownFields = [19, 100, 2047, 536_870_911]
const known64 = { min: 0n, max: 9_007_199_254_740_991n }
// Times are cut to microseconds, which a number must hold.
const nanos = { min: 0n, max: 9_007_199_254_740_991_999n }

/** A message of the type, in all its liberties. */
export function wireMessage(type: Type, liberties: Liberties, depth = 0): Wire {
  const fields = type.fieldsArray.filter(({ resolvedType }) => depth < deepest || !(resolvedType instanceof Type))
  const oneofs = new Set(fields.map(({ partOf }) => partOf).filter((each) => each !== null))
  const parts = fields.map((each) => occurrences(each, liberties, depth))
  const once = parts.filter((_, index) => liberties === 'all' || fields[index]?.partOf === null)
  // Of a oneof one member, where nothing is said again.
  const members =
    liberties === 'all'
      ? []
      : [...oneofs].map((oneof) => fc.oneof(...parts.filter((_, index) => fields[index]?.partOf === oneof)))
  return fc
    .tuple(...once, ...members, fc.array(unknownField(), { maxLength: 1 }))
    .map((lists) => lists.flat())
    .chain((list) => fc.shuffledSubarray(list, { minLength: list.length }))
    .map((list) => Buffer.concat(list))
}

/** All that is said of one field, each with its tag. */
function occurrences(of: Field, liberties: Liberties, depth: number): fc.Arbitrary<Buffer[]> {
  if (of.repeated) return repeated(of, liberties, depth)
  return fc.array(single(of, liberties, depth), { maxLength: liberties === 'all' ? 2 : 1 })
}

function repeated(of: Field, liberties: Liberties, depth: number): fc.Arbitrary<Buffer[]> {
  const one = single(of, liberties, depth)
  if (of.resolvedType instanceof Type || of.type === 'string') return fc.array(one, { maxLength: 2 })
  const packed = fc.array(number(of, liberties), { maxLength: 3 }).map((list) => field(of.id, Buffer.concat(list)))
  return fc.array(fc.oneof(one, packed), { maxLength: 3 })
}

function single(of: Field, liberties: Liberties, depth: number): Wire {
  const { id, resolvedType, type, name } = of
  if (resolvedType instanceof Type) {
    return wireMessage(resolvedType, liberties, depth + 1).map((bytes) => field(id, bytes))
  }
  if (type === 'string') return fc.string({ unit: 'binary', maxLength: 8 }).map((text) => field(id, Buffer.from(text)))
  if (type === 'bytes') return bytes(name, liberties).map((content) => field(id, content))
  return number(of, liberties).map((value) => Buffer.concat([tag(id, wireTypeOf(of)), value]))
}

/** Ids have their length, or are empty or all zeros; where each is said once only, a few are wrong. */
function bytes(name: string, liberties: Liberties): Wire {
  const right = name === 'traceId' ? 16 : /[sS]panId$/.test(name) ? 8 : undefined
  const any = fc.uint8Array({ maxLength: 20 })
  if (right === undefined) return any.map((content) => Buffer.from(content))
  const id = fc.uint8Array({ minLength: right, maxLength: right })
  const none = fc.constantFrom(new Uint8Array(0), new Uint8Array(right))
  const wrong = { arbitrary: any, weight: liberties === 'all' ? 0 : 1 }
  return fc
    .oneof({ arbitrary: id, weight: 200 }, { arbitrary: none, weight: 10 }, wrong)
    .map((content) => Buffer.from(content))
}

function wireTypeOf({ type, resolvedType }: Field): number {
  if (resolvedType instanceof Enum) return 0
  if (/^(double|s?fixed64)$/.test(type)) return 1
  return /^(float|s?fixed32)$/.test(type) ? 5 : 0
}

function number({ type, name }: Field, liberties: Liberties): Wire {
  switch (type) {
    case 'double':
      return fc.double().map((value) => littleEndian(8, (view) => view.setFloat64(0, value + 0, true)))
    case 'fixed64':
      return fc
        .bigInt(/UnixNano$/.test(name) ? nanos : known64)
        .map((value) => littleEndian(8, (view) => view.setBigUint64(0, value, true)))
    case 'sfixed64':
      return fc
        .bigInt({ min: -known64.max, max: known64.max })
        .map((value) => littleEndian(8, (view) => view.setBigInt64(0, value, true)))
    case 'fixed32':
      return fc.nat(0xffff_ffff).map((value) => littleEndian(4, (view) => view.setUint32(0, value, true)))
    case 'bool':
      return varints(fc.constantFrom(0n, 1n, 2n, ...(liberties === 'all' ? [2n ** 63n] : [])), liberties)
    case 'int64':
      return varints(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), liberties)
    case 'uint64':
      return varints(fc.bigInt(known64), liberties)
    case 'int32':
      return varints(
        fc.oneof(fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }), fc.bigInt({ min: 0n, max: 3n })),
        liberties,
      )
    case 'uint32':
      return varints(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), liberties)
    case 'sint32':
      return varints(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), liberties)
    default:
      throw new Error(`no number: ${type}`)
  }
}

/** Of ten bytes where negative; else as short as can be, or longer. */
function varints(of: fc.Arbitrary<bigint>, liberties: Liberties): Wire {
  const more = liberties === 'all' ? fc.constantFrom(0, 0, 0, 1, 3) : fc.constant(0)
  return fc.tuple(of, more).map(([value, count]) => longVarint(BigInt.asUintN(64, value), count))
}

/** With so many bytes more than it needs, as far as ten. */
export function longVarint(value: bigint, more: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  for (let count = Math.min(more, 10 - bytes.length); count > 0; count--) {
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) | 128
    bytes.push(0)
  }
  return Buffer.from(bytes)
}

/** A field of no schema, of each wire type; groups with fields and groups in them. */
function unknownField(): Wire {
  const { any } = fc.letrec<{ any: Buffer; group: Buffer }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      withNumber((id) =>
        varints(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), 'all').map((value) => [tag(id, 0), value]),
      ),
      withNumber((id) => fc.uint8Array({ minLength: 8, maxLength: 8 }).map((value) => [tag(id, 1), value])),
      withNumber((id) => fc.uint8Array({ maxLength: 9 }).map((value) => [field(id, Buffer.from(value))])),
      withNumber((id) => fc.uint8Array({ minLength: 4, maxLength: 4 }).map((value) => [tag(id, 5), value])),
      tie('group'),
    ),
    group: withNumber((id) =>
      fc.array(tie('any'), { maxLength: 2 }).map((inner) => [tag(id, 3), ...inner, tag(id, 4)]),
    ),
  }))
  return any
}

function withNumber(make: (id: number) => fc.Arbitrary<Uint8Array[]>): Wire {
  return fc
    .constantFrom(...unknownFields)
    .chain(make)
    .map((parts) => Buffer.concat(parts))
}

export function tag(id: number, wireType: number): Buffer {
  return varint(id * 8 + wireType)
}

function littleEndian(length: number, write: (view: DataView) => void): Buffer {
  const bytes = Buffer.alloc(length)
  write(new DataView(bytes.buffer, bytes.byteOffset, length))
  return bytes
}
