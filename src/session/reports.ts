/**
 * What is known of runs after their folders are gone: one line per closing of a run, in one file of all processes. A run that
 * was closed with something left, and delivered later, has two; its last one counts.
 */
import { readFileSync } from 'node:fs'
import { appendRotating, rotatedPaths } from '../base/rotating-file.ts'
import type { DeliveryReport } from '../export/delivery.ts'
import { isRecord } from '../telemetry/summary.ts'
import { type Health, noHealth } from './health.ts'

export interface RunReport {
  readonly v: 1
  /** Milliseconds since the epoch. */
  readonly at: number
  /** Name of the run's folder. */
  readonly run: string
  readonly settled: boolean
  readonly destinations: DeliveryReport['destinations']
  readonly health: Health
}

const maxBytes = 2_000_000

/** In one write, so that lines of several processes stay whole; what cannot be written is lost. */
export function appendReport(path: string, report: RunReport): void {
  try {
    appendRotating(path, `${JSON.stringify(report)}\n`, maxBytes)
  } catch {
    // A full disk is told by what did not get delivered.
  }
}

/** The last report of each run, oldest first; lines that are not ours are passed over. */
export function readReports(path: string): RunReport[] {
  const lines = rotatedPaths(path).flatMap((file) => readText(file).split('\n'))
  const byRun = new Map<string, RunReport>()
  for (const line of lines) {
    const report = parseReport(line)
    if (report === undefined) continue
    byRun.delete(report.run)
    byRun.set(report.run, report)
  }
  return [...byRun.values()]
}

function parseReport(line: string): RunReport | undefined {
  try {
    const value: unknown = JSON.parse(line)
    if (!isRecord(value) || value.v !== 1 || typeof value.run !== 'string' || !isRecord(value.destinations)) {
      return undefined
    }
    // Our own file, written by appendReport: its shape is known by its version.
    return { health: noHealth, ...value } as unknown as RunReport
  } catch {
    return undefined
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
