/** The span that a wrapped session will have: known before claude is started, for its environment. Light, for that reason. */
import { deriveSpanId, deriveTraceId } from '../telemetry/ids.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { type SamplerChoice, sampleRoot } from '../telemetry/trace-context.ts'

/** Derived from the run alone, in the inbound parent's trace where there is one. */
export function rootRef(runId: string, sampler: SamplerChoice, parent: SpanRef | undefined): SpanRef {
  const traceId = parent?.traceId ?? deriveTraceId(runId)
  const traceFlags = sampleRoot(sampler, traceId, parent)
  const spanId = deriveSpanId(traceId, `run:${runId}`)
  return { traceId, spanId, traceFlags, ...(parent?.traceState === undefined ? {} : { traceState: parent.traceState }) }
}
