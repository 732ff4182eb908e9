/** The span of a wrapped session: known before claude is, and the same for whoever assembles the run. */
import { describe, expect, test } from 'bun:test'
import { rootRef } from '../../src/session/root.ts'

const always = { kind: 'always_on', parentBased: true, ratio: 1 } as const
const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 0, traceState: 'x=1' }

describe('the root of a run', () => {
  test('is derived from the run, so that two runs have two traces and one run has one', () => {
    expect(rootRef('run 1', always, undefined)).toEqual(rootRef('run 1', always, undefined))
    expect(rootRef('run 1', always, undefined).traceId).not.toBe(rootRef('run 2', always, undefined).traceId)
  })

  test('is in the trace that it was begun in, with its state, its flags and a span id of its own', () => {
    const ref = rootRef('run 1', always, parent)
    expect(ref).toMatchObject({ traceId: parent.traceId, traceFlags: 0, traceState: 'x=1' })
    expect(ref.spanId).not.toBe(parent.spanId)
    expect(rootRef('run 2', always, parent).spanId).not.toBe(ref.spanId)
  })

  test('is sampled as the sampler says', () => {
    expect(rootRef('run 1', { ...always, kind: 'always_off' }, undefined).traceFlags).toBe(0)
    expect(rootRef('run 1', always, undefined).traceFlags).toBe(1)
  })
})
