/**
 * Archives whose bytes follow from their contents alone: entries in the order given, one time for all,
 * no user, no group, no name of the machine.
 */

import { promisify } from 'node:util'
import { crc32, deflateRaw, gzip } from 'node:zlib'

export interface Entry {
  /** With `/` between folders; at most 100 bytes. */
  readonly name: string
  readonly bytes: Buffer
  readonly isExecutable: boolean
}

const BLOCK = 512
const LEVEL = 9
/** Where gzip names the system it ran on: 255 says that it is unknown. */
const GZIP_SYSTEM_AT = 9
const ZIP_UTF8 = 0x800
const ZIP_DEFLATE = 8
const ZIP_UNIX = 3 << 8

/** A gzipped tar archive; `time` is seconds since 1970. */
export async function tarGz(entries: readonly Entry[], time: number): Promise<Buffer> {
  const blocks = entries.flatMap((entry) => {
    const padding = Buffer.alloc((BLOCK - (entry.bytes.length % BLOCK)) % BLOCK)
    return [tarHeader(entry, time), entry.bytes, padding]
  })
  const packed = await promisify(gzip)(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: LEVEL })
  packed[GZIP_SYSTEM_AT] = 255
  return packed
}

function tarHeader({ name, bytes, isExecutable }: Entry, time: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new Error(`too long a name for a tar archive: ${name}`)
  const header = Buffer.alloc(BLOCK)
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  header.write(name, 0)
  header.write(octal(isExecutable ? 0o755 : 0o644, 7), 100)
  header.write(octal(0, 7), 108)
  header.write(octal(0, 7), 116)
  header.write(octal(bytes.length, 11), 124)
  header.write(octal(time, 11), 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${octal(sum, 6)} `, 148)
  return header
}

/** A zip archive; `time` is seconds since 1970, which zip rounds to two and tells without a zone. */
export async function zip(entries: readonly Entry[], time: number): Promise<Buffer> {
  const bodies: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const packed = await promisify(deflateRaw)(entry.bytes, { level: LEVEL })
    const name = Buffer.from(entry.name)
    const common = zipFields(entry, packed.length, name.length, time)
    const local = Buffer.concat([words(0x04034b50), common, name, packed])
    const mode = (0o100000 | (entry.isExecutable ? 0o755 : 0o644)) * 0x10000
    directory.push(words(0x02014b50), shorts(ZIP_UNIX | 20), common, shorts(0, 0, 0), words(mode, offset), name)
    bodies.push(local)
    offset += local.length
  }
  const index = Buffer.concat(directory)
  const count = entries.length
  const end = [words(0x06054b50), shorts(0, 0, count, count), words(index.length, offset), shorts(0)]
  return Buffer.concat([...bodies, index, ...end])
}

/** What a local header and the directory both say. */
function zipFields({ bytes }: Entry, packedBytes: number, nameBytes: number, time: number): Buffer {
  const date = new Date(time * 1000)
  const dosTime = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1)
  const dosDate = ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate()
  return Buffer.concat([
    shorts(20, ZIP_UTF8, ZIP_DEFLATE, dosTime, dosDate),
    words(crc32(bytes), packedBytes, bytes.length),
    shorts(nameBytes, 0),
  ])
}

function shorts(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 2)
  for (const [index, value] of values.entries()) buffer.writeUInt16LE(value, index * 2)
  return buffer
}

function words(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4)
  for (const [index, value] of values.entries()) buffer.writeUInt32LE(value, index * 4)
  return buffer
}
