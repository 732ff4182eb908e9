/**
 * The waterfall: a row for each span, its bar where it was in time, and above them all of it at a glance, by who worked. Dragging
 * there, or + and −, shows a part of the time; 0 shows all of it.
 */
import { useCallback, useMemo, useState } from 'preact/hooks'
import type { WaterfallRow } from '../waterfall.ts'
import { renderDuration, renderExact } from './format.ts'
import { Legend } from './parts.tsx'
import { type Range, rangeAround, rangeOf, readRange, renderRange, scaled } from './range.ts'
import { setParams } from './route.ts'
import { VirtualList } from './virtual-list.tsx'
import { Overview } from './waterfall-overview.tsx'
import { Row } from './waterfall-row.tsx'

const rowHeight = 26

interface Props {
  /** In one that is not, nothing goes on, though the end of some spans was never told. */
  readonly isActive: boolean
  readonly rows: readonly WaterfallRow[]
  readonly lanes: readonly string[]
  readonly chosen: string | undefined
  readonly choose: (spanId: string | undefined) => void
  readonly params: URLSearchParams
}

export function Waterfall({ isActive, rows, lanes, chosen, choose, params }: Props) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const whole = useMemo(() => rangeOf(rows), [rows])
  const shownTime = params.get('time')
  const zoom = useMemo(() => within(readRange(shownTime), whole), [shownTime, whole])
  const hasOurs = useMemo(() => rows.some(({ teller }) => teller === 'claude-otel'), [rows])
  const range = zoom ?? whole
  const shown = useMemo(() => visibleRows(rows, closed), [rows, closed])
  const index = shown.findIndex(({ row }) => row.spanId === chosen)
  const toggle = useCallback((spanId: string) => setClosed((known) => toggled(known, spanId)), [])
  const onKeyDown = (event: KeyboardEvent) => {
    const current = shown[index]
    const goTo = (to: number) => choose(shown[Math.max(0, Math.min(shown.length - 1, to))]?.row.spanId)
    const page = 15
    const actions: Readonly<Record<string, () => void>> = {
      ArrowDown: () => goTo(index + 1),
      ArrowUp: () => goTo(index - 1),
      PageDown: () => goTo(index + page),
      PageUp: () => goTo(index - page),
      Home: () => goTo(0),
      End: () => goTo(shown.length - 1),
      ArrowLeft: () => current !== undefined && setClosed((known) => new Set([...known, current.row.spanId])),
      ArrowRight: () => current !== undefined && setClosed((known) => without(known, current.row.spanId)),
      Enter: () => current !== undefined && setZoom(rangeAround(current.row, whole)),
      Escape: () => choose(undefined),
      '+': () => setZoom(scaled(range, whole, 0.5, current?.row)),
      '-': () => setZoom(scaled(range, whole, 2, current?.row)),
      '0': () => setZoom(undefined),
    }
    const action = actions[event.key]
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    action()
  }
  return (
    <section class="card waterfall">
      <header>
        <h2>Trace</h2>
        <span class="note">
          {renderExact(rows.length)} {rows.length === 1 ? 'span' : 'spans'}
          {!hasOurs && ', told by Claude Code alone'}
        </span>
        {zoom !== undefined && (
          <button type="button" onClick={() => setZoom(undefined)}>
            {renderDuration(range.to - range.from)} shown: show all
          </button>
        )}
      </header>
      <Overview rows={rows} lanes={lanes} whole={whole} zoom={zoom} setZoom={setZoom} />
      <Scale range={range} />
      <VirtualList
        class="rows"
        role="tree"
        label="Spans; arrow keys choose, Enter zooms, 0 shows all"
        count={shown.length}
        rowHeight={rowHeight}
        shown={index === -1 ? undefined : index}
        onKeyDown={onKeyDown}
        row={(at) => {
          const found = shown[at]
          if (found === undefined) return null
          const { row, isParent } = found
          return (
            <Row
              key={row.spanId}
              row={row}
              goesOn={isActive && row.isOpen === true}
              isParent={isParent}
              isClosed={closed.has(row.spanId)}
              isChosen={row.spanId === chosen}
              isMarked={hasOurs}
              from={range.from}
              to={range.to}
              toggle={toggle}
              choose={choose}
            />
          )
        }}
      />
      <Legend parts={legend} />
    </section>
  )
}

function setZoom(range: Range | undefined): void {
  setParams({ time: renderRange(range) })
}

/** Undefined where nothing of it is in the whole. */
function within(range: Range | undefined, whole: Range): Range | undefined {
  return range !== undefined && range.from < whole.to && range.to > whole.from ? range : undefined
}

const legend = [
  { name: 'model', class: 'model' },
  { name: 'tool', class: 'tool' },
  { name: 'waiting for permission', class: 'permission' },
  { name: 'hooks', class: 'hooks' },
  { name: 'turn, subagent', class: 'turn' },
  { name: 'failed', class: 'failed' },
]

function Scale(props: { readonly range: Range }) {
  const { from, to } = props.range
  return (
    <div class="scale" aria-hidden="true">
      <div class="what" />
      <div class="when">
        {[0, 0.25, 0.5, 0.75].map((share) => (
          <span key={share} style={{ left: `${share * 100}%` }}>
            {renderDuration((to - from) * share)}
          </span>
        ))}
      </div>
    </div>
  )
}

function visibleRows(rows: readonly WaterfallRow[], closed: ReadonlySet<string>) {
  const shown: { readonly row: WaterfallRow; readonly isParent: boolean }[] = []
  let hiddenBelow = Number.POSITIVE_INFINITY
  for (const [index, row] of rows.entries()) {
    if (row.depth > hiddenBelow) continue
    hiddenBelow = closed.has(row.spanId) ? row.depth : Number.POSITIVE_INFINITY
    shown.push({ row, isParent: (rows[index + 1]?.depth ?? 0) > row.depth })
  }
  return shown
}

function toggled(known: ReadonlySet<string>, spanId: string): ReadonlySet<string> {
  return known.has(spanId) ? without(known, spanId) : new Set([...known, spanId])
}

function without(known: ReadonlySet<string>, spanId: string): ReadonlySet<string> {
  return new Set([...known].filter((each) => each !== spanId))
}
