/** The page Now: who works, on what, how much of its context is left, what it costs, what failed. */
import { useMemo } from 'preact/hooks'
import type { LiveError } from '../failures.ts'
import type { NowView } from '../overview.ts'
import type { UsageRow } from '../usage-reader.ts'
import { Bars } from './chart.tsx'
import { renderAgo, renderCount, renderModel, renderMoment, renderUsd } from './format.ts'
import { useAnswer, useNow } from './hub.ts'
import { Awaited, Card, Empty, Figure, Legend, State, TokenBar, TokenCount, tokenKinds, totalOf } from './parts.tsx'
import { sessionPath, useTitle } from './route.ts'
import { SessionCard } from './session-card.tsx'

export function NowPage(props: { readonly theme: string }) {
  const loaded = useAnswer<NowView>('/api/now')
  const active = loaded.state === 'loaded' ? loaded.answer.sessions.length : 0
  useTitle(active === 0 ? 'Now' : `(${active}) Now`)
  return <Awaited loaded={loaded}>{(view) => <Now view={view} theme={props.theme} />}</Awaited>
}

function Now(props: { readonly view: NowView; readonly theme: string }) {
  const { view } = props
  const isNew = view.sessions.length === 0 && view.recent.length === 0
  // By their beginning, which does not change while somebody looks.
  const sessions = view.sessions.toSorted((a, b) => b.startUnixMicro - a.startUnixMicro)
  return (
    <>
      <Figures view={view} />
      {view.notices.length > 0 && <NoticesCard notices={view.notices} />}
      {isNew && <Welcome />}
      {view.sessions.length > 0 && (
        <div class="sessions">
          {sessions.map((session) => (
            <SessionCard key={session.id} session={session} />
          ))}
        </div>
      )}
      {!isNew && view.sessions.length === 0 && (
        <Empty title="No session is active.">
          Start one with <code>claude-otel</code>; it appears here by itself.
        </Empty>
      )}
      <div class="columns">
        {view.usage !== undefined && <MinutesCard usage={view.usage} atMs={view.atUnixMs} theme={props.theme} />}
        {view.usage !== undefined && view.usage.byModel.length > 0 && <ModelsCard rows={view.usage.byModel} />}
        {view.recent.length > 0 && <RecentCard sessions={view.recent} />}
        {!isNew && <ErrorsCard errors={view.errors} />}
      </div>
    </>
  )
}

function Welcome() {
  return (
    <Empty title="Nothing has arrived yet.">
      Run <code>claude-otel</code> in place of <code>claude</code>, or point any OTLP exporter at{' '}
      <code>http://localhost:4318</code>. What arrives appears here by itself.
    </Empty>
  )
}

