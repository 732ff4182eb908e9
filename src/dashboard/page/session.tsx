/** The page of one session: its trace, where the time went, tokens per turn, log records by its side. */
import { useCallback } from 'preact/hooks'
import { activities } from '../time-spent.ts'
import type { SessionSources, SessionView } from '../views.ts'
import { Details } from './details.tsx'
import {
  renderCaptured,
  renderCount,
  renderDuration,
  renderExact,
  renderModel,
  renderMoment,
  renderPercent,
  renderUsd,
} from './format.ts'
import { unknown } from './hub.ts'
import { Logs } from './logs.tsx'
import { Awaited, Card, Empty, Figure, StackedBar, State } from './parts.tsx'
import { setParams, useTitle } from './route.ts'
import { Turns } from './turns.tsx'
import { Waterfall } from './waterfall-chart.tsx'
import { useWhole, type Whole } from './whole-session.ts'

export function SessionPage(props: { readonly id: string; readonly params: URLSearchParams }) {
  const loaded = useWhole(props.id)
  useTitle(loaded.state === 'loaded' ? titleOf(loaded.answer.view) : 'Session')
  if (loaded.state === 'failed' && loaded.words === unknown) {
    return (
      <Empty title={unknown}>
        Session <code>{props.id}</code>. It may never have sent anything here, or be older than what the hub keeps.{' '}
        <a href="#/history?by=sessionId">All sessions</a>
      </Empty>
    )
  }
  return <Awaited loaded={loaded}>{(whole) => <Session whole={whole} params={props.params} />}</Awaited>
}

function titleOf({ session }: SessionView): string {
  return session.title ?? `Session ${session.id.slice(0, 8)}`
}

function Session(props: { readonly whole: Whole; readonly params: URLSearchParams }) {
  const { whole, params } = props
  const { view, rows } = whole
  const { session } = view
  const choose = useCallback((span: string | undefined) => setParams({ span }), [])
  const row = whole.rowBy.get(params.get('span') ?? '')
  const isActive = session.state === 'active'
  return (
    <>
      <Heading view={view} />
      <Figures whole={whole} />
      <Card title="Where the time went">
        <TimeSpent view={view} />
      </Card>
      {rows.length === 0 ? (
        <Empty title="No spans and no events have come of this session.">
          Claude Code sends metrics alone unless it is started by <code>claude-otel</code>, which adds the trace.
        </Empty>
      ) : (
        <div class={`trace ${row === undefined ? '' : 'with-details'}`}>
          <Waterfall
            isActive={isActive}
            rows={rows}
            lanes={view.lanes}
            chosen={row?.spanId}
            choose={choose}
            params={params}
          />
          {row !== undefined && <Details key={row.spanId} id={session.id} row={row} close={() => choose(undefined)} />}
        </div>
      )}
      <div class="columns">
        <Turns turns={view.turns} isActive={isActive} choose={choose} />
        <Logs id={session.id} whole={whole} chosen={row} choose={choose} />
      </div>
    </>
  )
}

function Heading(props: { readonly view: SessionView }) {
  const { session } = props.view
  const about = [session.project, session.branch, session.model && renderModel(session.model), session.user]
  const told = [...about, renderMoment(session.startUnixMicro), session.endReason && `ended: ${session.endReason}`]
  return (
    <div class="heading">
      <h1 dir="auto" title={titleOf(props.view)}>
        {titleOf(props.view)}
      </h1>
      <State state={session.state} />
      <p>
        {told.filter(Boolean).map((words) => (
          <span key={words}>
            <bdi>{words}</bdi> ·{' '}
          </span>
        ))}
        <code>{session.id}</code>
      </p>
      {props.view.usage !== undefined && <Sources usage={props.view.usage} />}
    </div>
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

function Figures({ whole }: { readonly whole: Whole }) {
  const { view, rows } = whole
  const { tokens } = view
  const calls = rows.filter(({ kind }) => kind === 'tool')
  const failed = calls.filter(({ hasFailed }) => hasFailed).length
  const total = tokens.input + tokens.output + tokens.cacheRead + tokens.cacheCreation
  const agents = view.lanes.length - 1
  return (
    <div class="figures">
      <Figure value={renderDuration(view.time.wallMicro)} label="wall time" />
      <Figure value={String(view.turns.length)} label={view.turns.length === 1 ? 'turn' : 'turns'} />
      <Figure value={renderCount(calls.length)} label={calls.length === 1 ? 'tool call' : 'tool calls'} />
      {failed > 0 && <Figure value={renderCount(failed)} label="of them failed" tone="bad" />}
      <Figure value={String(agents)} label={agents === 1 ? 'subagent' : 'subagents'} />
      <Figure
        value={renderCount(total)}
        label="tokens"
        title={`input, not cached: ${renderExact(tokens.input)}\nwritten to the cache: ${renderExact(tokens.cacheCreation)}\nread from the cache: ${renderExact(tokens.cacheRead)}\noutput: ${renderExact(tokens.output)}`}
      />
    </div>
  )
}

const activityNames = {
  model: ['model', 'The model was answering, whatever else went on.'],
  tool: ['tools', 'A tool ran, and no model answered.'],
  permission: ['waiting for permission', 'A person was asked, and nothing else went on.'],
  hooks: [
    'hooks and Claude Code',
    'Of turns, whatever is neither model nor tool nor a person: hooks, and Claude Code itself.',
  ],
  idle: ['idle', 'Between turns: nobody had asked for anything.'],
} as const

function TimeSpent(props: { readonly view: SessionView }) {
  const { wallMicro, byActivity } = props.view.time
  const parts = activities.map((activity) => ({
    name: activityNames[activity][0],
    title: activityNames[activity][1],
    class: activity,
    value: byActivity[activity],
    shown: renderDuration(byActivity[activity]),
  }))
  return (
    <>
      <StackedBar parts={parts} />
      <ul class="legend spent">
        {parts.map(({ name, title, class: tone, value, shown }) => (
          <li key={name} title={title} class={value === 0 ? 'none' : ''}>
            <i class={tone} />
            {name} <b>{shown}</b> <span class="quiet">{wallMicro > 0 && renderPercent(value / wallMicro)}</span>
          </li>
        ))}
      </ul>
    </>
  )
}
