/** A run by the Agent SDK, end to end: the cases of the wrapper, with the same trees, against what `claude -p` does alone. */
import { describe, expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { createGate } from '../kit/gate.ts'
import { cases } from '../sessions/cases.ts'
import {
  asked,
  type Case,
  clear,
  expectSameText,
  expectSessionSums,
  expectSessions,
  normalise,
  type Played,
  play,
  showingTree,
} from '../sessions/play.ts'
import { oneAnswer } from '../sessions/words.ts'

const gate = createGate(3)
/** Waiting for a place counts; each run has its own, shorter time. */
const timeoutMs = 600_000

/** Where a run is something else than `claude -p`. */
const otherwise: Readonly<Record<string, Partial<Case>>> = {
  // Claude makes a success of Ctrl-C; a run dies by it, so that a loop around it ends.
  ...Object.fromEntries(
    cases.filter(({ title }) => title.startsWith('SIGINT')).map(({ title }) => [title, byInterrupt()]),
  ),
  // Callbacks are no hooks of settings, which these switch off.
  '--safe-mode': { tree: oneAnswer, also: () => {} },
  'disableAllHooks in the settings': { tree: oneAnswer, also: () => {} },
  // Nothing calls back: no prompt is sent, and SessionStart comes before the SDK has said what it wants to hear.
  '/context, which asks no model': { tree: [] },
}

/** See run.test.ts: no prompt, no run. */
const impossible: ReadonlySet<string> = new Set(['no prompt at all', '--init-only, which ends before any prompt'])

describe('claude-otel run is claude -p, and tells what the wrapper tells', () => {
  for (const theCase of cases.filter(({ title }) => !impossible.has(title))) {
    const expected = { ...theCase, ...otherwise[theCase.title] }
    test.concurrent(theCase.title, () => gate(() => check(expected)), timeoutMs)
  }

  test('each exception is one of a case', () => {
    const titles = cases.map(({ title }) => title)
    expect([...Object.keys(otherwise), ...impossible].filter((title) => !titles.includes(title))).toEqual([])
  })
})

function byInterrupt(): Partial<Case> {
  return { exit: { exitCode: null, signal: 'SIGINT' } }
}

async function check(theCase: Case): Promise<void> {
  const [bare, ran] = await Promise.all([play(theCase, claudeBinary), play(theCase, claudeOtelBinary, 'run')])
  try {
    showingTree(ran.sink.spans(), () => {
      expectSameAnswer(bare, ran, theCase.maySay)
      expect({ exitCode: ran.result.exitCode, signal: ran.result.signal }).toEqual(theCase.exit)
      expect(ran.api.surprises()).toEqual([])
      if (typeof theCase.tree === 'string') expectSessionSums(ran.sink)
      expectSessions(ran, [theCase.tree].flat())
      theCase.also?.(ran)
    })
  } finally {
    await Promise.all([bare, ran].map(clear))
  }
}

/** stdout, stderr, what is left and what the model was asked are those of claude alone, but for what names the SDK. */
function expectSameAnswer(bare: Played, ran: Played, maySay = ''): void {
  const outside = ({ result, home, left }: Played) => ({
    stdout: withoutSdk(normalise(result.stdout, home)).replace(maySay, '').trimEnd(),
    stderr: normalise(result.stderr, home),
    left,
  })
  expect(outside(ran)).toEqual(outside(bare))
  expectSameText(withoutSdk(asked(ran)), withoutSdk(asked(bare)))
}

/** What claude tells a program of: who asks, how long a command may run in the background, usage since the last result. */
function withoutSdk(text: string): string {
  return text
    .replaceAll('cc_entrypoint=sdk-ts', 'cc_entrypoint=sdk-cli')
    .replace(/\b(?:600000|1800000)/g, '<ms>')
    .replace(/\b[13]0 minutes/g, '<minutes>')
    .replace(/,"model_usage_since_last_result":\{.*?\}\}(?=\})/g, '')
    .replaceAll('Reached maximum number of turns', 'Reached max turns')
}
