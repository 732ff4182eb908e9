import { expect, test } from 'bun:test'
import { announceDestinations } from '../../src/config/announce.ts'
import { type Environment, resolveConfig } from '../../src/config/config.ts'

const announce = (env: Environment) => announceDestinations(resolveConfig({ env: { HOME: '/home/me', ...env } }).config)

test('Every destination is announced once, with its place and without credentials', () => {
  const logfire = { LOGFIRE_TOKEN: 'pylf_v1_eu_secret0000' }
  expect(announce(logfire)).toEqual([
    'the hub on this machine (http://127.0.0.1:4317)',
    'Logfire (https://logfire-eu.pydantic.dev)',
  ])
  const env = {
    ...logfire,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:word@c:4317',
    SENTRY_DSN: 'https://key@o1.ingest.sentry.io/42',
    OTEL_TRACES_EXPORTER: 'otlp,console',
    CLAUDE_OTEL_DEBUG: '1',
  }
  expect(announce(env)).toEqual([
    'grpc https://c:4317',
    'Logfire (https://logfire-eu.pydantic.dev)',
    'Sentry (https://o1.ingest.sentry.io)',
    'this console',
    '/home/me/.local/state/claude-otel/signals.jsonl',
  ])
})

test('Where nothing is sent nothing is announced', () => {
  expect(announce({ OTEL_SDK_DISABLED: 'true', LOGFIRE_TOKEN: 'x' })).toEqual([])
  const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
  expect(announce({ ...none, LOGFIRE_TOKEN: 'x' })).toEqual([])
})
