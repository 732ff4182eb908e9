/**
 * Looks at an executable of a system that is not ours: is it what its target needs, is it whole, will macOS start it.
 */
import { signatureState } from './mach-o.ts'
import type { ExecutableFormat, Target } from './targets.ts'

export interface Executable {
  readonly format: ExecutableFormat
  readonly machine: string
  readonly loader?: string
  /** Of a Mach-O file: whether its signature is there and fits every page of it. */
  readonly signature?: 'valid' | 'missing' | 'broken'
}

const ELF_MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64' }
const PE_MACHINES: Readonly<Record<number, string>> = { 34404: 'x64', 43620: 'arm64' }
const MACH_MACHINES: Readonly<Record<number, string>> = { 16777223: 'x64', 16777228: 'arm64' }

const PT_INTERP = 3

/** Throws with the difference if the bytes are no executable that the target can start. */
export function checkExecutable(bytes: Buffer, target: Target): void {
  const { format, machine, loader, signature } = inspectExecutable(bytes)
  const problems = [
    format !== target.format && `it is ${format}, not ${target.format}`,
    machine !== target.machine && `it is for ${machine}, not ${target.machine}`,
    loader !== target.loader && `its loader is ${loader}, not ${target.loader}`,
    signature !== undefined && signature !== 'valid' && `its signature is ${signature}: macOS would kill it`,
  ].filter((problem) => problem !== false)
  if (problems.length > 0) throw new Error(`the executable for ${target.name}: ${problems.join('; ')}`)
}

/** Reads the headers of an ELF, Mach-O or PE file of 64 bits; throws if it is none. */
export function inspectExecutable(bytes: Buffer): Executable {
  const magic = bytes.readUInt32BE(0)
  if (magic === 0x7f454c46) return inspectElf(bytes)
  if (magic === 0xcffaedfe) return inspectMachO(bytes)
  if (magic >>> 16 === 0x4d5a) return inspectPe(bytes)
  throw new Error('not an executable')
}

function inspectElf(bytes: Buffer): Executable {
  const machine = ELF_MACHINES[bytes.readUInt16LE(18)] ?? 'unknown'
  const tableAt = Number(bytes.readBigUInt64LE(32))
  const entrySize = bytes.readUInt16LE(54)
  for (let index = 0; index < bytes.readUInt16LE(56); index++) {
    const at = tableAt + index * entrySize
    if (bytes.readUInt32LE(at) !== PT_INTERP) continue
    const offset = Number(bytes.readBigUInt64LE(at + 8))
    const size = Number(bytes.readBigUInt64LE(at + 32))
    return { format: 'ELF', machine, loader: bytes.toString('latin1', offset, offset + size - 1) }
  }
  return { format: 'ELF', machine }
}

function inspectPe(bytes: Buffer): Executable {
  const at = bytes.readUInt32LE(0x3c)
  if (bytes.toString('latin1', at, at + 4) !== 'PE\0\0') throw new Error('not an executable: MZ without PE')
  return { format: 'PE', machine: PE_MACHINES[bytes.readUInt16LE(at + 4)] ?? 'unknown' }
}

function inspectMachO(bytes: Buffer): Executable {
  return {
    format: 'Mach-O',
    machine: MACH_MACHINES[bytes.readUInt32LE(4)] ?? 'unknown',
    signature: signatureState(bytes),
  }
}
