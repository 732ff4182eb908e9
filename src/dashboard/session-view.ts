/** The waterfall of one session, read part by part and kept while nothing new comes: pages of rows are cut from it. */
import type { AnyStore } from '../store/store.ts'
import type { OtlpLogRecord } from '../telemetry/otlp.ts'
import { EventReader } from './event-facts.ts'
import type { Live } from './live.ts'
import { oneTree, type Told } from './one-tree.ts'
import { marksSpan, openSpans } from './open-spans.ts'
import { logParts, others, spanParts } from './session-parts.ts'
import { compact, readSpanFacts, type SpanFacts } from './span-facts.ts'
import { timeSpent } from './time-spent.ts'
import {
  eventView,
  modelTokens,
  type SessionView,
  type SpanView,
  sessionRow,
  sessionSources,
  spanView,
  turnRows,
} from './views.ts'
import { renderWaterfall, type WaterfallRow } from './waterfall.ts'

export interface WholeSession {
  readonly view: SessionView
  readonly rows: readonly WaterfallRow[]
}

/** A row with the words of everybody who tells of it, ours first. */
export interface RowView {
  readonly parts: readonly SpanView[]
}

export interface SessionViews {
  /** undefined: the store knows no such session. */
  read(id: string): Promise<WholeSession | undefined>
  /** undefined: the session has no such row. */
  row(id: string, spanId: string): Promise<RowView | undefined>
}

/** Of some tens of megabytes at most: ten thousand rows are five. */
const kept = 4

export function createSessionViews(store: AnyStore, live: Live): SessionViews {
  const views = new Map<string, { readonly revision: string; readonly whole: Promise<WholeSession | undefined> }>()
  const life = Date.now().toString(36)
  const read: SessionViews['read'] = async (id) => {
    const facts = await store.session(id)
    if (facts === undefined) return undefined
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
  }
  return {
    read,
    async row(id, spanId) {
      const row = (await read(id))?.rows.find((each) => each.spanId === spanId)
      if (row === undefined) return undefined
      const parts = await Promise.all([row, ...(row.also ?? [])].map((told) => partOf(store, id, told)))
      return { parts: parts.filter((part) => part !== undefined) }
    },
  }
}

async function partOf(
  store: AnyStore,
  id: string,
  { teller, traceId, spanId, log }: Told,
): Promise<SpanView | undefined> {
  if (teller !== 'event') {
    const span = await store.span(traceId, spanId)
    return span === undefined ? undefined : spanView(span)
  }
  const [event] = log === undefined ? [] : await store.sessionLogs(id, { offset: log, limit: 1 })
  return event === undefined ? undefined : eventView(event)
}

async function readWhole(store: AnyStore, id: string, revision: string): Promise<WholeSession | undefined> {
  const nowUnixMicro = Date.now() * 1000
  const spans: SpanFacts[] = []
  for await (const part of spanParts(store, id)) spans.push(...part.map(readSpanFacts))
  const facts = await store.session(id)
  if (facts === undefined) return undefined
  const session = sessionRow(facts, nowUnixMicro)
  const { marks, events } = await readLogs(store, id)
  const open = openSpans(spans, marks, session.state === 'active' ? nowUnixMicro : facts.lastTime)
  await others()
  const tree = oneTree(spans, open, events)
  await others()
  const { rows, lanes } = renderWaterfall(tree)
  await others()
  const view = {
    session,
    lanes,
    turns: turnRows(rows),
    time: timeSpent(rows),
    tokens: modelTokens(rows),
    ...compact({ usage: sessionSources(await store.sessionUsage(id)) }),
    rowCount: rows.length,
    revision,
  }
  return { view, rows }
}

async function readLogs(store: AnyStore, id: string) {
  const marks: OtlpLogRecord[] = []
  const reader = new EventReader()
  for await (const logs of logParts(store, id)) {
    for (const log of logs) {
      if (marksSpan(log)) marks.push(log)
      reader.take(log)
    }
  }
  return { marks, events: reader.facts() }
}
