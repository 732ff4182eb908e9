/**
 * ClickHouse through its official client: statements, questions, rows. Whatever is asked here can be asked twice and is the same as
 * asked once. Loaded only where there is a ClickHouse.
 */
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  type ClickHouseSettings,
  createClient,
  type Logger,
} from '@clickhouse/client'
import { describeError, Failure } from '../base/errors.ts'
import { isLoopback } from '../base/loopback.ts'
import { type ClickHousePlace, clickhouseExample } from './clickhouse-place.ts'

export interface ClickHouse {
  /** A statement that answers nothing, in ClickHouse's words. */
  run(statement: string): Promise<void>
  /** A question without its FORMAT; integers of 64 bits are numbers, what is no number is null. */
  rows<Row>(question: string): Promise<readonly Row[]>
  /** Resolves when ClickHouse has all rows; of a failed one some may be there. Absent columns have their defaults. */
  insert(table: string, rows: readonly object[]): Promise<void>
  /** What is under way fails. */
  close(): Promise<void>
}

/**
 * Nothing is asked before the first question. Each rejects with a Failure: 'unavailable' for a ClickHouse that does not answer, 'data'
 * for one that refuses, with its own words. Throws a Failure ('config') for options that the client does not know.
 */
export function openClickHouse(place: ClickHousePlace): ClickHouse {
  return new OfficialClient(place)
}

/** Without a byte for so long nobody answers. */
const timeoutMs = 60_000
/** Larger inserts are sent in pieces of so many rows, which are held in memory as text. */
const rowsPerInsert = 10_000
/** As many rows are a part of their own; fewer ClickHouse gathers with those of others, which are all waited for. */
const rowsPerPart = 1000

const settings: ClickHouseSettings = {
  date_time_input_format: 'best_effort',
  output_format_json_quote_64bit_integers: 0,
  output_format_json_quote_denormals: 0,
  // Each key has its time in it, and with it its partition.
  do_not_merge_across_partitions_select_final: 1,
}

class OfficialClient implements ClickHouse {
  private readonly client: ClickHouseClient

  constructor(private readonly place: ClickHousePlace) {
    const isFar = !isLoopback(new URL(place.url).hostname)
    try {
      this.client = createClient({
        compression: { request: isFar, response: isFar },
        request_timeout: timeoutMs,
        url: `${place.url}/${place.options ?? ''}`,
        application: 'claude-otel',
        username: place.user,
        password: place.password,
        database: place.database,
        clickhouse_settings: { ...settings },
        keep_alive: { eagerly_destroy_stale_sockets: true },
        json: { parse: JSON.parse, stringify: wellFormedJson },
        log: { LoggerClass: Silence, level: ClickHouseLogLevel.OFF },
      })
    } catch (error) {
      throw new Failure(
        'config',
        `ClickHouse at ${place.url}: ${describeError(error)}`,
        `for example ${clickhouseExample}`,
      )
    }
  }

  async run(statement: string): Promise<void> {
    await this.asked(() => this.client.command({ query: statement, clickhouse_settings: { wait_end_of_query: 1 } }))
  }

  rows<Row>(question: string): Promise<readonly Row[]> {
    return this.asked(async () => {
      const answer = await this.client.query({ query: question, format: 'JSONEachRow' })
      return answer.json<Row>()
    })
  }

  async insert(table: string, rows: readonly object[]): Promise<void> {
    for (let from = 0; from < rows.length; from += rowsPerInsert)
      await this.insertPiece(table, rows.slice(from, from + rowsPerInsert))
  }

  close(): Promise<void> {
    return this.client.close()
  }

  private async insertPiece(table: string, values: readonly object[]): Promise<void> {
    const [first, ...others] = new Set(values.flatMap((row) => Object.keys(row)))
    if (first === undefined) return
    const isSmall = values.length < rowsPerPart
    await this.asked(() =>
      this.client.insert({
        table,
        columns: [`\`${first}\``, ...others.map((name) => `\`${name}\``)],
        values,
        format: 'JSONEachRow',
        clickhouse_settings: { async_insert: isSmall ? 1 : 0, wait_for_async_insert: 1, wait_end_of_query: 1 },
      }),
    )
  }

  /** A connection that was kept open may be gone when it is used again, or end before the answer: once more, by another. */
  private async asked<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    try {
      return await ask().catch((error: unknown) => {
        if (isCut(error)) return ask()
        throw error
      })
    } catch (error) {
      throw this.failure(error)
    }
  }

  private failure(error: unknown): Failure {
    const { url } = this.place
    if (!(error instanceof ClickHouseError))
      return new Failure('unavailable', `ClickHouse at ${url} does not answer: ${describeError(error).slice(0, 300)}`)
    const words = error.message.trim().split('\n')[0] ?? ''
    return new Failure(
      'data',
      `ClickHouse at ${url} refuses: ${words.slice(0, 500)} (${error.type})`,
      hints[error.code],
    )
  }
}

const otherSchema =
  'its schema is of another version: `claude-otel stack up` or a hub that keeps there brings it up to date'

/** By ClickHouse's own numbers of what can go wrong. */
const hints: Readonly<Record<string, string>> = {
  47: otherSchema,
  60: otherSchema,
  81: 'make it: CREATE DATABASE, or name another one in the URL',
  164: 'give it a user who may write; to read, one of readonly = 2',
  241: 'it has too little memory for that: raise its bounds, or ask for less',
  243: 'its disk is full',
  497: 'give it a user who may do that',
  516: 'see the user and the password in the URL',
}

/** Half a surrogate pair would be refused, with all that comes along. */
function wellFormedJson(value: unknown): string {
  const text = JSON.stringify(value)
  return text.includes('\\ud') ? JSON.stringify(wellFormed(value)) : text
}

function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key.toWellFormed(), wellFormed(each)]))
}

/** By what Bun and Node call it. */
const cuts: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE', 'ConnectionClosed'])

function isCut(error: unknown): boolean {
  return error instanceof Error && 'code' in error && cuts.has(error.code)
}

/** The client would speak on the terminal. */
class Silence implements Logger {
  trace(): void {}
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(): void {}
}
