/**
 * What the lines of a transcript say. A line's meaning takes from those before it: the prompt that it belongs to, the model, the
 * time since which a request can have run.
 */
import type { Keeper } from '../telemetry/keeper.ts'
import type { Preview } from '../telemetry/preview.ts'
import { isRecord } from '../telemetry/summary.ts'
import { projectFolderName } from './settings-places.ts'
import { createToolCall, createToolResponse, isRefusal, readFailure, type ToolCall } from './tool-call.ts'
import type {
  CostState,
  TranscriptDetail,
  TranscriptFact,
  TranscriptOptions,
  TurnStopReason,
  Usage,
} from './transcript.ts'

export type Line = Readonly<Record<string, unknown>>

/** Keeps what a line's meaning takes from the lines before it: the prompt, the model, the last time. */
export class LineParser {
  private promptId: string | undefined
  private model: string | undefined
  private version: string | undefined
  private lastUnixMicro: number
  /** The latest time of all lines so far. */
  reachedUnixMicro = 0
  private isFresh = false
  /** The session that asked for the last answer before this run, where it is another one. */
  private askedBy: string | undefined
  private shellInput: string | undefined
  private costBefore: CostState | undefined
  private instructions = ''

  private readonly keeper: Keeper

  constructor(private readonly options: TranscriptOptions) {
    this.keeper = options.keeper
    this.lastUnixMicro = options.sinceUnixMicro
  }

  parse(text: string, offset: number): TranscriptFact[] {
    const line = parseLine(text)
    if (line === undefined) return []
    const time = typeof line.timestamp === 'string' ? Date.parse(line.timestamp) * 1000 : Number.NaN
    if (time > this.reachedUnixMicro) this.reachedUnixMicro = time
    const isOld = time < this.options.sinceUnixMicro
    // In a fork's file what waits in the queue stands before the copied lines.
    const isFresh = !Number.isNaN(time) && !isOld && line.type !== 'queue-operation'
    const details = [...this.begin(isFresh)]
    if (typeof line.version === 'string') this.version = this.keeper.mask(line.version)
    if (typeof line.promptId === 'string') this.promptId = this.keeper.mask(line.promptId)
    if (isOld && line.type === 'assistant') this.askedBy = foreignSession(line)
    details.push(...(isOld ? [] : this.details(line)))
    const timeUnixMicro = Number.isNaN(time) ? this.lastUnixMicro : time
    // A failed attempt and a block of the same message do not begin a request.
    const begins = line.type !== 'assistant' && line.subtype !== 'api_error'
    // A prompt from the queue has the time at which it was typed.
    if (!isOld && begins) this.lastUnixMicro = Math.max(this.lastUnixMicro, timeUnixMicro)
    const kept = this.keeper.takeTally()
    return details.map((detail, index) => ({
      timeUnixMicro,
      ...(this.promptId === undefined ? {} : { promptId: this.promptId }),
      ...(this.version === undefined ? {} : { claudeVersion: this.version }),
      offset,
      detail,
      ...(index > 0 || kept === undefined ? {} : { kept }),
    }))
  }

  /** The first line of this run: where the ones before it came from, and what the session had cost, is known now. */
  private *begin(isFresh: boolean): Generator<TranscriptDetail> {
    if (!isFresh || this.isFresh) return
    this.isFresh = true
    const { askedBy } = this
    if (askedBy !== undefined) yield { type: 'copied', fromSessionId: this.keeper.mask(askedBy) }
    if (this.costBefore !== undefined) yield { type: 'cost', before: true, cost: this.costBefore }
  }

  private *details(line: Line): Generator<TranscriptDetail> {
    if (line.type === 'assistant') yield* this.assistant(line)
    if (line.type === 'user') yield* this.user(line)
    if (line.type === 'system') yield* this.system(line)
    if (line.type === 'cost-state') {
      if (this.isFresh) yield { type: 'cost', before: false, cost: readCost(line, this.keeper.mask) }
      else this.costBefore = readCost(line, this.keeper.mask)
    }
    if (line.type === 'queue-operation' && line.operation === 'dequeue') yield { type: 'dequeue' }
    if (line.type === 'attachment') yield* this.attachment(record(line.attachment), string(line.cwd) ?? '')
  }

  private *attachment(attachment: Line, cwd: string): Generator<TranscriptDetail> {
    const { type } = attachment
    const model = type === 'model' ? record(attachment.identity).modelId : undefined
    if (typeof model === 'string') this.model = this.keeper.mask(model)
    const queued = type === 'queued_command' ? textOf(attachment.prompt) : ''
    if (queued !== '') {
      yield {
        type: 'queued-prompt',
        prompt: this.keeper.preview('prompt.preview', queued, 'message'),
        source: promptSource(queued),
      }
    }
    if (type === 'prompt_snapshot') yield* this.systemPrompt(attachment.systemPrompt, cwd)
    if (type === 'max_turns_reached') yield this.turnStop('max_turns', `${number(attachment.maxTurns)} turns`)
    if (type === 'hook_stopped_continuation') yield this.turnStop('stopped_by_hook', string(attachment.message) ?? '')
  }

