/**
 * The waterfall: a row for each span, its bar where it was in time, and above them all of it at a glance, by who worked. Dragging
 * there, or + and −, shows a part of the time; 0 shows all of it.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { WaterfallRow } from '../waterfall.ts'
import { renderCount, renderDuration, renderModel, renderTime } from './format.ts'
import { Legend } from './parts.tsx'
import { VirtualList } from './virtual-list.tsx'

const rowHeight = 26

interface Range {
  readonly from: number
  readonly to: number
}

interface Props {
  /** In one that is not, nothing goes on, though the end of some spans was never told. */
  readonly isActive: boolean
  readonly rows: readonly WaterfallRow[]
  readonly lanes: readonly string[]
  readonly chosen: string | undefined
  readonly choose: (spanId: string | undefined) => void
}

export function Waterfall({ isActive, rows, lanes, chosen, choose }: Props) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const [zoom, setZoom] = useState<Range | undefined>(undefined)
  const whole = useMemo(() => rangeOf(rows), [rows])
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
        <span class="note">{rows.length} spans</span>
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
              key={`${row.traceId}${row.spanId}`}
              row={row}
              goesOn={isActive && row.isOpen}
              isParent={isParent}
              isClosed={closed.has(row.spanId)}
              isChosen={row.spanId === chosen}
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

const legend = [
  { name: 'model', class: 'model' },
  { name: 'tool', class: 'tool' },
  { name: 'waiting for permission', class: 'permission' },
  { name: 'hooks', class: 'hooks' },
  { name: 'turn, subagent', class: 'turn' },
  { name: 'failed', class: 'failed' },
]

interface RowProps {
  readonly row: WaterfallRow
  readonly goesOn: boolean
  readonly isParent: boolean
  readonly isClosed: boolean
  readonly isChosen: boolean
  readonly from: number
  readonly to: number
  readonly toggle: (spanId: string) => void
  readonly choose: (spanId: string) => void
}

function Row(props: RowProps) {
  const { row, goesOn, isParent, isClosed, isChosen, from, to } = props
  const { kind, name, detail, depth, spanId, lane, hasFailed } = row
  const classes = ['row', isChosen ? 'chosen' : '', hasFailed ? 'failed' : '', goesOn ? 'open' : ''].join(' ')
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree hears the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus
    <div
      class={classes}
      role="treeitem"
      aria-level={depth + 1}
      aria-selected={isChosen}
      onClick={() => props.choose(spanId)}
    >
      <div class="what" style={{ paddingLeft: `${6 + Math.min(depth, 12) * 14}px` }}>
        {isParent ? (
          <button
            type="button"
            tabIndex={-1}
            class="fold"
            aria-label={isClosed ? 'Open' : 'Close'}
            onClick={(event) => {
              event.stopPropagation()
              props.toggle(spanId)
            }}
          >
            {isClosed ? '▸' : '▾'}
          </button>
        ) : (
          <i class="fold" />
        )}
        <i class={`dot ${kind}`} style={lane > 0 ? { outlineColor: laneColour(lane) } : undefined} />
        <span class="name">{kind === 'model' ? renderModel(name) : name}</span>
        <span class="detail" title={detail}>
          {detail ?? tokensShown(row)}
        </span>
      </div>
      <div class="when">
        <Bar row={row} from={from} to={to} />
      </div>
    </div>
  )
}

function tokensShown({ tokens, kind }: WaterfallRow): string {
  if (tokens === undefined || kind !== 'model') return ''
  return `${renderCount(tokens.input + tokens.cacheRead + tokens.cacheCreation)} in, ${renderCount(tokens.output)} out`
}

/** Permission first, then hooks, then the tool, as they count in where the time went. */
function Bar(props: { readonly row: WaterfallRow; readonly from: number; readonly to: number }) {
  const { row, from, to } = props
  const { startUnixMicro: start, endUnixMicro: end, waitMicro = 0, runMicro, kind, status, isOpen } = row
  const percent = (at: number) => (100 * (at - from)) / Math.max(1, to - from)
  const [left, right] = [Math.max(-1, percent(start)), Math.min(101, percent(end))]
  if (right < 0 || left > 100)
    return <span class={`offside ${right < 0 ? 'left' : 'right'}`}>{right < 0 ? '◂' : '▸'}</span>
  const permitted = Math.min(end, start + waitMicro)
  const began = runMicro === undefined ? permitted : Math.max(permitted, end - runMicro)
  const isSplit = kind === 'tool' && (permitted > start || began > permitted)
  const share = (a: number, b: number) => `${(100 * (b - a)) / Math.max(1, end - start)}%`
  const words = `${isOpen ? '… ' : ''}${renderDuration(end - start)}`
  const title = `${row.name}, ${renderTime(start)}, ${words}${status === undefined ? '' : `, ${status}`}`
  return (
    <>
      <span
        class={`bar ${isSplit ? 'split' : kind}`}
        title={title}
        style={{ left: `${left}%`, width: `max(2px, ${right - left}%)` }}
      >
        {isSplit && (
          <>
            <i class="permission" style={{ width: share(start, permitted) }} />
            <i class="hooks" style={{ width: share(permitted, began) }} />
            <i class={status === 'denied' ? 'hooks' : 'tool'} style={{ width: share(began, end) }} />
          </>
        )}
      </span>
      <span class="took" style={right > 70 ? { right: `${100 - Math.max(left, 0)}%` } : { left: `${right}%` }}>
        {left < 18 && right > 70 ? '' : words}
      </span>
    </>
  )
}

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

