/**
 * The `execute_tool` spans. A call opens with PreToolUse and should close with a Post hook; denied, rejected and
 * interrupted calls get none and are closed by what comes next, with a status read from what is known of them.
 */
import type { BatchedCall, HookDetail, ToolCall } from '../claude/events.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeName, AttributeSet } from '../telemetry/attributes.ts'
import type { AttributeValue, SpanEvent, SpanRef } from '../telemetry/signal.ts'
import type { Summary } from '../telemetry/summary.ts'
import type { Emitter } from './emitter.ts'
import type { Invocation } from './invocations.ts'

export type ToolStatus = 'success' | 'error' | 'denied' | 'interrupted' | 'timeout' | 'abandoned'
type ToolResult = Extract<TranscriptDetail, { type: 'tool-result' }>
type ToolEnd = Extract<HookDetail, { type: 'tool-end' }>
type ToolFailure = Extract<HookDetail, { type: 'tool-failure' }>

interface OpenCall {
  readonly ref: SpanRef
  readonly useId: string
  readonly tool: ToolCall
  readonly invocation: Invocation
  readonly startUnixMicro: number
  /** Whether tools_in_flight was raised for it. */
  readonly inFlight: boolean
  askedUnixMicro?: number
  denial?: string
  /** PostToolBatch has named it: it is over, though its Post hook has not been seen yet. */
  batched?: { readonly at: number; readonly call: BatchedCall }
}

interface Closing {
  readonly status: ToolStatus
  readonly endUnixMicro: number
  readonly durationMs?: number
  readonly errorType?: string
  readonly message?: string
  readonly attributes?: AttributeSet
}

const errorTypes: Readonly<Record<ToolStatus, string>> = {
  success: '',
  error: 'tool_error',
  denied: 'permission_denied',
  interrupted: 'interrupted',
  timeout: 'timeout',
  abandoned: 'abandoned',
}

/** A Post hook that runs `async` can be stamped after its batch's; longer than this it does not take. */
const stragglerMicros = 2_000_000

export class ToolCalls {
  total = 0
  errors = 0
  readonly names = new Set<string>()

  private readonly open = new Map<string, OpenCall>()
  private readonly closed = new Set<string>()
  private readonly results = new Map<string, { readonly at: number; readonly result: ToolResult }>()

  constructor(private readonly emitter: Emitter) {}

  /** The span of a call, which a subagent hangs under; the call may be open, over, or not seen at all. */
  refOf(useId: string): SpanRef {
    return this.emitter.ref(`tool:${useId}`)
  }

  onStart(tool: ToolCall, at: number, invocation: Invocation): void {
    if (tool.useId === undefined || this.closed.has(tool.useId) || this.open.has(tool.useId)) return
    this.begin(tool, tool.useId, at, invocation, true)
  }

  onEnd(end: ToolEnd, at: number, invocation: Invocation): void {
    const call = this.callOf(end.tool, at, end.durationMs, invocation)
    if (call === undefined) return
    this.close(call, {
      status: end.interrupted === true ? 'interrupted' : 'success',
      endUnixMicro: at,
      ...(end.durationMs === undefined ? {} : { durationMs: end.durationMs }),
      ...(end.interrupted === true ? { errorType: 'interrupted' } : {}),
      attributes: {
        ...responseAttributes(end.response),
        stdout_bytes: end.stdoutBytes,
        stderr_bytes: end.stderrBytes,
        background: end.tool.background === true || end.backgroundTaskId !== undefined ? true : undefined,
        'background.task_id': end.backgroundTaskId,
      },
    })
  }

  onFailure(failure: ToolFailure, at: number, invocation: Invocation): void {
    const call = this.callOf(failure.tool, at, failure.durationMs, invocation)
    if (call === undefined) return
    const { durationMs, error, exitCode } = failure
    this.close(call, {
      ...failureKind(failure),
      endUnixMicro: at,
      ...(durationMs === undefined ? {} : { durationMs }),
      message: error.text,
      attributes: { exit_code: exitCode, response_bytes: error.bytes, 'response.truncated': error.truncated },
    })
  }