  private *systemPrompt(told: unknown, cwd: string): Generator<TranscriptDetail> {
    const all = Array.isArray(told) ? told.filter((text) => typeof text === 'string' && text.trim() !== '') : []
    const known = JSON.stringify(all)
    if (all.length === 0 || known === this.instructions || !this.keeper.keeps('gen_ai.system_instructions')) return
    this.instructions = known
    const texts = all.map((text) =>
      this.keeper.preview('gen_ai.system_instructions', withoutFolderName(text, cwd, this.keeper.mask(cwd))),
    )
    yield { type: 'instructions', texts }
  }

  private turnStop(reason: TurnStopReason, text: string): Extract<TranscriptDetail, { type: 'turn-stop' }> {
    return { type: 'turn-stop', reason, message: this.keeper.preview('error.message', text) }
  }

  private *assistant(line: Line): Generator<TranscriptDetail> {
    const message = record(line.message)
    const text = textOf(message.content)
    if (line.isApiErrorMessage === true) {
      yield {
        type: 'api-failure',
        error: this.keeper.mask(errorType(line)),
        ...(typeof line.apiErrorStatus === 'number' ? { status: line.apiErrorStatus } : {}),
        ...(this.model === undefined ? {} : { model: this.model }),
        message: this.keeper.preview('error.message', text),
        startUnixMicro: this.requestStart(line),
      }
      return
    }
    const id = string(message.id)
    if (id === undefined || typeof message.model !== 'string' || message.model === '<synthetic>') return
    const model = this.keeper.mask(message.model)
    this.model = model
    const usage = record(message.usage)
    yield {
      type: 'message',
      messageId: this.keeper.mask(id),
      ...this.optional('requestId', line.requestId),
      model,
      ...this.optional('requestedModel', line.requestedModel),
      usage: {
        input: number(usage.input_tokens),
        output: number(usage.output_tokens),
        cacheRead: number(usage.cache_read_input_tokens),
        cacheCreation: number(usage.cache_creation_input_tokens),
        cacheCreation1h: number(record(usage.cache_creation).ephemeral_1h_input_tokens),
        thinking: number(record(usage.output_tokens_details).thinking_tokens),
      },
      ...this.optional('stopReason', message.stop_reason),
      startUnixMicro: this.requestStart(line),
      ...(text === '' ? {} : { text: this.keeper.preview('response.preview', text, 'message') }),
      ...this.thinking(message.content),
      ...this.toolUses(message.content),
      ...this.optional('effort', line.effort),
      ...this.optional('speed', usage.speed),
    }
  }

  /** Some lines are stamped ahead of their time; no request begins after its answer. */
  private requestStart({ timestamp }: Line): number {
    return typeof timestamp === 'string'
      ? Math.min(this.lastUnixMicro, Date.parse(timestamp) * 1000)
      : this.lastUnixMicro
  }

  private thinking(content: unknown): { readonly thinking?: Preview } {
    const blocks = this.keeper.keepsMessages && Array.isArray(content) ? content.filter(isRecord) : []
    const text = blocks.map((block) => string(block.thinking) ?? '').join('')
    return text === '' ? {} : { thinking: this.keeper.preview('gen_ai.output.messages', text, 'message') }
  }

  private toolUses(content: unknown): { readonly tools?: readonly ToolCall[] } {
    const blocks = Array.isArray(content) ? content.filter(isRecord) : []
    const tools = blocks.flatMap(({ type, id, name, input }) => {
      if (type !== 'tool_use' || typeof id !== 'string' || typeof name !== 'string') return []
      return [createToolCall({ name, useId: id, input }, this.keeper, 'message')]
    })
    return tools.length === 0 ? {} : { tools }
  }

  private *user(line: Line): Generator<TranscriptDetail> {
    const content = record(line.message).content
    const blocks = Array.isArray(content) ? content.filter(isRecord) : []
    for (const block of blocks) if (block.type === 'tool_result') yield* this.toolResult(block, line)
    if (blocks.some((block) => block.type === 'tool_result')) return
    const text = this.shellPrompt(line, textOf(content))
    if (text.startsWith('[Request interrupted by user')) {
      yield { type: 'interrupt', whileRunning: line.interruptedMessageId !== undefined }
    } else if (isPrompt(line, text)) {
      yield {
        type: 'prompt',
        prompt: this.keeper.preview('prompt.preview', text, 'message'),
        source: promptSource(text),
      }
    }
  }

  /** `!command` is two lines, what was typed and what it printed; the second begins a turn. */
  private shellPrompt({ turnOrigin }: Line, text: string): string {
    const input = /^<bash-input>([\s\S]*)<\/bash-input>$/.exec(text)?.[1]
    if (input !== undefined) this.shellInput = input
    return turnOrigin !== undefined && this.shellInput !== undefined && text.startsWith('<bash-stdout>')
      ? `!${this.shellInput}`
      : text
  }

