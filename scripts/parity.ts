/**
 * claude_telemetry 0.5.0 (`claudia`) name by name, and what stands for each here. README's guide for those who come from it is
 * made from this table, and test/house/parity.test.ts holds every row to what it points at.
 */

/** Where a row can be seen to hold. */
export type Proof =
  /** A name in the tables of src/telemetry. */
  | { readonly in: 'attribute' | 'span event' | 'log event' | 'instrument'; readonly name: string }
  /** A span of the recorded sessions. */
  | { readonly in: 'span'; readonly name: string }
  | { readonly in: 'command'; readonly name: string }
  /** Of ours, with its dashes; or a variable that a setting or a preset reads. */
  | { readonly in: 'flag' | 'variable'; readonly name: string }
  /** What a program gets that imports the package. */
  | { readonly in: 'library'; readonly name: string }
  /** Words that the code says: a literal of src, in a file below that path. */
  | { readonly in: 'text'; readonly name: string; readonly below: string }
  /** A test whose file has that title. */
  | { readonly in: 'test'; readonly name: string; readonly file: string }

export interface Row {
  /** As claude_telemetry calls it. */
  readonly names: readonly string[]
  /** What stands for it, for the README. */
  readonly ours: string
  readonly proofs: readonly Proof[]
}

const attribute = (name: string): Proof => ({ in: 'attribute', name })
const spanEvent = (name: string): Proof => ({ in: 'span event', name })
const logEvent = (name: string): Proof => ({ in: 'log event', name })
const instrument = (name: string): Proof => ({ in: 'instrument', name })
const span = (name: string): Proof => ({ in: 'span', name })
const command = (name: string): Proof => ({ in: 'command', name })
const flag = (name: string): Proof => ({ in: 'flag', name })
const variable = (name: string): Proof => ({ in: 'variable', name })
const library = (name: string): Proof => ({ in: 'library', name })
const says = (name: string, below = 'src/chat'): Proof => ({ in: 'text', name, below })
const tested = (file: string, name: string): Proof => ({ in: 'test', name, file })

function row(names: string | readonly string[], ours: string, ...proofs: readonly Proof[]): Row {
  return { names: typeof names === 'string' ? [names] : names, ours, proofs }
}

