/** One row of the waterfall: what it is, and its bar where it was in time. */
import type { Teller } from '../span-facts.ts'
import type { WaterfallRow } from '../waterfall.ts'
import { renderCount, renderDuration, renderModel, renderTime } from './format.ts'

interface RowProps {
  readonly row: WaterfallRow
  readonly goesOn: boolean
  readonly isParent: boolean
  readonly isClosed: boolean
  readonly isChosen: boolean
  /** Says who tells of it, where claude-otel tells of others and not of it. */
  readonly isMarked: boolean
  readonly from: number
  readonly to: number
  readonly toggle: (spanId: string) => void
  readonly choose: (spanId: string) => void
}

export function Row(props: RowProps) {
  const { row, goesOn, isParent, isClosed, isChosen, isMarked, from, to } = props
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
      aria-expanded={isParent ? !isClosed : undefined}
      id={isChosen ? 'chosen' : undefined}
      onClick={() => props.choose(spanId)}
    >
      <div class="what" style={{ '--depth': Math.min(depth, 12) }}>
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
        <span class="detail" title={detail} dir="auto">
          {[detail, tokensShown(row)].filter(Boolean).join(' · ')}
        </span>
        {isMarked && row.teller !== 'claude-otel' && <Origin teller={row.teller} />}
      </div>
      <div class="when">
        <Bar row={row} from={from} to={to} />
      </div>
    </div>
  )
}

const origins: Readonly<Record<Exclude<Teller, 'claude-otel'>, readonly [word: string, title: string]>> = {
  'claude-code': ['Claude Code', 'A span of Claude Code tells of it, and none of claude-otel.'],
  event: ['event', 'An event of Claude Code tells of it, and no span.'],
}

function Origin(props: { readonly teller: Exclude<Teller, 'claude-otel'> }) {
  const [word, title] = origins[props.teller]
  return (
    <small class="origin" title={title}>
      {word}
    </small>
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
  if (row.isSum) return <span class="took">some time in this session</span>
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
  // Behind the bar, else before it, else in it.
  const isWide = left < 18 && right > 70
  const place = isWide
    ? { left: `${Math.max(left, 0)}%` }
    : right > 70
      ? { right: `${100 - Math.max(left, 0)}%` }
      : { left: `${right}%` }
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
      <span class={`took ${isWide ? 'inside' : ''}`} style={place}>
        {words}
      </span>
    </>
  )
}

function laneColour(lane: number): string {
  return `hsl(${(lane * 67 + 150) % 360} 60% 50%)`
}
