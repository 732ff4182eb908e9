/**
 * Usage from Claude Code's transcript files, read as fast as the disk gives them: of each line no more than the tokens of an answer,
 * who asked for it, and where. Prompts, answers and outputs are never looked at.
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { readRepository } from '../session/repository.ts'
import { createRedactor, defaultRedaction } from '../telemetry/redact.ts'
import { isRecord } from '../telemetry/summary.ts'
import { compact } from './correlation.ts'
import type { UsageRecord } from './record.ts'
import { deriveKey } from './stream.ts'

export interface TranscriptFile {
  readonly path: string
  readonly bytes: number
  /** Milliseconds since the epoch. */
  readonly changedMs: number
}

/** All transcripts below these files and folders, the oldest first, so that a session comes before its forks. */
export function findTranscripts(paths: readonly string[]): readonly TranscriptFile[] {
  const found = paths.flatMap((path) => {
    const stat = statSync(path)
    if (stat.isFile()) return [path]
    return readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.jsonl'))
      .map((entry) => join(entry.parentPath, entry.name))
  })
  const files = [...new Set(found)].map((path) => ({ path, stat: statSync(path) }))
  return files
    .sort((a, b) => a.stat.birthtimeMs - b.stat.birthtimeMs || a.stat.mtimeMs - b.stat.mtimeMs)
    .map(({ path, stat }) => ({ path, bytes: stat.size, changedMs: Math.floor(stat.mtimeMs) }))
}

const chunkBytes = 1 << 20
/** A session that was written to so lately may go on with the message that stands last. */
const unfinishedMs = 60_000
const mark = Buffer.from('"usage":{')

/** Whether somebody may still be writing to it: then it is not yet taken for known. */
export function isUnfinished({ changedMs }: TranscriptFile, now = Date.now()): boolean {
  return now - changedMs < unfinishedMs
}

/** The answers of one file, each with the tokens of its last line. Lines that are none are passed over, the last one may be half. */
export function readHistory(file: TranscriptFile, now = Date.now()): readonly UsageRecord[] {
  const { path } = file
  const messages = new Map<string, Line>()
  let last: string | undefined
  for (const line of linesWith(path, mark)) {
    const message = parseAnswer(line)
    if (message === undefined) continue
    last = `${message.messageId} ${message.requestId}`
    messages.set(last, message)
  }
  if (last !== undefined && isUnfinished(file, now)) messages.delete(last)
  const agent = agentOf(path)
  return [...messages.values()].map((message) => toRecord(message, agent))
}

interface Line {
  readonly messageId: string
  readonly requestId: string
  readonly sessionId: string
  readonly model: string
  readonly timeUnixMicro: number
  readonly usage: Readonly<Record<string, unknown>>
  readonly cwd: string
  readonly branch: string
  readonly effort: string
}

function parseAnswer(data: string): Line | undefined {
  const line = parseJson(data)
  if (!isRecord(line) || line.type !== 'assistant' || !isRecord(line.message)) return undefined
  const { id, model, usage } = line.message
  const timeUnixMicro = Date.parse(text(line.timestamp)) * 1000
  if (typeof id !== 'string' || typeof model !== 'string' || model === '<synthetic>' || !isRecord(usage))
    return undefined
  if (Number.isNaN(timeUnixMicro)) return undefined
  return {
    messageId: id,
    requestId: text(line.requestId),
    // A line that a fork has copied names the session whose request it answers.
    sessionId: text(line.requestSessionId) || text(line.sessionId) || 'unknown',
    model,
    timeUnixMicro,
    usage,
    cwd: text(line.cwd),
    branch: text(line.gitBranch),
    effort: text(line.effort),
  }
}

interface Agent {
  readonly agentId?: string
  readonly agentName?: string
}

function toRecord(line: Line, { agentId, agentName }: Agent): UsageRecord {
  const { usage, sessionId, messageId, requestId } = line
  const creation = isRecord(usage.cache_creation) ? usage.cache_creation : {}
  return compact({
    id: deriveKey('transcript', messageId, requestId),
    source: 'transcript' as const,
    sessionId,
    orchestrationId: sessionId,
    repository: repositoryOf(line.cwd),
    branch: line.branch || undefined,
    timeUnixMicro: line.timeUnixMicro,
    model: line.model,
    inputTokens: number(usage.input_tokens),
    outputTokens: number(usage.output_tokens),
    cacheReadTokens: number(usage.cache_read_input_tokens),
    cacheCreationTokens: number(usage.cache_creation_input_tokens),
    cacheCreation1hTokens: number(creation.ephemeral_1h_input_tokens) || undefined,
    costUsd: null,
    querySource: agentId === undefined ? 'main' : 'subagent',
    agentId,
    agentName,
    effort: line.effort || undefined,
    speed: text(usage.speed) || undefined,
    requestId: requestId || undefined,
  })
}

const { redact } = createRedactor(defaultRedaction)
const repositories = new Map<string, string | undefined>()

/** As it is today; a folder that is gone has its name. */
function repositoryOf(cwd: string): string | undefined {
  if (cwd === '') return undefined
  if (!repositories.has(cwd)) {
    const attributes = readRepository(cwd, redact)
    const [owner, name] = [attributes['vcs.owner.name'], attributes['vcs.repository.name']]
    repositories.set(cwd, name === undefined ? redact(basename(cwd)) : [owner, name].filter(Boolean).join('/'))
  }
  return repositories.get(cwd)
}

/** A subagent's file is `<session>/subagents/agent-<id>.jsonl`, with its type in a `.meta.json` beside it. */
function agentOf(path: string): Agent {
  const agentId = /[/\\]subagents[/\\]agent-([^/\\]+)\.jsonl$/.exec(path)?.[1]
  if (agentId === undefined) return {}
  const meta = parseJson(readText(path.replace(/\.jsonl$/, '.meta.json')))
  const agentName = isRecord(meta) ? text(meta.agentType) : ''
  return { agentId, ...(agentName === '' ? {} : { agentName }) }
}

/** Complete lines that hold these bytes. */
function* linesWith(path: string, bytes: Buffer): Generator<string> {
  let rest = Buffer.alloc(0)
  for (const chunk of chunksOf(path)) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    const end = data.lastIndexOf(0x0a) + 1
    let from = 0
    for (let found = data.indexOf(bytes); found !== -1 && found < end; found = data.indexOf(bytes, from)) {
      const start = data.lastIndexOf(0x0a, found) + 1
      const stop = data.indexOf(0x0a, found)
      if (stop === -1) break
      yield data.toString('utf8', start, stop)
      from = stop
    }
    rest = Buffer.from(data.subarray(end))
  }
}

function* chunksOf(path: string): Generator<Buffer> {
  const file = openSync(path, 'r')
  try {
    const { size } = fstatSync(file)
    for (let at = 0; at < size; ) {
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

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0
}
