/** What a run asks: the prompt of its command line, what comes on stdin, or a conversation in lines of JSON. */
import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk/core'
import { Failure } from '../base/errors.ts'
import { isRecord } from '../telemetry/summary.ts'

export type InputFormat = 'text' | 'stream-json'

/** As `claude -p` puts them together. Fails with kind `usage` where there is nothing to ask. */
export async function readInput(
  prompt: string | undefined,
  format: InputFormat,
): Promise<string | AsyncIterable<SDKUserMessage>> {
  if (format === 'stream-json') return readMessages(process.stdin)
  const beside = process.stdin.isTTY ? '' : await readAll(process.stdin, prompt === undefined ? undefined : patienceMs)
  const text = [prompt ?? '', beside].filter((part) => part !== '').join('\n')
  if (text.trim() !== '') return text
  throw new Failure('usage', 'there is no prompt', 'claude-otel run "your prompt", or give it on stdin')
}

/** A stdin that nobody closes, as that of a service, does not hold up a prompt: claude itself waits as long. */
const patienceMs = 3000

/** All of it, or nothing where nothing has come in time. */
async function readAll(stream: NodeJS.ReadStream, waitMs: number | undefined): Promise<string> {
  let text = ''
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs)
  stream.setEncoding('utf8')
  stream.on('data', (piece: string) => {
    clearTimeout(timer)
    text += piece
  })
  stream.once('end', resolve).once('error', () => resolve())
  await promise
  clearTimeout(timer)
  stream.removeAllListeners('data').pause()
  return text
}

/** One message of a user a line. Fails with kind `data` at a line that is none. */
async function* readMessages(stream: NodeJS.ReadStream): AsyncGenerator<SDKUserMessage> {
  let rest = ''
  stream.setEncoding('utf8')
  for await (const piece of stream) {
    const lines = `${rest}${piece}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line.trim() !== '') yield parseMessage(line)
  }
  if (rest.trim() !== '') yield parseMessage(rest)
}

function parseMessage(line: string): SDKUserMessage {
  const value = parseJson(line)
  if (isRecord(value) && value.type === 'user' && isRecord(value.message)) return value as unknown as SDKUserMessage
  throw new Failure('data', `a line of stdin is no message of a user: ${line.slice(0, 80)}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
