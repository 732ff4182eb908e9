/** One session that is active: how full its context is, what it does, what it used today. */
import type { Forecast, SessionContext } from '../context.ts'
import type { ToolInFlight } from '../live.ts'
import type { NowSession } from '../overview.ts'
import { renderCount, renderDuration, renderModel, renderPercent, renderTime, renderUsd } from './format.ts'
import { useNow } from './hub.ts'
import { State, TokenCount } from './parts.tsx'
import { sessionPath } from './route.ts'

export function SessionCard(props: { readonly session: NowSession }) {
  const { session } = props
  const now = useNow(1000)
  const about = [session.project, session.branch, session.model && renderModel(session.model)].filter(Boolean)
  return (
    <article class="card session">
      <header>
        <h2>
          <a href={sessionPath(session.id)} dir="auto">
            {session.title ?? `Session ${session.id.slice(0, 8)}`}
          </a>
        </h2>
        <State state={session.state} />
      </header>
      <p class="about">
        <span dir="auto">{about.join(' · ') || session.id}</span>
        <span
          title={`since ${renderTime(session.startUnixMicro)}, last heard of at ${renderTime(session.lastUnixMicro)}`}
        >
          for {renderDuration(Math.max(0, now * 1000 - session.startUnixMicro))}
        </span>
      </p>
      {session.context !== undefined && <Context context={session.context} />}
      <div class="flight">
        {(session.live?.inFlight ?? []).map((tool) => (
          <Tool key={tool.useId} tool={tool} now={now} />
        ))}
      </div>
      {session.today !== undefined && (
        <p class="about">
          <span>
            <TokenCount row={session.today} /> tokens today
          </span>
          <span>{renderUsd(session.today.costUsd)}</span>
        </p>
      )}
    </article>
  )
}

function Context(props: { readonly context: SessionContext }) {
  const { tokens, windowTokens, compactTokens, forecast, samples } = props.context
  const share = windowTokens === undefined ? undefined : tokens / windowTokens
  const tone = share === undefined || share < 0.6 ? '' : share < 0.8 ? 'warn' : 'bad'
  const before = samples.at(-2)?.tokens
  const growth = before === undefined ? '' : `${renderChange(tokens - before)} with the last answer`
  const until = compactTokens === undefined ? undefined : `Claude Code compacts at about ${renderCount(compactTokens)}`
  return (
    <div class="context">
      <p>
        <span>
          context {share !== undefined && <b class={tone}>{renderPercent(share)} </b>}
          <b>{renderCount(tokens)}</b>
          {windowTokens !== undefined && ` of ${renderCount(windowTokens)}`}
        </span>
        <span class="quiet" title={until}>
          {forecast === undefined ? growth : renderForecast(forecast)}
        </span>
      </p>
      {share === undefined ? (
        <Sparkline values={samples.map((sample) => sample.tokens)} />
      ) : (
        <div class="meter">
          <i class={tone} style={{ width: `${Math.min(100, share * 100)}%` }} />
        </div>
      )}
    </div>
  )
}

function renderChange(tokens: number): string {
  return `${tokens < 0 ? '−' : '+'}${renderCount(Math.abs(tokens))}`
}

/** Of a guess, no more digits than it is worth. */
function renderForecast({ minutes, turns }: Forecast): string {
  const time = minutes < 1 ? 'within a minute' : `in about ${renderDuration(Math.round(minutes) * 6e7)}`
  const often = turns === undefined ? '' : turns < 1.5 ? ', this turn or the next' : `, ${Math.round(turns)} turns`
  return `compacts ${time} of work${often}`
}

function Sparkline(props: { readonly values: readonly number[] }) {
  const { values } = props
  if (values.length < 2) return null
  const max = Math.max(...values)
  const points = values.map((value, index) => `${(100 * index) / (values.length - 1)},${22 - (20 * value) / max}`)
  return (
    <svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" role="img" aria-label="context over time">
      <polyline points={points.join(' ')} vector-effect="non-scaling-stroke" />
    </svg>
  )
}

function Tool(props: { readonly tool: ToolInFlight; readonly now: number }) {
  const { name, detail, sinceUnixMicro, isAsking } = props.tool
  return (
    <p class={isAsking ? 'asking' : ''}>
      <b>{name}</b>
      <span class="detail" title={detail}>
        {isAsking ? 'waits for permission · ' : ''}
        {detail}
      </span>
      <span>{renderDuration(Math.max(0, props.now * 1000 - sinceUnixMicro))}</span>
    </p>
  )
}
