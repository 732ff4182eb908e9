/** `claude-otel status --send` to a real OpenTelemetry Collector: what it accepted is read back. */
import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claudeBinary, claudeOtelBinary, run } from '../kit/claude-home.ts'
import { type Collector, type Protocol, startCollector } from './kit.ts'

let collector: Collector | undefined
afterEach(async () => {
  await collector?.close()
  collector = undefined
})

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const satisfies Protocol[]) {
  test(`a test over ${protocol} is accepted, and is there; a look alone leaves nothing`, async () => {
    const home = mkdtempSync(join(tmpdir(), 'claude-otel-send-'))
    const started = await startCollector()
    collector = started
    const env = {
      PATH: '/usr/bin:/bin',
      HOME: home,
      CLAUDE_BIN: claudeBinary,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${started.ports[protocol]}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-team=red',
      OTEL_SERVICE_NAME: 'tried-out',
    }
    try {
      const looked = await run({ command: [claudeOtelBinary, 'status'], cwd: home, env })
      expect(looked.stdout).toContain('Nothing is wrong')
      const sent = await run({ command: [claudeOtelBinary, 'status', '--send', '--json'], cwd: home, env })
      expect(sent).toMatchObject({ stderr: '', exitCode: 0 })
      const { traceId } = JSON.parse(sent.stdout).sent
      const { spans, logs, points } = await started.stop()
      const resource = expect.objectContaining({ 'service.name': 'tried-out' })
      const team = expect.objectContaining({ team: 'red' })
      expect(spans).toMatchObject([{ name: 'claude_otel.test', traceId, resource, attributes: team }])
      expect(logs).toMatchObject([{ eventName: 'claude_otel.test', traceId, resource, attributes: team }])
      expect(points).toMatchObject([{ name: 'claude_otel.tests_total', value: 1, resource, attributes: team }])
    } finally {
      rmSync(home, { recursive: true })
    }
  }, 60_000)
}
