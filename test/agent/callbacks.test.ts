/** Callbacks of the Agent SDK become records of the spool, and disturb nobody. */
import { afterEach, describe, expect, spyOn, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HookInput } from '@anthropic-ai/claude-agent-sdk/core'
import { createCallbacks } from '../../src/agent/callbacks.ts'
import { registeredEvents } from '../../src/claude/hook-command.ts'
import { readSpool } from '../../src/session/spool.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

describe('A callback', () => {
  test('writes what it was told as a record of claude’s, which says that it is none of a process', async () => {
    const run = newRun()
    const before = Date.now() * 1000
    expect(await tell(run, { hook_event_name: 'PreToolUse', words: 'ü\n"' })).toEqual({})
    const [record, ...more] = records(run)
    expect(more).toEqual([])
    expect(record).toMatchObject({ pid: 4711, isCallback: true })
    expect(JSON.parse(record?.payload ?? '')).toEqual({ hook_event_name: 'PreToolUse', words: 'ü\n"' })
    expect(record?.at).toBeWithin(before - 1000, Date.now() * 1000 + 1000)
    expect(record?.tookMicro).toBeWithin(0, 1_000_000)
  })

  test('that comes at the same time as others has a file of its own, in their order', async () => {
    const run = newRun()
    const clock = spyOn(performance, 'now').mockReturnValue(1)
    try {
      await Promise.all(Array.from({ length: 50 }, (_, index) => tell(run, { index })))
    } finally {
      clock.mockRestore()
    }
    const told = records(run)
    expect(told.map(({ payload }) => JSON.parse(payload).index)).toEqual(
      Array.from({ length: 50 }, (_, index) => index),
    )
    expect(new Set(told.map(({ at }) => at)).size).toBe(50)
  })

  test('makes the folder where the run has none yet, for nobody else to read', async () => {
    const run = join(newRun(), 'later')
    await tell(run, {})
    expect(records(run)).toHaveLength(1)
    const spool = join(run, 'spool')
    expect(statSync(spool).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(spool)) expect(statSync(join(spool, name)).mode & 0o777).toBe(0o600)
  })

  test('lets claude go on where nothing can be written', async () => {
    const run = newRun()
    writeFileSync(join(run, 'spool'), 'not a folder')
    expect(await tell(run, {})).toEqual({})
  })

  test('is asked for by the wrapper’s events', () => {
    expect(Object.keys(createCallbacks(newRun(), () => 1))).toEqual([...registeredEvents])
  })
})

function newRun(): string {
  const run = mkdtempSync(join(tmpdir(), 'claude-otel-callbacks-'))
  folders.push(run)
  return run
}

const callbacks = new Map<string, ReturnType<typeof createCallbacks>>()

async function tell(run: string, input: Readonly<Record<string, unknown>>): Promise<unknown> {
  const made = callbacks.get(run) ?? createCallbacks(run, () => 4711)
  callbacks.set(run, made)
  const callback = made.PreToolUse?.[0]?.hooks[0]
  return callback?.(input as unknown as HookInput, undefined, { signal: new AbortController().signal })
}

function records(run: string) {
  mkdirSync(run, { recursive: true })
  const { records: found, broken } = readSpool(join(run, 'spool'), Number.POSITIVE_INFINITY, true)
  expect(broken).toEqual([])
  return found
}
