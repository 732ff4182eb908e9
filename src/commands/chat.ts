/** `claude-otel chat [claude's flags] [first prompt]`: a conversation in the terminal, recorded as the wrapper records it. */
import { join } from 'node:path'
import { agentArgs } from '../agent/arguments.ts'
import { Failure } from '../base/errors.ts'
import { resolveStatePaths, workingFolder } from '../base/paths.ts'
import type { ChatOptions } from '../chat/options.ts'
import { parseClaudeArgs } from '../claude/extra-args.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { readEnvironment } from '../config/environment.ts'
import { readPresence, seemsAlive } from '../hub/presence.ts'
import type { RunPlan } from '../run/plan.ts'
import { type Flags, inheritSettings, resolveSettings } from '../run/settings.ts'
import { createRedactor } from '../telemetry/redact.ts'
import { type Command, takePlain } from './command.ts'

const usage = `claude-otel chat [claude's flags] [--] ["first prompt"]

Talk to your own claude, turn by turn, recorded as the wrapper records it. /help in the chat lists its commands.

  --plain    words alone: no colours, no signs, nothing that moves (also by NO_COLOR, CI and TERM=dumb)

Without a terminal each line of stdin is a prompt and the answers go to stdout. All other flags are claude's, and our
settings are flags here too (claude-otel --help).
`

const command: Command = {
  args: { plain: { type: 'boolean', description: 'Words alone: no colours, no signs, nothing that moves.' } },
  words: [],
  async run(args, flags) {
    if (args[0] !== '--help') return runChat(args, flags)
    process.stdout.write(usage)
    return undefined
  },
}

export default command

async function runChat(args: readonly string[], flags: Flags): Promise<ChildEnd> {
  const options = await readOptions(args, flags)
  const { stdin, stderr, env } = options
  const isAtTerminal = stdin.isTTY === true && stderr.isTTY === true && env.TERM !== 'dumb'
  if (isAtTerminal) return (await import('../chat/chat.ts')).chat(options)
  return (await import('../chat/lines.ts')).chatByLines(options)
}

async function readOptions(args: readonly string[], flags: Flags): Promise<ChatOptions> {
  const { isPlain, others } = takePlain(args)
  const { prompt, more, extraArgs } = parseClaudeArgs(others)
  if (more.length > 0) throw new Failure('usage', 'one first prompt, please', 'put it in quotes: claude-otel chat "…"')
  agentArgs(extraArgs)
  const env = readEnvironment()
  const told = await inheritSettings(env, flags)
  const resolution = await resolveSettings(told.env, told.flags)
  const paths = resolveStatePaths(env)
  const { redact } = createRedactor(resolution.config.redaction)
  return {
    ...{ extraArgs, prompt, env, flags, resolution, isPlain },
    cwd: workingFolder(),
    mask: (text) => redact(text),
    places: {
      history: paths === undefined ? undefined : join(paths.root, 'chat-history'),
      traceOf,
    },
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
  }
}

/** The first session of a run has the run's own span; others leave word of theirs when they begin. */
async function traceOf(run: RunPlan, sessionId: string | undefined): Promise<[string, string][]> {
  const { readSessionContext } = await import('../session/run.ts')
  const ref = (sessionId && readSessionContext(run.paths.sessions, sessionId)?.ref) || run.root
  const rows: [string, string][] = [
    ['Trace', ref.traceId],
    ['Session', sessionId ?? 'not known yet'],
  ]
  const { destinationsOf } = await import('../chat/banner.ts')
  rows.push(['Goes to', destinationsOf(run.resolution)])
  const hub = run.hub === undefined ? undefined : await readPresence(run.paths.hubPresence)
  if (hub === undefined || !seemsAlive(hub)) return rows
  const page = sessionId === undefined ? hub.url : `${hub.url.replace(/\/$/, '')}/#/session/${sessionId}`
  return [...rows, ['Look at', page]]
}
