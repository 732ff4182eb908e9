/** Above what can be long: a field that filters, how much is found, and what is found as a file. */
import { renderExact } from './format.ts'

export interface Field<Row> {
  readonly head: string
  /** What it is sorted and filtered by, and what is exported. */
  readonly value: (row: Row) => string | number | null
}

export function Tools<Row>(props: {
  /** Of the file, and for whoever cannot see where the field stands. */
  readonly name: string
  readonly words: string
  readonly setWords: (words: string) => void
  readonly found: readonly Row[]
  readonly count: number
  readonly fields: readonly Field<Row>[]
}) {
  const { name, words, found, count, fields } = props
  const what = `${found.length === count ? 'all' : 'the'} ${renderExact(found.length)} rows${found.length === count ? '' : ' found'}, every column`
  const file = `${name.replaceAll(/[^\w-]+/g, '-')}`
  return (
    <div class="tools">
      <input
        type="search"
        placeholder="Filter ( / )"
        aria-label={`Filter ${name}`}
        value={words}
        onInput={(event) => props.setWords(event.currentTarget.value)}
      />
      <span class="quiet" role="status">
        {found.length === count
          ? `${renderExact(count)} ${count === 1 ? 'row' : 'rows'}`
          : `${renderExact(found.length)} of ${renderExact(count)} rows`}
      </span>
      <span class="fill" />
      <button
        type="button"
        title={`Download ${what}, as CSV`}
        onClick={() => download(`${file}.csv`, 'text/csv', renderCsv(found, fields))}
      >
        CSV
      </button>
      <button
        type="button"
        title={`Download ${what}, as JSON`}
        onClick={() => download(`${file}.json`, 'application/json', renderJson(found, fields))}
      >
        JSON
      </button>
    </div>
  )
}

/** Those of the rows in which every word stands. */
export function filterRows<Row>(rows: readonly Row[], fields: readonly Field<Row>[], words: string): readonly Row[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean)
  if (wanted.length === 0) return rows
  return rows.filter((row) => {
    const all = fields
      .map(({ value }) => String(value(row) ?? ''))
      .join(' ')
      .toLowerCase()
    return wanted.every((word) => all.includes(word))
  })
}

/** A text that a spreadsheet would take for a formula is made one by nothing but its first character. */
export function renderCsv<Row>(rows: readonly Row[], fields: readonly Field<Row>[]): string {
  const field = (value: string | number | null) => {
    if (typeof value === 'number') return String(value)
    const safe = /^[=+\-@\t\r]/.test(value ?? '') ? `'${value}` : (value ?? '')
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
  }
  const lines = rows.map((row) => fields.map(({ value }) => field(value(row))).join(','))
  return `${[fields.map(({ head }) => field(head)).join(','), ...lines].join('\r\n')}\r\n`
}

export function renderJson<Row>(rows: readonly Row[], fields: readonly Field<Row>[]): string {
  const objects = rows.map((row) => Object.fromEntries(fields.map(({ head, value }) => [head, value(row)])))
  return `${JSON.stringify(objects, null, 2)}\n`
}

function download(name: string, type: string, words: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(new Blob([words], { type }))
  link.download = `claude-otel-${name}`
  link.click()
  URL.revokeObjectURL(link.href)
}
