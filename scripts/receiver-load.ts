/**
 * What the receiver takes in: spans a second, decoded and answered, by gRPC and by HTTP, and what a second of its processor is worth.
 * Run as a program it is the sender, and starts the receiver in a process of its own.
 */
import { gzipSync } from 'node:zlib'
import { Client, compressionAlgorithms, credentials, Metadata } from '@grpc/grpc-js'
import { startReceiver } from '../src/receiver/receiver.ts'
import { encodeJson, encodeProtobuf } from '../test/receiver/messages.ts'

const spansPerRequest = 1000
const requests = 500
const atOnce = 4

interface Ports {
  readonly grpcPort: number
  readonly httpPort: number
}

interface Used {
  readonly cpuSeconds: number
  readonly megabytes: number
}

if (process.argv.includes('--receive')) await receive()
else await send()

/** Tells its ports, then for each line of stdin what it has used so far. */
async function receive(): Promise<void> {
  const accept = async () => ({ rejected: 0 })
  const { grpcPort, httpPort } = await startReceiver({ host: '127.0.0.1', grpcPort: 0, httpPort: 0, accept })
  console.log(JSON.stringify({ grpcPort, httpPort } satisfies Ports))
  for await (const _ of console) {
    const { user, system } = process.cpuUsage()
    const used = { cpuSeconds: (user + system) / 1e6, megabytes: process.memoryUsage.rss() / 1e6 }
    console.log(JSON.stringify(used satisfies Used))
  }
}

async function send(): Promise<void> {
  const child = Bun.spawn([process.execPath, import.meta.path, '--receive'], { stdin: 'pipe', stdout: 'pipe' })
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const { grpcPort, httpPort }: Ports = JSON.parse((await lines.read()).value ?? '')
  const used = async (): Promise<Used> => {
    child.stdin.write('\n')
    child.stdin.flush()
    return JSON.parse((await lines.read()).value ?? '')
  }
  const request = { resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ spans: makeSpans() }] }] }
  const protobuf = encodeProtobuf('traces', request)
  console.log(
    `${spansPerRequest} spans of 15 attributes a request: ${protobuf.length} bytes, ${atOnce} requests at once`,
  )
  const url = `http://127.0.0.1:${httpPort}/v1/traces`
  await measure('HTTP protobuf', post(url, 'application/x-protobuf', protobuf), used)
  await measure('HTTP protobuf gzip', post(url, 'application/x-protobuf', gzipSync(protobuf), 'gzip'), used)
  await measure('HTTP JSON', post(url, 'application/json', encodeJson(request)), used)
  await measure('gRPC', callOf(grpcPort, protobuf), used)
  await measure('gRPC gzip', callOf(grpcPort, protobuf, true), used)
  child.kill()
  await child.exited
  process.exit()
}

async function measure(name: string, one: () => Promise<void>, used: () => Promise<Used>): Promise<void> {
  for (let count = 0; count < 50; count++) await one()
  const before = await used()
  const startMs = performance.now()
  const times: number[] = []
  const sender = async () => {
    while (times.length < requests) {
      const sentMs = performance.now()
      await one()
      times.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, sender))
  const seconds = (performance.now() - startMs) / 1000
  const after = await used()
  const spans = times.length * spansPerRequest
  const perCpu = Math.round(spans / (after.cpuSeconds - before.cpuSeconds))
  const median = times.sort((one, other) => one - other)[times.length >> 1] ?? 0
  console.log(
    `${name.padEnd(20)} ${Math.round(spans / seconds)} spans/s, ${perCpu} per second of its processor, ` +
      `median answer ${median.toFixed(1)} ms, ${Math.round(after.megabytes)} MB`,
  )
}

function post(url: string, type: string, body: Uint8Array, encoding = 'identity'): () => Promise<void> {
  return async () => {
    const headers = { 'content-type': type, 'content-encoding': encoding }
    const response = await fetch(url, { method: 'POST', headers, body })
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
    await response.arrayBuffer()
  }
}

function callOf(port: number, message: Buffer, gzip = false): () => Promise<void> {
  const options = gzip ? { 'grpc.default_compression_algorithm': compressionAlgorithms.gzip } : {}
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), options)
  const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
  const as = (bytes: Buffer) => bytes
  return () =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, as, as, message, new Metadata(), (error) => (error ? reject(error) : resolve()))
    })
}

function makeSpans(): object[] {
  const hex = (number: number, length: number) => number.toString(16).padStart(length, '0')
  const texts = {
    ...{ 'user.id': hex(7, 64), 'session.id': '7d38022e-c405-4c2c-a542-aace3872c6a1', model: 'claude-opus-5-5' },
    ...{ 'terminal.type': 'xterm-256color', 'gen_ai.provider.name': 'anthropic', 'span.type': 'tool' },
    ...{ tool_name: 'Bash', speed: 'normal', 'gen_ai.operation.name': 'execute_tool' },
  }
  return Array.from({ length: spansPerRequest }, (_, index) => {
    const numbers = { input_tokens: index, output_tokens: index * 3, cache_read_tokens: 20_000 + index, attempt: 1 }
    const own = { request_id: `req_${hex(index * 7919, 12)}`, 'prompt.id': hex(index >> 4, 16) }
    const attributes = [
      ...Object.entries({ ...texts, ...own }).map(([key, stringValue]) => ({ key, value: { stringValue } })),
      ...Object.entries(numbers).map(([key, value]) => ({ key, value: { intValue: String(value) } })),
    ]
    const startMs = 1_795_247_342_795 + index
    return {
      ...{ traceId: hex(1 + (index >> 5), 32), spanId: hex(index + 1, 16), parentSpanId: hex(1 + (index >> 1), 16) },
      ...{ name: 'claude_code.tool', kind: 1, flags: 257, attributes, status: { code: 1 } },
      ...{ startTimeUnixNano: `${startMs}000000`, endTimeUnixNano: `${startMs + 20}000000` },
    }
  })
}
