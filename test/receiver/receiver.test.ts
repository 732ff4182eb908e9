/** The receiver as a whole: ports, what it says of those it cannot have, and how it ends. */
import { afterEach, describe, expect, test } from 'bun:test'
import { Client, credentials } from '@grpc/grpc-js'
import { Failure } from '../../src/base/errors.ts'
import type { Receiver } from '../../src/receiver/receiver.ts'
import { freePort } from '../export/collectors.ts'
import { until } from '../kit/until.ts'
import { gate, openDialogue, openReceiver, type TestReceiver } from './kit.ts'
import { encodeJson, encodeProtobuf, everything } from './messages.ts'

const opened: TestReceiver[] = []
afterEach(async () => {
  for (const receiver of opened.splice(0)) await receiver.stop()
})

async function open(options: Parameters<typeof openReceiver>[0] = {}): Promise<TestReceiver> {
  const receiver = await openReceiver(options)
  opened.push(receiver)
  return receiver
}

function send({ http }: TestReceiver): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return fetch(`${http}/v1/logs`, { method: 'POST', headers, body: encodeJson(everything.logs) })
}

async function failureOf(starting: Promise<Receiver>): Promise<Failure> {
  const error = await starting.then(
    () => undefined,
    (reason) => reason,
  )
  if (!(error instanceof Failure)) throw new Error(`no failure: ${error}`)
  return error
}

describe('Ports', () => {
  test('are those that were asked for', async () => {
    const [grpcPort, httpPort] = [freePort(), freePort()]
    const receiver = await open({ grpcPort, httpPort })
    expect([receiver.grpcPort, receiver.httpPort]).toEqual([grpcPort, httpPort])
  })

  test('may be any, and of IPv6', async () => {
    const receiver = await open({ host: '::1' })
    expect(receiver.grpcPort).not.toBe(receiver.httpPort)
    expect((await send({ ...receiver, http: `http://[::1]:${receiver.httpPort}` })).status).toBe(200)
  })

  test.each(['grpcPort', 'httpPort'] as const)(
    'that are taken are told with the mend, and nothing stays open: %s',
    async (which) => {
      const one = await open()
      const other = { grpcPort: freePort(), httpPort: freePort() }
      const failure = await failureOf(openReceiver({ ...other, [which]: one[which] }))
      const [protocol, flag] = which === 'grpcPort' ? ['gRPC', '--grpc-port'] : ['HTTP', '--http-port']
      expect(failure.kind).toBe('unavailable')
      expect(failure.message).toBe(`port ${one[which]} of 127.0.0.1, for OTLP over ${protocol}, is taken`)
      expect(failure.hint).toBe(`end who listens there, or choose another port: ${flag} <port>`)
      const again = await open(other)
      expect((await send(again)).status).toBe(200)
    },
  )

  test('of a host that is not ours are told too', async () => {
    const failure = await failureOf(openReceiver({ host: '192.0.2.1' }))
    expect(failure.kind).toBe('unavailable')
    expect(failure.message).toContain('of 192.0.2.1')
  })
})

describe('An end', () => {
  test('waits for the answers that are owed, and takes nothing new', async () => {
    const receiver = await open()
    const { opened: stored, open: store } = gate<{ rejected: number }>()
    receiver.verdict = () => stored
    const owed = send(receiver)
    await until('a request inside', () => receiver.batches.length === 1)
    const closing = receiver.close(new AbortController().signal)
    await until('the door to be closed', () =>
      send(receiver).then(
        () => false,
        () => true,
      ),
    )
    store({ rejected: 0 })
    expect((await owed).status).toBe(200)
    await closing
  })

  test('does not wait for connections that only stay open', async () => {
    const receiver = await open()
    const idle = await openDialogue(receiver.httpPort)
    await send(receiver)
    await receiver.close(new AbortController().signal)
    idle.end()
  })

  test('cuts what does not come to its end', async () => {
    const receiver = await open()
    receiver.verdict = () => new Promise(() => {})
    const over = (ending: Promise<unknown>) => ending.then(() => 'answered').catch(() => 'cut')
    const byHttp = over(send(receiver))
    const client = new Client(`127.0.0.1:${receiver.grpcPort}`, credentials.createInsecure())
    const byGrpc = over(call(client, encodeProtobuf('logs', everything.logs)))
    await until('both requests inside', () => receiver.batches.length === 2)
    await receiver.close(AbortSignal.timeout(50))
    expect(await Promise.all([byHttp, byGrpc])).toEqual(['cut', 'cut'])
    client.close()
  })
})

function call(client: Client, message: Buffer): Promise<void> {
  const path = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
  const as = (bytes: Buffer) => bytes
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, as, as, message, (error) => (error ? reject(error) : resolve()))
  })
}
