/**
 * claude as our child, on the user's terminal: the same stdin, stdout, stderr and process group. The terminal's own signals
 * (Ctrl-C, Ctrl-\, Ctrl-Z, a resize) reach it without us; those that are sent to us alone are handed on.
 */
import { describeError, Failure } from '../base/errors.ts'

/** `code` or `signal`, as the system reports it. */
export interface ChildEnd {
  readonly code?: number
  readonly signal?: NodeJS.Signals
}

export interface Child {
  readonly pid: number
  readonly ended: Promise<ChildEnd>
}

/** Fails with kind `notExecutable` when the system cannot run it. */
export function startChild(command: readonly string[], env: Record<string, string | undefined>): Child {
  const relay = relaySignals()
  try {
    const child = Bun.spawn([...command], { env, stdio: ['inherit', 'inherit', 'inherit'] })
    relay.to(child)
    // Of a signal without a name (a real-time one) the runtime tells the number, as a shell does.
    const ended = child.exited.then((code): ChildEnd => {
      relay.stop()
      return typeof child.signalCode === 'string' ? { signal: child.signalCode } : { code }
    })
    return { pid: child.pid, ended }
  } catch (error) {
    relay.stop()
    throw new Failure('notExecutable', `claude cannot be started: ${command[0]}: ${describeError(error)}`)
  }
}

interface Relay {
  /** From here on signals go to the child, those first that came before it was there. */
  to(child: Bun.Subprocess): void
  stop(): void
}

/**
 * SIGINT and SIGQUIT of a terminal go to the whole group, so claude has them already and we only survive them. Without a
 * terminal they were sent to us alone, as the others always are.
 */
function relaySignals(): Relay {
  const early: NodeJS.Signals[] = []
  let send = (signal: NodeJS.Signals): unknown => early.push(signal)
  const always = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const
  const ofTerminals = ['SIGINT', 'SIGQUIT'] as const
  const handlers = new Map<NodeJS.Signals, () => unknown>([
    ...always.map((signal) => [signal, () => send(signal)] as const),
    ...ofTerminals.map((signal) => [signal, () => hasTerminal() || send(signal)] as const),
  ])
  for (const [signal, handler] of handlers) process.on(signal, handler)
  return {
    to(child) {
      send = (signal) => child.kill(signal)
      for (const signal of early) send(signal)
    },
    stop() {
      for (const [signal, handler] of handlers) process.off(signal, handler)
    },
  }
}

/** Asked only when a signal comes: to touch `process.stdin` costs 8 ms, more than all else before claude starts. */
function hasTerminal(): boolean {
  return [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY)
}
