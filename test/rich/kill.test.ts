/** kill -9 of a run by the Agent SDK at each step: what was told until then, and the transcript, are told once by whoever comes next. */
import { describe, expect, test } from 'bun:test'
import {
  arm,
  deliveredOnce,
  expectConnected,
  expectMetricsOf,
  type Fault,
  recover,
  runFaulty,
  wholeTree,
  withStage,
} from '../faults/kit.ts'
import { chatTokens } from '../kit/otlp-sink.ts'
import { type Stage, showingTree, tree } from '../sessions/play.ts'

const timeoutMs = 240_000
const prompt = ['run', 'Go', '--permission-mode', 'bypassPermissions']
const end = { exitCode: null, signal: 'SIGKILL' }

/**
 * From here on nobody answers claude: it runs no more tools, says what is left to say and ends; the transcript tells that. On a quick
 * machine its turn is over by the first export.
 */
const meanwhile: readonly Fault[] = [
  'journal.append@wrap#3',
  'journal.torn@wrap#2',
  'journal.appended@wrap#3',
  'export.begin@wrap',
  'export.sent@wrap',
  'export.acked@wrap',
]

/** How claude ended is not known before it is written down. */
const afterwards: readonly (readonly [Fault, string])[] = [
  ['wrap.ended', ' !'],
  ['wrap.close', ' !'],
  ['run.remove@wrap', ''],
  ['run.removing@wrap', ''],
]

/** Before the first callback nobody knows which session it will be. */
const before: readonly Fault[] = ['wrap.started', 'wrap.folder', 'wrap.context']

describe('A run is killed', () => {
  for (const fault of meanwhile) {
    const told = (stage: Stage) =>
      expectOnce(stage, /^claude.session( !)?\n {2}invoke_agent claude-code( !)?\n {4}chat .*\n {4}exec/)
    test.concurrent(`while it works, at ${fault}`, () => killed(fault, told), timeoutMs)
  }
  for (const [fault, mark] of afterwards) {
    const told = (stage: Stage) => expectOnce(stage, wholeTree.replace('claude.session', `claude.session${mark}`))
    test.concurrent(`when claude has ended, at ${fault}`, () => killed(fault, told), timeoutMs)
  }
  for (const fault of before) {
    const nothing = ({ sink }: Stage) => expect([sink.spans(), sink.logs()]).toEqual([[], []])
    test.concurrent(`before anything was told, at ${fault}`, () => killed(fault, nothing), timeoutMs)
  }
})

function killed(fault: Fault, expectTold: (stage: Stage) => void): Promise<void> {
  return withStage(async (stage) => {
    const { env, unexploded } = arm(stage, fault)
    expect(await runFaulty(stage, prompt, { env })).toMatchObject(end)
    await recover(stage)
    expect(unexploded()).toEqual([])
    expectTold(stage)
  })
}

/** Each thing once, all tokens that were served, one tree that looks like this. */
function expectOnce(stage: Stage, expected: string | RegExp): void {
  const { spans, logs } = deliveredOnce(stage)
  showingTree(spans, () => {
    if (typeof expected === 'string') expect(tree(spans)).toBe(expected)
    else expect(tree(spans)).toMatch(expected)
    expectConnected(spans)
    const { thinking: _, ...served } = stage.api.servedTotals()
    expect(chatTokens(spans)).toEqual(served)
    expectMetricsOf(stage, spans)
    const events = Map.groupBy(logs, ({ eventName }) => eventName)
    const counts = ['session.start', 'session.end', 'claude.user_prompt', 'claude.turn.end']
    expect(counts.map((name) => [name, events.get(name)?.length])).toEqual(counts.map((name) => [name, 1]))
  })
}