/** All of the time, one line for each who worked; what is dragged over is what the rows show. */
function Overview(props: {
  readonly rows: readonly WaterfallRow[]
  readonly lanes: readonly string[]
  readonly whole: Range
  readonly zoom: Range | undefined
  readonly setZoom: (range: Range | undefined) => void
}) {
  const { rows, lanes, whole, zoom } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const [drag, setDrag] = useState<Range | undefined>(undefined)
  const shownLanes = Math.min(lanes.length, maxLanes)
  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    const draw = () => drawOverview(element, rows, whole, shownLanes)
    const observer = new ResizeObserver(draw)
    observer.observe(element)
    return () => observer.disconnect()
  }, [rows, whole, shownLanes])
  const timeAt = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width))
    return whole.from + share * (whole.to - whole.from)
  }
  const marked = drag === undefined ? zoom : { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) }
  const share = (at: number) => (100 * (at - whole.from)) / Math.max(1, whole.to - whole.from)
  const finish = () => {
    if (drag === undefined || marked === undefined) return
    setDrag(undefined)
    const isDragged = marked.to - marked.from > (whole.to - whole.from) / 500
    props.setZoom(isDragged ? marked : undefined)
  }
  return (
    <div
      class="overview"
      style={{ height: `${shownLanes * laneHeight + 6}px` }}
      title={lanes.slice(0, shownLanes).join(' · ')}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        const at = timeAt(event)
        setDrag({ from: at, to: at })
      }}
      onPointerMove={(event) => drag !== undefined && setDrag({ from: drag.from, to: timeAt(event) })}
      onPointerUp={finish}
      onPointerCancel={() => setDrag(undefined)}
    >
      <canvas
        ref={canvas}
        role="img"
        aria-label="All spans over time, a line for the main conversation and each subagent"
      />
      {marked !== undefined && (
        <i
          class="marked"
          style={{ left: `${share(marked.from)}%`, width: `${share(marked.to) - share(marked.from)}%` }}
        />
      )}
    </div>
  )
}

const maxLanes = 8
const laneHeight = 14

function drawOverview(canvas: HTMLCanvasElement, rows: readonly WaterfallRow[], whole: Range, lanes: number): void {
  const context = canvas.getContext('2d')
  if (context === null) return
  const { clientWidth: width, clientHeight: height } = canvas
  const ratio = devicePixelRatio
  canvas.width = width * ratio
  canvas.height = height * ratio
  context.scale(ratio, ratio)
  const colours = getComputedStyle(document.documentElement)
  // One that is alone is seen however short it is; many together show by their colour how much they are.
  const leastWidth = Math.min(1, 500 / rows.length)
  const paint = (row: WaterfallRow, colour: string, from: number, to: number) => {
    const scale = width / Math.max(1, whole.to - whole.from)
    context.fillStyle = colours.getPropertyValue(`--${colour}`)
    const y = 3 + Math.min(row.lane, lanes - 1) * laneHeight
    context.fillRect((from - whole.from) * scale, y, Math.max(leastWidth, (to - from) * scale), laneHeight - 3)
  }
  // What matters most comes last and stays on top.
  for (const kind of ['turn', 'agent', 'tool', 'model'] as const) {
    for (const row of rows) {
      if (row.kind !== kind) continue
      const { startUnixMicro: start, endUnixMicro: end, waitMicro = 0 } = row
      paint(row, row.hasFailed ? 'failed' : kind === 'agent' ? 'turn' : kind, start, end)
      if (waitMicro > 0) paint(row, 'permission', start, Math.min(end, start + waitMicro))
    }
  }
}

function rangeOf(rows: readonly WaterfallRow[]): Range {
  let from = Number.POSITIVE_INFINITY
  let to = 0
  for (const row of rows) {
    from = Math.min(from, row.startUnixMicro)
    to = Math.max(to, row.endUnixMicro)
  }
  return { from, to: Math.max(to, from + 1) }
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

function rangeAround({ startUnixMicro, endUnixMicro }: WaterfallRow, whole: Range): Range {
  const spare = Math.max(1000, (endUnixMicro - startUnixMicro) * 0.05)
  return { from: Math.max(whole.from, startUnixMicro - spare), to: Math.min(whole.to, endUnixMicro + spare) }
}

function scaled(
  { from, to }: Range,
  whole: Range,
  factor: number,
  around: WaterfallRow | undefined,
): Range | undefined {
  const middle = around === undefined ? (from + to) / 2 : Math.max(from, Math.min(to, around.startUnixMicro))
  const half = Math.max(500, ((to - from) * factor) / 2)
  const range = { from: Math.max(whole.from, middle - half), to: Math.min(whole.to, middle + half) }
  return range.from === whole.from && range.to === whole.to ? undefined : range
}

function laneColour(lane: number): string {
  return `hsl(${(lane * 67 + 150) % 360} 60% 50%)`
}
