/** Signals and configurations for the tests of export. */

import { type Config, type Destination, type Environment, resolveConfig } from '../../src/config/config.ts'
import type { LogSignal, MetricSignal, SignalType, SpanSignal } from '../../src/telemetry/signal.ts'

export const start = 1_800_000_000_000_000
export const traceId = '0af7651916cd43dd8448eb211c80319c'

const hex = (number: number) => (number + 1).toString(16).padStart(16, '0')

export function span(number = 0, more: Partial<SpanSignal> = {}): SpanSignal {
  return {
    kind: 'span',
    ref: { traceId, spanId: hex(number), traceFlags: 1 },
    name: `span ${number}`,
    spanKind: 'internal',
    startUnixMicro: start + number,
    endUnixMicro: start + number + 1_234_567,
    attributes: { number },
    events: [],
    links: [],
    ...more,
  }
}

export function log(number = 0, more: Partial<LogSignal> = {}): LogSignal {
  return {
    kind: 'log',
    eventName: 'claude.event',
    body: `log ${number}`,
    severity: 'info',
    timeUnixMicro: start + number,
    ref: { traceId, spanId: hex(0), traceFlags: 1 },
    attributes: { number },
    ...more,
  }
}

export function metric(number = 0, more: Partial<MetricSignal> = {}): MetricSignal {
  return {
    kind: 'metric',
    instrument: 'claude.turns_total',
    value: 1,
    timeUnixMicro: start + number,
    attributes: { outcome: 'ok' },
    ...more,
  }
}

export const each = <S>(count: number, make: (number: number) => S): S[] =>
  Array.from({ length: count }, (_, number) => make(number))

/** A destination of an OTLP collector as the configuration has it. */
export function otlpOf(config: Config, type: SignalType): Destination<'otlp'> {
  const found = config.signals[type].destinations.find((each) => each.kind === 'otlp')
  if (found === undefined) throw new Error('no OTLP destination')
  return found
}

export function configOf(env: Environment): Config {
  const { config, problems } = resolveConfig({ env: { HOME: '/nowhere', ...env } })
  if (problems[0] !== undefined) throw problems[0]
  return config
}
