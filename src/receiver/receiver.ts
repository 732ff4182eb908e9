/** The receiver of OTLP: one door for gRPC, one for HTTP, one intake behind both. What it has decoded goes to `accept`. */

import { describeError, Failure } from '../base/errors.ts'
import { startGrpc } from './grpc.ts'
import { type HttpServer, startHttp } from './http.ts'
import { defaultLimits, Intake, type IntakeOptions, type ReceiverCounts, type ReceiverLimits } from './intake.ts'

export type { ReceiverCounts, ReceiverLimits, Verdict } from './intake.ts'

export interface ReceiverOptions extends Pick<IntakeOptions, 'token' | 'log' | 'accept'> {
  readonly host: string
  /** 0 is any free one. */
  readonly grpcPort: number
  readonly httpPort: number
  readonly limits?: Partial<ReceiverLimits>
}

export interface Receiver {
  readonly grpcPort: number
  readonly httpPort: number
  counts(): ReceiverCounts
  /** Takes nothing new, answers what is there; cuts what is left when `signal` says so. */
  close(signal: AbortSignal): Promise<void>
}

/**
 * Listens on both ports. A sender has its answer when `accept` is done: a batch counts as kept from then on. Throws a Failure
 * ('unavailable') for a port that cannot be had, with nothing left open.
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { host, grpcPort, httpPort, limits } = options
  const intake = new Intake({ ...options, limits: { ...defaultLimits, ...limits } })
  const http = openHttp(host, httpPort, intake)
  const grpc = await startGrpc(host, grpcPort, intake).catch(async (error) => {
    await http.close(AbortSignal.abort())
    throw unavailable('gRPC', host, grpcPort, error)
  })
  return {
    grpcPort: grpc.port,
    httpPort: http.port,
    counts: () => intake.counts(),
    close: async (signal) => void (await Promise.all([grpc.close(signal), http.close(signal)])),
  }
}

function openHttp(host: string, port: number, intake: Intake): HttpServer {
  try {
    return startHttp(host, port, intake)
  } catch (error) {
    throw unavailable('HTTP', host, port, error)
  }
}

function unavailable(protocol: string, host: string, port: number, error: unknown): Failure {
  const words = describeError(error)
  const isTaken = /EADDRINUSE|in use/i.test(`${error instanceof Error && 'code' in error ? error.code : ''} ${words}`)
  const flag = protocol === 'gRPC' ? '--grpc-port' : '--http-port'
  return isTaken
    ? new Failure(
        'unavailable',
        `port ${port} of ${host}, for OTLP over ${protocol}, is taken`,
        `end who listens there, or choose another port: ${flag} <port>`,
      )
    : new Failure(
        'unavailable',
        `cannot listen on port ${port} of ${host} for OTLP over ${protocol}: ${words}`,
        `choose another: --host <host>, ${flag} <port>`,
      )
}
