/** W3C trace context in text, and that our sampling decides as the SDK would. */
import { describe, expect, test } from 'bun:test'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { SamplingDecision, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace-base'
import { deriveTraceId } from '../../src/telemetry/ids.ts'
import type { SamplerChoice } from '../../src/telemetry/trace-context.ts'
import { parseTraceparent, renderTraceparent, sampleRoot } from '../../src/telemetry/trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'
const valid = `00-${traceId}-${spanId}-01`

describe('an inbound TRACEPARENT', () => {
  test.each([
    ['sampled', valid, 1],
    ['not sampled', `00-${traceId}-${spanId}-00`, 0],
    ['with flags that nobody knows yet', `00-${traceId}-${spanId}-fe`, 0],
    ['with all flags', `00-${traceId}-${spanId}-ff`, 1],
    ['of a later version', `cc-${traceId}-${spanId}-01`, 1],
    ['of a later version with more fields', `cc-${traceId}-${spanId}-01-what-the-future-will-be-like`, 1],
    ['in blanks', `  ${valid}\n`, 1],
  ])('%s is a parent', (_, text, traceFlags) => {
    expect(parseTraceparent(text)).toEqual({ traceId, spanId, traceFlags })
  })

  test.each([
    ['absent', undefined],
    ['empty', ''],
    ['of version ff', `ff-${traceId}-${spanId}-01`],
    ['of version 00 with more fields', `${valid}-more`],
    ['of version 00 with a hanging dash', `${valid}-`],
    ['of a later version with text that no dash parts', `cc-${traceId}-${spanId}-01.more`],
    ['with a trace id of zeros', `00-${'0'.repeat(32)}-${spanId}-01`],
    ['with a span id of zeros', `00-${traceId}-${'0'.repeat(16)}-01`],
    ['in capitals', valid.toUpperCase()],
    ['with a short trace id', `00-${traceId.slice(1)}-${spanId}-01`],
    ['with a long span id', `00-${traceId}-${spanId}0-01`],
    ['with flags of one digit', `00-${traceId}-${spanId}-1`],
    ['without flags', `00-${traceId}-${spanId}`],
    ['with digits that are not hex', `00-${traceId.replace('0', 'g')}-${spanId}-01`],
    ['as a list', `${valid},${valid}`],
  ])('%s is no parent', (_, text) => {
    expect(parseTraceparent(text, 'vendor=1')).toBeUndefined()
  })

  test('brings its TRACESTATE along', () => {
    expect(parseTraceparent(valid, 'vendor=1,other=2')?.traceState).toBe('vendor=1,other=2')
    expect(parseTraceparent(valid, '')).not.toHaveProperty('traceState')
  })

  test('is the same when it is written again', () => {
    const ref = parseTraceparent(valid)
    expect(ref && renderTraceparent(ref)).toBe(valid)
    expect(renderTraceparent({ traceId, spanId, traceFlags: 0 })).toBe(`00-${traceId}-${spanId}-00`)
  })
})

describe('the sampling of a session’s root', () => {
  const choice = (kind: SamplerChoice['kind'], parentBased: boolean, ratio = 1): SamplerChoice => ({
    kind,
    parentBased,
    ratio,
  })
  const parent = (traceFlags: number) => ({ traceId, spanId, traceFlags })

  test('decides on 1000 trace ids as the SDK does, for every ratio', () => {
    const ids = Array.from({ length: 1000 }, (_, index) => deriveTraceId(String(index)))
    for (const ratio of [0, 0.001, 0.1, 1 / 3, 0.5, 0.999, 1]) {
      const theirs = new TraceIdRatioBasedSampler(ratio)
      const expected = ids.map((id) =>
        theirs.shouldSample(ROOT_CONTEXT, id).decision === SamplingDecision.RECORD_AND_SAMPLED ? 1 : 0,
      )
      expect(ids.map((id) => sampleRoot(choice('traceidratio', true, ratio), id))).toEqual(expected)
    }
  })

  test('follows the parent where the sampler asks the parent', () => {
    expect(sampleRoot(choice('always_on', true), traceId, parent(0))).toBe(0)
    expect(sampleRoot(choice('always_off', true), traceId, parent(1))).toBe(1)
    expect(sampleRoot(choice('traceidratio', true, 0), traceId, parent(1))).toBe(1)
  })

  test('does not look at the parent where the sampler does not', () => {
    expect(sampleRoot(choice('always_on', false), traceId, parent(0))).toBe(1)
    expect(sampleRoot(choice('always_off', false), traceId, parent(1))).toBe(0)
    expect(sampleRoot(choice('traceidratio', false, 0), traceId, parent(1))).toBe(0)
  })

  test('without a parent is the sampler’s own', () => {
    expect(sampleRoot(choice('always_on', true), traceId)).toBe(1)
    expect(sampleRoot(choice('always_off', true), traceId)).toBe(0)
  })
})
