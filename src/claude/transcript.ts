/**
 * Claude Code's transcript files (`~/.claude/projects/<folder>/<session>.jsonl` and `<session>/subagents/agent-*.jsonl`),
 * read as they grow. Lines become facts; what a fact carries of anybody's text is masked and cut.
 *
 * As observed (2.1.329): one `assistant` line per content block, all of one message with the same final usage, with lines
 * of others possibly in between; `cost-state` is the running total of the whole session with its subagents and has no time;
 * a resumed session appends to its file, a forked one begins with a copy of the other's lines.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { Keeper, Tally } from '../telemetry/keeper.ts'
import type { Preview } from '../telemetry/preview.ts'
import type { ToolCall, ToolResponse } from './tool-call.ts'
import { LineParser, parseLine, readCost } from './transcript-lines.ts'
import { findPlace, type Place } from './transcript-place.ts'

/** Claude's own meaning: `input` leaves cached tokens out. */
export interface Usage {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheCreation: number
  /** Part of `cacheCreation`, where it is told: written for an hour instead of five minutes. */
  readonly cacheCreation1h: number
  /** Part of `output`, where it is told. */
  readonly thinking: number
}

export const noUsage: Usage = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0, cacheCreation1h: 0, thinking: 0 }

export interface CostState {
  readonly totalUsd: number
  readonly models: Readonly<Record<string, { readonly usage: Usage; readonly usd: number }>>
}

export type TurnStopReason = 'blocked_by_hook' | 'stopped_by_hook' | 'max_turns'

export type TranscriptDetail =
  /** What a hook tells as UserPromptSubmit. */
  | { readonly type: 'prompt'; readonly prompt: Preview; readonly source: string }
  | {
      readonly type: 'message'
      readonly messageId: string
      readonly requestId?: string
      readonly model: string
      readonly requestedModel?: string
      readonly usage: Usage
      readonly stopReason?: string
      /** When the line before was written, which is when the request can have begun. */
      readonly startUnixMicro: number
      readonly text?: Preview
      /** Only where messages are kept. */
      readonly thinking?: Preview
      /** The calls that this line asks for. */
      readonly tools?: readonly ToolCall[]
      readonly effort?: string
      readonly speed?: string
    }
  | {
      readonly type: 'api-failure'
      readonly error: string
      readonly status?: number
      readonly model?: string
      readonly message: Preview
      readonly startUnixMicro: number
    }
  | {
      readonly type: 'api-retry'
      readonly status?: number
      readonly message: Preview
      readonly attempt: number
      readonly retryInMs: number
    }
  | {
      readonly type: 'tool-result'
      readonly useId: string
      readonly isError: boolean
      /** A person or a rule refused the call, or a running one was interrupted: Claude Code's word for it. */
      readonly denial?: string
      /** It was refused before it ran. */
      readonly neverRan?: boolean
      /** The failure's text; empty for a success. */
      readonly message: Preview
      readonly refused: boolean
      readonly exitCode?: number
      readonly timedOut?: boolean
      readonly response: ToolResponse
    }
  /** The system prompt, where it is kept; told again when it changes. */
  | { readonly type: 'instructions'; readonly texts: readonly Preview[] }
  | { readonly type: 'interrupt'; readonly whileRunning: boolean }
  /** A prompt that was written while the turn ran, and is told to the model within it. */
  | { readonly type: 'queued-prompt'; readonly prompt: Preview; readonly source: string }
  /** A prompt leaves the queue and begins a turn, together with those that leave it at the same time. */
  | { readonly type: 'dequeue' }
  /** A hook or a limit forbids the turn to go on. */
  | {
      readonly type: 'turn-stop'
      readonly reason: TurnStopReason
      readonly message: Preview
      /** The one that was blocked. */
      readonly prompt?: Preview
    }
  | {
      readonly type: 'compaction'
      readonly trigger: string
      readonly preTokens: number
      readonly postTokens?: number
      readonly durationMs: number
    }
  /** `before`: as it stood before this run began. */
  | { readonly type: 'cost'; readonly before: boolean; readonly cost: CostState }
  /** The lines before this run's first one are those of another session, of which this one is a fork. */
  | { readonly type: 'copied'; readonly fromSessionId: string }

