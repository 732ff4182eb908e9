/**
 * The table of exporters. Each takes the SDK's finished objects and answers with an outcome, never with an exception,
 * never with a retry of its own: when to try again, and what a failure costs, is delivery's to decide.
 */

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs'
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { describeError } from '../base/errors.ts'
import { appendRotating } from '../base/rotating-file.ts'
import type { BatchSettings, Destination, ExporterKind } from '../config/config.ts'
import { type PresetName, presets } from '../config/presets.ts'
import type { SignalType } from '../telemetry/signal.ts'
import { jsonSerializers } from './serializers.ts'

/** What one request carries, by signal. */
export interface Payloads {
  readonly traces: readonly ReadableSpan[]
  readonly logs: readonly ReadableLogRecord[]
  readonly metrics: ResourceMetrics
}

export type Outcome =
  /** `lost` of the records were refused by a server that took the rest. */
  | { readonly status: 'accepted'; readonly lost?: number; readonly reason?: string }
  /** Not now; `afterMs` is the server's own wish, `hint` what a person may want to look at. */
  | { readonly status: 'retry'; readonly afterMs?: number; readonly reason: string; readonly hint?: string }
  /** Not with this configuration, and trying again will not mend that: kept until a person has. */
  | { readonly status: 'held'; readonly reason: string; readonly hint: string }
  /** Never; `tooLarge`: a smaller request might pass. */
  | { readonly status: 'rejected'; readonly tooLarge?: boolean; readonly reason: string }

/** What a server that says 401 or 403 wants. */
export const checkCredentials = 'check the headers of this destination'

/** What connections fail of, in the words of the clients' error messages, and what to look at. */
const hints: readonly (readonly [RegExp, string])[] = [
  [/ENOTFOUND|EAI_AGAIN|ENODATA|getaddrinfo|name resolution|resolve host/i, 'check the host of the endpoint'],
  [/certificate|self.signed|CERT_|issuer|PEM|\bTLS\b|\bSSL\b/i, 'check the certificates of this destination'],
  [/ECONNREFUSED|unable to connect/i, 'nobody listens there'],
]

/** An attempt that got no answer. */
export function unanswered(reason: string): Outcome {
  const hint = hints.find(([words]) => words.test(reason))?.[1]
  return { status: 'retry', reason, ...(hint === undefined ? {} : { hint }) }
}

export interface Exporter<T extends SignalType> {
  /** One attempt. Resolves by `deadline` at the latest and never rejects. */
  send(payload: Payloads[T], deadline: AbortSignal): Promise<Outcome>
  close(): void
}

type Table = {
  readonly [K in ExporterKind]: <T extends SignalType>(
    type: T,
    destination: Destination<K>,
    batch: BatchSettings,
  ) => Promise<Exporter<T>>
}

const exporters: Table = {
  async otlp(type, { target, preset }, { exportTimeoutMs }) {
    const within = { ...target, timeoutMs: Math.min(target.timeoutMs, exportTimeoutMs) }
    if (target.protocol === 'grpc') return (await import('./otlp-grpc.ts')).openGrpc(type, within)
    const exporter = (await import('./otlp-http.ts')).openHttp(type, within)
    return preset === undefined ? exporter : namingVariables(exporter, preset.name)
  },
  console: async (type) => openConsole(type),
  file: async (type, destination) => openFile(type, destination),
}

/** The user has not written headers but variables. */
function namingVariables<T extends SignalType>(exporter: Exporter<T>, name: PresetName): Exporter<T> {
  const hint = `check ${presets[name].needs.map((oneOf) => oneOf.join(' or ')).join(', ')}`
  return {
    async send(payload, deadline) {
      const outcome = await exporter.send(payload, deadline)
      return outcome.status === 'held' && outcome.hint === checkCredentials ? { ...outcome, hint } : outcome
    },
    close: () => exporter.close(),
  }
}

/** Opens what the destination's kind asks for. Rejects where it cannot be opened now: a certificate that is not there. */
export function openExporter<T extends SignalType, K extends ExporterKind>(
  type: T,
  destination: Destination<K>,
  batch: BatchSettings,
): Promise<Exporter<T>> {
  return exporters[destination.kind as K](type, destination, batch)
}

/** OTLP/JSON on stderr, and only at the end: stdout is claude's, and so is the screen while it runs. */
function openConsole<T extends SignalType>(type: T): Exporter<T> {
  const held: string[] = []
  return {
    async send(payload) {
      held.push(toJson(type, payload))
      return { status: 'accepted' }
    },
    close() {
      for (const line of held.splice(0)) process.stderr.write(`${JSON.stringify(JSON.parse(line), null, 2)}\n`)
    },
  }
}

/** OTLP/JSON lines, one request each, in a file of the user's alone. One write per line, so that lines stay whole. */
function openFile<T extends SignalType>(
  type: T,
  { path, maxBytes = Number.POSITIVE_INFINITY }: Destination<'file'>,
): Exporter<T> {
  return {
    async send(payload) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
        appendRotating(path, `${toJson(type, payload)}\n`, maxBytes)
        return { status: 'accepted' }
      } catch (error) {
        return { status: 'retry', reason: describeError(error) }
      }
    },
    close() {},
  }
}

function toJson<T extends SignalType>(type: T, payload: Payloads[T]): string {
  return new TextDecoder().decode(jsonSerializers[type].serialize(payload))
}