export const parity = {
  commands: [
    row(
      'claudia "prompt"',
      '`claude-otel run "prompt"` (the same live display), or `claude-otel -p "prompt"`, which is claude itself',
      command('run'),
    ),
    row('claudia', '`claude-otel chat`; or `claude-otel`, which is claude’s own terminal, recorded', command('chat')),
    row('claude-telemetry', 'the same program: `claude-otel`', command('run')),
    row(
      'claudia --any-claude-flag=value',
      'the same flags, in any form, before or behind the prompt: nothing that follows a flag is taken for the prompt',
      library('parseClaudeArgs'),
    ),
    row(
      '.env',
      'not read: a folder’s file must not decide where prompts go. The settings file of the user (`--config` names it), or `set -a; . ./.env`',
      tested('hook/stamp.test.ts', 'does nothing: bunfig.toml, .env'),
    ),
  ],
  flags: [
    row('--logfire-token T', '`--otel-logfire-token T`', flag('--otel-logfire-token')),
    row('--otel-endpoint U', 'the same', flag('--otel-endpoint')),
    row('--otel-headers k=v,k=v', 'the same', flag('--otel-headers')),
    row('--claudia-debug', '`--claude-otel-debug`', flag('--claude-otel-debug')),
    row(
      ['--version', '-v'],
      '`--version`, as the first word; `-v` is claude’s',
      tested('commands/cli.test.ts', '--version is ours'),
    ),
    row(
      '--config',
      'the same: every setting, its value, where it came from, credentials masked; MCP servers by `claude-otel mcp list`, which is claude’s',
      tested('commands/cli.test.ts', '--config tells every setting'),
    ),
    row(['--debug', '-d'], 'claude’s own, handed on', library('parseClaudeArgs')),
    row(
      '--help',
      'the same, as the first word; `claude-otel -- --help` is claude’s',
      tested('commands/cli.test.ts', '--help'),
    ),
  ],
  variables: [
    row('LOGFIRE_TOKEN', 'the same: Logfire becomes a destination', variable('LOGFIRE_TOKEN')),
    row('SENTRY_DSN', 'the same: Sentry becomes a destination', variable('SENTRY_DSN')),
    row('SENTRY_ENVIRONMENT', 'the same', variable('SENTRY_ENVIRONMENT')),
    row('SENTRY_TRACES_SAMPLE_RATE', 'the same', variable('SENTRY_TRACES_SAMPLE_RATE')),
    row(
      'OTEL_EXPORTER_OTLP_ENDPOINT',
      'the same; with the default protocol, gRPC, its port is 4317. claude_telemetry spoke `http/protobuf` alone: set `OTEL_EXPORTER_OTLP_PROTOCOL` to that, or use the other port',
      variable('OTEL_EXPORTER_OTLP_ENDPOINT'),
      variable('OTEL_EXPORTER_OTLP_PROTOCOL'),
    ),
    row('OTEL_EXPORTER_OTLP_HEADERS', 'the same', variable('OTEL_EXPORTER_OTLP_HEADERS')),
    row(
      'CLAUDE_TELEMETRY_DEBUG=1',
      '`OTEL_TRACES_EXPORTER=console` prints spans; `CLAUDE_OTEL_DEBUG=1` writes diagnostics',
      variable('OTEL_TRACES_EXPORTER'),
      variable('CLAUDE_OTEL_DEBUG'),
    ),
    row(
      'OTEL_SERVICE_NAME',
      'the same, and it is kept; the default is `claude-code` in the place of `claude-agents`',
      variable('OTEL_SERVICE_NAME'),
    ),
    row('OTEL_DEBUG', '`CLAUDE_OTEL_DEBUG=1`; it was promised, and read by nothing', variable('CLAUDE_OTEL_DEBUG')),
  ],
  functions: [
    row(
      'run_agent_with_telemetry(prompt, extra_args, tracer_provider, debug)',
      '`runAgentWithTelemetry(prompt, { extraArgs, tracerProvider, debug, … })`, in TypeScript',
      library('runAgentWithTelemetry'),
    ),
    row(
      '{"response": text}',
      'a result with `response`, and usage, cost, session id, trace id, turns and tools',
      says('response', 'src/agent/library.ts'),
    ),
    row('run_agent_with_telemetry_sync', 'none: await it', library('runAgentWithTelemetry')),
    row('run_agent_interactive', '`claude-otel chat`', command('chat')),
    row('run_agent_interactive_sync', '`claude-otel chat`', command('chat')),
    row(
      'configure_telemetry',
      'none is needed: settings and presets do it; `tracerProvider` takes a provider of yours',
      library('runAgentWithTelemetry'),
      says('tracerProvider', 'src/agent/library.ts'),
    ),
    row('__version__', '`claude-otel --version`', tested('commands/cli.test.ts', '--version is ours')),
    row(
      'parse_claude_args',
      '`parseClaudeArgs`, and `renderClaudeArgs` back',
      library('parseClaudeArgs'),
      library('renderClaudeArgs'),
    ),
    row(
      'setting_sources=[user, project, local]',
      'the same default; `settingSources`',
      says('settingSources', 'src/agent/library.ts'),
    ),
    row(
      'hooks UserPromptSubmit, PreToolUse, PostToolUse, MessageComplete, PreCompact',
      'all that Claude Code has; there is no MessageComplete, answers come from the transcript',
      tested('claude/events.test.ts', 'that we do not know keeps its own fields'),
      logEvent('claude.assistant_response'),
    ),
    row('[Claude CLI] line', 'claude’s stderr is yours, as it comes', says('onStderr', 'src/agent/agent.ts')),
  ],
  backends: [
    row(
      'given tracer_provider',
      '`tracerProvider`: gets the spans in the place of all destinations',
      says('tracerProvider', 'src/agent/library.ts'),
    ),
    row(
      'global TracerProvider',
      'not taken by itself: hand it over, `tracerProvider: trace.getTracerProvider()`',
      says('tracerProvider', 'src/agent/library.ts'),
    ),
    row(
      'first backend found',
      'all that are found, and the endpoint beside them; `CLAUDE_OTEL_PRESETS` chooses',
      variable('CLAUDE_OTEL_PRESETS'),
    ),
    row(
      'RuntimeError without a backend',
      'no error: the hub on this machine keeps and shows the session',
      command('serve'),
    ),
    row(
      'OTLP HTTP/protobuf',
      '`OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`; also `grpc`, the default, and `http/json`',
      variable('OTEL_EXPORTER_OTLP_PROTOCOL'),
    ),
    row('/v1/traces appended', 'the same, and for logs and metrics too', tested('config/config.test.ts', '/v1/')),
    row('BatchSpanProcessor', 'the same variables, `OTEL_BSP_*`', variable('OTEL_BSP_SCHEDULE_DELAY')),
    row(
      'force_flush',
      'at the end, within `--otel-exit-timeout`; what was not delivered is kept and delivered later',
      flag('--otel-exit-timeout'),
      command('drain'),
    ),
    row(
      [
        '🔥 Logfire telemetry configured',
        '🔒 Sentry LLM monitoring configured',
        '📊 OpenTelemetry configured',
        '🔍 Debug mode',
        '✅ Using provided tracer provider',
      ],
      'each destination by its name and place: in the chat’s banner, by `--config` and `status`; a product that only its variables chose once more, after its first session',
      tested('config/announce.test.ts', 'Every destination is announced once'),
      tested('rich/presets.test.ts', 'is told once to the user'),
    ),
    row(
      ['pip install logfire', 'pip install sentry-sdk'],
      'nothing to install: presets are in the binary',
      variable('LOGFIRE_TOKEN'),
      variable('SENTRY_DSN'),
    ),
    row(
      'safe-span decorator',
      'no telemetry error reaches the session',
      tested('faults/collector.test.ts', 'is kept, and delivered once by drain'),
    ),
  ],
  session: [
    row(
      '🤖 {prompt}',
      'span `claude.session`, over all prompts of a session; each prompt is a span `invoke_agent claude-code`',
      span('claude.session'),
      span('invoke_agent claude-code'),
      attribute('prompt.preview'),
    ),
    row(
      'prompt',
      '`prompt.preview`, masked and cut; `CLAUDE_OTEL_CONTENT=prompt.preview` keeps it whole',
      attribute('prompt.preview'),
    ),
    row('model', 'the same', attribute('model')),
    row(
      'session_id',
      '`session.id`; across resume and fork `gen_ai.conversation.id`',
      attribute('session.id'),
      attribute('gen_ai.conversation.id'),
    ),
    row(
      'gen_ai.system',
      'the same, and `gen_ai.provider.name`',
      attribute('gen_ai.system'),
      attribute('gen_ai.provider.name'),
    ),
    row(
      'gen_ai.usage.input_tokens',
      'the same, cached tokens included, as the conventions ask; without them `tokens.input`',
      attribute('gen_ai.usage.input_tokens'),
      attribute('tokens.input'),
    ),
    row(
      'gen_ai.usage.output_tokens',
      'the same, and `tokens.output`',
      attribute('gen_ai.usage.output_tokens'),
      attribute('tokens.output'),
    ),
    row(
      'turns',
      'the same: prompts answered; answers of the model are `model_requests.total`',
      attribute('turns'),
      attribute('model_requests.total'),
    ),
    row('gen_ai.request.model', 'the same', attribute('gen_ai.request.model')),
    row('gen_ai.response.model', 'the same', attribute('gen_ai.response.model')),
    row('tools_used', 'the same, and `tools.total`', attribute('tools_used'), attribute('tools.total')),
    row('tool_names', 'the same, sorted', attribute('tool_names')),
    row(
      '👤 User prompt submitted',
      'the same event on the session’s span; log record `claude.user_prompt`',
      spanEvent('👤 User prompt submitted'),
      logEvent('claude.user_prompt'),
    ),
    row(
      'Turn completed',
      'the same event, with the turn’s tokens; log record `claude.turn.end`',
      spanEvent('Turn completed'),
      logEvent('claude.turn.end'),
    ),
    row(
      'turn, input_tokens, output_tokens',
      'the same on that event, in Claude’s meaning, cached tokens beside them',
      spanEvent('Turn completed'),
    ),
    row(
      'Context compaction',
      'the same event; log record `claude.compaction` with its sizes',
      spanEvent('Context compaction'),
      logEvent('claude.compaction'),
      attribute('compaction.pre_tokens'),
    ),
    row(
      'trigger, has_custom_instructions',
      'the same on that event; the latter where a PreCompact hook tells',
      spanEvent('Context compaction'),
      attribute('compaction.trigger'),
    ),
    row('🎉 Completed', 'the same event; log record `session.end`', spanEvent('🎉 Completed'), logEvent('session.end')),
    row(
      'messages (in memory)',
      '`gen_ai.input.messages`, `gen_ai.output.messages`, where content is opted in',
      attribute('gen_ai.input.messages'),
      attribute('gen_ai.output.messages'),
    ),
  ],
  tools: [
    row(
      '🔧 Tool started: {title}',
      'the beginning of a span `execute_tool {tool}`; log record `claude.tool.start`',
      span('execute_tool Bash'),
      logEvent('claude.tool.start'),
    ),
    row(
      '✅ Tool completed: {title}',
      'the end of that span; log record `claude.tool.end` or `claude.tool.error`',
      logEvent('claude.tool.end'),
      logEvent('claude.tool.error'),
    ),
    row('tool_name', '`tool.name`', attribute('tool.name')),
    row('input_summary', '`input.summary`', attribute('input.summary')),
    row('input.{key}', '`tool.input.{key}`', attribute('tool.input.command')),
    row('status', '`tool.status`: also denied, interrupted, timeout, abandoned', attribute('tool.status')),
    row(
      'response_summary',
      '`tool.response.{key}`, each a preview; `response_bytes`',
      attribute('tool.response.stdout'),
      attribute('response_bytes'),
    ),
    row('response_type', '`gen_ai.tool.call.result`, whose JSON shows it', attribute('gen_ai.tool.call.result')),
    row(['response.{key}', 'tool.response.{key}'], '`tool.response.{key}`', attribute('tool.response.stdout')),
    row(['response', 'tool.response'], '`tool.response.text`', says('tool.response.text', 'src/session')),
    row(
      ['response.count', 'response.first_item'],
      '`gen_ai.tool.call.result`, the list itself, where content is opted in',
      attribute('gen_ai.tool.call.result'),
    ),
    row(
      '🔧 {title}',
      'span `execute_tool {tool}`, always there, not only where `create_tool_spans` is on',
      span('execute_tool Read'),
    ),
    row('tool.name', 'the same, and `gen_ai.tool.name`', attribute('tool.name'), attribute('gen_ai.tool.name')),
    row('gen_ai.operation.name', 'the same', attribute('gen_ai.operation.name')),
    row('tool.input.{key}', 'the same', attribute('tool.input.command')),
    row(
      'Tool input {input}',
      '`gen_ai.tool.call.arguments`, where content is opted in',
      attribute('gen_ai.tool.call.arguments'),
    ),
    row('tool.status', 'the same', attribute('tool.status')),
    row('tool.error', 'the same', attribute('tool.error')),
    row('tool.is_error', 'the same', attribute('tool.is_error')),
    row(
      'Tool response {response}',
      '`gen_ai.tool.call.result`, where content is opted in',
      attribute('gen_ai.tool.call.result'),
    ),
    row(
      'Tool completed: … (on the parent)',
      'the child span itself; counted in `tools.total`',
      attribute('tools.total'),
    ),
    row(
      'matched by tool_use_id, else by name',
      '`tool.use_id`, always; calls whose hooks were lost are told by the transcript',
      attribute('tool.use_id'),
      tested('session/tool-reports.test.ts', 'though the hook'),
    ),
    row(
      'create_tool_title',
      'in the terminal: `Tool - key=value, …`, three parameters, 100 columns',
      tested('console/titles.test.ts', 'is never longer than 100 columns'),
    ),
    row(
      'create_completion_title',
      'in the terminal: `Tool → summary`',
      tested('rich/chat.test.ts', '✅ Bash → 2 lines'),
    ),
  ],
  console: [
    row(
      '🔧 Tool: title',
      'the same sign and title, while the tool runs',
      says('🔧', 'src/console'),
      tested('console/console.test.ts', 'is lines about tools, the answer, and what it took'),
    ),
    row(
      'Input: block',
      'in the title; whole on the span, where content is opted in',
      tested('console/titles.test.ts', 'is never longer than 100 columns'),
    ),
    row(
      '✅ Tool completed: title',
      'the same sign, with the summary and the time',
      says('✅', 'src/console'),
      tested('console/console.test.ts', 'is lines about tools, the answer, and what it took'),
    ),
    row(
      'formatted response',
      'the first lines of it, and how many there are more',
      tested('console/titles.test.ts', 'is shown by its first lines'),
    ),
    row(
      '❌ on tool error',
      'the same sign',
      says('❌', 'src/console'),
      tested('console/titles.test.ts', 'tells an error in its own words'),
    ),
    row(
      '✅ Session completed | in, out | tools | seconds',
      'a last line with tokens (cached apart), cost, tools, seconds and trace id',
      says('🎉', 'src/console'),
      says('Completed', 'src/console'),
    ),
    row(
      'smart truncation',
      'by columns, wide characters counted as two',
      tested('console/titles.test.ts', 'is never longer than 100 columns'),
    ),
    row(
      'plain text on stdout',
      'the same: the answer on stdout, all else on stderr',
      tested('console/console.test.ts', 'a pipe gets the words of the model alone'),
    ),
    row('Ctrl+C → 0', '130, as every program that is interrupted', tested('rich/run.test.ts', 'A run that ends early')),
    row(
      'RuntimeError → 1',
      'the same: 1 where claude or the model failed; 64 for a wrong command line, 78 for a wrong setting, 127 without a claude',
      tested('commands/cli.test.ts', 'toBe(64)'),
    ),
  ],
  chat: [
    row(
      '🤖 Claudia panel',
      'a panel `🤖 claude-otel`',
      says('🤖 claude-otel'),
      tested('rich/chat.test.ts', 'a banner, the tools of a turn, the answer as Markdown'),
    ),
    row(
      ['Model row', 'Permission Mode row', 'MCP row', 'Telemetry row'],
      'the same rows, with the folder and the session; MCP servers with their state once claude is there',
      says('Model'),
      says('Permissions'),
      says('MCP: '),
      says('Telemetry'),
    ),
    row('⚠️ None (debug mode)', 'where telemetry is off, that is said', says('off: ')),
    row(
      '> prompt',
      'an editor: several lines, history over chats, search',
      tested('rich/chat.test.ts', 'writes several lines'),
      tested('console/prompt.test.ts', 'searches what was said before'),
    ),
    row('empty input ignored', 'the same', says("text.trim() === '') return", 'src/console/prompt.ts')),
    row(['exit', 'quit', 'bye', 'Ctrl+D'], 'the same', says('bye'), says('Ctrl-D')),
    row(
      "Press Ctrl+C again to exit, or type 'exit'",
      'Ctrl-C interrupts a turn; at the prompt once warns, twice leaves',
      tested('rich/chat.test.ts', 'is warned by a first Ctrl-C'),
    ),
    row('counter reset by any input', 'the same', tested('rich/chat.test.ts', 'leaves by a second in a row')),
    row(
      'cyan panel with Markdown',
      'Markdown as it comes, without a frame that would be copied along',
      tested('console/markdown.test.ts', 'becomes lines that read well'),
    ),
    row(
      'Continuing session…',
      'the same: an error in a turn keeps the session',
      tested('rich/chat.test.ts', 'is told, and the next turn goes on: an error of the API'),
    ),
    row(
      ['📊 Metrics', 'Session Summary', 'Prompts', 'Total tokens'],
      'the same panel: turns, tokens, cache, cost, tools, context left; `/cost` at any time',
      says('📊 Metrics'),
      says('Turns'),
      says('Tokens'),
    ),
    row('Goodbye! 👋', 'the same', says('Goodbye! 👋')),
  ],
  promises: [
    row(
      'cost in USD',
      '`cost.usd` and `claude.cost_usd_total`',
      attribute('cost.usd'),
      instrument('claude.cost_usd_total'),
    ),
    row(
      'system instructions',
      '`gen_ai.system_instructions`, where content is opted in',
      attribute('gen_ai.system_instructions'),
    ),
    row('child span per tool by default', 'so it is', span('execute_tool Bash')),
    row(
      'claude.agent.run',
      '`claude.session`, and `invoke_agent claude-code` per prompt',
      span('claude.session'),
      span('invoke_agent claude-code'),
    ),
    row('tool.read', '`execute_tool Read`', span('execute_tool Read')),
    row('user.prompt', 'log record `claude.user_prompt`', logEvent('claude.user_prompt')),
    row('agent.completed', 'log record `session.end`', logEvent('session.end')),
    row(
      'exact same output as claude',
      'the wrapper: same bytes, same terminal, same exit code',
      tested('sessions/text-mode.test.ts', 'claude-otel -p is claude -p'),
    ),
    row('Logfire LLM formatting', 'done by the preset, from the conventions’ messages', variable('LOGFIRE_TOKEN')),
    row('Sentry AI monitoring', 'done by the preset', variable('SENTRY_DSN')),
    row('<10 ms per operation', 'measured: `npm run bench`, [its table](#cost)', says('measureRich', 'scripts')),
  ],
  defects: [
    row(
      'tokens and turns always 0',
      'read from the transcript, every message once',
      attribute('tokens.total'),
      tested('session/recorded.test.ts', 'gives the checked tree'),
    ),
    row('total tokens of the chat never counted', 'counted', says('📊 Metrics')),
    row(
      'no cache tokens',
      '`tokens.cache_read`, `tokens.cache_creation`',
      attribute('tokens.cache_read'),
      attribute('tokens.cache_creation'),
    ),
    row('no metrics, no logs', 'both', instrument('claude.tool_calls_total'), logEvent('session.start')),
    row(
      'a second prompt overwrites the open span',
      'a span for each prompt under one for the session',
      attribute('turn.index'),
    ),
    row(
      'PreToolUse fails without a span',
      'what comes early waits, what nobody announced begins by itself',
      tested('session/assembler.test.ts', 'whose Post is stamped before its Pre'),
    ),
    row(
      'failed tools never close',
      'every call is closed, by its hook or by the transcript',
      tested('session/tool-reports.test.ts', 'though the hook'),
    ),
    row(
      'Sentry absent from banner and --config',
      'told like all destinations',
      tested('config/announce.test.ts', 'Every destination is announced once'),
    ),
    row(
      'prompts sent whole and unredacted',
      'previews, secrets masked; whole by opt-in',
      attribute('prompt.truncated'),
    ),
    row(
      'subagent tools not attributed',
      'under their subagent’s span',
      attribute('gen_ai.agent.id'),
      span('invoke_agent general-purpose'),
    ),
    row(
      'Claude’s own terminal lost',
      'the wrapper keeps it',
      tested('sessions/terminal.test.ts', 'looks and ends like claude'),
    ),
  ],
} as const satisfies Readonly<Record<string, readonly Row[]>>

export type ParityPart = keyof typeof parity

/** The guide's tables, in the order in which a person needs them. */
export const guide: readonly { readonly title: string; readonly parts: readonly ParityPart[] }[] = [
  { title: 'Commands, flags and variables', parts: ['commands', 'flags', 'variables', 'backends'] },
  { title: 'Functions', parts: ['functions'] },
  { title: 'Spans, events and attributes', parts: ['session', 'tools'] },
  { title: 'The terminal', parts: ['console', 'chat'] },
  { title: 'What was promised, and what was broken', parts: ['promises', 'defects'] },
]
