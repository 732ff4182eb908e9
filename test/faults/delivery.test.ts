/** A collector that is away, refuses, hangs or hangs up: claude does not notice, nothing is lost, nothing comes twice. */

import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { claudeBinary, claudeOtelBinary, type RunResult } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { metricTotals, type SinkMode, startOtlpSink } from '../kit/otlp-sink.ts'
import {
  clear,
  expectExactTokens,
  expectWhole,
  openStage,
  outdent,
  runOn,
  type Stage,
  sessionId,
  showingTree,
  tree,
} from '../sessions/play.ts'
import { bash } from '../sessions/words.ts'

const oneAnswer = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
`)

const script: Script = { main: [tools(bash('echo hi')), text('Done.'), text('Hello again.')] }

const oneTool = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
      execute_tool Bash tool.status=success
      chat claude-opus-5-5
`)

type Trouble = Exclude<SinkMode, 'accept'> | 'absent'

const troubles: readonly Trouble[] = ['absent', 'refuse', 'hang', 'close']

/** The longest time that delivery may hold up claude's end. */
const boundMs = 1000

describe('a run that cannot be delivered is kept, told in one line, and delivered by drain', () => {
  for (const trouble of troubles) {
    test(`a collector in trouble: ${trouble}`, async () => {
      const [bare, wrapped] = [await openStage(() => script), await openTrouble(trouble)]
      let mended = wrapped
      try {
        const [expected, result] = [await runOnce(bare, claudeBinary), await runOnce(wrapped, claudeOtelBinary)]
        expect(outside(result)).toEqual(outside(expected))
        expect(result.exitMs - expected.exitMs).toBeLessThan(boundMs)
        expectOneLine(result.stderr)
        expect(wrapped.sink.spans()).toEqual([])

        mended = await mend(wrapped, trouble)
        expect(await runOn(mended, claudeOtelBinary, ['drain'])).toMatchObject({ exitCode: 0, stderr: '' })
        expectDelivered(mended, [oneTool])
        await runOn(mended, claudeOtelBinary, ['drain'])
        expectDelivered(mended, [oneTool])
      } finally {
        await Promise.all([clear(bare), clear(mended)])
      }
    }, 60_000)
  }
})

test('a run that could not be delivered is delivered by the next run', async () => {
  const wrapped = await openTrouble('absent')
  let mended = wrapped
  try {
    await runOnce(wrapped, claudeOtelBinary)
    mended = await mend(wrapped, 'absent')
    const next = await runOn(mended, claudeOtelBinary, ['-p', 'Are you there?'])
    expect(next).toMatchObject({ exitCode: 0, stdout: 'Hello again.\n', stderr: '' })
    expectDelivered(mended, [oneTool, oneAnswer])
  } finally {
    await clear(mended)
  }
}, 60_000)

/** A result, and how long the program lived on after claude had begun to end. */
interface TimedResult extends RunResult {
  readonly exitMs: number
}

/** A first run, whose end is stamped by a hook of the user's own. */
async function runOnce(stage: Stage, program: string): Promise<TimedResult> {
  const [settings, ended] = [join(stage.home.path, 'own.json'), join(stage.home.path, 'ended')]
  const hook = { type: 'command', command: `date +%s%3N > ${ended}` }
  await Bun.write(settings, JSON.stringify({ hooks: { SessionEnd: [{ hooks: [hook] }] } }))
  const args = [
    '-p',
    'Say hi',
    '--session-id',
    sessionId,
    '--permission-mode',
    'bypassPermissions',
    '--settings',
    settings,
  ]
  const result = await runOn(stage, program, args)
  return { ...result, exitMs: Date.now() - Number(await Bun.file(ended).text()) }
}

function outside({ stdout, exitCode, signal }: RunResult) {
  return { stdout, exitCode, signal }
}

/** One line, which says where the rest is kept or how to send it. */
function expectOneLine(stderr: string): void {
  expect(stderr.endsWith('\n')).toBe(true)
  expect(stderr.trimEnd().split('\n')).toHaveLength(1)
  expect(stderr).toMatch(/^claude-otel: .*(drain|claude-otel\/)/)
}

async function openTrouble(trouble: Trouble): Promise<Stage> {
  const stage = await openStage(() => script)
  if (trouble === 'absent') await stage.sink.close()
  else stage.sink.mode = trouble
  return stage
}

async function mend(stage: Stage, trouble: Trouble): Promise<Stage> {
  if (trouble === 'absent')
    return { ...stage, sink: await startOtlpSink({ port: Number(new URL(stage.sink.url).port) }) }
  stage.sink.mode = 'accept'
  return stage
}

/** Every session once and whole, its tokens exact, its log records and metrics with it. */
function expectDelivered({ sink, api }: Stage, trees: readonly string[]): void {
  showingTree(sink.spans(), () => {
    const traces = [...Map.groupBy(sink.spans(), (span) => span.traceId).values()]
    expect(traces.map(tree).sort()).toEqual([...trees].sort())
    for (const spans of traces) expectWhole(spans)
    expectExactTokens(sink, api)
    const logged = Map.groupBy(sink.logs(), (record) => record.traceId)
    expect([...logged.keys()].sort()).toEqual(traces.map(([span]) => span?.traceId ?? '').sort())
    expect(metricTotals(sink.points(), 'claude.sessions_total')['']).toBe(trees.length)
    expect(metricTotals(sink.points(), 'claude.model_requests_total')['']).toBe(chats(trees))
  })
}

function chats(trees: readonly string[]): number {
  return trees.join('\n').split('chat ').length - 1
}
