import { describe, expect, test } from 'bun:test'
import { addHealth, HealthMeter, hookPercentile, noHealth } from '../../src/session/health.ts'
import type { MetricSignal } from '../../src/telemetry/signal.ts'

function measured(...values: readonly (readonly [MetricSignal['instrument'], number, MetricSignal['attributes']?])[]) {
  const meter = new HealthMeter()
  meter.add(
    values.map(([instrument, value, attributes = {}]) => ({
      kind: 'metric',
      instrument,
      value,
      timeUnixMicro: 1,
      attributes,
    })),
  )
  return meter.read()
}

const hooks = (...ms: number[]) => measured(...ms.map((value) => ['claude_otel.hook.duration', value] as const))

describe('the health of a run', () => {
  test('is nothing where nothing was measured', () => {
    expect(measured()).toEqual(noHealth)
    expect(hookPercentile(noHealth, 0.5)).toBeUndefined()
  })

  test('leaves the session’s own instruments out', () => {
    expect(measured(['claude.turns_total', 1], ['claude.tool_call_duration_ms', 3])).toEqual(noHealth)
  })

  test('tells the share of hook calls that did not take longer', () => {
    const fastest = Array.from({ length: 99 }, () => 1.2)
    const health = hooks(...fastest, 40)
    expect(hookPercentile(health, 0.5)).toBeGreaterThan(1)
    expect(hookPercentile(health, 0.5)).toBeLessThanOrEqual(1.5)
    expect(hookPercentile(health, 0.995)).toBeGreaterThan(30)
    expect(hookPercentile(health, 1)).toBe(50)
  })

  test('counts a call on a bound to the bucket below it, and one beyond the last bound as that', () => {
    expect(hooks(0.5).hooks[0]).toBe(1)
    expect(hooks(99_999).hooks.at(-1)).toBe(1)
    expect(hookPercentile(hooks(99_999), 0.5)).toBe(5000)
  })

  test('of two runs is the sum of theirs', () => {
    const both = addHealth(hooks(1, 2), hooks(2, 3))
    expect(both).toEqual(hooks(1, 2, 2, 3))
    expect(addHealth(noHealth, both)).toEqual(both)
  })
})
