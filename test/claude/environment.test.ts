/** What a wrapped claude finds in its environment beside the user's own. */
import { describe, expect, test } from 'bun:test'
import { childEnvironment } from '../../src/claude/environment.ts'

const root = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
const user = { PATH: '/bin', EMPTY: '', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318', FOO: 'a\nb=c' }

describe('the environment of a wrapped claude', () => {
  test('is the user’s own with the run folder, the time for SessionEnd and the trace context', () => {
    expect(childEnvironment(user, '/state/runs/1', root)).toEqual({
      ...user,
      CLAUDE_OTEL_RUN: '/state/runs/1',
      CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS: '5000',
      TRACEPARENT: `00-${root.traceId}-${root.spanId}-01`,
      TRACESTATE: undefined,
    })
  })

  test('keeps the user’s time for SessionEnd hooks', () => {
    const env = childEnvironment({ CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS: '9000' }, '/r', root)
    expect(env.CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS).toBe('9000')
  })

  test('hands the vendor’s state on, and none that belongs to another trace', () => {
    expect(childEnvironment({ TRACESTATE: 'old=1' }, '/r', { ...root, traceState: 'new=1' }).TRACESTATE).toBe('new=1')
    expect(childEnvironment({ TRACESTATE: 'old=1' }, '/r', root).TRACESTATE).toBeUndefined()
  })

  test('keeps the user’s trace context where ours is not to be handed on', () => {
    const env = childEnvironment({ TRACEPARENT: 'theirs' }, '/r', undefined)
    expect(env.TRACEPARENT).toBe('theirs')
  })

  test('is a copy', () => {
    const before = { ...user }
    childEnvironment(user, '/r', root)
    expect(user).toEqual(before)
  })
})
