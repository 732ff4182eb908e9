/**
 * What both doors of the receiver share: who may come in, how much may be inside at once, and what becomes of a request that was read
 * to its end. Counts everything that it says.
 */

import { createHash, timingSafeEqual } from 'node:crypto'
import { describeError } from '../base/errors.ts'
import { type Log, noLog } from '../base/log.ts'
import type { OtlpBatch } from '../telemetry/otlp.ts'
import type { SignalType } from '../telemetry/signal.ts'
import type { Encoding, Refusal, RefusalReason, Taken } from './answers.ts'
import { decodeJson } from './json.ts'
import { decodeProtobuf } from './protobuf.ts'
import { type Decoded, Malformed, TooLarge } from './records.ts'

/** What became of a batch: taken but for some records, or to be sent again later. */
export type Verdict = Taken | { readonly retryAfterMs: number }

/** Bounds of what is held at once. */
export interface ReceiverLimits {
  /** Of one request, before and after it is unpacked. */
  readonly requestBytes: number
  /** Of all requests that are not answered yet. */
  readonly heldBytes: number
  readonly heldRequests: number
  /** How long a request may take to arrive. */
  readonly arrivalMs: number
}

export const defaultLimits: ReceiverLimits = {
  requestBytes: 64 * 1024 * 1024,
  heldBytes: 256 * 1024 * 1024,
  heldRequests: 512,
  arrivalMs: 30_000,
}

/** Since the start: records accepted and rejected, requests refused. */
export interface ReceiverCounts {
  readonly accepted: { readonly [S in SignalType]: number }
  readonly rejected: { readonly [S in SignalType]: number }
  readonly refused: { readonly [R in RefusalReason]?: number }
}

export interface IntakeOptions {
  readonly token?: string | undefined
  readonly limits: ReceiverLimits
  readonly log?: Log | undefined
  accept(batch: OtlpBatch): Promise<Verdict>
}

/** One request's place inside. */
export interface Place {
  /** Room for so many bytes more; false where there is none. */
  hold(bytes: number): boolean
  /** To be said once, however the request ended. */
  leave(): void
}

const overloadedRetryMs = 1000
const failedRetryMs = 5000
const longestMessage = 500

export class Intake {
  readonly limits: ReceiverLimits
  readonly #accept: (batch: OtlpBatch) => Promise<Verdict>
  readonly #token: Buffer | undefined
  readonly #log: Log
  readonly #accepted = { traces: 0, logs: 0, metrics: 0 }
  readonly #rejected = { traces: 0, logs: 0, metrics: 0 }
  readonly #refused: { [R in RefusalReason]?: number } = {}
  #requests = 0
  #bytes = 0

  constructor({ token, limits, log = noLog, accept }: IntakeOptions) {
    this.#log = log
    this.limits = limits
    this.#accept = accept
    this.#token = token === undefined ? undefined : digest(token)
  }

  counts(): ReceiverCounts {
    return { accepted: { ...this.#accepted }, rejected: { ...this.#rejected }, refused: { ...this.#refused } }
  }

  get hasToken(): boolean {
    return this.#token !== undefined
  }

  /** Whether an `Authorization` header has the bearer token; everybody may come in where there is none. */
  isAuthorized(header: string | undefined): boolean {
    if (this.#token === undefined) return true
    const given = /^Bearer +(\S+) *$/i.exec(header ?? '')?.[1]
    return given !== undefined && timingSafeEqual(digest(given), this.#token)
  }

  /** A place for one more request; `undefined` where all are taken. */
  enter(): Place | undefined {
    if (this.#requests >= this.limits.heldRequests) return undefined
    this.#requests++
    let held = 0
    return {
      hold: (bytes) => {
        if (this.#bytes + bytes > this.limits.heldBytes) return false
        this.#bytes += bytes
        held += bytes
        return true
      },
      leave: () => {
        this.#requests--
        this.#bytes -= held
      },
    }
  }

  refuse(refused: RefusalReason, message: string, retryAfterMs?: number): Refusal {
    this.#refused[refused] = (this.#refused[refused] ?? 0) + 1
    const short = message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message
    return { refused, message: short, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
  }

  refuseUnauthorized(): Refusal {
    return this.refuse('unauthorized', 'the bearer token is missing or another')
  }

  refuseOverload(): Refusal {
    return this.refuse('overloaded', 'too much is on its way: try again later', overloadedRetryMs)
  }

  refuseSize(what: string): Refusal {
    return this.refuse('tooLarge', `${what} is larger than ${this.limits.requestBytes} bytes`)
  }

  refuseSlow(): Refusal {
    return this.refuse('tooSlow', `the request was not there within ${this.limits.arrivalMs} ms`)
  }

  /** Decodes a request and hands it on; what comes back is the answer. Never throws. */
  async take(signal: SignalType, encoding: Encoding, message: Uint8Array): Promise<Taken | Refusal> {
    let decoded: Decoded
    try {
      decoded = (encoding === 'json' ? decodeJson : decodeProtobuf)(signal, message)
    } catch (error) {
      if (error instanceof TooLarge) return this.refuse('tooLarge', error.message)
      if (error instanceof Malformed)
        return this.refuse('malformed', `no OTLP ${signal} in ${encoding}: ${error.message}`)
      return this.#fail('the decoder', error)
    }
    return this.#handOn(decoded)
  }

  async #handOn({ batch, rejected, message }: Decoded): Promise<Taken | Refusal> {
    const size = sizeOf(batch)
    let verdict: Verdict = { rejected: 0 }
    try {
      if (size > 0) verdict = await this.#accept(batch)
    } catch (error) {
      return this.#fail('the store', error)
    }
    if ('retryAfterMs' in verdict) return this.refuse('unavailable', 'cannot store now', verdict.retryAfterMs)
    this.#accepted[batch.signal] += size - verdict.rejected
    this.#rejected[batch.signal] += rejected + verdict.rejected
    const words = [message, verdict.message].filter((each) => each !== undefined).join('; ')
    return { rejected: rejected + verdict.rejected, ...(words === '' ? {} : { message: words }) }
  }

  /** A mistake of ours: the sender keeps what it has. */
  #fail(who: string, error: unknown): Refusal {
    this.#log(`receiver: ${who} failed: ${describeError(error)}`)
    return this.refuse('unavailable', 'cannot store now', failedRetryMs)
  }
}

function sizeOf(batch: OtlpBatch): number {
  switch (batch.signal) {
    case 'traces':
      return batch.spans.length
    case 'logs':
      return batch.logs.length
    case 'metrics':
      return batch.points.length
  }
}

/** Of one length whatever is given, so that comparing takes one time. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
