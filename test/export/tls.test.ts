import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Protocol } from '../../src/config/config.ts'
import { startDelivery } from '../../src/export/delivery.ts'
import { startCollector } from './collectors.ts'
import { configOf, log, metric, span, start } from './signals.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-otel-tls-'))
const file = (name: string) => join(folder, name)
const read = (name: string) => readFileSync(file(name), 'utf8')
afterAll(() => rmSync(folder, { recursive: true }))

function openssl(...args: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(['openssl', ...args], { cwd: folder })
  if (exitCode !== 0) throw new Error(stderr.toString())
}

/** An authority of our own, a server at 127.0.0.1 and a client. */
beforeAll(() => {
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  openssl('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test authority')
  writeFileSync(file('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n')
  for (const name of ['server', 'client']) {
    openssl('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const sign = ['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    openssl(...sign, '-days', '2', '-extfile', 'names', '-out', `${name}.pem`)
  }
})

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const satisfies Protocol[]) {
  describe(`TLS over ${protocol}`, () => {
    const deliver = async (more: Record<string, string>) => {
      const tls = { key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem') }
      const collector = await startCollector(protocol, 0, tls)
      const endpoint = {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.replace('127.0.0.1', 'localhost'),
        OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      }
      const config = configOf({ ...endpoint, ...more })
      const delivery = startDelivery({
        config,
        resource: {},
        startUnixMicro: start,
        acks: {},
        onAck() {},
        replay: () => [],
      })
      delivery.enqueue([span(), log(), metric()])
      const report = await delivery.close(AbortSignal.timeout(2000))
      collector.stop()
      return { report, received: collector.received.length }
    }
    const client = () => ({
      OTEL_EXPORTER_OTLP_CLIENT_KEY: file('client.key'),
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: file('client.pem'),
    })

    test('trusts the given authority and shows the client certificate', async () => {
      const { report, received } = await deliver({ OTEL_EXPORTER_OTLP_CERTIFICATE: file('ca.pem'), ...client() })
      expect(report.settled).toBe(true)
      expect(received).toBe(3)
    })

    test('keeps everything when the server is not trusted, the client not known, or a file is gone', async () => {
      const certificate = { OTEL_EXPORTER_OTLP_CERTIFICATE: file('ca.pem') }
      for (const env of [client(), certificate, { OTEL_EXPORTER_OTLP_CERTIFICATE: file('gone.pem') }]) {
        const { report, received } = await deliver(env)
        expect(report.settled).toBe(false)
        expect(received).toBe(0)
        for (const { counts, lastError } of Object.values(report.destinations)) {
          expect(counts.traces).toEqual({ delivered: 0, queued: 1, dropped: 0 })
          expect(lastError).toBeString()
        }
      }
    })
  })
}
