/** The pump in all the states that a death of its predecessor can leave behind, with real folders and the file exporter. */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Config, resolveConfig } from '../../src/config/config.ts'
import { readDrops } from '../../src/session/drops.ts'
import type { Entry, RunEntry } from '../../src/session/entries.ts'
import { openJournal } from '../../src/session/journal.ts'
import { type Pump, startPump } from '../../src/session/pump.ts'
import { claimRun, createRunFolder, isOwned, type RunFolder, readSessionContext } from '../../src/session/run.ts'
import { until } from '../kit/until.ts'
import { type Exported, fillSpool, type HookCall, readExported, readRecording } from './recording.ts'
import { assemble, expectLawful, run } from './story.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-pump-'))
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
let folder: RunFolder
let output = ''
let config: Config
beforeEach(() => openHome())

/** A home of its own: what one pump has left, another one must not find. */
function openHome(): void {
  home = mkdtempSync(join(root, 'home-'))
  folder = createRunFolder(join(home, 'runs/1'))
  output = join(home, 'signals.jsonl')
  config = configOf('file')
}

const children: Bun.Subprocess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function configOf(exporter: string, more: Record<string, string> = {}): Config {
  const names = ['TRACES', 'LOGS', 'METRICS'].map((type) => [`OTEL_${type}_EXPORTER`, exporter])
  const delta = { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'delta' }
  return resolveConfig({ env: { CLAUDE_OTEL_FILE: output, ...delta, ...Object.fromEntries(names), ...more } }).config
}

const pathsOf = (folder: string) => ({
  sessions: join(folder, 'sessions'),
  reports: join(folder, 'reports.jsonl'),
  dropped: join(folder, 'dropped.jsonl'),
})

const claude = 9_000_001
const root1 = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 }
const wrapped: RunEntry = { ...run, at: 1, wrapped: { root: root1, pid: claude, source: 'startup' } }

function start(entry: RunEntry = wrapped): Pump {
  claimRun(folder)
  return startPump({ folder, paths: pathsOf(home), config, entry })
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)

/** Takes and delivers what is there, and leaves without a word about claude: as if killed just then. */
const deliverAndDie = async (): Promise<void> => void (await start().close(() => [], soon()))
const finish = () => start().close(() => [{ pid: claude }], soon())

function calls(...payloads: readonly (Readonly<Record<string, unknown>> & { readonly after?: number })[]): HookCall[] {
  let at = (Date.now() - 60_000) * 1000
  return payloads.map(({ after = 10, ...payload }) => {
    at += after * 1000
    return { at, pid: claude, payload: { session_id: 's1', ...payload } }
  })
}

const [sessionStart, sessionEnd] = [
  { hook_event_name: 'SessionStart', source: 'startup' },
  { hook_event_name: 'SessionEnd', reason: 'other' },
]

/**
 * What was exported, in any order, and what was sent twice told once. Sums are those of deltas, which there are none of for
 * what goes up and down.
 */
function contentOf({ spans, logs, metrics: all }: Exported) {
  const metrics = Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('claude.tools_in_flight')))
  const unique = (list: readonly unknown[]): string[] => [...new Set(list.map((item) => JSON.stringify(item)))].sort()
  return { spans: unique(spans), logs: unique(logs), metrics }
}

