/**
 * The turns of a session's own agent. A turn answers one prompt, or several that were taken from the queue together: it begins
 * with UserPromptSubmit and ends with Stop, StopFailure, a person's interrupt, the next prompt, or the session.
 */
import type { HookDetail } from '../claude/hook-event.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { Preview } from '../telemetry/preview.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { type Emitter, usageAttributes } from './emitter.ts'
import type { History } from './history.ts'
import {
  createInvocation,
  type Endings,
  endInvocation,
  type Invocation,
  type InvocationStatus,
  mainAgent,
  noteLife,
  stragglerMicros,
} from './invocations.ts'
import type { ModelCalls } from './model-calls.ts'
import type { SessionEvents } from './session-events.ts'
import type { ToolCalls } from './tool-calls.ts'

interface Turn {
  readonly invocation: Invocation
  readonly index: number
  readonly promptId: string
  prompt?: Preview
  source: string
  effort?: string
  failure?: TurnFailure
  /** Something forbade it to go on; nothing tells its end after that. */
  stop?: TurnFailure & { readonly at: number }
  /** Prompts that were taken from the queue together with the one that began it, and are still to come. */
  joining: number
  endedUnixMicro?: number
}

interface TurnFailure {
  readonly type: string
  readonly message?: string
}

type Prompt = Pick<Extract<HookDetail, { type: 'prompt' }>, 'prompt' | 'source'>
type TurnEnd = Extract<HookDetail, { type: 'turn-end' | 'turn-failure' }>
type TurnStop = Extract<TranscriptDetail, { type: 'turn-stop' }>

interface EarlyStop {
  readonly told: TurnStop
  readonly at: number
}

/** Prompts that claude takes from its queue within this time are answered together. */
const togetherMicros = 50_000

export class Turns {
  count = 0
  firstPrompt: Preview | undefined
  permissionMode: string | undefined

  /** By prompt id: the latest turn of each prompt, open or over. */
  private readonly turns = new Map<string, Turn>()
  private open: Turn | undefined
  private dequeued = { at: 0, prompts: 0 }
  /** Told before its turn: claude does not wait for our hook when another one has blocked the prompt. */
  private earlyStop: EarlyStop | undefined

  constructor(
    private readonly emitter: Emitter,
    private readonly session: SpanRef,
    private readonly tools: ToolCalls,
    private readonly models: ModelCalls,
    private readonly endings: Endings,
    private readonly history: History,
    private readonly events: SessionEvents,
  ) {}

  onPrompt({ prompt, source }: Prompt, at: number, promptId = `at ${at}`): void {
    const known = this.turns.get(promptId)
    if (known?.prompt !== undefined || known?.endedUnixMicro !== undefined) return
    const joined = known === undefined ? this.join(promptId) : undefined
    // Something else of the same prompt may have been told before the prompt itself.
    const turn = known ?? joined ?? this.begin(promptId, at, source)
    if (joined === undefined) {
      turn.prompt = prompt
      turn.source = source
    }
    this.firstPrompt ??= prompt
    this.logPrompt(turn, { prompt, source }, at, promptId)
  }

  /** A prompt that was written while the turn ran, and that the model is told of in the turn. */
  onQueuedPrompt(prompt: Prompt, at: number): void {
    const turn = this.open
    if (turn !== undefined) this.logPrompt(turn, prompt, Math.max(at, turn.invocation.startUnixMicro), turn.promptId)
  }

  /** A prompt left the queue; those that leave it together are one turn. */
  onDequeue(at: number): void {
    const { dequeued } = this
    this.dequeued = { at, prompts: at - dequeued.at > togetherMicros ? 1 : dequeued.prompts + 1 }
  }

  onEnd(detail: TurnEnd, at: number, promptId: string | undefined): void {
    const turn = this.find(promptId)
    if (turn === undefined || turn.endedUnixMicro !== undefined) return
    turn.endedUnixMicro = at
    if (this.open === turn) this.open = undefined
    if (detail.type === 'turn-failure') {
      turn.failure ??= { type: detail.error, message: detail.message.text }
      this.end(turn, at, 'error')
      return
    }
    const close = () =>
      this.end(turn, at, 'completed', { 'background_tasks.running': detail.backgroundTasks || undefined })
    if (this.models.isAnswered('')) close()
    else this.endings.add(turn.invocation, at, close)
  }

  /** A person pressed Esc or Ctrl-C. */
  onInterrupt(whileRunning: boolean, at: number, promptId: string | undefined): void {
    this.models.flush('')
    this.tools.onInterrupt(whileRunning, at)
    const turn = this.find(promptId)
    if (turn !== undefined && turn.endedUnixMicro === undefined) this.end(turn, at, 'interrupted')
  }

