/**
 * Secrets out of what Claude Code tells of itself: of prompts, answers, commands and outputs, where somebody has it send them
 * (`OTEL_LOG_USER_PROMPTS` and its kin), and of errors. What we send is masked already; what others send is theirs.
 */
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpSource, OtlpSpan, OtlpValue } from '../telemetry/otlp.ts'

type Redact = (text: string) => string

/** The batch with the texts of Claude Code's spans and log records masked; points carry nobody's words. */
export function maskNative(batch: OtlpBatch, redact: Redact): OtlpBatch {
  if (batch.signal === 'traces')
    return { ...batch, spans: batch.spans.map(onlyNative((span) => maskSpan(span, redact))) }
  if (batch.signal === 'logs') return { ...batch, logs: batch.logs.map(onlyNative((log) => maskLog(log, redact))) }
  return batch
}

function onlyNative<T extends { readonly source: OtlpSource }>(mask: (record: T) => T): (record: T) => T {
  return (record) => (record.source.scopeName.startsWith('com.anthropic.claude_code') ? mask(record) : record)
}

function maskSpan(span: OtlpSpan, redact: Redact): OtlpSpan {
  const { attributes, events, statusMessage } = span
  return {
    ...span,
    attributes: maskAttributes(attributes, redact),
    events: events.map((event) => ({ ...event, attributes: maskAttributes(event.attributes, redact) })),
    ...(statusMessage === undefined ? {} : { statusMessage: redact(statusMessage) }),
  }
}

function maskLog(log: OtlpLogRecord, redact: Redact): OtlpLogRecord {
  const { attributes, body } = log
  return {
    ...log,
    attributes: maskAttributes(attributes, redact),
    ...(body === undefined ? {} : { body: maskValue(body, redact) }),
  }
}

function maskAttributes(attributes: OtlpAttributes, redact: Redact): OtlpAttributes {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, maskValue(value, redact)]))
}

function maskValue(value: OtlpValue, redact: Redact): OtlpValue {
  if (typeof value === 'string') return redact(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((each) => maskValue(each, redact))
  return maskAttributes(value as OtlpAttributes, redact)
}
