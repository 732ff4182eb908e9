/** Hook payloads, as Claude Code sends them, to events. */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hookEvents, parseHookPayload } from '../../src/claude/events.ts'
import type { HookDetail, HookEvent } from '../../src/claude/hook-event.ts'
import { leastCostMs } from '../kit/cost.ts'
import { keeperOf } from '../kit/keeper.ts'

type Fields = Readonly<Record<string, unknown>>

const common = { session_id: 's1', transcript_path: '/t/s1.jsonl', cwd: '/home/dev/proj' }

function parse(name: string, fields: Fields = {}, maxChars = 500): HookEvent {
  const event = parseHookPayload(JSON.stringify({ ...common, hook_event_name: name, ...fields }), keeperOf(maxChars))
  if ('broken' in event) throw new Error(event.broken)
  return event
}

const detail = (name: string, fields: Fields = {}, maxChars = 500): HookDetail => parse(name, fields, maxChars).detail

const bash = { tool_name: 'Bash', tool_input: { command: 'echo hi', description: 'say hi' }, tool_use_id: 'toolu_1' }

describe('an event', () => {
  test('has what all events have', () => {
    const fields = {
      prompt_id: 'p1',
      permission_mode: 'plan',
      agent_id: 'a1',
      agent_type: 'x',
      effort: { level: 'high' },
    }
    const { detail: _, ...event } = parse('PreToolUse', { ...bash, ...fields })
    expect(event).toEqual({
      name: 'PreToolUse',
      sessionId: 's1',
      transcriptPath: '/t/s1.jsonl',
      cwd: '/home/dev/proj',
      promptId: 'p1',
      permissionMode: 'plan',
      effort: 'high',
      agentId: 'a1',
      agentType: 'x',
    })
  })

  test('leaves out what is absent, empty or of another type', () => {
    const event = parse('Stop', {
      transcript_path: 7,
      cwd: null,
      prompt_id: '',
      agent_id: {},
      agent_type: '',
      effort: 'high',
    })
    expect(Object.keys(event).sort()).toEqual(['detail', 'name', 'sessionId'])
  })

  test.each([
    ['', 'not a JSON object'],
    ['{"session_id":', 'not a JSON object'],
    ['[]', 'not a JSON object'],
    ['null', 'not a JSON object'],
    ['\0\x01binary', 'not a JSON object'],
    ['{}', 'no hook_event_name'],
    ['{"hook_event_name":1,"session_id":"s"}', 'no hook_event_name'],
    ['{"hook_event_name":"Stop"}', 'Stop has no session_id'],
  ])('%j is none, and why is told', (json, reason) => {
    expect(parseHookPayload(json, keeperOf(100))).toEqual({ broken: expect.stringContaining(reason) })
  })

  test.each(['constructor', '__proto__', 'toString'])('named %s is one that we do not know', (name) => {
    expect(detail(name).type).toBe('other')
  })

  test('that we do not know keeps its own fields', () => {
    expect(detail('CwdChanged', { old_cwd: '/a', new_cwd: '/b' })).toMatchObject({
      type: 'other',
      fields: { fields: { old_cwd: '/a', new_cwd: '/b' } },
    })
  })
})

