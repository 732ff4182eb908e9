/** The page History: usage by day, model, project and session, over a span of days. */
import { useMemo } from 'preact/hooks'
import type { HistoryKey, HistoryRow, HistoryView } from '../overview.ts'
import { Bars } from './chart.tsx'
import { renderCount, renderExact, renderModel, renderMoment, renderUsd } from './format.ts'
import { useAnswer } from './hub.ts'
import { Awaited, Card, Empty, Legend, State, TokenBar, tokenKinds, totalOf } from './parts.tsx'
import { sessionPath, setParams, useTitle } from './route.ts'
import { type Column, Table } from './table.tsx'

const groupings: readonly { readonly by: HistoryKey; readonly name: string }[] = [
  { by: 'day', name: 'Days' },
  { by: 'model', name: 'Models' },
  { by: 'project', name: 'Projects' },
  { by: 'sessionId', name: 'Sessions' },
]
const spans = [7, 30, 90, 365]

export function HistoryPage(props: { readonly theme: string; readonly params: URLSearchParams }) {
  const { params } = props
  useTitle('History')
  const by = groupings.find((grouping) => grouping.by === params.get('by'))?.by ?? 'day'
  const days = spans.find((span) => String(span) === params.get('days')) ?? 30
  const loaded = useAnswer<HistoryView>(`/api/history?by=${by}&days=${days}`)
  const perDay = useAnswer<HistoryView>(`/api/history?by=day&days=${days}`)
  const name = groupings.find((grouping) => grouping.by === by)?.name ?? ''
  return (
    <>
      <div class="choices">
        <Choice
          of={groupings.map((each) => [each.by, each.name] as const)}
          chosen={by}
          // Another grouping is another table.
          choose={(by) => setParams({ by, q: undefined, sort: undefined })}
          label="Group by"
        />
        <Choice
          of={spans.map((each) => [each, `${each} days`] as const)}
          chosen={days}
          choose={(days) => setParams({ days: String(days) })}
          label="Period"
        />
      </div>
      {perDay.state === 'loaded' && perDay.answer.rows.length > 0 && (
        <Card title="Tokens per day" note={<Sum rows={perDay.answer.rows} />}>
          <Days rows={perDay.answer.rows} days={days} theme={props.theme} />
          <Legend parts={tokenKinds.map(([, tone, label]) => ({ name: label, class: tone }))} />
        </Card>
      )}
      <Card title={name}>
        <Awaited loaded={loaded}>
          {(view) => (
            <Table
              key={view.by}
              name={`${name.toLowerCase()}, last ${days} days`}
              rows={view.rows}
              keyOf={(row) => row.key}
              params={params}
              columns={columnsOf(view)}
              sortedBy={view.by === 'day' ? 'Day' : view.by === 'sessionId' ? 'Last' : 'Tokens'}
              empty={<NoRows hasUsage={view.hasUsage} />}
            />
          )}
        </Awaited>
      </Card>
    </>
  )
}

function NoRows(props: { readonly hasUsage: boolean }) {
  if (!props.hasUsage) {
    return <Empty title="This hub tracks no usage.">Sessions are listed all the same: choose Sessions above.</Empty>
  }
  return (
    <Empty title="Nothing was used in this time.">
      Choose a longer one, run <code>claude-otel</code>, or read what was before: <code>claude-otel backfill</code>
    </Empty>
  )
}

function Choice<Value extends string | number>(props: {
  readonly of: readonly (readonly [Value, string])[]
  readonly chosen: Value
  readonly choose: (value: Value) => void
  readonly label: string
}) {
  return (
    <fieldset class="choice" aria-label={props.label}>
      {props.of.map(([value, name]) => (
        <button type="button" key={value} aria-pressed={value === props.chosen} onClick={() => props.choose(value)}>
          {name}
        </button>
      ))}
    </fieldset>
  )
}

function Sum(props: { readonly rows: readonly HistoryRow[] }) {
  const tokens = props.rows.reduce((sum, { usage }) => sum + (usage === undefined ? 0 : totalOf(usage)), 0)
  const costs = props.rows.flatMap(({ usage }) => usage?.costUsd ?? [])
  const usd = costs.length === 0 ? null : costs.reduce((sum, cost) => sum + cost, 0)
  return (
    <>
      {renderCount(tokens)} tokens, {renderUsd(usd)}
    </>
  )
}

