/**
 * The subagents of a session. One runs below the Agent call that started it, in the foreground or on its own, past the end of
 * its turn. Which call that was is told by the agent's description file or by the call's response.
 */
import type { SpanRef } from '../telemetry/signal.ts'
import type { Emitter } from './emitter.ts'
import type { AgentEntry } from './entries.ts'
import type { History } from './history.ts'
import {
  createInvocation,
  type Endings,
  endInvocation,
  type Invocation,
  type InvocationStatus,
  noteLife,
} from './invocations.ts'
import type { ModelCalls } from './model-calls.ts'
import type { ToolCalls } from './tool-calls.ts'
import type { Turns } from './turns.ts'

interface Agent {
  readonly invocation: Invocation
  /** None where it was started in the session before. */
  readonly turn: Invocation | undefined
  endedUnixMicro?: number
}

export class Agents {
  count = 0

  private readonly agents = new Map<string, Agent>()
  /** Those that go on in the session after this one. */
  private readonly left = new Set<string>()
  private readonly unannounced = new Set<string>()
  private readonly descriptions = new Map<string, Pick<AgentEntry, 'agentType' | 'toolUseId' | 'description'>>()

  constructor(
    private readonly emitter: Emitter,
    private readonly tools: ToolCalls,
    private readonly models: ModelCalls,
    private readonly turns: Turns,
    private readonly endings: Endings,
    private readonly session: SpanRef,
    private readonly history: History,
    private readonly former?: Agents,
  ) {}

  /** What is told later completes what was told before. */
  describe(agentId: string, told: Pick<AgentEntry, 'agentType' | 'toolUseId' | 'description'>): void {
    this.descriptions.set(agentId, { ...this.descriptions.get(agentId), ...told })
  }

  onStart(agentId: string | undefined, agentType: string | undefined, at: number, promptId: string | undefined): void {
    if (agentId === undefined) return
    // One that its transcript has told of already was stamped late, perhaps after its end.
    if (this.unannounced.delete(agentId)) return
    const agent = this.agents.get(agentId)
    if (agent === undefined || agent.endedUnixMicro !== undefined) this.begin(agentId, agentType, at, promptId)
  }

  /** An end without a beginning is that of a helper of Claude Code's own, such as a compaction's. */
  onEnd(agentId: string | undefined, at: number): void {
    const agent = agentId === undefined ? undefined : this.agents.get(agentId)
    if (agent === undefined || agent.endedUnixMicro !== undefined) return
    agent.endedUnixMicro = at
    this.startCall(agent)
    const close = () => this.end(agent, at, 'completed')
    if (this.models.isAnswered(agent.invocation.agentId)) close()
    else this.endings.add(agent.invocation, at, close)
  }

  refOf(agentId: string | undefined): SpanRef | undefined {
    return agentId === undefined ? undefined : this.agents.get(agentId)?.invocation.ref
  }

  /**
   * The agent's life that something which began at `began` belongs to. One that nobody announced begins here, at `at`: also
   * another life of an agent that had ended and was sent a message.
   */
  invocationOf(
    began: number,
    agentId: string,
    agentType: string | undefined,
    at: number,
    promptId: string | undefined,
  ): Invocation {
    const agent = this.agents.get(agentId)
    if (agent === undefined) this.unannounced.add(agentId)
    const goesOn = agent?.endedUnixMicro !== undefined && began > agent.endedUnixMicro
    if (agent === undefined || goesOn) return this.begin(agentId, agentType, at, promptId).invocation
    if (agent.endedUnixMicro === undefined) noteLife(agent.invocation, at)
    return agent.invocation
  }

  /** The session ends, but not its background agents. */
  leave(at: number): void {
    for (const [agentId, agent] of this.agents) {
      if (agent.endedUnixMicro === undefined) this.left.add(agentId)
      this.end(agent, at, 'completed')
    }
  }

  /** Of those that nobody has told the end of: when they were last heard of. */
  get lastUnixMicro(): number {
    const open = [...this.agents.values()].filter(({ invocation }) => invocation.isOpen)
    return Math.max(0, ...open.map(({ invocation }) => invocation.lastUnixMicro))
  }

  /** Those whose whole answer was told, though not their end: the hook was lost. */
  endAnswered(): void {
    for (const agent of this.agents.values()) {
      const { agentId, lastUnixMicro } = agent.invocation
      if (this.models.isAnswered(agentId)) this.end(agent, lastUnixMicro, 'completed')
    }
  }

  finish(at: number, status: InvocationStatus): void {
    for (const agent of this.agents.values()) this.end(agent, at, status)
  }

  private hasLeft(agentId: string): boolean {
    return this.left.has(agentId) || this.former?.hasLeft(agentId) === true
  }

  private begin(agentId: string, agentType: string | undefined, at: number, promptId: string | undefined): Agent {
    const turn = this.former?.hasLeft(agentId) ? undefined : this.turns.invocationOf(0, promptId, at)
    const isAgain = this.agents.has(agentId)
    this.count += 1
    const invocation = createInvocation({
      ref: this.emitter.ref(`agent:${agentId}${isAgain ? `:${this.count}` : ''}`),
      agentName:
        agentType ||
        this.agents.get(agentId)?.invocation.agentName ||
        this.descriptions.get(agentId)?.agentType ||
        'subagent',
      agentId,
      ...(promptId === undefined ? {} : { promptId }),
      startUnixMicro: at,
      ...(turn === undefined ? {} : { turn }),
    })
    const agent: Agent = { invocation, turn }
    this.agents.set(agentId, agent)
    return agent
  }

  /** The call that started it began no later, though its own hook may have been stamped later. */
  private startCall({ invocation }: Agent): void {
    const { toolUseId } = this.descriptions.get(invocation.agentId ?? '') ?? {}
    if (toolUseId !== undefined) this.tools.onBelow(toolUseId, invocation.startUnixMicro)
  }

  private end(agent: Agent, at: number, status: InvocationStatus): void {
    const { invocation, turn } = agent
    if (!invocation.isOpen) return
    agent.endedUnixMicro = at
    const { toolUseId, description } = this.descriptions.get(invocation.agentId ?? '') ?? {}
    this.startCall(agent)
    const call = toolUseId === undefined ? undefined : this.tools.find(toolUseId)
    // Its start can be stamped before the call was announced.
    if (call !== undefined) invocation.startUnixMicro = Math.max(invocation.startUnixMicro, call.startUnixMicro)
    this.models.flush(invocation.agentId)
    this.tools.endOf(invocation, at, status === 'interrupted' ? 'interrupted' : 'abandoned')
    endInvocation(this.emitter, invocation, {
      parent: call?.ref ?? turn?.ref ?? this.session,
      endUnixMicro: at,
      attributes: { 'gen_ai.agent.description': description, ...this.history.invocation(invocation) },
      ...(status === 'completed' ? {} : { error: { type: status } }),
    })
  }
}
