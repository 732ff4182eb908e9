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

/** Claude's own meaning: `input` leaves cached tokens out. */
export interface Usage {
  readonly input: number
  readonly output: number
  readonly cacheRead: number
  readonly cacheCreation: number
  /** Part of `output`, where it is told. */
  readonly thinking: number
}

export const noUsage: Usage = { input: 0, output: 0, cacheRead: 0, cacheCreation: 0, thinking: 0 }

export interface CostState {
  readonly totalUsd: number
  readonly models: Readonly<Record<string, { readonly usage: Usage; readonly usd: number }>>
}

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
      /** The failure's text; empty for a success. */
      readonly message: Preview
      readonly refused: boolean
      readonly response: ToolResponse
    }
  | { readonly type: 'interrupt'; readonly whileRunning: boolean }
  | {
      readonly type: 'compaction'
      readonly trigger: string
      readonly preTokens: number
      readonly postTokens?: number
      readonly durationMs: number
    }
  /** `before`: as it stood before this run began. */
  | { readonly type: 'cost'; readonly before: boolean; readonly cost: CostState }
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
  /** The facts of the lines that were completed since the last call; none while the file does not exist. */
  read(): TranscriptFact[]
}

const chunkBytes = 1 << 20
const lineFeed = 0x0a

export function createTranscriptReader(options: TranscriptOptions): TranscriptReader {
  const parser = new LineParser(options)
  const { path } = options
  let offset = 0
  let rest = Buffer.alloc(0)

  return {
    read() {
      const facts: TranscriptFact[] = []
      for (const chunk of chunksFrom(path, offset + rest.length)) {
        const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
        let from = 0
        for (let end = data.indexOf(lineFeed, from); end !== -1; end = data.indexOf(lineFeed, from)) {
          offset += end + 1 - from
          facts.push(...parser.parse(data.toString('utf8', from, end), offset))
          from = end + 1
        }
        rest = Buffer.from(data.subarray(from))
      }
      return facts
    },
  }
}

/** What the last `cost-state` line says that was written up to a time; it is looked for in the file's last mebibyte. */
export function readCostAt(path: string, untilUnixMicro: number, { mask }: Keeper): CostState | undefined {
  const tail = Buffer.concat([...chunksFrom(path, Math.max(0, sizeOf(path) - chunkBytes))])
  let last: CostState | undefined
  for (const line of tail.toString().split('\n').map(parseLine)) {
    if (typeof line?.timestamp === 'string' && Date.parse(line.timestamp) * 1000 > untilUnixMicro) break
    if (line?.type === 'cost-state') last = readCost(line, mask)
  }
  return last
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

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
      const chunk = Buffer.allocUnsafe(Math.min(chunkBytes, size - at))
      const length = readSync(file, chunk, 0, chunk.length, at)
      if (length === 0) return
      yield chunk.subarray(0, length)
      at += length
    }
  } finally {
    closeSync(file)
  }
}
