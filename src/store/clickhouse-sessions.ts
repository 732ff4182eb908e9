/** Sessions as wholes in ClickHouse: a table that every signal adds what it says to, and the view of what is known. */
import { text } from './clickhouse-columns.ts'
import { quote } from './clickhouse-place.ts'
import { metricTables } from './clickhouse-tables.ts'
import type { SessionFacts } from './session-facts.ts'

const sessionFacts = [
  'TraceId',
  'ConversationId',
  'Source',
  'Cwd',
  'Repository',
  'Branch',
  'User',
  'Model',
  'Version',
  'Title',
  'EndReason',
] as const
type SessionFact = (typeof sessionFacts)[number]

/** What rows say of sessions as wholes, the last word of each fact; merged in any order, however often, it says the same. */
export const sessionTable = `CREATE TABLE IF NOT EXISTS claude_session_facts (
  SessionId ${text},
  FirstTime SimpleAggregateFunction(min, DateTime64(6)),
  LastTime SimpleAggregateFunction(max, DateTime64(6)),
  EndTime SimpleAggregateFunction(max, DateTime64(6)),
  ${sessionFacts.map((fact) => `${fact} AggregateFunction(argMax, String, Tuple(UInt8, Int64))`).join(',\n  ')}
) ENGINE = AggregatingMergeTree
ORDER BY SessionId`

export const sessionsView = `CREATE VIEW IF NOT EXISTS claude_sessions AS
SELECT SessionId, min(claude_session_facts.FirstTime) AS FirstTime, max(claude_session_facts.LastTime) AS LastTime,
  max(claude_session_facts.EndTime) AS EndTime,
  ${sessionFacts.map((fact) => `argMaxMerge(claude_session_facts.${fact}) AS ${fact}`).join(',\n  ')}
FROM claude_session_facts GROUP BY SessionId`

interface SessionTeller {
  readonly table: string
  readonly attributes: string
  readonly start: string
  readonly end: string
  /** What not every signal tells. */
  readonly facts: Readonly<Partial<Record<SessionFact, string>>>
}

/** The first of these that is there, the signal's own before the resource's. */
function said(attributes: string, ...names: readonly string[]): string {
  const places = names.flatMap((name) => [`${attributes}['${name}']`, `ResourceAttributes['${name}']`])
  return `arrayFirst(each -> each != '', [${places.join(', ')}])`
}

/** A subagent's or an auxiliary request's model is not the session's. */
function mainModel(attributes: string): string {
  const of = (name: string) => `${attributes}['${name}']`
  const lane = `multiIf(${of('query_source')} != '', ${of('query_source')}, ${of('claude.query_source')} != '', ${of('claude.query_source')}, 'main')`
  const isMain = `${of('gen_ai.agent.id')} = '' AND ${of('agent_id')} = '' AND ${lane} IN ('main', 'sdk', 'repl_main_thread')`
  return `if(${isMain}, if(${of('gen_ai.response.model')} != '', ${of('gen_ai.response.model')}, ${of('model')}), '')`
}

export function sessionsFrom({ table, attributes, start, end, facts }: SessionTeller): string {
  const of = (name: string) => `${attributes}['${name}']`
  const told: Readonly<Record<SessionFact, string>> = {
    TraceId: "''",
    ConversationId: said(attributes, 'gen_ai.conversation.id'),
    Source: said(attributes, 'session.source'),
    Cwd: said(attributes, 'process.working_directory'),
    Repository: `if(${of('vcs.owner.name')} = '', ${of('vcs.repository.name')}, concat(${of('vcs.owner.name')}, '/', ${of('vcs.repository.name')}))`,
    Branch: said(attributes, 'vcs.ref.head.name'),
    User: said(attributes, 'user.email', 'user.account_uuid'),
    Model: mainModel(attributes),
    Version: said(attributes, 'claude.version', 'app.version'),
    Title: "''",
    EndReason: "''",
    ...facts,
  }
  // The first prompt is the title; of everything else the last word counts.
  const order = (fact: SessionFact) => (fact === 'Title' ? '-' : '')
  const states = sessionFacts.map(
    (fact) => `argMaxState(f${fact}, (toUInt8(f${fact} != ''), ${order(fact)}toUnixTimestamp64Nano(Ended))) AS ${fact}`,
  )
  return `CREATE MATERIALIZED VIEW IF NOT EXISTS claude_session_facts_from_${table} TO claude_session_facts AS
SELECT Session AS SessionId, toDateTime64(min(Started), 6) AS FirstTime, toDateTime64(max(Ended), 6) AS LastTime,
  toDateTime64(maxIf(Ended, fEndReason != ''), 6) AS EndTime,
  ${states.join(',\n  ')}
FROM (
  SELECT ${of('session.id')} AS Session, ${start} AS Started, ${end} AS Ended,
    ${sessionFacts.map((fact) => `${told[fact]} AS f${fact}`).join(',\n    ')}
  FROM ${table} WHERE ${of('session.id')} != ''
) GROUP BY SessionId`
}