export interface TranscriptFact {
  /** The line's own time; for lines without one, the time of the line before. */
  readonly timeUnixMicro: number
  readonly promptId?: string
  readonly claudeVersion?: string
  /** Bytes of the file up to the end of this line. */
  readonly offset: number
  readonly detail: TranscriptDetail
  /** What was cut and masked in the line; with the first of its facts. */
  readonly kept?: Tally
}

export interface TranscriptOptions {
  readonly path: string
  /** Lines older than this belong to an earlier life of the session. */
  readonly sinceUnixMicro: number
  /** Masks and cuts what is kept. */
  readonly keeper: Keeper
}

export interface TranscriptReader {
  /** The facts of a piece of the lines that were completed since the last call; none while the file does not exist. */
  read(): TranscriptFact[]
  /** The time of the last line that was read; beyond any, when there was nothing more to read. */
  reachedUnixMicro(): number
}

const chunkBytes = 1 << 18
/** What is read at once. */
const pieceBytes = 1 << 19
const lineFeed = 0x0a
const tailBytes = 1 << 20

export function createTranscriptReader(options: TranscriptOptions): TranscriptReader {
  const parser = new LineParser(options)
  const { path, sinceUnixMicro } = options
  let offset = 0
  let rest: Buffer = Buffer.alloc(0)
  let isBegun = false
  let hasMore = false

  return {
    read() {
      const facts: TranscriptFact[] = []
      if (!isBegun && sizeOf(path) > 0) {
        isBegun = true
        const { offset: begin, cost } = placeIn(path, sinceUnixMicro)
        offset = begin
        if (cost !== undefined) parser.parse(cost, offset)
      }
      // Somebody took the file away, and claude began it anew.
      const size = sizeOf(path)
      if (size > 0 && size < offset + rest.length) {
        offset = 0
        rest = Buffer.alloc(0)
      }
      const begun = offset
      hasMore = false
      for (const chunk of chunksFrom(path, offset + rest.length)) {
        // A line that is longer than a piece is read to its end all the same.
        if (offset - begun >= pieceBytes) {
          hasMore = true
          break
        }
        const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        let from = 0
        for (let at = data.indexOf(lineFeed, from); at !== -1; at = data.indexOf(lineFeed, from)) {
          offset += at + 1 - from
          facts.push(...parser.parse(data.toString('utf8', from, at), offset))
          from = at + 1
        }
        rest = Buffer.from(data.subarray(from))
      }
      return facts
    },
    reachedUnixMicro: () => (hasMore ? parser.reachedUnixMicro : Number.POSITIVE_INFINITY),
  }
}

/** What the last `cost-state` line says that was written up to a time; it is looked for in the file's last mebibyte. */
export function readCostAt(path: string, untilUnixMicro: number, { mask }: Keeper): CostState | undefined {
  const tail = Buffer.concat(
    Array.from(chunksFrom(path, Math.max(0, sizeOf(path) - tailBytes)), (chunk) => Buffer.from(chunk)),
  )
  let last: CostState | undefined
  for (const line of tail.toString().split('\n').map(parseLine)) {
    if (typeof line?.timestamp === 'string' && Date.parse(line.timestamp) * 1000 > untilUnixMicro) break
    if (line?.type === 'cost-state') last = readCost(line, mask)
  }
  return last
}

/** A file that cannot be read now is one that cannot be read later. */
function placeIn(path: string, sinceUnixMicro: number): Place {
  try {
    return findPlace(path, sinceUnixMicro)
  } catch {
    return { offset: 0 }
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}

/** A chunk is valid until the next one is asked for. */
function* chunksFrom(path: string, start: number): Generator<Buffer> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return
  }
  try {
    const stat = fstatSync(file)
    const size = stat.isFile() ? stat.size : 0
    for (let at = start; at < size; ) {
      const length = readSync(file, scratch, 0, Math.min(scratch.length, size - at), at)
      if (length === 0) return
      yield scratch.subarray(0, length)
      at += length
    }
  } finally {
    closeSync(file)
  }
}

const scratch = Buffer.allocUnsafe(chunkBytes)
