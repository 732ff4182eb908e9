/**
 * Claude Code's hook payloads: which events we register for and what we read of each. The only place that knows their
 * shape. What is read is already masked and cut, so that it may be written to disk. Source: Claude Code 2.1.329, observed.
 */
import { createPreview, type Preview } from '../telemetry/preview.ts'
import { redact } from '../telemetry/redact.ts'
import { isRecord, type Summary, summarize } from '../telemetry/summary.ts'
import { createToolCall, createToolResponse, isRefusal, type ToolCall, type ToolResponse } from './tool-call.ts'
import { promptSource } from './transcript-lines.ts'

export interface BatchedCall extends ToolCall {
  readonly response: Preview
  /** The call never ran: unknown tool, or input that its schema refuses. */
  readonly refused: boolean
}

/** What an event says beyond the common fields; `type` is ours, `name` on the event is Claude Code's. */
export type HookDetail =
  | { readonly type: 'session-start'; readonly source: string; readonly model?: string }
  | { readonly type: 'session-end'; readonly reason: string }
  | { readonly type: 'prompt'; readonly prompt: Preview; readonly source: string }
  | { readonly type: 'tool-start'; readonly tool: ToolCall }
  | {
      readonly type: 'tool-end'
      readonly tool: ToolCall
      readonly response: ToolResponse
      readonly durationMs?: number
      readonly interrupted?: boolean
      readonly backgroundTaskId?: string
      readonly agentId?: string
    }
  | {
      readonly type: 'tool-failure'
      readonly tool: ToolCall
      readonly error: Preview
      readonly durationMs?: number
      readonly exitCode?: number
      readonly timedOut: boolean
      readonly interrupted: boolean
    }
  | { readonly type: 'tool-batch'; readonly calls: readonly BatchedCall[] }
  | { readonly type: 'permission-request'; readonly tool: ToolCall }
  | { readonly type: 'permission-denied'; readonly tool: ToolCall; readonly reason: Preview }
  | { readonly type: 'notification'; readonly kind: string; readonly message: Preview }
  | { readonly type: 'turn-end'; readonly message: Preview; readonly backgroundTasks: number }
  | { readonly type: 'turn-failure'; readonly error: string; readonly message: Preview }
  | { readonly type: 'agent-start' }
  | { readonly type: 'agent-end'; readonly message: Preview }
  | { readonly type: 'model-switch'; readonly from: string; readonly to: string; readonly source: string }
  | { readonly type: 'compaction'; readonly phase: 'before' | 'after'; readonly trigger: string }
  /** Says nothing that is not told better elsewhere. */
  | { readonly type: 'silent' }
  | { readonly type: 'other'; readonly fields: Summary }

export interface HookEvent {
  /** `hook_event_name`. */
  readonly name: string
  readonly sessionId: string
  readonly transcriptPath?: string
  readonly cwd?: string
  readonly promptId?: string
  readonly permissionMode?: string
  readonly effort?: string
  /** Set only inside a subagent. */
  readonly agentId?: string
  readonly agentType?: string
  readonly detail: HookDetail
}

interface EventEntry {
  /**
   * How claude runs our hook. `async` does not hold claude up, but its time of start says little about order, and in `-p` it is
   * killed when the session ends: so events that begin or end something bigger than a call are `sync`. `never`: understood when somebody else registered it. PreCompact and
   * PostCompact print a line in the user's terminal; WorktreeCreate, without an entry, would replace the worktree.
   */
  readonly run: 'sync' | 'async' | 'never'
  readonly read: (payload: Payload, maxChars: number) => HookDetail
}

/** The events that carry meaning. Adding one here registers it; what it does to a session is in session/. */
export const hookEvents: Readonly<Record<string, EventEntry>> = {
  SessionStart: {
    run: 'sync',
    read: (p) => ({ type: 'session-start', source: p.text('source') ?? 'startup', ...p.optional('model', 'model') }),
  },
  SessionEnd: { run: 'sync', read: (p) => ({ type: 'session-end', reason: p.text('reason') ?? 'other' }) },
  UserPromptSubmit: { run: 'sync', read: readPrompt },
  PreToolUse: { run: 'async', read: (p, max) => ({ type: 'tool-start', tool: readTool(p, max) }) },
  PostToolUse: { run: 'async', read: readToolEnd },
  PostToolUseFailure: { run: 'async', read: readToolFailure },
  // What it tells of calls without a Post hook is in the transcript too, and a third hook per call would cost a third more.
  PostToolBatch: { run: 'never', read: readToolBatch },
  PermissionRequest: { run: 'async', read: (p, max) => ({ type: 'permission-request', tool: readTool(p, max) }) },
  PermissionDenied: {
    run: 'async',
    read: (p, max) => ({ type: 'permission-denied', tool: readTool(p, max), reason: p.preview('reason', max) }),
  },
  Notification: {
    run: 'async',
    read: (p, max) => ({
      type: 'notification',
      kind: p.text('notification_type') ?? 'unknown',
      message: p.preview('message', max),
    }),
  },
  Stop: {
    run: 'sync',
    read: (p, max) => ({
      type: 'turn-end',
      message: p.preview('last_assistant_message', max),
      backgroundTasks: p.list('background_tasks').length,
    }),
  },
  StopFailure: {
    run: 'sync',
    read: (p, max) => ({
      type: 'turn-failure',
      error: p.text('error') ?? 'unknown',
      message: p.preview('last_assistant_message', max),
    }),
  },
  SubagentStart: { run: 'async', read: () => ({ type: 'agent-start' }) },
  SubagentStop: {
    run: 'async',
    read: (p, max) => ({ type: 'agent-end', message: p.preview('last_assistant_message', max) }),
  },
  PostModelSwitch: {
    run: 'async',
    read: (p) => ({
      type: 'model-switch',
      from: p.text('from_model') ?? 'unknown',
      to: p.text('to_model') ?? 'unknown',
      source: p.text('source') ?? 'unknown',
    }),
  },
  PreCompact: { run: 'never', read: (p) => readCompaction(p, 'before') },
  PostCompact: { run: 'never', read: (p) => readCompaction(p, 'after') },
  // The transcript has the whole message.
  MessageDisplay: { run: 'never', read: () => ({ type: 'silent' }) },
  Setup: { run: 'never', read: () => ({ type: 'silent' }) },
}

