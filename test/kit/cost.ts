/** What work costs this process: for tests that hold how cost grows. The clock would tell what else the machine does. */

/** Milliseconds of processor time since `from`, which an earlier call has given; all there was, without it. */
export function processorMs(from = 0): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000 - from
}

/** The least of some runs, the later ones only where the first was slow enough to matter. */
export function leastCostMs(work: () => void, runs = 3): number {
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run += 1) {
    const from = processorMs()
    work()
    least = Math.min(least, processorMs(from))
    if (least < 4) return least
  }
  return least
}
