/**
 * Which processes live. A number is given to another process when the first is gone, so what is written down for later names
 * the process's birth too. Births are known on Linux only; elsewhere a number that was given away looks alive as long as its new owner.
 */
import { readFileSync } from 'node:fs'
import { isRecord } from '../telemetry/summary.ts'

/** No process of that number is the one meant. */
const neverBorn = -1
/** `/proc` counts in hundredths of a second, on every Linux. */
const ticksPerSecond = 100
/** How far a birth, told by the clock's steps since boot, may seem to be off. */
const clockSlackMicros = 2_000_000

/**
 * Whether a process of that number lives and, where `birth` says so, is the one that was born then. One that has ended and that its
 * parent has not asked about is dead: in a container the first process may never ask.
 */
export function isProcessAlive(pid: number, birth = 0): boolean {
  if (!Number.isInteger(pid) || pid <= 0 || !exists(pid)) return false
  const { state, ticks } = statOf(pid)
  return state !== 'Z' && (birth === 0 || ticks === birth)
}

/**
 * What tells the process that had this number at `byUnixMicro` from any that has it later: clock ticks since boot.
 * 0 where births are not known.
 */
export function birthOf(pid: number, byUnixMicro = Number.POSITIVE_INFINITY): number {
  const { ticks } = statOf(pid)
  if (ticks === 0) return exists(pid) ? 0 : neverBorn
  return bornUnixMicro(ticks) > byUnixMicro + clockSlackMicros ? neverBorn : ticks
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return isRecord(error) && error.code === 'EPERM'
  }
}

/** Fields 3 and 22 of /proc/pid/stat; the name in field 2 may hold anything, also a bracket. */
function statOf(pid: number): { readonly state: string; readonly ticks: number } {
  const fields = readText(`/proc/${pid}/stat`).split(') ').at(-1)?.split(' ')
  return { state: fields?.[0] ?? '', ticks: Number(fields?.[19] ?? 0) }
}

/** Far in the past where the system's start is not known. */
function bornUnixMicro(ticks: number): number {
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readText('/proc/stat'))?.[1] ?? 0)
  return (bootSeconds + ticks / ticksPerSecond) * 1e6
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
