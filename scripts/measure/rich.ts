/**
 * The rich mode: what a prompt costs beyond the same prompt to bare claude, beside what it costs with claude_telemetry, and how soon
 * a chat is there. All play the same script against the same claude, and deliver their spans to the same kind of sink.
 */
import { decodeProtobuf } from '../../src/receiver/protobuf.ts'
import { claudeBinary, createClaudeHome, run } from '../../test/kit/claude-home.ts'
import { type Script, startMessagesApi, text, tools, toolUse } from '../../test/kit/messages-api.ts'
import { BINARY } from '../build.ts'
import { claudeTelemetryCommand } from '../claude-telemetry.ts'
import { type Measure, median, ms, PRINT } from './kit.ts'

const ROUNDS = 5
const TOOLS = 10
const CHAT_ROUNDS = 7
const LONGEST_START_MS = 30_000
const MODE = '--permission-mode=bypassPermissions'

/** A prompt with some tool calls, by `claude-otel run` and by claude_telemetry, each time beside bare claude. */
export async function measureRich(effort: number): Promise<Measure[]> {
  const theirs = await claudeTelemetryCommand()
  const bare = () => playPrompt([claudeBinary, ...PRINT, 'Go'], 0)
  const programs = {
    ours: () => playPrompt([BINARY, 'run', MODE, 'Go'], TOOLS),
    // It has no spans for tools.
    theirs: () => playPrompt([...theirs, MODE, 'Go'], 1),
  }
  const extra = { ours: [] as number[], theirs: [] as number[] }
  const without: number[] = []
  for (let round = 0; round <= ROUNDS * effort; round++) {
    for (const name of ['ours', 'theirs'] as const) {
      const bareMs = await bare()
      const wallMs = await programs[name]()
      if (round === 0) continue
      without.push(bareMs)
      extra[name].push(wallMs - bareMs)
    }
  }
  const [ours, others] = [median(extra.ours), median(extra.theirs)]
  const from = `medians of ${extra.ours.length} pairs with bare claude, which takes ${ms(median(without))}; ${TOOLS} tool calls`
  return [
    { name: 'rich.prompt', title: 'A prompt by `claude-otel run`, beyond bare claude', value: ours, unit: 'ms', from },
    {
      name: 'rich.share',
      title: 'The same / what claude_telemetry 0.5.0 takes beyond bare claude',
      value: Math.max(0, ours) / others,
      unit: '×',
      from: `${ms(ours)} / ${ms(others)}, ${from}`,
    },
  ]
}

/** Wall time; throws unless claude did its part and at least so many spans came. */
async function playPrompt(command: readonly string[], spans: number): Promise<number> {
  const call = tools(toolUse('Bash', { command: 'true', description: 'Nothing' }))
  const script: Script = { main: [...Array.from({ length: TOOLS }, () => call), text('Done.')] }
  const [home, api] = await Promise.all([createClaudeHome(), startMessagesApi(script)])
  const sink = startSink()
  try {
    const env = home.environment(api.url, {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    })
    const { exitCode, stdout, stderr, wallMs } = await run({ command, cwd: home.project, env })
    const isDone = exitCode === 0 && stdout.includes('Done.') && api.surprises().length === 0
    if (!isDone || sink.spans() < spans)
      throw new Error(`${command.join(' ')}: exit ${exitCode}, ${sink.spans()} spans\n${stdout}${stderr}`)
    return wallMs
  } finally {
    sink.stop()
    await api.close()
    await home.remove()
  }
}

/** Takes OTLP over HTTP in protobuf, and counts spans. */
function startSink(): { readonly url: string; spans(): number; stop(): void } {
  let spans = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = new Uint8Array(await request.arrayBuffer())
      const { batch } = decodeProtobuf('traces', request.url.endsWith('/v1/traces') ? body : new Uint8Array())
      if (batch.signal === 'traces') spans += batch.spans.length
      return new Response(undefined, { headers: { 'content-type': 'application/x-protobuf' } })
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, spans: () => spans, stop: () => void server.stop(true) }
}

/** From the start to the banner, which stands over the prompt, beside bare claude's first screen. */
export async function measureChat(effort: number): Promise<Measure[]> {
  const chat: number[] = []
  const bare: number[] = []
  for (let round = 0; round <= CHAT_ROUNDS * effort; round++) {
    const times = [await timeToScreen([BINARY, 'chat'], /Telemetry/), await timeToScreen([claudeBinary], /❯/)] as const
    if (round === 0) continue
    chat.push(times[0])
    bare.push(times[1])
  }
  return [
    {
      name: 'rich.chat',
      title: '`claude-otel chat` to its banner / bare claude to its prompt',
      value: median(chat) / median(bare),
      unit: '×',
      from: `${ms(median(chat))} / ${ms(median(bare))}, ${chat.length} runs each in a pseudo-terminal`,
    },
  ]
}

/** Until the program has printed this on its terminal; it is killed then. */
async function timeToScreen(command: readonly string[], wanted: RegExp): Promise<number> {
  const [home, api] = await Promise.all([createClaudeHome(), startMessagesApi({ main: [] })])
  const sink = startSink()
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  let screen = ''
  const startMs = performance.now()
  const timer = setTimeout(
    () => reject(new Error(`${command.join(' ')} showed no ${wanted}:\n${screen}`)),
    LONGEST_START_MS,
  )
  const child = Bun.spawn([...command], {
    cwd: home.project,
    env: home.environment(api.url, {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    }),
    terminal: {
      cols: 100,
      rows: 40,
      data: (_, bytes) => {
        screen += bytes.toString()
        if (wanted.test(screen)) resolve(performance.now() - startMs)
      },
    },
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    child.kill('SIGTERM')
    await child.exited
    sink.stop()
    await api.close()
    await home.remove()
  }
}
