/** Sessions that go on in another process: each run is a trace of its own and points at the one before. */

import { describe, expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { type Script, text, totals } from '../kit/messages-api.ts'
import { chatTokens, type Span } from '../kit/otlp-sink.ts'
import {
  clear,
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

const script: Script = { main: [text('First.'), text('Second.')] }

const oneTurn = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
`)

/** Claude tells of SessionStart hooks on stdout in this mode, so we do not register one. */
const json = ['--output-format', 'stream-json', '--verbose']

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

interface Life {
  readonly args: readonly string[]
  readonly source: string
  /** Which of the lives before it this one goes on from: the one that its span links to. */
  readonly from?: number
  readonly isFork?: boolean
}

/** Arguments name the session of an earlier life by its number. */
const chains: readonly { readonly title: string; readonly lives: readonly Life[] }[] = [
  {
    title: 'a session resumed by one process after the other',
    lives: [
      { args: [], source: 'startup' },
      { args: ['--resume', '$0'], source: 'resume', from: 0 },
      { args: ['--resume', '$0'], source: 'resume', from: 1 },
    ],
  },
  {
    title: 'a fork of a resumed session, the fork resumed, and a fork of the fork',
    lives: [
      { args: [], source: 'startup' },
      { args: ['--resume', '$0'], source: 'resume', from: 0 },
      { args: ['--resume', '$1', '--fork-session'], source: 'fork', from: 1, isFork: true },
      { args: ['--resume', '$2'], source: 'resume', from: 2 },
      { args: ['--resume', '$2', '--fork-session'], source: 'fork', from: 3, isFork: true },
    ],
  },
  {
    title: 'a fork and its resumption where claude keeps SessionStart from us',
    lives: [
      { args: [], source: 'startup' },
      { args: [...json, '--resume', '$0', '--fork-session'], source: 'fork', from: 0, isFork: true },
      { args: [...json, '--resume', '$1'], source: 'resume', from: 1 },
    ],
  },
]

describe('a chain of lives is one conversation, each life links to the one before and tells its own tokens', () => {
  for (const { title, lives } of chains) {
    test(title, async () => {
      const stage = await openStage(() => ({ main: lives.map((_, index) => text(`Answer ${index}.`)) }))
      try {
        for (const { args } of lives) await live(stage, args)
        showingTree(stage.sink.spans(), () => expectChain(stage, lives))
      } finally {
        await clear(stage)
      }
    }, 60_000)
  }
})

test('a fork of a session that we never saw keeps its id as the conversation, and links to nothing', async () => {
  const stage = await openStage(() => script)
  try {
    await runOn(stage, claudeBinary, ['-p', 'One', '--session-id', sessionId])
    await live(stage, ['--resume', sessionId, '--fork-session'])
    const [fork] = sessionsOf(stage.sink.spans())
    expect(fork?.attributes).toMatchObject({
      'session.previous_id': sessionId,
      'gen_ai.conversation.id': sessionId,
      'session.source': 'fork',
      'tokens.input': 102,
    })
    expect(fork?.links).toEqual([])
  } finally {
    await clear(stage)
  }
}, 60_000)

async function live(stage: Stage, args: readonly string[]): Promise<void> {
  const ids = sessionsOf(stage.sink.spans()).map((span) => String(span.attributes['session.id']))
  const named = args.map((arg) => arg.replace(/^\$(\d)$/, (_, index) => ids[Number(index)] ?? ''))
  const { exitCode, stderr } = await runOn(stage, claudeOtelBinary, ['-p', 'Go on', ...named])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
}

function expectChain({ sink, api }: Stage, lives: readonly Life[]): void {
  const sessions = sessionsOf(sink.spans())
  const first = sessions[0]?.attributes['session.id']
  const served = api.served()
  for (const [index, { source, from, isFork }] of lives.entries()) {
    const { attributes, links, traceId } = sessions[index] as Span
    const former = from === undefined ? undefined : sessions[from]
    expect(attributes).toMatchObject({ 'session.source': source, 'tokens.input': served[index]?.input, turns: 1 })
    expect(attributes['gen_ai.conversation.id']).toBe(first ?? '')
    expect(attributes['cost.usd']).toBeCloseTo(0.0029, 3)
    expect(links.map(({ spanId }) => spanId)).toEqual(former === undefined ? [] : [former.spanId])
    expect(attributes['session.previous_id']).toBe(isFork ? former?.attributes['session.id'] : undefined)
    expectWhole(sink.spans().filter((span) => span.traceId === traceId))
  }
  expectTold(sink)
}
