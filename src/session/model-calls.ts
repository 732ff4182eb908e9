/**
 * The `chat` spans and the tokens, from the transcript. Every message id counts once. What Claude Code's own running total
 * (`cost-state`) has beyond them becomes one auxiliary `chat` span, so that the sum over all `chat` spans is what was served.
 */
import { type CostState, noUsage, type TranscriptDetail, type Usage } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { addUsage, type Emitter, exceedingUsage, usageAttributes } from './emitter.ts'
import type { History } from './history.ts'
import { countRequest, type Invocation, noteLife } from './invocations.ts'

type Message = Extract<TranscriptDetail, { type: 'message' }>
type Failure = Extract<TranscriptDetail, { type: 'api-failure' }>
type Retry = Extract<TranscriptDetail, { type: 'api-retry' }>

interface PendingMessage {
  readonly invocation: Invocation
  message: Message
  endUnixMicro: number
  /** What the model was asked, as messages. */
  readonly input: AttributeSet
}

interface Call {
  readonly ref: SpanRef
  readonly parent: SpanRef
  readonly startUnixMicro: number
  readonly endUnixMicro: number
  /** Asked for, and answered by. */
  readonly requested: string
  readonly model: string
  readonly source: 'main' | 'subagent' | 'auxiliary'
  readonly usage: Usage
  readonly attributes: AttributeSet
}

export class ModelCalls {
  requests = 0
  errors = 0
  usage: Usage = noUsage
  costUsd: number | undefined
  /** The model that answered the main conversation last, and the one that was asked. */
  model: string | undefined
  requestedModel: string | undefined

  /** One per conversation: '' is the main one, others are agents. A message ends where the next one begins. */
  private readonly pending = new Map<string, PendingMessage>()
  private readonly counted = new Set<string>()
  private readonly usageByModel = new Map<string, Usage>()
  private baseline: CostState | undefined
  private cost: CostState | undefined

  constructor(
    private readonly emitter: Emitter,
    /** What the session's transcript says the total was before this run; a new session begins at nothing. */
    private readonly startsFromNothing: boolean,
    private readonly history: History,
  ) {}

  onMessage(message: Message, at: number, invocation: Invocation): void {
    const chain = invocation.agentId ?? ''
    const pending = this.pending.get(chain)
    if (pending?.message.messageId === message.messageId) {
      const text = message.text ?? pending.message.text
      const { startUnixMicro } = pending.message
      pending.message = { ...message, startUnixMicro, ...(text === undefined ? {} : { text }) }
      pending.endUnixMicro = Math.max(pending.endUnixMicro, at)
      this.history.onAnswer(message, invocation)
      return
    }
    this.flush(chain)
    if (this.counted.has(message.messageId)) return
    this.counted.add(message.messageId)
    const input = this.history.onAnswer(message, invocation)
    this.pending.set(chain, { invocation, message, endUnixMicro: at, input })
    if (chain !== '') return
    this.requestedModel = message.requestedModel ?? message.model
    this.noticeModel(message.model, at, invocation)
  }

