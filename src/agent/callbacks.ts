/**
 * The Agent SDK's hooks: each callback writes what it was told into the run's spool, framed as hook/stamp.ts does, and lets
 * claude go on at once. From there on nothing differs from hooks that are processes; so a kill loses nothing that was told.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HookCallback, HookEvent, Options } from '@anthropic-ai/claude-agent-sdk/core'
import { ensurePrivateFolder } from '../base/private-folder.ts'
import { registeredEvents } from '../claude/hook-command.ts'
import { frameRecord } from '../hook/run-folder.ts'

/**
 * Writes into `<run>/spool`; `claudePid` is asked when claude runs. The callbacks never fail and never answer anything. For the
 * wrapper's events and no more: of a callback at a compaction claude would tell the model.
 */
export function createCallbacks(run: string, claudePid: () => number): NonNullable<Options['hooks']> {
  const spool = join(run, 'spool')
  let lastUnixMicro = 0
  const record: HookCallback = (input) => {
    const startMs = performance.now()
    // The name of its file is its time, so no two have the same.
    lastUnixMicro = Math.max(lastUnixMicro + 1, Math.floor((performance.timeOrigin + startMs) * 1000))
    try {
      const payload = JSON.stringify(input)
      const tookMicro = Math.floor((performance.now() - startMs) * 1000)
      const text = frameRecord(payload, lastUnixMicro, tookMicro, claudePid(), ',"cb":1')
      writeRecord(spool, `${lastUnixMicro}-${process.pid}`, text)
    } catch {
      // A full disk must not disturb claude; the transcript tells most of it, too.
    }
    return Promise.resolve({})
  }
  return Object.fromEntries(registeredEvents.map((event) => [event as HookEvent, [{ hooks: [record] }]]))
}

/** In the thread that reads the spool too, so that nobody sees half of it. */
function writeRecord(spool: string, name: string, text: string): void {
  const path = join(spool, name)
  try {
    writeFileSync(path, text, { mode: 0o600 })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
    // A run's folder is made a moment after claude was started.
    ensurePrivateFolder(spool)
    writeFileSync(path, text, { mode: 0o600 })
  }
}
