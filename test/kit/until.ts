/** Waiting for a condition with a deadline: the only way the kit waits for anything. */

export interface UntilOptions {
  readonly timeoutMs?: number
  readonly everyMs?: number
}

/** Polls until the condition gives a value that is not false or undefined, and returns it; throws `what` at the deadline. */
export async function until<Value>(
  what: string,
  condition: () => Value | false | undefined | Promise<Value | false | undefined>,
  { timeoutMs = 15_000, everyMs = 15 }: UntilOptions = {},
): Promise<Value> {
  const deadline = performance.now() + timeoutMs
  while (true) {
    const value = await condition()
    if (value !== false && value !== undefined) return value
    if (performance.now() > deadline) throw new Error(`still waiting after ${timeoutMs} ms for ${what}`)
    await Bun.sleep(everyMs)
  }
}
