/**
 * Every attribute and every event that we emit, with its meaning; a name that is not listed does not compile.
 * The README's tables are made from this file. Names follow OpenTelemetry's GenAI conventions (main branch, autumn 2026)
 * and beside them the older vocabulary that boards were built on; both always say the same.
 */
import type { AttributeValue } from './signal.ts'

export const attributes = {
  // Common to all signals of a session
  'session.id': 'Claude Code’s session id.',
  'gen_ai.conversation.id': 'The conversation: the session id, kept across resume and fork.',
  'gen_ai.operation.name': '`invoke_agent`, `chat` or `execute_tool`.',
  'gen_ai.provider.name': '`anthropic`.',
  'gen_ai.system': '`anthropic`; the former name of the provider.',
  'gen_ai.agent.name': 'The agent: `claude-code`, or a subagent’s type.',
  'gen_ai.agent.id': 'A subagent’s id.',
  'gen_ai.agent.description': 'What the subagent was started for; masked and cut.',
  'prompt.id': 'The prompt that a turn answers; equals `prompt.id` of Claude Code’s own telemetry.',
  'event.name': 'The name of the log record’s event.',
  'log.record.uid': 'The log record’s own id (a ULID): one that is sent twice is known by it.',
  'error.type': 'What kind of failure; low cardinality.',
  'error.message': 'The failure’s text; masked and cut.',
  error: 'true on spans that failed.',

  // Session
  'session.source': 'startup, resume, clear, fork or compact.',
  'session.end_reason': 'Claude Code’s reason, or `crashed` when claude was gone without one.',
  'session.previous_id': 'The session this one came from, where it has another id (clear, fork).',
  'claude.version': 'Version of Claude Code.',
  'claude.permission_mode': 'Permission mode at the last event.',
  'prompt.preview': 'The beginning of the (first) prompt; masked and cut.',
  'prompt.bytes': 'Size of the prompt.',
  'prompt.truncated': 'Whether the preview is shorter than the prompt.',
  'prompt.source': 'Who wrote the prompt: user, task_notification, or Claude Code’s word.',
  model: 'The model that answered last.',
  turns: 'Number of turns.',
  'tools.total': 'Number of tool calls.',
  'tools.errors': 'Number of tool calls that did not succeed.',
  tools_used: 'Number of tool calls; the former name of `tools.total`.',
  tool_names: 'Names of the tools called, comma-separated.',
  'subagents.total': 'Number of subagents.',
  'model_requests.total': 'Number of model requests answered.',
  'api_errors.total': 'Number of failed model requests, retried ones included.',
  'compactions.total': 'Number of context compactions.',
  'cost.usd': 'Cost as Claude Code states it, for this run of the session.',
  'process.pid': 'Process id of claude.',
  'process.exit.code': 'Exit code of claude.',
  'process.signal': 'The signal that ended claude.',
  'process.working_directory': 'Working directory of the session; masked.',
  'vcs.repository.url.full': 'URL of the repository’s origin, without credentials.',
  'vcs.repository.name': 'Name of the repository.',
  'vcs.owner.name': 'Owner of the repository.',
  'vcs.provider.name': 'github, gitlab, gitea or bitbucket.',
  'vcs.ref.head.name': 'Branch.',
  'vcs.ref.head.type': '`branch`.',
  'vcs.ref.head.revision': 'Commit.',

  // Tokens: Claude’s meaning, cached input left out of `tokens.input`
  'tokens.input': 'Input tokens that were not cached.',
  'tokens.output': 'Output tokens.',
  'tokens.cache_read': 'Input tokens read from the cache.',
  'tokens.cache_creation': 'Input tokens written to the cache.',
  'tokens.cache_creation_1h': 'Those of them written for an hour, which cost more than the others; where any were.',
  'tokens.total': 'All tokens: input, output, read from and written to the cache.',
  // Tokens: the conventions’ meaning, cached input included
  'gen_ai.usage.input_tokens': 'Input tokens, cached ones included.',
  'gen_ai.usage.output_tokens': 'Output tokens.',
  'gen_ai.usage.cache_read.input_tokens': 'Those read from the cache.',
  'gen_ai.usage.cache_write.input_tokens': 'Those written to the cache.',
  'gen_ai.usage.reasoning.output_tokens': 'Output tokens spent on reasoning.',

  // Turn
  'turn.index': 'Number of the turn in this run of the session, from 1.',
  'turn.status': 'completed, error, interrupted or abandoned.',
  'background_tasks.running': 'Background tasks still running when the turn ended.',

  // Model request
  'gen_ai.request.model': 'The model that was asked for.',
  'gen_ai.response.model': 'The model that answered.',
  'gen_ai.response.id': 'Id of the message.',
  'gen_ai.response.finish_reasons': 'Why the answer ended.',
  'gen_ai.request.reasoning.level': 'Effort level.',
  'gen_ai.token.modality': '`text`.',
  'request.id': 'Id of the API request.',
  'http.response.status_code': 'Status of a failed API request.',
  'retry.attempt': 'Number of the failed attempt.',
  'retry.delay_ms': 'Time until the next attempt.',
  'claude.query_source':
    'main, subagent, or auxiliary: requests that no transcript line tells of, such as a compaction’s.',
  'claude.speed': 'Speed tier of the answer.',

  // Messages, where content is opted in: JSON texts in the conventions' shapes
  'gen_ai.input.messages':
    'The conversation up to there, oldest first; on a turn or a subagent, what it was asked; on a session, all but its last answer.',
  'gen_ai.output.messages': 'The answer.',
  'gen_ai.system_instructions': 'The system prompt.',

  // Tool
  'tool.name': 'Name of the tool.',
  'gen_ai.tool.name': 'Name of the tool.',
  'gen_ai.tool.type': '`function`: run on this machine.',
  'tool.use_id': 'Id of the call.',
  'gen_ai.tool.call.id': 'Id of the call.',
  'gen_ai.tool.call.arguments': 'The input as a JSON object; where content is opted in.',
  'gen_ai.tool.call.result': 'The output, a JSON object where it is one; where content is opted in.',
  'tool.status': 'success, error, denied, interrupted, timeout or abandoned.',
  'tool.error': 'The failure’s text; masked and cut.',
  'tool.is_error': 'Whether the status is another than success.',
  duration_ms: 'Time the tool itself ran, without hooks and permission wait.',
  permission_wait_ms: 'Time a person (or nobody) took to decide; 0 where nobody was asked.',
  exit_code: 'Exit code of a failed command; Claude Code tells none on success.',
  stdout_bytes: 'Size of the command’s output; Claude Code merges stderr into it.',
  stderr_bytes: 'Size of what came apart as stderr.',
  response_bytes: 'Size of the response.',
  'response.truncated': 'Whether some `tool.response.*` was cut.',
  'input.summary': 'The input in a line; masked and cut.',
  'input.bytes': 'Size of the input.',
  'input.truncated': 'Whether some `tool.input.*` was cut.',
  interrupted: 'Whether a person stopped it.',
  timeout: 'Whether it ran out of time.',
  background: 'Whether it went on in the background.',
  'background.task_id': 'Id of the background task.',
  'mcp.server.name': 'Name of the MCP server.',
  'mcp.method.name': '`tools/call`.',

  // Log records
  'permission.decision': 'granted or denied.',
  'permission.reason': 'Why it was denied; masked and cut.',
  'notification.type': 'Claude Code’s notification type.',
  'notification.message': 'What it said; masked and cut.',
  'response.preview': 'The beginning of an answer; masked and cut.',
  'response.bytes': 'Size of the answer.',
  'compaction.trigger': 'manual or auto.',
  'compaction.pre_tokens': 'Context size before.',
  'compaction.post_tokens': 'Context size after.',
  'model.from': 'The model before.',
  'model.to': 'The model after.',
  'model.source': 'What switched it.',
  'hook.event': 'Name of a hook event.',
  'hook.field': 'Name of a field that we do not know.',
  'hook.fields': 'Fields that we do not know; masked and cut.',
  'hook.reason': 'Why a hook’s record could not be read.',
  'hook.bytes': 'Size of that record.',

  // Metrics only
  'token.kind': 'input, output, cache_read or cache_creation.',
  source: 'Where a session came from.',
  outcome: 'How a turn ended.',
  'secret.kind': 'What kind of secret was masked.',
} as const

