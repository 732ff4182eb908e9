/**
 * Claude Code's two metrics of usage, `claude_code.token.usage` and `claude_code.cost.usage`: which part of a usage record one
 * of their points fills.
 */
import type { OtlpPoint } from '../telemetry/otlp.ts'
import { compact, textOf } from './correlation.ts'
import type { Correlation, TokenCounts, UsageRecord } from './record.ts'
import { deriveKey } from './stream.ts'

const kinds = {
  input: 'inputTokens',
  output: 'outputTokens',
  cacheRead: 'cacheReadTokens',
  cacheCreation: 'cacheCreationTokens',
} as const satisfies Record<string, keyof TokenCounts>

/** What a point counts; undefined for a point of any other metric, or of a type of token that we do not know. */
export function measuredBy(point: OtlpPoint): keyof TokenCounts | 'costUsd' | undefined {
  if (point.name === 'claude_code.cost.usage') return 'costUsd'
  const type = textOf(point.attributes.type)
  if (point.name !== 'claude_code.token.usage' || type === undefined || !Object.hasOwn(kinds, type)) return undefined
  return kinds[type as keyof typeof kinds]
}

/** The record that a point with an increment belongs to, without its numbers: one for the points of one time that differ only in type. */
export function recordOf(point: OtlpPoint, who: Correlation): UsageRecord {
  const { type: _, ...attributes } = point.attributes
  const said = (name: string): string | undefined => textOf(attributes[name])
  return compact({
    ...who,
    id: deriveKey('metrics', attributes, point.timeUnixMicro),
    source: 'metrics' as const,
    timeUnixMicro: point.timeUnixMicro,
    model: said('model') ?? 'unknown',
    inputTokens: 0,
    outputTokens: 0,
    cacheReadTokens: 0,
    cacheCreationTokens: 0,
    costUsd: null,
    querySource: said('query_source'),
    agentName: said('agent.name'),
    effort: said('effort'),
    speed: said('speed'),
    skill: said('skill.name'),
    mcpServer: said('mcp_server.name'),
    mcpTool: said('mcp_tool.name'),
  })
}

/** The record with an increment in one of its numbers. */
export function addMeasured(record: UsageRecord, name: keyof TokenCounts | 'costUsd', increment: number): UsageRecord {
  if (name === 'costUsd') return { ...record, costUsd: (record.costUsd ?? 0) + increment, costSource: 'claude' }
  return { ...record, [name]: record[name] + increment }
}
