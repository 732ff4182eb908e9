/** Which of claude's flags an agent can have. */
import { Failure } from '../base/errors.ts'
import { type ExtraArgs, renderClaudeArgs } from '../claude/extra-args.ts'
import { canonicalName } from '../claude/flags.ts'

/** Said by the Agent SDK already. */
const implied: ReadonlySet<string> = new Set(['print', 'verbose', 'include-partial-messages'])

/** The SDK talks to claude in its own format, in its own process, and expects a session. */
const impossible: Readonly<Record<string, string>> = {
  'input-format': 'the Agent SDK talks to claude in its own format',
  'output-format': 'the Agent SDK talks to claude in its own format',
  bg: 'an agent does not run in the background',
  cloud: 'an agent runs on this machine',
  remote: 'an agent runs on this machine',
  teleport: 'an agent runs on this machine',
  desktop: 'an agent has no window',
  tmux: 'an agent has no terminal',
  help: 'this starts no session',
  version: 'this starts no session',
}

/** Claude's flags for `startAgent`. Fails with kind `usage` at one that no agent can have. */
export function agentArgs(extraArgs: ExtraArgs): string[] {
  const names = Object.keys(extraArgs).map(canonicalName)
  const wrong = names.find((name) => Object.hasOwn(impossible, name))
  if (wrong !== undefined) throw new Failure('usage', `--${wrong} is not possible here: ${impossible[wrong]}`)
  const rest = Object.entries(extraArgs).filter(([name]) => !implied.has(canonicalName(name)))
  return renderClaudeArgs(Object.fromEntries(rest))
}
