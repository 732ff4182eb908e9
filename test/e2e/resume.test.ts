/** Sessions that go on in another process: each run is a trace of its own and points at the one before. */

import { describe, expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { type Script, text, totals } from '../kit/messages-api.ts'
import { chatTokens, type Span } from '../kit/otlp-sink.ts'
import { clear, expectWhole, openStage, outdent, runOn, type Stage, sessionId, showingTree, tree } from './play.ts'

const script: Script = { main: [text('First.'), text('Second.')] }

const oneTurn = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
`)

const cases = [
  { title: '--resume', args: ['--resume', sessionId], source: 'resume', sameId: true },
  { title: '--continue', args: ['--continue'], source: 'resume', sameId: true },
  { title: '--fork-session', args: ['--resume', sessionId, '--fork-session'], source: 'fork', sameId: false },
]

describe('a second run of a session counts only what is new and links to the first', () => {
  for (const { title, args, source, sameId } of cases) {
    test(title, async () => {
      const [bare, wrapped] = await Promise.all([openStage(() => script), openStage(() => script)])
      try {
        const [outputs, expected] = await Promise.all([
          runTwice(wrapped, claudeOtelBinary, args),
          runTwice(bare, claudeBinary, args),
        ])
        showingTree(wrapped.sink.spans(), () => {
          expect(outputs).toEqual(expected)
          expectLinked(wrapped, source, sameId)
        })
      } finally {
        await Promise.all([clear(bare), clear(wrapped)])
      }
    }, 60_000)
  }
})

async function runTwice(stage: Stage, program: string, args: readonly string[]): Promise<string[]> {
  const first = await runOn(stage, program, ['-p', 'One', '--session-id', sessionId])
  const second = await runOn(stage, program, ['-p', 'Two', ...args])
  return [first, second].map(({ stdout, stderr, exitCode }) => `${exitCode} ${stdout}${stderr}`)
}

function expectLinked({ sink, api }: Stage, source: string, sameId: boolean): void {
  const sessions = sink.spans().filter((span) => span.name === 'claude.session')
  expect(sessions.map((span) => span.attributes['session.source'])).toEqual(['startup', source])
  const [first, second] = sessions as [Span, Span]
  for (const { traceId } of sessions) {
    const spans = sink.spans().filter((span) => span.traceId === traceId)
    expect(tree(spans)).toBe(oneTurn)
    expectWhole(spans)
  }
  expect(first.attributes['session.id']).toBe(sessionId)
  expect(second.attributes['session.id'] === sessionId).toBe(sameId)
  expect(second.links.map(({ traceId, spanId }) => ({ traceId, spanId }))).toEqual([
    { traceId: first.traceId, spanId: first.spanId },
  ])
  if (!sameId) expect(second.attributes['session.previous_id']).toBe(sessionId)
  const { thinking: _, ...served } = totals(api.served())
  expect(chatTokens(sink.spans())).toEqual(served)
}
