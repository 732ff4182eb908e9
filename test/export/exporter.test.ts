import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config, Protocol } from '../../src/config/config.ts'
import { type Exporter, type Outcome, openExporter, type Payloads } from '../../src/export/exporter.ts'
import { retryDelay } from '../../src/export/grpc-status.ts'
import { createLogFactory, createMetricState, createSpanFactory } from '../../src/telemetry/provider.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'
import { type Behaviour, type Collector, freePort, retryStatus, startCollector } from './collectors.ts'
import { configOf, log, metric, otlpOf, span, start } from './signals.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-otel-exporter-'))
afterAll(() => rmSync(folder, { recursive: true }))

const types = ['traces', 'logs', 'metrics'] as const
const never = new AbortController().signal

async function payloads(config: Config): Promise<Payloads> {
  const state = createMetricState(config, config.resource, start)
  state.record(metric(), false)
  const finished = createSpanFactory(config, config.resource)(span())
  if (finished === undefined) throw new Error('not sampled')
  return {
    traces: [finished],
    logs: [createLogFactory(config, config.resource)(log())],
    metrics: await state.collect({ fromUnixMicro: start, toUnixMicro: start + 1 }),
  }
}

async function sendOne<T extends SignalType>(type: T, config: Config, deadline = never): Promise<Outcome> {
  const exporter: Exporter<T> = await openExporter(type, otlpOf(config, type), config.signals[type].batch)
  const outcome = await exporter.send((await payloads(config))[type], deadline)
  exporter.close()
  return outcome
}

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const satisfies Protocol[]) {
  describe(`otlp by ${protocol}`, () => {
    let collector: Collector | undefined
    afterEach(() => collector?.stop())

    const connect = async (behaviour: Behaviour, env: Record<string, string> = {}) => {
      collector = await startCollector(protocol)
      collector.behave(behaviour)
      const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_EXPORTER_OTLP_PROTOCOL: protocol }
      return { collector, config: configOf({ ...endpoint, ...env }) }
    }

    test('sends each signal once to its own place and is told that it was accepted', async () => {
      const { collector, config } = await connect('accept')
      for (const type of types) expect(await sendOne(type, config)).toEqual({ status: 'accepted' })
      expect(collector.received.map(({ type }) => type)).toEqual([...types])
      for (const { body } of collector.received) expect(body.length).toBeGreaterThan(100)
    })

    test('sends the same with gzip', async () => {
      const { collector, config } = await connect('accept', { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' })
      for (const type of types) expect(await sendOne(type, config)).toEqual({ status: 'accepted' })
      for (const { body } of collector.received) expect(Buffer.from(body).includes('claude-code')).toBe(true)
      if (protocol !== 'grpc') expect(collector.received[0]?.headers['content-encoding']).toBe('gzip')
    })

    test('sends the configured headers, and none that only the environment of the process has', async () => {
      process.env.OTEL_EXPORTER_OTLP_HEADERS = 'x-stray=secret'
      process.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://127.0.0.1:1'
      try {
        const { collector, config } = await connect('accept', { OTEL_EXPORTER_OTLP_HEADERS: 'X-Key=a%20b' })
        for (const type of types) await sendOne(type, config)
        expect(collector.received).toHaveLength(3)
        for (const { headers } of collector.received) {
          expect(headers['x-key']).toBe('a b')
          expect(headers['x-stray']).toBeUndefined()
          expect(headers['user-agent']).toStartWith('claude-otel/')
        }
        expect(process.env.OTEL_EXPORTER_OTLP_HEADERS).toBe('x-stray=secret')
      } finally {
        delete process.env.OTEL_EXPORTER_OTLP_HEADERS
        delete process.env.OTEL_EXPORTER_OTLP_ENDPOINT
      }
    })

    test('reaches a collector on this machine directly, whatever proxy is set', async () => {
      process.env.HTTP_PROXY = process.env.http_proxy = `http://127.0.0.1:${freePort()}`
      try {
        const { config } = await connect('accept')
        expect(await sendOne('traces', config)).toEqual({ status: 'accepted' })
      } finally {
        delete process.env.HTTP_PROXY
        delete process.env.http_proxy
      }
    })

    test('finds a collector on localhost that listens on 127.0.0.1 only', async () => {
      const { collector, config } = await connect('accept')
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.replace('127.0.0.1', 'localhost') }
      const named = configOf({ ...env, OTEL_EXPORTER_OTLP_PROTOCOL: otlpOf(config, 'logs').target.protocol })
      expect(await sendOne('logs', named)).toEqual({ status: 'accepted' })
    })

    test('tells what a server refused of a request it took', async () => {
      const { config } = await connect('partial')
      for (const type of types) {
        expect(await sendOne(type, config)).toEqual({ status: 'accepted', lost: 3, reason: 'too old' })
      }
    })

    test('is to try again when the server says so', async () => {
      const { config } = await connect('overloaded')
      const outcome = await sendOne('traces', config)
      expect(outcome).toMatchObject({ status: 'retry', afterMs: protocol === 'grpc' ? 7500 : 7000 })
    })

    test('is not to try again what is bad, what broke the server, or what is too large', async () => {
      const { collector, config } = await connect('bad')
      expect(await sendOne('traces', config)).toMatchObject({
        status: 'rejected',
        reason: expect.stringContaining('no such field'),
      })
      collector.behave('broken')
      expect((await sendOne('logs', config)).status).toBe('rejected')
      collector.behave('tooLarge')
      expect(await sendOne('logs', config)).toMatchObject({ status: 'rejected', tooLarge: true })
      expect(collector.received).toHaveLength(3)
    })

    test('is to try again later when the server has too much to do', async () => {
      const { config } = await connect('throttled')
      expect(await sendOne('logs', config)).toMatchObject({ status: 'retry', afterMs: 1000 })
    })

    test('is kept for a person to mend when the server does not let us in', async () => {
      const { collector, config } = await connect('unauthorized')
      for (const behaviour of ['unauthorized', 'forbidden', 'moved'] as const) {
        collector.behave(behaviour)
        expect(await sendOne('traces', config)).toMatchObject({
          status: 'held',
          hint: expect.stringContaining('check'),
        })
      }
      collector.behave('missing')
      expect((await sendOne('traces', config)).status).toBe('rejected')
    })

    test('gives up at its timeout', async () => {
      const { config } = await connect('hang', { OTEL_EXPORTER_OTLP_TIMEOUT: '80' })
      const began = performance.now()
      expect((await sendOne('traces', config)).status).toBe('retry')
      expect(performance.now() - began).toBeWithin(70, 400)
    })

    test('gives up at the deadline', async () => {
      const { config } = await connect('hang')
      const began = performance.now()
      expect((await sendOne('traces', config, AbortSignal.timeout(80))).status).toBe('retry')
      expect(performance.now() - began).toBeWithin(70, 400)
    })

    test('fails at once, to be tried again, where nobody listens', async () => {
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://localhost:${freePort()}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      }
      const began = performance.now()
      const outcome = await sendOne('metrics', configOf(env))
      expect(outcome).toMatchObject({ status: 'retry', reason: expect.stringContaining('ECONNREFUSED') })
      expect(performance.now() - began).toBeLessThan(300)
    })

    test('is to try again what was cut off', async () => {
      const { config } = await connect('cut')
      expect((await sendOne('traces', config)).status).toBe('retry')
    })
  })
}

