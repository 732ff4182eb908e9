/** A table that sorts by its heads, filters by words, and leaves as CSV or JSON. What is chosen stands in the address. */
import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { setParams } from './route.ts'
import { type Field, filterRows, Tools } from './tools.tsx'

export interface Column<Row> extends Field<Row> {
  /** What is shown, where that is another. */
  readonly show?: (row: Row) => ComponentChildren
  readonly isNumber?: boolean
  /** Left out where there is little room. */
  readonly isMinor?: boolean
}

interface Order {
  readonly head: string
  readonly falls: boolean
}

export function Table<Row>(props: {
  readonly name: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  /** The column that it is sorted by at first, falling. */
  readonly sortedBy: string
  readonly params: URLSearchParams
  readonly empty: ComponentChildren
}) {
  const { columns, rows, name, params } = props
  const [limit, setLimit] = useState(100)
  const order = readOrder(params.get('sort'), columns) ?? { head: props.sortedBy, falls: true }
  const words = params.get('q') ?? ''
  const steady = useSteadyOrder(props.keyOf, `${order.head} ${order.falls} ${words}`)
  if (rows.length === 0) return <>{props.empty}</>
  const found = steady.of(sort(filterRows(rows, columns, words), columns, order))
  return (
    <div class="table">
      <Tools
        name={name}
        words={words}
        setWords={(q) => setParams({ q })}
        found={found}
        count={rows.length}
        fields={columns}
      />
      <div class="scroll" onPointerEnter={steady.hold} onPointerLeave={steady.release}>
        <table>
          <Heads columns={columns} order={order} />
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
          Show more: {limit} of {found.length} are shown
        </button>
      )}
    </div>
  )
}

function Heads<Row>(props: { readonly columns: readonly Column<Row>[]; readonly order: Order }) {
  const { order } = props
  const choose = (head: string, isNumber: boolean) => {
    const falls = order.head === head ? !order.falls : isNumber
    setParams({ sort: `${falls ? '-' : ''}${head}` })
  }
  return (
    <thead>
      <tr>
        {props.columns.map(({ head, isNumber = false, isMinor }) => (
          <th
            key={head}
            class={classOf(isNumber, isMinor)}
            aria-sort={order.head !== head ? 'none' : order.falls ? 'descending' : 'ascending'}
          >
            <button type="button" onClick={() => choose(head, isNumber)}>
              {head}
              <i>{order.head !== head ? '' : order.falls ? '▾' : '▴'}</i>
            </button>
          </th>
        ))}
      </tr>
    </thead>
  )
}

function classOf(isNumber = false, isMinor = false): string {
  return `${isNumber ? 'number' : ''} ${isMinor ? 'minor' : ''}`
}

function readOrder<Row>(words: string | null, columns: readonly Column<Row>[]): Order | undefined {
  const falls = words?.startsWith('-') ?? false
  const head = words?.slice(falls ? 1 : 0)
  return columns.some((column) => column.head === head) && head !== undefined ? { head, falls } : undefined
}

/** While the pointer is over them, rows stay where they are, whatever comes; new ones come last. */
function useSteadyOrder<Row>(keyOf: (row: Row) => string, choice: string) {
  const held = useRef({ isHeld: false, choice, keys: [] as readonly string[] })
  const [, setTurn] = useState(0)
  return {
    hold: () => {
      held.current.isHeld = true
    },
    release: () => {
      held.current.isHeld = false
      setTurn((turn) => turn + 1)
    },
    of: (rows: readonly Row[]): readonly Row[] => {
      const { isHeld, keys } = held.current
      const ranks = new Map(isHeld && held.current.choice === choice ? keys.map((key, index) => [key, index]) : [])
      const rankOf = (row: Row) => ranks.get(keyOf(row)) ?? Number.MAX_SAFE_INTEGER
      const ordered = ranks.size === 0 ? rows : rows.toSorted((a, b) => rankOf(a) - rankOf(b))
      held.current = { isHeld, choice, keys: ordered.map(keyOf) }
      return ordered
    },
  }
}

function sort<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { head, falls }: Order): readonly Row[] {
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
