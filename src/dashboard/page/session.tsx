/** The page of one session: its waterfall, where the time went, tokens per turn, log records by its side. */
import { useCallback, useEffect, useState } from 'preact/hooks'
import { activities } from '../time-spent.ts'
import type { LogView, SessionSources, SessionView, SpanView, TurnRow } from '../views.ts'
import type { WaterfallRow } from '../waterfall.ts'
import {
  renderCaptured,
  renderCount,
  renderDuration,
  renderExact,
  renderModel,
  renderMoment,
  renderPercent,
  renderTime,
  renderUsd,
} from './format.ts'
import { keepReading, type Loaded, readJson, useAnswer } from './hub.ts'
import { Awaited, Card, Empty, Figure, Legend, StackedBar, State } from './parts.tsx'
import { VirtualList } from './virtual-list.tsx'
import { Waterfall } from './waterfall-chart.tsx'

interface Whole {
  readonly view: SessionView
  readonly rows: readonly WaterfallRow[]
}

export function SessionPage(props: { readonly id: string }) {
  const loaded = useWhole(props.id)
  return <Awaited loaded={loaded}>{(whole) => <Session {...whole} />}</Awaited>
}

/** The rows come part by part; what is shown is always of one revision. */
function useWhole(id: string): Loaded<Whole> {
  const [loaded, setLoaded] = useState<Loaded<Whole>>({ state: 'loading' })
  useEffect(() => {
    setLoaded({ state: 'loading' })
    return keepReading(
      id,
      () => readWhole(id),
      (answer) => setLoaded({ state: 'loaded', answer }),
      (words) => setLoaded((known) => (known.state === 'loaded' ? known : { state: 'failed', words })),
    )
  }, [id])
  return loaded
}

async function readWhole(id: string): Promise<Whole> {
  const path = `/api/sessions/${encodeURIComponent(id)}`
  for (let tries = 0; ; tries += 1) {
    const view = await readJson<SessionView>(path)
    const rows: WaterfallRow[] = []
    let { revision } = view
    while (rows.length < view.rowCount && revision === view.revision) {
      const part = await readJson<{ revision: string; rows: readonly WaterfallRow[] }>(
        `${path}/rows?offset=${rows.length}`,
      )
      revision = part.revision
      rows.push(...part.rows)
    }
    // A session in full flow is another each time: then parts of two moments are better than none.
    if (revision === view.revision || tries === 2) return { view, rows }
  }
}

function Session({ view, rows }: Whole) {
  const { session, tokens } = view
  const [chosen, setChosen] = useState<string | undefined>(undefined)
  const choose = useCallback((spanId: string | undefined) => setChosen(spanId), [])
  const row = rows.find(({ spanId }) => spanId === chosen)
  const about = [session.project, session.branch, session.model && renderModel(session.model), session.user].filter(
    Boolean,
  )
  const total = tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation
  return (
    <>
      <div class="heading">
        <h1>{session.title ?? `Session ${session.id.slice(0, 8)}`}</h1>
        <State state={session.state} />
        <p>
          {about.join(' · ')} · {renderMoment(session.startUnixMicro)}
          {session.endReason !== undefined && ` · ended: ${session.endReason}`} · <code>{session.id}</code>
        </p>
        {view.usage !== undefined && <Sources usage={view.usage} />}
      </div>
      <div class="figures">
        <Figure value={renderDuration(view.time.wallMicro)} label="wall time" />
        <Figure value={String(view.turns.length)} label={view.turns.length === 1 ? 'turn' : 'turns'} />
        <Figure
          value={renderCount(rows.filter(({ kind, name }) => kind === 'tool' && name !== 'execution').length)}
          label="tool calls"
        />
        <Figure value={String(view.lanes.length - 1)} label={view.lanes.length === 2 ? 'subagent' : 'subagents'} />
        <Figure
          value={renderCount(total)}
          label="tokens"
          title={`input, not cached: ${renderExact(tokens.input)}\nwritten to the cache: ${renderExact(tokens.cacheCreation)}\nread from the cache: ${renderExact(tokens.cacheRead)}\noutput: ${renderExact(tokens.output)}`}
        />
      </div>
      <Card title="Where the time went">
        <TimeSpent view={view} />
      </Card>
      {rows.length === 0 ? (
        <Empty title="No spans have come of this session.">
          Claude Code sends metrics and events alone unless it is started by <code>claude-otel</code>, which adds the
          trace.
        </Empty>
      ) : (
        <div class={`trace ${row === undefined ? '' : 'with-details'}`}>
          <Waterfall
            isActive={session.state === 'active'}
            rows={rows}
            lanes={view.lanes}
            chosen={chosen}
            choose={choose}
          />
          {row !== undefined && <Details key={row.spanId} row={row} close={() => setChosen(undefined)} />}
        </div>
      )}
      <div class="columns">
        <Turns turns={view.turns} isActive={session.state === 'active'} choose={choose} />
        <Logs id={session.id} spanId={chosen} choose={choose} />
      </div>
    </>
  )
}

