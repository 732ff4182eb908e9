/**
 * The turns of a session's own agent. A turn answers one prompt: it begins with UserPromptSubmit and ends with Stop,
 * StopFailure, a person's interrupt, the next prompt, or the session.
 */
import type { HookDetail } from '../claude/events.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { Preview } from '../telemetry/preview.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { type Emitter, usageAttributes } from './emitter.ts'
import { createInvocation, endInvocation, type Invocation, type InvocationStatus, mainAgent } from './invocations.ts'
import type { ModelCalls } from './model-calls.ts'
import type { ToolCalls } from './tool-calls.ts'

interface Turn {
  readonly invocation: Invocation
  readonly index: number
  readonly promptId: string
  prompt?: Preview
  source: string
  effort?: string
  failure?: TurnFailure
  endedUnixMicro?: number
}

interface TurnFailure {
  readonly type: string
  readonly message?: string
}

type Prompt = Pick<Extract<HookDetail, { type: 'prompt' }>, 'prompt' | 'source'>
type TurnEnd = Extract<HookDetail, { type: 'turn-end' | 'turn-failure' }>

export class Turns {
  count = 0
  firstPrompt: Preview | undefined
  permissionMode: string | undefined

  /** By prompt id: the latest turn of each prompt, open or over. */
  private readonly turns = new Map<string, Turn>()
  private open: Turn | undefined

  constructor(
    private readonly emitter: Emitter,
    private readonly session: SpanRef,
    private readonly tools: ToolCalls,
    private readonly models: ModelCalls,
  ) {}

  onPrompt({ prompt, source }: Prompt, at: number, promptId = `at ${at}`): void {
    const known = this.turns.get(promptId)
    if (known?.prompt !== undefined || known?.endedUnixMicro !== undefined) return
    // Something else of the same prompt may have been told before the prompt itself.
    const turn = known ?? this.begin(promptId, at, source)
    turn.prompt = prompt
    turn.source = source
    this.firstPrompt ??= prompt
    const attributes = { 'prompt.id': promptId, 'prompt.source': source, ...promptAttributes(prompt) }
    this.emitter.log('claude.user_prompt', at, turn.invocation.ref, attributes, prompt.text)
  }

  onEnd(detail: TurnEnd, at: number, promptId: string | undefined): void {
    this.models.flush('')
    const turn = this.find(promptId)
    if (turn === undefined || turn.endedUnixMicro !== undefined) return
    if (detail.type === 'turn-failure') {
      turn.failure ??= { type: detail.error, message: detail.message.text }
      this.end(turn, at, 'error')
      return
    }
    this.end(turn, at, 'completed', { 'background_tasks.running': detail.backgroundTasks || undefined })
  }

  /** A person pressed Esc or Ctrl-C. */
  onInterrupt(whileRunning: boolean, at: number, promptId: string | undefined): void {
    this.models.flush('')
    this.tools.onInterrupt(whileRunning, at)
    const turn = this.find(promptId)
    if (turn !== undefined && turn.endedUnixMicro === undefined) this.end(turn, at, 'interrupted')
  }

  onFailure(failure: TurnFailure, promptId: string | undefined): void {
    const turn = this.find(promptId)
    if (turn !== undefined) turn.failure = failure
  }

  onEffort(effort: string, promptId: string | undefined): void {
    const turn = this.find(promptId)
    if (turn !== undefined) turn.effort = effort
  }

  refOf(promptId: string | undefined): SpanRef | undefined {
    return this.find(promptId)?.invocation.ref
  }

  openRef(): SpanRef | undefined {
    return this.open?.invocation.ref
  }

  /**
   * The turn that something which began at `began` belongs to. After a Stop that a hook refused, or for `!command` in the
   * terminal, that is one that no prompt announced: it begins here, at `at`.
   */
  invocationOf(began: number, promptId: string | undefined, at = began): Invocation {
    const turn = this.find(promptId)
    const goesOn = turn?.endedUnixMicro !== undefined && began > turn.endedUnixMicro
    if (turn !== undefined && !goesOn) return turn.invocation
    return this.begin(promptId ?? `at ${at}`, at, 'unannounced').invocation
  }

  finish(at: number, status: InvocationStatus): void {
    if (this.open !== undefined) this.end(this.open, at, status)
  }

  private find(promptId: string | undefined): Turn | undefined {
    return promptId === undefined ? this.open : this.turns.get(promptId)
  }

  private begin(promptId: string, at: number, source: string): Turn {
    // Nobody told the end of the turn before: a person may have interrupted it.
    if (this.open !== undefined) this.end(this.open, at, 'interrupted')
    this.count += 1
    const index = this.count
    const ref = this.emitter.ref(`turn:${promptId}:${this.turns.has(promptId) ? index : ''}`)
    const invocation = createInvocation({ ref, agentName: mainAgent, promptId, startUnixMicro: at })
    const turn: Turn = { invocation, index, promptId, source }
    this.turns.set(promptId, turn)
    this.open = turn
    return turn
  }

  private end(turn: Turn, at: number, status: InvocationStatus, more: AttributeSet = {}): void {
    this.models.flush('')
    this.tools.endOf(turn.invocation, at, status === 'interrupted' ? 'interrupted' : 'abandoned')
    turn.endedUnixMicro = at
    if (this.open === turn) this.open = undefined
    const outcome = turn.failure === undefined ? status : 'error'
    const error = outcome === 'completed' ? undefined : (turn.failure ?? { type: outcome })
    const attributes: AttributeSet = {
      'turn.index': turn.index,
      'turn.status': outcome,
      'prompt.source': turn.source,
      ...(turn.prompt === undefined ? {} : promptAttributes(turn.prompt)),
      'claude.permission_mode': this.permissionMode,
      'gen_ai.request.reasoning.level': turn.effort,
      ...more,
    }
    endInvocation(this.emitter, turn.invocation, {
      parent: this.session,
      endUnixMicro: at,
      attributes,
      ...(error === undefined ? {} : { error }),
    })
    const logged = { 'prompt.id': turn.promptId, ...attributes, ...usageAttributes(turn.invocation.usage) }
    this.emitter.log('claude.turn.end', at, turn.invocation.ref, logged, `turn ${turn.index} ${outcome}`)
    this.emitter.metric('claude.turns_total', at, 1, { outcome })
  }
}

export function promptAttributes(prompt: Preview): AttributeSet {
  return { 'prompt.preview': prompt.text, 'prompt.bytes': prompt.bytes, 'prompt.truncated': prompt.truncated }
}