  onBatch(calls: readonly BatchedCall[], at: number, invocation: Invocation): void {
    for (const batched of calls) {
      const { useId } = batched
      if (useId === undefined || this.closed.has(useId)) continue
      const call = this.open.get(useId)
      if (call === undefined) {
        // Never ran: neither PreToolUse nor a Post hook fires for it.
        const begun = this.results.get(useId)?.at ?? at
        this.close(this.begin(batched, useId, Math.min(begun, at), invocation, false), refusal(batched, at))
        continue
      }
      call.batched = { at, call: batched }
      if (this.isDenied(call)) this.closeUnanswered(call, at, 'denied')
    }
  }

  onPermissionRequest(tool: ToolCall, at: number): void {
    const candidates = [...this.open.values()].filter((call) => call.tool.name === tool.name && !call.askedUnixMicro)
    const call = candidates.find((candidate) => candidate.tool.inputKey === tool.inputKey) ?? candidates.at(-1)
    if (call === undefined) return
    call.askedUnixMicro = at
    this.emitter.log('claude.permission.asked', at, call.ref, callAttributes(call), `${tool.name}: ${tool.input.text}`)
  }

  onPermissionDenied(tool: ToolCall, reason: string): void {
    const call = tool.useId === undefined ? undefined : this.open.get(tool.useId)
    if (call !== undefined) call.denial = reason
  }

  onResult(result: ToolResult, at: number): void {
    if (!this.closed.has(result.useId)) this.results.set(result.useId, { at, result })
  }

  /** A person pressed Esc or Ctrl-C: calls of the main conversation that ran are interrupted, others were rejected. */
  onInterrupt(whileRunning: boolean, at: number): void {
    for (const call of this.open.values()) {
      if (call.invocation.agentId !== undefined) continue
      const wasRejected = call.askedUnixMicro !== undefined && !whileRunning
      this.closeUnanswered(call, at, wasRejected ? 'denied' : 'interrupted')
    }
  }

  /** Calls that a batch has named long enough ago are closed without their Post hook. */
  settle(now: number): void {
    for (const call of this.open.values()) {
      if (call.batched !== undefined && now - call.batched.at > stragglerMicros)
        this.closeUnanswered(call, call.batched.at)
    }
  }

  /** Whatever the invocation still has open ends with it: by what its result says, else with `status`. */
  endOf(invocation: Invocation | undefined, at: number, status: ToolStatus): void {
    for (const call of this.open.values()) {
      if (invocation === undefined || call.invocation === invocation) this.closeUnanswered(call, at, status)
    }
  }

  private begin(tool: ToolCall, useId: string, at: number, invocation: Invocation, inFlight: boolean): OpenCall {
    const ref = this.refOf(useId)
    const call: OpenCall = { ref, useId, tool, invocation, startUnixMicro: at, inFlight }
    this.open.set(useId, call)
    this.emitter.log('claude.tool.start', at, ref, callAttributes(call), `${tool.name}: ${tool.input.text}`)
    if (inFlight) this.emitter.metric('claude.tools_in_flight', at, 1, { 'tool.name': tool.name })
    return call
  }

  /** The open call, or one made now when its PreToolUse was not seen; undefined when it is over already. */
  private callOf(
    tool: ToolCall,
    at: number,
    durationMs: number | undefined,
    invocation: Invocation,
  ): OpenCall | undefined {
    const useId = tool.useId
    if (useId === undefined || this.closed.has(useId)) return undefined
    return this.open.get(useId) ?? this.begin(tool, useId, at - (durationMs ?? 0) * 1000, invocation, false)
  }

  private isDenied(call: OpenCall): boolean {
    return call.denial !== undefined || this.results.get(call.useId)?.result.denial !== undefined
  }

  /** Closes a call that got no Post hook, by the best that is known of it; `fallback` where nothing is. */
  private closeUnanswered(call: OpenCall, at: number, fallback: ToolStatus = 'success'): void {
    const result = this.results.get(call.useId)
    const batched = call.batched?.call
    const status = this.verdict(call, fallback)
    const reason = status === 'denied' ? (call.denial ?? result?.result.denial) : undefined
    const message = result?.result.message.text || batched?.response.text || reason
    this.close(call, {
      status,
      endUnixMicro: Math.min(result?.at ?? call.batched?.at ?? at, at),
      errorType: status === 'error' && batched?.refused ? 'tool_use_error' : errorTypes[status],
      ...(message && status !== 'success' ? { message } : {}),
      attributes: { 'permission.reason': reason, response_bytes: batched?.response.bytes },
    })
  }