  /** A hook or a limit forbids the turn to go on. */
  onStop(told: TurnStop, at: number): void {
    if (this.open === undefined) this.earlyStop = { told, at }
    else this.open.stop = stopOf({ told, at })
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

  /** The turn of a prompt that was told. */
  turnOf(promptId: string | undefined): Invocation | undefined {
    return this.find(promptId)?.invocation
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
    if (turn === undefined || goesOn) return this.begin(promptId ?? `at ${at}`, at, 'unannounced').invocation
    if (turn.endedUnixMicro === undefined) noteLife(turn.invocation, at)
    return turn.invocation
  }

  /** Of a turn that nobody has told the end of: when it was last heard of. */
  get lastUnixMicro(): number {
    return this.open?.invocation.lastUnixMicro ?? 0
  }

  finish(at: number, status: InvocationStatus): void {
    this.tellBlocked(this.takeEarlyStop())
    if (this.open !== undefined) this.end(this.open, this.open.stop?.at ?? at, status)
  }

  private find(promptId: string | undefined): Turn | undefined {
    return promptId === undefined ? this.open : this.turns.get(promptId)
  }

  private join(promptId: string): Turn | undefined {
    const turn = this.open
    if (turn === undefined || turn.joining === 0) return undefined
    turn.joining -= 1
    this.turns.set(promptId, turn)
    return turn
  }

  private begin(promptId: string, at: number, source: string): Turn {
    // Nobody told the end of the turn before (a hook was lost, a person pressed Esc before the answer began): the last sign of it
    // must do.
    if (this.open !== undefined) {
      const status = this.models.isAnswered() ? 'completed' : 'interrupted'
      this.end(this.open, this.open.stop?.at ?? this.open.invocation.lastUnixMicro, status)
    }
    const early = this.takeEarlyStop()
    const isOurs = early !== undefined && at - early.at <= stragglerMicros
    if (!isOurs) this.tellBlocked(early)
    this.count += 1
    const index = this.count
    const ref = this.emitter.ref(`turn:${promptId}:${this.turns.has(promptId) ? index : ''}`)
    const invocation = createInvocation({ ref, agentName: mainAgent, promptId, startUnixMicro: at })
    const turn: Turn = { invocation, index, promptId, source, joining: Math.max(0, this.dequeued.prompts - 1) }
    if (isOurs) turn.stop = stopOf(early)
    this.dequeued = { at: 0, prompts: 0 }
    this.turns.set(promptId, turn)
    this.open = turn
    return turn
  }

  private takeEarlyStop(): EarlyStop | undefined {
    const early = this.earlyStop
    this.earlyStop = undefined
    return early
  }

  /** A prompt of which nothing else was told, because it was blocked before our hook could say a word. */
  private tellBlocked(early: EarlyStop | undefined): void {
    const prompt = early?.told.prompt
    if (early === undefined || prompt === undefined) return
    const { at } = early
    this.onPrompt({ prompt, source: 'user' }, at)
    if (this.open !== undefined) {
      this.open.stop = stopOf(early)
      this.end(this.open, at, 'interrupted')
    }
  }

  private logPrompt(turn: Turn, { prompt, source }: Prompt, at: number, promptId: string): void {
    const attributes = { 'prompt.id': promptId, 'prompt.source': source, ...promptAttributes(prompt) }
    this.emitter.log('claude.user_prompt', at, turn.invocation.ref, attributes, prompt.text)
    this.events.onPrompt(prompt.text, at)
  }

  private end(turn: Turn, at: number, status: InvocationStatus, more: AttributeSet = {}): void {
    this.models.flush('')
    this.tools.endOf(turn.invocation, at, status === 'interrupted' ? 'interrupted' : 'abandoned')
    turn.endedUnixMicro = at
    if (this.open === turn) this.open = undefined
    const outcome = turn.failure === undefined ? status : 'error'
    const error = outcome === 'completed' ? undefined : (turn.failure ?? turn.stop ?? { type: outcome })
    const attributes: AttributeSet = {
      'turn.index': turn.index,
      'turn.status': outcome,
      'prompt.source': turn.source,
      ...(turn.prompt === undefined ? {} : promptAttributes(turn.prompt)),
      'claude.permission_mode': this.permissionMode,
      'gen_ai.request.reasoning.level': turn.effort,
      ...more,
    }
    const endUnixMicro = endInvocation(this.emitter, turn.invocation, {
      parent: this.session,
      endUnixMicro: at,
      attributes: { ...attributes, ...this.history.invocation(turn.invocation) },
      ...(error === undefined ? {} : { error }),
    })
    const logged = {
      'prompt.id': turn.promptId,
      ...attributes,
      'error.type': error?.type,
      'error.message': error?.message,
      ...usageAttributes(turn.invocation.usage),
    }
    const severity = outcome === 'error' ? 'error' : 'info'
    this.emitter.log(
      'claude.turn.end',
      endUnixMicro,
      turn.invocation.ref,
      logged,
      `turn ${turn.index} ${outcome}`,
      severity,
    )
    this.emitter.metric('claude.turns_total', endUnixMicro, 1, { outcome })
    const { usage } = turn.invocation
    this.events.onTurnEnd({ index: turn.index, status: outcome, usage }, endUnixMicro)
  }
}

function stopOf({ told, at }: EarlyStop): NonNullable<Turn['stop']> {
  return { type: told.reason, message: told.message.text, at }
}

export function promptAttributes(prompt: Preview): AttributeSet {
  return { 'prompt.preview': prompt.text, 'prompt.bytes': prompt.bytes, 'prompt.truncated': prompt.truncated }
}
