/** The hook commands that we write into what Claude Code reads, and how we know them again. */
import { hookEvents } from './events.ts'

/** Seconds; a hook takes milliseconds, and one that hangs must not hold claude up. */
const hookTimeoutSeconds = 10

/** The first Claude Code that runs a program with `args`, without a shell; earlier ones would leave the arguments out. */
export const firstWithArguments = '2.1.139'

/** Of an event: `command` in Claude Code's settings. */
export type Handler = Readonly<Record<string, unknown>>

/** The events that the wrapper registers; others are understood, and not asked for. */
export const registeredEvents: readonly string[] = Object.keys(hookEvents).filter(
  (event) => hookEvents[event]?.run !== 'never',
)

/** What claude runs for the event: our executable called directly, or, for a Claude Code that cannot, by its shell. */
export function hookHandler(executable: string, event: string, usesShell = false): Handler {
  const called = usesShell
    ? { command: `${quoteForShell(executable)} hook ${event}` }
    : { command: executable, args: ['hook', event] }
  const handler = { type: 'command', ...called, timeout: hookTimeoutSeconds }
  return hookEvents[event]?.run === 'async' ? { ...handler, async: true } : handler
}

/** The executable of a handler that is ours, whoever wrote it; undefined for anybody else's. */
export function ourExecutable(handler: unknown): string | undefined {
  if (typeof handler !== 'object' || handler === null) return undefined
  const { command, args } = handler as Partial<Record<string, unknown>>
  if (typeof command !== 'string') return undefined
  const executable = Array.isArray(args) ? fromArguments(command, args) : fromShell(command)
  return executable !== undefined && ourName.test(executable) ? executable : undefined
}

/** Copies and links of us may be called `claude`, which itself has no command `hook`. */
const ourName = /(?:^|[\\/])claude(?:-otel[^\\/]*)?(?:\.exe)?$/

function fromArguments(command: string, args: readonly unknown[]): string | undefined {
  return args.length === 2 && args[0] === 'hook' ? command : undefined
}

function fromShell(command: string): string | undefined {
  const [, single, double, bare] =
    /^\s*(?:'((?:[^']|'\\'')*)'|"([^"]*)"|([^\s'"]+))\s+hook\s+\w+\s*$/.exec(command) ?? []
  return single?.replaceAll("'\\''", "'") ?? double ?? bare
}

/** Claude Code's shell is a POSIX one, on Windows too, where it takes paths with slashes. */
function quoteForShell(path: string): string {
  const plain = /^[A-Za-z]:\\|^\\\\/.test(path) ? path.replaceAll('\\', '/') : path
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`
}
