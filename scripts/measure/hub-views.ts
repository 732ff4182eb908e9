/** Every question of every page, to a hub that has weeks of work in its store, whichever that is. */
import type { FullStore } from '../full-store.ts'
import { type Measure, ms, quantile } from './kit.ts'

/** How long the answers to one question took. */
export interface Answer {
  readonly name: string
  /** Milliseconds. */
  readonly p95: number
}

/** Asks for each view so many times, or once for each thing to look at, where there are fewer. */
export async function askViews(port: number, full: FullStore, times: number): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (const [name, paths] of Object.entries(questionsOf(full, times)))
    answers.push({ name, p95: quantile(await askPaths(port, paths), 0.95) })
  return answers
}

/** As one measure, the others told beside it. */
export function slowestOf(answers: readonly Answer[], asked: string): Pick<Measure, 'value' | 'unit' | 'from'> {
  const all = answers.map(({ name, p95 }) => `${name} ${ms(p95)}`).join(', ')
  return { value: Math.max(...answers.map(({ p95 }) => p95)), unit: 'ms', from: `${all}; ${asked}` }
}

/** Of each view the requests of its page, over sessions and spans that lie far from one another. */
function questionsOf({ sessions, spanIds }: FullStore, times: number): Record<string, readonly string[]> {
  const spread = <Item>(items: readonly Item[]) => {
    const step = Math.max(1, Math.floor(items.length / times))
    return items.filter((_, index) => index % step === 0).slice(0, times)
  }
  const usual = spread(sessions.filter(({ spans }) => spans < 1000))
  const some = (path: string) => Array.from({ length: times }, () => path)
  const history = Object.fromEntries(
    ['day', 'model', 'project', 'sessionId'].map((by) => [`history by ${by}`, some(`history?by=${by}&days=30`)]),
  )
  const large = sessions.filter(({ spans }) => spans >= 4000)
  return {
    now: some('now'),
    health: some('health'),
    ...history,
    session: usual.map(({ id }) => `sessions/${id}`),
    rows: usual.flatMap(({ id }) => [`sessions/${id}/rows?offset=0&limit=200`]),
    logs: usual.map(({ id }) => `sessions/${id}/logs?offset=0&limit=200`),
    'late logs of a large session': spread(large).map(({ id }) => `sessions/${id}/logs?offset=1900&limit=200`),
    span: spread(spanIds.slice(7)).map(([id, spanId]) => `sessions/${id}/rows/${spanId}`),
  }
}

/** Milliseconds of each, one after another. Throws where one is refused. */
export async function askPaths(port: number, paths: readonly string[]): Promise<number[]> {
  const times: number[] = []
  for (const path of paths) {
    const startMs = performance.now()
    const response = await fetch(`http://127.0.0.1:${port}/api/${path}`)
    await response.arrayBuffer()
    times.push(performance.now() - startMs)
    if (response.status !== 200) throw new Error(`${path}: ${response.status}`)
  }
  return times
}
