/**
 * The `invoke_agent` spans: a turn of the session's own agent, or a subagent. Both gather what happens below them.
 */
import { noUsage, type Usage } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { addUsage, type Emitter, usageAttributes } from './emitter.ts'

export const mainAgent = 'claude-code'

/** Where a model or tool call belongs. A subagent's also counts for the turn that it was started in. */
export interface Invocation {
  readonly ref: SpanRef
  readonly agentName: string
  readonly agentId?: string
  readonly promptId?: string
  startUnixMicro: number
  /** The last sign of life. */
  lastUnixMicro: number
  readonly turn?: Invocation
  usage: Usage
  model?: string
  requestedModel?: string
  toolCalls: number
  requests: number
  isOpen: boolean
}

/** `abandoned`: claude was gone before it could end. */
export type InvocationStatus = 'completed' | 'error' | 'interrupted' | 'abandoned'

type NewInvocation = Pick<Invocation, 'ref' | 'agentName' | 'agentId' | 'promptId' | 'startUnixMicro' | 'turn'>

export function createInvocation(given: NewInvocation): Invocation {
  return { ...given, lastUnixMicro: given.startUnixMicro, usage: noUsage, toolCalls: 0, requests: 0, isOpen: true }
}

/** Something of the invocation was going on at that time. */
export function noteLife(invocation: Invocation, at: number): void {
  invocation.lastUnixMicro = Math.max(invocation.lastUnixMicro, at)
}

interface Answer {
  readonly model: string
  readonly requestedModel?: string
  readonly usage: Usage
}

export function countRequest(invocation: Invocation, { model, requestedModel = model, usage }: Answer): void {
  invocation.usage = addUsage(invocation.usage, usage)
  invocation.requests += 1
  invocation.model = model
  invocation.requestedModel = requestedModel
  if (invocation.turn?.isOpen) invocation.turn.usage = addUsage(invocation.turn.usage, usage)
}

export interface InvocationEnd {
  readonly parent: SpanRef
  readonly endUnixMicro: number
  readonly attributes: AttributeSet
  readonly error?: { readonly type: string; readonly message?: string }
}

/** Emits the span and its duration, once. What is known to have happened below it lies within it. Returns its end. */
export function endInvocation(emitter: Emitter, invocation: Invocation, end: InvocationEnd): number {
  if (!invocation.isOpen) return invocation.lastUnixMicro
  invocation.isOpen = false
  const { ref, agentName, startUnixMicro, usage, model } = invocation
  const endUnixMicro = Math.max(end.endUnixMicro, startUnixMicro, invocation.lastUnixMicro)
  emitter.span({
    ref,
    parent: end.parent,
    name: `invoke_agent ${agentName}`,
    startUnixMicro,
    endUnixMicro,
    attributes: {
      'gen_ai.operation.name': 'invoke_agent',
      'gen_ai.agent.name': agentName,
      'gen_ai.agent.id': invocation.agentId,
      'prompt.id': invocation.promptId,
      'gen_ai.request.model': invocation.requestedModel,
      'gen_ai.response.model': model,
      'tools.total': invocation.toolCalls,
      'model_requests.total': invocation.requests,
      ...usageAttributes(usage),
      ...end.attributes,
    },
    ...(end.error === undefined ? {} : { error: end.error }),
  })
  emitter.metric('gen_ai.invoke_agent.duration', endUnixMicro, (endUnixMicro - startUnixMicro) / 1e6, {
    'gen_ai.agent.name': agentName,
    'gen_ai.provider.name': 'anthropic',
    'error.type': end.error?.type,
  })
  return endUnixMicro
}

/** Hooks and transcript lines that belong to something come at most this long after its end was told. */
export const stragglerMicros = 2_000_000

/**
 * Ends that were told before all that belongs to them: a Stop can be faster than the lines of the answer that it follows.
 * They wait for the lines, as long as stragglers may take.
 */
export class Endings {
  private readonly waiting = new Map<Invocation, { readonly at: number; readonly close: () => void }>()

  /** Of several ends of one invocation the first counts. */
  add(invocation: Invocation, at: number, close: () => void): void {
    if (!this.waiting.has(invocation)) this.waiting.set(invocation, { at, close })
  }

  /** What it waited for is there. */
  complete(invocation: Invocation): void {
    const ending = this.waiting.get(invocation)
    this.waiting.delete(invocation)
    ending?.close()
  }

  settle(now: number): void {
    for (const [invocation, { at }] of this.waiting) if (now - at > stragglerMicros) this.complete(invocation)
  }

  flush(): void {
    this.settle(Number.POSITIVE_INFINITY)
  }
}
