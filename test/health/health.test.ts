/**
 * What we tell of ourselves, by the compiled binary: as metrics and log records, in `claude-otel status`, in the debug log.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claudeOtelBinary, createClaudeHome, type RunResult, run } from '../kit/claude-home.ts'
import { startMessagesApi, text, tools, toolUse } from '../kit/messages-api.ts'
import { metricTotals, type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'

let folder = ''
let sink: OtlpSink
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'claude-otel-health-'))
  sink = await startOtlpSink()
})
afterEach(async () => {
  await sink.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Status {
  readonly living: number
  readonly waiting: number
  readonly uncounted: number
  readonly bytes: number
  readonly hooks: { readonly calls: number; readonly p50Ms?: number; readonly p99Ms?: number }
  readonly counts: Readonly<Record<string, Readonly<Record<string, number>>>>
  readonly destinations: Readonly<
    Record<string, { delivered: number; queued: number; dropped: number; lastError?: string }>
  >
}

const environment = (): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  HOME: folder,
  CLAUDE_OTEL_HOME: join(folder, 'state'),
  ...sink.environment(),
})

const cli = (...args: string[]): Promise<RunResult> =>
  run({ command: [claudeOtelBinary, ...args], cwd: folder, env: environment() })

async function readStatus(): Promise<Status> {
  const { stdout, stderr, exitCode } = await cli('status', '--json')
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  return JSON.parse(stdout)
}

/** Sums over all destinations. */
function sums({ destinations }: Status): { delivered: number; queued: number; dropped: number } {
  const all = Object.values(destinations)
  const sum = (key: 'delivered' | 'queued' | 'dropped') => all.reduce((total, each) => total + each[key], 0)
  return { delivered: sum('delivered'), queued: sum('queued'), dropped: sum('dropped') }
}

/** A program in claude’s place that calls our hook with each of these texts, once or, by the number, several times. */
function standIn(payloads: readonly (readonly [payload: unknown, times?: number])[]): string {
  const steps = payloads.map(([payload, times = 1], index) => {
    const path = join(folder, `payload-${index}`)
    writeFileSync(
      path,
      typeof payload === 'string' ? payload : JSON.stringify({ session_id: 's1', ...Object(payload) }),
    )
    return `'${claudeOtelBinary}' hook any < '${path}'\n`.repeat(times)
  })
  const path = join(folder, 'claude')
  writeFileSync(path, `#!/bin/sh\n${steps.join('')}`)
  chmodSync(path, 0o700)
  return path
}

const wrap = (claude: string, ...flags: string[]): Promise<RunResult> =>
  run({ command: [claudeOtelBinary, ...flags, 'Go'], cwd: folder, env: { ...environment(), CLAUDE_BIN: claude } })

const start = { hook_event_name: 'SessionStart', source: 'startup' }
const end = { hook_event_name: 'SessionEnd', reason: 'other' }
const total = (name: string, by?: string) => metricTotals(sink.points(), name, by)

describe('a session of the real claude', () => {
  test('tells how long its hooks took, lost none, and knew everything', async () => {
    const script = { main: [tools(toolUse('Bash', { command: 'echo hi' })), text('Done.')] }
    const [home, api] = await Promise.all([createClaudeHome(), startMessagesApi(script)])
    try {
      const env = home.environment(api.url, sink.environment())
      const options = { cwd: home.project, env }
      const args = ['-p', 'Say hi', '--permission-mode', 'bypassPermissions']
      expect(await run({ ...options, command: [claudeOtelBinary, ...args] })).toMatchObject({ exitCode: 0, stderr: '' })
      const taken = total('claude_otel.hook.duration', 'hook.event')
      const each = { SessionStart: 1, UserPromptSubmit: 1, PreToolUse: 1, PostToolUse: 1, Stop: 1, SessionEnd: 1 }
      expect(taken).toEqual(each)
      for (const name of ['hooks_lost', 'hooks_duplicate', 'records_broken', 'unknown', 'secrets_masked']) {
        expect([name, total(`claude_otel.${name}_total`)]).toEqual([name, {}])
      }

      const { stdout } = await run({ ...options, command: [claudeOtelBinary, 'status', '--json'] })
      const status: Status = JSON.parse(stdout)
      expect(status).toMatchObject({ living: 0, waiting: 0, uncounted: 0, hooks: { calls: 6 } })
      const { p50Ms = 0, p99Ms = 0 } = status.hooks
      expect(p50Ms).toBeGreaterThan(0)
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
      expect(sums(status)).toMatchObject({ queued: 0, dropped: 0 })
      expect(sums(status).delivered).toBeGreaterThan(sink.spans().length + sink.logs().length)
    } finally {
      await api.close()
      await home.remove()
    }
  }, 60_000)
})

