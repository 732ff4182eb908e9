/** The attributes of `execute_tool` spans: one call, its input, its response. */
import type { ToolCall, ToolResponse } from '../claude/tool-call.ts'
import type { AttributeName, AttributeSet } from '../telemetry/attributes.ts'
import type { AttributeValue } from '../telemetry/signal.ts'
import type { Summary } from '../telemetry/summary.ts'
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

export function inputAttributes(input: Summary): AttributeSet {
  return { ...fieldAttributes('tool.input.', input), 'input.bytes': input.bytes, 'input.truncated': input.truncated }
}

export function responseAttributes({ summary, stdoutBytes, stderrBytes }: ToolResponse): AttributeSet {
  const whole = Object.keys(summary.fields).length === 0 && summary.text !== '' ? summary.text : undefined
  return {
    ...fieldAttributes('tool.response.', summary),
    ...(whole === undefined ? {} : { 'tool.response.text': whole }),
    stdout_bytes: stdoutBytes,
    stderr_bytes: stderrBytes,
    response_bytes: summary.bytes,
    'response.truncated': summary.truncated,
  }
}

function fieldAttributes(prefix: 'tool.input.' | 'tool.response.', summary: Summary): AttributeSet {
  const entries = Object.entries(summary.fields).map(([key, value]) => [`${prefix}${key}`, value] as const)
  return Object.fromEntries(entries) as { [Name in AttributeName]?: AttributeValue }
}