function NoticesCard(props: { readonly notices: NowView['notices'] }) {
  return (
    <Card title="Guard" note="thresholds that were crossed">
      <ul class="list" role="status">
        {props.notices.map(({ unixMicro, text, sessionId }) => (
          <li key={`${unixMicro} ${text}`}>
            <a href={sessionPath(sessionId)} title={text}>
              {text}
            </a>
            <span class="quiet">{renderMoment(unixMicro)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Figures(props: { readonly view: NowView }) {
  const { sessions, usage } = props.view
  const inFlight = sessions.reduce((sum, { live }) => sum + (live?.inFlight.length ?? 0), 0)
  return (
    <div class="figures">
      <Figure value={String(sessions.length)} label={sessions.length === 1 ? 'active session' : 'active sessions'} />
      <Figure value={String(inFlight)} label={inFlight === 1 ? 'tool in flight' : 'tools in flight'} />
      {usage !== undefined && (
        <>
          <Figure value={renderCount(usage.today === undefined ? 0 : totalOf(usage.today))} label="tokens today" />
          <Figure
            value={renderUsd(usage.today?.costUsd ?? (usage.today === undefined ? 0 : null))}
            label="cost today"
            title={usage.byCostSource.map(renderPriced).join('\n')}
          />
          <Figure
            value={`${renderCount(usage.burn.tokensPerMinute)}/min`}
            label="tokens, last 10 min"
            tone={usage.burn.tokensPerMinute === 0 ? 'quiet' : undefined}
          />
          <Figure
            value={usage.burn.usdPerHour === null ? '–' : `${renderUsd(usage.burn.usdPerHour)}/h`}
            label="burn, last 10 min"
            tone={usage.burn.usdPerHour === null ? 'quiet' : undefined}
          />
        </>
      )}
      {usage === undefined && <Figure value="–" label="usage is not tracked by this hub" tone="quiet" />}
    </div>
  )
}

/** Who gave a price: Claude Code itself, the user's file, or a table of a day. */
function renderPriced({ costSource = '', costUsd, ...row }: UsageRow): string {
  if (costSource === '') return `no price is known of ${renderCount(totalOf({ ...row, costUsd }))} tokens`
  const who = costSource === 'claude' ? 'Claude Code' : costSource === 'user' ? 'your prices' : `price ${costSource}`
  return `${renderUsd(costUsd)} by ${who}`
}

function MinutesCard(props: {
  readonly usage: NonNullable<NowView['usage']>
  readonly atMs: number
  readonly theme: string
}) {
  const { minutes } = props.usage
  const { times, series } = useMemo(() => minuteSeries(minutes, props.atMs), [minutes, props.atMs])
  return (
    <Card title="Tokens per minute" note="the last hour" class="wide">
      {minutes.length === 0 ? (
        <Empty title="No tokens in the last hour." />
      ) : (
        <Bars
          times={times}
          step={60}
          series={series}
          height={170}
          theme={props.theme}
          render={renderCount}
          label="Tokens of each minute of the last hour"
        />
      )}
      <Legend parts={tokenKinds.map(([, tone, name]) => ({ name, class: tone }))} />
    </Card>
  )
}

function minuteSeries(rows: readonly UsageRow[], atMs: number) {
  const last = Math.floor(atMs / 60_000) * 60
  const times = Array.from({ length: 60 }, (_, index) => last - (59 - index) * 60)
  const byTime = new Map(rows.map((row) => [(row.minute ?? 0) / 1000, row]))
  const series = tokenKinds.map(([key, colour, label]) => ({
    label,
    colour,
    values: times.map((time) => byTime.get(time)?.[key] ?? 0),
  }))
  return { times, series }
}

function ModelsCard(props: { readonly rows: readonly UsageRow[] }) {
  const most = Math.max(...props.rows.map(totalOf))
  return (
    <Card title="Models today">
      <ul class="bars">
        {props.rows.map((row) => (
          <li key={row.model}>
            <span class="name">{renderModel(row.model ?? 'unknown')}</span>
            <TokenBar row={row} of={most} />
            <TokenCount row={row} />
            <span class="usd">{renderUsd(row.costUsd)}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function RecentCard(props: { readonly sessions: NowView['recent'] }) {
  const now = useNow(10_000)
  return (
    <Card title="Recently ended">
      <ul class="list">
        {props.sessions.map((session) => (
          <li key={session.id}>
            <a href={sessionPath(session.id)} dir="auto">
              {session.title ?? `Session ${session.id.slice(0, 8)}`}
            </a>
            <span class="quiet where" title={session.project}>
              {session.project}
            </span>
            {session.state === 'lost' && <State state="lost" />}
            <span class="quiet" title={renderMoment(session.lastUnixMicro)}>
              {renderAgo(session.lastUnixMicro, now)}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function ErrorsCard(props: { readonly errors: readonly LiveError[] }) {
  const groups = useMemo(() => groupErrors(props.errors), [props.errors])
  return (
    <Card title="Errors" note={groups.length > 0 && 'the last ones'}>
      {groups.length === 0 ? (
        <p class="quiet">None since the hub was started, nor in the half hour before.</p>
      ) : (
        <ul class="list">
          {groups.map(({ error, count }) => (
            <li key={`${error.sessionId} ${error.unixMicro} ${error.text}`}>
              <a
                class="bad"
                href={sessionPath(error.sessionId, error.key ?? error.spanId)}
                title={error.text}
                dir="auto"
              >
                {error.text || error.event}
              </a>
              {count > 1 && <span title={`${count} times in this session`}>× {count}</span>}
              <span class="quiet">{renderMoment(error.unixMicro)}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

/** The same words of the same session once, the last time that they were said. */
function groupErrors(errors: readonly LiveError[]) {
  const groups = Map.groupBy(errors, ({ sessionId, event, text }) => `${sessionId} ${event} ${text}`)
  return [...groups.values()].flatMap(([error, ...more]) =>
    error === undefined ? [] : [{ error, count: more.length + 1 }],
  )
}
