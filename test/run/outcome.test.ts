/** The one line about delivery. */
import { describe, expect, test } from 'bun:test'
import type { DeliveryReport, DestinationReport } from '../../src/export/delivery.ts'
import { renderOutcome, totals } from '../../src/run/outcome.ts'

const none = { delivered: 0, queued: 0, dropped: 0 }
const destination = (counts: Partial<typeof none>, trouble: Partial<DestinationReport> = {}): DestinationReport => ({
  counts: { traces: { ...none, ...counts }, logs: none, metrics: { ...none, delivered: 1 } },
  ...trouble,
})
const one = (settled: boolean, counts: Partial<typeof none>, trouble: Partial<DestinationReport> = {}) => ({
  settled,
  destinations: { team: destination(counts, trouble) },
})
const two = (settled: boolean, counts: Partial<typeof none>, trouble: Partial<DestinationReport> = {}) => ({
  settled,
  destinations: { team: destination(counts, trouble), local: destination({ delivered: 10 }) },
})
const debug = { log: '/state/log', signals: '/state/signals.jsonl' }
const render = (report: DeliveryReport, more?: typeof debug) => renderOutcome(report, '/state/runs/1', more)

describe('the outcome', () => {
  test('of a delivery without trouble is silence', () => {
    expect(render(one(true, { delivered: 5 }))).toBeUndefined()
    expect(render(two(true, { delivered: 5 }))).toBeUndefined()
  })

  test('of a delivery without trouble is told to whoever asked, for each of several destinations', () => {
    const where = 'diagnostics in /state/log, signals in /state/signals.jsonl'
    expect(render(one(true, { delivered: 5 }), debug)).toBe(
      `6 spans, log records and metric updates delivered; ${where}`,
    )
    expect(render(two(true, { delivered: 5 }), debug)).toBe(
      `team: 6 delivered, 0 queued, 0 dropped; local: 11 delivered, 0 queued, 0 dropped; ${where}`,
    )
  })

  test('of what could not be delivered says how much, why, where it is and what to do', () => {
    const trouble = { lastError: 'HTTP 401', hint: 'check the headers of this destination' }
    expect(render(one(false, { queued: 3, dropped: 2 }, trouble))).toBe(
      '3 spans, log records and metric updates not delivered, 2 refused for good' +
        ' (HTTP 401; check the headers of this destination); kept in /state/runs/1, sent by the next run or `claude-otel drain`',
    )
  })

  test('of several destinations is told for each, with the reason where it belongs', () => {
    expect(render(two(false, { queued: 3 }, { lastError: 'connection refused' }))).toBe(
      'not everything was delivered: team: 1 delivered, 3 queued, 0 dropped (connection refused);' +
        ' local: 11 delivered, 0 queued, 0 dropped; kept in /state/runs/1, sent by the next run or `claude-otel drain`',
    )
    expect(render(two(true, { dropped: 3 }, { lastError: 'too old' }))).toBe(
      'some of it was refused for good: team: 1 delivered, 0 queued, 3 dropped (too old);' +
        ' local: 11 delivered, 0 queued, 0 dropped',
    )
  })

  test('of what the collector refused says how much and why', () => {
    expect(render(one(true, { dropped: 2 }, { lastError: 'too old' }))).toBe(
      '2 spans, log records and metric updates were refused by the collector for good (too old)',
    )
  })
})

test('the totals are those of all destinations and types', () => {
  expect(totals(two(true, { delivered: 5, queued: 2, dropped: 1 }))).toEqual({ delivered: 17, queued: 2, dropped: 1 })
})
