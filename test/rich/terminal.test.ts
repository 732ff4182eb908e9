/** A run by the Agent SDK at a terminal. */
import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { text } from '../kit/messages-api.ts'
import { startTerminal, type Terminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { clear, openStage, outdent, type Stage, tree } from '../sessions/play.ts'
import { endless, model, unattended } from '../sessions/words.ts'

const timeoutMs = 60_000

test(
  'Ctrl-C in a tool ends claude and the tool, tells both, and the shell sees 130',
  async () => {
    const stage = await openStage((home) => ({ main: [endless(home).call] }))
    const terminal = await openTerminal(stage, ['run', 'Wait', ...unattended])
    try {
      await until('the tool', endless(stage.home).runs)
      terminal.press('C-c')
      expect(await terminal.exited()).toBe(130)
      expect(tree(stage.sink.spans())).toBe(
        outdent(`
        claude.session
          invoke_agent claude-code !
            chat ${model}
            execute_tool Bash tool.status=interrupted !
      `),
      )
      expect(readdirSync(join(stage.home.state, 'runs'))).toEqual([])
    } finally {
      terminal.close()
      await clear(stage)
    }
  },
  timeoutMs,
)

test(
  'an answer is on the screen while it is written',
  async () => {
    const stage = await openStage(() => ({
      main: [text('The first words. And then the last ones.', { eventDelayMs: 300 })],
    }))
    const terminal = await openTerminal(stage, ['run', 'Talk', '--plain'])
    try {
      await terminal.shows('The first')
      expect(stage.api.served()).toEqual([])
      expect(await terminal.exited()).toBe(0)
      expect(terminal.screen()).toContain('the last ones.')
    } finally {
      terminal.close()
      await clear(stage)
    }
  },
  timeoutMs,
)

test(
  '--use-sdk without a prompt is a chat',
  async () => {
    const stage = await openStage(() => ({ main: [text('Hello yourself.')] }))
    const terminal = await openTerminal(stage, ['--use-sdk', '--plain'])
    try {
      await terminal.shows('/help')
      await terminal.enter('Hello')
      await terminal.shows('Hello yourself.')
      await terminal.enter('/exit')
      expect(await terminal.exited()).toBe(0)
    } finally {
      terminal.close()
      await clear(stage)
    }
  },
  timeoutMs,
)

function openTerminal({ home, api, sink }: Stage, args: readonly string[]): Promise<Terminal> {
  return startTerminal({
    command: [claudeOtelBinary, ...args],
    cwd: home.project,
    env: home.environment(api.url, sink.environment()),
    folder: home.path,
  })
}
