/**
 * What the receiver takes in: spans a second, decoded and answered, by gRPC and by HTTP, and what a second of its processor is worth.
 * Run as a program it is the sender, and starts the receiver in a process of its own.
 */
import { gzipSync } from 'node:zlib'
import { startReceiver } from '../src/receiver/receiver.ts'
import { encodeJson, encodeProtobuf } from '../test/receiver/messages.ts'
import { makeSpans, requestOf, type Sender, sendAll, sendByGrpc, sendByHttp } from './otlp-load.ts'

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
  const request = requestOf(makeSpans(spansPerRequest))
  const protobuf = encodeProtobuf('traces', request)
  console.log(
    `${spansPerRequest} spans of 15 attributes a request: ${protobuf.length} bytes, ${atOnce} requests at once`,
  )
  const url = `http://127.0.0.1:${httpPort}/v1/traces`
  await measure('HTTP protobuf', sendByHttp(url), protobuf, used)
  await measure('HTTP protobuf gzip', sendByHttp(url, undefined, 'gzip'), gzipSync(protobuf), used)
  await measure('HTTP JSON', sendByHttp(url, 'application/json'), encodeJson(request), used)
  await measure('gRPC', sendByGrpc(grpcPort), protobuf, used)
  await measure('gRPC gzip', sendByGrpc(grpcPort, true), protobuf, used)
  child.kill()
  await child.exited
}

async function measure(name: string, sender: Sender, message: Uint8Array, used: () => Promise<Used>): Promise<void> {
  await sendAll(sender, () => message, { requests: 50, atOnce: 1 })
  const before = await used()
  const startMs = performance.now()
  const times = await sendAll(sender, () => message, { requests, atOnce })
  const seconds = (performance.now() - startMs) / 1000
  const after = await used()
  sender.close()
  const spans = times.length * spansPerRequest
  const perCpu = Math.round(spans / (after.cpuSeconds - before.cpuSeconds))
  const median = times.sort((one, other) => one - other)[times.length >> 1] ?? 0
  console.log(
    `${name.padEnd(20)} ${Math.round(spans / seconds)} spans/s, ${perCpu} per second of its processor, ` +
      `median answer ${median.toFixed(1)} ms, ${Math.round(after.megabytes)} MB`,
  )
}