  onFailure(failure: Failure, at: number, invocation: Invocation): void {
    this.flush(invocation.agentId ?? '')
    const { startUnixMicro, message, error, status, model = 'unknown' } = failure
    const ref = this.emitter.ref(`failure:${invocation.agentId ?? ''}:${at}`)
    this.emitter.span({
      ref,
      parent: invocation.ref,
      name: model === 'unknown' ? 'chat' : `chat ${model}`,
      spanKind: 'client',
      startUnixMicro: Math.max(startUnixMicro, invocation.startUnixMicro),
      endUnixMicro: at,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.agent.name': invocation.agentName,
        'prompt.id': invocation.promptId,
        'gen_ai.request.model': model,
        'gen_ai.response.finish_reasons': ['error'],
        'http.response.status_code': status,
      },
      error: { type: error, message: message.text },
    })
    this.countError(at, ref, {
      'error.type': error,
      'error.message': message.text,
      'http.response.status_code': status,
    })
  }

  onRetry(retry: Retry, at: number, invocation: Invocation): void {
    this.countError(at, invocation.ref, {
      'error.type': String(retry.status ?? 'connection'),
      'error.message': retry.message.text,
      'http.response.status_code': retry.status,
      'retry.attempt': retry.attempt,
      'retry.delay_ms': retry.retryInMs,
    })
  }

  /** `before`: the total as this run found it. */
  onCost(cost: CostState, before: boolean, at: number): void {
    if (before) {
      this.baseline = cost
      return
    }
    if (this.baseline === undefined && !this.startsFromNothing) return
    const past = this.cost ?? this.baseline
    for (const [model, { usd }] of Object.entries(cost.models)) {
      const increase = usd - (past?.models[model]?.usd ?? 0)
      if (increase > 0) this.emitter.metric('claude.cost_usd_total', at, increase, { 'gen_ai.request.model': model })
    }
    this.cost = cost
    this.costUsd = Math.max(0, cost.totalUsd - (this.baseline?.totalUsd ?? 0))
  }

  /** Whether the last that was told of a conversation ('' is the main one) is a whole answer, which asks for no tool. */
  isAnswered(chain = ''): boolean {
    const { stopReason } = this.pending.get(chain)?.message ?? {}
    return stopReason !== undefined && stopReason !== 'tool_use'
  }

  /** Emits what one conversation, or all of them, have pending. */
  flush(chain?: string): void {
    for (const [key, pending] of this.pending) {
      if (chain !== undefined && key !== chain) continue
      this.pending.delete(key)
      this.emitMessage(pending)
    }
  }

  /** The session is over: what the total has beyond the messages was spent on requests that left no line. */
  finish(session: SpanRef, startUnixMicro: number, endUnixMicro: number): void {
    this.flush()
    for (const [model, usage] of this.unaccounted()) {
      this.emitCall({
        ref: this.emitter.ref(`auxiliary:${model}`),
        parent: session,
        startUnixMicro,
        endUnixMicro,
        requested: model,
        model,
        source: 'auxiliary',
        usage,
        attributes: {},
      })
    }
  }

  private unaccounted(): [string, Usage][] {
    if (this.cost === undefined) return []
    const rows = Object.entries(this.cost.models).map(([model, { usage }]): [string, Usage] => [
      model,
      exceedingUsage(usage, this.baseline?.models[model]?.usage ?? noUsage),
    ])
    const names = new Set(rows.map(([model]) => model))
    const agree = [...this.usageByModel.keys()].every((model) => names.has(model))
    // Where the total speaks of models by other names than the messages do, only the sums can be compared.
    const compared: [string, Usage][] = agree
      ? rows.map(([model, usage]) => [model, exceedingUsage(usage, this.usageByModel.get(model) ?? noUsage)])
      : [
          [
            rows[0]?.[0] ?? 'unknown',
            exceedingUsage(rows.map(([, usage]) => usage).reduce(addUsage, noUsage), this.usage),
          ],
        ]
    return compared.filter(([, usage]) => Object.values(usage).some((tokens) => tokens > 0))
  }

  private emitMessage({ invocation, message, endUnixMicro: told, input }: PendingMessage): void {
    const ref = this.emitter.ref(`message:${message.messageId}`)
    // An agent that goes on after /clear is known here by a hook that may come after its message.
    const startUnixMicro = Math.max(message.startUnixMicro, invocation.startUnixMicro)
    const endUnixMicro = Math.max(told, startUnixMicro)
    this.emitCall({
      ref,
      parent: invocation.ref,
      startUnixMicro,
      endUnixMicro,
      requested: message.requestedModel ?? message.model,
      model: message.model,
      source: invocation.agentId === undefined ? 'main' : 'subagent',
      usage: message.usage,
      attributes: {
        'gen_ai.agent.name': invocation.agentName,
        'gen_ai.agent.id': invocation.agentId,
        'prompt.id': invocation.promptId,
        'gen_ai.response.id': message.messageId,
        'gen_ai.response.finish_reasons': message.stopReason === undefined ? undefined : [message.stopReason],
        'gen_ai.request.reasoning.level': message.effort,
        'request.id': message.requestId,
        'claude.speed': message.speed,
        ...input,
        ...this.history.output(message.messageId, invocation.agentId),
      },
    })
    noteLife(invocation, endUnixMicro)
    countRequest(invocation, message)
    if (message.text === undefined) return
    this.emitter.log(
      'claude.assistant_response',
      endUnixMicro,
      ref,
      {
        'gen_ai.response.id': message.messageId,
        'gen_ai.response.model': message.model,
        'gen_ai.agent.name': invocation.agentName,
        'prompt.id': invocation.promptId,
        'response.preview': message.text.text,
        'response.bytes': message.text.bytes,
        'response.truncated': message.text.truncated,
      },
      message.text.text,
    )
  }

  private emitCall(call: Call): void {
    const { usage, model, requested, source, endUnixMicro: at } = call
    this.usage = addUsage(this.usage, usage)
    this.usageByModel.set(model, addUsage(this.usageByModel.get(model) ?? noUsage, usage))
    // Of an answer that was cut short the total has more output than the message; that is no request of its own.
    const isRequest = usage.input + usage.cacheRead + usage.cacheCreation > 0
    if (isRequest) this.requests += 1
    this.emitter.span({
      ref: call.ref,
      parent: call.parent,
      name: `chat ${requested}`,
      spanKind: 'client',
      startUnixMicro: call.startUnixMicro,
      endUnixMicro: at,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.request.model': requested,
        'gen_ai.response.model': model,
        'claude.query_source': source,
        ...usageAttributes(usage),
        ...call.attributes,
      },
    })
    const names = modelNames(requested, model)
    this.countTokens(usage, names, source, at)
    if (!isRequest) return
    this.emitter.metric('claude.model_requests_total', at, 1, { ...names, 'claude.query_source': source })
    this.emitter.metric(usage.cacheRead > 0 ? 'claude.cache_hits_total' : 'claude.cache_misses_total', at, 1, names)
    if (source === 'auxiliary') return
    this.emitter.metric('gen_ai.client.inference.duration', at, Math.max(0, at - call.startUnixMicro) / 1e6, names)
  }

  private countTokens(usage: Usage, names: AttributeSet, source: Call['source'], at: number): void {
    const kinds = {
      input: usage.input,
      output: usage.output,
      cache_read: usage.cacheRead,
      cache_creation: usage.cacheCreation,
    }
    for (const [kind, tokens] of Object.entries(kinds)) {
      if (tokens === 0) continue
      this.emitter.metric('claude.tokens_total', at, tokens, {
        ...names,
        'token.kind': kind,
        'claude.query_source': source,
      })
    }
    const text = { ...names, 'gen_ai.token.modality': 'text' }
    const { metric } = this.emitter
    metric('gen_ai.client.inference.usage.input_tokens', at, usage.input + usage.cacheRead + usage.cacheCreation, text)
    metric('gen_ai.client.inference.usage.output_tokens', at, usage.output, text)
    metric('gen_ai.client.inference.usage.cache_read.input_tokens', at, usage.cacheRead, text)
    metric('gen_ai.client.inference.usage.cache_write.input_tokens', at, usage.cacheCreation, text)
    metric('gen_ai.client.inference.usage.reasoning.output_tokens', at, usage.thinking, text)
  }

  private countError(at: number, ref: SpanRef, attributes: AttributeSet): void {
    this.errors += 1
    this.emitter.log('claude.api_error', at, ref, attributes, String(attributes['error.message'] ?? ''), 'error')
    this.emitter.metric('claude.api_errors_total', at, 1, { 'error.type': attributes['error.type'] })
  }

  /** A model that is new without anybody having said so (a fallback, `/model`) is a switch too. */
  private noticeModel(model: string, at: number, invocation: Invocation): void {
    const from = this.model
    this.model = model
    if (from === undefined || from === model) return
    const attributes = { 'model.from': from, 'model.to': model, 'model.source': 'observed' }
    this.emitter.log('claude.model_switch', at, invocation.ref, attributes, `${from} → ${model}`)
  }
}

function modelNames(requested: string, answered: string): AttributeSet {
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'anthropic',
    'gen_ai.request.model': requested,
    'gen_ai.response.model': answered,
  }
}
