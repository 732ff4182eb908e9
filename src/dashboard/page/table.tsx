/** A table that sorts by its heads, filters by words, and leaves as CSV or JSON. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

export interface Column<Row> {
  readonly head: string
  /** What it sorts by, and what is exported. */
  readonly value: (row: Row) => string | number | null
  /** What is shown, where that is another. */
  readonly show?: (row: Row) => ComponentChildren
  readonly isNumber?: boolean
  /** Left out where there is little room. */
  readonly isMinor?: boolean
}

export function Table<Row>(props: {
  readonly name: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** The column that it is sorted by at first, falling. */
  readonly sortedBy: string
  readonly empty: ComponentChildren
}) {
  const { columns, rows, name } = props
  const [order, setOrder] = useState({ head: props.sortedBy, falls: true })
  const [words, setWords] = useState('')
  const [limit, setLimit] = useState(100)
  if (rows.length === 0) return <>{props.empty}</>
  const found = sort(filter(rows, columns, words), columns, order)
  return (
    <div class="table">
      <div class="tools">
        <input
          type="search"
          placeholder="Filter ( / )"
          aria-label={`Filter ${name}`}
          value={words}
          onInput={(event) => setWords(event.currentTarget.value)}
        />
        <span class="quiet">
          {found.length === rows.length ? `${rows.length} rows` : `${found.length} of ${rows.length} rows`}
        </span>
        <span class="fill" />
        <button type="button" onClick={() => download(`${name}.csv`, 'text/csv', renderCsv(found, columns))}>
          CSV
        </button>
        <button type="button" onClick={() => download(`${name}.json`, 'application/json', renderJson(found, columns))}>
          JSON
        </button>
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              {columns.map(({ head, isNumber, isMinor }) => (
                <th
                  key={head}
                  class={classOf(isNumber, isMinor)}
                  aria-sort={order.head !== head ? 'none' : order.falls ? 'descending' : 'ascending'}
                >
                  <button
                    type="button"
                    onClick={() => setOrder({ head, falls: order.head === head ? !order.falls : isNumber === true })}
                  >
                    {head}
                    <i>{order.head !== head ? '' : order.falls ? '▾' : '▴'}</i>
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {found.slice(0, limit).map((row) => (
              <tr key={props.keyOf(row)}>
                {columns.map(({ head, value, show, isNumber, isMinor }) => (
                  <td key={head} class={classOf(isNumber, isMinor)}>
                    {show === undefined ? value(row) : show(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {found.length === 0 && <p class="quiet">No row has these words.</p>}
      {found.length > limit && (
        <button type="button" class="more" onClick={() => setLimit(limit + 500)}>
          Show more
        </button>
      )}
    </div>
  )
}

function classOf(isNumber = false, isMinor = false): string {
  return `${isNumber ? 'number' : ''} ${isMinor ? 'minor' : ''}`
}

function filter<Row>(rows: readonly Row[], columns: readonly Column<Row>[], words: string): readonly Row[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  if (wanted.length === 0) return rows
  return rows.filter((row) => {
    const all = columns
      .map(({ value }) => String(value(row) ?? ''))
      .join(' ')
      .toLowerCase()
    return wanted.every((word) => all.includes(word))
  })
}

function sort<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { head, falls }: { readonly head: string; readonly falls: boolean },
): readonly Row[] {
  const value = columns.find((column) => column.head === head)?.value
  if (value === undefined) return rows
  const direction = falls ? -1 : 1
  return rows.toSorted((a, b) => direction * compare(value(a), value(b)))
}

/** What is not known is less than everything. */
function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  return typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b))
}

/** A text that a spreadsheet would take for a formula is made one by nothing but its first character. */
export function renderCsv<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const field = (value: string | number | null) => {
    if (typeof value === 'number') return String(value)
    const safe = /^[=+\-@\t\r]/.test(value ?? '') ? `'${value}` : (value ?? '')
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  }
  const lines = rows.map((row) => columns.map(({ value }) => field(value(row))).join(','))
  return `${[columns.map(({ head }) => field(head)).join(','), ...lines].join('\r\n')}\r\n`
}

export function renderJson<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const objects = rows.map((row) => Object.fromEntries(columns.map(({ head, value }) => [head, value(row)])))
  return `${JSON.stringify(objects, null, 2)}\n`
}

function download(name: string, type: string, words: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([words], { type }))
  link.download = `claude-otel-${name}`
  link.click()
  URL.revokeObjectURL(link.href)
}