  private verdict(call: OpenCall, fallback: ToolStatus): ToolStatus {
    const result = this.results.get(call.useId)?.result
    const batched = call.batched?.call
    // An interrupted call's result reads like a refused one's, or like that of a command that was killed.
    if (fallback === 'interrupted' && result?.isError !== false) return 'interrupted'
    if (fallback === 'denied' || this.isDenied(call)) return 'denied'
    if (result !== undefined) return result.isError ? 'error' : 'success'
    if (batched === undefined) return fallback
    if (batched.refused) return 'error'
    // Without a transcript: a batched call with no Post hook did not run.
    return call.askedUnixMicro !== undefined || /permission|denied/i.test(batched.response.text) ? 'denied' : 'success'
  }

  private close(call: OpenCall, closing: Closing): void {
    const { useId, tool, invocation } = call
    this.open.delete(useId)
    this.results.delete(useId)
    this.closed.add(useId)
    this.total += 1
    this.names.add(tool.name)
    invocation.toolCalls += 1
    const endUnixMicro = Math.max(closing.endUnixMicro, call.startUnixMicro)
    const spanMs = (endUnixMicro - call.startUnixMicro) / 1000
    const durationMs = closing.durationMs ?? spanMs
    const isError = closing.status !== 'success'
    if (isError) this.errors += 1
    const waitedMs = call.askedUnixMicro === undefined ? 0 : Math.max(0, Math.round(spanMs - durationMs))
    const wasDenied = closing.status === 'denied'
    const permissionWaitMs = wasDenied && call.askedUnixMicro !== undefined ? Math.round(spanMs) : waitedMs
    const attributes: AttributeSet = {
      ...callAttributes(call),
      ...inputAttributes(tool.input),
      'tool.status': closing.status,
      'tool.is_error': isError,
      'tool.error': closing.message,
      duration_ms: wasDenied ? 0 : durationMs,
      permission_wait_ms: permissionWaitMs,
      interrupted: closing.status === 'interrupted',
      timeout: closing.status === 'timeout',
      ...closing.attributes,
    }
    const error = isError
      ? { type: closing.errorType ?? closing.status, ...(closing.message ? { message: closing.message } : {}) }
      : undefined
    this.emitter.span({
      ref: call.ref,
      parent: invocation.ref,
      name: `execute_tool ${tool.name}`,
      startUnixMicro: call.startUnixMicro,
      endUnixMicro,
      attributes,
      events: permissionEvents(call, endUnixMicro - durationMs * 1000, wasDenied, endUnixMicro),
      ...(error === undefined ? {} : { error }),
    })
    this.logEnd(call, closing, attributes, endUnixMicro, endUnixMicro - durationMs * 1000)
    this.measure(call, closing, endUnixMicro, wasDenied ? undefined : durationMs)
  }

  private logEnd(call: OpenCall, closing: Closing, attributes: AttributeSet, at: number, began: number): void {
    const { ref, tool } = call
    if (closing.status === 'denied') {
      const reason = { ...callAttributes(call), 'permission.decision': 'denied', 'permission.reason': closing.message }
      this.emitter.log('claude.permission.denied', at, ref, reason, `${tool.name}: ${closing.message ?? ''}`, 'warn')
    } else if (call.askedUnixMicro !== undefined) {
      const granted = { ...callAttributes(call), 'permission.decision': 'granted' }
      this.emitter.log('claude.permission.granted', Math.max(began, call.askedUnixMicro), ref, granted, tool.name)
    }
    const isError = closing.status !== 'success'
    const body = isError ? `${tool.name} ${closing.status}: ${closing.message ?? ''}` : `${tool.name} succeeded`
    const error = { 'error.type': isError ? (closing.errorType ?? closing.status) : undefined }
    const event = isError ? 'claude.tool.error' : 'claude.tool.end'
    this.emitter.log(event, at, ref, { ...attributes, ...error }, body, isError ? 'error' : 'info')
  }

