/**
 * A real OpenTelemetry Collector for one test: OTLP over gRPC and HTTP on free ports of loopback, with TLS if wanted,
 * and a file of what it accepted. Every signal that arrives with the header `x-team` gets the attribute `team`.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectorBinary } from '../../scripts/collector.ts'
import { type LogRecord, type MetricPoint, type Span, startOtlpSink } from '../kit/otlp-sink.ts'
import { until } from '../kit/until.ts'

export type Protocol = 'grpc' | 'http/protobuf' | 'http/json'

/** Files of a certificate authority of the test's own, a server's certificate for loopback and a client's. */
export interface Certificates {
  readonly ca: string
  readonly server: KeyPair
  readonly client: KeyPair
}

interface KeyPair {
  readonly certificate: string
  readonly key: string
}

export interface CollectorOptions {
  readonly certificates?: Certificates
  /** Refuses clients without a certificate of the authority. */
  readonly verifiesClients?: boolean
  /** Where it sends what it accepts, besides its file. */
  readonly forwards?: readonly Forward[]
}

export interface Forward {
  readonly protocol: Protocol
  readonly url: string
  readonly compression: 'none' | 'gzip' | 'zstd'
  readonly token?: string
}

/** What the Collector wrote, in the order of arrival. */
export interface Received {
  readonly spans: readonly Span[]
  readonly logs: readonly LogRecord[]
  readonly points: readonly MetricPoint[]
}

export interface Collector {
  readonly ports: Readonly<Record<Protocol, number>>
  /** Stops the Collector, which writes what it holds, and reads its file. */
  stop(): Promise<Received>
  /** Stops it if it still runs, and removes its folder. */
  close(): Promise<void>
}

/** Starts a Collector and waits until it accepts connections. Throws where none can be built. */
export async function startCollector(options: CollectorOptions = {}): Promise<Collector> {
  const binary = await collectorBinary()
  if (!binary) throw new Error('Go is not installed, so no Collector can be built')
  const folder = await mkdtemp(join(tmpdir(), 'claude-otel-collector-'))
  const [grpc, http] = freePorts()
  const output = join(folder, 'signals.jsonl')
  const config = join(folder, 'config.json')
  const log = join(folder, 'collector.log')
  await Bun.write(config, JSON.stringify(renderConfig({ grpc, http, output, ...options })))

  const child = Bun.spawn([binary, `--config=${config}`], {
    stdin: 'ignore',
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  })
  const end = async () => {
    child.kill('SIGTERM')
    await child.exited
  }
  try {
    await until('the Collector to accept', async () => {
      if (child.exitCode !== null) throw new Error(`the Collector ended\n${await Bun.file(log).text()}`)
      return (await accepts(grpc)) && (await accepts(http))
    })
  } catch (error) {
    await end()
    await rm(folder, { recursive: true })
    throw error
  }
  return {
    ports: { grpc, 'http/protobuf': http, 'http/json': http },
    stop: async () => {
      await end()
      return readSignals(output)
    },
    close: async () => {
      await end()
      await rm(folder, { recursive: true })
    },
  }
}

