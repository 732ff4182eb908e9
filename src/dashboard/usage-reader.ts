/** What the dashboard asks of usage; whoever tracks it answers. */

/** What usage can be summed by. Days and minutes are those of the machine that the hub runs on. */
export type UsageKey = 'day' | 'minute' | 'sessionId' | 'model' | 'project' | 'querySource' | 'costSource'

/** A sum over everything that has the keys in common; only the keys that were asked for are there. */
export interface UsageRow {
  readonly day?: string
  /** Its beginning, milliseconds since the Unix epoch. */
  readonly minute?: number
  readonly sessionId?: string
  readonly model?: string
  readonly project?: string
  readonly querySource?: string
  /** `claude` (its own figure), `user` (the user's price file), or `table` and its date; empty where no cost is known. */
  readonly costSource?: string
  /** Claude's own meaning: without cached ones. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheCreationTokens: number
  /** null: nothing is known of the cost. */
  readonly costUsd: number | null
}

export interface UsageQuery {
  /** Milliseconds since the Unix epoch, the end not included. */
  readonly sinceMs: number
  readonly untilMs: number
  readonly by: readonly UsageKey[]
  readonly limit: number
}

export interface UsageReader {
  /** The largest sums first. With no keys there is at most one row. */
  sums(query: UsageQuery): readonly UsageRow[] | Promise<readonly UsageRow[]>
  /** How many tokens the model can see at once, where that is known. */
  contextTokens?(model: string): number | undefined
}
