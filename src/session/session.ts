/**
 * One session in one life of a claude process: what its hooks and transcript tell, in order, becomes its spans, log records
 * and measurements. Tools, model calls and invocations have their own files; here is how they hang together.
 */
import type { HookDetail, HookEvent } from '../claude/events.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { Preview } from '../telemetry/preview.ts'
import type { Attributes, Signal, SpanLink, SpanRef } from '../telemetry/signal.ts'
import { createEmitter, type Emitter, usageAttributes } from './emitter.ts'
import type { AgentEntry, ExitEntry, HookEntry, PreviousEntry, TranscriptEntry } from './entries.ts'
import { createInvocation, endInvocation, type Invocation, mainAgent } from './invocations.ts'
import { ModelCalls } from './model-calls.ts'
import { ToolCalls } from './tool-calls.ts'

export interface SessionStart {
  readonly id: string
  readonly pid: number
  readonly ref: SpanRef
  readonly parent?: SpanRef & { readonly isRemote?: boolean }
  readonly startUnixMicro: number
  readonly source: string
  /** The session that `/clear` ended in the same process. */
  readonly cleared?: Session
}

interface Turn {
  readonly invocation: Invocation
  readonly index: number
  readonly promptId: string
  readonly prompt?: Preview
  readonly source: string
  permissionMode?: string
  effort?: string
  failure?: { readonly type: string; readonly message?: string }
  endedUnixMicro?: number
}

interface Agent {
  readonly invocation: Invocation
  readonly turn: Invocation
  toolUseId?: string
  description?: string
}

type ToolDetail = Extract<HookDetail, { type: `tool-${string}` | `permission-${string}` }>
type NoticeDetail = Extract<HookDetail, { type: 'notification' | 'model-switch' | 'other' }>
type CompactionHook = Extract<HookDetail, { type: 'compaction' }>
type CompactionFacts = Pick<Extract<TranscriptDetail, { type: 'compaction' }>, 'trigger'> &
  Partial<Extract<TranscriptDetail, { type: 'compaction' }>>
type ApiFailure = Extract<TranscriptDetail, { type: 'api-failure' }>
type TurnStatus = 'completed' | 'error' | 'interrupted' | 'abandoned'

export class Session {
  readonly emitter: Emitter
  endedUnixMicro: number | undefined
  isOver = false
  conversationId: string

  private readonly tools: ToolCalls
  private readonly models: ModelCalls
  /** By prompt id: the latest turn of each prompt, open or over. */
  private readonly turns = new Map<string, Turn>()
  private readonly agents = new Map<string, Agent>()
  private readonly agentFacts = new Map<string, AgentEntry>()
  private readonly links: SpanLink[] = []
  private readonly common: { version?: string; permissionMode?: string; cwd?: string; vcs: Attributes } = { vcs: {} }
  private firstPrompt: Preview | undefined
  private previousId: string | undefined
  private endReason: string | undefined
  private turnCount = 0
  private agentCount = 0
  private compactions = 0
  private compactionsBefore = 0
  private lastUnixMicro: number
  private openTurn: Turn | undefined

  constructor(
    readonly start: SessionStart,
    emit: (signal: Signal) => void,
  ) {
    this.conversationId = start.id
    this.lastUnixMicro = start.startUnixMicro
    const common = (): AttributeSet => ({
      'session.id': start.id,
      'gen_ai.conversation.id': this.conversationId,
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.system': 'anthropic',
    })
    this.emitter = createEmitter(start.ref, common, emit)
    this.tools = new ToolCalls(this.emitter)
    this.models = new ModelCalls(this.emitter, start.source === 'startup' || start.source === 'clear')
    if (start.cleared !== undefined) this.linkTo(start.cleared.start.id, start.cleared.start.ref)
    const { startUnixMicro: at, source } = start
    this.emitter.metric('claude.sessions_total', at, 1, { source })
    const attributes = { 'session.source': source, 'session.previous_id': this.previousId }
    this.emitter.log('session.start', at, start.ref, attributes, `session started (${source})`)
  }