type OpenName = `tool.input.${string}` | `tool.response.${string}`

export type AttributeName = keyof typeof attributes | OpenName

/** What the assembler fills in: undefined values are left out. */
export type AttributeSet = { readonly [Name in AttributeName]?: AttributeValue | undefined }

interface ContentEntry {
  /** Whose words these are, for the README. */
  readonly what: string
  /** The attribute that tells whether it was cut. */
  readonly flag?: keyof typeof attributes
  /** JSON, which has no preview: nothing of it, unless it is opted in; what is too long is cut inside. */
  readonly isJson?: true
}

/**
 * The attributes that carry somebody's words: cut to previews, unless the user wants them whole, for which these are the
 * names. Every other attribute is a name, an id, a size, a number or a place; those are masked too, and never cut to previews.
 */
export const contentAttributes = {
  'prompt.preview': { what: 'prompts', flag: 'prompt.truncated' },
  'response.preview': { what: 'answers of the model', flag: 'response.truncated' },
  'input.summary': { what: 'a tool’s input in a line' },
  'tool.input.*': { what: 'the fields of a tool’s input, each', flag: 'input.truncated' },
  'tool.response.*': { what: 'the fields of a tool’s output, each', flag: 'response.truncated' },
  'error.message': {
    what: 'texts of failures: tools’, the API’s, claude’s; also as `tool.error` and as the span’s status',
    flag: 'response.truncated',
  },
  'permission.reason': { what: 'why a call was denied' },
  'notification.message': { what: 'notifications' },
  'gen_ai.agent.description': { what: 'what subagents were started for' },
  'hook.fields': { what: 'the fields of hook events that we do not know' },
  'gen_ai.input.messages': { what: 'the conversation as messages; nothing by default', isJson: true },
  'gen_ai.output.messages': { what: 'answers as messages, with thinking; nothing by default', isJson: true },
  'gen_ai.system_instructions': { what: 'the system prompt; nothing by default', isJson: true },
  'gen_ai.tool.call.arguments': { what: 'a tool’s input as JSON; nothing by default', isJson: true },
  'gen_ai.tool.call.result': { what: 'a tool’s output as JSON; nothing by default', isJson: true },
} as const satisfies Record<string, ContentEntry>

