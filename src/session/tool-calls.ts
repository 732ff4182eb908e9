/**
 * The `execute_tool` spans. A call is announced by the message that asks for it, opens with PreToolUse and should close with a
 * Post hook. Denied, rejected, refused and interrupted calls get none, and a hook can be lost: they are closed by what comes
 * next, with a status read from what is known of them, above all from their result in the transcript.
 */
import type { BatchedCall, HookDetail } from '../claude/events.ts'
import type { ToolCall } from '../claude/tool-call.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import type { Emitter } from './emitter.ts'
import type { Invocation } from './invocations.ts'
import { callAttributes, inputAttributes, permissionEvents, responseAttributes } from './tool-attributes.ts'

export type ToolStatus = 'success' | 'error' | 'denied' | 'interrupted' | 'timeout' | 'abandoned'
type ToolResult = Extract<TranscriptDetail, { type: 'tool-result' }>
type ToolEnd = Extract<HookDetail, { type: 'tool-end' }>
type ToolFailure = Extract<HookDetail, { type: 'tool-failure' }>

interface OpenCall {
  readonly ref: SpanRef
  readonly useId: string
  readonly tool: ToolCall
  readonly invocation: Invocation
  /** When the message that asks for it was complete, or else when it was first heard of: it cannot have begun before. */
  readonly announcedUnixMicro: number
  /** By PreToolUse, which may be stamped late; mended by the duration when that is known. */
  startUnixMicro: number
  /** PreToolUse was seen: tools_in_flight was raised for it. */
  isRunning: boolean
  /** A Post hook was seen. */
  isAnswered: boolean
  askedUnixMicro?: number
  denial?: string
  result?: { readonly at: number; readonly result: ToolResult }
  batched?: { readonly at: number; readonly call: BatchedCall }
}

interface Closing {
  readonly status: ToolStatus
  endUnixMicro: number
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

/** Claude Code refused the call before it ran: there are no hooks of it. */
const refusedType = 'tool_use_error'

/** Hooks run `async` and are stamped late on a busy machine; longer than this after its result no call's hook comes. */
const stragglerMicros = 2_000_000

export class ToolCalls {
  total = 0
  errors = 0
  readonly names = new Set<string>()

  private readonly open = new Map<string, OpenCall>()
  /** When each call began that is over. */
  private readonly closed = new Map<string, number>()

  constructor(private readonly emitter: Emitter) {}

  /** The span that a subagent hangs under, and when it began; undefined for a call that nobody has told of. */
  find(useId: string): { readonly ref: SpanRef; readonly startUnixMicro: number } | undefined {
    const startUnixMicro = this.open.get(useId)?.startUnixMicro ?? this.closed.get(useId)
    return startUnixMicro === undefined ? undefined : { ref: this.refOf(useId), startUnixMicro }
  }

  /** A message asks for it. */
  onAnnounced(tool: ToolCall, at: number, invocation: Invocation): void {
    if (tool.useId !== undefined && !this.isKnown(tool.useId)) this.create(tool, tool.useId, at, invocation)
  }

  onStart(tool: ToolCall, at: number, invocation: Invocation): void {
    if (tool.useId === undefined || this.closed.has(tool.useId)) return
    const call = this.open.get(tool.useId) ?? this.create(tool, tool.useId, at, invocation)
    if (call.isRunning) return
    call.startUnixMicro = Math.max(at, call.announcedUnixMicro)
    call.isRunning = true
    this.logStart(call)
    this.emitter.metric('claude.tools_in_flight', at, 1, { 'tool.name': tool.name })
  }

  onEnd(end: ToolEnd, at: number, invocation: Invocation): void {
    const call = this.answered(end.tool, at, end.durationMs, invocation)
    if (call === undefined) return
    const { durationMs, response, interrupted, backgroundTaskId } = end
    this.close(call, {
      status: interrupted === true ? 'interrupted' : 'success',
      endUnixMicro: at,
      ...(durationMs === undefined ? {} : { durationMs }),
      attributes: {
        ...responseAttributes(response),
        background: end.tool.background === true || backgroundTaskId !== undefined ? true : undefined,
        'background.task_id': backgroundTaskId,
      },
    })
  }

