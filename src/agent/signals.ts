/** Signals that end an agent: the first one asks it to end, a second one does not wait. */

export interface CaughtSignals {
  /** The first one that came. */
  readonly first: NodeJS.Signals | undefined
  /** From here on the system decides again. */
  stop(): void
}

const ending = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function catchSignals(
  onFirst: (signal: NodeJS.Signals) => void,
  onSecond: (signal: NodeJS.Signals) => void,
): CaughtSignals {
  let first: NodeJS.Signals | undefined
  const handle = (signal: NodeJS.Signals): void => {
    const isFirst = first === undefined
    first ??= signal
    if (isFirst) onFirst(signal)
    else onSecond(signal)
  }
  for (const signal of ending) process.on(signal, handle)
  return {
    get first() {
      return first
    },
    stop() {
      for (const signal of ending) process.off(signal, handle)
    },
  }
}
