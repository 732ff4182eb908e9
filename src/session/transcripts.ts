/**
 * Follows the transcripts of the sessions of one run: the main file of each and its subagents' files. What is found becomes
 * journal entries, also what is found beside them: an agent's description, the session that a fork was copied from.
 */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createTranscriptReader, readCostAt, type TranscriptReader } from '../claude/transcript.ts'
import type { Keeper } from '../telemetry/keeper.ts'
import { isRecord } from '../telemetry/summary.ts'
import type { AgentEntry, Entry, PreviousEntry, TranscriptEntry } from './entries.ts'
import { readJsonFile, readSessionContext } from './run.ts'

interface Followed {
  readonly session: string
  readonly startUnixMicro: number
  /** When another process resumed the session: the lines from there on are not this run's. */
  readonly untilUnixMicro: number
  readonly path: string
  readonly main: TranscriptReader
  readonly agents: Map<string, { readonly reader: TranscriptReader; isDescribed: boolean }>
}

export interface TranscriptsOptions {
  /** Masks and cuts what is kept. */
  readonly keeper: Keeper
  /** The folder of span-context files. */
  readonly sessions: string
}

export class Transcripts {
  private readonly followed = new Map<string, Followed>()
  /** By file and line, how many of its facts the journal has. */
  private readonly knownFacts = new Map<string, Map<number, number>>()
  /** By file, the sessions that its lines are known to be copied from. */
  private readonly knownOrigins = new Set<string>()
  private isUnread = false
  private readonly knownAgents = new Set<string>()
  /** Sessions of which lines were read, and calls whose results were, but not the hook that tells of their end. */
  private readonly written = new Set<string>()
  private readonly results = new Set<string>()

  constructor(private readonly options: TranscriptsOptions) {}

  /** An entry of a journal that was taken over: it is not told again. */
  know(entry: Entry): void {
    if (entry.k === 'line') this.knowLine(entry)
    this.note(entry)
    if (entry.k === 'agent') this.knownAgents.add(`${entry.session}/${entry.agent}`)
  }

  /** From `startUnixMicro` on the session is this run's; what its file holds of earlier times is not counted. */
  follow(session: string, path: string, startUnixMicro: number): void {
    const past = this.followed.get(session)
    if (past?.startUnixMicro === startUnixMicro) return
    const later = readSessionContext(this.options.sessions, session)?.startUnixMicro ?? 0
    const untilUnixMicro = later > startUnixMicro ? later : Number.POSITIVE_INFINITY
    const main = this.open(path, startUnixMicro)
    this.isUnread = true
    this.followed.set(session, { session, startUnixMicro, untilUnixMicro, path, main, agents: new Map() })
  }

  unfollow(session: string): void {
    this.followed.delete(session)
  }

  /** A file is followed that nothing was read of yet. */
  hasUnread(): boolean {
    return this.isUnread
  }

  /** A piece of what was written since the last call, of each file, in no particular order. */
  read(): Entry[] {
    this.isUnread = false
    return [...this.followed.values()].flatMap((followed) => {
      this.findAgents(followed)
      const main = followed.main
        .read()
        .map((fact) => toEntry(fact, followed.session, this.options.keeper.mask(followed.path)))
      const all = [...main, ...main.flatMap((entry) => this.originOf(entry, followed)), ...this.readAgents(followed)]
      const found = all.filter((entry) => entry.at < followed.untilUnixMicro && !this.isKnown(entry))
      for (const entry of found) this.note(entry)
      return found
    })
  }

  /** Whether a hook tells of a call's end that the transcript, which is being written, does not know yet. */
  lacksResultOf(entry: Entry): boolean {
    if (entry.k !== 'hook') return false
    const { sessionId, detail } = entry.event
    if (detail.type !== 'tool-end' && detail.type !== 'tool-failure') return false
    const { useId } = detail.tool
    return useId !== undefined && this.written.has(sessionId) && !this.results.delete(useId)
  }

  /** Times up to which everything is read: beyond any, where nothing is left to be read. */
  reachedUnixMicro(): number {
    const readers = [...this.followed.values()].flatMap(({ main, agents }) => [
      main,
      ...[...agents.values()].map(({ reader }) => reader),
    ])
    return Math.min(...readers.map((reader) => reader.reachedUnixMicro()))
  }

  private note(entry: Entry): void {
    if (entry.k !== 'line') return
    this.written.add(entry.session)
    if (entry.detail.type === 'tool-result') this.results.add(entry.detail.useId)
  }

