/** Requests of OTLP/JSON for the tests of the stack: a session as claude-otel tells it, in as few words as matter there. */

const service = {
  attributes: [attribute('service.name', 'claude-code'), attribute('service.instance.id', 'of a process')],
}
const scope = { name: 'claude-otel', version: '1' }

interface SpanFacts {
  readonly id: string
  readonly name: string
  readonly atMs: number
  readonly durationMs?: number
  readonly attributes: Readonly<Record<string, string | number>>
}

export function tracesOf(traceId: string, spans: readonly SpanFacts[]): object {
  const all = spans.map(({ id, name, atMs, durationMs = 0, attributes }) => ({
    traceId,
    spanId: id.padStart(16, '0'),
    name,
    kind: 1,
    startTimeUnixNano: nano(atMs),
    endTimeUnixNano: nano(atMs + durationMs),
    attributes: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
  }))
  return { resourceSpans: [{ resource: service, scopeSpans: [{ scope, spans: all }] }] }
}

/** A chat span with as many tokens of each kind as its number says. */
export function chat(session: string, number: number, atMs: number): SpanFacts {
  return {
    id: `c${number}`,
    name: 'chat claude-x',
    atMs,
    durationMs: 1000,
    attributes: {
      'session.id': session,
      'gen_ai.operation.name': 'chat',
      'gen_ai.response.model': 'claude-x',
      'gen_ai.response.id': `msg_${number}`,
      'tokens.input': number,
      'tokens.output': 2 * number,
      'tokens.cache_read': 3 * number,
      'tokens.cache_creation': 4 * number,
    },
  }
}

export function toolCall(session: string, number: number, atMs: number, status = 'success'): SpanFacts {
  return {
    id: `d${number}`,
    name: 'execute_tool Bash',
    atMs,
    durationMs: 100 * number,
    attributes: {
      'session.id': session,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': 'Bash',
      // A word, though it looks like a number.
      'gen_ai.tool.call.id': '1234',
      'tool.status': status,
      duration_ms: 100 * number,
      'input.summary': `echo ${number}`,
    },
  }
}

export function logsOf(
  session: string,
  events: readonly { readonly name: string; readonly atMs: number; readonly attributes?: object }[],
  scopeName = scope.name,
): object {
  const logRecords = events.map(({ name, atMs, attributes = {} }) => ({
    timeUnixNano: nano(atMs),
    severityNumber: 9,
    severityText: 'INFO',
    eventName: name,
    body: { stringValue: name },
    attributes: Object.entries({ 'session.id': session, 'event.name': name, ...attributes }).map(([key, value]) =>
      attribute(key, value),
    ),
  }))
  return { resourceLogs: [{ resource: service, scopeLogs: [{ scope: { name: scopeName }, logRecords }] }] }
}

/** A cumulative counter of costs at several times. */
export function costsOf(session: string, startMs: number, values: readonly (readonly [number, number])[]): object {
  const dataPoints = values.map(([atMs, asDouble]) => ({
    startTimeUnixNano: nano(startMs),
    timeUnixNano: nano(atMs),
    asDouble,
    attributes: [attribute('session.id', session), attribute('gen_ai.request.model', 'claude-x')],
  }))
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints }
  return {
    resourceMetrics: [
      {
        resource: service,
        scopeMetrics: [{ scope, metrics: [{ name: 'claude.cost_usd_total', unit: '{USD}', sum }] }],
      },
    ],
  }
}

export function attribute(key: string, value: string | number): object {
  return { key, value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) } }
}

function nano(ms: number): string {
  return String(BigInt(ms) * 1_000_000n)
}
