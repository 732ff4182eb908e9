/** The places that a secret can stand in where nobody looks for one: ids, names, the words of others. */
import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hookEvents, parseHookPayload } from '../../src/claude/events.ts'
import { createTranscriptReader, readCostAt } from '../../src/claude/transcript.ts'
import { capturedContent, resolveConfig } from '../../src/config/config.ts'
import { configForRun, resolveSettings } from '../../src/run/settings.ts'
import { createRunEntry } from '../../src/session/begin.ts'
import { startPump } from '../../src/session/pump.ts'
import { claimRun, createRunFolder } from '../../src/session/run.ts'
import { Transcripts } from '../../src/session/transcripts.ts'
import { createKeeper } from '../../src/telemetry/keeper.ts'
import { createRedactor } from '../../src/telemetry/redact.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-places-'))
afterAll(() => rmSync(root, { recursive: true }))

const token = `ghp_${'Ab1'.repeat(12)}`
const half = 'Ab1Ab1Ab1Ab1'
const timestamp = '2026-11-21T10:00:00.000Z'
const start = Date.parse(timestamp) * 1000

/** Every text of it becomes the token, but those that say what a line is. */
function poison(line: Readonly<Record<string, unknown>>): string {
  const keep = ['type', 'subtype', 'timestamp']
  return JSON.stringify(line, (key, value) => (typeof value === 'string' && !keep.includes(key) ? token : value))
}

const usage = { input_tokens: 1, output_tokens: 1, speed: '' }
const models = { [token]: { inputTokens: 1, costUSD: 1 } }
const lines = [
  { type: 'user', promptId: '', version: '', message: { content: 'words' } },
  {
    type: 'assistant',
    requestId: '',
    requestedModel: '',
    effort: '',
    message: { id: '', model: '', stop_reason: '', usage, content: [{ type: 'text', text: '' }] },
  },
  {
    type: 'assistant',
    message: { id: '', model: '', content: [{ type: 'tool_use', id: '', name: '', input: { x: '' } }] },
  },
  { type: 'assistant', isApiErrorMessage: true, error: '', message: { content: [{ type: 'text', text: '' }] } },
  { type: 'assistant', isApiErrorMessage: true, apiErrorType: '', message: { content: '' } },
  {
    type: 'user',
    toolDenialKind: '',
    message: { content: [{ type: 'tool_result', tool_use_id: '', is_error: true, content: '' }] },
  },
  {
    type: 'user',
    toolUseResult: { stdout: '' },
    message: { content: [{ type: 'tool_result', tool_use_id: '', content: '' }] },
  },
  { type: 'system', subtype: 'api_error', error: { formatted: '' } },
  { type: 'system', subtype: 'compact_boundary', compactMetadata: { trigger: '', preTokens: 1, durationMs: 1 } },
  { type: 'attachment', attachment: { type: 'model', identity: { modelId: '' } } },
  { type: 'attachment', attachment: { type: 'prompt_snapshot', systemPrompt: [''] } },
  { type: 'assistant', message: { id: 'm', model: '', content: [{ type: 'thinking', thinking: '' }] } },
  { type: 'cost-state', totalCostUSD: 1, modelUsage: models },
].map((line) => poison({ timestamp, ...line }))