function Days(props: { readonly rows: readonly HistoryRow[]; readonly days: number; readonly theme: string }) {
  const { times, series } = useMemo(() => daySeries(props.rows, props.days), [props.rows, props.days])
  const label = `Tokens of each of the last ${props.days} days; the table below has the figures`
  const bars = { times, step: 86_400, series, height: 190, theme: props.theme, render: renderCount, label }
  return <Bars {...bars} />
}

function daySeries(rows: readonly HistoryRow[], days: number) {
  const today = new Date()
  const dates = Array.from(
    { length: days },
    (_, index) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - (days - 1 - index)),
  )
  const byDay = new Map(rows.map((row) => [row.key, row.usage]))
  const used = dates.map((date) => byDay.get(dayOf(date)))
  return {
    times: dates.map((date) => date.getTime() / 1000),
    series: tokenKinds.map(([key, colour, label]) => ({ label, colour, values: used.map((row) => row?.[key] ?? 0) })),
  }
}

function dayOf(date: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
}

function columnsOf({ by, rows, hasUsage }: HistoryView): readonly Column<HistoryRow>[] {
  const first = by === 'sessionId' ? sessionColumns : [keyColumn(by)]
  if (!hasUsage) return first
  const most = Math.max(1, ...rows.map(({ usage }) => (usage === undefined ? 0 : totalOf(usage))))
  const kinds = tokenKinds.map(
    ([key, , head]): Column<HistoryRow> => ({
      head: heads[head] ?? head,
      value: ({ usage }) => usage?.[key] ?? null,
      show: ({ usage }) => (usage === undefined ? '–' : renderExact(usage[key])),
      isNumber: true,
      isMinor: true,
    }),
  )
  return [
    ...first,
    {
      head: 'Tokens',
      value: ({ usage }) => (usage === undefined ? null : totalOf(usage)),
      show: ({ usage }) =>
        usage === undefined ? (
          '–'
        ) : (
          <span class="total">
            <TokenBar row={usage} of={most} />
            {renderCount(totalOf(usage))}
          </span>
        ),
      isNumber: true,
    },
    {
      head: 'Cost $',
      value: ({ usage }) => usage?.costUsd ?? null,
      show: ({ usage }) => renderUsd(usage?.costUsd),
      isNumber: true,
    },
    ...kinds,
  ]
}

const heads: Readonly<Record<string, string>> = {
  'input, not cached': 'Input',
  'written to the cache': 'Cache written',
  'read from the cache': 'Cache read',
  output: 'Output',
}

function keyColumn(by: HistoryKey): Column<HistoryRow> {
  const head = { day: 'Day', model: 'Model', project: 'Project', sessionId: 'Session' }[by]
  return {
    head,
    value: ({ key }) => key,
    show: ({ key }) => (key === '' ? <span class="quiet">unknown</span> : by === 'model' ? renderModel(key) : key),
  }
}

const sessionColumns: readonly Column<HistoryRow>[] = [
  {
    head: 'Session',
    value: ({ key, session }) => session?.title ?? key,
    show: ({ key, session }) => (
      <a class="clip" href={sessionPath(key)} title={session?.title} dir="auto">
        {session?.title ?? `Session ${key.slice(0, 8)}`}
      </a>
    ),
  },
  { head: 'Project', value: ({ session }) => session?.project ?? '' },
  {
    head: 'Model',
    value: ({ session }) => session?.model ?? '',
    show: ({ session }) => renderModel(session?.model ?? ''),
    isMinor: true,
  },
  {
    head: 'State',
    value: ({ session }) => session?.state ?? '',
    show: ({ session }) => session !== undefined && <State state={session.state} />,
  },
  {
    head: 'Last',
    value: ({ session }) => (session === undefined ? null : new Date(session.lastUnixMicro / 1000).toISOString()),
    show: ({ session }) => (session === undefined ? '–' : renderMoment(session.lastUnixMicro)),
    isNumber: true,
  },
]