  private *toolResult(block: Line, line: Line): Generator<TranscriptDetail> {
    const useId = string(block.tool_use_id)
    if (useId === undefined) return
    const isError = block.is_error === true
    const text = isError ? textOf(block.content) : ''
    const rejected = string(record(line.permissionDecision).decision) === 'reject' ? 'rejected' : undefined
    yield {
      type: 'tool-result',
      useId: this.keeper.mask(useId),
      isError,
      ...this.optional('denial', line.toolDenialKind ?? rejected),
      ...(line.toolDenialBeforeRun === true ? { neverRan: true } : {}),
      message: this.keeper.preview('error.message', text, 'message'),
      refused: isRefusal(text),
      ...(isError ? readFailure(text) : {}),
      response: isError
        ? createToolResponse(text, this.keeper)
        : createToolResponse(line.toolUseResult ?? block.content, this.keeper, 'message'),
    }
  }

  private *system(line: Line): Generator<TranscriptDetail> {
    if (line.subtype === 'api_error') {
      const error = record(line.error)
      yield {
        type: 'api-retry',
        ...(typeof error.status === 'number' ? { status: error.status } : {}),
        message: this.keeper.preview('error.message', string(error.formatted) ?? string(error.message) ?? ''),
        attempt: number(line.retryAttempt),
        retryInMs: number(line.retryInMs),
      }
    }
    const { ending } = record(line.promptSubmitEnding)
    if (record(ending).kind === 'blocked_by_hook') {
      const prompt = string(line.content)?.split('\n\nOriginal prompt: ').at(1)
      const stop = this.turnStop('blocked_by_hook', string(record(ending).reason) ?? '')
      yield prompt === undefined ? stop : { ...stop, prompt: this.keeper.preview('prompt.preview', prompt) }
    }
    if (line.subtype === 'compact_boundary') {
      const data = record(line.compactMetadata)
      yield {
        type: 'compaction',
        trigger: this.keeper.mask(string(data.trigger) ?? 'unknown'),
        preTokens: number(data.preTokens),
        ...(typeof data.postTokens === 'number' ? { postTokens: data.postTokens } : {}),
        durationMs: number(data.durationMs),
      }
    }
  }

  private optional<K extends string>(key: K, value: unknown): { readonly [P in K]?: string } {
    return (typeof value === 'string' ? { [key]: this.keeper.mask(value) } : {}) as { readonly [P in K]?: string }
  }
}

/**
 * A person's prompt, or a finished task's: not what Claude Code writes down of its own commands and summaries, nor what it only writes
 * down, such as that a subagent of a claude that was killed has stopped.
 */
function isPrompt(line: Line, text: string): boolean {
  if (
    line.queueTranscriptOnly === true ||
    line.isMeta === true ||
    line.isCompactSummary === true ||
    line.promptId === undefined ||
    text === ''
  )
    return false
  return !/^<(?:command-|local-command|bash-)/.test(text)
}

/** Claude Code's own folder is named for the working directory, in a spelling in which no secret is known again. */
function withoutFolderName(text: string, cwd: string, masked: string): string {
  return masked === cwd ? text : text.replaceAll(projectFolderName(cwd), masked)
}

/** Claude Code's word for the failure, or its HTTP status. */
function errorType({ error, apiErrorType, apiErrorStatus }: Line): string {
  const words = [error, apiErrorType].filter((word) => typeof word === 'string' && word !== 'unknown')
  return string(words[0]) ?? (typeof apiErrorStatus === 'number' ? String(apiErrorStatus) : 'unknown')
}

/** A line that a fork has copied names the session whose request it answers. */
function foreignSession({ requestSessionId, sessionId }: Line): string | undefined {
  return requestSessionId === sessionId ? undefined : string(requestSessionId)
}

/** A finished background task speaks through a prompt that no person wrote. */
export function promptSource(text: string): string {
  return text.startsWith('<task-notification>') ? 'task_notification' : 'user'
}

export function readCost(line: Line, mask: Keeper['mask']): CostState {
  const models = Object.entries(record(line.modelUsage)).map(([model, value]) => {
    const data = record(value)
    const usage: Usage = {
      input: number(data.inputTokens),
      output: number(data.outputTokens),
      cacheRead: number(data.cacheReadInputTokens),
      cacheCreation: number(data.cacheCreationInputTokens),
      cacheCreation1h: 0,
      thinking: number(data.thinkingTokens),
    }
    return [mask(model), { usage, usd: number(data.costUSD) }] as const
  })
  return { totalUsd: number(line.totalCostUSD), models: Object.fromEntries(models) }
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content
    .filter(isRecord)
    .map((block) => string(block.text) ?? '')
    .filter((text) => text !== '')
    .join('\n')
}

export function parseLine(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function record(value: unknown): Line {
  return isRecord(value) ? value : {}
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}