  onHook({ at, event }: HookEntry): void {
    this.touch(at)
    if (event.permissionMode !== undefined) this.common.permissionMode = event.permissionMode
    if (event.cwd !== undefined) this.common.cwd = event.cwd
    const { detail, agentId, agentType, promptId } = event
    const turn = this.turnOf(promptId)
    if (turn !== undefined && event.effort !== undefined) turn.effort = event.effort
    switch (detail.type) {
      case 'session-start':
      case 'silent':
        break
      case 'compaction':
        this.onCompactionHook(detail, at)
        break
      case 'session-end':
        this.endedUnixMicro = at
        this.endReason = detail.reason
        break
      case 'prompt':
        this.onPrompt(detail, at, promptId)
        break
      case 'turn-end':
      case 'turn-failure':
        this.onTurnEnd(detail, at, promptId)
        break
      case 'agent-start':
        this.onAgentStart(at, agentId, agentType, promptId)
        break
      case 'agent-end':
        this.onAgentEnd(at, agentId)
        break
      case 'notification':
      case 'model-switch':
      case 'other':
        this.onNotice(detail, at, event)
        break
      default:
        this.onToolEvent(detail, at, event)
        break
    }
  }

  onLine({ at, agent, promptId, claudeVersion, detail }: TranscriptEntry): void {
    if (claudeVersion !== undefined) this.common.version = claudeVersion
    if (detail.type !== 'cost' && detail.type !== 'copied') this.touch(at)
    switch (detail.type) {
      case 'copied':
        break
      case 'cost':
        this.models.onCost(detail.cost, detail.before, Math.max(at, this.lastUnixMicro))
        break
      case 'tool-result':
        this.tools.onResult(detail, at)
        break
      case 'compaction':
        this.onCompaction(detail, at)
        break
      case 'interrupt':
        this.onInterrupt(detail.whileRunning, at, promptId, agent)
        break
      case 'message':
        this.models.onMessage(detail, at, this.invocationOf(detail.startUnixMicro, agent, '', promptId))
        break
      case 'api-retry':
        this.models.onRetry(detail, at, this.invocationOf(at, agent, '', promptId))
        break
      case 'api-failure':
        this.onApiFailure(detail, at, agent, promptId)
        break
    }
  }

  onAgent(entry: AgentEntry): void {
    this.agentFacts.set(entry.agent, entry)
    const agent = this.agents.get(entry.agent)
    if (agent === undefined) return
    if (entry.toolUseId !== undefined) agent.toolUseId = entry.toolUseId
    if (entry.description !== undefined) agent.description = entry.description
  }

  onPrevious(entry: PreviousEntry): void {
    this.conversationId = entry.conversationId
    if (entry.cost !== undefined) this.models.onCost(entry.cost, true, entry.at)
    this.linkTo(entry.previousId, entry.ref)
  }

  onRepository(attributes: Attributes): void {
    this.common.vcs = attributes
  }

  /** Claude is gone, or went on to another session: everything still open ends, the session last. */
  finish(exit?: ExitEntry): void {
    if (this.isOver) return
    this.isOver = true
    const wasEnded = this.endedUnixMicro !== undefined
    const crashed = !wasEnded && (exit === undefined || exit.code === undefined || exit.signal !== undefined)
    const end = this.endedUnixMicro ?? Math.max(this.lastUnixMicro, exit?.code === undefined ? 0 : exit.at)
    this.models.flush()
    this.tools.endOf(undefined, end, crashed ? 'abandoned' : 'interrupted')
    for (const agent of this.agents.values()) this.endAgent(agent, end, crashed ? 'abandoned' : 'interrupted')
    if (this.openTurn !== undefined) this.endTurn(this.openTurn, end, crashed ? 'abandoned' : 'interrupted')
    this.models.finish(this.start.ref, this.start.startUnixMicro, end)
    this.emitSession(end, this.endReason ?? (crashed ? 'crashed' : 'other'), exit, crashed)
  }

