/** The log records of a session, each thing once, or those of the chosen span. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { type LogView, withoutTwins } from '../log-view.ts'
import type { WaterfallRow } from '../waterfall.ts'
import { renderTime } from './format.ts'
import { keepReading, type Loaded, readJson } from './hub.ts'
import { Awaited, Card } from './parts.tsx'
import { type Field, filterRows, Tools } from './tools.tsx'
import { VirtualList } from './virtual-list.tsx'
import { rowOf, type Whole } from './whole-session.ts'

const logPart = 500

const fields: readonly Field<LogView>[] = [
  { head: 'Time', value: ({ unixMicro }) => new Date(unixMicro / 1000).toISOString() },
  { head: 'Severity', value: ({ severity }) => severity },
  { head: 'Event', value: ({ event }) => event },
  { head: 'Text', value: ({ text }) => text },
  { head: 'Also told as', value: ({ twin }) => twin ?? null },
  { head: 'Of', value: ({ key, spanId }) => key ?? spanId ?? null },
]

export function Logs(props: {
  readonly id: string
  readonly whole: Whole
  readonly chosen: WaterfallRow | undefined
  readonly choose: (spanId: string | undefined) => void
}) {
  const { id, whole, chosen } = props
  const loaded = useLogs(id)
  const note = chosen !== undefined && (
    <button type="button" onClick={() => props.choose(undefined)}>
      of the chosen span: show all
    </button>
  )
  return (
    <Card title="Log records" note={note}>
      <Awaited loaded={loaded}>
        {(all) => <List all={all} whole={whole} chosen={chosen} choose={props.choose} />}
      </Awaited>
    </Card>
  )
}

function List(props: {
  readonly all: readonly LogView[]
  readonly whole: Whole
  readonly chosen: WaterfallRow | undefined
  readonly choose: (spanId: string | undefined) => void
}) {
  const { all, whole, chosen } = props
  const [words, setWords] = useState('')
  const logs = useMemo(
    () => (chosen === undefined ? all : all.filter((log) => rowOf(whole, log)?.spanId === chosen.spanId)),
    [all, whole, chosen?.spanId],
  )
  const found = useMemo(() => filterRows(logs, fields, words), [logs, words])
  const lines = useMemo(() => linesOf(found), [found])
  if (logs.length === 0) return <p class="quiet">{all.length === 0 ? 'None have come.' : 'None of this span.'}</p>
  return (
    <>
      <Tools name="log records" words={words} setWords={setWords} found={found} count={logs.length} fields={fields} />
      {found.length === 0 && <p class="quiet">No record has these words.</p>}
      <VirtualList
        class="logs"
        label="Log records"
        count={lines.length}
        rowHeight={26}
        row={(index) => {
          const line = lines[index]
          return line === undefined ? null : (
            <Log key={index} {...line} choose={() => props.choose(rowOf(whole, line.log)?.spanId)} />
          )
        }}
      />
    </>
  )
}

interface Line {
  readonly log: LogView
  readonly count: number
}

/** Records that say the same one after the other are one line. */
function linesOf(logs: readonly LogView[]): readonly Line[] {
  const lines: { log: LogView; count: number }[] = []
  for (const log of logs) {
    const last = lines.at(-1)
    const isSame = last?.log.event === log.event && last.log.text === log.text && last.log.key === log.key
    if (last !== undefined && isSame) last.count += 1
    else lines.push({ log, count: 1 })
  }
  return lines
}

function Log(props: Line & { readonly choose: () => void }) {
  const { log, count } = props
  const told = log.twin === undefined ? '' : `\nClaude Code says the same: ${log.twin}`
  return (
    <button
      type="button"
      class={`log ${log.severity}`}
      title={`${new Date(log.unixMicro / 1000).toISOString()}\n${log.event}\n${log.text}${told}`}
      onClick={props.choose}
    >
      <time>{renderTime(log.unixMicro)}</time>
      <b>
        {log.event.replace(/^claude\./, '')}
        {count > 1 && ` × ${count}`}
      </b>
      <span dir="auto">{log.text}</span>
    </button>
  )
}

function useLogs(id: string): Loaded<readonly LogView[]> {
  const [loaded, setLoaded] = useState<Loaded<readonly LogView[]>>({ state: 'loading' })
  useEffect(
    () =>
      keepReading(
        id,
        () => readLogs(id),
        (answer) => setLoaded({ state: 'loaded', answer }),
        (words) => setLoaded((known) => (known.state === 'loaded' ? known : { state: 'failed', words })),
      ),
    [id],
  )
  return loaded
}

async function readLogs(id: string): Promise<readonly LogView[]> {
  const logs: LogView[] = []
  for (;;) {
    const path = `/api/sessions/${encodeURIComponent(id)}/logs?limit=${logPart}&offset=${logs.length}`
    const part = await readJson<readonly LogView[]>(path)
    logs.push(...part)
    if (part.length < logPart) return withoutTwins(logs)
  }
}
