/**
 * Which hub runs for this user: one line of JSON in the state folder, written by the hub that owns `hub/`. Read before claude
 * starts, so without `node:fs`.
 */
import type { HubAddress, HubPorts } from '../config/config.ts'

export interface HubPlace extends HubPorts {
  /** The address it listens at. */
  readonly host: string
  /** Of the dashboard. */
  readonly url: string
  readonly store: string
}

export interface HubPresence extends HubPlace {
  readonly pid: number
  /** Clock ticks since boot at which the process was born, 0 where births are not known. */
  readonly birth: number
  readonly version: string
  /** Nobody has started it by hand: a later version may take its place. */
  readonly isBackground: boolean
}

/** What the hub wrote, also one that was killed; undefined where none runs, or what is written is not ours. */
export async function readPresence(path: string): Promise<HubPresence | undefined> {
  try {
    const value: unknown = JSON.parse(await readText(path))
    return isPresence(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Mapped where the system can do that: to read a file in any other way costs the wrapper's start 0.5 to 3 ms. It is only ever replaced. */
async function readText(path: string): Promise<string> {
  const file = Bun.file(path)
  if (file.size === 0) return ''
  if (process.platform === 'win32') return file.text()
  return new TextDecoder().decode(Bun.mmap(path))
}

/** Cheap, and at most wrong where the number was given to another process since. */
export function seemsAlive({ pid }: Pick<HubPresence, 'pid'>): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/**
 * Whether Claude Code may send its own telemetry to the address: a hub of ours is there, or nobody yet. Somebody else's collector
 * gets what we have to say, and no more. Takes half a millisecond where no hub runs.
 */
export async function isForHub({ host, grpcPort, httpPort }: HubAddress, presence: string): Promise<boolean> {
  const hub = await readPresence(presence)
  if (hub?.httpPort === httpPort && seemsAlive(hub)) return true
  const taken = await Promise.all([listens(host, grpcPort), listens(host, httpPort)])
  return !taken.includes(true)
}

async function listens(hostname: string, port: number): Promise<boolean> {
  const socket = { data() {}, open: (opened: Bun.Socket) => void opened.end() }
  return Bun.connect({ hostname, port, socket }).then(
    () => true,
    () => false,
  )
}

function isPresence(value: unknown): value is HubPresence {
  if (typeof value !== 'object' || value === null) return false
  const { pid, birth, version, grpcPort, httpPort, host, url, store } = value as Partial<
    Record<keyof HubPresence, unknown>
  >
  const [numbers, texts] = [
    [pid, birth, grpcPort, httpPort],
    [version, host, url, store],
  ]
  return numbers.every((each) => Number.isSafeInteger(each)) && texts.every((each) => typeof each === 'string')
}
