/** `claude-otel chat` without a terminal: each line of stdin is a prompt, and the answers go to stdout as they are. */
import { createInterface } from 'node:readline'
import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { catchSignals } from '../agent/signals.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { AgentConsole } from '../console/console.ts'
import { oneLine } from '../console/text.ts'
import { readRequest } from './commands.ts'
import type { ChatOptions } from './options.ts'
import { Talk } from './talk.ts'

/** Until the lines end. Exit code 1 where a turn has failed. Nobody can be asked: what would need a permission is denied. */
export async function chatByLines(options: ChatOptions): Promise<ChildEnd> {
  const { stdin, stdout, stderr, env, flags, cwd, mask, extraArgs } = options
  const console = new AgentConsole({ stdout, stderr, env, isPlain: true, cwd, mask })
  let hasFailed = false
  const onMessage = (message: SDKMessage): void => {
    console.onMessage(message)
    if (message.type === 'result' && message.is_error) hasFailed = true
  }
  const onLost = (reason: string): void => {
    console.tell('failure', oneLine(reason))
    hasFailed = true
    lines.close()
  }
  const onTelemetry = (line: string): void => void stderr.write(`claude-otel: ${line}\n`)
  const talk = new Talk({
    ...{ extraArgs, env, flags, cwd },
    onMessage,
    onStderr: (text) => stderr.write(text),
    onLost,
    onTelemetry,
  })
  const lines = createInterface({ input: stdin, terminal: false })
  // From here on no line is lost, nor the end of them.
  const read = lines[Symbol.asyncIterator]()
  const signals = catchSignals(
    (signal) => {
      lines.close()
      void talk.end(signal)
    },
    () => void talk.interrupt(true),
  )
  // Whoever read the answers has gone.
  stdout.on('error', () => lines.close())
  try {
    await talk.start()
    for await (const text of prompts(options.prompt, read)) {
      if (readRequest(text).kind === 'exit' || signals.first !== undefined) break
      const end = await talk.say(text)
      if (end.kind !== 'lost' || signals.first !== undefined) continue
      console.tell('failure', oneLine(end.reason))
      hasFailed = true
    }
  } finally {
    lines.close()
    await talk.end(signals.first)
    signals.stop()
  }
  if (signals.first !== undefined) return { signal: signals.first }
  return { code: hasFailed ? 1 : 0 }
}

/** A backslash at a line's end goes on in the next one; empty lines are nothing. */
async function* prompts(first: string | undefined, lines: AsyncIterableIterator<string>): AsyncGenerator<string> {
  if (first !== undefined) yield first
  let text = ''
  for await (const line of lines) {
    const goesOn = line.endsWith('\\')
    text += goesOn ? `${line.slice(0, -1)}\n` : line
    if (goesOn) continue
    if (text.trim() !== '') yield text
    text = ''
  }
  if (text.trim() !== '') yield text
}
