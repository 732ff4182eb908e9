/** Claude in a pseudo-terminal: the TUI with Escape, /clear, /exit and permission dialogs; Ctrl-C in text mode. */

import { describe, expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { metricTotals, type Span } from '../kit/otlp-sink.ts'
import { startTerminal, type Terminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { bash, endless } from './cases.ts'
import { clear, expectExactTokens, expectWhole, openStage, outdent, type Stage, showingTree, tree } from './play.ts'

/** Somebody at the terminal: what they do, and what they are to see afterwards in the telemetry. */
interface Sitting {
  readonly title: string
  readonly args: readonly string[]
  readonly script: (home: Stage['home']) => Script
  /** Returns what is to be the same with bare claude. */
  readonly act: (terminal: Terminal, stage: Stage) => Promise<unknown>
  /** One tree for each session, in their order. */
  readonly trees: readonly string[]
  readonly also?: (spans: readonly Span[], stage: Stage) => void
}

const sittings: readonly Sitting[] = [
  {
    title: 'two prompts, Escape while a tool runs, /clear, a prompt, /exit',
    args: ['--permission-mode', 'manual', '--allowedTools=Bash'],
    script: (home) => ({ main: [text('The first answer.'), endless(home).call, text('After the clear.')] }),
    async act(terminal, { home }) {
      await terminal.shows('? for shortcuts')
      const screen = words(terminal.screen())
      await terminal.enter('Say something')
      await terminal.shows('The first answer.')
      await terminal.enter('Wait for nothing')
      await until('the tool to run', endless(home).runs)
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('/clear')
      await terminal.gone('Interrupted')
      await terminal.enter('Are you there?')
      await terminal.shows('After the clear.')
      await terminal.enter('/exit')
      return screen
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=interrupted !
      `,
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
      `,
    ],
    also(spans, { sink }) {
      const [first, second] = sessionsOf(spans) as [Span, Span]
      const ends = [first, second].map(({ attributes }) => attributes['session.end_reason'])
      expect(ends).toEqual(['clear', 'prompt_input_exit'])
      expect(second.attributes['session.source']).toBe('clear')
      expect(second.attributes['session.previous_id']).toBe(first.attributes['session.id'] ?? null)
      expect(second.links.map(({ spanId }) => spanId)).toEqual([first.spanId])
      expect(metricTotals(sink.points(), 'claude.sessions_total', 'source')).toEqual({ startup: 1, clear: 1 })
    },
  },
  {
    title: 'a tool permitted after a while, and one rejected',
    args: ['--permission-mode', 'manual'],
    script: () => ({ main: [tools(bash('touch allowed')), text('Touched.'), tools(bash('touch forbidden'))] }),
    async act(terminal, { home }) {
      await terminal.shows('? for shortcuts')
      await terminal.enter('Touch one')
      await terminal.shows('Do you want to proceed?')
      await Bun.sleep(800)
      terminal.press('Enter')
      await terminal.shows('Touched.')
      await terminal.enter('Touch another')
      await terminal.shows('Do you want to proceed?')
      terminal.press('Escape')
      await terminal.shows('Interrupted')
      await terminal.enter('/exit')
      const isThere = (name: string) => Bun.file(`${home.project}/${name}`).exists()
      return { allowed: await isThere('allowed'), forbidden: await isThere('forbidden') }
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code
            chat claude-opus-5-5
            execute_tool Bash tool.status=success
            chat claude-opus-5-5
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=denied !
      `,
    ],
    also(spans) {
      const permitted = spans.find((span) => span.attributes['tool.status'] === 'success')
      expect(permitted?.attributes.permission_wait_ms).toBeGreaterThanOrEqual(800)
      expect(permitted?.attributes.duration_ms).toBeLessThan(800)
    },
  },
  {
    title: 'Ctrl-C in text mode, which reaches claude once',
    args: ['-p', 'Wait', '--permission-mode', 'bypassPermissions'],
    script: (home) => ({ main: [endless(home).call] }),
    async act(terminal, { home }) {
      await until('the tool to run', endless(home).runs)
      terminal.press('C-c')
      await terminal.exited()
      return words(terminal.screen())
    },
    trees: [
      `
        claude.session
          invoke_agent claude-code !
            chat claude-opus-5-5
            execute_tool Bash tool.status=interrupted !
      `,
    ],
  },
]

describe('claude-otel in a terminal looks and ends like claude, and each conversation is a whole trace', () => {
  for (const sitting of sittings) test(sitting.title, () => checkSitting(sitting), 90_000)
})

async function checkSitting(sitting: Sitting): Promise<void> {
  const [bare, wrapped] = await Promise.all([openStage(sitting.script), openStage(sitting.script)])
  try {
    const [seen, expected] = await Promise.all([
      sit(sitting, wrapped, claudeOtelBinary),
      sit(sitting, bare, claudeBinary),
    ])
    const spans = wrapped.sink.spans()
    showingTree(spans, () => {
      expect(seen).toEqual(expected)
      expect(wrapped.api.surprises()).toEqual([])
      const traces = sessionsOf(spans).map(({ traceId }) => spans.filter((span) => span.traceId === traceId))
      expect(traces.map(tree)).toEqual(sitting.trees.map(outdent))
      for (const trace of traces) expectWhole(trace)
      expectExactTokens(wrapped.sink, wrapped.api)
      sitting.also?.(spans, wrapped)
    })
  } finally {
    await Promise.all([clear(bare), clear(wrapped)])
  }
}

async function sit({ args, act }: Sitting, stage: Stage, program: string): Promise<unknown> {
  const { home, api, sink } = stage
  const terminal = await startTerminal({
    command: [program, ...args],
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
    folder: home.path,
  })
  try {
    const seen = await act(terminal, stage)
    return { seen, exitCode: await terminal.exited() }
  } finally {
    terminal.close()
  }
}

function sessionsOf(spans: readonly Span[]): Span[] {
  return spans.filter((span) => span.name === 'claude.session').sort((a, b) => a.startUnixMicro - b.startUnixMicro)
}

/** The screen's text, line by line: the logo is made of block characters and moves. */
function words(screen: string): string[] {
  const lines = screen.split('\n').map((line) => line.replace(/[\u2580-\u259f]/g, '').trim())
  return lines.filter((line) => line !== '')
}