  private onToolEvent(detail: ToolDetail, at: number, event: HookEvent): void {
    const { tools } = this
    // A call that is over says nothing new about its turn; one that begins shows that the turn goes on.
    const began = detail.type === 'tool-start' ? at : 0
    const invocation = this.invocationOf(began, event.agentId, event.agentType, event.promptId, at)
    switch (detail.type) {
      case 'tool-start':
        tools.onStart(detail.tool, at, invocation)
        break
      case 'tool-failure':
        tools.onFailure(detail, at, invocation)
        break
      case 'tool-batch':
        tools.onBatch(detail.calls, at, invocation)
        break
      case 'permission-request':
        tools.onPermissionRequest(detail.tool, at)
        break
      case 'permission-denied':
        tools.onPermissionDenied(detail.tool, detail.reason.text)
        break
      case 'tool-end': {
        tools.onEnd(detail, at, invocation)
        const agent = detail.agentId === undefined ? undefined : this.agents.get(detail.agentId)
        if (agent !== undefined && detail.tool.useId !== undefined) agent.toolUseId = detail.tool.useId
      }
    }
  }

  private onNotice(detail: NoticeDetail, at: number, event: HookEvent): void {
    const { emitter } = this
    const agent = event.agentId === undefined ? undefined : this.agents.get(event.agentId)
    const ref = (agent ?? this.turnOf(event.promptId))?.invocation.ref ?? this.start.ref
    const common = { 'prompt.id': event.promptId }
    if (detail.type === 'notification') {
      const attributes = { ...common, 'notification.type': detail.kind }
      emitter.log('claude.notification', at, ref, attributes, detail.message.text)
    }
    if (detail.type === 'model-switch') {
      const attributes = { 'model.from': detail.from, 'model.to': detail.to, 'model.source': detail.source }
      emitter.log('claude.model_switch', at, ref, attributes, `${detail.from} → ${detail.to}`)
      this.models.model = detail.to
    }
    if (detail.type === 'other') {
      const attributes = { ...common, 'hook.event': event.name, 'hook.fields': detail.fields.text }
      emitter.log('claude.hook.event', at, ref, attributes, event.name)
    }
  }

  private onApiFailure(detail: ApiFailure, at: number, agent: string | undefined, promptId: string | undefined): void {
    this.models.onFailure(detail, at, this.invocationOf(detail.startUnixMicro, agent, '', promptId))
    const turn = this.turnOf(promptId)
    if (turn !== undefined && agent === undefined) turn.failure = { type: detail.error, message: detail.message.text }
  }

  private onPrompt(detail: Extract<HookDetail, { type: 'prompt' }>, at: number, promptId = `at ${at}`): void {
    if (this.turns.has(promptId)) return
    if (this.openTurn !== undefined) this.endTurn(this.openTurn, at, 'interrupted')
    const turn = this.beginTurn(promptId, at, detail.source, detail.prompt)
    this.firstPrompt ??= detail.prompt
    const attributes = { 'prompt.id': promptId, 'prompt.source': detail.source, ...promptAttributes(detail.prompt) }
    this.emitter.log('claude.user_prompt', at, turn.invocation.ref, attributes, detail.prompt.text)
  }

  private beginTurn(promptId: string, at: number, source: string, prompt?: Preview): Turn {
    this.turnCount += 1
    const index = this.turnCount
    const ref = this.emitter.ref(`turn:${promptId}:${this.turns.has(promptId) ? index : ''}`)
    const invocation = createInvocation({ ref, agentName: mainAgent, promptId, startUnixMicro: at })
    const turn: Turn = { invocation, index, promptId, source, ...(prompt === undefined ? {} : { prompt }) }
    this.turns.set(promptId, turn)
    this.openTurn = turn
    return turn
  }

  private turnOf(promptId: string | undefined): Turn | undefined {
    return promptId === undefined ? this.openTurn : this.turns.get(promptId)
  }

  private onTurnEnd(
    detail: Extract<HookDetail, { type: 'turn-end' | 'turn-failure' }>,
    at: number,
    promptId: string | undefined,
  ): void {
    this.models.flush('')
    const turn = this.turnOf(promptId)
    if (turn === undefined || turn.endedUnixMicro !== undefined) return
    if (detail.type === 'turn-failure') {
      turn.failure ??= { type: detail.error, message: detail.message.text }
      this.endTurn(turn, at, 'error')
      return
    }
    this.endTurn(turn, at, 'completed', { 'background_tasks.running': detail.backgroundTasks || undefined })
  }

