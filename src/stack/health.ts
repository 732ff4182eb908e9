/** Whether the parts of a stack answer, asked from this machine: not every image has a program that could ask itself. */
import type { StackSettings } from './settings.ts'

export interface Part {
  readonly name: string
  /** Its name in docker-compose.yml. */
  readonly service: string
  /** Answers 200 when the part is ready. */
  readonly url: string
}

export function partsOf({ ports, withLoki, withGrafana }: StackSettings): readonly Part[] {
  const at = (port: number, path: string) => `http://127.0.0.1:${port}${path}`
  return [
    { name: 'ClickHouse', service: 'clickhouse', url: at(ports.clickhouseHttp, '/ping') },
    { name: 'Collector', service: 'collector', url: at(ports.health, '/') },
    ...(withLoki ? [{ name: 'Loki', service: 'loki', url: at(ports.loki, '/ready') }] : []),
    ...(withGrafana ? [{ name: 'Grafana', service: 'grafana', url: at(ports.grafana, '/api/health') }] : []),
  ]
}

const answerMs = 2000
const pollMs = 250
/** How often those that are not ready yet are told of. */
const progressMs = 10_000

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
 * Waits until all are ready; `tell` is given a line for each that is, and now and then one for those that are not. Gives the parts that
 * are not ready by then, with what is wrong with each.
 */
export async function waitForParts(
  parts: readonly Part[],
  limitMs: number,
  tell: (line: string) => void,
): Promise<ReadonlyMap<Part, string>> {
  const startMs = performance.now()
  const seconds = () => `${((performance.now() - startMs) / 1000).toFixed(1)} s`
  const waiting = new Map(parts.map((part) => [part, 'was not asked']))
  let toldMs = startMs
  while (true) {
    for (const part of [...waiting.keys()]) {
      const problem = await problemOf(part)
      if (problem !== undefined) waiting.set(part, problem)
      else if (waiting.delete(part)) tell(`  ${part.name} is ready after ${seconds()}`)
    }
    if (waiting.size === 0 || performance.now() - startMs > limitMs) return waiting
    if (performance.now() - toldMs > progressMs) {
      toldMs = performance.now()
      tell(
        `  waiting for ${[...waiting].map(([{ name }, problem]) => `${name} (${problem})`).join(', ')}, ${seconds()}`,
      )
    }
    await Bun.sleep(pollMs)
  }
}
