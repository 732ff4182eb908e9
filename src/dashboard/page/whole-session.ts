/** A session with all its rows, kept up to date, and which row a log record is of. */
import { useEffect, useState } from 'preact/hooks'
import type { LogView } from '../log-view.ts'
import type { SessionView } from '../views.ts'
import type { WaterfallRow } from '../waterfall.ts'
import { keepReading, type Loaded, readJson } from './hub.ts'

export interface Whole {
  readonly view: SessionView
  readonly rows: readonly WaterfallRow[]
  /** By what a log record names: the thing that it is of, or a span. */
  readonly rowBy: ReadonlyMap<string, WaterfallRow>
}

export function rowOf({ rowBy }: Whole, { key, spanId }: LogView): WaterfallRow | undefined {
  return rowBy.get(key ?? '') ?? rowBy.get(spanId ?? '')
}

/** The rows come part by part; what is shown is always of one revision. */
export function useWhole(id: string): Loaded<Whole> {
  const [loaded, setLoaded] = useState<Loaded<Whole>>({ state: 'loading' })
  useEffect(() => {
    setLoaded({ state: 'loading' })
    return keepReading(
      id,
      () => readWhole(id),
      (answer) => setLoaded({ state: 'loaded', answer }),
      (words) => setLoaded((known) => (known.state === 'loaded' ? known : { state: 'failed', words })),
    )
  }, [id])
  return loaded
}

async function readWhole(id: string): Promise<Whole> {
  const path = `/api/sessions/${encodeURIComponent(id)}`
  for (let tries = 0; ; tries += 1) {
    const view = await readJson<SessionView>(path)
    const rows: WaterfallRow[] = []
    let { revision } = view
    while (rows.length < view.rowCount && revision === view.revision) {
      const part = await readJson<{ revision: string; rows: readonly WaterfallRow[] }>(
        `${path}/rows?offset=${rows.length}`,
      )
      revision = part.revision
      rows.push(...part.rows)
    }
    // A session in full flow is another each time: then parts of two moments are better than none.
    if (revision === view.revision || tries === 2) return { view, rows, rowBy: indexOf(rows) }
  }
}

function indexOf(rows: readonly WaterfallRow[]): ReadonlyMap<string, WaterfallRow> {
  const index = new Map<string, WaterfallRow>()
  for (const row of rows) {
    // Several can be of one prompt; the first of them is shown.
    for (const name of [row.spanId, row.key, ...(row.also ?? []).map(({ spanId }) => spanId)]) {
      if (name !== undefined && !index.has(name)) index.set(name, row)
    }
  }
  return index
}
