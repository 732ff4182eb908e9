/** The spans of a session as rows: parents before children, children by start. Pure. */
import type { TreeSpan } from './one-tree.ts'

export interface WaterfallRow extends TreeSpan {
  readonly depth: number
  /** Index into `lanes`. */
  readonly lane: number
}

export interface Waterfall {
  readonly rows: readonly WaterfallRow[]
  /** Who worked: the main conversation, then each subagent in the order of its start. */
  readonly lanes: readonly string[]
}

/** A span whose parent is unknown stands at the top. */
export function renderWaterfall(spans: readonly TreeSpan[]): Waterfall {
  const all = spans.toSorted((a, b) => a.startUnixMicro - b.startUnixMicro || b.endUnixMicro - a.endUnixMicro)
  const known = new Set(all.map(({ spanId }) => spanId))
  const children = Map.groupBy(all, ({ parentSpanId = '' }) => (known.has(parentSpanId) ? parentSpanId : ''))
  const lanes = new Lanes()
  const rows: WaterfallRow[] = []
  const seen = new Set<string>()
  const visit = (top: TreeSpan): void => {
    const stack = [{ span: top, depth: 0 }]
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const { span, depth } = next
      if (seen.has(span.spanId)) continue
      seen.add(span.spanId)
      rows.push({ ...span, depth, lane: lanes.of(span) })
      for (const child of (children.get(span.spanId) ?? []).toReversed()) stack.push({ span: child, depth: depth + 1 })
    }
  }
  for (const span of children.get('') ?? []) visit(span)
  // Spans that name each other as parents have no top.
  for (const span of all) visit(span)
  return { rows, lanes: lanes.names }
}

class Lanes {
  readonly names = ['main']
  private readonly indices = new Map<string, number>()

  of({ agentId, agentName }: TreeSpan): number {
    if (agentId === undefined) return 0
    const known = this.indices.get(agentId)
    if (known !== undefined) return known
    this.indices.set(agentId, this.names.length)
    return this.names.push(agentName ?? 'agent') - 1
  }
}
