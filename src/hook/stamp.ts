/**
 * The whole hook: what comes on stdin and the time become one file in the spool, then exit 0.
 * It parses nothing, prints nothing, and never fails towards claude, whatever happens.
 *
 * No `node:` import and no `Buffer`: each costs a hook 0.2 to 1 ms, and a hook runs before and after every tool call. For the
 * same reason the payload stays a string, stdin is read as a stream (`Bun.file(0).text()` starts a thread for it: 0.7 ms), and
 * whether somebody empties the spool is asked of the run's name first.
 */
import { frameRecord, runFolder, runVariable, wrapperOf } from './run-folder.ts'

/** A hook whose stdin is never closed gives up after this, a second before claude would end it. An overloaded machine may take its time. */
const stdinGraceMs = 9000

/** The event's name on the command line is a label: which event it is stands in the payload. */
export async function stampHook(): Promise<void> {
  const timeUnixMicro = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  globalThis.faultPoint?.('hook.begin')
  setTimeout(() => process.exit(0), stdinGraceMs)
  process.umask(0o077)
  const { env } = process
  const run = runFolder(env, process.ppid)
  if (run === undefined) return
  const payload = await Bun.file(0).stream().text()
  globalThis.faultPoint?.('hook.read')
  const pid = Number(env.CLAUDE_PID) || process.ppid
  const parent = env.TRACEPARENT === undefined ? '' : `,"tp":${JSON.stringify(env.TRACEPARENT)}`
  const record = frameRecord(payload, timeUnixMicro, Math.floor(performance.now() * 1000), pid, parent)
  const isAttended = isAlive(wrapperOf(run))
  // A wrapped run that is over has no folder any more, and must not get a new one from a late hook. One whose wrapper was killed
  // before it made the folder gets it from the hooks that claude waits for.
  const createPath = isAttended || env[runVariable] === undefined || isBeginning(process.argv[3])
  await Bun.write(`${run}/spool/${timeUnixMicro}-${process.pid}`, record, { createPath })
  globalThis.faultPoint?.('hook.written')
  if (!isAttended && !(await works(await readOwner(run)))) startPump(run)
}

function isBeginning(label: string | undefined): boolean {
  return label === 'SessionStart' || label === 'UserPromptSubmit'
}

/** Whoever empties the spool writes its process id into `owner`; nobody does for a claude that was not wrapped. */
async function readOwner(run: string): Promise<number> {
  return Number.parseInt(
    await Bun.file(`${run}/owner`)
      .text()
      .catch(() => ''),
    10,
  )
}

/** One that was killed may be kept as a zombie by a first process that does not ask about it, as in many containers. */
async function works(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return false
  const stat = Bun.file(`/proc/${pid}/stat`)
  return !(await stat.text().catch(() => '')).includes(') Z ')
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0)
  } catch {
    return false
  }
}

function startPump(run: string): void {
  globalThis.faultPoint?.('hook.pump')
  const { BUN_BE_BUN: _, BUN_OPTIONS: __, ...env } = process.env
  const command = [process.execPath, 'pump', run]
  Bun.spawn(command, { env, cwd: '/', stdio: ['ignore', 'ignore', 'ignore'], detached: true }).unref()
}
