/** From records to entries: which of two tellers is believed, and what the first record of a session finds. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Entry } from '../../src/session/entries.ts'
import { Intake } from '../../src/session/intake.ts'
import type { SpoolRecord } from '../../src/session/spool.ts'
import { Transcripts } from '../../src/session/transcripts.ts'
import { keeperOf } from '../kit/keeper.ts'
import { run } from './story.ts'

const sessions = mkdtempSync(join(tmpdir(), 'claude-otel-intake-'))
afterAll(() => rmSync(sessions, { recursive: true }))

const ours = 9_000_001
const another = 9_000_002

describe('Beside callbacks', () => {
  test('what a process tells of the same is a double, before them and long after', () => {
    const told = read(
      record('PreToolUse', { at: 1 }),
      record('PreToolUse', { at: 2, isCallback: true }),
      record('Stop', { at: 10_000_000, isCallback: true }),
      record('Stop', { at: 20_000_000 }),
    )
    expect(kinds(told)).toEqual(['duplicate', 'hook', 'hook', 'duplicate'])
  })

  test('a process alone tells how a session begins and ends', () => {
    const told = read(record('SessionStart', { at: 1 }), record('SessionEnd', { at: 2 }))
    expect(kinds(told)).toEqual(['hook', 'hook'])
  })

  test('and where both tell it, once', () => {
    const told = read(record('SessionEnd', { at: 1, isCallback: true }), record('SessionEnd', { at: 2 }))
    expect(kinds(told)).toEqual(['hook', 'duplicate'])
  })

  test('the same words told again are told again', () => {
    const told = read(record('Stop', { at: 1, isCallback: true }), record('Stop', { at: 2, isCallback: true }))
    expect(kinds(told)).toEqual(['hook', 'hook'])
  })

  test('events that no callback tells, and other claudes, are told by processes', () => {
    const told = read(record('PostToolBatch', { at: 1 }), record('PreToolUse', { at: 2, pid: another }))
    expect(kinds(told)).toEqual(['hook', 'hook'])
  })
})

test('where there are none, processes tell everything', () => {
  const told = intake(false).read(record('PreToolUse', { at: 1 }))
  expect(kinds([told])).toEqual(['hook'])
})

test('the first record of a session finds its repository, whichever it is, and the next ones only what is new', () => {
  const all = intake(true)
  const found = (entries: readonly Entry[]) =>
    entries.flatMap((entry) => (entry.k === 'hook' ? (entry.found ?? []).map(({ k }) => k) : []))
  const cwd = join(import.meta.dir)
  expect(found(all.read(record('SessionEnd', { at: 1, isCallback: true, cwd })))).toEqual(['repository'])
  expect(found(all.read(record('Stop', { at: 2, isCallback: true, cwd })))).toEqual([])
  expect(found(all.read(record('UserPromptSubmit', { at: 3, isCallback: true, cwd })))).toEqual([])
  expect(found(all.read(record('SessionStart', { at: 4, isCallback: true, cwd })))).toEqual(['repository'])
})

function read(...records: readonly SpoolRecord[]): Entry[][] {
  const all = intake(true)
  return records.map((each) => all.read(each))
}

function intake(callbacks: boolean): Intake {
  const keeper = keeperOf(100)
  const root = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
  const wrapped = { root, pid: ours, source: 'startup' as const, ...(callbacks ? { callbacks: true as const } : {}) }
  const transcripts = new Transcripts({ keeper, sessions })
  return new Intake({ keeper, sessions, run: { ...run, wrapped }, transcripts })
}

interface Told {
  readonly at: number
  readonly pid?: number
  readonly isCallback?: true
  readonly cwd?: string
}

function record(event: string, { at, pid = ours, isCallback, cwd }: Told): SpoolRecord {
  const payload = JSON.stringify({ session_id: 's', hook_event_name: event, tool_name: 'Bash', cwd })
  return { from: `${at}-1`, at, pid, payload, ...(isCallback === undefined ? {} : { isCallback }) }
}

function kinds(entries: readonly (readonly Entry[])[]): string[] {
  return entries.map(([entry]) => entry?.k ?? 'nothing')
}
