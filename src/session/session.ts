/**
 * One session in one life of a claude process: what its hooks and transcript tell, in order, becomes its spans, log records
 * and measurements. Turns, agents, model calls and tools have their own files; here is how they hang together.
 */
import type { HookDetail, HookEvent } from '../claude/hook-event.ts'
import type { TranscriptDetail } from '../claude/transcript.ts'
import type { AttributeSet } from '../telemetry/attributes.ts'
import type { Attributes, Signal, SpanLink, SpanRef } from '../telemetry/signal.ts'
import { Agents } from './agents.ts'
import { createEmitter, type Emitter, usageAttributes } from './emitter.ts'
import type {
  AgentEntry,
  ExitEntry,
  HistoryChoice,
  HookEntry,
  PreviousEntry,
  RepositoryEntry,
  TranscriptEntry,
} from './entries.ts'
import { History } from './history.ts'
import { Endings, type Invocation, mainAgent } from './invocations.ts'
import { ModelCalls } from './model-calls.ts'
import { Ourselves } from './ourselves.ts'
import { SessionEvents } from './session-events.ts'
import { ToolCalls } from './tool-calls.ts'
import { promptAttributes, Turns } from './turns.ts'

export interface SessionStart {
  readonly id: string
  readonly pid: number
  readonly ref: SpanRef
  readonly parent?: SpanRef & { readonly isRemote?: boolean }
  readonly startUnixMicro: number
  readonly source: string
  readonly history?: HistoryChoice
  /** The session that this one takes the place of, which `/clear` or `/resume` ended in the same process. */
  readonly before?: Session
}

/** What a session is told beside hooks. */
export type SessionEntry = TranscriptEntry | AgentEntry | PreviousEntry | RepositoryEntry

type ToolDetail = Extract<HookDetail, { type: `tool-${string}` | `permission-${string}` }>
type NoticeDetail = Extract<HookDetail, { type: 'notification' | 'model-switch' | 'other' }>
type CompactionHook = Extract<HookDetail, { type: 'compaction' }>
type Compaction = Extract<TranscriptDetail, { type: 'compaction' }>
type Message = Extract<TranscriptDetail, { type: 'message' }>
type ApiFailure = Extract<TranscriptDetail, { type: 'api-failure' }>

export class Session {
  readonly emitter: Emitter
  conversationId: string
  endedUnixMicro: number | undefined
  isOver = false
  endReason: string | undefined

  private readonly tools: ToolCalls
  private readonly models: ModelCalls
  private readonly turns: Turns
  private readonly agents: Agents
  private readonly ourselves: Ourselves
  private readonly events = new SessionEvents()
  private readonly history: History
  private readonly endings = new Endings()
  private readonly links: SpanLink[] = []
  private previousId: string | undefined
  private claudeVersion: string | undefined
  private cwd: string | undefined
  private repository: Attributes = {}
  private compactions = 0
  private compactionsBefore = 0
  private hasInstructions: boolean | undefined
  private lastUnixMicro: number

  constructor(
    readonly start: SessionStart,
    emit: (signal: Signal) => void,
  ) {
    const { id, ref, startUnixMicro: at, source, before, history: choice } = start
    this.conversationId = id
    this.lastUnixMicro = at
    const common = (): AttributeSet => ({
      'session.id': id,
      'gen_ai.conversation.id': this.conversationId,
      'gen_ai.provider.name': 'anthropic',
      'gen_ai.system': 'anthropic',
    })
    this.emitter = createEmitter(ref, common, emit)
    const { emitter, endings } = this
    this.history = new History(choice?.messages ?? 0)
    this.tools = new ToolCalls(emitter, choice?.calls ?? 0, before?.tools)
    this.models = new ModelCalls(emitter, source === 'startup' || source === 'clear', this.history)
    const { history, tools, models } = this
    this.turns = new Turns(emitter, ref, tools, models, endings, history, this.events)
    this.ourselves = new Ourselves(emitter, ref)
    this.agents = new Agents(emitter, tools, models, this.turns, endings, ref, history, before?.agents)
    if (before !== undefined && source === 'clear') this.linkTo(before.start.id, before.start.ref)
    const attributes = { 'session.source': source, 'session.previous_id': this.previousId }
    this.emitter.log('session.start', at, ref, attributes, `session started (${source})`)
    this.emitter.metric('claude.sessions_total', at, 1, { source })
  }

