/** A tool call as hooks and transcripts name it: what was called, and of its input what may be kept. */
import type { Keeper } from '../telemetry/keeper.ts'
import { isRecord, type Summary } from '../telemetry/summary.ts'

export interface ToolCall {
  readonly name: string
  /** Absent in PermissionRequest, which is matched by name and `inputKey`. */
  readonly useId?: string
  readonly input: Summary
  /** Hash of the whole input. */
  readonly inputKey: string
  readonly mcpServer?: string
  readonly background?: boolean
}

interface RawCall {
  readonly name: string
  readonly useId?: string | undefined
  readonly input: unknown
  readonly mcpServer?: string | undefined
}

export function createToolCall(
  { name, useId, input, mcpServer = mcpServerOf(name) }: RawCall,
  keeper: Keeper,
  of?: 'message',
): ToolCall {
  return {
    name: keeper.mask(name),
    ...(useId === undefined ? {} : { useId: keeper.mask(useId) }),
    input: keeper.summarize('tool.input', input, of),
    inputKey: new Bun.CryptoHasher('sha256')
      .update(JSON.stringify(input) ?? '')
      .digest('base64url')
      .slice(0, 16),
    ...(mcpServer === undefined ? {} : { mcpServer: keeper.mask(mcpServer) }),
    ...(isRecord(input) && input.run_in_background === true ? { background: true } : {}),
  }
}

/** What came back from a call. Claude Code merges a command's stderr into its stdout. */
export interface ToolResponse {
  readonly summary: Summary
  readonly stdoutBytes?: number
  readonly stderrBytes?: number
}

export function createToolResponse(response: unknown, keeper: Keeper, of?: 'message'): ToolResponse {
  const { stdout, stderr } = isRecord(response) ? response : {}
  return {
    summary: keeper.summarize('tool.response', response, of),
    ...(typeof stdout === 'string' ? { stdoutBytes: Buffer.byteLength(stdout) } : {}),
    ...(typeof stderr === 'string' ? { stderrBytes: Buffer.byteLength(stderr) } : {}),
  }
}

/** Whether a result's text says that the call never ran: an unknown tool, or input that its schema refuses. */
export function isRefusal(text: string): boolean {
  return text.startsWith('<tool_use_error>')
}

/** What a failed command's text says of how it failed. */
export function readFailure(text: string): { readonly exitCode?: number; readonly timedOut?: true } {
  const exitCode = /^Exit code (\d+)/.exec(text)?.[1]
  const timedOut = /^(?:Exit code \d+\n)?Command timed out after /.test(text)
  return {
    ...(exitCode === undefined ? {} : { exitCode: Number(exitCode) }),
    ...(timedOut ? { timedOut } : {}),
  }
}

/** `mcp__server__tool` → server. */
function mcpServerOf(toolName: string): string | undefined {
  return /^mcp__(.+?)__/.exec(toolName)?.[1]
}
