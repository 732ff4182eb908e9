/**
 * The `execute_tool` spans. A call is announced by the message that asks for it, opens with PreToolUse and should close with a
 * Post hook. Denied, rejected, refused and interrupted calls get none, and a hook can be lost: they are closed by what comes
 * next, with a status read from what is known of them, above all from their result in the transcript.
 */
import type { BatchedCall, HookDetail } from '../claude/hook-event.ts'
import type { ToolCall } from '../claude/tool-call.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import type { Emitter } from './emitter.ts'
import { type Invocation, noteLife, stragglerMicros } from './invocations.ts'
import { callAttributes, jsonOf, responseAttributes } from './tool-attributes.ts'
import { type Call, type Closing, errorTypes, reportEnd, reportStart, type ToolStatus } from './tool-reports.ts'

type ToolResult = Extract<TranscriptDetail, { type: 'tool-result' }>
type ToolEnd = Extract<HookDetail, { type: 'tool-end' }>
type ToolFailure = Extract<HookDetail, { type: 'tool-failure' }>

interface OpenCall extends Call {
  /** When the message that asks for it was complete, or else when it was first heard of: it cannot have begun before. */
  readonly announcedUnixMicro: number
  /** A Post hook was seen. */
  isAnswered: boolean
  denial?: string
  result?: { readonly at: number; readonly result: ToolResult }
  batched?: { readonly at: number; readonly call: BatchedCall }
}

/** Claude Code refused the call before it ran: there are no hooks of it. */
const refusedType = 'tool_use_error'

export class ToolCalls {
  total = 0
  errors = 0
  readonly names = new Set<string>()

  private readonly open = new Map<string, OpenCall>()
  /** When each call began that is over. */
  private readonly closed = new Map<string, number>()
  /** Calls that go on in the session after this one, where nothing more is told of them. */
  private readonly left = new Set<string>()

  constructor(
    private readonly emitter: Emitter,
    /** Characters of a call's arguments or result as JSON; 0 where nobody wants them. */
    private readonly jsonChars: number,
    private readonly former?: ToolCalls,
  ) {}

  /** The span that a subagent hangs under, and when it began; undefined for a call that nobody has told of. */
  find(useId: string): { readonly ref: SpanRef; readonly startUnixMicro: number } | undefined {
    const startUnixMicro = this.open.get(useId)?.startUnixMicro ?? this.closed.get(useId)
    return startUnixMicro === undefined ? undefined : { ref: this.refOf(useId), startUnixMicro }
  }

  /** Whether anything was told of it, be it that it is over. */
  isKnown(useId: string | undefined): boolean {
    return useId !== undefined && (this.open.has(useId) || this.isOver(useId))
  }

  /** What runs below the call was seen before the call itself was: it began no later. */
  onBelow(useId: string, at: number): void {
    const call = this.open.get(useId)
    if (call !== undefined) call.startUnixMicro = Math.max(call.announcedUnixMicro, Math.min(call.startUnixMicro, at))
  }

  /** A message asks for it. */
  onAnnounced(tool: ToolCall, at: number, invocation: Invocation): void {
    if (tool.useId !== undefined && !this.isKnown(tool.useId)) this.create(tool, tool.useId, at, invocation)
  }