describe.each(['tools', 'fail', 'int_tool', 'e401', 'd_plan'])('the recorded session %s, taken over', (name) => {
  /** Hook calls whose transcripts lie in `home`; they are not there before `showTranscripts`. */
  function prepare(): HookCall[] {
    const source = join(import.meta.dir, '../fixtures/hooks', name, 'transcripts')
    cpSync(source, join(home, 'hidden'), { recursive: true })
    return readRecording(name).map((call) => {
      const file = basename(String(call.payload.transcript_path))
      return { ...call, pid: claude, payload: { ...call.payload, transcript_path: join(home, 'transcripts', file) } }
    })
  }

  const showTranscripts = (): void => renameSync(join(home, 'hidden'), join(home, 'transcripts'))

  async function straight(): Promise<{ exported: Exported; entries: readonly Entry[] }> {
    openHome()
    fillSpool(folder, prepare())
    showTranscripts()
    config = configOf('otlp', {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    })
    await finish()
    const journal = openJournal(folder.journal)
    const entries = [...journal.read()]
    journal.close()
    config = configOf('file')
    await finish()
    return { exported: readExported(output), entries: movedFrom(home, entries) }
  }

  /** The journal names the transcripts of the home that it was written in. */
  function movedFrom(other: string, entries: readonly Entry[]): readonly Entry[] {
    return JSON.parse(JSON.stringify(entries).replaceAll(other, '<home>'))
  }

  function putJournal(entries: readonly Entry[], torn = ''): void {
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('') + torn
    writeFileSync(folder.journal, text.replaceAll('<home>', home))
  }

  function cuts(length: number): number[] {
    const step = Math.max(1, Math.floor(length / 30))
    return Array.from({ length }, (_, index) => index).filter((index) => index % step === 0 || index < 5)
  }

  test('after any entry of the journal, torn in the next, with the spool still full, tells the same', async () => {
    const { exported, entries } = await straight()
    const whole = entries.slice(0, -1)
    const differing: string[] = []
    for (const cut of cuts(whole.length)) {
      openHome()
      const recorded = prepare()
      showTranscripts()
      fillSpool(folder, recorded)
      putJournal(whole.slice(0, cut), JSON.stringify(whole[cut]).slice(0, 40))
      const report = await finish()
      expect(report.settled).toBe(true)
      const got = contentOf(readExported(output))
      if (!Bun.deepEquals(got, contentOf(exported)))
        differing.push(`${cut}: ${nameOf(whole[cut - 1])} | ${nameOf(whole[cut])}`)
    }
    expect(differing).toEqual([])
  }, 60_000)

  test('after any part was delivered and acknowledged, tells the rest, and nothing twice', async () => {
    const { exported, entries } = await straight()
    const whole = entries.slice(0, -1)
    const differing: string[] = []
    for (const cut of cuts(whole.length)) {
      if (cut === 0) continue
      openHome()
      const recorded = prepare()
      putJournal(whole.slice(0, cut))
      await deliverAndDie()
      showTranscripts()
      fillSpool(folder, recorded)
      await finish()
      const got = readExported(output)
      const isTwice = new Set(got.spans.map(({ spanId }) => spanId)).size !== got.spans.length
      if (isTwice || !Bun.deepEquals(contentOf(got), contentOf(exported)))
        differing.push(`${cut}: ${nameOf(whole[cut - 1])} | ${nameOf(whole[cut])}`)
    }
    expect(differing).toEqual([])
  }, 60_000)

  test('is assembled to the same from any prefix of its journal on, and keeps the laws', async () => {
    const { entries } = await straight()
    const whole = assemble(entries)
    expectLawful(whole)
    for (let cut = 0; cut < entries.length; cut++) {
      const said = assemble(entries.slice(0, cut))
      expect(whole.slice(0, said.length)).toEqual(said)
    }
  })

  test('after a part was delivered goes on with cumulative sums where they were', async () => {
    const { exported, entries } = await straight()
    openHome()
    config = configOf('file', { OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'cumulative' })
    const recorded = prepare()
    putJournal(entries.slice(0, Math.floor(entries.length / 2)))
    await deliverAndDie()
    showTranscripts()
    fillSpool(folder, recorded)
    await finish()
    const lines = readFileSync(output, 'utf8').trimEnd().split('\n')
    const collections = lines.filter((line) => line.includes('resourceMetrics'))
    expect(collections.length).toBeGreaterThan(1)
    writeFileSync(output, `${lines.filter((line) => !collections.slice(0, -1).includes(line)).join('\n')}\n`)
    expect(readExported(output).metrics).toEqual(exported.metrics)
  })

  test('when delivered parts were not acknowledged any more, loses no span and no log record', async () => {
    const { exported, entries } = await straight()
    const whole = entries.slice(0, -1)
    const cut = Math.floor(whole.length / 2)
    openHome()
    const recorded = prepare()
    putJournal(whole.slice(0, cut))
    await deliverAndDie()
    rmSync(folder.acked)
    showTranscripts()
    fillSpool(folder, recorded)
    await finish()
    const { spans, logs } = contentOf(readExported(output))
    const expected = contentOf(exported)
    expect([spans, logs]).toEqual([expected.spans, expected.logs])
  })
})

