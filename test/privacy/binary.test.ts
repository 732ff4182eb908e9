/**
 * Planted secrets through the compiled binary: nothing of them, not even half, comes out anywhere. Content is opted in, so that
 * all of it would.
 */
import { describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { claudeBinary, claudeOtelBinary, createClaudeHome, type RunResult, run } from '../kit/claude-home.ts'
import { startMessagesApi, text, tools, toolUse } from '../kit/messages-api.ts'
import { type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'
import { until } from '../kit/until.ts'
import { findLeaks, type Planted, plant } from './secrets.ts'

const planted = plant(20_261_121)
const noCollector = 'http://127.0.0.1:9'
const sessionId = '5e551011-0000-4000-8000-00000000ec2e'

/** Everything that we can write or send, switched on. */
const everything = {
  CLAUDE_OTEL_CONTENT: 'all',
  CLAUDE_OTEL_DEBUG: '1',
  OTEL_TRACES_EXPORTER: 'otlp,console,file',
  OTEL_LOGS_EXPORTER: 'otlp,console,file',
  OTEL_METRICS_EXPORTER: 'otlp,console,file',
}

interface Payload {
  readonly hook_event_name: string
  readonly [field: string]: unknown
}

/** The hooks of a session in which every secret stands in every place that a text can come from. */
function createPayloads(folder: string): Payload[] {
  const start: Payload = { hook_event_name: 'SessionStart', source: 'startup', cwd: folder }
  const end: Payload = { hook_event_name: 'SessionEnd', reason: 'other', cwd: folder }
  const payloads = planted.flatMap((each, index) => createTurn(each, index, folder))
  return [start, ...payloads, end].map((payload) => ({ session_id: sessionId, ...payload }))
}

function createTurn({ text: words, secret }: Planted, index: number, folder: string): Payload[] {
  const call = { tool_use_id: `toolu_${index}`, prompt_id: `p${index}` }
  const mcp = { ...call, tool_name: 'mcp__vault__read', mcp_server: { name: `vault ${words}`, source: 'dynamic' } }
  const tool_input = { command: words, [words]: 1, env: { deep: [{ note: words }, words] }, password: secret }
  const failure = { ...call, tool_use_id: `toolu_f${index}`, tool_name: 'Bash', tool_input: { command: 'false' } }
  const branch = createRepository(join(folder, `repository-${index}`), words)
  return [
    { hook_event_name: 'UserPromptSubmit', prompt: `Please use this: ${words}`, prompt_id: `p${index}`, cwd: branch },
    { hook_event_name: 'PreToolUse', ...mcp, tool_input, cwd: `/home/dev/${words}` },
    {
      hook_event_name: 'PostToolUse',
      ...mcp,
      tool_input,
      tool_response: [{ type: 'text', text: words }, { structured: { [words]: [words] } }],
    },
    { hook_event_name: 'PostToolUseFailure', ...failure, error: `Exit code 1\n${words}`, is_interrupt: false },
    createRareEvent(words, index),
  ]
}

/** A place of its own for every secret in turn. */
function createRareEvent(words: string, index: number): Payload {
  const rare: readonly Payload[] = [
    { hook_event_name: 'Notification', notification_type: words, message: words },
    { hook_event_name: 'PermissionRequest', tool_name: words, tool_input: words },
    { hook_event_name: 'PermissionDenied', tool_name: 'Bash', tool_use_id: `toolu_f${index}`, reason: words },
    { hook_event_name: 'SubagentStart', agent_id: words, agent_type: words },
    { hook_event_name: 'FromTheFuture', what: words, deep: { list: [words] }, [words]: words },
    { hook_event_name: 'PostToolUse', tool_name: words, tool_use_id: words, tool_response: words },
    { hook_event_name: 'StopFailure', error: words, last_assistant_message: words, prompt_id: `p${index}` },
    { hook_event_name: 'PostModelSwitch', from_model: words, to_model: words, source: words },
    { hook_event_name: words, transcript_path: `/home/dev/${words}.jsonl` },
  ]
  return rare[index % rare.length] ?? { hook_event_name: 'Stop' }
}

/** Git’s own files, as far as they are read, with the words in the branch’s name and in the origin. */
function createRepository(folder: string, words: string): string {
  const line = words.replaceAll('\n', ' ').trim()
  mkdirSync(join(folder, '.git'), { recursive: true })
  writeFileSync(join(folder, '.git/HEAD'), `ref: refs/heads/fix/${line}\n`)
  writeFileSync(join(folder, '.git/config'), `[remote "origin"]\n\turl = https://git.example/o/${line}.git\n`)
  return folder
}

/** Files below a folder, by their path in it. */
function readFolder(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name))
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length), readFileSync(path, 'utf8')]))
}

