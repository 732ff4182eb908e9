import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { openExporter } from '../../src/export/exporter.ts'
import { createLogFactory } from '../../src/telemetry/provider.ts'
import { configOf, log, otlpOf } from '../export/signals.ts'
import { encodeProtobuf, everything } from './messages.ts'

// grpc-js and zlib behave otherwise in a compiled file than from source: what a test from source says is not enough.
const folder = mkdtempSync(join(tmpdir(), 'claude-otel-receiver-'))
afterAll(() => rmSync(folder, { recursive: true }))

const program = `
  import { startReceiver } from ${JSON.stringify(join(import.meta.dir, '../../src/receiver/receiver.ts'))}
  const accept = async (batch) => { console.log(JSON.stringify(batch.logs.map(({ body }) => body))); return { rejected: 0 } }
  const { grpcPort, httpPort } = await startReceiver({ host: '127.0.0.1', grpcPort: 0, httpPort: 0, accept })
  console.log(JSON.stringify([grpcPort, httpPort]))`

test('A compiled receiver takes gRPC and HTTP, plain and packed', async () => {
  const source = join(folder, 'program.ts')
  const binary = join(folder, 'program')
  writeFileSync(source, program)
  const flags = ['--compile', '--minify', '--bytecode', '--format=esm', '--splitting', '--conditions=require']
  const build = Bun.spawnSync([process.execPath, 'build', ...flags, `--outfile=${binary}`, source], {
    cwd: join(import.meta.dir, '../..'),
  })
  expect(build.stderr.toString()).not.toContain('error')
  const child = Bun.spawn([binary], { stdout: 'pipe' })
  try {
    const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
    const [grpcPort, httpPort] = JSON.parse((await lines.read()).value ?? '')
    const body = encodeProtobuf('logs', everything.logs)
    for (const [encoding, packed] of [
      ['identity', body],
      ['gzip', gzipSync(body)],
      ['zstd', zstdCompressSync(body)],
    ] as const) {
      const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': encoding }
      const answer = await fetch(`http://127.0.0.1:${httpPort}/v1/logs`, { method: 'POST', headers, body: packed })
      expect(answer.status).toBe(200)
      expect((await lines.read()).value).toBe('["words",{"a":"b"}]\n')
    }
    for (const compression of ['none', 'gzip']) {
      const config = configOf({
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${grpcPort}`,
        OTEL_EXPORTER_OTLP_COMPRESSION: compression,
      })
      const exporter = await openExporter('logs', otlpOf(config, 'logs'), config.signals.logs.batch)
      const record = createLogFactory(config, config.resource)(log())
      expect(await exporter.send([record], AbortSignal.timeout(5000))).toEqual({ status: 'accepted' })
      expect((await lines.read()).value).toBe('["log 0"]\n')
      exporter.close()
    }
  } finally {
    child.kill()
    await child.exited
  }
}, 60_000)
