/** The settings of the hub, its prices and its guard. */
import { command, type GuardMeasure, guardEntries, type Threshold, threshold, webhook } from './guard-kinds.ts'
import { bearerToken, bytes, duration, integer, onOff, path, text } from './kinds.ts'
import type { Setting } from './settings.ts'

const port = integer(0, 65_535)

export const hubSettings = {
  'hub.enabled': {
    get kind() {
      return onOff()
    },
    fallback: true,
    env: ['CLAUDE_OTEL_HUB'],
    description:
      'with no endpoint, telemetry and Claude Code’s own go to the hub on this machine, which is started when needed',
  },
  'hub.idle': {
    get kind() {
      return duration(1000)
    },
    fallback: 1_800_000,
    env: ['CLAUDE_OTEL_HUB_IDLE'],
    description: 'a hub that was started in the background ends when nobody has sent or looked for so long',
  },
  'hub.host': {
    get kind() {
      return text()
    },
    fallback: '127.0.0.1',
    env: ['CLAUDE_OTEL_HUB_HOST'],
    description: 'serve: the address it listens at; beyond loopback it wants hub.token',
  },
  'hub.grpcPort': {
    get kind() {
      return port
    },
    fallback: 4317,
    env: ['CLAUDE_OTEL_HUB_GRPC_PORT'],
    description: 'serve: port of OTLP over gRPC; 0 = a free one',
  },
  'hub.httpPort': {
    get kind() {
      return port
    },
    fallback: 4318,
    env: ['CLAUDE_OTEL_HUB_HTTP_PORT', 'OTLP_RECEIVER_PORT'],
    description: 'serve: port of OTLP over HTTP; 0 = a free one',
  },
  'hub.port': {
    get kind() {
      return port
    },
    fallback: 3030,
    env: ['CLAUDE_OTEL_HUB_PORT'],
    description: 'serve: port of the dashboard; 0 = a free one',
  },
  'hub.store': {
    get kind() {
      return text()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_HUB_STORE', 'CLAUDE_OTEL_STORE'],
    description:
      'serve, usage, backfill: where the hub keeps what it gets, a path or the URL of a ClickHouse; hub.db in the state folder when nothing sets it',
  },
  'hub.token': {
    get kind() {
      return bearerToken()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_HUB_TOKEN'],
    secret: true,
    description: 'serve: bearer token that senders and readers must show',
  },
  'hub.size': {
    get kind() {
      return bytes(1_000_000)
    },
    fallback: 2_000_000_000,
    env: ['CLAUDE_OTEL_HUB_SIZE'],
    description: 'serve: what the store may take of the disk; the oldest goes first, usage stays; of a SQLite store',
  },
  'hub.age': {
    get kind() {
      return duration(60_000)
    },
    fallback: 30 * 86_400_000,
    env: ['CLAUDE_OTEL_HUB_AGE'],
    description:
      'serve: how long spans, log records and points are kept; usage stays. In ClickHouse what tables made by the hub begin with',
  },
  prices: {
    get kind() {
      return path()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_PRICES'],
    description:
      'serve, usage, backfill: JSON file with prices and contexts of models, looked at before the built-in table',
  },
  guard: {
    get kind() {
      return guardEntries()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_GUARD'],
    secret: true,
    description: 'serve: thresholds and what to do about them, a JSON list of {"on", "above", "per", "do"}',
  },
  'guard.context': guardSetting('context', 'CONTEXT', 'context of a session, such as 80% or 150k tokens'),
  'guard.tokens': guardSetting('tokens', 'TOKENS', 'tokens of a session, such as 2M'),
  'guard.cost': guardSetting('cost', 'COST', 'cost of a session in US dollars'),
  'guard.dayTokens': guardSetting('tokens', 'DAY_TOKENS', 'tokens of all sessions in a day'),
  'guard.dayCost': guardSetting('cost', 'DAY_COST', 'cost of all sessions in a day, in US dollars'),
  'guard.command': {
    get kind() {
      return command()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_GUARD_COMMAND'],
    description: 'serve: what is run for the five settings above: a program, or a JSON list of it and its arguments',
  },
  'guard.webhook': {
    get kind() {
      return webhook()
    },
    fallback: undefined,
    env: ['CLAUDE_OTEL_GUARD_WEBHOOK'],
    secret: true,
    description: 'serve: the address that is posted to for them',
  },
  'guard.timeout': {
    get kind() {
      return integer(100, 3_600_000, 'ms')
    },
    fallback: 60_000,
    env: ['CLAUDE_OTEL_GUARD_TIMEOUT'],
    description: 'serve: how long a command of the guard may take',
  },
} as const satisfies Record<string, Setting>

function guardSetting(on: GuardMeasure, name: string, what: string): Setting<Threshold> {
  return {
    kind: threshold(on),
    fallback: undefined,
    env: [`CLAUDE_OTEL_GUARD_${name}`],
    description: `serve: the guard’s threshold for the ${what}`,
  }
}
