/** Everything that was told of the chosen span, by whom. */
import type { RowView } from '../session-view.ts'
import type { SpanView } from '../views.ts'
import type { WaterfallRow } from '../waterfall.ts'
import { renderDuration, renderTime } from './format.ts'
import { useAnswer } from './hub.ts'
import { Awaited } from './parts.tsx'

export function Details(props: { readonly id: string; readonly row: WaterfallRow; readonly close: () => void }) {
  const { id, row } = props
  const path = `/api/sessions/${encodeURIComponent(id)}/rows/${encodeURIComponent(row.spanId)}`
  const loaded = useAnswer<RowView>(path, id)
  return (
    <aside class="card details" aria-label="The chosen span">
      <header>
        <h2 title={row.name}>{row.name}</h2>
        <button type="button" onClick={props.close} title="Close (Escape)" aria-label="Close (Escape)">
          ✕
        </button>
      </header>
      <Times row={row} />
      {row.isOpen && <p class="quiet">Its end has not been told. What is known of it comes with it.</p>}
      <Awaited loaded={loaded}>
        {({ parts }) => (
          <>
            {parts.map((part) => (
              <Part key={`${part.name} ${part.spanId}`} part={part} />
            ))}
          </>
        )}
      </Awaited>
    </aside>
  )
}

function Times(props: { readonly row: WaterfallRow }) {
  const { row } = props
  const whole = row.endUnixMicro - row.startUnixMicro
  const times = row.isSum
    ? [['when', 'some time in this session'] as const]
    : [
        ['began', renderTime(row.startUnixMicro)] as const,
        [row.isOpen ? 'at least' : 'took', renderDuration(whole)] as const,
      ]
  const lines: readonly (readonly [string, string])[] = [
    ...times,
    ...(row.waitMicro ? [['waited for permission', renderDuration(row.waitMicro)] as const] : []),
    ...(row.runMicro !== undefined ? [['ran', renderDuration(row.runMicro)] as const] : []),
    ...(row.status !== undefined ? [['status', row.status] as const] : []),
  ]
  return (
    <dl class="lines">
      {lines.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

const tellers = { 'claude-otel': 'claude-otel', 'claude-code': 'Claude Code, span', event: 'Claude Code, event' }

function Part(props: { readonly part: SpanView }) {
  const { part } = props
  const ids = [...(part.traceId ? [['trace', part.traceId]] : []), ...(part.spanId ? [['span', part.spanId]] : [])]
  return (
    <section>
      <h3>
        {part.name} <small>{tellers[part.teller]}</small>
      </h3>
      {part.statusMessage !== undefined && <p class="bad">{part.statusMessage}</p>}
      <dl class="attributes">
        {[...part.attributes, ...ids].map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}
