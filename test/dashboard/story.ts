/** Sessions made by hand: spans and log records as claude-otel sends them, and a usage reader over rows. */
import type { UsageKey, UsageQuery, UsageReader, UsageRow } from '../../src/dashboard/usage-reader.ts'
import type { OtlpAttributes, OtlpBatch, OtlpLogRecord, OtlpSource, OtlpSpan } from '../../src/telemetry/otlp.ts'

export const source: OtlpSource = {
  resource: { 'service.name': 'claude-code', 'service.instance.id': 'i1' },
  scopeName: 'claude-otel',
  scopeVersion: '0.1.0',
  scopeAttributes: {},
}

export const second = 1_000_000

export class Story {
  readonly spans: OtlpSpan[] = []
  readonly logs: OtlpLogRecord[] = []
  private count = 0

  constructor(
    readonly sessionId: string,
    readonly beginUnixMicro: number,
    readonly traceId = hex(sessionId, 32),
  ) {}

  /** A span from and to seconds after the beginning; returns its id. */
  span(name: string, from: number, to: number, attributes: OtlpAttributes, parentSpanId?: string, id?: string): string {
    const spanId = id ?? this.newId()
    this.spans.push({
      source,
      traceId: this.traceId,
      spanId,
      ...(parentSpanId === undefined ? {} : { parentSpanId }),
      flags: 257,
      name,
      kind: 1,
      startUnixMicro: this.at(from),
      endUnixMicro: this.at(to),
      attributes: { 'session.id': this.sessionId, ...attributes },
      events: [],
      links: [],
      statusCode: attributes['tool.is_error'] === true ? 2 : 0,
    })
    return spanId
  }

  log(eventName: string, at: number, attributes: OtlpAttributes, spanId?: string, body?: string): void {
    this.logs.push({
      source,
      timeUnixMicro: this.at(at),
      observedUnixMicro: this.at(at),
      severityNumber: eventName.endsWith('error') ? 17 : 9,
      eventName,
      ...(body === undefined ? {} : { body }),
      attributes: { 'session.id': this.sessionId, ...attributes },
      traceId: this.traceId,
      ...(spanId === undefined ? {} : { spanId }),
    })
  }

  session(from: number, to: number, attributes: OtlpAttributes = {}): string {
    return this.span('claude.session', from, to, { 'session.end_reason': 'other', ...attributes })
  }

  turn(index: number, from: number, to: number, parent?: string, attributes: OtlpAttributes = {}): string {
    const turn = {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': 'claude-code',
      'turn.index': index,
      'turn.status': 'completed',
      'prompt.id': `p${index}`,
    }
    return this.span('invoke_agent claude-code', from, to, { ...turn, ...attributes }, parent)
  }

  chat(
    from: number,
    to: number,
    tokens: readonly [number, number, number, number],
    parent?: string,
    more: OtlpAttributes = {},
  ): string {
    const [input, output, read, creation] = tokens
    const chat = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.response.model': 'claude-opus-5-5',
      'claude.query_source': 'main',
      'tokens.input': input,
      'tokens.output': output,
      'tokens.cache_read': read,
      'tokens.cache_creation': creation,
    }
    return this.span('chat claude-opus-5-5', from, to, { ...chat, ...more }, parent)
  }

  tool(name: string, from: number, to: number, parent?: string, more: OtlpAttributes = {}): string {
    const tool = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': name,
      'tool.name': name,
      'tool.status': 'success',
      'tool.is_error': false,
      'input.summary': `${name} something`,
    }
    return this.span(`execute_tool ${name}`, from, to, { ...tool, ...more }, parent)
  }

  batches(): readonly OtlpBatch[] {
    return [
      { signal: 'logs', logs: this.logs },
      { signal: 'traces', spans: this.spans },
    ]
  }

  newId(): string {
    this.count += 1
    return hex(`${this.sessionId}${this.count}`, 16)
  }

  private at(seconds: number): number {
    return Math.round(this.beginUnixMicro + seconds * second)
  }
}

function hex(words: string, length: number): string {
  const half = (seed: number) => Bun.hash(words, seed).toString(16).padStart(16, '0')
  return `${half(1)}${half(2)}`.slice(0, length)
}

/** A row of everything that was used, as a store would keep it. */
export interface UsageFact extends Omit<UsageRow, 'day' | 'minute'> {
  readonly atMs: number
}

export function usageOf(facts: readonly UsageFact[], windows: Readonly<Record<string, number>> = {}): UsageReader {
  return {
    sums: (query) => sumsOf(facts, query),
    contextTokens: (model) => windows[model],
  }
}

function sumsOf(facts: readonly UsageFact[], { sinceMs, untilMs, by, limit }: UsageQuery): UsageRow[] {
  const rows = facts.filter(({ atMs }) => atMs >= sinceMs && atMs < untilMs).map(toRow)
  const groups = Map.groupBy(rows, (row) => JSON.stringify(by.map((key) => row[key])))
  const sums = [...groups.values()].map((group) => sumOf(group, by))
  return sums.sort((a, b) => b.inputTokens - a.inputTokens).slice(0, limit)
}

function toRow({ atMs, ...fact }: UsageFact): UsageRow {
  const date = new Date(atMs)
  const two = (number: number) => String(number).padStart(2, '0')
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return { ...fact, day, minute: Math.floor(atMs / 60_000) * 60_000 }
}

function sumOf(rows: readonly UsageRow[], by: readonly UsageKey[]): UsageRow {
  const keys = Object.fromEntries(by.map((key) => [key, rows[0]?.[key]]))
  const sum = (pick: (row: UsageRow) => number) => rows.reduce((total, row) => total + pick(row), 0)
  const costs = rows.flatMap(({ costUsd }) => costUsd ?? [])
  return {
    ...keys,
    inputTokens: sum((row) => row.inputTokens),
    outputTokens: sum((row) => row.outputTokens),
    cacheReadTokens: sum((row) => row.cacheReadTokens),
    cacheCreationTokens: sum((row) => row.cacheCreationTokens),
    costUsd: costs.length === 0 ? null : costs.reduce((total, usd) => total + usd, 0),
  }
}
