/**
 * The assembler's mouth: turns what a session found out into signals with the attributes that all of them share.
 * Everything in session/ speaks through it.
 */
import type { Usage } from '../claude/transcript.ts'
import type { AttributeSet, LogEventName } from '../telemetry/attributes.ts'
import { deriveSpanId } from '../telemetry/ids.ts'
import type { InstrumentName } from '../telemetry/metrics.ts'
import type { Attributes, AttributeValue, Severity, Signal, SpanEvent, SpanLink, SpanRef } from '../telemetry/signal.ts'

export interface SpanText {
  readonly ref: SpanRef
  readonly parent?: SpanRef & { readonly isRemote?: boolean }
  readonly name: string
  readonly spanKind?: 'internal' | 'client'
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  readonly attributes: AttributeSet
  readonly events?: readonly SpanEvent[]
  readonly links?: readonly SpanLink[]
  readonly error?: { readonly type: string; readonly message?: string }
}

export interface Emitter {
  /** Ids within the session, of which a trace can have several. */
  ref(key: string): SpanRef
  span(span: SpanText): void
  log(event: LogEventName, at: number, ref: SpanRef, attributes: AttributeSet, body?: string, severity?: Severity): void
  metric(instrument: InstrumentName, at: number, value: number, attributes?: AttributeSet): void
}

/** `common` is asked anew for every span and log record: the conversation id of a fork is known only later. */
export function createEmitter(session: SpanRef, common: () => AttributeSet, emit: (signal: Signal) => void): Emitter {
  return {
    ref: (key) => ({ ...session, spanId: deriveSpanId(session.traceId, `${session.spanId} ${key}`) }),
    span: ({ spanKind = 'internal', attributes, events = [], links = [], error, endUnixMicro, ...span }) =>
      emit({
        kind: 'span',
        ...span,
        spanKind,
        endUnixMicro: Math.max(endUnixMicro, span.startUnixMicro),
        attributes: compact({ ...common(), ...attributes, ...errorAttributes(error) }),
        events,
        links,
        ...(error === undefined ? {} : { error: error.message === undefined ? {} : { message: error.message } }),
      }),
    log: (eventName, timeUnixMicro, ref, attributes, body = eventName, severity = 'info') =>
      emit({
        kind: 'log',
        eventName,
        body,
        severity,
        timeUnixMicro,
        ref,
        attributes: compact({ ...common(), 'event.name': eventName, ...attributes }),
      }),
    metric: (instrument, timeUnixMicro, value, attributes = {}) =>
      emit({ kind: 'metric', instrument, value, timeUnixMicro, attributes: compact(attributes) }),
  }
}

function errorAttributes(error: SpanText['error']): AttributeSet {
  return error === undefined ? {} : { error: true, 'error.type': error.type, 'error.message': error.message }
}

function compact(set: AttributeSet): Attributes {
  const result: Record<string, AttributeValue> = {}
  for (const name in set) {
    const value = set[name as keyof AttributeSet]
    if (value !== undefined) result[name] = value
  }
  return result
}

/** Both vocabularies of tokens. The one place where Claude's input (without cached) becomes the conventions' (with). */
export function usageAttributes(usage: Usage): AttributeSet {
  return {
    'tokens.input': usage.input,
    'tokens.output': usage.output,
    'tokens.cache_read': usage.cacheRead,
    'tokens.cache_creation': usage.cacheCreation,
    'tokens.cache_creation_1h': usage.cacheCreation1h > 0 ? usage.cacheCreation1h : undefined,
    'tokens.total': usage.input + usage.output + usage.cacheRead + usage.cacheCreation,
    'gen_ai.usage.input_tokens': usage.input + usage.cacheRead + usage.cacheCreation,
    'gen_ai.usage.output_tokens': usage.output,
    'gen_ai.usage.cache_read.input_tokens': usage.cacheRead,
    'gen_ai.usage.cache_write.input_tokens': usage.cacheCreation,
    'gen_ai.usage.reasoning.output_tokens': usage.thinking > 0 ? usage.thinking : undefined,
  }
}

export function addUsage(left: Usage, right: Usage): Usage {
  return combine(left, right, (a, b) => a + b)
}

/** What `left` has more than `right`, per kind; never below zero. */
export function exceedingUsage(left: Usage, right: Usage): Usage {
  return combine(left, right, (a, b) => Math.max(0, a - b))
}

function combine(left: Usage, right: Usage, join: (a: number, b: number) => number): Usage {
  return {
    input: join(left.input, right.input),
    output: join(left.output, right.output),
    cacheRead: join(left.cacheRead, right.cacheRead),
    cacheCreation: join(left.cacheCreation, right.cacheCreation),
    cacheCreation1h: join(left.cacheCreation1h, right.cacheCreation1h),
    thinking: join(left.thinking, right.thinking),
  }
}
