/**
 * What both encodings of OTLP fill: records with the defaults of the protocol, and the batch that takes them, counts them and turns
 * away what nobody could keep. What the two decoders agree on stands here, so that the same content gives the same batch.
 */

import type {
  OtlpAttributes,
  OtlpBatch,
  OtlpExemplar,
  OtlpLogRecord,
  OtlpPoint,
  OtlpSource,
  OtlpSpan,
  OtlpSpanEvent,
  OtlpSpanLink,
  OtlpValue,
} from '../telemetry/otlp.ts'
import type { SignalType } from '../telemetry/signal.ts'

/** The sender's mistake: the message says where and what. */
export class Malformed extends Error {}

/** More than a receiver takes in one request. */
export class TooLarge extends Error {}

/** What a request brought, and how many of its records cannot be kept, with the reason of the first of them. */
export interface Decoded {
  readonly batch: OtlpBatch
  readonly rejected: number
  readonly message?: string
}

/** Values inside of values, and what may hold them: what protobuf's own libraries allow. */
export const deepestValue = 100

/**
 * Records, events, links, exemplars and groups of one request. An empty one is two bytes on the wire and a hundred times that in
 * memory; those of real senders are never near two bytes, and a full request of 64 MiB has fewer.
 */
const mostRecords = 1_000_000

/**
 * Messages in one another on the wire, and values of JSON, of one request: what even an empty one costs in memory has a bound, too. A
 * full request of a real sender has half as many.
 */
export const mostParts = 8_000_000

/** Counts what a request makes us keep. */
export class Count {
  #left = mostRecords

  /** Throws TooLarge when there is no room for one more. */
  add(): void {
    if (this.#left-- === 0) throw new TooLarge(`more than ${mostRecords} records in one request`)
  }
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

export type SourceDraft = Draft<OtlpSource>
export type SpanDraft = Draft<OtlpSpan> & { readonly events: OtlpSpanEvent[]; readonly links: OtlpSpanLink[] }
export type LogDraft = Draft<OtlpLogRecord>
export type EventDraft = Draft<OtlpSpanEvent>
export type LinkDraft = Draft<OtlpSpanLink>
export type ExemplarDraft = Draft<OtlpExemplar>

export function newSource(resource: OtlpAttributes): SourceDraft {
  return { resource, scopeName: '', scopeVersion: '', scopeAttributes: {} }
}

export function newSpan(source: OtlpSource): SpanDraft {
  return {
    source,
    traceId: '',
    spanId: '',
    flags: 0,
    name: '',
    kind: 0,
    startUnixMicro: 0,
    endUnixMicro: 0,
    attributes: {},
    events: [],
    links: [],
    statusCode: 0,
  }
}

export function newLog(source: OtlpSource): LogDraft {
  return { source, timeUnixMicro: 0, observedUnixMicro: 0, severityNumber: 0, attributes: {} }
}

export function newEvent(): EventDraft {
  return { timeUnixMicro: 0, name: '', attributes: {} }
}

export function newLink(): LinkDraft {
  return { traceId: '', spanId: '', attributes: {} }
}

export function newExemplar(): ExemplarDraft {
  return { timeUnixMicro: 0, value: 0, attributes: {} }
}

/** A key of an attribute may be any text: `__proto__` is a name like others. */
export function setValue(target: { [key: string]: OtlpValue }, key: string, value: OtlpValue): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}

/** A field that is empty is absent; what is said last counts. */
export function setText<K extends string>(target: { [key in K]?: string }, key: K, value: string | undefined): void {
  if (value !== undefined && value !== '') target[key] = value
  else if (target[key] !== undefined) delete target[key]
}

const zeros = /^0*$/

/** Lower-case hex of an id; `undefined` for one that says nothing: it is empty or all zeros. */
export function knownId(hex: string): string | undefined {
  return hex.charCodeAt(0) === 48 ? (zeros.test(hex) ? undefined : hex) : hex === '' ? undefined : hex
}

/** The records of one request as they come; `decoded` when all are there. */
export class BatchDraft {
  readonly count = new Count()
  readonly #spans: OtlpSpan[] = []
  readonly #logs: OtlpLogRecord[] = []
  readonly #points: OtlpPoint[] = []
  #rejected = 0
  #message: string | undefined

  constructor(readonly signal: SignalType) {}

  /** A span that has no ids is one of nobody's trace: it is rejected. */
  addSpan(span: SpanDraft): void {
    if (span.traceId !== '' && span.spanId !== '') return void this.#spans.push(span)
    this.#rejected++
    this.#message ??= `a span without ${span.traceId === '' ? 'a trace id' : 'a span id'}: ${JSON.stringify(span.name.slice(0, 100))}`
  }

  addLog(record: LogDraft): void {
    const named = record.attributes['event.name']
    if (record.eventName === undefined && typeof named === 'string' && named !== '') record.eventName = named
    this.#logs.push(record)
  }

  addPoint(point: OtlpPoint): void {
    this.#points.push(point)
  }

  decoded(): Decoded {
    return {
      batch: this.#batch(),
      rejected: this.#rejected,
      ...(this.#message === undefined ? {} : { message: this.#message }),
    }
  }

  #batch(): OtlpBatch {
    switch (this.signal) {
      case 'traces':
        return { signal: 'traces', spans: this.#spans }
      case 'logs':
        return { signal: 'logs', logs: this.#logs }
      case 'metrics':
        return { signal: 'metrics', points: this.#points }
    }
  }
}