  private knowLine({ file, offset, detail }: TranscriptEntry): void {
    const lines = this.knownFacts.get(file) ?? new Map<number, number>()
    this.knownFacts.set(file, lines)
    lines.set(offset, (lines.get(offset) ?? 0) + 1)
    if (detail.type === 'copied') this.knownOrigins.add(`${file} ${detail.fromSessionId}`)
  }

  private isKnown(entry: Entry): boolean {
    if (entry.k !== 'line') return false
    // Where a long file is begun in its middle, the first copied line is not always the same.
    if (entry.detail.type === 'copied' && this.knownOrigins.has(`${entry.file} ${entry.detail.fromSessionId}`))
      return true
    const lines = this.knownFacts.get(entry.file)
    const known = lines?.get(entry.offset) ?? 0
    if (lines === undefined || known === 0) return false
    if (known > 1) lines.set(entry.offset, known - 1)
    else lines.delete(entry.offset)
    return true
  }

  private readAgents(followed: Followed): Entry[] {
    return [...followed.agents].flatMap(([agent, state]) => {
      const { keeper } = this.options
      const file = keeper.mask(agentPath(followed, agent))
      const shown = keeper.mask(agent)
      const lines = state.reader.read().map((fact) => ({ ...toEntry(fact, followed.session, file), agent: shown }))
      const description = state.isDescribed ? undefined : this.describe(followed, agent, lines[0]?.at)
      if (description !== undefined) state.isDescribed = true
      return description === undefined ? lines : [description, ...lines]
    })
  }

  private findAgents(followed: Followed): void {
    for (const name of listFolder(agentsFolder(followed))) {
      const agent = /^agent-(.+)\.jsonl$/.exec(name)?.[1]
      if (agent === undefined || followed.agents.has(agent)) continue
      const reader = this.open(agentPath(followed, agent), followed.startUnixMicro)
      followed.agents.set(agent, {
        reader,
        isDescribed: this.knownAgents.has(`${followed.session}/${this.options.keeper.mask(agent)}`),
      })
    }
  }

  private describe(followed: Followed, agent: string, at = followed.startUnixMicro): AgentEntry | undefined {
    const meta = readJsonFile(agentPath(followed, agent).replace(/\.jsonl$/, '.meta.json'))
    if (!isRecord(meta)) return undefined
    const { agentType, toolUseId, description } = meta
    const { keeper } = this.options
    return {
      k: 'agent',
      at,
      session: followed.session,
      agent: keeper.mask(agent),
      ...(typeof agentType === 'string' ? { agentType: keeper.mask(agentType) } : {}),
      ...(typeof toolUseId === 'string' ? { toolUseId: keeper.mask(toolUseId) } : {}),
      ...(typeof description === 'string'
        ? { description: keeper.preview('gen_ai.agent.description', description).text }
        : {}),
    }
  }

  private originOf(entry: TranscriptEntry, followed: Followed): PreviousEntry[] {
    if (entry.detail.type !== 'copied') return []
    const previousId = entry.detail.fromSessionId
    const context = readSessionContext(this.options.sessions, previousId)
    const cost = readCostAt(
      join(dirname(followed.path), `${previousId}.jsonl`),
      followed.startUnixMicro,
      this.options.keeper,
    )
    return [
      {
        k: 'previous',
        at: followed.startUnixMicro,
        session: followed.session,
        previousId,
        conversationId: context?.conversationId ?? previousId,
        ...(context === undefined ? {} : { ref: context.ref }),
        ...(cost === undefined ? {} : { cost }),
      },
    ]
  }

  private open(path: string, sinceUnixMicro: number): TranscriptReader {
    return createTranscriptReader({ path, sinceUnixMicro, keeper: this.options.keeper })
  }
}

function toEntry(fact: ReturnType<TranscriptReader['read']>[number], session: string, file: string): TranscriptEntry {
  const { timeUnixMicro, ...rest } = fact
  return { k: 'line', at: timeUnixMicro, session, file, ...rest }
}

/** `<folder>/<session>.jsonl` has its subagents in `<folder>/<session>/subagents/`. */
function agentsFolder({ path }: Followed): string {
  return join(path.replace(/\.jsonl$/, ''), 'subagents')
}

function agentPath(followed: Followed, agent: string): string {
  return join(agentsFolder(followed), `agent-${agent}.jsonl`)
}

function listFolder(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
