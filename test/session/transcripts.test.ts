/** Following the transcripts of a run: its sessions, their subagents, and where a fork came from. */
import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../src/session/entries.ts'
import { writeSessionContext } from '../../src/session/run.ts'
import { Transcripts } from '../../src/session/transcripts.ts'
import { keeperOf } from '../kit/keeper.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-transcripts-'))
afterAll(() => rmSync(root, { recursive: true }))

const start = Date.parse('2026-11-21T10:00:00.000Z') * 1000
let folder = ''
let path = ''
let sessions = ''
beforeEach(() => {
  folder = mkdtempSync(join(root, 'case-'))
  path = join(folder, 's1.jsonl')
  sessions = join(folder, 'sessions')
})

const open = (known: readonly Entry[] = []) => {
  const transcripts = new Transcripts({ keeper: keeperOf(100), sessions })
  for (const entry of known) transcripts.know(entry)
  return transcripts
}
const time = (ms: number): string => new Date(start / 1000 + ms).toISOString()

function message(ms: number, id: string, more: object = {}): string {
  const content = { id, model: 'opus', usage: { input_tokens: 1, output_tokens: 1 }, content: [] }
  return `${JSON.stringify({ type: 'assistant', timestamp: time(ms), sessionId: 's1', message: content, ...more })}\n`
}

const cost = (usd: number): string => `${JSON.stringify({ type: 'cost-state', totalCostUSD: usd, modelUsage: {} })}\n`

function putAgent(agent: string, lines: string, meta?: object): void {
  const agents = join(folder, 's1/subagents')
  mkdirSync(agents, { recursive: true })
  appendFileSync(join(agents, `agent-${agent}.jsonl`), lines)
  if (meta !== undefined) writeFileSync(join(agents, `agent-${agent}.meta.json`), JSON.stringify(meta))
}

function messageIds(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) =>
    entry.k === 'line' && entry.detail.type === 'message' ? [entry.detail.messageId] : [],
  )
}

describe('the transcript of a session', () => {
  test('is read from where the run began, as it grows', () => {
    const transcripts = open()
    transcripts.follow('s1', path, start)
    expect(transcripts.read()).toEqual([])
    writeFileSync(path, message(-500, 'm0') + message(5, 'm1'))
    expect(messageIds(transcripts.read())).toEqual(['m1'])
    appendFileSync(path, message(9, 'm2'))
    expect(transcripts.read()).toMatchObject([{ k: 'line', at: start + 9000, session: 's1', file: path }])
    expect(transcripts.read()).toEqual([])
  })

  test('is not begun anew when another event names it again', () => {
    const transcripts = open()
    writeFileSync(path, message(5, 'm1'))
    transcripts.follow('s1', path, start)
    expect(messageIds(transcripts.read())).toEqual(['m1'])
    transcripts.follow('s1', path, start)
    expect(transcripts.read()).toEqual([])
  })

  test('belongs to the next run from where that one began', () => {
    const ref = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
    const startUnixMicro = start + 60_000_000
    writeSessionContext(sessions, { v: 1, sessionId: 's1', conversationId: 's1', ref, startUnixMicro })
    writeFileSync(path, message(5, 'm1') + message(70_000, 'm2'))
    const transcripts = open()
    transcripts.follow('s1', path, start)
    expect(messageIds(transcripts.read())).toEqual(['m1'])
  })
})