  private measure(call: OpenCall, closing: Closing, at: number, durationMs: number | undefined): void {
    const { tool, invocation } = call
    const name = { 'tool.name': tool.name }
    const errorType = closing.status === 'success' ? undefined : (closing.errorType ?? closing.status)
    if (call.inFlight) this.emitter.metric('claude.tools_in_flight', at, -1, name)
    this.emitter.metric('claude.tool_calls_total', at, 1, { ...name, 'tool.status': closing.status })
    if (errorType !== undefined) {
      this.emitter.metric('claude.tool_calls_errors_total', at, 1, { ...name, 'error.type': errorType })
    }
    if (durationMs !== undefined) this.emitter.metric('claude.tool_call_duration_ms', at, durationMs, name)
    this.emitter.metric('gen_ai.execute_tool.duration', at, (at - call.startUnixMicro) / 1e6, {
      'gen_ai.tool.name': tool.name,
      'gen_ai.tool.type': 'function',
      'gen_ai.agent.name': invocation.agentName,
      'error.type': errorType,
    })
  }
}

function failureKind(failure: ToolFailure): Pick<Closing, 'status' | 'errorType'> {
  if (failure.timedOut) return { status: 'timeout', errorType: 'timeout' }
  if (failure.interrupted) return { status: 'interrupted', errorType: 'interrupted' }
  if (failure.exitCode !== undefined) return { status: 'error', errorType: 'exit_code' }
  return { status: 'error', errorType: 'tool_error' }
}

function refusal(call: BatchedCall, at: number): Closing {
  const { response, refused } = call
  const attributes = { response_bytes: response.bytes, 'response.truncated': response.truncated }
  if (!refused)
    return { status: 'error', errorType: 'not_executed', endUnixMicro: at, message: response.text, attributes }
  return {
    status: 'error',
    errorType: 'tool_use_error',
    endUnixMicro: at,
    durationMs: 0,
    message: response.text,
    attributes,
  }
}

function callAttributes({ tool, useId, invocation }: OpenCall): AttributeSet {
  return {
    'gen_ai.operation.name': 'execute_tool',
    'tool.name': tool.name,
    'gen_ai.tool.name': tool.name,
    'gen_ai.tool.type': 'function',
    'tool.use_id': useId,
    'gen_ai.tool.call.id': useId,
    'gen_ai.agent.name': invocation.agentName,
    'gen_ai.agent.id': invocation.agentId,
    'prompt.id': invocation.promptId,
    'input.summary': tool.input.text,
    'mcp.server.name': tool.mcpServer,
    'mcp.method.name': tool.mcpServer === undefined ? undefined : 'tools/call',
  }
}

function inputAttributes(input: Summary): AttributeSet {
  return { ...fieldAttributes('tool.input.', input), 'input.bytes': input.bytes, 'input.truncated': input.truncated }
}

function responseAttributes(response: Summary): AttributeSet {
  const whole = Object.keys(response.fields).length === 0 && response.text !== '' ? response.text : undefined
  return {
    ...fieldAttributes('tool.response.', response),
    ...(whole === undefined ? {} : { 'tool.response.text': whole }),
    response_bytes: response.bytes,
    'response.truncated': response.truncated,
  }
}

function fieldAttributes(prefix: 'tool.input.' | 'tool.response.', summary: Summary): AttributeSet {
  const entries = Object.entries(summary.fields).map(([key, value]) => [`${prefix}${key}`, value] as const)
  return Object.fromEntries(entries) as { [Name in AttributeName]?: AttributeValue }
}

function permissionEvents(call: OpenCall, began: number, denied: boolean, ended: number): SpanEvent[] {
  const asked = call.askedUnixMicro
  if (asked === undefined) return []
  return [
    { name: 'permission.asked', timeUnixMicro: asked, attributes: {} },
    denied
      ? { name: 'permission.denied', timeUnixMicro: ended, attributes: {} }
      : { name: 'permission.granted', timeUnixMicro: Math.max(began, asked), attributes: {} },
  ]
}
