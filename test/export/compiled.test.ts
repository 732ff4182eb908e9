import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCollector } from './collectors.ts'

// Bundled, the packages of OpenTelemetry resolve otherwise than from source: the gRPC exporter breaks without
// --conditions=require. What a test from source says is therefore not enough.
const folder = mkdtempSync(join(tmpdir(), 'claude-otel-compiled-'))
afterAll(() => rmSync(folder, { recursive: true }))

const program = `
  import { startDelivery } from ${JSON.stringify(join(import.meta.dir, '../../src/export/delivery.ts'))}
  import { configOf, log, metric, span, start } from ${JSON.stringify(join(import.meta.dir, 'signals.ts'))}
  const config = configOf(process.env)
  const delivery = startDelivery({ config, resource: config.resource, startUnixMicro: start, acks: {}, onAck() {}, replay: () => [] })
  delivery.enqueue([span(), log(), metric()])
  const { settled } = await delivery.close(AbortSignal.timeout(5000))
  console.log(settled)`

test('A compiled program delivers all three signals by all three protocols', async () => {
  const source = join(folder, 'program.ts')
  const binary = join(folder, 'program')
  writeFileSync(source, program)
  const flags = ['--compile', '--minify', '--bytecode', '--format=esm', '--splitting', '--conditions=require']
  const build = Bun.spawnSync([process.execPath, 'build', ...flags, `--outfile=${binary}`, source], {
    cwd: join(import.meta.dir, '../..'),
  })
  expect(build.stderr.toString()).not.toContain('error')
  for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const) {
    const collector = await startCollector(protocol)
    const env = { HOME: folder, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol }
    const run = Bun.spawn([binary], { env, stdout: 'pipe' })
    expect(await run.stdout.text()).toBe('true\n')
    expect(collector.received.map(({ type }) => type).toSorted()).toEqual(['logs', 'metrics', 'traces'])
    collector.stop()
  }
}, 60_000)
