/**
 * Signs a Mach-O executable ad hoc, in the form that Apple's linker does: digests of its pages, no certificate.
 * Bun does so for arm64; what it compiles for x64 keeps the signature of Bun's own executable, which no longer fits.
 */
import { createHash } from 'node:crypto'
import { loadCommands, SIGNATURE_MAGICS } from './mach-o.ts'

const IDENTIFIER = Buffer.from('claude-otel\0')
const ADHOC_LINKER_SIGNED = 0x20002
const VERSION_WITH_EXEC_SEGMENT = 0x20400
const MAIN_BINARY = 1n
const HASH_SHA256 = 2
const HASH_BYTES = 32
const PAGE_BITS = 12
const DIRECTORY_BYTES = 88
const BLOB_BYTES = 20
const SEGMENT_ALIGNMENT = 0x4000n

/** The same executable with a signature of ours in the place of the one it has; throws if it has room for none. */
export function signAdHoc(executable: Buffer): Buffer {
  const commands = loadCommands(executable)
  const { signature, text, linkEdit } = commands
  if (!signature || !text || !linkEdit) throw new Error('a Mach-O file without a place for a signature')
  const offset = executable.readUInt32LE(signature + 8)
  const blob = Buffer.alloc(signatureBytes(offset))

  const code = Buffer.from(executable.subarray(0, offset))
  const linkEditAt = code.readBigUInt64LE(linkEdit + 40)
  const linkEditBytes = BigInt(offset + blob.length) - linkEditAt
  code.writeUInt32LE(blob.length, signature + 12)
  code.writeBigUInt64LE(linkEditBytes, linkEdit + 48)
  code.writeBigUInt64LE(roundUp(linkEditBytes), linkEdit + 32)

  const directory = blob.subarray(BLOB_BYTES)
  writeSuperBlob(blob)
  writeDirectory(directory, code, code.readBigUInt64LE(text + 40), code.readBigUInt64LE(text + 48))
  writePageHashes(directory.subarray(DIRECTORY_BYTES + IDENTIFIER.length), code)
  return Buffer.concat([code, blob])
}

function pagesOf(bytes: number): number {
  return Math.ceil(bytes / 2 ** PAGE_BITS)
}

function signatureBytes(codeBytes: number): number {
  return BLOB_BYTES + DIRECTORY_BYTES + IDENTIFIER.length + pagesOf(codeBytes) * HASH_BYTES
}

function roundUp(bytes: bigint): bigint {
  return ((bytes + SEGMENT_ALIGNMENT - 1n) / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT
}

/** One blob: the code directory (slot 0), right behind this header. */
function writeSuperBlob(blob: Buffer): void {
  for (const [index, word] of [SIGNATURE_MAGICS.superBlob, blob.length, 1, 0, BLOB_BYTES].entries())
    blob.writeUInt32BE(word, index * 4)
}

function writeDirectory(directory: Buffer, code: Buffer, textAt: bigint, textBytes: bigint): void {
  const hashesAt = DIRECTORY_BYTES + IDENTIFIER.length
  const words = [
    SIGNATURE_MAGICS.codeDirectory,
    directory.length,
    VERSION_WITH_EXEC_SEGMENT,
    ADHOC_LINKER_SIGNED,
    hashesAt,
    DIRECTORY_BYTES,
    0,
    pagesOf(code.length),
    code.length,
  ]
  for (const [index, word] of words.entries()) directory.writeUInt32BE(word, index * 4)
  directory.set([HASH_BYTES, HASH_SHA256, 0, PAGE_BITS], 36)
  for (const [index, word] of [textAt, textBytes, MAIN_BINARY].entries())
    directory.writeBigUInt64BE(word, 64 + index * 8)
  directory.set(IDENTIFIER, DIRECTORY_BYTES)
}

function writePageHashes(hashes: Buffer, code: Buffer): void {
  for (let page = 0; page < pagesOf(code.length); page++) {
    const bytes = code.subarray(page * 2 ** PAGE_BITS, (page + 1) * 2 ** PAGE_BITS)
    hashes.set(createHash('sha256').update(bytes).digest(), page * HASH_BYTES)
  }
}
