/** What a command line of claude's says: whether it begins a session, how, and with which values. Its flags are in flags.ts. */
import { takesNextWord } from './flags.ts'

/** claude's own commands: they run no session, so they are run without our hooks. None of ours has such a name. */
export const claudeCommands: ReadonlySet<string> = new Set([
  'agents',
  'attach',
  'auth',
  'auto-mode',
  'doctor',
  'gateway',
  'import',
  'install',
  'kill',
  'logs',
  'mcp',
  'plugin',
  'plugins',
  'purge',
  'respawn',
  'rm',
  'setup-token',
  'stop',
  'ultrareview',
  'update',
  'upgrade',
])

/** Whether these arguments begin a session, rather than a command of claude's, its help or its version. */
export function startsSession(args: readonly string[]): boolean {
  const first = args[0]
  return first === undefined || !(claudeCommands.has(first) || ['--help', '-h', '--version', '-v'].includes(first))
}

/** The value of the last such option in front of a `--`, in either form (`--x v`, `--x=v`). */
export function optionValue(args: readonly string[], name: string): string | undefined {
  return findOption(args, name)?.value
}

/** The arguments with the value of the last such option replaced. */
export function replaceOptionValue(args: readonly string[], name: string, value: string): string[] {
  const found = findOption(args, name)
  if (found === undefined) return [...args]
  return args.with(found.index, found.isJoined ? `${name}=${value}` : value)
}

/** The arguments without a switch, wherever it stands in front of a `--` and is no option's value. */
export function withoutSwitch(args: readonly string[], name: string): readonly string[] {
  const end = args.includes('--') ? args.indexOf('--') : args.length
  return args.filter((arg, index) => arg !== name || index >= end || takesNextWord(args[index - 1] ?? ''))
}

/** How the session that these arguments begin relates to an earlier one, as SessionStart would say. */
export function sessionSource(args: readonly string[]): 'startup' | 'resume' | 'fork' {
  const options = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined)
  const resumes = options.some((arg) => /^(?:-c|--continue|-r|--resume(?:=.*)?)$/.test(arg))
  if (!resumes) return 'startup'
  return options.includes('--fork-session') ? 'fork' : 'resume'
}

interface FoundOption {
  readonly value: string
  /** Where in the arguments the value stands. */
  readonly index: number
  readonly isJoined: boolean
}

function findOption(args: readonly string[], name: string): FoundOption | undefined {
  let found: FoundOption | undefined
  for (let index = 0; index < args.length && args[index] !== '--'; index++) {
    const arg = args[index] ?? ''
    const next = args[index + 1]
    if (arg.startsWith(`${name}=`)) found = { value: arg.slice(name.length + 1), index, isJoined: true }
    if (!takesNextWord(arg)) continue
    index += 1
    if (arg === name && next !== undefined) found = { value: next, index, isJoined: false }
  }
  return found
}
