/** The one line about delivery, and the numbers behind it. */
import type { Config } from '../config/config.ts'
import { showBytes } from '../config/kinds.ts'
import type { DeliveryCounts, DeliveryReport, DestinationReport } from '../export/delivery.ts'
import { type Drop, renderDrops } from '../session/drops.ts'

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
  const { delivered, dropped } = totals(report)
  const more = debug === undefined ? '' : `; diagnostics in ${debug.log}, signals in ${debug.signals}`
  const kept = report.settled ? '' : `; kept in ${folder}, sent by the next run or \`claude-otel drain\``
  const several = Object.keys(report.destinations).length > 1
  if (!report.settled || dropped > 0) {
    const what = report.settled ? 'some of it was refused for good' : 'not everything was delivered'
    return `${several ? `${what}: ${renderDestinations(report)}` : renderTrouble(report)}${kept}${more}`
  }
  if (debug === undefined) return undefined
  return `${several ? renderDestinations(report) : `${delivered} ${things} delivered`}${more}`
}

/** What was given up to stay within the budget of disk: whole runs, and what came after a journal was full. */
export function renderLosses(drops: readonly Drop[], entries: number, storage: Config['storage']): string | undefined {
  const beyond = entries === 0 ? undefined : `${entries} records beyond ${showBytes(storage.maxBytes)} not kept`
  return [renderDrops(drops, storage), beyond].filter((part) => part !== undefined).join('; ') || undefined
}

/** `team: 120 delivered, 0 queued, 0 dropped; …`, each with why and what to do where something went wrong. */
export function renderDestinations({ destinations }: DeliveryReport): string {
  const rows = Object.entries(destinations).map(([name, destination]) => {
    const { delivered, queued, dropped } = sumOf(Object.values(destination.counts))
    const because = queued + dropped > 0 ? reasonOf(destination) : ''
    return `${name}: ${delivered} delivered, ${queued} queued, ${dropped} dropped${because}`
  })
  return rows.join('; ')
}

/** Over all destinations. */
export function totals(report: DeliveryReport): DeliveryCounts {
  return sumOf(Object.values(report.destinations).flatMap(({ counts }) => Object.values(counts)))
}

/** What several runs, or several kinds of signals, come to together. */
export function sumOf(counts: readonly DeliveryCounts[]): DeliveryCounts {
  const sum = (pick: (row: DeliveryCounts) => number): number => counts.reduce((total, row) => total + pick(row), 0)
  return {
    delivered: sum((row) => row.delivered),
    queued: sum((row) => row.queued),
    dropped: sum((row) => row.dropped),
  }
}

const things = 'spans, log records and metric updates'

function renderTrouble(report: DeliveryReport): string {
  const { queued, dropped } = totals(report)
  const because = Object.values(report.destinations).map(reasonOf).join('')
  if (report.settled) return `${dropped} ${things} were refused by the collector for good${because}`
  return `${queued} ${things} not delivered${dropped > 0 ? `, ${dropped} refused for good` : ''}${because}`
}

function reasonOf({ lastError, hint }: DestinationReport): string {
  if (lastError === undefined) return ''
  return ` (${lastError}${hint === undefined ? '' : `; ${hint}`})`
}
