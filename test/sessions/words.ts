/** The words that cases and sittings are written in: calls, scripts, trees, and how to find a span again. */

import { join } from 'node:path'
import { type ClaudeHome, claudeOtelBinary } from '../kit/claude-home.ts'
import { type Answer, type Block, tools, toolUse } from '../kit/messages-api.ts'
import type { Span } from '../kit/otlp-sink.ts'
import type { Stage } from './play.ts'

export const model = 'claude-opus-5-5'
export const unattended = ['--permission-mode', 'bypassPermissions']
export const success = { exitCode: 0, signal: null }
export const failure = { exitCode: 1, signal: null }

export const oneAnswer = `
  claude.session
    invoke_agent claude-code
      chat ${model}
`

export const oneTool = `
  claude.session
    invoke_agent claude-code
      chat ${model}
      execute_tool Bash tool.status=success
      chat ${model}
`

/** The session's span. */
export function sessionOf({ sink }: Pick<Stage, 'sink'>): Span {
  const session = sink.spans().find((span) => span.name === 'claude.session')
  if (session === undefined) throw new Error('there is no claude.session')
  return session
}

export function toolsOf({ sink }: Pick<Stage, 'sink'>, tool: string): Span[] {
  const calls = sink.spans().filter((span) => span.name === `execute_tool ${tool}`)
  return calls.sort((a, b) => a.startUnixMicro - b.startUnixMicro)
}

/** Shell that waits for a file, for a minute at most: a test that fails must not leave it waiting. */
export function waitForFile(path: string): string {
  return `i=0; until test -e ${path} || test $((i += 1)) -gt 1200; do sleep 0.05; done`
}

export function bash(command: string) {
  return toolUse('Bash', { command, description: 'Run it' })
}

export function read(file: string) {
  return toolUse('Read', { file_path: file })
}

export function userLine(content: string): string {
  return `${JSON.stringify({ type: 'user', message: { role: 'user', content } })}\n`
}

/** A command that says when it runs, and then goes on until it is ended, or for half a minute. */
export function endless({ path }: ClaudeHome): { readonly call: Answer; readonly runs: () => Promise<boolean> } {
  const marker = join(path, 'running')
  return {
    call: tools(bash(`touch ${marker}; timeout 30 tail -f /dev/null`)),
    runs: () => Bun.file(marker).exists(),
  }
}

/** A call of a subagent whose conversation is the script's lane of that name. */
export function subagent(marker: string, background: boolean): Block {
  return toolUse('Agent', {
    description: `task ${marker}`,
    prompt: `${marker}: look around`,
    subagent_type: 'general-purpose',
    run_in_background: background,
  })
}

/** Claude's arguments for a conversation in lines of JSON, without a terminal. */
export const streamJson = ['-p', '--input-format', 'stream-json', '--output-format', 'stream-json', '--verbose']

/** The user's settings with one hook on an event: a shell command. */
export async function setHook(home: ClaudeHome, event: string, command: string): Promise<void> {
  const hooks = { [event]: [{ hooks: [{ type: 'command', command }] }] }
  await Bun.write(join(home.path, '.claude/settings.json'), JSON.stringify({ hooks }))
}

/** Our hook command in the user's settings.json, some events under their short names. */
export async function registerByHand({ home }: Pick<Stage, 'home'>): Promise<void> {
  const labels: Readonly<Record<string, string>> = { PreToolUse: 'pre', PostToolUse: 'post' }
  const events = [
    'SessionStart',
    'UserPromptSubmit',
    'PreToolUse',
    'PostToolUse',
    'PostToolBatch',
    'Stop',
    'SessionEnd',
  ]
  const hook = (event: string) => ({
    hooks: [{ type: 'command', command: claudeOtelBinary, args: ['hook', labels[event] ?? event] }],
  })
  const hooks = Object.fromEntries(events.map((event) => [event, [hook(event)]]))
  await Bun.write(join(home.path, '.claude/settings.json'), JSON.stringify({ hooks }))
}
