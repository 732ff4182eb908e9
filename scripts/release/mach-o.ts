/** Reads a Mach-O executable of 64 bits: where its load commands are, and whether its signature fits. */
import { createHash } from 'node:crypto'

const LC_SEGMENT_64 = 0x19
const LC_CODE_SIGNATURE = 0x1d
const HEADER_BYTES = 32
const HASH_SHA256 = 2

export const SIGNATURE_MAGICS = { superBlob: 0xfade0cc0, codeDirectory: 0xfade0c02 } as const

/** Where the load commands are that a signature has to do with, in bytes from the beginning of the file. */
export interface LoadCommands {
  readonly signature?: number
  readonly text?: number
  readonly linkEdit?: number
}

export function loadCommands(bytes: Buffer): LoadCommands {
  const found: { signature?: number; text?: number; linkEdit?: number } = {}
  let at = HEADER_BYTES
  for (let count = bytes.readUInt32LE(16); count > 0; count--) {
    const command = bytes.readUInt32LE(at)
    if (command === LC_CODE_SIGNATURE) found.signature = at
    const segment = command === LC_SEGMENT_64 ? bytes.toString('latin1', at + 8, at + 24).replace(/\0+$/, '') : ''
    if (segment === '__TEXT') found.text = at
    if (segment === '__LINKEDIT') found.linkEdit = at
    at += bytes.readUInt32LE(at + 4)
  }
  return found
}

/** Whether there is a signature, and it has the digest of every page before it and ends with the file. */
export function signatureState(bytes: Buffer): 'valid' | 'missing' | 'broken' {
  const { signature } = loadCommands(bytes)
  if (signature === undefined) return 'missing'
  const offset = bytes.readUInt32LE(signature + 8)
  if (offset + bytes.readUInt32LE(signature + 12) !== bytes.length) return 'broken'
  const blobs = bytes.subarray(offset)
  if (blobs.readUInt32BE(0) !== SIGNATURE_MAGICS.superBlob) return 'broken'
  for (let index = 0; index < blobs.readUInt32BE(8); index++) {
    const directory = blobs.subarray(blobs.readUInt32BE(16 + index * 8))
    if (directory.readUInt32BE(0) === SIGNATURE_MAGICS.codeDirectory)
      return fitsDirectory(bytes.subarray(0, offset), directory) ? 'valid' : 'broken'
  }
  return 'broken'
}

function fitsDirectory(code: Buffer, directory: Buffer): boolean {
  const hashesAt = directory.readUInt32BE(16)
  const pages = directory.readUInt32BE(28)
  const hashBytes = directory.readUInt8(36)
  const pageBytes = 2 ** directory.readUInt8(39)
  if (directory.readUInt8(37) !== HASH_SHA256 || directory.readUInt32BE(32) !== code.length) return false
  if (pages !== Math.ceil(code.length / pageBytes)) return false
  for (let page = 0; page < pages; page++) {
    const actual = createHash('sha256')
      .update(code.subarray(page * pageBytes, (page + 1) * pageBytes))
      .digest()
    const expectedAt = hashesAt + page * hashBytes
    if (!actual.equals(directory.subarray(expectedAt, expectedAt + hashBytes))) return false
  }
  return true
}
