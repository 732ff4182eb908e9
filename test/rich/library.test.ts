/** The library as a stranger has it: a project that depends on this one by its folder, on the real claude. */
import { afterAll, describe, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { chatTokens, type Span } from '../kit/otlp-sink.ts'
import { clear, openStage, outdent, type Stage, sessionsOf, tree } from '../sessions/play.ts'
import { bash, model, oneTool, subagent } from '../sessions/words.ts'

const root = resolve(import.meta.dir, '../..')
const stages: Stage[] = []
/** Of the form of a token of GitHub's, and none. */
const secret = `ghp_${'0aB1cD2eF3'.repeat(4).slice(0, 36)}`
const timeoutMs = 60_000

afterAll(async () => {
  for (const stage of stages) await clear(stage)
})

describe('runAgentWithTelemetry', () => {
  test(
    'gives the answer and what it took, and sends what the wrapper sends',
    async () => {
      const { stage, said } = await strange(
        { main: [tools(bash('echo hi')), text('Done.')] },
        `
        const seen = new Set()
        const result = await runAgentWithTelemetry('Say hi', {
          extraArgs: { 'permission-mode': 'bypassPermissions' },
          onMessage: ({ type }) => seen.add(type),
        })
        tell({ ...result, seen: [...seen].sort() })
      `,
      )
      const { input, output, cacheRead, cacheCreation } = stage.api.servedTotals()
      const [session] = sessionsOf(stage.sink.spans())
      expect(said).toMatchObject({
        response: 'Done.',
        outcome: 'success',
        isError: false,
        sessionId: session?.attributes['session.id'],
        traceId: session?.traceId,
        usage: {
          inputTokens: input,
          outputTokens: output,
          cacheReadTokens: cacheRead,
          cacheCreationTokens: cacheCreation,
        },
        turns: 2,
        tools: { Bash: 1 },
      })
      expect(said.costUsd).toBeCloseTo(Number(session?.attributes['cost.usd']), 6)
      expect(said.seen).toContain('assistant')
      expect(said).not.toHaveProperty('telemetry')
      expect(tree(stage.sink.spans())).toBe(outdent(oneTool))
    },
    timeoutMs,
  )

  test(
    'tells of an answer that never came',
    async () => {
      const { said } = await strange(
        { main: [] },
        `tell(await runAgentWithTelemetry('Hi', { extraArgs: { 'max-turns': '1' }, signal: AbortSignal.timeout(1) }))`,
      )
      expect(said).toMatchObject({ isError: true, tools: {}, turns: 0 })
      expect(said.response).toStartWith('claude ended without an answer')
    },
    timeoutMs,
  )

  test(
    'refuses flags that no agent can have',
    async () => {
      const { said } = await strange(
        { main: [] },
        `
        const refusal = await runAgentWithTelemetry('Hi', { extraArgs: { 'output-format': 'json' } }).catch((error) => error)
        tell({ kind: refusal.kind, message: refusal.message, isFailure: refusal instanceof Failure })
      `,
      )
      expect(said).toEqual({
        kind: 'usage',
        message: '--output-format is not possible here: the Agent SDK talks to claude in its own format',
        isFailure: true,
      })
    },
    timeoutMs,
  )

  test(
    'gives the spans to a tracer provider of the program’s own, below the span that is active, and to nobody else',
    async () => {
      const { stage, said } = await strange(
        {
          main: [tools(bash('echo $TRACEPARENT > context; exit 3')), tools(subagent('SUB', false)), text('Done.')],
          agents: { SUB: [text('Sub done.')] },
        },
        `
        const { context, ROOT_CONTEXT, trace } = await import('@opentelemetry/api')
        const { BasicTracerProvider, BatchSpanProcessor, InMemorySpanExporter } = await import('@opentelemetry/sdk-trace-base')
        const exporter = new InMemorySpanExporter()
        const tracerProvider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] })
        const outer = tracerProvider.getTracer('program').startSpan('program')
        const active = trace.setSpan(ROOT_CONTEXT, outer)
        const self = () => manager
        const manager = { active: () => active, with: (_, call) => call(), bind: (_, it) => it, enable: self, disable: self }
        context.setGlobalContextManager(manager)
        const { response, traceId } = await runAgentWithTelemetry('Try with ${secret}', {
          extraArgs: { 'permission-mode': 'bypassPermissions' },
          tracerProvider,
        })
        const flushed = exporter.getFinishedSpans().length
        outer.end()
        await tracerProvider.forceFlush()
        tell({ response, traceId, flushed, spans: exporter.getFinishedSpans().map((span) => ({
          name: span.name, spanId: span.spanContext().spanId, traceId: span.spanContext().traceId,
          parentSpanId: span.parentSpanContext?.spanId, attributes: span.attributes, status: span.status.code,
          start: span.startTime, end: span.endTime,
        })) })
      `,
      )
      const spans = (said.spans as ProvidedSpan[]).map(toSpan)
      expect(tree(spans)).toBe(
        outdent(`
        program
          claude.session
            invoke_agent claude-code
              chat ${model}
              execute_tool Bash tool.status=error !
              chat ${model}
              execute_tool Agent tool.status=success
                invoke_agent general-purpose
                  chat ${model}
              chat ${model}
      `),
      )
      // All but the program's own, before the call returned.
      expect(said.flushed).toBe(spans.length - 1)
      expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([String(said.traceId)]))
      const session = spans.find(({ name }) => name === 'claude.session')
      const context = await Bun.file(join(stage.home.project, 'context')).text()
      expect(context.trim()).toBe(`00-${said.traceId}-${session?.spanId}-01`)
      expect(session?.attributes).toMatchObject({ 'vcs.ref.head.name': 'main', turns: 1, 'tools.total': 2 })
      // Masked before it is kept, as everywhere.
      expect(session?.attributes['prompt.preview']).toStartWith('Try with ')
      expect(JSON.stringify(spans)).not.toContain(secret)
      const { thinking: _, ...served } = stage.api.servedTotals()
      expect(chatTokens(spans)).toEqual(served)
      expect(stage.sink.spans()).toEqual([])
      expect(await Bun.file(join(stage.home.state, 'reports.jsonl')).exists()).toBe(false)
      const left = readdirSync(join(stage.home.path, 'tmp')).filter((name) => name.startsWith('claude-otel-'))
      expect(left).toEqual([])
    },
    timeoutMs,
  )
})

