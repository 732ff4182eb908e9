/** All of the time at a glance, one line for each who worked; what is dragged over is what the rows show. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { WaterfallRow } from '../waterfall.ts'
import type { Range } from './range.ts'

export function Overview(props: {
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
      if (row.kind !== kind || row.isSum) continue
      const { startUnixMicro: start, endUnixMicro: end, waitMicro = 0 } = row
      paint(row, kind === 'turn' || kind === 'agent' ? 'turn' : row.hasFailed ? 'failed' : kind, start, end)
      if (waitMicro > 0) paint(row, 'permission', start, Math.min(end, start + waitMicro))
    }
  }
}
