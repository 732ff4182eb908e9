/** The one line about delivery, and the numbers behind it. */
import type { DeliveryReport } from '../export/delivery.ts'

interface Totals {
  readonly delivered: number
  readonly queued: number
  readonly rejected: number
}

/** Where somebody who asked for diagnostics finds them. */
interface Diagnostics {
  readonly log: string
  readonly signals: string
}

/** Undefined when everything was delivered and nobody asked. */
export function renderOutcome(
  report: DeliveryReport,
  folder: string,
  debug: Diagnostics | undefined,
): string | undefined {
  const { delivered, queued, rejected } = totals(report)
  const why = Object.values(report.destinations).find(({ lastError }) => lastError !== undefined)?.lastError
  const because = why === undefined ? '' : ` (${why})`
  const more = debug === undefined ? '' : `; diagnostics in ${debug.log}, signals in ${debug.signals}`
  if (!report.settled) {
    return `${queued} spans, log records and metric updates not delivered${because}; kept in ${folder}, sent by the next run or \`claude-otel drain\`${more}`
  }
  if (rejected > 0)
    return `${rejected} spans, log records and metric updates were rejected by the collector${because}${more}`
  return debug === undefined ? undefined : `${delivered} spans, log records and metric updates delivered${more}`
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
