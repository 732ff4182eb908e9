/**
 * What every gRPC call passes before its service hears of it: the token, a place, a lane for its message. Nobody knows how large a
 * message is until it is there, so that only so many may arrive at a time; the others wait unread, which holds their senders back.
 * Whatever ends a call until then is said and counted as a refusal of ours, also what grpc-js finds wrong.
 */

import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js'
import { type Refusal, type RefusalReason, refusalCodes, renderRefusal } from './answers.ts'
import type { Intake, Place } from './intake.ts'
import { type Lane, Lanes } from './lanes.ts'

export interface Door {
  readonly interceptor: ServerInterceptor
  /** The place of a call whose message is there, by the metadata that the service has of it; the service gives it back. */
  claim(metadata: Metadata): Place | undefined
}

/** How a call ends that is refused. */
export interface FailureStatus {
  readonly code: status
  readonly details: string
  readonly metadata: Metadata
}

type Call = Parameters<ServerInterceptor>[1]

/** What grpc-js itself ends a call with while its message arrives; anything else is the sender's mistake in another way. */
const reasons: { readonly [code: number]: RefusalReason } = {
  [status.RESOURCE_EXHAUSTED]: 'tooLarge',
  [status.UNIMPLEMENTED]: 'unsupported',
  [status.DEADLINE_EXCEEDED]: 'tooSlow',
}

export function openDoor(intake: Intake): Door {
  const { heldBytes, requestBytes } = intake.limits
  const lanes = new Lanes(Math.max(1, Math.floor(heldBytes / requestBytes)))
  const places = new WeakMap<Metadata, Place>()
  const claim = (metadata: Metadata) => {
    const place = places.get(metadata)
    places.delete(metadata)
    return place
  }
  return {
    claim,
    interceptor: (_method, call) => {
      const arrival = new Arrival(call, intake)
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata(metadata, pass) {
              const place = admit(intake, metadata)
              if ('refused' in place) return arrival.refuse(place)
              places.set(metadata, place)
              arrival.begin(
                lanes.lane(() => pass(metadata)),
                () => claim(metadata)?.leave(),
              )
            },
            onReceiveMessage(message, pass) {
              arrival.end()
              pass(message)
            },
            onReceiveHalfClose(pass) {
              arrival.halfClose()
              pass()
            },
            onCancel: () => arrival.cancel(),
          }),
      })
    },
  }
}

function admit(intake: Intake, metadata: Metadata): Place | Refusal {
  const authorization = metadata.get('authorization')[0]
  if (!intake.isAuthorized(authorization?.toString())) return intake.refuseUnauthorized()
  return intake.enter() ?? intake.refuseOverload()
}

/** One call from its headers until its message is there, or it is over without. */
class Arrival {
  #isOver = false
  #isHalfClosed = false
  #lane: Lane | undefined
  #giveBack = () => {}
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #sendStatus: Call['sendStatus']

  constructor(
    call: Call,
    private readonly intake: Intake,
  ) {
    this.#sendStatus = call.sendStatus.bind(call)
    // All that ends a call goes this way, what comes from grpc-js as well.
    call.sendStatus = (said) => {
      if (this.#isOver) return this.#sendStatus(said)
      const reason = this.#isHalfClosed ? 'cut' : reasons[said.code ?? status.UNKNOWN]
      this.refuse(intake.refuse(reason ?? 'malformed', said.details ?? ''))
    }
  }

  /** Waits for the lane, in which the message comes, and not for ever. `giveBack` is for a message that never comes. */
  begin(lane: Lane, giveBack: () => void): void {
    this.#lane = lane
    this.#giveBack = giveBack
    this.#timer = setTimeout(() => this.refuse(this.intake.refuseSlow()), this.intake.limits.arrivalMs)
    lane.enter()
  }

  /** The sender has said all: without a message it was given up. */
  halfClose(): void {
    this.#isHalfClosed = true
  }

  /** The message is there: the service has the rest. */
  end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#lane?.leave()
  }

  refuse(refusal: Refusal): void {
    this.end()
    this.#sendStatus(failure(refusal))
  }

  /** The call is over, whoever ended it. */
  cancel(): void {
    if (!this.#isOver) this.intake.refuse('cut', 'the call was given up')
    this.end()
    this.#giveBack()
  }
}

export function failure(refusal: Refusal): FailureStatus {
  const metadata = new Metadata()
  if (refusal.retryAfterMs !== undefined) {
    metadata.set('grpc-status-details-bin', renderRefusal('protobuf', refusal))
  }
  return { code: refusalCodes[refusal.refused].grpc, details: refusal.message, metadata }
}