  onHook(entry: HookEntry): void {
    const { at, event } = entry
    this.touch(at)
    const { detail, agentId, agentType, promptId, permissionMode, effort } = event
    if (permissionMode !== undefined) this.turns.permissionMode = permissionMode
    if (event.cwd !== undefined) this.cwd = event.cwd
    if (effort !== undefined) this.turns.onEffort(effort, promptId)
    this.ourselves.onHook(entry)
    switch (detail.type) {
      case 'session-start':
      case 'silent':
        break
      case 'session-end':
        this.endedUnixMicro = at
        this.endReason = detail.reason
        break
      case 'prompt':
        this.turns.onPrompt(detail, at, promptId)
        break
      case 'turn-end':
      case 'turn-failure':
        this.turns.onEnd(detail, at, promptId)
        break
      case 'agent-start':
        this.agents.onStart(agentId, agentType, at, promptId)
        break
      case 'agent-end':
        this.agents.onEnd(agentId, at)
        break
      case 'compaction':
        this.onCompactionHook(detail, at)
        break
      case 'notification':
      case 'model-switch':
      case 'other':
        this.onNotice(detail, at, event)
        break
      default:
        this.onToolEvent(detail, at, event)
    }
  }

  on(entry: SessionEntry): void {
    if (entry.k === 'line') this.onLine(entry)
    if (entry.k === 'agent') this.onAgent(entry)
    if (entry.k === 'previous') this.onPrevious(entry)
    if (entry.k === 'repository') this.repository = entry.attributes
  }

  private onLine({ at, agent, promptId, claudeVersion, detail, kept }: TranscriptEntry): void {
    this.ourselves.onKept(kept, at)
    if (claudeVersion !== undefined) this.claudeVersion = claudeVersion
    if (detail.type !== 'cost' && detail.type !== 'copied') this.touch(at)
    switch (detail.type) {
      case 'copied':
        break
      case 'cost':
        this.models.onCost(detail.cost, detail.before, Math.max(at, this.lastUnixMicro))
        break
      case 'tool-result':
        this.tools.onResult(detail, at)
        this.history.onResult(detail, agent)
        break
      case 'instructions':
        this.history.onInstructions(detail.texts, agent)
        break
      case 'compaction':
        this.onCompaction(detail, at)
        break
      case 'interrupt':
        if (agent === undefined) this.turns.onInterrupt(detail.whileRunning, at, promptId)
        break
      case 'prompt':
        if (agent === undefined) this.turns.onPrompt(detail, at, promptId)
        this.history.onPrompt(detail.prompt.text, agent, this.turns.turnOf(promptId))
        break
      case 'queued-prompt':
        if (agent === undefined) this.turns.onQueuedPrompt(detail, at)
        this.history.onPrompt(detail.prompt.text, agent, this.turns.turnOf(undefined))
        break
      case 'dequeue':
        this.turns.onDequeue(at)
        break
      case 'turn-stop':
        if (agent === undefined) this.turns.onStop(detail, at)
        break
      case 'message':
        this.onMessage(detail, at, this.invocationOf(detail.startUnixMicro, agent, '', promptId))
        break
      case 'api-retry':
        this.models.onRetry(detail, at, this.invocationOf(at, agent, '', promptId))
        break
      case 'api-failure':
        this.onApiFailure(detail, at, agent, promptId)
        break
    }
  }