test('a runtime that is not Bun is told so', async () => {
  const folder = await strangeProject(await stageOf({ main: [] }), 'tell(1)')
  const node = Bun.spawnSync([Bun.which('node') ?? 'node', 'program.mjs'], { cwd: folder })
  expect(node.exitCode).toBe(1)
  expect(node.stderr.toString()).toContain('run this program with bun')
})

/** What the program tells, after its end, and where it ran. */
async function strange(script: Script, program: string): Promise<{ stage: Stage; said: Record<string, unknown> }> {
  const stage = await stageOf(script)
  const folder = await strangeProject(stage, program)
  const child = Bun.spawn([process.execPath, join(folder, 'program.mjs')], {
    cwd: stage.home.project,
    env: stage.home.environment(stage.api.url, { ...stage.sink.environment(), TMPDIR: join(stage.home.path, 'tmp') }),
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  expect({ code: await child.exited, stderr }).toEqual({ code: 0, stderr: '' })
  return { stage, said: JSON.parse(stdout) }
}

async function stageOf(script: Script): Promise<Stage> {
  const stage = await openStage(() => script)
  stages.push(stage)
  return stage
}

/** As npm installs a dependency on a folder: a link to it. */
async function strangeProject({ home }: Stage, program: string): Promise<string> {
  const folder = join(home.path, 'stranger')
  await mkdir(join(folder, 'node_modules'), { recursive: true })
  await mkdir(join(home.path, 'tmp'))
  await symlink(root, join(folder, 'node_modules/claude-otel'))
  await symlink(join(root, 'node_modules/@opentelemetry'), join(folder, 'node_modules/@opentelemetry'))
  const dependencies = { 'claude-otel': `file:${root}` }
  await Bun.write(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', type: 'module', dependencies }))
  const begin = `import { Failure, runAgentWithTelemetry } from 'claude-otel'
    const tell = (value) => process.stdout.write(JSON.stringify(value))
    void Failure
  `
  await Bun.write(join(folder, 'program.mjs'), `${begin}${program}`)
  return folder
}

function toSpan({ status, start, end, ...span }: ProvidedSpan): Span {
  const unixMicro = ([seconds, nanos]: readonly [number, number]) => seconds * 1e6 + Math.round(nanos / 1000)
  const times = { startUnixMicro: unixMicro(start), endUnixMicro: unixMicro(end) }
  return { ...span, ...times, kind: 1, status: status === 2 ? 'error' : 'unset', links: [], events: [], resource: {} }
}

interface ProvidedSpan {
  readonly name: string
  readonly spanId: string
  readonly traceId: string
  readonly parentSpanId?: string
  readonly attributes: Span['attributes']
  readonly status: number
  readonly start: readonly [number, number]
  readonly end: readonly [number, number]
}
