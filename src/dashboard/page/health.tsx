/** The page Health: what arrives, what is missing, what was dropped, and what to do about it. */
import type { HealthLine, HealthView } from '../health-view.ts'
import type { Arrival } from '../senders.ts'
import { renderAgo, renderBytes, renderCaptured, renderExact } from './format.ts'
import { useAnswer, useNow } from './hub.ts'
import { Awaited, Card, Empty } from './parts.tsx'
import { sessionPath, useTitle } from './route.ts'
import { type Column, Table } from './table.tsx'

export function HealthPage(props: { readonly params: URLSearchParams }) {
  useTitle('Health')
  const loaded = useAnswer<HealthView>('/api/health')
  return <Awaited loaded={loaded}>{(view) => <Health view={view} params={props.params} />}</Awaited>
}

function Health(props: { readonly view: HealthView; readonly params: URLSearchParams }) {
  const { sections, store } = props.view
  return (
    <>
      <Arrivals {...props} />
      <div class="columns">
        <Incomplete view={props.view} />
        {sections.map(({ title, lines }) => (
          <Card key={title} title={title}>
            <Lines lines={lines} />
          </Card>
        ))}
        <Card title="Store" note={store.url}>
          <Lines
            lines={[
              { label: 'spans', value: store.spans, level: 'ok' },
              { label: 'log records', value: store.logs, level: 'ok' },
              { label: 'metric points', value: store.points, level: 'ok' },
              { label: 'on disk', value: renderBytes(store.bytes), level: 'ok' },
            ]}
          />
        </Card>
      </div>
    </>
  )
}

function Lines(props: { readonly lines: readonly HealthLine[] }) {
  return (
    <dl class="lines">
      {props.lines.map(({ label, value, level, hint }) => (
        <div key={label} class={level}>
          <dt>
            {label}
            {hint !== undefined && <small>{hint}</small>}
          </dt>
          <dd>{typeof value === 'number' ? renderExact(value) : value}</dd>
        </div>
      ))}
    </dl>
  )
}

function Arrivals(props: { readonly view: HealthView; readonly params: URLSearchParams }) {
  const now = useNow(1000)
  const { arrivals } = props.view
  return (
    <Card title="What arrives" note="since the hub was started">
      <Table
        name="arrivals"
        rows={arrivals}
        columns={arrivalColumns(now)}
        keyOf={({ service, scope }) => `${service} ${scope}`}
        sortedBy="Last"
        params={props.params}
        empty={
          <Empty title="Nothing has arrived.">
            Run <code>claude-otel</code>; <code>claude-otel status</code> says where it sends to, and what waits to be
            sent.
          </Empty>
        }
      />
    </Card>
  )
}

function arrivalColumns(nowMs: number): readonly Column<Arrival>[] {
  const count = (head: string, value: (arrival: Arrival) => number): Column<Arrival> => ({
    head,
    value,
    show: (arrival) => renderExact(value(arrival)),
    isNumber: true,
  })
  return [
    { head: 'Service', value: ({ service }) => service },
    { head: 'Scope', value: ({ scope }) => scope, isMinor: true },
    count('Spans', ({ spans }) => spans),
    count('Log records', ({ logs }) => logs),
    count('Points', ({ points }) => points),
    {
      head: 'Last',
      value: ({ lastUnixMs }) => new Date(lastUnixMs).toISOString(),
      show: ({ lastUnixMs }) => renderAgo(lastUnixMs * 1000, nowMs),
      isNumber: true,
    },
  ]
}

const consequences = {
  'claude-otel': 'Claude Code tells of it alone: there are no tool waits, no previews. Start it with claude-otel.',
  'claude-code': 'claude-otel tells of it alone: auxiliary requests are known only at its end.',
}

function Incomplete(props: { readonly view: HealthView }) {
  const { incomplete, lost, disagreeing } = props.view
  return (
    <Card title="What is missing">
      {incomplete.length + lost.length + disagreeing.length === 0 ? (
        <p class="quiet">No active session is told of by one side alone, no event was lost, and the sources agree.</p>
      ) : (
        <ul class="list tall">
          {incomplete.map(({ session, missing }) => (
            <li key={session.id}>
              <a href={sessionPath(session.id)} dir="auto">
                {session.title ?? `Session ${session.id.slice(0, 8)}`}
              </a>
              <small>{consequences[missing]}</small>
            </li>
          ))}
          {lost.map(({ session, events }) => (
            <li key={`lost ${session.id}`}>
              <a href={sessionPath(session.id)} dir="auto">
                {session.title ?? `Session ${session.id.slice(0, 8)}`}
              </a>
              <small class="warn">
                {renderExact(events)} {events === 1 ? 'event' : 'events'} of Claude Code never came: their numbers have
                gaps.
              </small>
            </li>
          ))}
          {disagreeing.map(({ session, source, captured }) => (
            <li key={`captured ${session.id}`}>
              <a href={sessionPath(session.id)} dir="auto">
                {session.title ?? `Session ${session.id.slice(0, 8)}`}
              </a>
              <small>
                Its tokens are counted by {source}, of which {renderCaptured(captured)}.
              </small>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}