function exported(sink: OtlpSink): string {
  return JSON.stringify([sink.spans(), sink.logs(), sink.points()])
}

function expectNoLeaks(texts: Readonly<Record<string, string>>): void {
  const leaks = Object.entries(texts).flatMap(([name, content]) =>
    findLeaks(name + content, planted).map((leak) => `${name}: ${leak}`),
  )
  expect(leaks).toEqual([])
}

interface Stage {
  readonly folder: string
  readonly state: string
  readonly env: Record<string, string>
  readonly sink: OtlpSink
  close(): Promise<void>
}

async function openStage(more: Readonly<Record<string, string>>): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'claude-otel-privacy-'))
  const sink = await startOtlpSink()
  const state = join(folder, 'state')
  const env = { PATH: process.env.PATH ?? '', HOME: folder, CLAUDE_OTEL_HOME: state, ...sink.environment(), ...more }
  const close = async (): Promise<void> => {
    await sink.close()
    rmSync(folder, { recursive: true, force: true })
  }
  return { folder, state, env, sink, close }
}

/** A program in claude’s place that runs our hook for every payload, as claude does. */
function createStandIn(folder: string): string {
  const payloads = join(folder, 'payloads')
  mkdirSync(payloads)
  for (const [index, payload] of createPayloads(folder).entries()) {
    writeFileSync(join(payloads, String(index).padStart(5, '0')), JSON.stringify(payload))
  }
  const path = join(folder, 'claude')
  writeFileSync(path, `#!/bin/sh\nfor each in '${payloads}'/*; do '${claudeOtelBinary}' hook any < "$each"; done\n`)
  chmodSync(path, 0o700)
  return path
}

function wrapped({ folder, env }: Stage): Promise<RunResult> {
  const claude = createStandIn(folder)
  return run({ command: [claudeOtelBinary, 'Go'], cwd: folder, env: { ...env, CLAUDE_BIN: claude } })
}

describe('of a session full of secrets', () => {
  test('nothing comes out that is delivered, by any exporter', async () => {
    const stage = await openStage(everything)
    try {
      const { stderr, exitCode } = await wrapped(stage)
      const sent = exported(stage.sink)
      expect(exitCode).toBe(0)
      expect(sent.split('[REDACTED:').length).toBeGreaterThan(planted.length * 5)
      for (const { kind } of planted) expect(sent).toContain(`[REDACTED:${kind}]`)
      expect(readdirSync(join(stage.state, 'runs'))).toEqual([])
      expectNoLeaks({ stderr, sent, ...readFolder(stage.state) })
    } finally {
      await stage.close()
    }
  }, 120_000)

  test('nothing lies about where it could not be delivered, and nothing comes out when it is', async () => {
    const stage = await openStage({ ...everything, OTEL_EXPORTER_OTLP_ENDPOINT: noCollector })
    try {
      const { stderr } = await wrapped(stage)
      const left = readFolder(stage.state)
      const journal = Object.entries(left).find(([name]) => name.endsWith('journal.jsonl'))?.[1] ?? ''
      expect(journal.split('[REDACTED:').length).toBeGreaterThan(planted.length * 5)
      expect(Object.keys(left).filter((name) => name.includes('/spool/'))).toEqual([])
      expectNoLeaks({ stderr, ...left })

      const env = { ...stage.env, OTEL_EXPORTER_OTLP_ENDPOINT: stage.sink.url }
      const drained = await run({ command: [claudeOtelBinary, 'drain'], cwd: stage.folder, env })
      const sent = exported(stage.sink)
      expect(sent).toContain('[REDACTED:')
      expectNoLeaks({ ...drained, wallMs: '', exitCode: '', signal: '', sent, ...readFolder(stage.state) })
    } finally {
      await stage.close()
    }
  }, 120_000)

  test('nothing comes out where nobody wrapped claude', async () => {
    const stage = await openStage({ CLAUDE_OTEL_CONTENT: 'all', CLAUDE_OTEL_DEBUG: '1' })
    const claude = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] })
    try {
      // Claude keeps OTEL_* from its hooks.
      const { env: all } = stage
      const own = Object.entries(all).map(([name, value]) => [name.replace(/^OTEL_/, 'CLAUDE_OTEL_'), value])
      const env = { ...Object.fromEntries(own), CLAUDE_PID: String(claude.pid) } as Record<string, string>
      await run({ command: [createStandIn(stage.folder)], cwd: stage.folder, env })
      claude.kill()
      await claude.exited
      const runs = join(stage.state, 'runs')
      await until('the background pump to be done', () => readdirSync(runs).length === 0, { timeoutMs: 90_000 })
      const sent = exported(stage.sink)
      expect(sent.split('[REDACTED:').length).toBeGreaterThan(planted.length * 5)
      expectNoLeaks({ sent, ...readFolder(stage.state) })
    } finally {
      claude.kill()
      await stage.close()
    }
  }, 120_000)
})

