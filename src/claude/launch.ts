/**
 * claude as our child, on the user's terminal: the same stdin, stdout, stderr and process group. The terminal's own signals
 * (Ctrl-C, Ctrl-\, Ctrl-Z, a resize) reach it without us; those that are sent to us alone are handed on.
 */
import { Failure } from '../base/errors.ts'

/** `code` or `signal`, as the system reports it. */
export interface ChildEnd {
  readonly code?: number
  readonly signal?: NodeJS.Signals
}

export interface Child {
  readonly pid: number
  readonly ended: Promise<ChildEnd>
}

export function startChild(command: readonly string[], env: Record<string, string | undefined>): Child {
  const child = spawn(command, env)
  const release = handSignalsTo(child)
  const ended = child.exited.then((): ChildEnd => {
    release()
    return typeof child.signalCode === 'string' ? { signal: child.signalCode } : { code: child.exitCode ?? 0 }
  })
  return { pid: child.pid, ended }
}

function spawn(command: readonly string[], env: Record<string, string | undefined>): Bun.Subprocess {
  try {
    return Bun.spawn([...command], { env, stdio: ['inherit', 'inherit', 'inherit'] })
  } catch (error) {
    throw new Failure('notExecutable', `claude cannot be started: ${command[0]}: ${String(error)}`)
  }
}

/**
 * SIGINT and SIGQUIT of a terminal go to the whole group, so claude has them already and we only survive them. Without a
 * terminal they were sent to us alone.
 */
function handSignalsTo(child: Bun.Subprocess): () => void {
  const always = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const
  const terminals = ['SIGINT', 'SIGQUIT'] as const
  const handlers = new Map<NodeJS.Signals, () => void>([
    ...always.map((signal) => [signal, () => child.kill(signal)] as const),
    ...terminals.map((signal) => [signal, () => hasTerminal() || child.kill(signal)] as const),
  ])
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}

/** Asked only when a signal comes: to touch `process.stdin` costs 8 ms, more than all else before claude starts. */
function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
}
