import { expect, test } from 'bun:test'
import { renderConfig } from '../../src/commands/config.ts'
import { resolveConfig } from '../../src/config/config.ts'

const render = (env: Record<string, string>) => renderConfig(resolveConfig({ env: { HOME: '/home/me', ...env } }))

test('The text of --config tells where signals go, every value and its origin in aligned columns, and what is wrong', () => {
  const text = render({
    OTEL_TRACES_EXPORTER: 'otlp,file',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter2',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc',
    OTEL_CONFIG_FILE: 'x',
  })
  const lines = text.split('\n')
  expect(lines.slice(0, 5)).toEqual([
    'Destinations',
    '  traces   otlp  grpc http://127.0.0.1:4317',
    '  traces   file  /home/me/.local/state/claude-otel/signals.jsonl',
    '  logs     none',
    '  metrics  otlp  grpc http://127.0.0.1:4317',
  ])
  const columns = lines.filter(
    (line) => /^ {2}\w+(\.\w+)* .* (default|from \S+)$/.test(line) && !line.includes('not read'),
  )
  expect(columns.length).toBeGreaterThan(20)
  expect(new Set(columns.map((line) => line.search(/(default|from \S+)$/))).size).toBe(1)
  expect(text).toMatch(/export\.headers +api-key=\*{4} +from OTEL_EXPORTER_OTLP_HEADERS/)
  expect(text).not.toContain('hunter2')
  expect(text).toContain('Notes\n  OTEL_CONFIG_FILE is not read')
  expect(text).toEndWith(
    'Problems\nclaude-otel: export.protocol is "gprc" (from OTEL_EXPORTER_OTLP_PROTOCOL)\n' +
      '  use one of: grpc, http/protobuf, http/json (did you mean grpc?)\n',
  )
})

test('The text of --config begins with the fact that telemetry is off when it is', () => {
  expect(render({ OTEL_SDK_DISABLED: 'true' })).toStartWith('Telemetry is off.\n')
})