  onFailure(failure: ToolFailure, at: number, invocation: Invocation): void {
    const call = this.answered(failure.tool, at, failure.durationMs, invocation)
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
      const call = this.open.get(useId) ?? this.create(batched, useId, at, invocation)
      call.batched = { at, call: batched }
      if (batched.refused || isDenied(call)) this.closeUnanswered(call, at)
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
    const call = this.open.get(result.useId)
    if (call !== undefined) call.result = { at, result }
  }

  /** A person pressed Esc or Ctrl-C: calls of the main conversation that ran are interrupted, others were rejected. */
  onInterrupt(whileRunning: boolean, at: number): void {
    for (const call of this.open.values()) {
      if (call.invocation.agentId !== undefined) continue
      const wasRejected = call.askedUnixMicro !== undefined && !whileRunning
      this.closeUnanswered(call, at, wasRejected ? 'denied' : 'interrupted')
    }
  }

  /** Calls that are known to be over for long enough are closed without their Post hook. */
  settle(now: number): void {
    for (const call of this.open.values()) {
      const over = call.result?.at ?? call.batched?.at
      if (over !== undefined && now - over > stragglerMicros) this.closeUnanswered(call, over)
    }
  }

  /** Whatever the invocation still has open ends with it: by what its result says, else with `status`. */
  endOf(invocation: Invocation | undefined, at: number, status: ToolStatus): void {
    for (const call of this.open.values()) {
      if (invocation === undefined || call.invocation === invocation) this.closeUnanswered(call, at, status)
    }
  }

  private refOf(useId: string): SpanRef {
    return this.emitter.ref(`tool:${useId}`)
  }

  private isKnown(useId: string): boolean {
    return this.open.has(useId) || this.closed.has(useId)
  }

  private create(tool: ToolCall, useId: string, at: number, invocation: Invocation): OpenCall {
    const ref = this.refOf(useId)
    const call: OpenCall = {
      ref,
      useId,
      tool,
      invocation,
      announcedUnixMicro: at,
      startUnixMicro: at,
      isRunning: false,
      isAnswered: false,
    }
    this.open.set(useId, call)
    return call
  }

  /** The call that a Post hook answers; undefined when it is over already. */
  private answered(
    tool: ToolCall,
    at: number,
    durationMs: number | undefined,
    invocation: Invocation,
  ): OpenCall | undefined {
    if (tool.useId === undefined || this.closed.has(tool.useId)) return undefined
    const call = this.open.get(tool.useId) ?? this.create(tool, tool.useId, at - (durationMs ?? 0) * 1000, invocation)
    call.isAnswered = true
    return call
  }

  /** Closes a call that got no Post hook, by the best that is known of it; `fallback` where nothing is. */
  private closeUnanswered(call: OpenCall, at: number, fallback: ToolStatus = 'success'): void {
    const result = call.result?.result
    const batched = call.batched?.call
    const status = verdict(call, fallback)
    const refused = result?.refused === true || batched?.refused === true
    const reason = status === 'denied' ? (call.denial ?? result?.denial) : undefined
    const message = result?.message.text || batched?.response.text || reason
    const bytes = result?.response.summary.bytes ?? batched?.response.bytes
    const known = result?.isError === false ? responseAttributes(result.response) : { response_bytes: bytes }
    this.close(call, {
      status,
      endUnixMicro: Math.min(call.result?.at ?? call.batched?.at ?? at, at),
      errorType: status === 'error' && refused ? refusedType : errorTypes[status],
      ...(refused ? { durationMs: 0 } : {}),
      ...(message && status !== 'success' ? { message } : {}),
      attributes: { 'permission.reason': reason, ...known },
    })
  }

  private logStart(call: OpenCall): void {
    const { tool, ref, startUnixMicro } = call
    this.emitter.log('claude.tool.start', startUnixMicro, ref, callAttributes(call), `${tool.name}: ${tool.input.text}`)
  }