  onStart(tool: ToolCall, at: number, invocation: Invocation): void {
    if (tool.useId === undefined || this.isOver(tool.useId)) return
    const call = this.open.get(tool.useId) ?? this.create(tool, tool.useId, at, invocation)
    if (call.isRunning) return
    call.startUnixMicro = Math.max(at, call.announcedUnixMicro)
    call.isRunning = true
    reportStart(this.emitter, call)
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
        ...responseAttributes(response, this.jsonChars),
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
      attributes: {
        exit_code: exitCode,
        response_bytes: error.bytes,
        'response.truncated': error.truncated,
        'gen_ai.tool.call.result': jsonOf(error.text, this.jsonChars),
      },
    })
  }

  onBatch(calls: readonly BatchedCall[], at: number, invocation: Invocation): void {
    for (const batched of calls) {
      const { useId } = batched
      if (useId === undefined || this.isOver(useId)) continue
      const call = this.open.get(useId) ?? this.create(batched, useId, at, invocation)
      call.batched = { at, call: batched }
      if (batched.refused || isDenied(call)) this.closeUnanswered(call, at)
    }
  }

  /** It does not say which call it is for: the first of the same agent with the same input that was not asked for yet. */
  onPermissionRequest(tool: ToolCall, at: number, agentId: string | undefined): void {
    const isCandidate = (call: OpenCall) => call.tool.name === tool.name && call.askedUnixMicro === undefined
    const candidates = [...this.open.values()].filter(isCandidate)
    const sameInput = candidates.filter((call) => call.tool.inputKey === tool.inputKey)
    const call = sameInput.find(({ invocation }) => invocation.agentId === agentId) ?? sameInput[0] ?? candidates.at(-1)
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

  /** A person pressed Esc or Ctrl-C: calls of the main conversation are interrupted; one that was asked for was rejected. */
  onInterrupt(whileRunning: boolean, at: number): void {
    for (const call of this.open.values()) {
      if (call.invocation.agentId !== undefined) continue
      const wasAsked = call.askedUnixMicro !== undefined
      // The hook that tells of the question may have been lost; that the call never ran is told by its result.
      const neverRan = call.result?.result.neverRan === true
      const wasRejected = neverRan ? wasAsked || !whileRunning : wasAsked && !whileRunning
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

  /** The session ends, but not its background agents: what they have open counts here, as going on in the background. */
  leave(at: number): void {
    for (const call of this.open.values()) {
      if (call.invocation.agentId === undefined || call.result !== undefined) continue
      this.left.add(call.useId)
      this.close(call, { status: 'success', endUnixMicro: at, attributes: { background: true } })
    }
  }

  private isOver(useId: string): boolean {
    return this.closed.has(useId) || this.former?.hasLeft(useId) === true
  }

  private hasLeft(useId: string): boolean {
    return this.left.has(useId) || this.former?.hasLeft(useId) === true
  }

  private refOf(useId: string): SpanRef {
    return this.emitter.ref(`tool:${useId}`)
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
    if (tool.useId === undefined || this.isOver(tool.useId)) return undefined
    const call = this.open.get(tool.useId) ?? this.create(tool, tool.useId, at - (durationMs ?? 0) * 1000, invocation)
    call.isAnswered = true
    // A hook of the user's own, or a person who was asked, may have changed the input.
    call.tool = tool
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
    const known =
      result?.isError === false ? responseAttributes(result.response, this.jsonChars) : { response_bytes: bytes }
    this.close(call, {
      status,
      endUnixMicro: Math.min(call.result?.at ?? call.batched?.at ?? at, at),
      errorType: errorTypeOf(status, refused, result?.exitCode),
      ...(refused ? { durationMs: 0 } : {}),
      permission: permissionOf(call, status),
      ...(message && status !== 'success' ? { message } : {}),
      attributes: { 'permission.reason': reason, exit_code: result?.exitCode, ...known },
    })
  }

  private close(call: OpenCall, closing: Closing): void {
    const { useId, tool, invocation } = call
    mendTimes(call, closing)
    if (!call.isRunning) reportStart(this.emitter, call)
    this.open.delete(useId)
    this.closed.set(useId, call.startUnixMicro)
    this.total += 1
    this.names.add(tool.name)
    invocation.toolCalls += 1
    if (closing.status !== 'success') this.errors += 1
    noteLife(invocation, closing.endUnixMicro)
    reportEnd(this.emitter, call, closing, this.jsonChars)
    this.countLost(call, closing)
  }

  /** A call that ran has a hook before and one after it; where the transcript tells of it alone, they were lost. */
  private countLost(call: OpenCall, { status, errorType, endUnixMicro: at }: Closing): void {
    const hasRun = call.isAnswered || (call.result !== undefined && (status === 'success' || status === 'error'))
    if (!hasRun || errorType === refusedType) return
    const lost = (event: string): void =>
      this.emitter.metric('claude_otel.hooks_lost_total', at, 1, { 'hook.event': event })
    if (!call.isRunning) lost('PreToolUse')
    if (!call.isAnswered) lost(status === 'success' ? 'PostToolUse' : 'PostToolUseFailure')
  }
}

/** What became of the question, where no Post hook shows that the call ran. */
function permissionOf(call: OpenCall, status: ToolStatus): Closing['permission'] {
  if (status === 'denied') return 'denied'
  if (call.askedUnixMicro === undefined) return undefined
  const isKnown = call.result !== undefined || call.batched !== undefined
  return isKnown && call.result?.result.neverRan !== true ? 'granted' : 'open'
}

function errorTypeOf(status: ToolStatus, refused: boolean, exitCode: number | undefined): string {
  if (status !== 'error') return errorTypes[status]
  if (refused) return refusedType
  return exitCode === undefined ? errorTypes.error : 'exit_code'
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
  const known = Math.min(call.startUnixMicro, call.askedUnixMicro ?? call.startUnixMicro)
  const start = isGuess ? began : Math.min(known, began)
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
  if (result?.timedOut === true) return 'timeout'
  if (result !== undefined) return result.isError ? 'error' : 'success'
  if (batched === undefined) return fallback
  if (batched.refused) return 'error'
  // Without a transcript: a call that was batched without a Post hook may not have run.
  return call.askedUnixMicro !== undefined || /permission|denied/i.test(batched.response.text) ? 'denied' : 'success'
}
