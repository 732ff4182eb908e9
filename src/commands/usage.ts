/** `claude-otel usage`: what was used and what it cost, from the hub's store, by day, week, session, model or project. */
import { existsSync } from 'node:fs'
import { Failure } from '../base/errors.ts'
import { readEnvironment } from '../config/environment.ts'
import { resolveSettings } from '../run/settings.ts'
import { clickhousePlace } from '../store/clickhouse-place.ts'
import type { UsageStore } from '../store/clickhouse-usage.ts'
import { openStore, type UsageGroup, type UsageSum } from '../store/store.ts'
import { type Prices, readPrices } from '../usage/pricing.ts'
import { defineOurCommand } from './command.ts'
import { align } from './table.ts'
import { readRemarks, renderRemarks, type UsageRemarks } from './usage-remarks.ts'

const groups: readonly UsageGroup[] = ['day', 'week', 'session', 'model', 'project']

interface Numbers {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
  /** null: not known of any of it. */
  readonly costUsd: number | null
}

export default defineOurCommand({
  meta: { name: 'usage', description: `What was used and what it cost, by ${groups.join(', ')}.` },
  words: groups,
  args: {
    by: { type: 'positional', required: false, description: `${groups.join(', ')}; day when nothing is said` },
    since: { type: 'string', description: 'Only what came later: 12h, 7d, 4w, or a date such as 2026-11-01.' },
    store: { type: 'string', description: 'A path, or the URL of a ClickHouse; by default the hub’s.' },
    json: { type: 'boolean', description: 'Print totals and rows as JSON.' },
    csv: { type: 'boolean', description: 'Print rows as CSV.' },
  },
  async run({ args, data }) {
    const by = groupOf(args.by ?? 'day')
    const sinceUnixMicro = args.since === undefined ? 0 : parseSince(args.since, Date.now()) * 1000
    const { config } = await resolveSettings(readEnvironment(), data)
    const where = args.store ?? config.hub.store
    if (where.startsWith('/') && !existsSync(where)) {
      throw new Failure(
        'data',
        `there is no store at ${where}`,
        '`claude-otel serve` or `claude-otel backfill` makes one',
      )
    }
    const store = await openUsage(where, readPrices(config.hub.prices))
    try {
      const period = { sinceUnixMicro, untilUnixMicro: Number.MAX_SAFE_INTEGER }
      const rows = await store.usage([by], period)
      const [totals] = await store.usage([], period)
      const numbers = numbersOf(totals ?? nothing)
      const remarks = await readRemarks(store, period)
      if (args.json) process.stdout.write(`${JSON.stringify(whole(by, rows, numbers, remarks))}\n`)
      else if (args.csv) process.stdout.write(renderCsv(by, rows))
      else process.stdout.write(`${renderUsage(by, rows, numbers)}${renderRemarks(remarks)}`)
    } finally {
      store.close()
    }
  },
})

/** The hub's store, or a ClickHouse that a Collector writes to. */
async function openUsage(where: string, prices: Prices): Promise<UsageStore> {
  const place = clickhousePlace(where)
  if (place === undefined) return openStore(where, { prices })
  const [{ openClickHouse }, { openClickHouseUsage }] = await Promise.all([
    import('../store/clickhouse-client.ts'),
    import('../store/clickhouse-usage.ts'),
  ])
  return openClickHouseUsage(openClickHouse(place), prices)
}

const nothing = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0, costUsd: 0 }

function groupOf(name: string): UsageGroup {
  const group = groups.find((each) => each === name)
  if (group === undefined)
    throw new Failure('usage', `usage by "${name}" is not known`, `use one of: ${groups.join(', ')}`)
  return group
}

/** Milliseconds since the epoch; a date is its beginning in this machine's time zone. */
export function parseSince(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d+)\s*([hdw])$/.exec(text.trim()) ?? []
  if (count !== undefined) return now - Number(count) * ({ h: 3_600_000, d: 86_400_000, w: 604_800_000 }[unit] ?? 0)
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text.trim()) ?? []
  const date = new Date(Number(year), Number(month) - 1, Number(day))
  if (year !== undefined && date.getMonth() === Number(month) - 1 && date.getDate() === Number(day))
    return date.getTime()
  const time = text.includes('T') ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(time)) return time
  throw new Failure('usage', `--since is "${text}"`, 'use 12h, 7d, 4w, or a date such as 2026-11-01')
}

function numbersOf({ inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd }: Numbers): Numbers {
  return { inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd }
}

function rowOf(by: UsageGroup, row: UsageSum): Numbers & Readonly<Record<string, string | number | null>> {
  return { [by]: row[by] ?? '', ...numbersOf(row) }
}

/** Only a session can say of itself what its sources make of it. */
function whole(by: UsageGroup, rows: readonly UsageSum[], totals: Numbers, remarks: UsageRemarks): object {
  const { costSources, captured, sessions } = remarks
  const told = rows.map((row) => {
    const less = by === 'session' ? sessions.get(row.session ?? '') : undefined
    return { ...rowOf(by, row), ...(less === undefined ? {} : { captured: less }) }
  })
  return { totals, rows: told, costSources, captured }
}

function renderCsv(by: UsageGroup, rows: readonly UsageSum[]): string {
  const head = [by, ...Object.keys(nothing)]
  const lines = rows.map((row) => Object.values(rowOf(by, row)).map(csvCell).join(','))
  return [head.join(','), ...lines].map((line) => `${line}\r\n`).join('')
}

/** RFC 4180; a text that a spreadsheet would take for a formula is kept one. */
function csvCell(value: string | number | null): string {
  if (typeof value !== 'string') return value === null ? '' : String(value)
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function renderUsage(by: UsageGroup, rows: readonly UsageSum[], totals: Numbers): string {
  if (rows.length === 0) return 'nothing was used in that time\n'
  const head = [by, 'input', 'output', 'cache read', 'cache creation', 'cost']
  const lines = rows.map((row) => [row[by] || '(unknown)', ...cells(row)])
  const all = [head, ...lines, ['all', ...cells(totals)]]
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  // Numbers stand below each other.
  const padded = all.map((row) => row.map((cell, column) => (column === 0 ? cell : cell.padStart(widths[column] ?? 0))))
  return `${align(padded, widths).join('\n')}\n`
}

function cells({ inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens, costUsd }: Numbers): string[] {
  const counts = [inputTokens, outputTokens, cacheReadTokens, cacheCreationTokens]
  return [...counts.map((count) => count.toLocaleString('en')), costUsd === null ? 'unknown' : `$${costUsd.toFixed(2)}`]
}
