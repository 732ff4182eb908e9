/** Lets a few through at once: what is played with real processes shares the machine's cores. */

/** Runs what it is given when one of `places` is free, in the order of asking. */
export function createGate(places: number): <Result>(play: () => Promise<Result>) => Promise<Result> {
  let free = places
  const waiting: (() => void)[] = []
  return async (play) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve))
    else free -= 1
    try {
      return await play()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
