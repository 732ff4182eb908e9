/** Recorded requests as if their last moment were now, or some time before. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OtlpBatch } from '../../src/telemetry/otlp.ts'
import { type CaseName, readBatches } from '../usage/recorded.ts'

/** All times of the batches later by the same, so that the last is `endUnixMicro`. */
export function moved(batches: readonly OtlpBatch[], endUnixMicro: number): readonly OtlpBatch[] {
  const by = endUnixMicro - Math.max(...batches.flatMap(timesOf))
  return batches.map((batch): OtlpBatch => {
    if (batch.signal === 'traces') {
      const spans = batch.spans.map((span) => ({ ...span, startUnixMicro: span.startUnixMicro + by }))
      return { ...batch, spans: spans.map((span) => ({ ...span, endUnixMicro: span.endUnixMicro + by })) }
    }
    if (batch.signal === 'logs') {
      const logs = batch.logs.map((log) => ({ ...log, timeUnixMicro: log.timeUnixMicro + by }))
      return { ...batch, logs: logs.map((log) => ({ ...log, observedUnixMicro: log.observedUnixMicro + by })) }
    }
    const points = batch.points.map((point) => ({ ...point, timeUnixMicro: point.timeUnixMicro + by }))
    return { ...batch, points: points.map((point) => ({ ...point, startUnixMicro: point.startUnixMicro + by })) }
  })
}

export function recordedNow(name: CaseName, endUnixMicro = Date.now() * 1000): readonly OtlpBatch[] {
  return moved(readBatches(name), endUnixMicro)
}

interface Posted {
  readonly path: string
  readonly body: string
}

/** A recorded case as it is posted in OTLP/JSON, with its last moment some time ago. */
export function postedNow(name: CaseName, agoMs = 0): readonly Posted[] {
  const file = join(import.meta.dir, '../fixtures/otlp', name, 'requests.jsonl')
  const requests = readFileSync(file, 'utf8').trimEnd().split('\n')
  const times = requests.flatMap((request) => [...request.matchAll(nanos)].map(([, , time = '0']) => BigInt(time)))
  const last = times.reduce((a, b) => (b > a ? b : a), 0n)
  const by = BigInt(Date.now() - agoMs) * 1_000_000n - last
  return requests.map((request) => {
    const { signal, body } = JSON.parse(request) as { signal: string; body: object }
    const text = JSON.stringify(body).replace(nanos, (_, name, time) => `"${name}":"${BigInt(time) + by}"`)
    return { path: `/v1/${signal}`, body: text }
  })
}

const nanos = /"((?:start|end|observed)?[tT]imeUnixNano)":\s*"(\d{19})"/g

function timesOf(batch: OtlpBatch): number[] {
  if (batch.signal === 'traces') return batch.spans.map(({ endUnixMicro }) => endUnixMicro)
  return (batch.signal === 'logs' ? batch.logs : batch.points).map(({ timeUnixMicro }) => timeUnixMicro)
}