/** Who is believed about its tokens, and what the others have of them. */
function Sources(props: { readonly usage: SessionSources }) {
  const { source, captured, tokens, costUsd } = props.usage
  const others = Object.fromEntries(Object.entries(captured).filter(([name]) => name !== source))
  const compared = Object.keys(others).length === 0 ? '' : `, of which ${renderCaptured(others)}`
  return (
    <p>
      {renderCount(tokens)} tokens, {renderUsd(costUsd)} by {source}
      {compared}
    </p>
  )
}

const activityNames = {
  model: 'model',
  tool: 'tools',
  permission: 'waiting for permission',
  hooks: 'hooks and Claude Code',
  idle: 'idle',
}

function TimeSpent(props: { readonly view: SessionView }) {
  const { wallMicro, byActivity } = props.view.time
  const parts = activities.map((activity) => ({
    name: activityNames[activity],
    class: activity,
    value: byActivity[activity],
    shown: renderDuration(byActivity[activity]),
  }))
  return (
    <>
      <StackedBar parts={parts} />
      <ul class="legend spent">
        {parts.map(({ name, class: tone, value, shown }) => (
          <li key={name}>
            <i class={tone} />
            {name} <b>{shown}</b> <span class="quiet">{wallMicro > 0 && renderPercent(value / wallMicro)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}

const turnParts = [
  ['input', 'input', 'input, not cached'],
  ['cacheCreation', 'cache-creation', 'written to the cache'],
  ['cacheRead', 'cache-read', 'read from the cache'],
  ['output', 'output', 'output'],
] as const

function Turns(props: {
  readonly turns: readonly TurnRow[]
  readonly isActive: boolean
  readonly choose: (spanId: string) => void
}) {
  const { turns } = props
  const totals = turns.map(({ tokens }) => tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation)
  const most = Math.max(1, ...totals)
  return (
    <Card title="Tokens per turn">
      {turns.length === 0 && <p class="quiet">No turn has begun.</p>}
      <VirtualList
        class="turns"
        label="Turns"
        count={turns.length}
        rowHeight={44}
        row={(index) => {
          const turn = turns[index]
          if (turn === undefined) return null
          const parts = turnParts.map(([key, tone, name]) => ({ name, class: tone, value: turn.tokens[key] }))
          return (
            <button type="button" class="turn-line" key={turn.spanId} onClick={() => props.choose(turn.spanId)}>
              <span class="name">
                <b>{index + 1}</b> {turn.prompt ?? turn.name}
              </span>
              <span class="quiet">
                {turn.isOpen && props.isActive ? 'running' : renderDuration(turn.endUnixMicro - turn.startUnixMicro)} ·{' '}
                {turn.tools} tools
              </span>
              <StackedBar parts={parts} of={most} />
              <span class="number">{renderCount(totals[index] ?? 0)}</span>
            </button>
          )
        }}
      />
      <Legend parts={turnParts.map(([, tone, name]) => ({ name, class: tone }))} />
    </Card>
  )
}

const logPart = 500

function Logs(props: {
  readonly id: string
  readonly spanId: string | undefined
  readonly choose: (spanId: string | undefined) => void
}) {
  const { id, spanId } = props
  const [loaded, setLoaded] = useState<Loaded<readonly LogView[]>>({ state: 'loading' })
  useEffect(
    () =>
      keepReading(
        id,
        () => readLogs(id),
        (answer) => setLoaded({ state: 'loaded', answer }),
        (words) => setLoaded({ state: 'failed', words }),
      ),
    [id],
  )
  return (
    <Card
      title="Log records"
      note={
        spanId !== undefined && (
          <button type="button" onClick={() => props.choose(undefined)}>
            of the chosen span: show all
          </button>
        )
      }
    >
      <Awaited loaded={loaded}>
        {(all) => {
          const logs = spanId === undefined ? all : all.filter((log) => log.spanId === spanId)
          if (logs.length === 0)
            return <p class="quiet">{all.length === 0 ? 'None have come.' : 'None of this span.'}</p>
          return (
            <VirtualList
              class="logs"
              label="Log records"
              count={logs.length}
              rowHeight={26}
              row={(index) => {
                const log = logs[index]
                return log === undefined ? null : <Log key={index} log={log} choose={props.choose} />
              }}
            />
          )
        }}
      </Awaited>
    </Card>
  )
}

function Log(props: { readonly log: LogView; readonly choose: (spanId: string | undefined) => void }) {
  const { log } = props
  return (
    <button type="button" class={`log ${log.severity}`} title={log.text} onClick={() => props.choose(log.spanId)}>
      <time>{renderTime(log.unixMicro)}</time>
      <b>{log.event.replace(/^claude\./, '')}</b>
      <span>{log.text}</span>
    </button>
  )
}

async function readLogs(id: string): Promise<readonly LogView[]> {
  const logs: LogView[] = []
  for (;;) {
    const path = `/api/sessions/${encodeURIComponent(id)}/logs?limit=${logPart}&offset=${logs.length}`
    const part = await readJson<readonly LogView[]>(path)
    logs.push(...part)
    if (part.length < logPart) return logs
  }
}

function Details(props: { readonly row: WaterfallRow; readonly close: () => void }) {
  const { row } = props
  const loaded = useAnswer<SpanView>(`/api/spans/${row.traceId}/${row.spanId}`)
  return (
    <aside class="card details" aria-label="The chosen span">
      <header>
        <h2>{row.name}</h2>
        <button type="button" onClick={props.close} aria-label="Close (Escape)">
          ✕
        </button>
      </header>
      <Times row={row} />
      {row.isOpen ? (
        <p class="quiet">Its end has not been told. What is known of it comes with it.</p>
      ) : (
        <Awaited loaded={loaded}>{(span) => <Attributes span={span} />}</Awaited>
      )}
    </aside>
  )
}

function Times(props: { readonly row: WaterfallRow }) {
  const { row } = props
  const whole = row.endUnixMicro - row.startUnixMicro
  const lines: readonly (readonly [string, string])[] = [
    ['began', renderTime(row.startUnixMicro)],
    [row.isOpen ? 'at least' : 'took', renderDuration(whole)],
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

function Attributes(props: { readonly span: SpanView }) {
  const { span } = props
  return (
    <>
      {span.statusMessage !== undefined && <p class="bad">{span.statusMessage}</p>}
      <dl class="attributes">
        {span.attributes.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>trace</dt>
          <dd>{span.traceId}</dd>
        </div>
        <div>
          <dt>span</dt>
          <dd>{span.spanId}</dd>
        </div>
      </dl>
    </>
  )
}
