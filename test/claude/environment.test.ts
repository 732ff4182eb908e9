/** What a wrapped claude finds in its environment beside the user's own. */
import { describe, expect, test } from 'bun:test'
import { childEnvironment, nativeTelemetry } from '../../src/claude/environment.ts'

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

describe('claude’s own telemetry towards a hub', () => {
  const hub = { host: '127.0.0.1', grpcPort: 5317, httpPort: 5318 }
  const all = {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:5318',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'cumulative',
    OTEL_METRIC_EXPORT_INTERVAL: '5000',
    OTEL_LOGS_EXPORT_INTERVAL: '1000',
    CLAUDE_CODE_OTEL_SHUTDOWN_TIMEOUT_MS: '1000',
  }

  test('is metrics and events, cumulative, often, over HTTP', () => {
    expect(nativeTelemetry({}, hub)).toEqual(all)
  })

  test('leaves what the user has set, and goes to the port of the user’s protocol', () => {
    const env = { OTEL_METRICS_EXPORTER: 'prometheus', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_LOG_USER_PROMPTS: '1' }
    const { OTEL_METRICS_EXPORTER: _, OTEL_EXPORTER_OTLP_PROTOCOL: __, ...rest } = all
    const native = nativeTelemetry(env, hub)
    expect(native).toEqual({
      ...rest,
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:5317',
      no_grpc_proxy: '127.0.0.1',
    })
  })

  test.each([
    [{ no_proxy: 'a.example,b.example' }, 'a.example,b.example,127.0.0.1'],
    [{ no_proxy: 'a.example', no_grpc_proxy: 'c.example' }, 'c.example,127.0.0.1'],
  ])('over gRPC passes by the proxy, beside those that %j names', (env, direct) => {
    expect(nativeTelemetry({ ...env, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, hub).no_grpc_proxy).toBe(direct)
  })

  test('goes over gRPC to an address that claude’s HTTP exporter cannot reach', () => {
    expect(nativeTelemetry({}, { ...hub, host: '[::1]' })).toMatchObject({
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://[::1]:5317',
      no_grpc_proxy: '::1',
    })
  })

  test.each([
    { OTEL_METRICS_EXPORTER: 'console' },
    { OTEL_LOGS_EXPORTER: 'otlp, Console' },
    { OTEL_TRACES_EXPORTER: 'console' },
  ])('stays off where it would be printed: %j', (env) => {
    expect(nativeTelemetry(env, hub)).toEqual({})
    expect(nativeTelemetry({ ...env, CLAUDE_CODE_ENABLE_TELEMETRY: '1' }, hub)).not.toEqual({})
  })

  test.each(['0', 'false', 'No', ' off '])('stays off where it is switched off by %j', (off) => {
    expect(nativeTelemetry({ CLAUDE_CODE_ENABLE_TELEMETRY: off }, hub)).toEqual({})
  })

  test('shows the hub’s token, as Claude Code reads it', () => {
    const { OTEL_EXPORTER_OTLP_HEADERS: headers } = nativeTelemetry({}, { ...hub, token: 'a=b' })
    expect(headers).toBe('authorization=Bearer a=b')
  })
})