export const sessionTellers: readonly SessionTeller[] = [
  {
    table: 'otel_traces',
    attributes: 'SpanAttributes',
    start: 'Timestamp',
    end: 'Timestamp + toIntervalNanosecond(Duration)',
    facts: {
      // Claude Code's own spans have other traces.
      TraceId: "if(startsWith(SpanName, 'claude_code.'), '', TraceId)",
      EndReason: "if(SpanName = 'claude.session', SpanAttributes['session.end_reason'], '')",
    },
  },
  {
    table: 'otel_logs',
    attributes: 'LogAttributes',
    start: 'Timestamp',
    end: 'Timestamp',
    facts: {
      TraceId: "if(startsWith(EventName, 'claude.'), TraceId, '')",
      EndReason: "if(EventName = 'session.end', LogAttributes['session.end_reason'], '')",
      Title: `multiIf(EventName = 'claude.user_prompt', LogAttributes['prompt.preview'],
      EventName IN ('user_prompt', 'claude_code.user_prompt') AND LogAttributes['prompt'] != '<REDACTED>',
      LogAttributes['prompt'], '')`,
    },
  },
  ...metricTables.map((kind) => ({
    table: `otel_metrics_${kind}`,
    attributes: 'Attributes',
    start: 'TimeUnix',
    end: 'TimeUnix',
    facts: {},
  })),
]

/** Says of sessions what another store knows of them, of which not every signal may be left; what is heard later counts more. */
export function keepSessions(sessions: readonly SessionFacts[]): string {
  const states = sessionFacts.map((fact) => {
    const time = fact === 'Title' ? '-toUnixTimestamp64Nano(FirstTime)' : 'toUnixTimestamp64Nano(LastTime)'
    return `argMaxState(f${fact}, (toUInt8(f${fact} != ''), ${time}))`
  })
  const columns = ['SessionId String', ...sessionTimes.map((name) => `${name} DateTime64(6)`)]
  const rows = sessions.map((facts) => {
    const times = [facts.firstTime, facts.lastTime, facts.endTime ?? 0].map(
      (micro) => `fromUnixTimestamp64Micro(${Math.floor(micro)})`,
    )
    return `(${[quote(facts.id), ...times, ...sessionFacts.map((fact) => quote(toldOf(facts, fact)))].join(', ')})`
  })
  return `INSERT INTO claude_session_facts (SessionId, ${sessionTimes.join(', ')}, ${sessionFacts.join(', ')})
SELECT SessionId, ${sessionTimes.map((name) => `any(${name})`).join(', ')}, ${states.join(', ')}
FROM values('${[...columns, ...sessionFacts.map((fact) => `f${fact} String`)].join(', ')}', ${rows.join(', ')})
GROUP BY SessionId`
}

const sessionTimes = ['FirstTime', 'LastTime', 'EndTime'] as const

function toldOf(facts: SessionFacts, fact: SessionFact): string {
  return facts[`${fact[0]?.toLowerCase()}${fact.slice(1)}` as Uncapitalize<SessionFact>] ?? ''
}
