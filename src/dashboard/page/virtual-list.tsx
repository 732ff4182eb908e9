/** A list of rows of one height, of which only those exist that can be seen: ten thousand are as fast as ten. */
import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** Above and below what can be seen, so that scrolling shows no gap. */
const spare = 8

export function VirtualList(props: {
  readonly class: string
  readonly label: string
  readonly count: number
  readonly rowHeight: number
  /** Kept in view when it changes. */
  readonly shown?: number | undefined
  readonly row: (index: number) => ComponentChildren
  /** Where the rows are chosen by keys, and are no buttons of their own. */
  readonly role?: 'tree'
  readonly onKeyDown?: (event: KeyboardEvent) => void
}) {
  const { count, rowHeight, shown } = props
  const place = useRef<HTMLDivElement>(null)
  const [view, setView] = useState({ top: 0, height: 600 })
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight })
    const observer = new ResizeObserver(look)
    observer.observe(element)
    element.addEventListener('scroll', look, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', look)
    }
  }, [])
  useLayoutEffect(() => {
    const element = place.current
    if (element === null || shown === undefined) return
    const top = shown * rowHeight
    if (top < element.scrollTop) element.scrollTop = top
    else if (top + rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = top + rowHeight - element.clientHeight
    }
  }, [shown, rowHeight])
  const first = Math.max(0, Math.floor(view.top / rowHeight) - spare)
  const end = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + spare)
  const indices = Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index)
  const drawn = useDrawn(props.row)
  return (
    <div
      class={`virtual ${props.class}`}
      ref={place}
      {...(props.role === undefined
        ? { role: 'group', 'aria-label': props.label }
        : {
            role: props.role,
            'aria-label': props.label,
            'aria-activedescendant': 'chosen',
            tabIndex: 0,
            onKeyDown: props.onKeyDown,
          })}
    >
      <div class="extent" style={{ height: `${count * rowHeight}px` }}>
        <div class="window" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {indices.map(drawn)}
        </div>
      </div>
    </div>
  )
}

/** Of what is kept for rows that may come into sight again. */
const mostDrawn = 1000

/** While nothing but the place changes, a row that was drawn is not drawn again. */
function useDrawn(row: (index: number) => ComponentChildren): (index: number) => ComponentChildren {
  const last = useRef({ row, rows: new Map<number, ComponentChildren>() })
  if (last.current.row !== row) last.current = { row, rows: new Map() }
  const { rows } = last.current
  if (rows.size > mostDrawn) rows.clear()
  return (index) => {
    const drawn = rows.get(index) ?? row(index)
    rows.set(index, drawn)
    return drawn
  }
}
