/** Whether the parts of a stack answer, asked from this machine: not every image has a program that could ask itself. */
import type { StackSettings } from './settings.ts'

export interface Part {
  readonly name: string
  /** Answers 200 when the part is ready. */
  readonly url: string
}

export function partsOf({ ports, withLoki, withGrafana }: StackSettings): readonly Part[] {
  const at = (port: number, path: string) => `http://127.0.0.1:${port}${path}`
  return [
    { name: 'ClickHouse', url: at(ports.clickhouseHttp, '/ping') },
    { name: 'Collector', url: at(ports.health, '/') },
    ...(withLoki ? [{ name: 'Loki', url: at(ports.loki, '/ready') }] : []),
    ...(withGrafana ? [{ name: 'Grafana', url: at(ports.grafana, '/api/health') }] : []),
  ]
}

const answerMs = 2000
const pollMs = 250

/** Undefined when it is ready, else what is wrong, in a few words. */
export async function problemOf({ url }: Part): Promise<string | undefined> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(answerMs) })
    await response.body?.cancel()
    return response.ok ? undefined : `answers ${response.status}`
  } catch {
    return 'does not answer'
  }
}

/**
 * Waits until all are ready and tells of each when it is; then nothing is left over. Else the parts that are not ready by then, with
 * what is wrong with each.
 */
export async function waitForParts(
  parts: readonly Part[],
  limitMs: number,
  tell: (part: Part, afterMs: number) => void,
): Promise<ReadonlyMap<Part, string>> {
  const startMs = performance.now()
  const waiting = new Map(parts.map((part) => [part, 'was not asked']))
  while (waiting.size > 0) {
    for (const part of [...waiting.keys()]) {
      const problem = await problemOf(part)
      if (problem !== undefined) waiting.set(part, problem)
      else if (waiting.delete(part)) tell(part, performance.now() - startMs)
    }
    if (waiting.size === 0 || performance.now() - startMs > limitMs) break
    await Bun.sleep(pollMs)
  }
  return waiting
}