describe('sessions, prompts and turns', () => {
  test.each<[string, Fields, object]>([
    ['SessionStart', { source: 'resume', context_tokens: 3344 }, { type: 'session-start', source: 'resume' }],
    ['SessionStart', { source: 'compact', model: 'opus' }, { type: 'session-start', source: 'compact', model: 'opus' }],
    ['SessionStart', {}, { type: 'session-start', source: 'startup' }],
    ['SessionEnd', { reason: 'prompt_input_exit' }, { type: 'session-end', reason: 'prompt_input_exit' }],
    ['SessionEnd', { reason: 3 }, { type: 'session-end', reason: 'other' }],
    [
      'UserPromptSubmit',
      { prompt: 'do' },
      { type: 'prompt', source: 'user', prompt: { text: 'do', bytes: 2, truncated: false } },
    ],
    ['UserPromptSubmit', { prompt: 'do', source: 'sdk' }, { type: 'prompt', source: 'sdk' }],
    [
      'UserPromptSubmit',
      { prompt: '<task-notification>\n<task-id>b1</task-id>\n</task-notification>' },
      { type: 'prompt', source: 'task_notification' },
    ],
    ['Stop', { last_assistant_message: 'All done.', background_tasks: [{}] }, { type: 'turn-end', backgroundTasks: 1 }],
    ['Stop', { background_tasks: 'none' }, { type: 'turn-end', backgroundTasks: 0, message: { text: '' } }],
    [
      'StopFailure',
      { error: 'authentication_failed', last_assistant_message: 'Invalid API key' },
      { type: 'turn-failure', error: 'authentication_failed', message: { text: 'Invalid API key' } },
    ],
    ['SubagentStart', { agent_id: 'a1' }, { type: 'agent-start' }],
    [
      'SubagentStop',
      { last_assistant_message: 'Sub finished.' },
      { type: 'agent-end', message: { text: 'Sub finished.' } },
    ],
    [
      'Notification',
      { message: 'Claude needs your permission', notification_type: 'permission_prompt' },
      { type: 'notification', kind: 'permission_prompt', message: { text: 'Claude needs your permission' } },
    ],
    [
      'PostModelSwitch',
      { from_model: 'opus', to_model: 'sonnet', source: 'command' },
      { type: 'model-switch', from: 'opus', to: 'sonnet', source: 'command' },
    ],
    [
      'PreCompact',
      { trigger: 'manual', custom_instructions: null },
      { type: 'compaction', phase: 'before', trigger: 'manual' },
    ],
    [
      'PostCompact',
      { trigger: 'auto', compact_summary: 'A6' },
      { type: 'compaction', phase: 'after', trigger: 'auto' },
    ],
    ['MessageDisplay', { delta: 'x' }, { type: 'silent' }],
    ['Setup', { trigger: 'maintenance' }, { type: 'silent' }],
  ])('%s %j', (name, fields, expected) => {
    expect(detail(name, fields)).toMatchObject(expected)
  })
})