describe('a subagent’s transcript', () => {
  test('is found beside the session’s, with what describes it, whichever comes first', () => {
    const transcripts = open()
    transcripts.follow('s1', path, start)
    putAgent('a1', message(5, 'm1'))
    const [line, ...none] = transcripts.read()
    expect(line).toMatchObject({ k: 'line', agent: 'a1', session: 's1' })
    expect(none).toEqual([])
    putAgent('a1', message(6, 'm2'), { agentType: 'explorer', toolUseId: 't1', description: 'look', spawnDepth: 1 })
    expect(transcripts.read()).toMatchObject([
      { k: 'agent', session: 's1', agent: 'a1', agentType: 'explorer', toolUseId: 't1', description: 'look' },
      { k: 'line', agent: 'a1' },
    ])
    expect(transcripts.read()).toEqual([])
  })

  test('is described once, with a description that is masked', () => {
    const transcripts = open()
    transcripts.follow('s1', path, start)
    putAgent('a1', message(5, 'm1'), { description: `use ghp_${'Ab1'.repeat(12)}`, agentType: 7 })
    const [described] = transcripts.read()
    expect(described).toMatchObject({ k: 'agent', description: 'use [REDACTED:github-token]' })
    expect(described).not.toHaveProperty('agentType')
  })

  test('is not told again by whoever takes the run over', () => {
    const first = open()
    first.follow('s1', path, start)
    putAgent('a1', message(5, 'm1'), { agentType: 'explorer' })
    const known = first.read()
    const second = open(known)
    second.follow('s1', path, start)
    expect(second.read()).toEqual([])
    putAgent('a1', message(6, 'm2'))
    expect(messageIds(second.read())).toEqual(['m2'])
  })

  test('stays where it is when its name tries to lead elsewhere', () => {
    const transcripts = open()
    transcripts.follow('s1', path, start)
    putAgent('x', message(5, 'm1'))
    writeFileSync(join(folder, 's1/subagents/other.jsonl'), message(5, 'm2'))
    mkdirSync(join(folder, 's1/subagents/agent-folder.jsonl'))
    expect(messageIds(transcripts.read())).toEqual(['m1'])
  })
})

describe('a fork', () => {
  const copied = message(-900, 'm0', { sessionId: 's1', requestSessionId: 'origin' })

  test('is told with its origin’s span and what that had cost by then', () => {
    const ref = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), traceFlags: 1 }
    writeSessionContext(sessions, { v: 1, sessionId: 'origin', conversationId: 'c0', ref, startUnixMicro: 1 })
    writeFileSync(join(folder, 'origin.jsonl'), message(-900, 'm0') + cost(2) + message(900, 'm9') + cost(5))
    writeFileSync(path, copied + message(5, 'm1'))
    const transcripts = open()
    transcripts.follow('s1', path, start)
    expect(transcripts.read().filter(({ k }) => k === 'previous')).toEqual([
      {
        k: 'previous',
        at: start,
        session: 's1',
        previousId: 'origin',
        conversationId: 'c0',
        ref,
        cost: { totalUsd: 2, models: {} },
      },
    ])
  })

  test('of a session that we know nothing of has its id', () => {
    writeFileSync(path, copied + message(5, 'm1'))
    const transcripts = open()
    transcripts.follow('s1', path, start)
    expect(transcripts.read().find(({ k }) => k === 'previous')).toEqual({
      k: 'previous',
      at: start,
      session: 's1',
      previousId: 'origin',
      conversationId: 'origin',
    })
  })
})

describe('a take-over', () => {
  test('tells every line that the journal has not, whatever order they were journaled in', () => {
    const user = `${JSON.stringify({ type: 'user', isMeta: true, timestamp: time(1), promptId: 'p1', message: { content: 'x' } })}\n`
    writeFileSync(path, user + message(50, 'm1') + cost(1))
    const first = open()
    first.follow('s1', path, start)
    const all = first.read()
    // The running total has no time of its own, so it is journaled before the message that it follows.
    const inOrder = all.toSorted((a, b) => a.at - b.at)
    expect(inOrder.map((entry) => entry.k === 'line' && entry.detail.type)).toEqual(['cost', 'message'])
    const second = open(inOrder.slice(0, 1))
    second.follow('s1', path, start)
    expect(messageIds(second.read())).toEqual(['m1'])
  })

  test('tells the second fact of a line whose first one the journal has', () => {
    const content = ['t1', 't2'].map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'x' }))
    writeFileSync(path, `${JSON.stringify({ type: 'user', timestamp: time(1), message: { content } })}\n`)
    const results = (entries: readonly Entry[]): unknown[] =>
      entries.map((entry) => entry.k === 'line' && entry.detail.type === 'tool-result' && entry.detail.useId)
    const first = open()
    first.follow('s1', path, start)
    const known = first.read()
    expect(results(known)).toEqual(['t1', 't2'])
    const second = open(known.slice(0, 1))
    second.follow('s1', path, start)
    expect(results(second.read())).toEqual(['t2'])
  })
})
