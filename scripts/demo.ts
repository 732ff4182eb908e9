/**
 * What `npm start` does: a real claude session under claude-otel, against the scripted model of the tests, its
 * telemetry received on loopback and printed. Fails if the tokens told differ from those served.
 * With arguments it runs the user's own claude under claude-otel instead, and ends as that ends.
 */
import { join } from 'node:path'
import { type ClaudeHome, claudeOtelBinary, createClaudeHome, type RunResult, run } from '../test/kit/claude-home.ts'
import { type Script, startMessagesApi, text, thinking, tools, toolUse } from '../test/kit/messages-api.ts'
import { chatTokens, type OtlpSink, renderTree, type Span, startOtlpSink } from '../test/kit/otlp-sink.ts'

const prompt = 'Make the project greet people, and check that it does'
const isPlain = !process.stdout.isTTY || Boolean(process.env.NO_COLOR)

/** What the API counts, and how it is called here. */
const kinds = [
  ['input', 'input'],
  ['output', 'output'],
  ['cacheRead', 'cache read'],
  ['cacheCreation', 'cache creation'],
] as const

if (import.meta.main) {
  const args = process.argv.slice(2)
  process.exitCode = args.length > 0 ? await runOwnClaude(args) : await demonstrate()
}

async function runOwnClaude(args: readonly string[]): Promise<number> {
  // Ctrl-C reaches the whole group: claude decides what it means. SIGTERM comes to us alone.
  process.on('SIGINT', () => {})
  const child = Bun.spawn([claudeOtelBinary, ...args], { stdin: 'inherit', stdout: 'inherit', stderr: 'inherit' })
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  return child.exited
}

async function demonstrate(): Promise<number> {
  const home = await createClaudeHome()
  const [api, sink] = await Promise.all([startMessagesApi(script(home)), startOtlpSink()])
  try {
    const args = ['-p', prompt, '--permission-mode', 'bypassPermissions']
    print(dim(`$ claude-otel -p ${JSON.stringify(prompt)} --permission-mode bypassPermissions`))
    const result = await run({
      command: [claudeOtelBinary, ...args],
      cwd: home.project,
      env: home.environment(api.url, sink.environment()),
    })
    print(`${result.stdout}${result.stderr}`)
    print(`${renderSpans(sink.spans())}\n`)
    print(renderCounts(sink))
    const sums = { served: api.servedTotals(), told: chatTokens(sink.spans()) }
    print(renderTokens(sums))
    return isExact(sums) && isOk(result) ? 0 : 1
  } finally {
    await Promise.all([api.close(), sink.close(), home.remove()])
  }
}

function script({ project }: ClaudeHome): Script {
  const greeting = join(project, 'greet.sh')
  const say = (words: string) => ({ type: 'text', text: words }) as const
  const bash = (command: string, description: string) => toolUse('Bash', { command, description })
  return {
    main: [
      thinking(
        'First I want to know what is there.',
        say('I look around.'),
        bash('git log --oneline; ls', 'Look around'),
      ),
      tools(toolUse('Read', { file_path: join(project, 'README.md') }), bash('sh greet.sh', 'Try the greeting')),
      tools(toolUse('Write', { file_path: greeting, content: 'name=nobody\necho "Hello, $name"\n' })),
      tools(toolUse('Edit', { file_path: greeting, old_string: 'nobody', new_string: 'world' })),
      tools(
        toolUse('Agent', {
          description: 'Check the greeting',
          prompt: 'CHECK-GREETING: run greet.sh and say whether it greets.',
          subagent_type: 'general-purpose',
          run_in_background: false,
        }),
      ),
      text('The project greets people now: `sh greet.sh` says "Hello, world".'),
    ],
    agents: {
      'CHECK-GREETING': [
        tools(bash('sh greet.sh', 'Run it')),
        text('It greets the world.', { delayMs: 150, eventDelayMs: 15 }),
      ],
    },
  }
}

/** The tree with durations, outcome and tokens in columns; a tab stands between columns until they are aligned. */
function renderSpans(spans: readonly Span[]): string {
  const describe = (span: Span) => `\t${renderDuration(span)}\t${renderDetails(span)}`
  const rows = renderTree(spans, { describe })
    .split('\n')
    .map((line) => line.split('\t'))
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').trimEnd().length)))
  return rows
    .map(([name = '', duration = '', details = '']) => {
      const shown = `${name.trimEnd().padEnd(widths[0] ?? 0)}  ${dim(duration.padStart(widths[1] ?? 0))}  ${details}`
      return details.endsWith('!') ? red(shown) : shown.trimEnd()
    })
    .join('\n')
}

function renderDuration({ startUnixMicro, endUnixMicro }: Span): string {
  const ms = (endUnixMicro - startUnixMicro) / 1000
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`
}

function renderDetails({ name, attributes }: Span): string {
  if (name.startsWith('chat ')) {
    const { 'gen_ai.usage.input_tokens': input, 'gen_ai.usage.output_tokens': output } = attributes
    return `${input} tokens in, ${output} out`
  }
  if (name.startsWith('execute_tool ')) {
    const { 'tool.status': status, exit_code: exitCode, 'input.summary': summary } = attributes
    const outcome = status === 'success' ? '' : ` (${status}${exitCode === undefined ? '' : `, exit code ${exitCode}`})`
    return `${String(summary ?? '')}${outcome}`
  }
  if (name === 'claude.session') return `${attributes.turns} turn, ${attributes['tools.total']} tool calls`
  return ''
}

function renderCounts(sink: OtlpSink): string {
  const traces = new Set(sink.spans().map((span) => span.traceId)).size
  const metrics = new Set(sink.points().map((point) => point.name)).size
  return `${sink.spans().length} spans in ${traces} trace, ${sink.logs().length} log records, ${metrics} metrics`
}

interface Sums {
  readonly served: ReturnType<typeof chatTokens>
  readonly told: ReturnType<typeof chatTokens>
}

function renderTokens({ served, told }: Sums): string {
  const lines = kinds.map(([kind, name]) => {
    const equal = served[kind] === told[kind]
    const line = `  ${name.padEnd(14)} ${String(served[kind]).padStart(7)} served ${String(told[kind]).padStart(7)} told`
    return equal ? line : red(`${line}  DIFFERENT`)
  })
  return ['Tokens, as the model served them and as the spans tell them:', ...lines].join('\n')
}

function isExact({ served, told }: Sums): boolean {
  return kinds.every(([kind]) => served[kind] === told[kind])
}

function isOk({ exitCode, signal }: RunResult): boolean {
  if (exitCode === 0) return true
  print(red(`claude-otel ended with ${exitCode ?? signal}`))
  return false
}

function print(words: string): void {
  process.stdout.write(`${words}\n`)
}

function dim(words: string): string {
  return isPlain ? words : `\x1b[2m${words}\x1b[22m`
}

function red(words: string): string {
  return isPlain ? words : `\x1b[31m${words}\x1b[39m`
}