describe('a tool call', () => {
  test('has its name, its id and its input', () => {
    expect(detail('PreToolUse', bash)).toEqual({
      type: 'tool-start',
      tool: {
        name: 'Bash',
        useId: 'toolu_1',
        input: { text: 'echo hi', bytes: 44, truncated: false, fields: bash.tool_input },
        inputKey: expect.stringMatching(/^[\w-]{16}$/),
      },
    })
  })

  test('is known again by its input where it has no id', () => {
    const keyOf = (tool_input: unknown) => {
      const found = detail('PermissionRequest', { tool_name: 'Bash', tool_input })
      return found.type === 'permission-request' ? found.tool.inputKey : ''
    }
    expect(keyOf({ command: 'a' })).toBe(keyOf({ command: 'a' }))
    expect(keyOf({ command: 'a' })).not.toBe(keyOf({ command: 'b' }))
  })

  test.each([
    ['mcp__mock__echo', undefined, 'mock'],
    ['mcp__plugin_x_y__do_it', undefined, 'plugin_x_y'],
    ['mcp__mock__echo', { name: 'Mock', source: 'dynamic' }, 'Mock'],
    ['mcp__broken', undefined, undefined],
    ['Bash', undefined, undefined],
  ])('%s of server %j is of MCP server %p', (tool_name, mcp_server, expected) => {
    const found = detail('PreToolUse', { tool_name, mcp_server, tool_input: {} })
    expect(found.type === 'tool-start' && found.tool.mcpServer).toBe(expected as string)
  })

  test('that ended has its time, the sizes of its output and its response', () => {
    const tool_response = { stdout: 'hé\nerr', stderr: '', interrupted: false, isImage: false }
    expect(detail('PostToolUse', { ...bash, tool_response, duration_ms: 25 })).toMatchObject({
      type: 'tool-end',
      durationMs: 25,
      response: { summary: { fields: { stdout: 'hé\nerr', interrupted: false } }, stdoutBytes: 7, stderrBytes: 0 },
    })
  })

  test('in the background names its task, and an agent its agent', () => {
    const shell = { ...bash, tool_input: { command: 'sleep 9', run_in_background: true } }
    expect(detail('PostToolUse', { ...shell, tool_response: { backgroundTaskId: 'b1' } })).toMatchObject({
      backgroundTaskId: 'b1',
      tool: { background: true },
    })
    expect(
      detail('PostToolUse', { tool_name: 'Agent', tool_response: { agentId: 'a1', isAsync: true } }),
    ).toMatchObject({
      agentId: 'a1',
    })
  })

  test('of MCP answers with a list', () => {
    const found = detail('PostToolUse', { tool_name: 'mcp__m__e', tool_response: [{ type: 'text', text: 'mcp:echo' }] })
    expect(found).toMatchObject({ response: { summary: { text: '[{"type":"text","text":"mcp:echo"}]', fields: {} } } })
  })

  test.each([
    ['Exit code 3\nout\nbad', { exitCode: 3, timedOut: false }],
    ['Exit code 143\nCommand timed out after 0s', { exitCode: 143, timedOut: true }],
    ['Command timed out after 2m 0.0s', { timedOut: true }],
    ['File does not exist. Exit code 3', { timedOut: false }],
    ['mcp:boom', { timedOut: false }],
  ])('that failed with %j', (error, expected) => {
    const found = detail('PostToolUseFailure', { ...bash, error, is_interrupt: false, duration_ms: 47 })
    expect(found).toMatchObject({ type: 'tool-failure', durationMs: 47, interrupted: false, ...expected })
    expect('exitCode' in found).toBe('exitCode' in expected)
  })

  test('that a person interrupted says so', () => {
    expect(detail('PostToolUseFailure', { ...bash, error: 'x', is_interrupt: true })).toMatchObject({
      interrupted: true,
    })
  })

  test('that was denied has the reason', () => {
    expect(detail('PermissionDenied', { ...bash, reason: 'Classifier unavailable' })).toMatchObject({
      type: 'permission-denied',
      reason: { text: 'Classifier unavailable' },
    })
  })

  test('in a batch has its response, and whether it never ran', () => {
    const refused = '<tool_use_error>Error: No such tool available: NoSuchTool</tool_use_error>'
    const found = detail('PostToolBatch', {
      tool_calls: [
        { ...bash, tool_response: 'hi' },
        { tool_name: 'NoSuchTool', tool_input: { x: 1 }, tool_use_id: 't2', tool_response: refused },
        { tool_name: 'Read', tool_use_id: 't3', tool_response: [{ type: 'text', text: 'x' }] },
        'not a call',
      ],
    })
    expect(
      found.type === 'tool-batch' && found.calls.map(({ useId, refused: isRefused }) => [useId, isRefused]),
    ).toEqual([
      ['toolu_1', false],
      ['t2', true],
      ['t3', false],
    ])
  })
})

describe('fields that are missing or of another type', () => {
  const odd: readonly unknown[] = [undefined, null, 7, 'text', [], {}, [null], { a: { b: [1] } }, true]
  const keys = [
    'tool_name',
    'tool_input',
    'tool_response',
    'tool_use_id',
    'tool_calls',
    'error',
    'duration_ms',
    'prompt',
    'reason',
  ]

  test.each(Object.keys(hookEvents))('make no trouble in %s', (name) => {
    for (const value of odd) {
      const event = parse(
        name,
        Object.fromEntries([...keys, 'background_tasks', 'mcp_server'].map((key) => [key, value])),
      )
      expect(event.detail.type).not.toBe('other')
      expect(JSON.parse(JSON.stringify(event))).toEqual(event)
    }
  })
})