  private endTurn(turn: Turn, at: number, status: TurnStatus, more: AttributeSet = {}): void {
    this.models.flush('')
    this.tools.endOf(turn.invocation, at, status === 'interrupted' ? 'interrupted' : 'abandoned')
    turn.endedUnixMicro = at
    if (this.openTurn === turn) this.openTurn = undefined
    const outcome = turn.failure === undefined ? status : 'error'
    const error = outcome === 'completed' ? undefined : (turn.failure ?? { type: outcome })
    const attributes: AttributeSet = {
      'turn.index': turn.index,
      'turn.status': outcome,
      'prompt.source': turn.source,
      ...(turn.prompt === undefined ? {} : promptAttributes(turn.prompt)),
      'claude.permission_mode': this.common.permissionMode,
      'gen_ai.request.reasoning.level': turn.effort,
      ...more,
    }
    endInvocation(this.emitter, turn.invocation, {
      parent: this.start.ref,
      endUnixMicro: at,
      attributes,
      ...(error === undefined ? {} : { error }),
    })
    const logged = { 'prompt.id': turn.promptId, ...attributes, ...usageAttributes(turn.invocation.usage) }
    this.emitter.log('claude.turn.end', at, turn.invocation.ref, logged, `turn ${turn.index} ${outcome}`)
    this.emitter.metric('claude.turns_total', at, 1, { outcome })
  }

  private onInterrupt(
    whileRunning: boolean,
    at: number,
    promptId: string | undefined,
    agent: string | undefined,
  ): void {
    if (agent !== undefined) return
    this.models.flush('')
    this.tools.onInterrupt(whileRunning, at)
    const turn = this.turnOf(promptId)
    if (turn !== undefined && turn.endedUnixMicro === undefined) this.endTurn(turn, at, 'interrupted')
  }

  private onAgentStart(at: number, agentId: string | undefined, agentType = '', promptId?: string): void {
    if (agentId === undefined || this.agents.get(agentId)?.invocation.isOpen) return
    this.beginAgent(agentId, agentType, at, promptId)
  }

  private beginAgent(agentId: string, agentType: string, at: number, promptId: string | undefined): Agent {
    const turn = this.turnInvocation(at, promptId)
    const facts = this.agentFacts.get(agentId)
    const again = this.agents.has(agentId) ? `:${this.agentCount}` : ''
    const invocation = createInvocation({
      ref: this.emitter.ref(`agent:${agentId}${again}`),
      agentName: agentType || facts?.agentType || 'subagent',
      agentId,
      ...(promptId === undefined ? {} : { promptId }),
      startUnixMicro: at,
      turn,
    })
    this.agentCount += 1
    const agent: Agent = { invocation, turn }
    this.agents.set(agentId, agent)
    if (facts !== undefined) this.onAgent(facts)
    return agent
  }

  private onAgentEnd(at: number, agentId: string | undefined): void {
    const agent = agentId === undefined ? undefined : this.agents.get(agentId)
    // An end without a beginning is a helper of Claude Code's own, such as a compaction's.
    if (agent !== undefined) this.endAgent(agent, at, 'completed')
  }

  private endAgent(agent: Agent, at: number, status: TurnStatus): void {
    const { invocation, toolUseId, turn } = agent
    if (!invocation.isOpen) return
    this.models.flush(invocation.agentId)
    this.tools.endOf(invocation, at, status === 'interrupted' ? 'interrupted' : 'abandoned')
    endInvocation(this.emitter, invocation, {
      parent: toolUseId === undefined ? turn.ref : this.tools.refOf(toolUseId),
      endUnixMicro: at,
      attributes: { 'gen_ai.agent.description': agent.description },
      ...(status === 'completed' ? {} : { error: { type: status } }),
    })
  }

