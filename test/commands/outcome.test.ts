/** The one line about delivery. */
import { describe, expect, test } from 'bun:test'
import { renderOutcome, totals } from '../../src/commands/outcome.ts'
import type { DeliveryReport } from '../../src/export/delivery.ts'

const none = { delivered: 0, queued: 0, rejected: 0 }
const report = (settled: boolean, counts: Partial<typeof none>, lastError?: string): DeliveryReport => ({
  settled,
  destinations: {
    'grpc http://a:4317': {
      counts: { traces: { ...none, ...counts }, logs: none, metrics: { ...none, delivered: 1 } },
    },
    'file /f': {
      counts: { traces: { ...none, delivered: 10 }, logs: none, metrics: none },
      ...(lastError === undefined ? {} : { lastError }),
    },
  },
})
const debug = { log: '/state/log', signals: '/state/signals.jsonl' }

describe('the outcome', () => {
  test('of a delivery without trouble is silence', () => {
    expect(renderOutcome(report(true, { delivered: 5 }), '/run', undefined)).toBeUndefined()
  })

  test('of a delivery without trouble is told to whoever asked', () => {
    const line = renderOutcome(report(true, { delivered: 5 }), '/run', debug)
    expect(line).toStartWith('16 spans, log records and metric updates delivered')
    expect(line).toContain('/state/log')
  })

  test('of what could not be delivered says how much, why, where it is and what to do', () => {
    const line = renderOutcome(report(false, { queued: 3 }, 'connection refused'), '/state/runs/1', undefined)
    for (const part of ['3 spans', '(connection refused)', '/state/runs/1', 'claude-otel drain'])
      expect(line).toContain(part)
    expect(line).not.toContain('\n')
  })

  test('of what the collector refused says how much and why', () => {
    const line = renderOutcome(report(true, { rejected: 2 }, 'too old'), '/run', undefined)
    expect(line).toContain('2 spans, log records and metric updates were rejected by the collector (too old)')
  })
})

test('the totals are those of all destinations and types', () => {
  expect(totals(report(true, { delivered: 5, queued: 2, rejected: 1 }))).toEqual({
    delivered: 16,
    queued: 2,
    rejected: 1,
  })
})
