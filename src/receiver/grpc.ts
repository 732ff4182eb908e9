/** OTLP over gRPC: the three Export services, plain or packed, answered with gRPC's own codes. */

import { type handleUnaryCall, logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js'
import type { SignalType } from '../telemetry/signal.ts'
import { renderTaken } from './answers.ts'
import { type Door, failure, openDoor } from './grpc-door.ts'
import type { Intake } from './intake.ts'

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

// What goes wrong is told to whoever called; grpc-js would write it to the terminal as well.
setLogVerbosity(logVerbosity.NONE)

/** Starts to listen. Rejects with what the system says of a port that cannot be had. */
export async function startGrpc(host: string, port: number, intake: Intake): Promise<GrpcServer> {
  const door = openDoor(intake)
  const server = new Server({
    'grpc.max_receive_message_length': intake.limits.requestBytes,
    interceptors: [door.interceptor],
  })
  for (const signal of ['traces', 'logs', 'metrics'] as const) {
    server.addService(definition(signal), { Export: exportOf(signal, intake, door) })
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

function exportOf(signal: SignalType, intake: Intake, door: Door): handleUnaryCall<Buffer, Buffer> {
  return async ({ request, metadata }, answer) => {
    const place = door.claim(metadata)
    const outcome = place?.hold(request.length)
      ? await intake.take(signal, 'protobuf', request)
      : intake.refuseOverload()
    place?.leave()
    if ('refused' in outcome) answer(failure(outcome))
    else answer(null, renderTaken(signal, 'protobuf', outcome))
  }
}