function nameOf(entry: Entry | undefined): string {
  if (entry?.k === 'hook') return `hook ${entry.event.name}`
  return entry?.k === 'line' ? `line ${entry.detail.type}` : (entry?.k ?? 'nothing')
}

describe('a hook that is registered twice', () => {
  const notice = { hook_event_name: 'Notification', notification_type: 'idle', message: 'waiting' }
  const count = () => readExported(output).logs.filter(({ event }) => event === 'claude.notification').length

  test('counts once when both records come within two seconds', async () => {
    fillSpool(folder, calls(sessionStart, notice, { ...notice, after: 1900 }, sessionEnd))
    await finish()
    expect(count()).toBe(1)
  })

  test('is not what an event is that comes again later, or is not quite the same', async () => {
    fillSpool(
      folder,
      calls(sessionStart, notice, { ...notice, after: 2100 }, { ...notice, message: 'other' }, sessionEnd),
    )
    await finish()
    expect(count()).toBe(3)
  })

  test('counts once also when the pump died between the journal and the second record', async () => {
    const [first, second, third, last] = calls(sessionStart, notice, notice, sessionEnd) as [
      HookCall,
      HookCall,
      HookCall,
      HookCall,
    ]
    fillSpool(folder, [first, second])
    await deliverAndDie()
    fillSpool(folder, [third, last])
    await finish()
    expect(count()).toBe(1)
  })
})

