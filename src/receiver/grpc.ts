/**
 * OTLP over gRPC: the three Export services, plain or packed, answered with gRPC's own codes. Nobody knows how large a message is
 * until it is there, so that only so many may arrive at a time; the others wait unread, which holds their senders back.
 */

import {
  type handleUnaryCall,
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  setLogVerbosity,
} from '@grpc/grpc-js'
import type { SignalType } from '../telemetry/signal.ts'
import { type Refusal, refusalCodes, renderRefusal, renderTaken } from './answers.ts'
import type { Intake, Place } from './intake.ts'
import { Lanes } from './lanes.ts'

export interface GrpcServer {
  readonly port: number
  /** Takes no more calls and answers those that are there; cuts what is left when `signal` says so. */
  close(signal: AbortSignal): Promise<void>
}

const services: { readonly [S in SignalType]: string } = {
  traces: 'opentelemetry.proto.collector.trace.v1.TraceService',
  logs: 'opentelemetry.proto.collector.logs.v1.LogsService',
  metrics: 'opentelemetry.proto.collector.metrics.v1.MetricsService',
}

/** The places of calls whose message is not there yet, by the metadata that grpc-js hands to the service. */
type Places = WeakMap<Metadata, Place>

// What goes wrong is told to whoever called; grpc-js would write it to the terminal as well.
setLogVerbosity(logVerbosity.NONE)

/** Starts to listen. Rejects with what the system says of a port that cannot be had. */
export async function startGrpc(host: string, port: number, intake: Intake): Promise<GrpcServer> {
  const places: Places = new WeakMap()
  const server = new Server({
    'grpc.max_receive_message_length': intake.limits.requestBytes,
    interceptors: [door(intake, places)],
  })
  for (const signal of ['traces', 'logs', 'metrics'] as const) {
    server.addService(definition(signal), { Export: exportOf(signal, intake, places) })
  }
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, at) => (error ? reject(error) : resolve(at)))
  })
  return { port: bound, close: (signal) => closeServer(server, signal) }
}

function closeServer(server: Server, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cut = () => server.forceShutdown()
    signal.addEventListener('abort', cut, { once: true })
    server.tryShutdown(() => {
      signal.removeEventListener('abort', cut)
      resolve()
    })
    if (signal.aborted) cut()
  })
}

function definition(signal: SignalType) {
  const as = (message: Buffer) => message
  const codecs = { requestSerialize: as, requestDeserialize: as, responseSerialize: as, responseDeserialize: as }
  return {
    Export: { path: `/${services[signal]}/Export`, requestStream: false, responseStream: false, ...codecs },
  } as const
}

/** What every call passes: the token, a place, a lane for its message. It gives back what the service does not take over. */
function door(intake: Intake, places: Places): ServerInterceptor {
  const { heldBytes, requestBytes, arrivalMs } = intake.limits
  const lanes = new Lanes(Math.max(1, Math.floor(heldBytes / requestBytes)))
  return (_method, call) => {
    const refuse = (refusal: Refusal) => call.sendStatus(failure(refusal))
    let giveBack = () => {}
    let arrived = () => {}
    return new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            const place = admit(intake, metadata)
            if ('refused' in place) return refuse(place)
            places.set(metadata, place)
            const late = setTimeout(() => refuse(intake.refuseSlow()), arrivalMs)
            const lane = lanes.lane(() => pass(metadata))
            arrived = () => {
              clearTimeout(late)
              lane.leave()
            }
            giveBack = () => {
              arrived()
              if (places.delete(metadata)) place.leave()
            }
            lane.enter()
          },
          onReceiveMessage(message, pass) {
            arrived()
            pass(message)
          },
          onCancel: () => giveBack(),
        })
      },
    })
  }
}

function admit(intake: Intake, metadata: Metadata): Place | Refusal {
  const authorization = metadata.get('authorization')[0]
  if (!intake.isAuthorized(authorization?.toString())) return intake.refuseUnauthorized()
  return intake.enter() ?? intake.refuseOverload()
}

function exportOf(signal: SignalType, intake: Intake, places: Places): handleUnaryCall<Buffer, Buffer> {
  return async ({ request, metadata }, answer) => {
    const place = places.get(metadata)
    places.delete(metadata)
    const outcome = place?.hold(request.length)
      ? await intake.take(signal, 'protobuf', request)
      : intake.refuseOverload()
    place?.leave()
    if ('refused' in outcome) answer(failure(outcome))
    else answer(null, renderTaken(signal, 'protobuf', outcome))
  }
}

function failure(refusal: Refusal): { code: number; details: string; metadata: Metadata } {
  const metadata = new Metadata()
  if (refusal.retryAfterMs !== undefined) {
    metadata.set('grpc-status-details-bin', renderRefusal('protobuf', refusal))
  }
  return { code: refusalCodes[refusal.refused].grpc, details: refusal.message, metadata }
}
