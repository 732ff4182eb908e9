/**
 * The spool: a folder used as a queue. One file is one hook call, and its name sorts by time. Written by hook/stamp.ts;
 * read and removed here. A file that is not complete yet is left for later.
 */
import { readdirSync, readFileSync, statSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { isRecord } from '../telemetry/summary.ts'

export interface SpoolRecord {
  /** File name. */
  readonly from: string
  /** When the hook started, microseconds since the epoch. */
  readonly at: number
  /** From the start of the hook's process until it handed its record over. */
  readonly tookMicro?: number
  /** Process id of the claude that ran the hook. */
  readonly pid: number
  readonly traceparent?: string
  /** Told by a callback of this run's own process, not by a process that claude started. */
  readonly isCallback?: true
  readonly payload: string
}

/** A file that will never be complete: its hook was killed while it wrote, or it is not ours. */
export interface BrokenRecord {
  readonly from: string
  readonly at: number
  readonly reason: string
  readonly bytes: number
}

export interface SpoolContent {
  readonly records: readonly SpoolRecord[]
  readonly broken: readonly BrokenRecord[]
  /** How many files were left for later: too young, or not complete. */
  readonly waiting: number
  /** Where the piece was full before all was read: when the last one of it was stamped. */
  readonly fullAt?: number
}

/** A hook writes its file in a millisecond; one that is incomplete for this long stays so. */
const incompleteMs = 10_000
const lineFeed = 0x0a
/** What is taken at once: memory holds no more of it, and nothing else waits for long. */
const pieceFiles = 250
const pieceBytes = 1 << 20

/** What was stamped up to `untilUnixMicro`, oldest first, at most a piece of it. With `isFinal` no writer is left: incomplete means broken. */
export function readSpool(folder: string, untilUnixMicro: number, isFinal: boolean): SpoolContent {
  return new Spool(folder).read(untilUnixMicro, isFinal)
}

/** A spool that is read piece by piece. Many files are listed once for many pieces; what is gone of them by then is passed over. */
export class Spool {
  private backlog: readonly string[] = []

  constructor(private readonly folder: string) {}

  /** See readSpool. What was read and is still there comes again. */
  read(untilUnixMicro: number, isFinal: boolean): SpoolContent {
    const names = this.backlog.length > 0 ? this.backlog : listFiles(this.folder)
    this.backlog = []
    const records: SpoolRecord[] = []
    const broken: BrokenRecord[] = []
    let [bytes, waiting] = [0, 0]
    for (const [index, name] of names.entries()) {
      const at = Number.parseInt(name, 10)
      if (at > untilUnixMicro) return { records, broken, waiting: waiting + names.length - index }
      const path = join(this.folder, name)
      const data = readData(path)
      if (data === undefined) continue
      const record = parseRecord(data, name)
      if (typeof record !== 'string') records.push(record)
      else if (isFinal || Date.now() - statSync(path).mtimeMs > incompleteMs) {
        broken.push({ from: name, at: Number.isNaN(at) ? Date.now() * 1000 : at, reason: record, bytes: data.length })
      } else waiting++
      if (typeof record !== 'string') bytes += data.length
      const isFull = records.length === pieceFiles || bytes >= pieceBytes
      if (!isFull || index === names.length - 1) continue
      this.backlog = names.slice(Math.max(0, names.indexOf(records[0]?.from ?? name)))
      return { records, broken, waiting, fullAt: at }
    }
    return { records, broken, waiting }
  }
}

export function removeFromSpool(folder: string, names: readonly string[]): void {
  for (const name of names) {
    try {
      unlinkSync(join(folder, name))
    } catch {
      // It is gone already.
    }
  }
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

/** Undefined for what is no file: somebody's folder. */
function readData(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (isRecord(error) && (error.code === 'EISDIR' || error.code === 'ENOENT')) return undefined
    throw error
  }
}

/** The record, or why the file holds none. */
function parseRecord(data: Buffer, from: string): SpoolRecord | string {
  const headEnd = data.indexOf(lineFeed)
  if (headEnd === -1) return 'a hook record without a header'
  const header = parseHeader(data.toString('utf8', 0, headEnd))
  if (header === undefined) return 'a hook record with a header that is not ours'
  const payload = data.toString('utf8', headEnd + 1, data.length - 1)
  const { t, d, pid, n, tp, cb } = header
  if (data[data.length - 1] !== lineFeed || payload.length !== n) {
    return `a hook record of ${payload.length} characters where ${n} were announced`
  }
  return {
    from,
    at: t,
    pid,
    ...(d === undefined ? {} : { tookMicro: d }),
    ...(tp === undefined ? {} : { traceparent: tp }),
    ...(cb === undefined ? {} : { isCallback: true }),
    payload,
  }
}

interface Header {
  readonly t: number
  readonly d?: number
  readonly pid: number
  readonly n: number
  readonly tp?: string
  readonly cb?: 1
}

function parseHeader(text: string): Header | undefined {
  try {
    const value: unknown = JSON.parse(text)
    if (!isRecord(value) || value.v !== 1) return undefined
    const { t, d, pid, n, tp, cb } = value
    if (typeof t !== 'number' || typeof pid !== 'number' || typeof n !== 'number') return undefined
    const took = typeof d === 'number' ? { d } : {}
    return { t, pid, n, ...took, ...(typeof tp === 'string' ? { tp } : {}), ...(cb === 1 ? { cb } : {}) }
  } catch {
    return undefined
  }
}
