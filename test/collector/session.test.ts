/**
 * What a real OpenTelemetry Collector has after a session of the real claude: all three signals by all three
 * protocols, with and without compression, with headers, over TLS.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chatTokens, metricTotals, renderTree } from '../kit/otlp-sink.ts'
import {
  type Certificates,
  type Collector,
  type CollectorOptions,
  createCertificates,
  type Protocol,
  type Received,
  startCollector,
  startRelay,
} from './kit.ts'
import { playSession, type Told, TREE } from './session.ts'

const PROTOCOLS: readonly Protocol[] = ['grpc', 'http/protobuf', 'http/json']

/** Of five messages of the model two have words, the others only call tools. */
const EVENTS = {
  'session.start': 1,
  'claude.user_prompt': 1,
  'claude.assistant_response': 2,
  'claude.tool.start': 4,
  'claude.tool.end': 3,
  'claude.tool.error': 1,
  'claude.turn.end': 1,
  'session.end': 1,
}

const METRICS = [
  'claude.sessions_total',
  'claude.turns_total',
  'claude.tool_calls_total',
  'claude.tool_calls_errors_total',
  'claude.tool_call_duration_ms',
  'claude.tools_in_flight',
  'claude.tokens_total',
  'claude.cache_hits_total',
  'claude.model_requests_total',
  'gen_ai.client.inference.duration',
  'gen_ai.client.inference.usage.input_tokens',
  'gen_ai.client.inference.usage.output_tokens',
  'gen_ai.invoke_agent.duration',
  'gen_ai.execute_tool.duration',
]

describe.each(PROTOCOLS)('A Collector reached by %s', (protocol) => {
  test('has the whole session: tree, log records, metrics, every token that was served', async () => {
    const { told, received } = await sendSession({ protocol })
    expectWhole(told, received)
  })

  test('has the same when the requests are compressed, which makes them smaller', async () => {
    const plain = await sendSession({ protocol })
    const small = await sendSession({ protocol, settings: { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' } })
    expectWhole(small.told, small.received)
    expect(small.sentBytes).toBeLessThan(plain.sentBytes * 0.7)
  })

  test('gets the headers with every signal, percent-decoded', async () => {
    const settings = { OTEL_EXPORTER_OTLP_HEADERS: 'x-other=1,x-team=blue%20team' }
    const { told, received } = await sendSession({ protocol, settings })
    expectWhole(told, received)
    const teams = [...received.spans, ...received.logs, ...received.points].map(({ attributes }) => attributes.team)
    expect(new Set(teams)).toEqual(new Set(['blue team']))
  })
})

describe('Over TLS', () => {
  let folder: string
  let certificates: Certificates
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'claude-otel-tls-'))
    certificates = createCertificates(folder)
  })
  afterAll(() => rm(folder, { recursive: true }))

  test.each(PROTOCOLS)('%s reaches a Collector whose authority is known', async (protocol) => {
    const settings = { OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca }
    const { told, received } = await sendSession({ protocol, settings, certificates })
    expectWhole(told, received)
  })

  test.each(PROTOCOLS)('%s shows a certificate of its own where the Collector asks for one', async (protocol) => {
    const settings = {
      OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificates.client.certificate,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: certificates.client.key,
    }
    const { told, received } = await sendSession({ protocol, settings, certificates, verifiesClients: true })
    expectWhole(told, received)
  })

  test.each(PROTOCOLS)(
    '%s sends nothing to a Collector whose authority is not known, and says so',
    async (protocol) => {
      const { told, received } = await sendSession({ protocol, certificates })
      expect(received).toEqual({ spans: [], logs: [], points: [] })
      expect(told.result.exitCode).toBe(0)
      expect(told.result.stderr.trim().split('\n')).toHaveLength(1)
      expect(told.result.stderr).toStartWith('claude-otel: ')
    },
  )
})

interface Sending extends CollectorOptions {
  readonly protocol: Protocol
  readonly settings?: Readonly<Record<string, string>>
}

/** Plays a session towards a new Collector and returns both accounts of it, and how many bytes went over the wire. */
async function sendSession({ protocol, settings = {}, ...options }: Sending) {
  const collector: Collector = await startCollector(options)
  const relay = await startRelay(collector.ports[protocol])
  try {
    const told = await playSession({
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: `${options.certificates ? 'https' : 'http'}://localhost:${relay.port}`,
      ...settings,
    })
    return { told, received: await collector.stop(), sentBytes: relay.sentBytes() }
  } finally {
    relay.close()
    await collector.close()
  }
}

function expectWhole({ result, served, requests }: Told, { spans, logs, points }: Received): void {
  expect({ exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr }).toEqual({
    exitCode: 0,
    stdout: 'Two lines.\n',
    stderr: '',
  })
  const tree = renderTree(spans, { attributes: ['tool.status'] })
  expect(tree.replace(/\bchat \S+/g, 'chat MODEL')).toBe(TREE)

  const [root] = spans.filter(({ parentSpanId }) => parentSpanId === undefined)
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([root?.traceId ?? '']))
  const spanIds = spans.map(({ spanId }) => spanId)
  expect(new Set(spanIds).size).toBe(spanIds.length)

  const strays = logs.filter(({ traceId, spanId }) => traceId !== root?.traceId || !spanIds.includes(spanId))
  expect(strays).toEqual([])
  expect(counts(logs.map(({ eventName }) => eventName))).toMatchObject(EVENTS)

  expect(points.map(({ name }) => name)).toEqual(expect.arrayContaining(METRICS))
  const { thinking: _, ...tokens } = served
  expect(chatTokens(spans)).toEqual(tokens)
  expect(metricTotals(points, 'claude.tokens_total', 'token.kind')).toEqual({
    input: tokens.input,
    output: tokens.output,
    cache_read: tokens.cacheRead,
    cache_creation: tokens.cacheCreation,
  })
  expect(metricTotals(points, 'claude.model_requests_total')).toEqual({ '': requests })
  expect(metricTotals(points, 'claude.tool_calls_total', 'tool.status')).toEqual({ success: 3, error: 1 })
}

function counts(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]))
}
