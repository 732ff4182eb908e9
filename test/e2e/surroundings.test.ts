/** What surrounds a session: the trace it was started in, the programs it starts, a claude that nobody wrapped, kill -9. */

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { bash, sessionOf } from './cases.ts'
import {
  clear,
  expectExactTokens,
  expectSessionSums,
  expectWhole,
  openStage,
  outdent,
  runOn,
  type Stage,
  sessionId,
  showingTree,
  tree,
} from './play.ts'

const unattended = ['--session-id', sessionId, '--permission-mode', 'bypassPermissions']

const oneTool = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
      execute_tool Bash tool.status=success
      chat claude-opus-5-5
`)

test('a session joins the trace it was started in, and what it starts joins the session', async () => {
  const stage = await openStage(({ path }) => ({
    main: [tools(bash(`echo "$TRACEPARENT $TRACESTATE" > ${join(path, 'context')}`)), text('Done.')],
  }))
  const outer = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' }
  const env = { TRACEPARENT: `00-${outer.traceId}-${outer.spanId}-01`, TRACESTATE: 'vendor=1' }
  try {
    await runOn(stage, claudeOtelBinary, ['-p', 'Go', ...unattended], { env })
    const session = sessionOf(stage)
    expect(session).toMatchObject({ traceId: outer.traceId, parentSpanId: outer.spanId })
    expect(new Set(stage.sink.spans().map((span) => span.traceId))).toEqual(new Set([outer.traceId]))
    const context = await Bun.file(join(stage.home.path, 'context')).text()
    expect(context).toBe(`00-${outer.traceId}-${session.spanId}-01 vendor=1\n`)
  } finally {
    await clear(stage)
  }
}, 30_000)

test('a trace that is not sampled stays unsampled, and claude runs as ever', async () => {
  const stage = await openStage(() => ({ main: [text('Hello.')] }))
  const env = { TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00' }
  try {
    const result = await runOn(stage, claudeOtelBinary, ['-p', 'Go', ...unattended], { env })
    expect(result).toMatchObject({ stdout: 'Hello.\n', stderr: '', exitCode: 0 })
    expect(stage.sink.spans()).toEqual([])
  } finally {
    await clear(stage)
  }
}, 30_000)

test('the hook command alone in settings.json tells as much as the wrapper', async () => {
  const stage = await openStage(() => ({ main: [tools(bash('echo hi')), text('Done.')] }))
  const hook = (label: string) => [{ hooks: [{ type: 'command', command: claudeOtelBinary, args: ['hook', label] }] }]
  const labels = { PreToolUse: 'pre', PostToolUse: 'post' }
  const events = [
    'SessionStart',
    'UserPromptSubmit',
    'PreToolUse',
    'PostToolUse',
    'PostToolBatch',
    'Stop',
    'SessionEnd',
  ]
  const hooks = Object.fromEntries(events.map((event) => [event, hook(labels[event as 'PreToolUse'] ?? event)]))
  // Claude takes every OTEL_* variable away from hooks; ours are read under CLAUDE_OTEL_* too.
  const env = Object.fromEntries(
    Object.entries(stage.sink.environment()).map(([name, value]) => [`CLAUDE_${name}`, value]),
  )
  try {
    await Bun.write(join(stage.home.path, '.claude/settings.json'), JSON.stringify({ hooks }))
    const result = await runOn(stage, claudeBinary, ['-p', 'Go', ...unattended], { env })
    expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
    await delivered(stage)
    expectOneTool(stage)
  } finally {
    await clear(stage)
  }
}, 30_000)

test('a wrapper killed by kill -9 leaves claude alone, and nothing is lost or told twice', async () => {
  const marker = 'running'
  const stage = await openStage(({ path }) => ({
    main: [tools(bash(`touch ${join(path, marker)}; sleep 0.6`)), text('Done.')],
  }))
  try {
    const signal = {
      name: 'SIGKILL',
      to: 'process',
      when: () => Bun.file(join(stage.home.path, marker)).exists(),
    } as const
    const result = await runOn(stage, claudeOtelBinary, ['-p', 'Go', ...unattended], { signal })
    // claude holds stdout open, so the run lasts as long as claude does.
    expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', signal: 'SIGKILL' })
    await runOn(stage, claudeOtelBinary, ['drain'])
    await delivered(stage)
    expectOneTool(stage)
  } finally {
    await clear(stage)
  }
}, 30_000)

/** Whoever delivers outlives claude: the session's span is the last to come. */
async function delivered({ sink }: Stage): Promise<void> {
  await until('the span of the session', () => sink.spans().some((span) => span.name === 'claude.session'))
  await until('the metrics of the session', () => sink.points().some((point) => point.name === 'claude.turns_total'))
}

function expectOneTool({ sink, api }: Stage): void {
  showingTree(sink.spans(), () => {
    expect(tree(sink.spans())).toBe(oneTool)
    expectWhole(sink.spans())
    expectExactTokens(sink, api)
    expectSessionSums(sink)
  })
}
