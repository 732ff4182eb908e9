/**
 * `claude-otel run [--] "prompt"`: one prompt to claude by the Agent SDK. stdout has the answer, as `claude -p` prints it, stderr
 * what there is to see besides, and the exit code is claude's.
 */
import { type Agent, type AgentObserver, startAgent } from '../agent/agent.ts'
import { type AnswerFormat, createAnswer } from '../agent/answer.ts'
import { agentArgs } from '../agent/arguments.ts'
import { type InputFormat, readInput } from '../agent/input.ts'
import { catchSignals } from '../agent/signals.ts'
import { Failure } from '../base/errors.ts'
import { workingFolder } from '../base/paths.ts'
import { type ClaudeArgs, type ExtraArgs, parseClaudeArgs } from '../claude/extra-args.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { readEnvironment } from '../config/environment.ts'
import { AgentConsole } from '../console/console.ts'
import type { Flags } from '../run/settings.ts'
import { createRedactor } from '../telemetry/redact.ts'
import { type Command, takePlain } from './command.ts'

const usage = `claude-otel run [claude's flags] [--] "prompt"

One prompt to your own claude by the Claude Agent SDK, recorded as the wrapper records it. Prints the answer and ends with
claude's exit code. What comes on stdin is the prompt, or goes below it.

  --output-format text|json|stream-json   what is printed, as by claude -p
  --input-format text|stream-json         what stdin is
  --include-partial-messages              print text as it is written, also where stdout is no terminal
  --plain                                 show what goes on in words alone, and without a terminal too

On a terminal stderr shows what goes on: tools, agents, and what it took.

All other flags are claude's, and our settings are flags here too (claude-otel --help).
`

const command: Command = {
  args: {},
  words: [],
  async run(args, flags) {
    if (args[0] !== '--help') return runPrompt(args, flags)
    process.stdout.write(usage)
    return undefined
  },
}

export default command

/** How claude ended, or the signal that ended it; also what `--use-sdk` does. Fails where there is nothing to run. */
export async function runPrompt(args: readonly string[], flags: Flags): Promise<ChildEnd> {
  const { isPlain, others } = takePlain(args)
  const request = readRequest(parseClaudeArgs(others))
  const agent = await startAgent({
    prompt: await readInput(request.prompt, request.input),
    args: request.args,
    env: readEnvironment(),
    flags,
    includePartialMessages: request.format === 'live' || request.hasPartials,
  })
  return attend(agent, request.format, isPlain)
}

/** Shows what the agent says until it has ended; whatever happens meanwhile, claude is ended and the telemetry sent. */
async function attend(agent: Agent, format: AnswerFormat, isPlain: boolean): Promise<ChildEnd> {
  const isRendered = format === 'live' && process.stdout.isTTY === true
  const isText = format === 'text' || format === 'live'
  const console = isText ? openConsole(agent, isRendered, isPlain) : undefined
  const answer = isRendered ? undefined : createAnswer(format)
  let isError = false
  const observers: readonly AgentObserver[] = [
    (message) => void process.stdout.write(answer?.show(message) ?? ''),
    (message) => void console?.onMessage(message),
  ]
  const signals = catchSignals(
    (signal) => void agent.close(signal),
    () => agent.kill(),
  )
  // Whoever read the answer has gone, as `head` does.
  process.stdout.on('error', () => void agent.close())
  console?.work()
  try {
    for await (const message of agent.messages) {
      if (message.type === 'result') isError = message.is_error
      for (const observe of observers) observe(message)
    }
    if (signals.first === undefined) console?.finish(isError, agent.run?.root.traceId)
  } finally {
    await written(answer?.end() ?? '')
    console?.rest()
    await agent.close()
    signals.stop()
  }
  const { end, line } = await agent.close()
  if (line !== undefined) process.stderr.write(`claude-otel: ${line}\n`)
  return endOf(end, signals.first, isError)
}

/** On a terminal's stderr what goes on, and on its stdout the answer as a person reads it; elsewhere nothing. */
function openConsole({ resolution }: Agent, isRendered: boolean, isPlain: boolean): AgentConsole {
  const { stdout, stderr } = process
  const { redact } = createRedactor(resolution.config.redaction)
  const isSeen = stderr.isTTY === true || isPlain
  return new AgentConsole({
    ...(isRendered ? { stdout } : {}),
    ...(isSeen ? { stderr } : {}),
    ...{ isPlain, env: readEnvironment(), cwd: workingFolder(), mask: (text) => redact(text) },
  })
}

/** Of Ctrl-C claude makes a success; whoever has a run in a loop wants it to stop. */
function endOf(end: ChildEnd, signal: NodeJS.Signals | undefined, isError: boolean): ChildEnd {
  if (signal === 'SIGINT') return { signal }
  return end.code === 0 && isError ? { code: 1 } : end
}

interface Request {
  readonly prompt: string | undefined
  /** Claude's flags, without those that say what we read and print. */
  readonly args: readonly string[]
  readonly format: AnswerFormat
  readonly input: InputFormat
  readonly hasPartials: boolean
}

function readRequest({ prompt, more, extraArgs }: ClaudeArgs): Request {
  if (more.length > 0) {
    const words = [...more, prompt].map((word) => JSON.stringify(word)).join(' and ')
    throw new Failure('usage', `one prompt, please, not ${words}`, 'put it in quotes: claude-otel run "…"')
  }
  const { 'output-format': output, 'input-format': input, ...others } = extraArgs
  const hasPartials = Object.hasOwn(extraArgs, 'include-partial-messages')
  const printed = oneOf('output-format', output, ['text', 'json', 'stream-json'] as const)
  const isLive = printed === 'text' && (hasPartials || process.stdout.isTTY === true)
  return {
    prompt,
    args: agentArgs(others),
    format: isLive ? 'live' : printed,
    input: oneOf('input-format', input, ['text', 'stream-json'] as const),
    hasPartials,
  }
}

/** The last of several; the first of `known` where the flag is not given. */
function oneOf<T extends string>(name: string, given: ExtraArgs[string] | undefined, known: readonly [T, ...T[]]): T {
  if (given === undefined) return known[0]
  const value = [given].flat().at(-1)
  const found = known.find((each) => each === value)
  if (found !== undefined) return found
  throw new Failure('usage', `--${name} is ${JSON.stringify(value)}`, `use one of: ${known.join(', ')}`)
}

function written(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(text, () => resolve()))
}
