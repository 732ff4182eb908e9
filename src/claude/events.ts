/**
 * Claude Code's hook payloads: which events we register for and what we read of each. The only place that knows their
 * shape. What is read is already masked and cut, so that it may be written to disk. Source: Claude Code 2.1.329, observed.
 */
import type { Keeper } from '../telemetry/keeper.ts'
import { isRecord } from '../telemetry/summary.ts'
import type { HookDetail, HookEvent } from './hook-event.ts'
import { Payload } from './payload.ts'
import { createToolCall, createToolResponse, isRefusal, readFailure, type ToolCall } from './tool-call.ts'
import { promptSource } from './transcript-lines.ts'

interface EventEntry {
  /**
   * How claude runs our hook. `async` does not hold claude up, but its time of start says little about order, and in `-p` it is
   * killed when the session ends: so events that begin or end something bigger than a call are `sync`, and so is the question to
   * a person. `never`: understood when somebody else registered it. PreCompact and PostCompact print a line in the user's
   * terminal; WorktreeCreate, without an entry, would replace the worktree.
   */
  readonly run: 'sync' | 'async' | 'never'
  /** The fields that it can have beside the common ones. */
  readonly fields: readonly string[]
  readonly read: (payload: Payload) => HookDetail
}

const commonFields = [
  'session_id',
  'transcript_path',
  'cwd',
  'hook_event_name',
  'prompt_id',
  'permission_mode',
  'agent_id',
  'agent_type',
  'effort',
]
const callFields = ['tool_name', 'tool_input', 'tool_use_id', 'mcp_server']
const endFields = ['stop_hook_active', 'last_assistant_message', 'background_tasks', 'session_crons']

/** The events that carry meaning. Adding one here registers it; what it does to a session is in session/. */
export const hookEvents: Readonly<Record<string, EventEntry>> = {
  SessionStart: {
    run: 'sync',
    fields: [
      'source',
      'model',
      'session_title',
      'seconds_since_last_response',
      'context_tokens',
      'prompt_cache_likely_expired',
      'estimated_cache_write_usd',
    ],
    read: (p) => ({ type: 'session-start', source: p.text('source') ?? 'startup', ...p.optional('model', 'model') }),
  },
  SessionEnd: {
    run: 'sync',
    fields: ['reason'],
    read: (p) => ({ type: 'session-end', reason: p.text('reason') ?? 'other' }),
  },
  UserPromptSubmit: { run: 'sync', fields: ['prompt', 'source', 'session_title'], read: readPrompt },
  PreToolUse: { run: 'async', fields: callFields, read: (p) => ({ type: 'tool-start', tool: readTool(p) }) },
  PostToolUse: { run: 'async', fields: [...callFields, 'tool_response', 'duration_ms'], read: readToolEnd },
  PostToolUseFailure: {
    run: 'async',
    fields: [...callFields, 'error', 'is_interrupt', 'duration_ms'],
    read: readToolFailure,
  },
  // What it tells of calls without a Post hook is in the transcript too, and a third hook per call would cost a third more.
  PostToolBatch: { run: 'never', fields: ['tool_calls'], read: readToolBatch },
  PermissionRequest: {
    run: 'sync',
    fields: [...callFields, 'permission_suggestions'],
    read: (p) => ({ type: 'permission-request', tool: readTool(p) }),
  },
  PermissionDenied: {
    run: 'async',
    fields: [...callFields, 'reason'],
    read: (p) => ({ type: 'permission-denied', tool: readTool(p), reason: p.preview('permission.reason', 'reason') }),
  },
  Notification: {
    run: 'async',
    fields: ['message', 'title', 'notification_type'],
    read: (p) => ({
      type: 'notification',
      kind: p.text('notification_type') ?? 'unknown',
      message: p.preview('notification.message', 'message'),
    }),
  },
  Stop: {
    run: 'sync',
    fields: endFields,
    read: (p) => ({
      type: 'turn-end',
      message: p.preview('response.preview', 'last_assistant_message'),
      backgroundTasks: p.list('background_tasks').length,
    }),
  },
  StopFailure: {
    run: 'sync',
    fields: ['error', 'error_details', 'last_assistant_message'],
    read: (p) => ({
      type: 'turn-failure',
      error: p.text('error') ?? 'unknown',
      message: p.preview('error.message', 'last_assistant_message'),
    }),
  },
  SubagentStart: { run: 'async', fields: [], read: () => ({ type: 'agent-start' }) },
  SubagentStop: {
    run: 'async',
    fields: [...endFields, 'agent_transcript_path'],
    read: (p) => ({ type: 'agent-end', message: p.preview('response.preview', 'last_assistant_message') }),
  },
  PostModelSwitch: {
    run: 'async',
    fields: [
      'from_model',
      'to_model',
      'requested_model',
      'source',
      'context_tokens',
      'prompt_cache_warm',
      'cache_ttl',
      'estimated_cache_write_usd',
      'pricing',
    ],
    read: (p) => ({
      type: 'model-switch',
      from: p.text('from_model') ?? 'unknown',
      to: p.text('to_model') ?? 'unknown',
      source: p.text('source') ?? 'unknown',
    }),
  },
  PreCompact: { run: 'never', fields: ['trigger', 'custom_instructions'], read: (p) => readCompaction(p, 'before') },
  PostCompact: { run: 'never', fields: ['trigger', 'compact_summary'], read: (p) => readCompaction(p, 'after') },
  // The transcript has the whole message.
  MessageDisplay: {
    run: 'never',
    fields: ['turn_id', 'message_id', 'index', 'final', 'delta'],
    read: () => ({ type: 'silent' }),
  },
  Setup: { run: 'never', fields: ['trigger'], read: () => ({ type: 'silent' }) },
}