describe('a transcript', () => {
  const path = join(root, 'transcript.jsonl')
  const old = { type: 'assistant', timestamp: '2026-11-20T10:00:00.000Z', sessionId: 'x', requestSessionId: token }
  writeFileSync(path, `${JSON.stringify(old)}\n${lines.join('\n')}\n`)

  test('lets no secret out of any of its fields', () => {
    const keeper = createKeeper({})
    const facts = createTranscriptReader({ path, sinceUnixMicro: start, keeper }).read()
    const types = new Set(facts.map(({ detail }) => detail.type))
    const expected = [
      'prompt',
      'message',
      'api-failure',
      'tool-result',
      'api-retry',
      'compaction',
      'cost',
      'copied',
    ] as const
    for (const type of expected) expect(types).toContain(type)
    expect(JSON.stringify([facts, readCostAt(path, start, keeper)])).not.toContain(half)
  })

  test('nor where messages are opted in, which have thinking and the system prompt', () => {
    const keeper = createKeeper({ rule: { previewLength: 256, whole: ['all'], wholeLength: 60_000 } })
    const facts = createTranscriptReader({ path, sinceUnixMicro: start, keeper }).read()
    const kept = JSON.stringify(facts)
    expect(kept).toContain('"thinking":{"text":"[REDACTED')
    expect(kept).toContain('"type":"instructions","texts":[{"text":"[REDACTED')
    expect(kept).not.toContain(half)
    const plain = createTranscriptReader({ path, sinceUnixMicro: start, keeper: createKeeper({}) }).read()
    expect(JSON.stringify(plain)).not.toMatch(/"thinking":\{"text|instructions/)
  })

  test('nor of the name that Claude Code’s own folder has from a working directory with a secret', () => {
    const cwd = `/home/dev/glpat-${'x_Y9'.repeat(5)}`
    const folder = cwd.replaceAll(/[^A-Za-z0-9]/g, '-')
    const file = join(root, 'snapshot.jsonl')
    const attachment = { type: 'prompt_snapshot', systemPrompt: [`Memory is in ~/.claude/projects/${folder}/memory.`] }
    writeFileSync(file, `${JSON.stringify({ type: 'attachment', timestamp, cwd, attachment })}\n`)
    const keeper = createKeeper({ rule: { previewLength: 256, whole: ['all'], wholeLength: 60_000 } })
    const kept = JSON.stringify(createTranscriptReader({ path: file, sinceUnixMicro: start, keeper }).read())
    expect(kept).toContain('projects//home/dev/[REDACTED:gitlab-token]/memory')
    expect(kept).not.toContain('Y9x')
  })

  test('nor of its name, of its agents, or of what is told of them', () => {
    const folder = join(root, `of ${token}`)
    const subagents = join(folder, 's1/subagents')
    mkdirSync(subagents, { recursive: true })
    writeFileSync(join(folder, 's1.jsonl'), `${lines.join('\n')}\n`)
    writeFileSync(join(subagents, `agent-${token}.jsonl`), `${lines.join('\n')}\n`)
    writeFileSync(
      join(subagents, `agent-${token}.meta.json`),
      poison({ agentType: '', toolUseId: '', description: '' }),
    )
    const open = () => new Transcripts({ keeper: createKeeper({}), sessions: join(root, 'sessions') })
    const first = open()
    first.follow('s1', join(folder, 's1.jsonl'), start)
    const entries = first.read()
    expect(entries.map(({ k }) => k)).toContain('agent')
    expect(JSON.stringify(entries)).not.toContain(half)

    // What is known by its masked name is not told again.
    const again = open()
    for (const entry of entries) again.know(entry)
    again.follow('s1', join(folder, 's1.jsonl'), start)
    expect(again.read()).toEqual([])
  })
})

describe('a hook', () => {
  const named = ['source', 'model', 'reason', 'tool_name', 'tool_use_id', 'notification_type', 'error', 'trigger']
  const worded = [
    'prompt',
    'message',
    'last_assistant_message',
    'from_model',
    'to_model',
    'tool_response',
    'unheard_of',
  ]
  const common = ['session_id', 'transcript_path', 'cwd', 'prompt_id', 'permission_mode', 'agent_id', 'agent_type']

  test.each([...Object.keys(hookEvents), token])('of the event %s lets no secret out of any of its fields', (event) => {
    const fields = Object.fromEntries([...common, ...named, ...worded].map((name) => [name, token]))
    const call = { tool_name: token, tool_input: { [token]: token }, tool_response: token, mcp_server: { name: token } }
    const more = { effort: { level: token }, tool_calls: [call], [token]: token }
    const payload = { ...fields, ...call, ...more, hook_event_name: event }
    const kept = parseHookPayload(JSON.stringify(payload), createKeeper({}))
    expect(kept).not.toHaveProperty('broken')
    expect(JSON.stringify(kept)).not.toContain(half)
  })
})

describe('a run', () => {
  test('masks its resource', () => {
    const env = { OTEL_RESOURCE_ATTRIBUTES: `team=a,deployed.by=${token}` }
    const { resource } = createRunEntry(resolveConfig({ env }).config, 'run', start)
    expect(resource).toMatchObject({ team: 'a', 'deployed.by': '[REDACTED:github-token]' })
  })

  test('masks what a collector says of it, in its log and in its report', async () => {
    using server = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response(`no ${token}`, { status: 400 }),
    })
    const home = mkdtempSync(join(root, 'home-'))
    const { config } = resolveConfig({
      env: {
        CLAUDE_OTEL_HOME: home,
        OTEL_EXPORTER_OTLP_ENDPOINT: server.url.origin,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      },
    })
    const folder = createRunFolder(join(home, 'runs/1'))
    claimRun(folder)
    const payload = JSON.stringify({ session_id: 's', hook_event_name: 'SessionStart', source: 'startup', cwd: '/' })
    writeFileSync(
      join(folder.spool, '2-2'),
      `${JSON.stringify({ v: 1, t: 2, pid: 9_000_001, n: payload.length })}\n${payload}\n`,
    )
    const logged: string[] = []
    const paths = {
      sessions: join(home, 'sessions'),
      reports: join(home, 'reports.jsonl'),
      dropped: join(home, 'dropped.jsonl'),
    }
    const entry = createRunEntry(config, 'run', start)
    const pump = startPump({ folder, paths, config, entry, log: (line) => logged.push(line) })
    const report = await pump.close(() => [{ pid: 9_000_001, code: 0 }], AbortSignal.timeout(10_000))
    expect(JSON.stringify(report)).toContain('no [REDACTED:github-token]')
    const texts = [JSON.stringify(report), logged.join('\n'), readFileSync(paths.reports, 'utf8')]
    for (const text of texts) expect(text).not.toContain(half)
  })

  test('masks the name of a file that is not ours', async () => {
    const env = {
      CLAUDE_OTEL_HOME: mkdtempSync(join(root, 'home-')),
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
    }
    const { config } = resolveConfig({ env })
    const home = env.CLAUDE_OTEL_HOME
    const folder = createRunFolder(join(home, 'runs/1'))
    claimRun(folder)
    writeFileSync(join(folder.spool, `1-${token}`), 'x')
    const paths = {
      sessions: join(home, 'sessions'),
      reports: join(home, 'reports.jsonl'),
      dropped: join(home, 'dropped.jsonl'),
    }
    const pump = startPump({ folder, paths, config, entry: createRunEntry(config, 'run', start) })
    // Nothing is delivered in no time: the journal stays, with what could not be read.
    await pump.close(() => [], AbortSignal.timeout(1))
    const journal = readFileSync(folder.journal, 'utf8')
    expect(journal).toContain('1-[REDACTED:github-token]')
    expect(journal).not.toContain(half)
  })

  test('gives each destination what its rule lets pass', async () => {
    const home = mkdtempSync(join(root, 'home-'))
    const [none, all] = [join(home, 'none.jsonl'), join(home, 'all.jsonl')]
    const destinations = [
      { exporter: 'file', file: none, previewLength: 0 },
      { exporter: 'file', file: all, content: 'all' },
    ]
    const env = { CLAUDE_OTEL_HOME: home, CLAUDE_OTEL_DESTINATIONS: JSON.stringify(destinations) }
    const { config, problems } = resolveConfig({ env })
    expect(problems).toEqual([])
    const folder = createRunFolder(join(home, 'runs/1'))
    claimRun(folder)
    const words = 'word '.repeat(200)
    for (const [at, fields] of [
      { hook_event_name: 'SessionStart', source: 'startup' },
      { hook_event_name: 'UserPromptSubmit', prompt_id: 'p', prompt: words },
    ].entries()) {
      const payload = JSON.stringify({ session_id: 's', ...fields })
      const header = JSON.stringify({ v: 1, t: at + 1, pid: 9_000_001, n: payload.length })
      writeFileSync(join(folder.spool, `${at + 1}-2`), `${header}\n${payload}\n`)
    }
    const paths = {
      sessions: join(home, 'sessions'),
      reports: join(home, 'reports.jsonl'),
      dropped: join(home, 'dropped.jsonl'),
    }
    const pump = startPump({ folder, paths, config, entry: createRunEntry(config, 'run', start) })
    const report = await pump.close(() => [{ pid: 9_000_001, code: 0 }], AbortSignal.timeout(10_000))
    expect(report.settled).toBe(true)
    expect(readFileSync(all, 'utf8')).toContain(words)
    const silent = readFileSync(none, 'utf8')
    expect(silent).toContain('claude.user_prompt')
    expect(silent).not.toContain('word')
  })

  test('that is taken over keeps to the rules that it was started with, and to stricter ones of now', async () => {
    const now = await resolveSettings(
      {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4317',
        CLAUDE_OTEL_CONTENT: 'all',
        CLAUDE_OTEL_REDACT_OFF: 'jwt,secret',
        CLAUDE_OTEL_REDACT_PATTERNS: 'NOW',
      },
      {},
    )
    const env = {
      CLAUDE_OTEL_CONTENT: 'prompt.preview',
      CLAUDE_OTEL_REDACT_PATTERNS: 'THEN',
      CLAUDE_OTEL_REDACT_OFF: 'jwt',
    }
    const entry = createRunEntry(now.config, 'run', start)
    const config = await configForRun(now, { entry, env, flags: {} })
    expect(capturedContent(config).whole).toEqual(['prompt.preview'])
    expect(config.redaction.off).toEqual(['jwt'])
    expect(createRedactor(config.redaction).redact('NOW THEN')).toBe('[REDACTED:custom] [REDACTED:custom]')
  })
})
