import { expect, test } from 'bun:test'
import { announceDestinations } from '../../src/config/announce.ts'
import { type Environment, resolveConfig } from '../../src/config/config.ts'

const announce = (env: Environment) => announceDestinations(resolveConfig({ env: { HOME: '/home/me', ...env } }).config)

test('Every destination is announced once, with its place and without credentials', () => {
  expect(announce({})).toEqual(['📊 The hub keeps this session → http://127.0.0.1:4317'])
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:word@c:4317',
    LOGFIRE_TOKEN: 'pylf_v1_eu_secret0000',
    SENTRY_DSN: 'https://key@o1.ingest.sentry.io/42',
    OTEL_TRACES_EXPORTER: 'otlp,console',
    CLAUDE_OTEL_DEBUG: '1',
  }
  expect(announce(env)).toEqual([
    '📊 OpenTelemetry configured → https://c:4317',
    '🔥 Logfire telemetry configured → https://logfire-eu.pydantic.dev',
    '🔒 Sentry LLM monitoring configured → https://o1.ingest.sentry.io/api/42/integration/otlp',
    '🔍 Telemetry is printed at the end',
    '🔍 Telemetry is written → /home/me/.local/state/claude-otel/signals.jsonl',
  ])
})

test('Where nothing is sent that is said', () => {
  expect(announce({ OTEL_SDK_DISABLED: 'true', LOGFIRE_TOKEN: 'x' })).toEqual(['⚠️ Telemetry is off'])
  const none = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
  expect(announce({ ...none, LOGFIRE_TOKEN: 'x' })).toEqual(['⚠️ Telemetry goes nowhere'])
})
