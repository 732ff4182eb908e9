/** The attributes of `execute_tool` spans: one call, its input, its response. */
import type { ToolCall, ToolResponse } from '../claude/tool-call.ts'
import type { AttributeName, AttributeSet } from '../telemetry/attributes.ts'
import { cutJson, type Json } from '../telemetry/messages.ts'
import type { AttributeValue } from '../telemetry/signal.ts'
import { restore, type Summary } from '../telemetry/summary.ts'
import type { Invocation } from './invocations.ts'

interface Call {
  readonly tool: ToolCall
  readonly useId: string
  readonly invocation: Invocation
}

export function callAttributes({ tool, useId, invocation }: Call): AttributeSet {
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

/** `jsonChars`: of the whole as JSON; 0 where nobody wants it. */
export function inputAttributes(input: Summary, jsonChars: number): AttributeSet {
  return {
    ...fieldAttributes('tool.input.', input),
    'input.bytes': input.bytes,
    'input.truncated': input.truncated,
    'gen_ai.tool.call.arguments': jsonOf(restore(input), jsonChars),
  }
}

/** As `inputAttributes`. */
export function responseAttributes(
  { summary, stdoutBytes, stderrBytes }: ToolResponse,
  jsonChars: number,
): AttributeSet {
  const whole = Object.keys(summary.fields).length === 0 && summary.text !== '' ? summary.text : undefined
  return {
    ...fieldAttributes('tool.response.', summary),
    ...(whole === undefined ? {} : { 'tool.response.text': whole }),
    stdout_bytes: stdoutBytes,
    stderr_bytes: stderrBytes,
    response_bytes: summary.bytes,
    'response.truncated': summary.truncated,
    'gen_ai.tool.call.result': jsonOf(restore(summary), jsonChars),
  }
}

/** A text as it is, everything else as JSON; undefined where there is nothing, or nobody wants it. */
export function jsonOf(value: Json, maxChars: number): string | undefined {
  if (maxChars === 0 || value === '') return undefined
  return cutJson(typeof value === 'string' ? value : JSON.stringify(value), maxChars)
}

function fieldAttributes(prefix: 'tool.input.' | 'tool.response.', summary: Summary): AttributeSet {
  const entries = Object.entries(summary.fields).map(([key, value]) => [`${prefix}${key}`, value] as const)
  return Object.fromEntries(entries) as { [Name in AttributeName]?: AttributeValue }
}
