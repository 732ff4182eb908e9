/**
 * What `npm start` does: a real claude session under claude-otel, against the scripted model of the tests, with nothing configured.
 * So the wrapper starts a hub, and the session appears on its dashboard while it runs. Then the tree and the tokens are printed;
 * fails if the tokens told differ from those served. The dashboard stays: on a terminal until Ctrl-C, without one until
 * nobody has looked for ten minutes, under CI not at all.
 * With arguments it runs the user's own claude under claude-otel instead, and ends as that ends.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type HubPresence, readPresence } from '../src/hub/presence.ts'
import { openStore } from '../src/store/store.ts'
import type { OtlpSpan } from '../src/telemetry/otlp.ts'
import type { TokenCounts } from '../src/usage/record.ts'
import { type ClaudeHome, claudeOtelBinary, createClaudeHome, type RunResult, run } from '../test/kit/claude-home.ts'
import {
  type MessageAnswer,
  type Script,
  startMessagesApi,
  text,
  thinking,
  tools,
  toolUse,
} from '../test/kit/messages-api.ts'
import { renderTree } from '../test/kit/otlp-sink.ts'
import { until } from '../test/kit/until.ts'

const prompt = 'Make the project greet people, and check that it does'
const isPlain = !process.stdout.isTTY || Boolean(process.env.NO_COLOR)

/** Nobody watches a build machine. */
const isWatched = !process.env.CI
/** So long the model takes for an answer, for something to be seen of a session that runs. */
const thinkingMs = isWatched ? 700 : 0
const idle = '10m'

/** What is counted, and how it is called here. */
const kinds = [
  ['inputTokens', 'input'],
  ['outputTokens', 'output'],
  ['cacheReadTokens', 'cache read'],
  ['cacheCreationTokens', 'cache creation'],
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
  const api = await startMessagesApi(script(home))
  const state = await freshState()
  const env = home.environment(api.url, { CLAUDE_OTEL_HOME: state, CLAUDE_OTEL_HUB: undefined, ...hubPorts() })
  try {
    const args = ['-p', prompt, '--permission-mode', 'bypassPermissions']
    print(dim(`$ claude-otel -p ${JSON.stringify(prompt)} --permission-mode bypassPermissions`))
    const session = run({ command: [claudeOtelBinary, ...args], cwd: home.project, env })
    const hub = await Promise.race([hubOf(state), session.then(() => undefined)])
    if (hub !== undefined) print(`The session is live at ${hub.url}\n`)
    const result = await session
    print(`${result.stdout}${result.stderr}`)
    await until('the hub to have it all', () => readdirSync(join(state, 'runs')).length === 0)
    const { spans, counts } = await kept(state)
    print(`${renderSpans(spans)}\n`)
    print(counts)
    const sums = { served: servedBy(api), told: await usageIn(env) }
    print(renderTokens(sums))
    await stay(state, env)
    return isExact(sums) && isOk(result) ? 0 : 1
  } finally {
    await Promise.all([api.close(), home.remove()])
  }
}

/** One place for all demonstrations: what an earlier one has left goes. */
async function freshState(): Promise<string> {
  const state = join(tmpdir(), `claude-otel-demo-${userInfo().uid}`)
  if (existsSync(state)) await stop({ CLAUDE_OTEL_HOME: state, PATH: process.env.PATH ?? '' })
  rmSync(state, { recursive: true, force: true })
  return state
}

async function stop(env: Readonly<Record<string, string>>): Promise<void> {
  await run({ command: [claudeOtelBinary, 'serve', '--stop'], cwd: '/', env })
}

/** The usual ones where they are free; a collector of the user's may be at them. */
function hubPorts(): Record<string, string> {
  const ports = { CLAUDE_OTEL_HUB_GRPC_PORT: 4317, OTLP_RECEIVER_PORT: 4318, CLAUDE_OTEL_HUB_PORT: 3030 }
  const found = Object.entries(ports).map(([name, port]) => [name, String(freePort(port) ?? freePort(0))])
  return { ...Object.fromEntries(found), CLAUDE_OTEL_HUB_IDLE: idle }
}