  private onAgent({ agent, agentType, toolUseId, description }: AgentEntry): void {
    this.agents.describe(agent, {
      ...(agentType === undefined ? {} : { agentType }),
      ...(toolUseId === undefined ? {} : { toolUseId }),
      ...(description === undefined ? {} : { description }),
    })
  }

  private onPrevious(entry: PreviousEntry): void {
    // A resumed fork still has the lines that it was begun with; what it goes on from is its own former life.
    if (entry.previousId !== this.start.id && this.start.source !== 'fork') return
    this.conversationId = entry.conversationId
    if (entry.cost !== undefined) this.models.onCost(entry.cost, true, entry.at)
    this.linkTo(entry.previousId, entry.ref)
  }

  /** Claude is gone, or went on to another session: everything still open ends, the session last. */
  finish(exit?: ExitEntry): void {
    if (this.isOver) return
    this.isOver = true
    const wasEnded = this.endedUnixMicro !== undefined
    const crashed = !wasEnded && (exit?.code === undefined || exit.signal !== undefined)
    const told = this.endedUnixMicro ?? Math.max(this.lastUnixMicro, exit?.code === undefined ? 0 : exit.at)
    // Asynchronous hooks are stamped late: one of a call that is over can come after the session's end.
    const end = Math.max(told, this.turns.lastUnixMicro, this.agents.lastUnixMicro)
    const status = crashed ? 'abandoned' : 'interrupted'
    // Ctrl-C can end the hook that tells of the turn's end, too.
    const isAnswered = !crashed && this.models.isAnswered()
    this.agents.endAnswered()
    this.models.flush()
    this.endings.flush()
    // Background agents survive /clear and /resume; claude tells the rest of them in the session that it goes on with.
    if (this.endReason === 'clear' || this.endReason === 'resume') {
      this.tools.leave(end)
      this.agents.leave(end)
    }
    this.tools.endOf(undefined, end, status)
    this.agents.finish(end, status)
    this.turns.finish(end, isAnswered ? 'completed' : status)
    this.models.finish(this.start.ref, this.start.startUnixMicro, end)
    this.emitSession(end, this.endReason ?? (crashed ? 'crashed' : 'other'), exit, crashed)
  }

  private onToolEvent(detail: ToolDetail, at: number, event: HookEvent): void {
    const { tools } = this
    // A call that is over says nothing new about its turn; one that begins shows that the turn goes on.
    const began = detail.type === 'tool-start' && !tools.isKnown(detail.tool.useId) ? at : 0
    const invocation = this.invocationOf(began, event.agentId, event.agentType, event.promptId, at)
    switch (detail.type) {
      case 'tool-start':
        tools.onStart(detail.tool, at, invocation)
        break
      case 'tool-end':
        tools.onEnd(detail, at, invocation)
        if (detail.agentId !== undefined && detail.tool.useId !== undefined) {
          this.agents.describe(detail.agentId, { toolUseId: detail.tool.useId })
        }
        break
      case 'tool-failure':
        tools.onFailure(detail, at, invocation)
        break
      case 'tool-batch':
        tools.onBatch(detail.calls, at, invocation)
        break
      case 'permission-request':
        tools.onPermissionRequest(detail.tool, at, event.agentId)
        break
      case 'permission-denied':
        tools.onPermissionDenied(detail.tool, detail.reason.text)
        break
    }
  }

  private invocationOf(began: number, agentId?: string, agentType?: string, promptId?: string, at = began): Invocation {
    if (agentId === undefined) return this.turns.invocationOf(began, promptId, at)
    return this.agents.invocationOf(began, agentId, agentType, at, promptId)
  }

