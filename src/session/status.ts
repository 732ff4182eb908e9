/** What is known of all runs together: those that live, those that wait, what the closed ones said, what was given up. Reads only. */
import { readdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { StatePaths } from '../base/paths.ts'
import type { Config } from '../config/config.ts'
import type { DestinationReport } from '../export/delivery.ts'
import { type Drop, readDrops } from './drops.ts'
import { addHealth, type Health, noHealth } from './health.ts'
import { type RunReport, readReports } from './reports.ts'
import { isOwned, listRuns } from './run.ts'

export interface DestinationStatus {
  readonly delivered: number
  /** Of runs whose folder is still there. */
  readonly queued: number
  readonly dropped: number
  readonly lastError?: string
  /** When something was last said of it, milliseconds since the epoch; absent where nothing was yet. */
  readonly at?: number
}

export interface StateStatus {
  /** Runs that a living process looks after. */
  readonly living: number
  /** Runs that nobody looks after: the next run or drain sends them. */
  readonly waiting: number
  /** Of the waiting ones, those that nobody has counted: their process was killed. */
  readonly uncounted: number
  /** Last change of the oldest waiting run, milliseconds since the epoch. */
  readonly oldestWaitingAt?: number
  /** Everything below the state folder. */
  readonly bytes: number
  /** What undelivered runs may take of the disk. */
  readonly storage: Config['storage']
  /** What was given up to keep to that, oldest first. */
  readonly givenUp: readonly Drop[]
  /** Over the runs that the reports go back to. */
  readonly reported: { readonly runs: number; readonly sinceAt?: number }
  /** Those of the configuration and those that runs have reported. */
  readonly destinations: Readonly<Record<string, DestinationStatus>>
  readonly health: Health
  /** When a session was last heard of, milliseconds since the epoch: one under the wrapper, one that is recorded by hooks alone. */
  readonly lastEvent: { readonly wrapped?: number; readonly hooked?: number }
}

export function readStatus(paths: StatePaths, { signals, storage }: Pick<Config, 'signals' | 'storage'>): StateStatus {
  const reports = readReports(paths.reports)
  const folders = listRuns(paths.runs)
  const waiting = folders.filter((folder) => !isOwned(folder))
  const counted = new Set(reports.map(({ run }) => run))
  const oldest = waiting[0] === undefined ? undefined : statSync(waiting[0].path, { throwIfNoEntry: false })?.mtimeMs
  const since = reports[0]?.at
  return {
    living: folders.length - waiting.length,
    waiting: waiting.length,
    uncounted: waiting.filter(({ path }) => !counted.has(basename(path))).length,
    ...(oldest === undefined ? {} : { oldestWaitingAt: oldest }),
    bytes: sizeOf(paths.root),
    storage,
    givenUp: readDrops(paths.dropped),
    reported: { runs: reports.length, ...(since === undefined ? {} : { sinceAt: since }) },
    destinations: {
      ...unused(signals),
      ...sumDestinations(reports, new Set(folders.map(({ path }) => basename(path)))),
    },
    lastEvent: lastEvents([
      ...reports.map(({ run, at }) => ({ run, at })),
      ...folders.map(({ path, spool, journal }) => ({ run: basename(path), at: lastChange([spool, journal]) })),
    ]),
    health: reports.reduce((sum, { health }) => addHealth(sum, health), noHealth),
  }
}

function lastEvents(seen: readonly { readonly run: string; readonly at: number }[]): StateStatus['lastEvent'] {
  const kinds = Map.groupBy(seen, ({ run }) => (/^claude-\d+$/.test(run) ? 'hooked' : 'wrapped'))
  return Object.fromEntries([...kinds].map(([kind, all]) => [kind, Math.max(...all.map(({ at }) => at))]))
}

/** Of those that are there: a run that nobody looks after has no journal yet. */
function lastChange(paths: readonly string[]): number {
  return Math.max(...paths.map((path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0))
}

function unused(signals: Config['signals']): Record<string, DestinationStatus> {
  const names = Object.values(signals).flatMap(({ destinations }) => destinations.map(({ name }) => name))
  return Object.fromEntries(names.map((name) => [name, { delivered: 0, queued: 0, dropped: 0 }]))
}

function sumDestinations(
  reports: readonly RunReport[],
  present: ReadonlySet<string>,
): Readonly<Record<string, DestinationStatus>> {
  const sums: Record<string, DestinationStatus> = {}
  for (const { at, run, destinations } of reports) {
    for (const [name, report] of Object.entries(destinations)) {
      const before = sums[name] ?? { delivered: 0, queued: 0, dropped: 0 }
      const now = totalsOf(report)
      // What ended well since says that the error before is over.
      const error = report.lastError === undefined ? {} : { lastError: report.lastError }
      sums[name] = {
        delivered: before.delivered + now.delivered,
        queued: before.queued + (present.has(run) ? now.queued : 0),
        dropped: before.dropped + now.dropped,
        at,
        ...error,
      }
    }
  }
  return sums
}

function totalsOf({ counts }: DestinationReport): { delivered: number; queued: number; dropped: number } {
  const sum = { delivered: 0, queued: 0, dropped: 0 }
  for (const { delivered, queued, dropped } of Object.values(counts)) {
    sum.delivered += delivered
    sum.queued += queued
    sum.dropped += dropped
  }
  return sum
}

/** Bytes of all files below a folder; what vanishes meanwhile counts as nothing. */
function sizeOf(folder: string): number {
  let bytes = 0
  for (const entry of list(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += sizeOf(path)
    else if (entry.isFile()) bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}

function list(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}
