/** How a tool call is told: its span, its log records and its measurements, and what became of the permission for it. */
import type { ToolCall } from '../claude/tool-call.ts'
import type { AttributeSet, SpanEventName } from '../telemetry/attributes.ts'
import type { SpanEvent, SpanRef } from '../telemetry/signal.ts'
import type { Emitter } from './emitter.ts'
import type { Invocation } from './invocations.ts'
import { callAttributes, inputAttributes } from './tool-attributes.ts'

export type ToolStatus = 'success' | 'error' | 'denied' | 'interrupted' | 'timeout' | 'abandoned'

export interface Call {
  readonly ref: SpanRef
  readonly useId: string
  /** As the model asked for it, until a Post hook tells what ran. */
  tool: ToolCall
  readonly invocation: Invocation
  /** By PreToolUse, which may be stamped late; mended by the duration when that is known. */
  startUnixMicro: number
  /** PreToolUse was seen: tools_in_flight was raised for it. */
  isRunning: boolean
  askedUnixMicro?: number
}

export interface Closing {
  readonly status: ToolStatus
  endUnixMicro: number
  /** How long the tool itself ran, where that is told. */
  readonly durationMs?: number
  readonly errorType?: string
  readonly message?: string
  readonly attributes?: AttributeSet
  /** What became of the permission: `open` where claude was gone, or interrupted, before anybody decided. */
  readonly permission?: 'granted' | 'denied' | 'open' | undefined
}

export const errorTypes: Readonly<Record<ToolStatus, string>> = {
  success: '',
  error: 'tool_error',
  denied: 'permission_denied',
  interrupted: 'interrupted',
  timeout: 'timeout',
  abandoned: 'abandoned',
}

/** Where the time of a call went; undefined where a person was asked and nothing tells when they decided. */
interface Times {
  readonly endUnixMicro: number
  readonly ranMs: number | undefined
  readonly waitedMs: number | undefined
}

export function reportStart(emitter: Emitter, call: Call): void {
  const { tool, ref, startUnixMicro } = call
  emitter.log('claude.tool.start', startUnixMicro, ref, callAttributes(call), `${tool.name}: ${tool.input.text}`)
}

/** `jsonChars`: of the arguments as JSON; 0 where nobody wants them. */
export function reportEnd(emitter: Emitter, call: Call, closing: Closing, jsonChars: number): void {
  const times = timesOf(call, closing)
  const decision = decisionOf(call, closing, times)
  const { status } = closing
  const isError = status !== 'success'
  const type = isError ? (closing.errorType ?? errorTypes[status]) : undefined
  const attributes: AttributeSet = {
    ...callAttributes(call),
    ...inputAttributes(call.tool.input, jsonChars),
    'tool.status': status,
    'tool.is_error': isError,
    'tool.error': closing.message,
    duration_ms: times.ranMs,
    permission_wait_ms: times.waitedMs,
    interrupted: status === 'interrupted',
    timeout: status === 'timeout',
    ...closing.attributes,
  }
  emitter.span({
    ref: call.ref,
    parent: call.invocation.ref,
    name: `execute_tool ${call.tool.name}`,
    startUnixMicro: call.startUnixMicro,
    endUnixMicro: times.endUnixMicro,
    attributes,
    events: permissionEvents(call, decision),
    ...(type === undefined ? {} : { error: { type, ...(closing.message ? { message: closing.message } : {}) } }),
  })
  reportDecision(emitter, call, closing, decision)
  const body = isError ? `${call.tool.name} ${status}: ${closing.message ?? ''}` : `${call.tool.name} succeeded`
  const event = isError ? 'claude.tool.error' : 'claude.tool.end'
  // Whole, they are told once.
  const told = {
    ...attributes,
    'gen_ai.tool.call.arguments': undefined,
    'gen_ai.tool.call.result': undefined,
    'error.type': type,
  }
  emitter.log(event, times.endUnixMicro, call.ref, told, body, isError ? 'error' : 'info')
  measure(emitter, call, status, type, times)
}

function timesOf({ startUnixMicro, askedUnixMicro }: Call, closing: Closing): Times {
  const endUnixMicro = Math.max(closing.endUnixMicro, startUnixMicro)
  const spanMs = (endUnixMicro - startUnixMicro) / 1000
  const wasAsked = askedUnixMicro !== undefined
  if (closing.permission === 'denied') return { endUnixMicro, ranMs: 0, waitedMs: wasAsked ? Math.round(spanMs) : 0 }
  if (!wasAsked) return { endUnixMicro, ranMs: closing.durationMs ?? spanMs, waitedMs: 0 }
  const { durationMs: ranMs } = closing
  if (ranMs === undefined) return { endUnixMicro, ranMs, waitedMs: undefined }
  return { endUnixMicro, ranMs, waitedMs: Math.max(0, Math.round(spanMs - ranMs)) }
}

interface Decision {
  readonly decision: 'granted' | 'denied'
  readonly at: number
}

/** Undefined where nobody was asked and nothing was refused, or where nobody decided. */
function decisionOf({ askedUnixMicro }: Call, closing: Closing, { endUnixMicro, ranMs }: Times): Decision | undefined {
  if (closing.permission === 'denied') return { decision: 'denied', at: endUnixMicro }
  if (askedUnixMicro === undefined || closing.permission === 'open') return undefined
  return { decision: 'granted', at: Math.max(endUnixMicro - (ranMs ?? 0) * 1000, askedUnixMicro) }
}

function permissionEvents({ askedUnixMicro }: Call, decision: Decision | undefined): SpanEvent[] {
  if (askedUnixMicro === undefined) return []
  const event = (name: SpanEventName, timeUnixMicro: number) => ({ name, timeUnixMicro, attributes: {} })
  const asked = event('permission.asked', askedUnixMicro)
  return decision === undefined ? [asked] : [asked, event(`permission.${decision.decision}`, decision.at)]
}

function reportDecision(emitter: Emitter, call: Call, { message }: Closing, told: Decision | undefined): void {
  if (told === undefined) return
  const { decision, at } = told
  const { tool, ref } = call
  const attributes = { ...callAttributes(call), 'permission.decision': decision }
  if (decision === 'granted') emitter.log('claude.permission.granted', at, ref, attributes, tool.name)
  else {
    const denied = { ...attributes, 'permission.reason': message }
    emitter.log('claude.permission.denied', at, ref, denied, `${tool.name}: ${message ?? ''}`, 'warn')
  }
}

function measure(emitter: Emitter, call: Call, status: ToolStatus, errorType: string | undefined, times: Times): void {
  const { tool, invocation } = call
  const { endUnixMicro: at, ranMs } = times
  const name = { 'tool.name': tool.name }
  if (call.isRunning) emitter.metric('claude.tools_in_flight', at, -1, name)
  emitter.metric('claude.tool_calls_total', at, 1, { ...name, 'tool.status': status })
  if (errorType !== undefined) {
    emitter.metric('claude.tool_calls_errors_total', at, 1, { ...name, 'error.type': errorType })
  }
  if (ranMs !== undefined && status !== 'denied') emitter.metric('claude.tool_call_duration_ms', at, ranMs, name)
  emitter.metric('gen_ai.execute_tool.duration', at, (at - call.startUnixMicro) / 1e6, {
    'gen_ai.tool.name': tool.name,
    'gen_ai.tool.type': 'function',
    'gen_ai.agent.name': invocation.agentName,
    'error.type': errorType,
  })
}