  private onNotice(detail: NoticeDetail, at: number, event: HookEvent): void {
    const { emitter } = this
    const ref = this.agents.refOf(event.agentId) ?? this.turns.refOf(event.promptId) ?? this.start.ref
    const common = { 'prompt.id': event.promptId }
    if (detail.type === 'notification') {
      const attributes = { ...common, 'notification.type': detail.kind, 'notification.message': detail.message.text }
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

  private onMessage(detail: Message, at: number, invocation: Invocation): void {
    this.models.onMessage(detail, at, invocation)
    for (const tool of detail.tools ?? []) this.tools.onAnnounced(tool, at, invocation)
    const isWhole = detail.text !== undefined && this.models.isAnswered(invocation.agentId)
    if (isWhole) this.endings.complete(invocation)
  }

  private onApiFailure(detail: ApiFailure, at: number, agent: string | undefined, promptId: string | undefined): void {
    this.models.onFailure(detail, at, this.invocationOf(detail.startUnixMicro, agent, '', promptId))
    if (agent === undefined) this.turns.onFailure({ type: detail.error, message: detail.message.text }, promptId)
  }

  /** The transcript tells a compaction with its sizes; only where it did not, the hooks' word is taken. */
  private onCompactionHook({ phase, trigger, hasInstructions }: CompactionHook, at: number): void {
    this.hasInstructions = hasInstructions ?? this.hasInstructions
    if (phase === 'before') this.compactionsBefore = this.compactions
    else if (this.compactions === this.compactionsBefore) this.onCompaction({ trigger }, at)
  }

  private onCompaction(detail: Partial<Compaction> & Pick<Compaction, 'trigger'>, at: number): void {
    this.compactions += 1
    this.history.onCompaction()
    const attributes = {
      'compaction.trigger': detail.trigger,
      'compaction.pre_tokens': detail.preTokens,
      'compaction.post_tokens': detail.postTokens,
      duration_ms: detail.durationMs,
    }
    const ref = this.turns.openRef() ?? this.start.ref
    this.emitter.log('claude.compaction', at, ref, attributes, `context compacted (${detail.trigger})`)
    this.events.onCompaction(detail.trigger, this.hasInstructions, at)
    this.hasInstructions = undefined
    this.emitter.metric('claude.compactions_total', at, 1, { 'compaction.trigger': detail.trigger })
  }

  private emitSession(end: number, reason: string, exit: ExitEntry | undefined, crashed: boolean): void {
    const { start, models, tools, turns } = this
    const failed = crashed ? 'crashed' : (exit?.signal ?? (exit?.code ? `exit_${exit.code}` : undefined))
    const attributes: AttributeSet = {
      'gen_ai.agent.name': mainAgent,
      'session.source': start.source,
      'session.end_reason': reason,
      'session.previous_id': this.previousId,
      'claude.version': this.claudeVersion,
      'claude.permission_mode': turns.permissionMode,
      ...(turns.firstPrompt === undefined ? {} : promptAttributes(turns.firstPrompt)),
      model: models.model,
      'gen_ai.request.model': models.requestedModel,
      'gen_ai.response.model': models.model,
      turns: turns.count,
      'tools.total': tools.total,
      'tools.errors': tools.errors,
      tools_used: tools.total,
      tool_names: [...tools.names].sort().join(','),
      'subagents.total': this.agents.count,
      'model_requests.total': models.requests,
      'api_errors.total': models.errors,
      'compactions.total': this.compactions,
      'cost.usd': models.costUsd,
      ...usageAttributes(models.usage),
      'process.pid': start.pid,
      'process.exit.code': exit?.code,
      'process.signal': exit?.signal,
      'process.working_directory': this.cwd,
      ...this.repository,
    }
    if (!crashed) this.events.onCompleted(end)
    this.emitter.span({
      ref: start.ref,
      ...(start.parent === undefined ? {} : { parent: start.parent }),
      name: 'claude.session',
      startUnixMicro: start.startUnixMicro,
      endUnixMicro: end,
      attributes: { ...attributes, ...this.history.session() },
      events: this.events.all(),
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
    this.endings.settle(at)
  }
}
