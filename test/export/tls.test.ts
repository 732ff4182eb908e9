import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Protocol } from '../../src/config/config.ts'
import { startDelivery } from '../../src/export/delivery.ts'
import { type Certificates, createCertificates } from '../kit/certificates.ts'
import { startCollector } from './collectors.ts'
import { configOf, log, metric, span, start } from './signals.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-otel-tls-'))
const file = (name: string) => join(folder, name)
afterAll(() => rmSync(folder, { recursive: true }))

let certificates: Certificates
beforeAll(() => {
  certificates = createCertificates(folder)
})

for (const protocol of ['grpc', 'http/protobuf', 'http/json'] as const satisfies Protocol[]) {
  describe(`TLS over ${protocol}`, () => {
    const deliver = async (more: Record<string, string>) => {
      const collector = await startCollector(protocol, 0, certificates.server)
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
      OTEL_EXPORTER_OTLP_CLIENT_KEY: certificates.clientKey,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificates.client,
    })

    test('trusts the given authority and shows the client certificate', async () => {
      const { report, received } = await deliver({ OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca, ...client() })
      expect(report.settled).toBe(true)
      expect(received).toBe(3)
    })

    test('keeps everything when the server is not trusted, the client not known, or a file is gone', async () => {
      const certificate = { OTEL_EXPORTER_OTLP_CERTIFICATE: certificates.ca }
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
