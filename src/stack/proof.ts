/** A span, a log record and a point that go through the whole stack and are read back from ClickHouse. */
import { randomBytes } from 'node:crypto'
import { describeError, Failure } from '../base/errors.ts'
import { version } from '../base/version.ts'
import type { ClickHouse } from '../store/clickhouse-client.ts'
import type { ClickHousePlace } from '../store/clickhouse-place.ts'
import type { StackSettings } from './settings.ts'

const pollMs = 250
const answerMs = 10_000

export function clickhouseOf({ ports, secrets }: StackSettings): ClickHousePlace {
  const url = `http://127.0.0.1:${ports.clickhouseHttp}`
  return { url, user: 'otel', password: secrets.clickhouse, database: 'otel' }
}

/** Resolves when all three were read back. Rejects with a Failure that names what did not arrive. */
export async function proveStack(settings: StackSettings, clickhouse: ClickHouse, limitMs: number): Promise<void> {
  const traceId = randomBytes(16).toString('hex')
  const bodies = testSignals(traceId, BigInt(Date.now()) * 1_000_000n)
  for (const [signal, body] of Object.entries(bodies)) await send(settings, signal, body)
  const untilMs = performance.now() + limitMs
  for (const [signal, question] of Object.entries(readBack(traceId))) {
    while ((await clickhouse.rows(question)).length === 0) {
      if (performance.now() > untilMs)
        throw new Failure(
          'unavailable',
          `the Collector took the test's ${signal}, and ClickHouse does not have it`,
          'see `claude-otel stack logs collector`',
        )
      await Bun.sleep(pollMs)
    }
  }
}

async function send({ ports, secrets }: StackSettings, signal: string, body: object): Promise<void> {
  const url = `http://127.0.0.1:${ports.otlpHttp}/v1/${signal}`
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${secrets.otlpToken}` },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(answerMs),
  }).catch((error: unknown) => {
    throw new Failure('unavailable', `the Collector at ${url} does not answer: ${describeError(error)}`)
  })
  if (response.ok) return
  throw new Failure(
    'unavailable',
    `something else than this stack's Collector listens at ${url}: it answers ${response.status}`,
    'give the stack other ports in its .env, then `claude-otel stack init`',
  )
}

const serviceName = 'claude-otel-stack'
const metricName = 'claude_otel.stack.test'

function testSignals(traceId: string, timeUnixNano: bigint): Readonly<Record<string, object>> {
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } })
  const resource = { attributes: [text('service.name', serviceName), text('service.version', version)] }
  const scope = { name: 'claude-otel-stack' }
  const spanId = traceId.slice(0, 16)
  const time = String(timeUnixNano)
  const span = { traceId, spanId, name: 'stack test', kind: 1, startTimeUnixNano: time, endTimeUnixNano: time }
  const log = { traceId, spanId, timeUnixNano: time, body: { stringValue: 'stack test' } }
  const point = { timeUnixNano: time, asInt: '1', attributes: [text('trace.id', traceId)] }
  return {
    traces: { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span] }] }] },
    logs: { resourceLogs: [{ resource, scopeLogs: [{ scope, logRecords: [log] }] }] },
    metrics: {
      resourceMetrics: [
        { resource, scopeMetrics: [{ scope, metrics: [{ name: metricName, gauge: { dataPoints: [point] } }] }] },
      ],
    },
  }
}

function readBack(traceId: string): Readonly<Record<string, string>> {
  return {
    span: `SELECT SpanId FROM otel_traces WHERE TraceId = '${traceId}'`,
    'log record': `SELECT SpanId FROM otel_logs WHERE TraceId = '${traceId}'`,
    metric: `SELECT Value FROM otel_metrics_gauge WHERE MetricName = '${metricName}' AND Attributes['trace.id'] = '${traceId}'`,
  }
}
