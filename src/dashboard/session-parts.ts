/** A session can be long: its spans and log records are read from the store part by part, so that nobody waits for all of them. */
import type { AnyStore } from '../store/store.ts'
import type { OtlpLogRecord, OtlpSpan } from '../telemetry/otlp.ts'

/** Some milliseconds of work. */
const partSize = 500

export async function* logParts(store: AnyStore, id: string): AsyncGenerator<readonly OtlpLogRecord[]> {
  for (let offset = 0; ; offset += partSize) {
    const logs = await store.sessionLogs(id, { offset, limit: partSize })
    yield logs
    if (logs.length < partSize) return
    await others()
  }
}

export async function* spanParts(store: AnyStore, id: string): AsyncGenerator<readonly OtlpSpan[]> {
  for (let after: OtlpSpan | undefined; ; ) {
    const spans = await store.sessionSpans(id, { limit: partSize, ...(after === undefined ? {} : { after }) })
    yield spans
    if (spans.length < partSize) return
    after = spans.at(-1)
    await others()
  }
}

/** Whoever waits has their turn. */
export function others(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
