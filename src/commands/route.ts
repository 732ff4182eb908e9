/** Whose words these are: ours or claude's. Pure. */

import { withoutSwitch } from '../claude/arguments.ts'

/** Our commands; none has the name of one of claude's, so that `alias claude=claude-otel` takes nothing away. */
export const commandNames = [
  'backfill',
  'chat',
  'completion',
  'copy',
  'drain',
  'env',
  'help',
  'hook',
  'hooks',
  'hub',
  'pump',
  'run',
  'serve',
  'stack',
  'status',
  'statusline',
  'usage',
] as const
export type CommandName = (typeof commandNames)[number]

export type Route =
  | { readonly to: 'help' | 'version' | 'config' }
  | { readonly to: 'command'; readonly name: CommandName; readonly args: readonly string[] }
  | { readonly to: 'claude' | 'sdk'; readonly args: readonly string[] }

/**
 * `args` has our flags taken out already. Only its first word decides, but for `--use-sdk`, which may stand anywhere before a
 * `--`; a first `--` hands everything behind it to claude.
 */
export function route(args: readonly string[]): Route {
  const [first, ...rest] = args
  if (first === '--') return { to: 'claude', args: rest }
  if (first === '--help') return { to: 'help' }
  if (first === '--version') return { to: 'version' }
  if (first === '--config') return { to: 'config' }
  const name = commandNames.find((command) => command === first)
  if (name !== undefined) return { to: 'command', name, args: rest }
  const others = withoutSwitch(args, '--use-sdk')
  return others.length < args.length ? { to: 'sdk', args: others } : { to: 'claude', args }
}
