/** Sessions that claude-otel and Claude Code both told of, as a receiver decoded them; `record.ts` made them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EventReader } from '../../src/dashboard/event-facts.ts'
import { oneTree, type TreeSpan } from '../../src/dashboard/one-tree.ts'
import { readSpanFacts } from '../../src/dashboard/span-facts.ts'
import type { OtlpLogRecord, OtlpSource, OtlpSpan } from '../../src/telemetry/otlp.ts'

export interface Both {
  readonly spans: readonly OtlpSpan[]
  /** By time, as a store gives them. */
  readonly logs: readonly OtlpLogRecord[]
}

export const bothCases = ['print', 'refused', 'terminal'] as const

/** Who is heard of a session: all, or some of those who tell. */
export const hearings = ['all', 'wrapper and events', 'wrapper', 'native', 'events'] as const
export type Hearing = (typeof hearings)[number]

export function readBoth(name: (typeof bothCases)[number], hearing: Hearing = 'all'): Both {
  const path = join(import.meta.dir, '../fixtures/both', `${name}.json`)
  const { sources, spans, logs } = JSON.parse(readFileSync(path, 'utf8')) as {
    readonly sources: readonly OtlpSource[]
    readonly spans: readonly (OtlpSpan & { readonly source: unknown })[]
    readonly logs: readonly (OtlpLogRecord & { readonly source: unknown })[]
  }
  const sourceOf = (index: unknown): OtlpSource => sources[Number(index)] as OtlpSource
  const isHeard = (isOurs: boolean, what: 'spans' | 'logs') =>
    isOurs ? hearing !== 'native' && hearing !== 'events' : isHeardOf(hearing, what)
  return {
    spans: spans
      .map((span) => ({ ...span, source: sourceOf(span.source) }))
      .filter((span) => isHeard(isOfWrapper(span), 'spans')),
    logs: logs
      .map((log) => ({ ...log, source: sourceOf(log.source) }))
      .filter((log) => isHeard(isOfWrapper(log), 'logs'))
      .sort((a, b) => a.timeUnixMicro - b.timeUnixMicro),
  }
}

function isHeardOf(hearing: Hearing, what: 'spans' | 'logs'): boolean {
  if (hearing === 'wrapper') return false
  return what === 'logs' || hearing === 'all' || hearing === 'native'
}

export function isOfWrapper({ source }: { readonly source: OtlpSource }): boolean {
  return source.scopeName === 'claude-otel'
}

export function treeOf({ spans, logs }: Both): readonly TreeSpan[] {
  const events = new EventReader()
  for (const log of logs) events.take(log)
  return oneTree(spans.map(readSpanFacts), [], events.facts())
}