describe('a run that is over', () => {
  test('is removed when everything is delivered', async () => {
    fillSpool(folder, calls(sessionStart, sessionEnd))
    const report = await finish()
    expect(report.settled).toBe(true)
    expect(existsSync(folder.path)).toBe(false)
    expect(readSessionContext(join(home, 'sessions'), 's1')?.ref).toEqual(root1)
  })

  test('is kept, for whoever comes, when something is not', async () => {
    config = configOf('otlp', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' })
    fillSpool(folder, calls(sessionStart, sessionEnd))
    const report = await finish()
    expect(report.settled).toBe(false)
    expect(isOwned(folder)).toBe(false)
    expect(readdirSync(folder.spool)).toEqual([])
    expect(readFileSync(folder.journal, 'utf8')).toContain('SessionEnd')
  })

  test('ends its sessions with what claude’s exit says', async () => {
    fillSpool(folder, calls(sessionStart))
    await start().close(() => [{ pid: claude, code: 7 }], soon())
    const [session] = readExported(output).spans
    expect(session?.attributes).toMatchObject({ 'process.exit.code': 7, 'error.type': 'exit_7' })
  })
})

describe('a run whose journal has reached the size of all runs', () => {
  const turn = (id: string) => [
    { hook_event_name: 'UserPromptSubmit', prompt_id: id, prompt: 'x'.repeat(400) },
    { hook_event_name: 'Notification', notification_type: 'idle', message: `n${id}` },
    { hook_event_name: 'Stop', prompt_id: id, last_assistant_message: 'done', background_tasks: [] },
  ]

  test('takes only what ends something, ends its session, and counts the rest', async () => {
    config = { ...config, storage: { maxBytes: 1500, maxAgeMs: 1 } }
    const [first, second] = [calls(sessionStart, ...turn('p1')), calls(...turn('p2'), ...turn('p3'), sessionEnd)]
    fillSpool(folder, first)
    await deliverAndDie()
    expect(statSync(folder.journal).size).toBeGreaterThan(1500)
    fillSpool(
      folder,
      second.map((call) => ({ ...call, at: call.at + 1e6 })),
    )
    const pump = start()
    const report = await pump.close(() => [{ pid: claude, code: 0 }], soon())
    expect([report.settled, pump.givenUp]).toEqual([true, 4])
    expect(readDrops(join(home, 'dropped.jsonl'))).toMatchObject([{ run: '1', reason: 'full', entries: 4 }])
    const { spans, logs } = readExported(output)
    expect(spans.map(({ name }) => name)).toContain('claude.session')
    expect(logs.filter(({ event }) => event === 'claude.notification')).toHaveLength(1)
    expect(existsSync(folder.path)).toBe(false)
  })
})

describe('a claude that nobody wrapped', () => {
  const alone = (recorded: readonly HookCall[], pid: number) => recorded.map((call) => ({ ...call, pid }))

  test('and that is gone without a word ends its session, while another goes on', async () => {
    const living = Bun.spawn(['sleep', '60'])
    children.push(living)
    const [begun] = calls(sessionStart) as [HookCall]
    fillSpool(folder, alone([begun], 9_000_007))
    const [now] = calls({ ...sessionStart, session_id: 's2' }) as [HookCall]
    fillSpool(folder, alone([{ ...now, at: Date.now() * 1000 }], living.pid))
    const pump = start(run)
    await until('the dead claude’s session to end', () => Bun.deepEquals(pump.openProcesses(), [living.pid]))
    await pump.close(() => [], soon())
    const sessions = readExported(output).spans.map(({ attributes }) => [
      attributes['session.id'],
      attributes['session.end_reason'],
    ])
    expect(sessions).toEqual([['s1', 'crashed']])
    expect(existsSync(folder.path)).toBe(true)
  })
})

test('hooks that keep coming are taken while they come', async () => {
  const pump = start()
  for (let count = 0; count < 30 && !existsSync(output); count++) {
    const told = { session_id: 's1', hook_event_name: 'Notification', message: `${count}` }
    fillSpool(folder, [{ at: Date.now() * 1000, pid: claude, payload: told }])
    await Bun.sleep(50)
  }
  const taken = openJournal(folder.journal)
  expect([...taken.read()].filter(({ k }) => k === 'hook').length).toBeGreaterThan(0)
  taken.close()
  await pump.close(() => [{ pid: claude }], soon())
})

describe('the end of a call whose hook was stamped late', () => {
  const tool = { tool_name: 'Bash', tool_use_id: 't1', tool_input: { command: 'ls' } }
  const stamp = (ms: number): string => new Date(ms).toISOString()

  /** A call that ran for 20 ms, 300 ms ago; its last hook was stamped 200 ms later. What the transcript says, line by line. */
  function lateCall(): { readonly asked: object; readonly answered: object; readonly overMs: number } {
    const beganMs = Date.now() - 300
    const line = { sessionId: 's1', cwd: home, version: '2.1.329' }
    const use = { type: 'tool_use', id: 't1', name: 'Bash', input: tool.tool_input }
    const message = { id: 'm1', role: 'assistant', model: 'claude-opus-5-5', content: [use], usage: {} }
    const result = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'file' }] }
    const transcript_path = join(home, 's1.jsonl')
    const hook = (ms: number, payload: object): HookCall => {
      return { at: ms * 1000, pid: claude, payload: { session_id: 's1', transcript_path, ...payload } }
    }
    fillSpool(folder, [
      hook(beganMs - 20, sessionStart),
      hook(beganMs, { hook_event_name: 'PreToolUse', ...tool }),
      hook(beganMs + 220, {
        hook_event_name: 'PostToolUse',
        ...tool,
        tool_response: { stdout: 'file' },
        duration_ms: 20,
      }),
    ])
    return {
      asked: { ...line, type: 'assistant', uuid: 'u1', timestamp: stamp(beganMs - 10), message },
      answered: { ...line, type: 'user', uuid: 'u2', timestamp: stamp(beganMs + 20), message: result },
      overMs: beganMs + 20,
    }
  }

  const write = (line: object): void => appendFileSync(join(home, 's1.jsonl'), `${JSON.stringify(line)}\n`)
  const hooksTaken = (): number => {
    const journal = openJournal(folder.journal)
    const taken = [...journal.read()].filter(({ k }) => k === 'hook').length
    journal.close()
    return taken
  }

  test('is that of its line, which comes a little later', async () => {
    const { asked, answered, overMs } = lateCall()
    write(asked)
    const pump = start()
    await until('the hooks of before to be taken', () => hooksTaken() === 2)
    write(answered)
    await until('the last hook to be taken', () => hooksTaken() === 3)
    await pump.close(() => [{ pid: claude }], soon())
    const call = readExported(output).spans.find(({ name }) => name === 'execute_tool Bash')
    expect(Math.floor((call?.end ?? 0) / 1000)).toBe(overMs)
  })

  test('is that of the hook where the line does not come', async () => {
    const { asked, overMs } = lateCall()
    write(asked)
    const pump = start()
    await until('the last hook to be taken', () => hooksTaken() === 3)
    await pump.close(() => [{ pid: claude }], soon())
    const call = readExported(output).spans.find(({ name }) => name === 'execute_tool Bash')
    expect(Math.floor((call?.end ?? 0) / 1000)).toBe(overMs + 200)
  })
})

