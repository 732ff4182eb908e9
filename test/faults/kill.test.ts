/** kill -9 of each of our processes at each step, and of claude: with the real claude, then whoever comes next cleans up. */
import { describe, expect, test } from 'bun:test'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { chatTokens } from '../kit/otlp-sink.ts'
import { outdent, type Stage, showingTree, tree } from '../sessions/play.ts'
import { bash } from '../sessions/words.ts'
import {
  agentCall,
  arm,
  deliveredOnce,
  expectConnected,
  expectMetricsOf,
  type Fault,
  prompt,
  recover,
  runFaulty,
  wholeTree,
  withStage,
} from './kit.ts'

const timeoutMs = 240_000

interface Row {
  readonly fault: Fault
  /** A wrapper that could not write down what it had told claude: the session's parent is never told of. */
  readonly isOrphaned?: true
}

const wrapper: readonly Row[] = [
  { fault: 'wrap.started', isOrphaned: true },
  { fault: 'wrap.folder', isOrphaned: true },
  { fault: 'wrap.context' },
  { fault: 'wrap.open' },
  { fault: 'pump.take@wrap' },
  { fault: 'pump.taken@wrap#2' },
  { fault: 'journal.append@wrap' },
  { fault: 'journal.torn@wrap#2' },
  { fault: 'journal.appended@wrap#3' },
  { fault: 'pump.removed@wrap#2' },
  { fault: 'export.begin@wrap' },
  { fault: 'export.sent@wrap' },
  { fault: 'export.acked@wrap' },
  { fault: 'wrap.ended' },
  { fault: 'wrap.close' },
  { fault: 'export.sent@wrap#3' },
  { fault: 'run.remove@wrap' },
  { fault: 'run.removing@wrap' },
]

const hook: readonly Fault[] = (['hook.begin', 'hook.read', 'hook.written'] as const).flatMap((point) =>
  [1, 2, 5].map((passage) => `${point}#${passage}` as const),
)

/** The wrapper is killed once its pump is open; from there on a pump that a hook has started is what dies. */
const pump: readonly Fault[] = [
  'hook.pump',
  'run.replace@pump',
  'pump.take@pump',
  'pump.taken@pump',
  'journal.append@pump',
  'journal.torn@pump',
  'journal.appended@pump',
  'pump.removed@pump',
  'export.begin@pump',
  'export.sent@pump',
  'export.acked@pump#2',
  'run.remove@pump',
  'run.removing@pump',
]

function expectEverything(stage: Stage, isOrphaned = false): void {
  const { spans, logs } = deliveredOnce(stage)
  showingTree(spans, () => {
    expect(tree(spans)).toBe(wholeTree)
    if (!isOrphaned) expectConnected(spans)
    const { thinking: _, ...served } = stage.api.servedTotals()
    expect(chatTokens(spans)).toEqual(served)
    expectMetricsOf(stage, spans)
    const events = Map.groupBy(logs, ({ eventName }) => eventName)
    const counts = ['session.start', 'session.end', 'claude.user_prompt', 'claude.turn.end']
    expect(counts.map((name) => [name, events.get(name)?.length])).toEqual(counts.map((name) => [name, 1]))
  })
}

describe('the wrapper is killed', () => {
  for (const { fault, isOrphaned } of wrapper) {
    const kill = () => killed([fault], { exitCode: null, signal: 'SIGKILL' }, isOrphaned)
    test.concurrent(`at ${fault}`, kill, timeoutMs)
  }
})

describe('a hook is killed', () => {
  for (const fault of hook) {
    test.concurrent(`at ${fault}`, () => killed([fault], { exitCode: 0, signal: null }), timeoutMs)
  }
})

describe('the wrapper is killed, and then the pump that a hook has started', () => {
  for (const fault of pump) {
    const kill = () => killed(['wrap.open', fault], { exitCode: null, signal: 'SIGKILL' })
    test.concurrent(`at ${fault}`, kill, timeoutMs)
  }
})

/** Claude goes on as if nothing had happened, and everything is told. */
function killed(
  faults: readonly Fault[],
  end: { readonly exitCode: number | null; readonly signal: string | null },
  isOrphaned?: true,
): Promise<void> {
  return withStage(async (stage) => {
    const { env, unexploded } = arm(stage, ...faults)
    const { exitCode, signal, stdout } = await runFaulty(stage, prompt, { env })
    expect({ exitCode, signal, stdout }).toEqual({ ...end, stdout: 'Done.\n' })
    await recover(stage)
    expect(unexploded()).toEqual([])
    expectEverything(stage, isOrphaned)
  })
}

interface Death {
  readonly title: string
  readonly script: Script
  readonly end: { readonly exitCode: number | null; readonly signal: string }
  readonly tree: string
}

const killClaude = 'kill -KILL $PPID'
const killSoon = `nohup sh -c 'sleep 0.3; kill -KILL $0' $PPID > /dev/null 2>&1 &`
const killBoth = 'kill -KILL $PPID $(cut -d " " -f 4 /proc/$PPID/stat)'

const inTool = outdent(`
  claude.session !
    invoke_agent claude-code !
      chat claude-opus-5-5
      execute_tool Bash tool.status=abandoned !
`)

const deaths: readonly Death[] = [
  { title: 'claude is killed in a tool', script: { main: [tools(bash(killClaude))] }, tree: inTool },
  {
    title: 'claude and the wrapper are killed at once, in a tool',
    script: { main: [tools(bash(killBoth))] },
    tree: inTool,
  },
  {
    title: 'claude is killed while it waits for the model',
    script: { main: [tools(bash(killSoon)), text('Never.', { delayMs: 5000 })] },
    tree: outdent(`
      claude.session !
        invoke_agent claude-code !
          chat claude-opus-5-5
          execute_tool Bash tool.status=success
    `),
  },
  {
    title: 'claude is killed in the tool of a subagent',
    script: { main: [tools(agentCall)], agents: { 'SUB-ONE': [tools(bash(killClaude))] } },
    tree: outdent(`
      claude.session !
        invoke_agent claude-code !
          chat claude-opus-5-5
          execute_tool Agent tool.status=abandoned !
            invoke_agent general-purpose !
              chat claude-opus-5-5
              execute_tool Bash tool.status=abandoned !
    `),
  },
].map((death) => ({ ...death, end: { exitCode: null, signal: 'SIGKILL' } }))

describe('everything that was is told, and what was open is closed, when', () => {
  for (const death of deaths) test.concurrent(death.title, () => died(death), timeoutMs)

  function died({ script, end, tree: expected }: Death): Promise<void> {
    return withStage(
      async (stage) => {
        const { exitCode, signal } = await runFaulty(stage, prompt)
        expect({ exitCode, signal }).toEqual(end)
        await recover(stage)
        const { spans, logs } = deliveredOnce(stage)
        showingTree(spans, () => {
          expect(tree(spans)).toBe(expected)
          expectConnected(spans)
          const { thinking: _, ...served } = stage.api.servedTotals()
          expect(chatTokens(spans)).toEqual(served)
          expectMetricsOf(stage, spans)
          expect(logs.filter(({ eventName }) => eventName === 'session.end')).toHaveLength(1)
        })
      },
      () => script,
    )
  }
})