describe('what is kept of texts', () => {
  const secret = `ghp_${'Ab1'.repeat(12)}`
  const everywhere = {
    cwd: `/home/${secret}`,
    prompt: secret,
    tool_name: 'Bash',
    tool_input: { command: secret, deep: [{ er: secret }] },
    tool_response: { stdout: secret },
    tool_calls: [{ tool_name: 'Bash', tool_input: { command: secret }, tool_response: secret }],
    reason: secret,
    message: secret,
    last_assistant_message: secret,
    unknown: secret,
  }
  // The reason of SessionEnd is one of Claude Code's own words.
  const textEvents = [...Object.keys(hookEvents).filter((name) => name !== 'SessionEnd'), 'Unknown']

  test('is masked in the text of a failed tool', () => {
    expect(JSON.stringify(parse('PostToolUseFailure', { error: `Exit code 1\n${secret}` }))).not.toContain('Ab1Ab1')
  })

  test.each(textEvents)('is masked in %s', (name) => {
    expect(JSON.stringify(parse(name, everywhere))).not.toContain('Ab1Ab1')
  })

  test('is nothing but sizes where previews are off', () => {
    const quiet = Object.fromEntries(
      Object.entries(everywhere).map(([key, value]) => [
        key,
        JSON.parse(JSON.stringify(value).replaceAll(secret, 'private words')),
      ]),
    )
    for (const name of textEvents) {
      expect(JSON.stringify(parse(name, { ...quiet, cwd: '/' }, 0))).not.toContain('private words')
    }
  })

  test('of 10 MB is small, and takes not much longer than reading the JSON', () => {
    const stdout = 'password = é 0123456789\n'.repeat(430_000)
    const json = JSON.stringify({ ...common, hook_event_name: 'PostToolUse', ...bash, tool_response: { stdout } })
    const event = parseHookPayload(json, keeperOf(500))
    expect(JSON.stringify(event).length).toBeLessThan(4000)
    expect(event).toMatchObject({
      detail: { response: { stdoutBytes: Buffer.byteLength(stdout), summary: { truncated: true } } },
    })
    const parsed = leastCostMs(() => void parseHookPayload(json, keeperOf(500)))
    expect(parsed).toBeLessThan(
      20 *
        Math.max(
          leastCostMs(() => void JSON.parse(json)),
          4,
        ),
    )
  })
})

describe('the recorded payloads', () => {
  const fixtures = join(import.meta.dir, '../fixtures/hooks')

  test.each(readdirSync(fixtures))('of %s are all understood', (name) => {
    const lines = readFileSync(join(fixtures, name, 'hooks.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
    for (const line of lines) {
      const { payload } = JSON.parse(line) as { payload: Fields }
      const event = parseHookPayload(JSON.stringify(payload), keeperOf(500))
      expect(event).toMatchObject({ name: payload.hook_event_name, sessionId: payload.session_id })
      expect('detail' in event && event.detail.type).not.toBe('other')
      if (payload.tool_use_id !== undefined)
        expect(event).toMatchObject({ detail: { tool: { useId: payload.tool_use_id } } })
    }
  })
})

describe('fields that we do not know', () => {
  test('stand beside what we do know, masked and cut', () => {
    const token = `ghp_${'a1B2'.repeat(9)}`
    const payload = { session_id: 's', hook_event_name: 'Stop', novelty: { token }, [`key ${token}`]: 1 }
    const event = parseHookPayload(JSON.stringify(payload), keeperOf(100))
    expect(event).toMatchObject({ unknown: { names: ['novelty', 'key [REDACTED:github-token]'] } })
    expect(JSON.stringify(event)).not.toContain('a1B2')
  })

  test('are none in any event that was recorded', () => {
    const fixtures = join(import.meta.dir, '../fixtures/hooks')
    for (const name of readdirSync(fixtures)) {
      for (const line of readFileSync(join(fixtures, name, 'hooks.jsonl'), 'utf8')
        .trim()
        .split('\n')) {
        const event = parseHookPayload(JSON.stringify(JSON.parse(line).payload), keeperOf(100))
        expect([line, 'unknown' in event]).toEqual([line, false])
      }
    }
  })
})