describe('a record that is none', () => {
  test('is told as such and removed, and those beside it count', async () => {
    const [begun, ended] = calls(sessionStart, sessionEnd) as [HookCall, HookCall]
    fillSpool(folder, [begun, ended])
    writeFileSync(join(folder.spool, `${begun.at + 5}-7`), 'half a rec')
    appendFileSync(join(folder.spool, '.DS_Store'), 'x')
    await finish()
    const { logs, spans } = readExported(output)
    expect(logs.filter(({ event }) => event === 'claude_otel.hook.error').length).toBeGreaterThanOrEqual(1)
    expect(spans).toHaveLength(1)
    expect(existsSync(folder.path)).toBe(false)
  })

  test('in the working directory or the transcript’s path does not hold the others up', async () => {
    const odd = { cwd: 'nul\0byte', transcript_path: root }
    fillSpool(folder, calls({ ...sessionStart, ...odd }, { hook_event_name: 'Notification', ...odd }, sessionEnd))
    const report = await finish()
    expect(report.settled).toBe(true)
    expect(readExported(output).spans).toHaveLength(1)
  })
})

/** RLIMIT_FSIZE is a full disk that can be emptied from outside. */
describe.skipIf(process.platform !== 'linux')('a pump on a full disk', () => {
  test('leaves the records in the spool, and takes each once when there is room', async () => {
    const script = join(home, 'pump.ts')
    const source = (path: string) => JSON.stringify(join(import.meta.dir, '../../src', path))
    writeFileSync(
      script,
      `import { startPump } from ${source('session/pump.ts')}
       import { claimRun, runFolderAt } from ${source('session/run.ts')}
       import { resolveConfig } from ${source('config/config.ts')}
       const folder = runFolderAt(${JSON.stringify(folder.path)})
       claimRun(folder)
       const env = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
       const { config } = resolveConfig({ env })
       startPump({ folder, paths: ${JSON.stringify(pathsOf(home))}, config, entry: ${JSON.stringify(wrapped)} })
       await Bun.sleep(60_000)`,
    )
    const prompts = Array.from({ length: 6 }, (_, index) => ({
      hook_event_name: 'UserPromptSubmit',
      prompt_id: `p${index}`,
      prompt: 'x'.repeat(400),
    }))
    fillSpool(folder, calls(sessionStart, ...prompts))
    const command = `trap '' XFSZ; exec "$0" "$1"`
    const child = Bun.spawn(['prlimit', '--fsize=2048:unlimited', 'sh', '-c', command, process.execPath, script])
    children.push(child)
    await until('the pump', () => isOwned(folder))
    await Bun.sleep(1500)
    expect(readdirSync(folder.spool)).toHaveLength(7)
    expect(Bun.spawnSync(['prlimit', `--pid=${child.pid}`, '--fsize=unlimited']).exitCode).toBe(0)
    await until('the spool to be emptied', () => readdirSync(folder.spool).length === 0)
    child.kill('SIGKILL')
    await child.exited
    const journal = openJournal(folder.journal)
    const taken = [...journal.read()].flatMap((entry) =>
      entry.k === 'hook' ? [entry.event.promptId ?? entry.event.name] : [],
    )
    journal.close()
    expect(taken.sort()).toEqual(['SessionStart', 'p0', 'p1', 'p2', 'p3', 'p4', 'p5'])
  }, 30_000)
})
