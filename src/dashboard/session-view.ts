/** The waterfall of one session, read part by part and kept while nothing new comes: pages of rows are cut from it. */
import type { Store } from '../store/store.ts'
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import type { Live } from './live.ts'
import { logParts, others, spanParts } from './session-parts.ts'
import { compact, readSpanFacts, type SpanFacts } from './span-facts.ts'
import { timeSpent } from './time-spent.ts'
import { modelTokens, type SessionView, sessionRow, sessionSources, turnRows } from './views.ts'
import { marksSpan, openSpans, renderWaterfall, type WaterfallRow } from './waterfall.ts'

export interface WholeSession {
  readonly view: SessionView
  readonly rows: readonly WaterfallRow[]
}

export interface SessionViews {
  /** undefined: the store knows no such session. */
  read(id: string): Promise<WholeSession | undefined>
}

/** Of some tens of megabytes at most: ten thousand rows are five. */
const kept = 4

export function createSessionViews(store: Store, live: Live): SessionViews {
  const views = new Map<string, { readonly revision: string; readonly whole: Promise<WholeSession | undefined> }>()
  const life = Date.now().toString(36)
  return {
    read(id) {
      const facts = store.session(id)
      if (facts === undefined) return Promise.resolve(undefined)
      const revision = `${life}-${live.revision(id)}-${facts.lastTime}`
      const known = views.get(id)
      if (known?.revision === revision) return known.whole
      const whole = readWhole(store, id, revision)
      views.delete(id)
      views.set(id, { revision, whole })
      // A failure is not kept.
      whole.catch(() => views.delete(id))
      for (const oldest of views.keys()) if (views.size > kept) views.delete(oldest)
      return whole
    },
  }
}

async function readWhole(store: Store, id: string, revision: string): Promise<WholeSession | undefined> {
  const nowUnixMicro = Date.now() * 1000
  const spans: SpanFacts[] = []
  for await (const part of spanParts(store, id)) spans.push(...part.map(readSpanFacts))
  const facts = store.session(id)
  if (facts === undefined) return undefined
  const session = sessionRow(facts, nowUnixMicro)
  const open = openSpans(spans, await readMarks(store, id), session.state === 'active' ? nowUnixMicro : facts.lastTime)
  await others()
  const { rows, lanes } = renderWaterfall(spans, open)
  await others()
  const view = {
    session,
    lanes,
    turns: turnRows(rows),
    time: timeSpent(rows),
    tokens: modelTokens(spans),
    ...compact({ usage: sessionSources(store.sessionUsage(id)) }),
    rowCount: rows.length,
    revision,
  }
  return { view, rows }
}

async function readMarks(store: Store, id: string): Promise<OtlpLogRecord[]> {
  const marks: OtlpLogRecord[] = []
  for await (const logs of logParts(store, id)) marks.push(...logs.filter(marksSpan))
  return marks
}
