/**
 * Runs that somebody left behind: killed, or gone while the collector was away. Each is taken over, what is open in it is
 * closed at its last known time, and everything is delivered.
 */

import type { StatePaths } from '../base/paths.ts'
import type { Config } from '../config/config.ts'
import type { DeliveryReport } from '../export/delivery.ts'
import { wrapperOf } from '../hook/run-folder.ts'
import { createRunEntry } from './begin.ts'
import type { RunEntry } from './entries.ts'
import { startPump } from './pump.ts'
import {
  claimRun,
  isOwned,
  isProcessAlive,
  listRuns,
  type RunContext,
  type RunFolder,
  readRunContext,
  releaseRun,
  removeRunFolder,
} from './run.ts'

export interface RecoverOptions {
  readonly paths: Pick<StatePaths, 'runs' | 'sessions' | 'reports'>
  /** Where a run's signals go: its own destination, unless the user names one now. */
  configFor(context: RunContext | undefined): Promise<Config>
  readonly deadline: AbortSignal
  /** After the first run that could not be delivered the others would fail in the same way. */
  readonly stopAtFailure: boolean
}

export interface RecoveredRun {
  readonly folder: RunFolder
  readonly report: DeliveryReport
}

export async function recoverRuns(options: RecoverOptions): Promise<RecoveredRun[]> {
  const recovered: RecoveredRun[] = []
  for (const folder of listRuns(options.paths.runs)) {
    if (options.deadline.aborted) break
    const report = await recoverRun(folder, options)
    if (report === undefined) continue
    recovered.push({ folder, report })
    if (!report.settled && options.stopAtFailure) break
  }
  return recovered
}

async function recoverRun(folder: RunFolder, options: RecoverOptions): Promise<DeliveryReport | undefined> {
  const context = readRunContext(folder)
  if (context === undefined && wrapperOf(folder.path) > 0) {
    // A hook that came after the end of its run has made the folder anew; the run itself is delivered.
    if (!isProcessAlive(wrapperOf(folder.path))) removeRunFolder(folder)
    return undefined
  }
  const wrapped = context?.entry.wrapped?.pid
  if (isOwned(folder) || (wrapped !== undefined && isProcessAlive(wrapped)) || !claimRun(folder)) return undefined
  try {
    const config = await options.configFor(context)
    const pump = startPump({ folder, paths: options.paths, config, entry: context?.entry ?? unknownRun(config) })
    const dead = (): number[] => pump.openProcesses().filter((pid) => !isProcessAlive(pid))
    return await pump.close(() => dead().map((pid) => ({ pid })), options.deadline)
  } catch {
    // A journal that is not ours to read: left as it is, for whoever can.
    releaseRun(folder)
    return undefined
  }
}

/** A run that nobody wrapped has told nothing about itself before its first record. */
function unknownRun(config: Config): RunEntry {
  return createRunEntry(config, crypto.randomUUID(), Date.now() * 1000)
}
