/** A receiver on free ports of loopback that keeps what it accepts, and a way to speak to it byte by byte. */

import { connect } from 'node:net'
import { type Receiver, type ReceiverOptions, startReceiver, type Verdict } from '../../src/receiver/receiver.ts'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { until } from '../kit/until.ts'

export interface TestReceiver extends Receiver {
  readonly http: string
  readonly grpc: string
  readonly batches: OtlpBatch[]
  /** What the store says from now on. */
  verdict: () => Promise<Verdict>
  stop(): Promise<void>
}

export async function openReceiver(options: Partial<ReceiverOptions> = {}): Promise<TestReceiver> {
  const batches: OtlpBatch[] = []
  const receiver = await startReceiver({
    ...{ host: '127.0.0.1', grpcPort: 0, httpPort: 0 },
    accept: (batch) => {
      batches.push(batch)
      return opened.verdict()
    },
    ...options,
  })
  const opened: TestReceiver = {
    ...receiver,
    http: `http://127.0.0.1:${receiver.httpPort}`,
    grpc: `http://127.0.0.1:${receiver.grpcPort}`,
    batches,
    verdict: async () => ({ rejected: 0 }),
    stop: () => receiver.close(AbortSignal.abort()),
  }
  return opened
}

/** A promise that is kept when somebody says so. */
export function gate<T>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => {}
  const opened = new Promise<T>((resolve) => {
    open = resolve
  })
  return { opened, open: (value) => open(value) }
}

/** What a server said on one connection. */
export interface Dialogue {
  write(bytes: string | Uint8Array): void
  /** All that came so far. */
  readonly said: () => string
  readonly isClosed: () => boolean
  end(): void
}

export async function openDialogue(port: number): Promise<Dialogue> {
  const chunks: Buffer[] = []
  let isClosed = false
  const socket = connect(port, '127.0.0.1')
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk)))
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  await until('the connection', () => socket.readyState === 'open')
  return {
    write: (bytes) => void socket.write(bytes),
    said: () => Buffer.concat(chunks).toString('latin1'),
    isClosed: () => isClosed,
    end: () => socket.destroy(),
  }
}