  /**
   * The invocation that something which began at `began` belongs to: the subagent's, else the prompt's turn. Where nobody
   * announced it, it begins here, at `at`.
   */
  private invocationOf(began: number, agentId?: string, agentType = '', promptId?: string, at = began): Invocation {
    if (agentId === undefined) return this.turnInvocation(began, promptId, at)
    return (this.agents.get(agentId) ?? this.beginAgent(agentId, agentType, at, promptId)).invocation
  }

  private turnInvocation(began: number, promptId: string | undefined, at = began): Invocation {
    const turn = this.turnOf(promptId)
    const goesOn = turn?.endedUnixMicro !== undefined && began > turn.endedUnixMicro
    if (turn !== undefined && !goesOn) return turn.invocation
    // After a Stop that a hook refused, or for `!command` in the terminal: a turn that no prompt announced.
    return this.beginTurn(promptId ?? `at ${at}`, at, 'unannounced').invocation
  }

  /** The transcript tells a compaction with its sizes; only where it did not, the hooks' word is taken. */
  private onCompactionHook({ phase, trigger }: CompactionHook, at: number): void {
    if (phase === 'before') this.compactionsBefore = this.compactions
    else if (this.compactions === this.compactionsBefore) this.onCompaction({ trigger }, at)
  }

  private onCompaction(detail: CompactionFacts, at: number): void {
    this.compactions += 1
    const attributes = {
      'compaction.trigger': detail.trigger,
      'compaction.pre_tokens': detail.preTokens,
      'compaction.post_tokens': detail.postTokens,
      duration_ms: detail.durationMs,
    }
    const ref = this.openTurn?.invocation.ref ?? this.start.ref
    this.emitter.log('claude.compaction', at, ref, attributes, `context compacted (${detail.trigger})`)
    this.emitter.metric('claude.compactions_total', at, 1, { 'compaction.trigger': detail.trigger })
  }

  private emitSession(end: number, reason: string, exit: ExitEntry | undefined, crashed: boolean): void {
    const { start, models, tools } = this
    const failed = crashed ? 'crashed' : (exit?.signal ?? (exit?.code ? `exit_${exit.code}` : undefined))
    const attributes: AttributeSet = {
      'gen_ai.agent.name': mainAgent,
      'session.source': start.source,
      'session.end_reason': reason,
      'session.previous_id': this.previousId,
      'claude.version': this.common.version,
      'claude.permission_mode': this.common.permissionMode,
      ...(this.firstPrompt === undefined ? {} : promptAttributes(this.firstPrompt)),
      model: models.model,
      'gen_ai.request.model': models.model,
      'gen_ai.response.model': models.model,
      turns: this.turnCount,
      'tools.total': tools.total,
      'tools.errors': tools.errors,
      tools_used: tools.total,
      tool_names: [...tools.names].sort().join(','),
      'subagents.total': this.agentCount,
      'model_requests.total': models.requests,
      'api_errors.total': models.errors,
      'compactions.total': this.compactions,
      'cost.usd': models.costUsd,
      ...usageAttributes(models.usage),
      'process.pid': start.pid,
      'process.exit.code': exit?.code,
      'process.signal': exit?.signal,
      'process.working_directory': this.common.cwd,
      ...this.common.vcs,
    }
    this.emitter.span({
      ref: start.ref,
      ...(start.parent === undefined ? {} : { parent: start.parent }),
      name: 'claude.session',
      startUnixMicro: start.startUnixMicro,
      endUnixMicro: end,
      attributes,
      links: this.links,
      ...(failed === undefined ? {} : { error: { type: failed } }),
    })
    this.emitter.log('session.end', end, start.ref, attributes, `session ended (${reason})`, crashed ? 'error' : 'info')
  }

  private linkTo(previousId: string, ref: SpanRef | undefined): void {
    if (previousId !== this.start.id) this.previousId = previousId
    if (ref !== undefined) this.links.push({ ref, attributes: { 'session.id': previousId } })
  }

  private touch(at: number): void {
    if (at > this.lastUnixMicro) this.lastUnixMicro = at
    this.tools.settle(at)
  }
}

function promptAttributes(prompt: Preview): AttributeSet {
  return { 'prompt.preview': prompt.text, 'prompt.bytes': prompt.bytes, 'prompt.truncated': prompt.truncated }
}
