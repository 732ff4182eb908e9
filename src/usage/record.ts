/**
 * The words of usage: what the tracker tells and what it remembers. All of it is plain data that goes into rows as it is.
 * Tokens have Claude's own meaning: `inputTokens` leaves cached ones out. Times are microseconds since the Unix epoch.
 */

/**
 * Who told of it. `metrics` and `events` are Claude Code's own telemetry (a request that was cut short is only in the metrics),
 * `wrapper` the `chat` spans of claude-otel, `transcript` the transcript files. Each tells the whole on its own: they are
 * compared, never added (`chooseSource`).
 */
export type UsageSource = 'metrics' | 'wrapper' | 'events' | 'transcript'

export interface TokenCounts {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
}

/** Who spent it, and where; what is not known is absent. */
export interface Correlation {
  readonly sessionId: string
  /**
   * The larger piece of work that several sessions can belong to (a script, a CI job, a fleet of agents): `orchestration.id` of
   * `OTEL_RESOURCE_ATTRIBUTES`, which child processes inherit. A session that nobody orchestrates is its own: the session's id.
   */
  readonly orchestrationId: string
  /** `owner/name`, or what is known of it. */
  readonly repository?: string
  readonly branch?: string
  /** The e-mail address, else the account, else Claude Code's random id of the installation. */
  readonly user?: string
}

/** One increment of usage: of a request, or of what a stream of metrics grew by. */
export interface UsageRecord extends Correlation, TokenCounts {
  /** Records of the same id are parts of one increment that came in separate requests: they are added up. */
  readonly id: string
  readonly source: UsageSource
  readonly timeUnixMicro: number
  readonly model: string
  /** null: not known; in a record of the metrics, not in this part. */
  readonly costUsd: number | null
  /** `claude` (its own figure), `user` (the user's prices) or `table` and its date. */
  readonly costSource?: string
  /** main, subagent or auxiliary (titles, compactions, …). */
  readonly querySource?: string
  /** Claude Code's finer word for it, such as `compact`. */
  readonly purpose?: string
  /** A subagent's type and id; absent for the main conversation. */
  readonly agentName?: string
  readonly agentId?: string
  /** The turn. */
  readonly promptId?: string
  readonly effort?: string
  readonly speed?: string
  readonly skill?: string
  readonly mcpServer?: string
  readonly mcpTool?: string
  /** Of one request only. */
  readonly requestId?: string
  readonly traceId?: string
  readonly spanId?: string
  readonly durationMs?: number
  readonly timeToFirstTokenMs?: number
  /** Of `cacheCreationTokens`, those written for an hour, where it is told. */
  readonly cacheCreation1hTokens?: number
}

export interface UsageTotals extends TokenCounts {
  /** 0 for metrics, which do not tell. */
  readonly requests: number
  /** What is known of the cost; null where nothing is. */
  readonly costUsd: number | null
  /** Requests whose cost is not known. */
  readonly unpricedRequests: number
}

/** A session's sums, by source. */
export interface SessionUsage extends Correlation {
  /** Times of its first and last increment; 0 without any. */
  readonly firstUnixMicro: number
  readonly lastUnixMicro: number
  /** The one that is believed (`chooseSource`): what the session used is the sum of its records of this source. */
  readonly source?: UsageSource
  readonly bySource: Readonly<Partial<Record<UsageSource, UsageTotals>>>
}

/**
 * What is remembered of one stream, delta point or request, so that it counts once: the time it was last seen at and the value
 * counted by then. The rows can go when nobody will send the same again; 30 days after `timeUnixMicro` is safe for all of them.
 */
export interface StreamState {
  readonly key: string
  readonly timeUnixMicro: number
  readonly value: number
}

/** What is remembered, by key. */
export interface UsageMemory {
  readonly stream: (key: string) => StreamState | undefined
  readonly session: (sessionId: string) => SessionUsage | undefined
}

/** How points and requests were taken. */
export type Outcome =
  | 'counted'
  /** Seen before. */
  | 'repeated'
  /** Older than what its stream was last seen at, which holds it already. */
  | 'late'
  /** The first value of a stream that does not say when it began: where it stands, not what was spent. */
  | 'baseline'
  /** A stream that fell without saying that it began anew; its value was counted. */
  | 'reset'
  /** No number, negative, no monotonic sum, or ended. */
  | 'unusable'

/**
 * What a batch changes. Streams and sessions replace rows of their key, records are new; who writes them all in one transaction
 * counts everything once, whatever happens in between.
 */
export interface UsageChange {
  readonly streams: readonly StreamState[]
  readonly sessions: readonly SessionUsage[]
  readonly records: readonly UsageRecord[]
  readonly outcomes: Readonly<Partial<Record<Outcome, number>>>
}