describe('what nobody expected is counted and told', () => {
  test('an event and a field of a newer Claude Code', async () => {
    const novel = { hook_event_name: 'Stop', background_tasks: [], mood: { deep: 'fine' } }
    expect(
      await wrap(standIn([[start], [{ hook_event_name: 'SomethingNew', what: 'words' }], [novel], [end]])),
    ).toMatchObject({ exitCode: 0, stderr: '' })
    expect(total('claude_otel.unknown_total', 'hook.event')).toEqual({ SomethingNew: 1, Stop: 1 })
    const records = sink.logs().filter(({ eventName }) => eventName === 'claude.hook.event')
    expect(records.map(({ attributes }) => [attributes['hook.event'], attributes['hook.field']])).toEqual([
      ['SomethingNew', undefined],
      ['Stop', 'mood'],
    ])
    expect(records.map(({ attributes }) => String(attributes['hook.fields']).includes('deep'))).toEqual([false, true])
    expect((await readStatus()).counts['claude_otel.unknown_total']).toEqual({ SomethingNew: 1, 'Stop,mood': 1 })
  })

  test('a record that is none, a hook that came twice, a text that was cut, a secret that was masked', async () => {
    const prompt = `${'word '.repeat(200)} ghp_${'a1B2'.repeat(9)}`
    const call = {
      hook_event_name: 'PreToolUse',
      tool_name: 'Bash',
      tool_use_id: 't',
      tool_input: { token: 'x1y2z3x1y2z3' },
    }
    const claude = standIn([
      [start],
      ['not json'],
      [{ hook_event_name: 'UserPromptSubmit', prompt_id: 'p', prompt }],
      [call, 2],
      [end],
    ])
    expect(await wrap(claude)).toMatchObject({ exitCode: 0, stderr: '' })
    expect(total('claude_otel.records_broken_total')).toEqual({ '': 1 })
    expect(total('claude_otel.hooks_duplicate_total')).toEqual({ '': 1 })
    expect(total('claude_otel.texts_cut_total')).toEqual({ '': 1 })
    expect(total('claude_otel.secrets_masked_total', 'secret.kind')).toMatchObject({ 'github-token': 1 })
    expect(total('claude_otel.secrets_masked_total', 'secret.kind').secret).toBeGreaterThan(0)
    expect(total('claude_otel.hook.duration', 'hook.event')).toMatchObject({ PreToolUse: 1 })
    expect(sink.logs().filter(({ eventName }) => eventName === 'claude_otel.hook.error')).toHaveLength(1)
    const { counts } = await readStatus()
    expect(counts['claude_otel.hooks_duplicate_total']).toEqual({ '': 1 })
  })
})

describe('what could not be sent', () => {
  test('is queued in the status, with its reason, and delivered there once it was', async () => {
    sink.mode = 'refuse'
    const { stderr } = await wrap(standIn([[start], [end]]))
    expect(stderr).toContain('drain')
    const before = await readStatus()
    expect(before).toMatchObject({ living: 0, waiting: 1, uncounted: 0 })
    expect(sums(before)).toMatchObject({ delivered: 0, dropped: 0 })
    expect(Object.values(before.destinations)[0]?.lastError).toContain('503')
    sink.mode = 'accept'
    expect((await cli('drain')).exitCode).toBe(0)
    const after = await readStatus()
    expect(after).toMatchObject({ living: 0, waiting: 0 })
    expect(sums(after)).toEqual({ delivered: sums(before).queued, queued: 0, dropped: 0 })
    expect(Object.values(after.destinations)[0]?.lastError).toBeUndefined()
  })
})

describe('the status', () => {
  test('of a machine where nothing ever ran writes nothing, and reads for people', async () => {
    const { stdout, exitCode } = await cli('status')
    expect(exitCode).toBe(0)
    for (const words of ['Destinations', 'Runs', 'Hooks', 'State']) expect(stdout).toContain(words)
    expect(existsSync(join(folder, 'state'))).toBe(false)
  })

  test('is not put off by what is not ours in the state folder', async () => {
    const state = join(folder, 'state')
    mkdirSync(join(state, 'runs/foreign/deep'), { recursive: true })
    writeFileSync(join(state, 'runs/a-file'), 'words')
    writeFileSync(join(state, 'reports.jsonl'), '\0\0\0\n{"v":9}\nwords')
    expect(await readStatus()).toMatchObject({ living: 0, destinations: {} })
  })
})

describe('diagnostics', () => {
  test('are a file that the summary on stderr names, for their owner alone', async () => {
    const { stderr } = await wrap(standIn([[start], [end]]), '--claude-otel-debug')
    const log = join(folder, 'state/log')
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).toContain(log)
    expect(stderr).toContain('delivered')
    const lines = readFileSync(log, 'utf8')
    for (const words of ['SessionStart', 'SessionEnd', 'closed']) expect(lines).toContain(words)
    expect(statSync(log).mode & 0o777).toBe(0o600)
  })

  test('are none unless somebody asks', async () => {
    expect((await wrap(standIn([[start], [end]]))).stderr).toBe('')
    expect(existsSync(join(folder, 'state/log'))).toBe(false)
  })
})
