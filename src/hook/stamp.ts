/**
 * The whole hook: the bytes of stdin and the time become one file in the spool, then exit 0.
 * It parses nothing, prints nothing, and never fails towards claude, whatever happens.
 *
 * Record: a JSON header line `{"v":1,"t":µs,"pid":claude,"as":label,"tp":traceparent,"n":payload bytes}`,
 * the payload as it came, and a line feed. A record that is shorter than its header says is not complete yet.
 *
 * No `node:` import and no `Buffer`: each costs a hook 0.2 to 1 ms, and a hook runs before and after every tool call.
 */
import { runFolder, runVariable } from './run-folder.ts'

/** A hook whose stdin is never closed gives up after this; claude always closes it at once. */
const stdinGraceMs = 5000

export async function stampHook(label: string): Promise<void> {
  const timeUnixMicro = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  setTimeout(() => process.exit(0), stdinGraceMs)
  process.umask(0o077)
  const { env } = process
  const run = runFolder(env, process.ppid)
  if (run === undefined) return
  const payload = await Bun.file(0).bytes()
  const pid = Number(env.CLAUDE_PID) || process.ppid
  const header = { v: 1, t: timeUnixMicro, pid, as: label, tp: env.TRACEPARENT, n: payload.length }
  // A wrapped run that is over has no folder any more, and must not get a new one from a late hook.
  const createPath = env[runVariable] === undefined
  await Bun.write(`${run}/spool/${timeUnixMicro}-${process.pid}`, frame(header, payload), { createPath })
  if (!(await hasLivingOwner(run))) startPump(run)
}

function frame(header: object, payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${JSON.stringify(header)}\n`)
  const record = new Uint8Array(head.length + payload.length + 1)
  record.set(head)
  record.set(payload, head.length)
  record[record.length - 1] = 0x0a
  return record
}

/** Whoever empties the spool writes its process id into `owner`; nobody does for a claude that was not wrapped. */
async function hasLivingOwner(run: string): Promise<boolean> {
  try {
    return process.kill(Number.parseInt(await Bun.file(`${run}/owner`).text(), 10), 0)
  } catch {
    return false
  }
}

function startPump(run: string): void {
  const { BUN_BE_BUN: _, BUN_OPTIONS: __, ...env } = process.env
  Bun.spawn([process.execPath, 'pump', run], {
    env,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'ignore'],
    detached: true,
  }).unref()
}