/** The JSON text of a hook's stdin as an event, or the reason why it is none. Everything in it is masked, content is cut. */
export function parseHookPayload(json: string, keeper: Keeper): HookEvent | { readonly broken: string } {
  const value = parseJson(json)
  if (!isRecord(value)) return { broken: 'the payload is not a JSON object' }
  const payload = new Payload(value, keeper)
  const name = payload.text('hook_event_name')
  const sessionId = payload.text('session_id')
  if (name === undefined) return { broken: 'the payload has no hook_event_name' }
  if (sessionId === undefined) return { broken: `the payload of ${name} has no session_id` }
  const entry = Object.hasOwn(hookEvents, name) ? hookEvents[name] : undefined
  const effort = isRecord(value.effort) ? new Payload(value.effort, keeper).text('level') : undefined
  return {
    name,
    sessionId,
    ...payload.optionalPath('transcriptPath', 'transcript_path'),
    ...payload.optionalPath('cwd', 'cwd'),
    ...payload.optional('promptId', 'prompt_id'),
    ...payload.optional('permissionMode', 'permission_mode'),
    ...payload.optional('agentId', 'agent_id'),
    ...payload.optional('agentType', 'agent_type'),
    ...(effort === undefined ? {} : { effort }),
    ...(entry === undefined ? {} : unknownOf(value, entry.fields, keeper)),
    detail: entry?.read(payload) ?? { type: 'other', fields: keeper.summarize('hook.fields', ownFields(value)) },
  }
}

/** A newer Claude Code may say more than we understand. */
function unknownOf(
  payload: Readonly<Record<string, unknown>>,
  fields: readonly string[],
  keeper: Keeper,
): Pick<HookEvent, 'unknown'> {
  const names = Object.keys(payload).filter((name) => !commonFields.includes(name) && !fields.includes(name))
  if (names.length === 0) return {}
  const own = Object.fromEntries(names.map((name) => [name, payload[name]]))
  return { unknown: { names: names.map(keeper.mask), fields: keeper.summarize('hook.fields', own) } }
}

function readCompaction(p: Payload, phase: 'before' | 'after'): HookDetail {
  const instructions = p.value.custom_instructions
  const told = instructions === undefined ? {} : { hasInstructions: instructions !== null && instructions !== '' }
  return { type: 'compaction', phase, trigger: p.text('trigger') ?? 'unknown', ...told }
}

function readPrompt(p: Payload): HookDetail {
  const prompt = p.raw('prompt') ?? ''
  const source = p.text('source') ?? promptSource(prompt)
  return { type: 'prompt', prompt: p.keeper.preview('prompt.preview', prompt), source }
}

function readTool(p: Payload): ToolCall {
  const mcpServer = isRecord(p.value.mcp_server) ? new Payload(p.value.mcp_server, p.keeper).raw('name') : undefined
  const name = p.raw('tool_name') ?? 'unknown'
  return createToolCall({ name, useId: p.raw('tool_use_id'), input: p.value.tool_input, mcpServer }, p.keeper)
}

function readToolEnd(p: Payload): HookDetail {
  const response = p.value.tool_response
  const fields = new Payload(isRecord(response) ? response : {}, p.keeper)
  return {
    type: 'tool-end',
    tool: readTool(p),
    response: createToolResponse(response, p.keeper),
    ...p.optionalNumber('durationMs', 'duration_ms'),
    ...(fields.value.interrupted === true ? { interrupted: true } : {}),
    ...fields.optional('backgroundTaskId', 'backgroundTaskId'),
    // SendMessage wakes an agent that had ended.
    ...fields.optional('agentId', 'resumedAgentId'),
    ...fields.optional('agentId', 'agentId'),
  }
}

function readToolFailure(p: Payload): HookDetail {
  const error = p.raw('error') ?? ''
  return {
    type: 'tool-failure',
    tool: readTool(p),
    error: p.keeper.preview('error.message', error),
    ...p.optionalNumber('durationMs', 'duration_ms'),
    timedOut: false,
    ...readFailure(error),
    interrupted: p.value.is_interrupt === true,
  }
}

function readToolBatch(p: Payload): HookDetail {
  const calls = p.list('tool_calls').filter(isRecord)
  return {
    type: 'tool-batch',
    calls: calls.map((call) => {
      const response = call.tool_response
      const text = typeof response === 'string' ? response : (JSON.stringify(response) ?? '')
      return {
        ...readTool(new Payload(call, p.keeper)),
        response: p.keeper.preview('error.message', text),
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
