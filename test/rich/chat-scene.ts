/** A chat in a pseudo-terminal with the real claude, and what somebody can do at it. */
import { test } from 'bun:test'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { createGate } from '../kit/gate.ts'
import type { Script } from '../kit/messages-api.ts'
import { startTerminal, type Terminal } from '../kit/terminal.ts'
import { clear, openStage, type Stage } from '../sessions/play.ts'

const gate = createGate(2)
const timeoutMs = 300_000

export interface ChatScene extends Stage {
  readonly terminal: Terminal
  /** Leaves, and gives the exit code. */
  leave(): Promise<number>
}

export interface How {
  readonly args?: readonly string[]
  readonly columns?: number
  /** Undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Before the program and its arguments. */
  readonly around?: readonly string[]
  /** What is shown when it can be spoken to. */
  readonly ready?: string | RegExp
  /** Written at a shell with job control, where `$P` is the program; `chat` unless told. */
  readonly fromShell?: string
}

/** Starts a chat on a stage, waits for claude, and clears all of it at the end; a failure shows the screen. */
export function inChat(
  title: string,
  script: Parameters<typeof openStage>[0] | Script['main'],
  act: (scene: ChatScene) => Promise<void>,
  how: How = {},
): void {
  const play = async (): Promise<void> => {
    const stage = await openStage(typeof script === 'function' ? script : () => ({ main: script }))
    try {
      await inTerminal(stage, how, act)
    } finally {
      await clear(stage)
    }
  }
  test.concurrent(title, () => gate(play), timeoutMs)
}

/** One chat on a stage that is there; `folder` is for a second one. */
export async function inTerminal(
  stage: Stage,
  { args = [], columns = 100, env = {}, around = [], ready = 'Claude Code 2.', fromShell }: How,
  act: (scene: ChatScene) => Promise<void>,
  folder = stage.home.path,
): Promise<void> {
  const { home, api, sink } = stage
  const terminal = await startTerminal({
    command: fromShell === undefined ? [...around, claudeOtelBinary, 'chat', ...args] : ['bash', '--norc', '-i'],
    cwd: home.project,
    env: home.environment(api.url, { ...sink.environment(), P: claudeOtelBinary, PS1: '$ ', ...env }),
    folder,
    columns,
  })
  const leave = async (): Promise<number> => {
    await terminal.enter('exit')
    return terminal.exited()
  }
  try {
    if (fromShell !== undefined) await terminal.shows('$').then(() => terminal.enter(fromShell))
    await terminal.shows(ready)
    await act({ ...stage, terminal, leave })
  } catch (failure) {
    if (failure instanceof Error) failure.message += `\n\n${terminal.screen()}`
    throw failure
  } finally {
    terminal.close()
  }
}

/** The screen without what differs from run to run. */
export function still(screen: string): string[] {
  const lines = screen
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '11111111-2222-4333-8444-555555555555')
    .replaceAll(/\b[0-9a-f]{32}\b/g, '0af7651916cd43dd8448eb211c80319c')
    .replaceAll(/(127\.0\.0\.1:)\d{5}/g, '$150000')
    .replaceAll(/\d+\.\d s\b/g, '0.1 s')
    .split('\n')
    .map((line) => line.trimEnd())
  return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1)
}

/** What the model was asked last, as texts of the user's in that request; what claude adds to them left out. */
export function lastAsked({ api }: Stage): string[] {
  const requests = api.requests().filter(({ lane }) => lane === 'main')
  const messages = requests.at(-1)?.body.messages
  const users = (Array.isArray(messages) ? messages : []).filter(({ role }) => role === 'user')
  const texts = users.flatMap(({ content }) => (Array.isArray(content) ? content : [{ text: content }]))
  return texts.flatMap(({ text }) => (typeof text === 'string' && !/^[<#]/.test(text) ? [text] : []))
}

/** Tools run without a question. */
export const permitted = ['--allowedTools=Bash', '--allowedTools=Read', '--allowedTools=Agent']