  private close(call: OpenCall, closing: Closing): void {
    const { useId, tool, invocation } = call
    mendTimes(call, closing)
    if (!call.isRunning) this.logStart(call)
    this.open.delete(useId)
    this.closed.set(useId, call.startUnixMicro)
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
      ? {
          type: closing.errorType ?? errorTypes[closing.status],
          ...(closing.message ? { message: closing.message } : {}),
        }
      : undefined
    this.emitter.span({
      ref: call.ref,
      parent: invocation.ref,
      name: `execute_tool ${tool.name}`,
      startUnixMicro: call.startUnixMicro,
      endUnixMicro,
      attributes,
      events: permissionEvents(call.askedUnixMicro, endUnixMicro - durationMs * 1000, wasDenied, endUnixMicro),
      ...(error === undefined ? {} : { error }),
    })
    this.logEnd(call, closing, attributes, endUnixMicro, endUnixMicro - durationMs * 1000)
    this.measure(call, closing, endUnixMicro, wasDenied ? undefined : durationMs)
    this.countLost(call, closing, endUnixMicro)
  }

  /** A call that ran has a hook before and one after it; where the transcript tells of it alone, they were lost. */
  private countLost(call: OpenCall, { status, errorType }: Closing, at: number): void {
    const hasRun = call.isAnswered || (call.result !== undefined && (status === 'success' || status === 'error'))
    if (!hasRun || errorType === refusedType) return
    const lost = (event: string): void =>
      this.emitter.metric('claude_otel.hooks_lost_total', at, 1, { 'hook.event': event })
    if (!call.isRunning) lost('PreToolUse')
    if (!call.isAnswered) lost(status === 'success' ? 'PostToolUse' : 'PostToolUseFailure')
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
    const error = { 'error.type': isError ? (closing.errorType ?? errorTypes[closing.status]) : undefined }
    const event = isError ? 'claude.tool.error' : 'claude.tool.end'
    this.emitter.log(event, at, ref, { ...attributes, ...error }, body, isError ? 'error' : 'info')
  }

  private measure(call: OpenCall, closing: Closing, at: number, durationMs: number | undefined): void {
    const { tool, invocation } = call
    const name = { 'tool.name': tool.name }
    const errorType = closing.status === 'success' ? undefined : (closing.errorType ?? errorTypes[closing.status])
    if (call.isRunning) this.emitter.metric('claude.tools_in_flight', at, -1, name)
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

/**
 * Hooks that run `async` are stamped late on a busy machine; the transcript's times are claude's own. A result is written when
 * the call is over, and the call ran for its duration before that.
 */
function mendTimes(call: OpenCall, closing: Closing): void {
  closing.endUnixMicro = Math.min(closing.endUnixMicro, call.result?.at ?? closing.endUnixMicro)
  const began = closing.endUnixMicro - (closing.durationMs ?? 0) * 1000
  // Without PreToolUse the announcement is all that is known, and the call may have waited for its turn since.
  const isGuess = !call.isRunning && closing.durationMs !== undefined
  const start = isGuess ? began : Math.min(call.startUnixMicro, began)
  call.startUnixMicro = Math.max(start, call.announcedUnixMicro)
}

function isDenied(call: OpenCall): boolean {
  return call.denial !== undefined || call.result?.result.denial !== undefined
}

function verdict(call: OpenCall, fallback: ToolStatus): ToolStatus {
  const result = call.result?.result
  const batched = call.batched?.call
  // An interrupted call's result reads like a refused one's, or like that of a command that was killed.
  if (fallback === 'interrupted' && result?.isError !== false) return 'interrupted'
  if (fallback === 'denied' || isDenied(call)) return 'denied'
  if (result !== undefined) return result.isError ? 'error' : 'success'
  if (batched === undefined) return fallback
  if (batched.refused) return 'error'
  // Without a transcript: a call that was batched without a Post hook may not have run.
  return call.askedUnixMicro !== undefined || /permission|denied/i.test(batched.response.text) ? 'denied' : 'success'
}