describe('otlp by http/json', () => {
  test('puts a span into the form that OTLP asks for', async () => {
    const collector = await startCollector('http/json')
    const config = configOf({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/base`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    })
    await sendOne('traces', config)
    collector.stop()
    expect(collector.received[0]?.path).toBe('/base/v1/traces')
    const { resourceSpans } = JSON.parse(Buffer.from(collector.received[0]?.body ?? []).toString())
    expect(resourceSpans[0].scopeSpans[0].scope.name).toBe('claude-otel')
    expect(resourceSpans[0].scopeSpans[0].spans[0]).toMatchObject({
      traceId: span().ref.traceId,
      spanId: span().ref.spanId,
      name: 'span 0',
      startTimeUnixNano: `${start}000`,
      endTimeUnixNano: `${start + 1_234_567}000`,
    })
  })
})

describe('the delay an HTTP server asks for', () => {
  const ask = async (header: string) => {
    const server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response('', { status: 429, headers: { 'retry-after': header } }),
    })
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${server.port}`,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    }
    const outcome = await sendOne('traces', configOf(env))
    server.stop(true)
    return outcome.status === 'retry' ? outcome.afterMs : 'no retry'
  }

  test('is a number of seconds or a date', async () => {
    expect(await ask('0')).toBe(0)
    expect(await ask('120')).toBe(120_000)
    expect(await ask(new Date(Date.now() + 60_000).toUTCString())).toBeWithin(57_000, 60_001)
    expect(await ask('Wed, 21 Oct 2015 07:28:00 GMT')).toBe(0)
  })

  test('is none where it makes no sense', async () => {
    for (const odd of ['soon', '1e3', '-5', '1.5', '99999999999999999999999']) {
      const afterMs = await ask(odd)
      expect(afterMs === undefined || afterMs === 0 || Number(afterMs) >= 86_400_000).toBe(true)
    }
  })
})

describe('file', () => {
  test('appends one line of OTLP/JSON per request to a file of the user alone', async () => {
    const path = join(folder, 'made', 'signals.jsonl')
    const config = configOf({})
    const all = await payloads(config)
    for (const type of types) {
      const exporter = await openExporter(type, { kind: 'file', name: 'f', path }, config.signals[type].batch)
      expect(await exporter.send(all[type], never)).toEqual({ status: 'accepted' })
    }
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => Object.keys(JSON.parse(line)))).toEqual([
      ['resourceSpans'],
      ['resourceLogs'],
      ['resourceMetrics'],
    ])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'made')).mode & 0o777).toBe(0o700)
  })

  test('is to try again what could not be written', async () => {
    const config = configOf({})
    const { batch } = config.signals.logs
    const exporter = await openExporter('logs', { kind: 'file', name: 'f', path: folder }, batch)
    const outcome = await exporter.send((await payloads(config)).logs, never)
    expect(outcome).toMatchObject({ status: 'retry', reason: expect.stringContaining('EISDIR') })
  })
})

