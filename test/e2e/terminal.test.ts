/** The TUI in a pseudo-terminal: two prompts, Escape during a tool, /clear, a prompt, /exit. */

import { expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { text } from '../kit/messages-api.ts'
import { metricTotals, type Span } from '../kit/otlp-sink.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { endless } from './cases.ts'
import { clear, expectExactTokens, expectWhole, openStage, outdent, type Stage, showingTree, tree } from './play.ts'

const beforeClear = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
    invoke_agent claude-code !
      chat claude-opus-5-5
      execute_tool Bash tool.status=interrupted !
`)

const afterClear = outdent(`
  claude.session
    invoke_agent claude-code
      chat claude-opus-5-5
`)

test('the TUI looks and ends the same, and each conversation is a whole trace that links to the one before', async () => {
  const [bare, wrapped] = await Promise.all([openTalk(), openTalk()])
  try {
    const [seen, expected] = await Promise.all([talk(wrapped, claudeOtelBinary), talk(bare, claudeBinary)])
    showingTree(wrapped.sink.spans(), () => {
      expect(seen).toEqual(expected)
      expect(wrapped.api.surprises()).toEqual([])
      expectTwoSessions(wrapped)
      expectExactTokens(wrapped.sink, wrapped.api)
    })
  } finally {
    await Promise.all([clear(bare), clear(wrapped)])
  }
}, 90_000)

function openTalk(): Promise<Stage> {
  return openStage((home) => ({ main: [text('The first answer.'), endless(home).call, text('After the clear.')] }))
}

/** What somebody at the terminal sees: the first screen, and the exit code. */
async function talk({ home, api, sink }: Stage, program: string): Promise<{ screen: string[]; exitCode: number }> {
  const terminal = await startTerminal({
    command: [program, '--permission-mode', 'manual', '--allowedTools=Bash'],
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
    folder: home.path,
  })
  try {
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
    return { screen, exitCode: await terminal.exited() }
  } finally {
    terminal.close()
  }
}

/** The screen's text, line by line: the logo is made of block characters and moves. */
function words(screen: string): string[] {
  const lines = screen.split('\n').map((line) => line.replace(/[\u2580-\u259f]/g, '').trim())
  return lines.filter((line) => line !== '')
}

function expectTwoSessions({ sink }: Stage): void {
  const sessions = sink.spans().filter((span) => span.name === 'claude.session')
  expect(sessions.map((span) => span.attributes['session.end_reason'])).toEqual(['clear', 'prompt_input_exit'])
  const [first, second] = sessions as [Span, Span]
  const trees = sessions.map(({ traceId }) => sink.spans().filter((span) => span.traceId === traceId))
  expect(trees.map(tree)).toEqual([beforeClear, afterClear])
  for (const spans of trees) expectWhole(spans)
  expect(second.attributes['session.source']).toBe('clear')
  expect(second.attributes['session.previous_id']).toBe(first.attributes['session.id'] ?? null)
  expect(second.links.map(({ spanId }) => spanId)).toEqual([first.spanId])
  expect(metricTotals(sink.points(), 'claude.sessions_total', 'source')).toEqual({ startup: 1, clear: 1 })
}