function freePort(wanted: number): number | undefined {
  try {
    const listener = Bun.listen({ hostname: '127.0.0.1', port: wanted, socket: { data() {} } })
    const { port } = listener
    listener.stop(true)
    return port
  } catch {
    return undefined
  }
}

async function hubOf(state: string): Promise<HubPresence> {
  const read = () => readPresence(join(state, 'hub', 'hub.json'))
  await until('the hub', async () => (await read()) !== undefined)
  return (await read()) as HubPresence
}

/** What the hub has of the session, read beside it. */
async function kept(state: string): Promise<{ readonly spans: readonly OtlpSpan[]; readonly counts: string }> {
  const store = await openStore(join(state, 'hub.db'))
  try {
    const [session] = store.sessions({ sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }, 1)
    const spans = session === undefined ? [] : store.sessionSpans(session.id)
    const traces = new Set(spans.map(({ traceId }) => traceId)).size
    const { logs, points } = store.counts()
    return { spans, counts: `${spans.length} spans in ${traces} trace, ${logs} log records, ${points} metric points` }
  } finally {
    store.close()
  }
}

async function usageIn(env: Readonly<Record<string, string>>): Promise<TokenCounts> {
  const { stdout } = await run({ command: [claudeOtelBinary, 'usage', '--json'], cwd: '/', env })
  return (JSON.parse(stdout) as { readonly totals: TokenCounts }).totals
}

function servedBy(api: Awaited<ReturnType<typeof startMessagesApi>>): TokenCounts {
  const { input, output, cacheRead, cacheCreation } = api.servedTotals()
  return { inputTokens: input, outputTokens: output, cacheReadTokens: cacheRead, cacheCreationTokens: cacheCreation }
}

async function stay(state: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { url } = await hubOf(state)
  if (!isWatched) {
    await stop(env)
    rmSync(state, { recursive: true })
    return
  }
  if (process.stdout.isTTY) {
    print(`\nThe dashboard is at ${url} until you press Ctrl-C.`)
    await new Promise<void>((resolve) => process.once('SIGINT', () => resolve()))
    await stop(env)
    rmSync(state, { recursive: true })
    return
  }
  print(`\nThe dashboard is at ${url} until nobody has looked for ${idle.replace('m', ' minutes')}.`)
}

function script({ project }: ClaudeHome): Script {
  const greeting = join(project, 'greet.sh')
  const say = (words: string) => ({ type: 'text', text: words }) as const
  const bash = (command: string, description: string) => toolUse('Bash', { command, description })
  return {
    main: slowly([
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
    ]),
    agents: {
      'CHECK-GREETING': slowly([
        tools(bash('sh greet.sh', 'Run it')),
        text('It greets the world.', { eventDelayMs: 15 }),
      ]),
    },
  }
}

function slowly(answers: readonly MessageAnswer[]): readonly MessageAnswer[] {
  return answers.map((answer) => ({ ...answer, delayMs: thinkingMs }))
}

/** The tree with durations, outcome and tokens in columns; a tab stands between columns until they are aligned. */
function renderSpans(spans: readonly OtlpSpan[]): string {
  const describe = (span: OtlpSpan) => `\t${renderDuration(span)}\t${renderDetails(span)}`
  const drawn = spans.map((span) => ({
    ...span,
    status: span.statusCode === 2 ? ('error' as const) : ('unset' as const),
  }))
  const rows = renderTree(drawn, { describe })
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

function renderDuration({ startUnixMicro, endUnixMicro }: OtlpSpan): string {
  const ms = (endUnixMicro - startUnixMicro) / 1000
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(2)} s`
}

function renderDetails({ name, attributes }: OtlpSpan): string {
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

interface Sums {
  readonly served: TokenCounts
  readonly told: TokenCounts
}

function renderTokens({ served, told }: Sums): string {
  const lines = kinds.map(([kind, name]) => {
    const equal = served[kind] === told[kind]
    const line = `  ${name.padEnd(14)} ${String(served[kind]).padStart(7)} served ${String(told[kind]).padStart(7)} told`
    return equal ? line : red(`${line}  DIFFERENT`)
  })
  return ['Tokens, as the model served them and as the hub has counted them:', ...lines].join('\n')
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
