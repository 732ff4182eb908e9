/**
 * The journal's entries: everything the assembler is told, in order. They are masked and cut already.
 * Times are microseconds since the Unix epoch.
 */
import type { HookEvent } from '../claude/hook-event.ts'
import type { CostState, TranscriptDetail } from '../claude/transcript.ts'
import type { Tally } from '../telemetry/keeper.ts'
import type { Attributes, SpanRef } from '../telemetry/signal.ts'
import type { SamplerChoice } from '../telemetry/trace-context.ts'

/** The first entry. Whoever reads the journal later needs nothing else to give the same signals. */
export interface RunEntry {
  readonly k: 'run'
  readonly v: 1
  readonly at: number
  readonly runId: string
  readonly resource: Attributes
  readonly sampler: SamplerChoice
  /** Characters that messages, and a call's arguments and result, may have as JSON; absent where nobody wants them. */
  readonly history?: HistoryChoice
  /** The session span that TRACEPARENT in claude's environment names, and claude's process; only when we started it. */
  readonly wrapped?: {
    readonly root: SpanRef
    readonly pid: number
    /** See processes.ts. */
    readonly birth?: number
    /** By claude's arguments: for a session whose SessionStart nobody tells. */
    readonly source: 'startup' | 'resume' | 'fork'
    /** Callbacks of the process that started it tell of its events; what processes tell of the same is a double. */
    readonly callbacks?: true
  }
  /** TRACEPARENT as the wrapper found it. */
  readonly parent?: SpanRef
}

export interface HistoryChoice {
  readonly messages: number
  readonly calls: number
}

export interface HookEntry {
  readonly k: 'hook'
  readonly at: number
  /** File name in the spool: read once, however often the spool is read again. */
  readonly from: string
  /** Process id of the claude that ran the hook. */
  readonly pid: number
  /** Of that process, with the first entry that names it; see processes.ts. */
  readonly birth?: number
  readonly traceparent?: string
  /** How long the hook's process took to hand its record over. */
  readonly tookMicro?: number
  /** Hash of the payload, by which a hook that is registered twice is known. */
  readonly key?: string
  readonly event: HookEvent
  /** What was cut and masked in it. */
  readonly kept?: Tally
  /** What was looked up when it was taken; one line with it, so that no crash can part them. */
  readonly found?: readonly (PreviousEntry | RepositoryEntry)[]
}

export interface TranscriptEntry {
  readonly k: 'line'
  readonly at: number
  readonly session: string
  readonly agent?: string
  readonly file: string
  readonly offset: number
  readonly promptId?: string
  readonly claudeVersion?: string
  readonly detail: TranscriptDetail
  /** What was cut and masked in the line; with the first of its facts. */
  readonly kept?: Tally
}

/** `subagents/agent-<id>.meta.json`. */
export interface AgentEntry {
  readonly k: 'agent'
  readonly at: number
  readonly session: string
  readonly agent: string
  readonly agentType?: string
  readonly toolUseId?: string
  readonly description?: string
}

/** The earlier life of a resumed or forked session, as far as we know it. */
export interface PreviousEntry {
  readonly k: 'previous'
  readonly at: number
  readonly session: string
  readonly previousId: string
  readonly conversationId: string
  readonly ref?: SpanRef
  /** What the forked session had cost by then. */
  readonly cost?: CostState
}

export interface RepositoryEntry {
  readonly k: 'repository'
  readonly at: number
  readonly session: string
  readonly attributes: Attributes
}

export interface ExitEntry {
  readonly k: 'exit'
  readonly at: number
  readonly pid: number
  readonly code?: number
  readonly signal?: string
}

/** A hook that came twice, because it is registered twice: this one is left out. */
export interface DuplicateEntry {
  readonly k: 'duplicate'
  readonly at: number
  readonly from: string
}

export interface BrokenEntry {
  readonly k: 'broken'
  readonly at: number
  readonly from: string
  readonly reason: string
  readonly bytes: number
}

export type Entry =
  | RunEntry
  | HookEntry
  | TranscriptEntry
  | AgentEntry
  | PreviousEntry
  | RepositoryEntry
  | ExitEntry
  | BrokenEntry
  | DuplicateEntry