/** Makes the authority and both certificates in `folder`, by openssl; good for a month. */
export function createCertificates(folder: string): Certificates {
  const ca = createCertificate(folder, 'authority', [])
  const signed = ['-CA', ca.certificate, '-CAkey', ca.key, '-addext', 'basicConstraints=critical,CA:FALSE']
  return {
    ca: ca.certificate,
    server: createCertificate(folder, 'server', [...signed, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']),
    client: createCertificate(folder, 'client', [...signed, '-addext', 'extendedKeyUsage=clientAuth']),
  }
}

/** A way to a port of loopback that counts the bytes which clients send there. */
export async function startRelay(target: number): Promise<Relay> {
  let sentBytes = 0
  const relay = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    client.on('data', (bytes) => {
      sentBytes += bytes.length
    })
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
  return {
    port: (relay.address() as AddressInfo).port,
    sentBytes: () => sentBytes,
    close: () => void relay.close(),
  }
}

export interface Relay {
  readonly port: number
  sentBytes(): number
  close(): void
}

interface ConfigOptions extends CollectorOptions {
  readonly grpc: number
  readonly http: number
  readonly output: string
}

function renderConfig({ grpc, http, output, certificates, verifiesClients, forwards = [] }: ConfigOptions): object {
  const tls = certificates && {
    cert_file: certificates.server.certificate,
    key_file: certificates.server.key,
    ...(verifiesClients ? { client_ca_file: certificates.ca } : {}),
  }
  const listen = (port: number) => ({ endpoint: `127.0.0.1:${port}`, include_metadata: true, ...(tls ? { tls } : {}) })
  const senders = Object.fromEntries(forwards.map(renderForward))
  const exporters = ['file', 'debug', ...Object.keys(senders)]
  const pipeline = { receivers: ['otlp'], processors: ['attributes'], exporters }
  return {
    receivers: { otlp: { protocols: { grpc: listen(grpc), http: listen(http) } } },
    processors: { attributes: { actions: [{ key: 'team', action: 'insert', from_context: 'metadata.x-team' }] } },
    exporters: { file: { path: output }, debug: {}, ...senders },
    service: {
      // Its own metrics would take a fixed port.
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: pipeline, logs: pipeline, metrics: pipeline },
    },
  }
}

/** One of the Collector's own exporters, as it comes but that it tries again at once. */
function renderForward({ protocol, url, compression, token }: Forward, index: number): [string, object] {
  const common = {
    compression,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    retry_on_failure: { initial_interval: '50ms', max_interval: '100ms' },
  }
  if (protocol === 'grpc') return [`otlp_grpc/${index}`, { ...common, endpoint: url, tls: { insecure: true } }]
  const encoding = protocol === 'http/json' ? 'json' : 'proto'
  return [`otlp_http/${index}`, { ...common, endpoint: url, encoding }]
}

/** The file holds requests as OTLP/JSON, one a line: the tests' own receiver knows how to read those. */
async function readSignals(path: string): Promise<Received> {
  const sink = await startOtlpSink()
  try {
    const lines = (await Bun.file(path).text()).split('\n').filter((line) => line !== '')
    for (const line of lines) {
      const response = await fetch(`${sink.url}/v1/${signalOf(line)}`, { method: 'POST', body: line })
      if (!response.ok) throw new Error(`not readable: ${line.slice(0, 200)}`)
    }
    return { spans: sink.spans(), logs: sink.logs(), points: sink.points() }
  } finally {
    await sink.close()
  }
}

function signalOf(line: string): string {
  const signals = { resourceSpans: 'traces', resourceLogs: 'logs', resourceMetrics: 'metrics' }
  const signal = Object.entries(signals).find(([key]) => line.startsWith(`{"${key}"`))?.[1]
  if (!signal) throw new Error(`no signal: ${line.slice(0, 200)}`)
  return signal
}

/** Both are held at once, so that they differ. */
function freePorts(): readonly [number, number] {
  const open = () => Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const [one, other] = [open(), open()]
  const ports = [one.port, other.port] as const
  one.stop()
  other.stop()
  return ports
}

async function accepts(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: '127.0.0.1', port, socket: { data() {} } })
    socket.end()
    return true
  } catch {
    return false
  }
}

function createCertificate(folder: string, name: string, options: readonly string[]): KeyPair {
  const pair = { certificate: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', pair.key]
  const command = ['openssl', 'req', '-x509', ...key, '-subj', `/CN=${name}`, ...options, '-out', pair.certificate]
  const openssl = Bun.spawnSync(command)
  if (openssl.exitCode !== 0) throw new Error(`${command.join(' ')}\n${openssl.stderr.toString()}`)
  return pair
}
