/** What surrounds a session: the trace it was started in, the programs it starts, a claude that nobody wrapped, kill -9. */

import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { text, tools } from '../kit/messages-api.ts'
import type { Span } from '../kit/otlp-sink.ts'
import {
  clear,
  delivered,
  expectExactTokens,
  expectSessionSums,
  expectSessions,
  expectWhole,
  openStage,
  outdent,
  runOn,
  type Stage,
  sessionId,
  sessionsOf,
  showingTree,
  tree,
} from './play.ts'
import { expectTold } from './told.ts'
import { bash, registerByHand, sessionOf, waitForFile } from './words.ts'

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
  // Claude takes every OTEL_* variable away from hooks; ours are read under CLAUDE_OTEL_* too.
  const env = Object.fromEntries(
    Object.entries(stage.sink.environment()).map(([name, value]) => [`CLAUDE_${name}`, value]),
  )
  try {
    await registerByHand(stage)
    const result = await runOn(stage, claudeBinary, ['-p', 'Go', ...unattended], { env })
    expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
    await delivered(stage)
    expectOneTool(stage)
  } finally {
    await clear(stage)
  }
}, 30_000)

test('hooks that are registered twice, by the wrapper and in settings.json, tell once', async () => {
  const stage = await openStage(() => ({ main: [tools(bash('echo hi')), text('Done.')] }))
  try {
    await registerByHand(stage)
    const result = await runOn(stage, claudeOtelBinary, ['-p', 'Go', ...unattended])
    expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
    expectOneTool(stage)
    expectTold(stage.sink)
  } finally {
    await clear(stage)
  }
}, 30_000)

const inside = [
  { title: 'a claude-otel inside the Bash tool of another one', program: claudeOtelBinary, byHand: false },
  { title: 'a plain claude with hooks in settings.json inside', program: claudeBinary, byHand: true },
]

for (const { title, program, byHand } of inside) {
  test(`${title}: two sessions in one trace, each whole`, async () => {
    const stage = await openStage(() => ({
      main: [tools(bash(`${program} -p inner`)), text('Inner.'), text('Outer.')],
    }))
    try {
      if (byHand) await registerByHand(stage)
      const result = await runOn(stage, claudeOtelBinary, ['-p', 'outer', ...unattended])
      expect(result).toMatchObject({ stdout: 'Outer.\n', stderr: '', exitCode: 0 })
      const spans = stage.sink.spans()
      showingTree(spans, () => {
        const [outer, inner] = sessionsOf(spans) as [Span, Span]
        expect(inner).toMatchObject({ traceId: outer.traceId, parentSpanId: outer.spanId })
        expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length)
        expect([outer, inner].map(({ attributes }) => attributes['prompt.preview'])).toEqual(['outer', 'inner'])
        expect([outer, inner].map(({ attributes }) => attributes['tokens.input'])).toEqual([101 + 103, 102])
        expect(tree(spans)).toBe(oneInside)
        expectExactTokens(stage.sink, stage.api)
        expectTold(stage.sink)
      })
    } finally {
      await clear(stage)
    }
  }, 30_000)
}

test('two sessions at once in one folder are two traces, each with its own words', async () => {
  const meet = (own: string, other: string) => bash(`touch ${own}; ${waitForFile(other)}`)
  const stage = await openStage(({ path }) => ({
    main: [],
    agents: {
      'ASKED-ONE': [tools(meet(`${path}/one`, `${path}/two`)), text('One.')],
      'ASKED-TWO': [tools(meet(`${path}/two`, `${path}/one`)), text('Two.')],
    },
  }))
  try {
    const ask = (prompt: string) =>
      runOn(stage, claudeOtelBinary, ['-p', prompt, '--permission-mode', 'bypassPermissions'])
    const results = await Promise.all([ask('ASKED-ONE'), ask('ASKED-TWO')])
    expect(results.map(({ stdout, stderr }) => stdout + stderr)).toEqual(['One.\n', 'Two.\n'])
    showingTree(stage.sink.spans(), () => {
      expectSessions(stage, [oneTool, oneTool])
      const answers = Map.groupBy(stage.sink.logs(), ({ traceId }) => traceId)
      for (const logs of answers.values()) {
        const prompt = logs.find(({ eventName }) => eventName === 'claude.user_prompt')?.body
        const said = logs.filter(({ eventName }) => eventName === 'claude.assistant_response').map(({ body }) => body)
        expect(said).toEqual([prompt === 'ASKED-ONE' ? 'One.' : 'Two.'])
      }
    })
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

function expectOneTool({ sink, api }: Stage): void {
  showingTree(sink.spans(), () => {
    expect(tree(sink.spans())).toBe(oneTool)
    expectWhole(sink.spans())
    expectExactTokens(sink, api)
    expectSessionSums(sink)
  })
}

const oneInside = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
      execute_tool Bash tool.status=success
      chat claude-opus-5-5
    claude.session
      invoke_agent claude-code
        chat claude-opus-5-5
`)