test('the real claude’s session with secrets in its prompt, tools, MCP server, folder and branch lets none out', async () => {
  const home = await createClaudeHome()
  const secrets = planted.filter(({ kind }) => ['github-token', 'jwt', 'aws-key-id', 'stripe-key'].includes(kind))
  const words = secrets.map((each) => each.text).join('\n')
  const [first = '', second = ''] = secrets.filter(({ kind }) => kind === 'github-token').map(({ secret }) => secret)
  const script = {
    main: [
      tools(toolUse('mcp__vault__read', { path: words, deep: { list: [words] } })),
      tools(toolUse('mcp__vault__fail', { path: words })),
      tools(toolUse('Bash', { command: `cat words.txt; cat words.txt >&2; exit 3 # ${first}`, description: first })),
      tools(toolUse('Write', { file_path: `${first}.txt`, content: words })),
      tools(
        toolUse('Agent', {
          description: `Check ${first}`,
          prompt: `checker ${words}`,
          subagent_type: 'general-purpose',
          run_in_background: false,
        }),
      ),
      text(`Found: ${words}`),
    ],
    agents: { checker: [text(`Also ${words}`)] },
  }
  const [api, sink] = await Promise.all([startMessagesApi(script), startOtlpSink()])
  try {
    const project = join(home.path, `work-${second}`)
    createRepository(project, first)
    writeFileSync(join(project, 'words.txt'), words)
    const mcpServers = {
      vault: { command: process.execPath, args: [join(import.meta.dir, 'mcp-server.ts'), join(project, 'words.txt')] },
    }
    writeFileSync(join(home.path, 'mcp.json'), JSON.stringify({ mcpServers }))
    const args = ['-p', `Use ${words}`, '--permission-mode', 'bypassPermissions', '--strict-mcp-config']
    const { exitCode, stderr } = await run({
      command: [claudeOtelBinary, ...args, '--mcp-config', join(home.path, 'mcp.json')],
      cwd: project,
      env: home.environment(api.url, { ...sink.environment(), ...everything, CLAUDE_BIN: claudeBinary }),
    })
    const sent = exported(sink)
    expect(exitCode).toBe(0)
    expect(api.surprises()).toEqual([])
    const names = sink.spans().map(({ name }) => name)
    for (const name of ['mcp__vault__read', 'mcp__vault__fail', 'Bash', 'Write', 'Agent'])
      expect(names).toContain(`execute_tool ${name}`)
    const session = sink.spans().find(({ name }) => name === 'claude.session')
    expect(session?.attributes).toMatchObject({
      'process.working_directory': join(home.path, 'work-[REDACTED:github-token]'),
      'vcs.ref.head.name': 'fix/[REDACTED:github-token]',
      'tools.total': 5,
    })
    expectNoLeaks({ stderr, sent, ...readFolder(home.state) })
  } finally {
    await Promise.all([api.close(), sink.close()])
    await home.remove()
  }
}, 120_000)
