/**
 * `claude-otel statusline`: context, cost and burn from what Claude Code gives its status line on stdin. A command of the user's own
 * that had the place before is run with the same input, and its lines come first.
 */
import { parseStatusLine, type StatusLineInput } from '../claude/status-line.ts'
import { readEnvironment } from '../config/environment.ts'
import { defineOurCommand } from './command.ts'

/** Claude waits for its status line; a command that takes longer is left out. */
const commandMs = 2000
/** Set in the command's environment, so that one that leads back to us ends there. */
const guard = 'CLAUDE_OTEL_STATUSLINE'

export default defineOurCommand({
  meta: { name: 'statusline', description: 'Print context, cost and burn for Claude Code’s status line.' },
  args: {
    with: { type: 'string', description: 'A command that gets the same input; its lines come first.' },
    plain: { type: 'boolean', description: 'No colours.' },
  },
  async run({ args }) {
    const env = readEnvironment()
    const json = await Bun.stdin.text()
    const theirs = args.with === undefined || env[guard] !== undefined ? '' : await runCommand(args.with, json, env)
    const input = parseStatusLine(json)
    const hasColours = args.plain !== true && !env.NO_COLOR
    const lines = [theirs.trimEnd(), input === undefined ? '' : renderStatusLine(input, hasColours)]
    process.stdout.write(`${lines.filter((line) => line !== '').join('\n')}\n`)
  },
})

/** `Opus 5.5 · context 33.1 % of 200k · $1.25 · $5.00/h`, of what is known. */
export function renderStatusLine(input: StatusLineInput, hasColours = false): string {
  const { model, contextUsed, contextTokens, costUsd, durationMs = 0 } = input
  const parts: string[] = []
  if (model !== undefined) parts.push(model)
  if (contextUsed !== undefined) {
    const size = contextTokens === undefined ? '' : ` of ${shortCount(contextTokens)}`
    const words = `context ${(contextUsed * 100).toFixed(contextUsed < 0.1 ? 1 : 0)} %${size}`
    parts.push(hasColours ? coloured(words, contextUsed) : words)
  }
  if (costUsd !== undefined) parts.push(`$${costUsd.toFixed(2)}`)
  // Before a minute is over the rate would be a guess.
  if (costUsd !== undefined && durationMs >= 60_000) parts.push(`$${((costUsd / durationMs) * 3_600_000).toFixed(2)}/h`)
  return parts.join(' · ')
}

function coloured(words: string, used: number): string {
  const colour = used >= 0.9 ? 31 : used >= 0.7 ? 33 : undefined
  return colour === undefined ? words : `\u001b[${colour}m${words}\u001b[0m`
}

/** `200k`, `1M`. */
function shortCount(count: number): string {
  if (count >= 1_000_000) return `${Math.round(count / 100_000) / 10}M`
  return count >= 1000 ? `${Math.round(count / 1000)}k` : String(count)
}

async function runCommand(
  command: string,
  json: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const child = Bun.spawn(['sh', '-c', command], {
    env: { ...env, [guard]: '1' },
    stdin: Buffer.from(json),
    stdout: 'pipe',
    stderr: 'ignore',
    // A group of its own, or what the shell has started would live on, and hold its output open.
    detached: true,
  })
  const timer = setTimeout(() => endGroup(child.pid), commandMs)
  const text = await new Response(child.stdout).text()
  const code = await child.exited
  clearTimeout(timer)
  return code === 0 ? text : ''
}

function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It has ended in the meantime.
  }
}