export type ContentName = keyof typeof contentAttributes

/** The entry of the table that an attribute belongs to; undefined for one that is no content. */
export function contentNameOf(attribute: string): ContentName | undefined {
  if (Object.hasOwn(contentAttributes, attribute)) return attribute as ContentName
  if (attribute.startsWith('tool.input.')) return 'tool.input.*'
  if (attribute.startsWith('tool.response.')) return 'tool.response.*'
  return aliases[attribute]
}

/** The same words under another name. */
const aliases: Readonly<Record<string, ContentName>> = { 'tool.error': 'error.message', prompt: 'prompt.preview' }

/** The log records whose body ends in somebody's words, and the attribute that says the same. */
export const contentBodies: Readonly<Partial<Record<LogEventName, AttributeName>>> = {
  'claude.user_prompt': 'prompt.preview',
  'claude.assistant_response': 'response.preview',
  'claude.tool.start': 'input.summary',
  'claude.tool.error': 'tool.error',
  'claude.permission.asked': 'input.summary',
  'claude.permission.denied': 'permission.reason',
  'claude.notification': 'notification.message',
  'claude.api_error': 'error.message',
}

/** The log records, by event name. `session.start` and `session.end` are OpenTelemetry’s. */
export const logEvents = {
  'session.start': 'A session began.',
  'session.end': 'A session ended.',
  'claude.user_prompt': 'A prompt was submitted.',
  'claude.assistant_response': 'A message of the model was complete.',
  'claude.turn.end': 'A turn ended.',
  'claude.tool.start': 'A tool call began.',
  'claude.tool.end': 'A tool call succeeded.',
  'claude.tool.error': 'A tool call ended in any other way.',
  'claude.permission.asked': 'A person was asked for permission.',
  'claude.permission.granted': 'Permission was given.',
  'claude.permission.denied': 'Permission was refused, by a person or a rule.',
  'claude.notification': 'Claude Code notified the user.',
  'claude.compaction': 'The context was compacted.',
  'claude.model_switch': 'Another model answers from here on.',
  'claude.api_error': 'A model request failed; retried or not.',
  'claude.hook.event': 'A hook event that we do not know, or fields of one that we do know.',
  'claude_otel.hook.error': 'A hook’s record could not be read.',
  'claude_otel.test': '`claude-otel status --send` tried a destination out; its span has the same name.',
} as const

export type LogEventName = keyof typeof logEvents

/** The events on spans. Those of the session, and what they carry, have the names that claude_telemetry gave them. */
export const spanEvents = {
  '👤 User prompt submitted': 'On the session: a turn began. `prompt`: its beginning, masked and cut.',
  'Turn completed':
    'On the session: a turn ended. `turn`: its number; `input_tokens` (not cached), `output_tokens`, `cache_read_tokens`, `cache_creation_tokens`: what it took, its subagents included; `status`: as `turn.status`.',
  'Context compaction':
    'On the session: the context was compacted. `trigger`: manual or auto; `has_custom_instructions`, where a PreCompact hook tells.',
  '🎉 Completed': 'On the session: it ended, and not by a crash.',
  'permission.asked': 'On a tool call: a person was asked.',
  'permission.granted': 'On a tool call: permission was given.',
  'permission.denied': 'On a tool call: permission was refused.',
} as const

export type SpanEventName = keyof typeof spanEvents
