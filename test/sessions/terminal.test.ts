/** Claude in a pseudo-terminal: the TUI, and Ctrl-C in text mode. Each sitting is played bare and under claude-otel. */

import { describe, expect, test } from 'bun:test'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { createGate } from '../kit/gate.ts'
import type { Span } from '../kit/otlp-sink.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { dialogs } from './dialogs.ts'
import { clear, delivered, expectSessions, openStage, type Stage, showingTree, tree } from './play.ts'
import { hungUp, type Sitting, sittings } from './sittings.ts'

const gate = createGate(2)
/** Waiting for a place counts; each condition has its own, shorter time. */
const timeoutMs = 600_000

describe('claude-otel in a terminal looks and ends like claude, and each conversation is a whole trace', () => {
  for (const sitting of [...sittings, ...dialogs]) {
    test.concurrent(sitting.title, () => gate(() => checkSitting(sitting)), timeoutMs)
  }
})

async function checkSitting(sitting: Sitting): Promise<void> {
  const [bare, wrapped] = await Promise.all([openStage(sitting.script), openStage(sitting.script)])
  try {
    const [seen, expected] = await Promise.all([
      sit(sitting, wrapped, claudeOtelBinary),
      sit(sitting, bare, claudeBinary),
    ])
    showingTree(wrapped.sink.spans(), () => {
      expect(seen).toEqual(expected)
      expect(wrapped.api.surprises()).toEqual([])
      expectSessions(wrapped, sitting.trees, seen === hungUp ? anyEnd : tree)
      sitting.also?.(wrapped.sink.spans(), wrapped)
    })
  } finally {
    await Promise.all([clear(bare), clear(wrapped)])
  }
}

/** Without its terminal claude may end by the signal or by itself. */
function anyEnd(spans: readonly Span[]): string {
  return tree(spans).replace(/^claude.session !/, 'claude.session')
}

async function sit({ args, act, prepare, env }: Sitting, stage: Stage, program: string): Promise<unknown> {
  const { home, api, sink } = stage
  await prepare?.(home)
  const terminal = await startTerminal({
    command: [program, ...args],
    cwd: home.project,
    env: home.environment(api.url, { ...sink.environment(), ...env }),
    folder: home.path,
  })
  const isTelling = program === claudeOtelBinary
  const told = async (event: string) => {
    if (isTelling)
      await until(event, () => sink.logs().some(({ eventName }) => eventName === event), { timeoutMs: 30_000 })
  }
  try {
    const seen = await act(terminal, stage, told)
    if (seen !== hungUp) return { seen, exitCode: await terminal.exited() }
    if (isTelling) await delivered(stage)
    return seen
  } finally {
    terminal.close()
  }
}