describe('console', () => {
  test('writes nothing before it is closed, then readable OTLP/JSON to stderr', async () => {
    const program = `
      const { openExporter } = await import(${JSON.stringify(join(import.meta.dir, '../../src/export/exporter.ts'))})
      const { createLogFactory } = await import(${JSON.stringify(join(import.meta.dir, '../../src/telemetry/provider.ts'))})
      const { configOf, log } = await import(${JSON.stringify(join(import.meta.dir, 'signals.ts'))})
      const config = configOf({})
      const exporter = await openExporter('logs', { kind: 'console', name: 'console' }, config.signals.logs.batch)
      await exporter.send([createLogFactory(config, {})(log())], new AbortController().signal)
      process.stderr.write('before\\n')
      exporter.close()`
    const { stdout, stderr } = Bun.spawnSync([process.execPath, '-e', program])
    expect(stdout.toString()).toBe('')
    const text = stderr.toString()
    expect(text).toStartWith('before\n{\n  "resourceLogs"')
    expect(JSON.parse(text.slice('before\n'.length)).resourceLogs[0].scopeLogs[0].logRecords[0].body).toEqual({
      stringValue: 'log 0',
    })
  })
})

describe('the delay a gRPC server asks for', () => {
  test('is read from its status, and only from there', () => {
    expect(retryDelay(retryStatus(2, 0))).toBe(2000)
    expect(retryDelay(retryStatus(0, 1_500_000))).toBe(1.5)
    for (const other of [
      undefined,
      'text',
      Buffer.from([0xff, 0xff]),
      Buffer.alloc(0),
      retryStatus(2, 0).subarray(0, 20),
      // Minus one second, as ten bytes.
      retryStatus(-1, 0),
    ]) {
      expect(retryDelay(other)).toBeUndefined()
    }
  })
})
