/** The one line about delivery, and the numbers behind it. */
import type { DeliveryReport } from '../export/delivery.ts'

interface Totals {
  readonly delivered: number
  readonly queued: number
  readonly rejected: number
}

/** Undefined when everything was delivered and nobody asked. */
export function renderOutcome(report: DeliveryReport, folder: string, debug: boolean): string | undefined {
  const { delivered, queued, rejected } = totals(report)
  const why = Object.values(report.destinations).find(({ lastError }) => lastError !== undefined)?.lastError
  const because = why === undefined ? '' : ` (${why})`
  if (!report.settled) {
    return `${queued} spans, log records and metric updates not delivered${because}; kept in ${folder}, sent by the next run or \`claude-otel drain\``
  }
  if (rejected > 0) return `${rejected} spans, log records and metric updates were rejected by the collector${because}`
  return debug ? `${delivered} spans, log records and metric updates delivered` : undefined
}

export function totals(report: DeliveryReport): Totals {
  const counts = Object.values(report.destinations).flatMap((destination) => Object.values(destination.counts))
  const sum = (pick: (row: Totals) => number): number => counts.reduce((total, row) => total + pick(row), 0)
  return {
    delivered: sum((row) => row.delivered),
    queued: sum((row) => row.queued),
    rejected: sum((row) => row.rejected),
  }
}
