/** Everything but the hook: routes the command line, runs what it names, and says how the process shall end. */
import { exitCodes, Failure, renderFailure } from '../base/errors.ts'
import { versionLine } from '../base/version.ts'
import { takesNextWord } from '../claude/flags.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { readEnvironment } from '../config/environment.ts'
import { parseFlags } from '../config/flags.ts'
import { type Flags, resolveSettings } from '../run/settings.ts'
import { commands } from './index.ts'
import { route } from './route.ts'
import { wrap } from './wrap.ts'

/** Never rejects for what a person did: that is told on stderr and becomes the exit code. */
export async function runCli(argv: readonly string[]): Promise<ChildEnd> {
  try {
    return await dispatch(argv)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    process.stderr.write(renderFailure(error))
    return { code: exitCodes[error.kind] }
  }
}

async function dispatch(argv: readonly string[]): Promise<ChildEnd> {
  const { flags, rest, problems } = parseFlags(argv, takesNextWord)
  const target = route(rest)
  const [problem] = problems
  if (problem !== undefined) throw problem
  if (target.to === 'claude') return runClaude(target.args, flags)
  if (target.to === 'sdk') return runBySdk(target.args, flags)
  if (target.to === 'command') {
    const command = await commands[target.name].load()
    return (await command.run(target.args, flags)) ?? { code: exitCodes.ok }
  }
  if (target.to === 'version') process.stdout.write(`${versionLine}\n`)
  if (target.to === 'help') process.stdout.write((await import('./help.ts')).renderHelp())
  if (target.to === 'config') {
    const { renderConfig } = await import('./config.ts')
    const resolution = await resolveSettings(readEnvironment(), flags)
    process.stdout.write(renderConfig(resolution))
    return { code: resolution.problems.length === 0 ? exitCodes.ok : exitCodes.config }
  }
  return { code: exitCodes.ok }
}

async function runClaude(args: readonly string[], flags: Flags): Promise<ChildEnd> {
  const { end, line } = await wrap({ args, env: readEnvironment(), flags })
  if (line !== undefined) process.stderr.write(`claude-otel: ${line}\n`)
  return end
}

/** Without a prompt, claude begins a conversation at a terminal, and so does this. */
async function runBySdk(args: readonly string[], flags: Flags): Promise<ChildEnd> {
  const { parseClaudeArgs } = await import('../claude/extra-args.ts')
  const { prompt, extraArgs } = parseClaudeArgs(args)
  const isTalk = prompt === undefined && extraArgs.print === undefined && process.stdin.isTTY
  if (!isTalk) return (await import('./run.ts')).runPrompt(args, flags)
  const chat = await commands.chat.load()
  return (await chat.run(args, flags)) ?? { code: exitCodes.ok }
}