/** The JSON text of a hook's stdin as an event, or the reason why it is none. Text is kept to `maxChars`, masked. */
export function parseHookPayload(json: string, maxChars: number): HookEvent | { readonly broken: string } {
  const value = parseJson(json)
  if (!isRecord(value)) return { broken: 'the payload is not a JSON object' }
  const payload = new Payload(value)
  const name = payload.text('hook_event_name')
  const sessionId = payload.text('session_id')
  if (name === undefined) return { broken: 'the payload has no hook_event_name' }
  if (sessionId === undefined) return { broken: `the payload of ${name} has no session_id` }
  const entry = Object.hasOwn(hookEvents, name) ? hookEvents[name] : undefined
  const cwd = payload.text('cwd')
  const effort = isRecord(value.effort) ? new Payload(value.effort).text('level') : undefined
  return {
    name,
    sessionId,
    ...payload.optional('transcriptPath', 'transcript_path'),
    ...(cwd === undefined ? {} : { cwd: redact(cwd) }),
    ...payload.optional('promptId', 'prompt_id'),
    ...payload.optional('permissionMode', 'permission_mode'),
    ...payload.optional('agentId', 'agent_id'),
    ...payload.optional('agentType', 'agent_type'),
    ...(effort === undefined ? {} : { effort }),
    detail: entry?.read(payload, maxChars) ?? { type: 'other', fields: summarize(ownFields(value), maxChars) },
  }
}

function readCompaction(p: Payload, phase: 'before' | 'after'): HookDetail {
  return { type: 'compaction', phase, trigger: p.text('trigger') ?? 'unknown' }
}

function readPrompt(p: Payload, max: number): HookDetail {
  const prompt = p.text('prompt') ?? ''
  return { type: 'prompt', prompt: createPreview(prompt, max), source: p.text('source') ?? promptSource(prompt) }
}

function readTool(p: Payload, max: number): ToolCall {
  return readCall(p.value, max)
}

function readCall(call: Readonly<Record<string, unknown>>, max: number): ToolCall {
  const p = new Payload(call)
  const mcpServer = isRecord(call.mcp_server) ? new Payload(call.mcp_server).text('name') : undefined
  const name = p.text('tool_name') ?? 'unknown'
  return createToolCall({ name, useId: p.text('tool_use_id'), input: call.tool_input, mcpServer }, max)
}

function readToolEnd(p: Payload, max: number): HookDetail {
  const response = p.value.tool_response
  const fields = new Payload(isRecord(response) ? response : {})
  return {
    type: 'tool-end',
    tool: readTool(p, max),
    response: createToolResponse(response, max),
    ...p.optionalNumber('durationMs', 'duration_ms'),
    ...(fields.value.interrupted === true ? { interrupted: true } : {}),
    ...fields.optional('backgroundTaskId', 'backgroundTaskId'),
    ...fields.optional('agentId', 'agentId'),
  }
}

function readToolFailure(p: Payload, max: number): HookDetail {
  const error = p.text('error') ?? ''
  const exitCode = /^Exit code (\d+)/.exec(error)?.[1]
  return {
    type: 'tool-failure',
    tool: readTool(p, max),
    error: createPreview(error, max),
    ...p.optionalNumber('durationMs', 'duration_ms'),
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
    timedOut: /^(?:Exit code \d+\n)?Command timed out after /.test(error),
    interrupted: p.value.is_interrupt === true,
  }
}

function readToolBatch(p: Payload, max: number): HookDetail {
  const calls = p.list('tool_calls').filter(isRecord)
  return {
    type: 'tool-batch',
    calls: calls.map((call) => {
      const response = call.tool_response
      const text = typeof response === 'string' ? response : (JSON.stringify(response) ?? '')
      return {
        ...readCall(call, max),
        response: createPreview(text, max),
        refused: isRefusal(text),
      }
    }),
  }
}

/** The fields of an event that we do not know, without the common ones. */
function ownFields(payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { session_id: _, transcript_path: __, cwd: ___, hook_event_name: ____, ...own } = payload
  return own
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Typed access to a foreign object: a field of another type counts as absent. */
class Payload {
  constructor(readonly value: Readonly<Record<string, unknown>>) {}

  text(key: string): string | undefined {
    const field = this.value[key]
    return typeof field === 'string' ? field : undefined
  }

  preview(key: string, maxChars: number): Preview {
    return createPreview(this.text(key) ?? '', maxChars)
  }

  list(key: string): readonly unknown[] {
    const field = this.value[key]
    return Array.isArray(field) ? field : []
  }

  optional<K extends string>(as: K, key: string): { readonly [P in K]?: string } {
    const field = this.text(key)
    return (field === undefined || field === '' ? {} : { [as]: field }) as { readonly [P in K]?: string }
  }

  optionalNumber<K extends string>(as: K, key: string): { readonly [P in K]?: number } {
    const field = this.value[key]
    return (typeof field === 'number' ? { [as]: field } : {}) as { readonly [P in K]?: number }
  }
}
