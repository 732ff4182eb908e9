/**
 * Runs that somebody left behind: killed, or gone while the collector was away. Each is taken over, what is open in it is
 * closed at its last known time, and everything is delivered.
 */

import type { StatePaths } from '../base/paths.ts'
import type { Config } from '../config/config.ts'
import type { DeliveryReport } from '../export/delivery.ts'
import { startOf, wrapperOf } from '../hook/run-folder.ts'
import { createRunEntry } from './begin.ts'
import type { RunEntry } from './entries.ts'
import { birthOf, isProcessAlive } from './processes.ts'
import { startPump } from './pump.ts'
import { claimRun, isOwned, listRuns, type RunContext, type RunFolder, readRunContext, releaseRun } from './run.ts'

export interface RecoverOptions {
  readonly paths: Pick<StatePaths, 'runs' | 'sessions' | 'reports' | 'dropped'>
  /** Where a run's signals go: its own destination, unless the user names one now. */
  configFor(context: RunContext | undefined): Promise<Config>
  readonly deadline: AbortSignal
  /** Whether a run is tried all of whose destinations have failed for another one just before. */
  readonly triesAll: boolean
}

export interface RecoveredRun {
  readonly folder: RunFolder
  readonly report: DeliveryReport
}

export async function recoverRuns(options: RecoverOptions): Promise<RecoveredRun[]> {
  const recovered: RecoveredRun[] = []
  const failed = new Set<string>()
  for (const folder of listRuns(options.paths.runs)) {
    if (options.deadline.aborted) break
    const report = await recoverRun(folder, options, options.triesAll ? new Set() : failed)
    if (report === undefined) continue
    recovered.push({ folder, report })
    for (const [name, { counts }] of Object.entries(report.destinations)) {
      if (Object.values(counts).some(({ queued }) => queued > 0)) failed.add(name)
    }
  }
  return recovered
}

async function recoverRun(
  folder: RunFolder,
  options: RecoverOptions,
  failed: ReadonlySet<string>,
): Promise<DeliveryReport | undefined> {
  const context = readRunContext(folder)
  if (isAttended(folder, context)) return undefined
  const config = await options.configFor(context)
  if (isHopeless(config, failed) || !claimRun(folder)) return undefined
  try {
    const pump = startPump({ folder, paths: options.paths, config, entry: context?.entry ?? unknownRun(config) })
    return await pump.close(() => pump.goneProcesses().map((pid) => ({ pid })), options.deadline)
  } catch {
    // A journal that is not ours to read: left as it is, for whoever can.
    releaseRun(folder)
    return undefined
  }
}

function isHopeless({ signals }: Config, failed: ReadonlySet<string>): boolean {
  const names = Object.values(signals).flatMap(({ destinations }) => destinations.map(({ name }) => name))
  return names.length > 0 && names.every((name) => failed.has(name))
}

/** Its wrapper or pump lives, or will soon have written down that it does, or its claude does and starts a pump with the next hook. */
export function isAttended(folder: RunFolder, context: RunContext | undefined): boolean {
  if (isOwned(folder)) return true
  const wrapped = context?.entry.wrapped
  if (wrapped !== undefined) return isProcessAlive(wrapped.pid, wrapped.birth)
  const wrapper = wrapperOf(folder.path)
  return context === undefined && isProcessAlive(wrapper, birthOf(wrapper, startOf(folder.path)))
}

/** A run that nobody wrapped has told nothing about itself before its first record. */
function unknownRun(config: Config): RunEntry {
  return createRunEntry(config, crypto.randomUUID(), Date.now() * 1000)
}
