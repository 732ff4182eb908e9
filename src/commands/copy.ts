/** `claude-otel copy`: what a hub has kept in SQLite into ClickHouse. It can be stopped at any time, and goes on where it was. */
import { existsSync } from 'node:fs'
import { Failure } from '../base/errors.ts'
import { readEnvironment } from '../config/environment.ts'
import { resolveSettings } from '../run/settings.ts'
import type { HistoryStore } from '../store/clickhouse.ts'
import { clickhouseExample, clickhousePlace } from '../store/clickhouse-place.ts'
import { type HistoryKind, type HistoryPart, openSqliteHistory } from '../store/sqlite-history.ts'
import type { AnyStore } from '../store/store.ts'
import { readPrices } from '../usage/pricing.ts'
import { defineOurCommand } from './command.ts'
import { formatCount } from './table.ts'

export default defineOurCommand({
  meta: { name: 'copy', description: 'What the hub has kept in SQLite into ClickHouse; can be stopped and goes on.' },
  args: {
    from: { type: 'string', description: 'The SQLite file; by default the hub’s.' },
    to: { type: 'string', required: true, description: `The ClickHouse: ${clickhouseExample}` },
    json: { type: 'boolean', description: 'Print the numbers as JSON.' },
  },
  async run({ args, data }) {
    const { config } = await resolveSettings(readEnvironment(), data)
    const from = args.from ?? config.hub.store
    if (!from.startsWith('/') || !existsSync(from))
      throw new Failure('data', 'there is no SQLite store to copy from', 'name its file with --from')
    const place = clickhousePlace(args.to)
    if (place === undefined) throw new Failure('usage', '--to is no ClickHouse', `for example ${clickhouseExample}`)
    const { openClickHouseStore } = await import('../store/clickhouse.ts')
    const to = await openClickHouseStore(place, { prices: readPrices(config.hub.prices) })
    const copied = await copyAll(from, to, progressBar()).finally(() => to.close())
    if (args.json) process.stdout.write(`${JSON.stringify(copied)}\n`)
    else
      process.stdout.write(
        `${formatCount(copied.rows, 'row')} copied, ${formatCount(copied.before, 'row')} before; ` +
          `${formatCount(copied.sums, 'sum')} of usage whose records are gone\n`,
      )
  },
})

interface Copied {
  readonly rows: number
  /** Were copied by an earlier run. */
  readonly before: number
  /** Of usage of which there are no rows any more. */
  readonly sums: number
}

/** Where it is with a file stands in the ClickHouse, as a mark for each kind of row, written when they are there. */
async function copyAll(path: string, to: HistoryStore, show: (share: number) => void): Promise<Copied> {
  const history = openSqliteHistory(path)
  const prefix = `copy/${path}/`
  try {
    const marks = await to.marks(prefix, 10)
    const cursors = new Map(marks.map(({ key, value }) => [key.slice(prefix.length) as HistoryKind, value]))
    let rows = 0
    for (const part of history.parts(cursors)) {
      await write(part, to)
      await to.putMark({ key: `${prefix}${part.kind}`, timeUnixMicro: Date.now() * 1000, value: part.cursor })
      rows += part.rows
      show(rows / history.rows)
    }
    for (const sessions of history.sessions()) await to.appendSessions(sessions)
    let sums = 0
    // After all rows: they are what is not told by these.
    for (const sessions of history.sums()) sums += await to.appendSums(sessions)
    show(Number.POSITIVE_INFINITY)
    return { rows, before: history.rows - rows, sums }
  } finally {
    history.close()
  }
}

async function write({ content }: HistoryPart, to: AnyStore): Promise<void> {
  if ('signal' in content) await to.append(content)
  else await to.appendHistory(content)
}

/** On a terminal only, and on stderr, where it is in nobody's way. */
function progressBar(): (share: number) => void {
  if (!process.stderr.isTTY) return () => {}
  return (share) => {
    if (share === Number.POSITIVE_INFINITY) return void process.stderr.write('\r\u001b[K')
    const bar = '█'.repeat(Math.round(share * 30)).padEnd(30, '░')
    process.stderr.write(`\r${bar} ${(share * 100).toFixed(0)} %`)
  }
}
