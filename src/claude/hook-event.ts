/** What a hook of Claude Code's says, as the rest of us reads it: masked and cut, free of its payload's shape. */
import type { Preview } from '../telemetry/preview.ts'
import type { Summary } from '../telemetry/summary.ts'
import type { ToolCall, ToolResponse } from './tool-call.ts'

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
  | {
      readonly type: 'compaction'
      readonly phase: 'before' | 'after'
      readonly trigger: string
      /** Whether a person said what the summary should keep; where it is told. */
      readonly hasInstructions?: boolean
    }
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
  /** Fields that an event which we know should not have: a newer Claude Code's. */
  readonly unknown?: { readonly names: readonly string[]; readonly fields: Summary }
}
