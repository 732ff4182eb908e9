/** Small pieces that several pages show. */
import type { ComponentChildren } from 'preact'
import type { UsageRow } from '../usage-reader.ts'
import type { SessionState } from '../views.ts'
import { renderCount, renderExact } from './format.ts'
import type { Loaded } from './hub.ts'

export function Card(props: {
  readonly title: string
  readonly note?: ComponentChildren
  readonly class?: string
  readonly children: ComponentChildren
}) {
  return (
    <section class={`card ${props.class ?? ''}`}>
      <header>
        <h2>{props.title}</h2>
        {props.note !== undefined && <span class="note">{props.note}</span>}
      </header>
      {props.children}
    </section>
  )
}

/** One number with a word below it. */
export function Figure(props: {
  readonly value: string
  readonly label: string
  readonly title?: string
  readonly tone?: 'bad' | 'quiet' | undefined
}) {
  return (
    <div class={`figure ${props.tone ?? ''}`} title={props.title}>
      <b>{props.value}</b>
      <span>{props.label}</span>
    </div>
  )
}

/** Says what to do where there is nothing to see. */
export function Empty(props: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <b>{props.title}</b>
      {props.children !== undefined && <p>{props.children}</p>}
    </div>
  )
}

export function State(props: { readonly state: SessionState }) {
  return <span class={`state ${props.state}`}>{props.state}</span>
}

/** What stands in the place of an answer until there is one; the answer itself when there is. */
export function Awaited<Answer>(props: {
  readonly loaded: Loaded<Answer>
  readonly children: (answer: Answer) => ComponentChildren
}) {
  const { loaded } = props
  if (loaded.state === 'loading') return <div class="loading">reading…</div>
  if (loaded.state === 'failed') return <Empty title="This could not be read.">{loaded.words}</Empty>
  return <>{props.children(loaded.answer)}</>
}

export const tokenKinds = [
  ['inputTokens', 'input', 'input, not cached'],
  ['cacheCreationTokens', 'cache-creation', 'written to the cache'],
  ['cacheReadTokens', 'cache-read', 'read from the cache'],
  ['outputTokens', 'output', 'output'],
] as const

export function totalOf(row: UsageRow): number {
  return tokenKinds.reduce((sum, [key]) => sum + row[key], 0)
}

/** Parts of a whole in one bar, with their names on hover. */
export function StackedBar(props: {
  readonly parts: readonly {
    readonly name: string
    readonly class: string
    readonly value: number
    readonly shown?: string
  }[]
  /** Of the longest bar beside it; of its own parts where none is given. */
  readonly of?: number
}) {
  const whole = props.of ?? props.parts.reduce((sum, { value }) => sum + value, 0)
  const label = props.parts.map(({ name, value, shown }) => `${name}: ${shown ?? renderExact(value)}`).join('\n')
  return (
    <div class="stacked" title={label} role="img" aria-label={label}>
      {whole > 0 &&
        props.parts.map(({ name, class: tone, value }) => (
          <i key={name} class={tone} style={{ width: `${(100 * value) / whole}%` }} />
        ))}
    </div>
  )
}

export function Legend(props: { readonly parts: readonly { readonly name: string; readonly class: string }[] }) {
  return (
    <ul class="legend">
      {props.parts.map(({ name, class: tone }) => (
        <li key={name}>
          <i class={tone} />
          {name}
        </li>
      ))}
    </ul>
  )
}

export function TokenBar(props: { readonly row: UsageRow; readonly of?: number }) {
  const parts = tokenKinds.map(([key, tone, name]) => ({ name, class: tone, value: props.row[key] }))
  return <StackedBar parts={parts} {...(props.of === undefined ? {} : { of: props.of })} />
}

export function TokenCount(props: { readonly row: UsageRow | undefined }) {
  const { row } = props
  if (row === undefined) return <span class="quiet">–</span>
  const title = tokenKinds.map(([key, , name]) => `${name}: ${renderExact(row[key])}`).join('\n')
  return <span title={title}>{renderCount(totalOf(row))}</span>
}
