/** Transcript lines to facts, however the file grows. */

import { afterAll, beforeEach, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createTranscriptReader,
  readCostAt,
  type TranscriptDetail,
  type TranscriptFact,
  type TranscriptReader,
} from '../../src/claude/transcript.ts'
import { findPlace } from '../../src/claude/transcript-place.ts'
import { createKeeper } from '../../src/telemetry/keeper.ts'
import { keeperOf } from '../kit/keeper.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-transcript-'))
afterAll(() => rmSync(root, { recursive: true }))

let count = 0
let path = ''
beforeEach(() => {
  path = join(root, `${count++}.jsonl`)
})

const start = Date.parse('2026-11-21T10:00:00.000Z') * 1000
const time = (ms: number): string => new Date(start / 1000 + ms).toISOString()
const reader = ({ maxChars = 100, ...more }: { sinceUnixMicro?: number; maxChars?: number } = {}) =>
  createTranscriptReader({ path, sinceUnixMicro: start, keeper: keeperOf(maxChars), ...more })

type Line = Readonly<Record<string, unknown>>

const user = (ms: number, content: unknown, more: Line = {}): Line => ({
  type: 'user',
  isMeta: true,
  promptId: 'p1',
  timestamp: time(ms),
  sessionId: 's1',
  version: '2.1.329',
  message: { role: 'user', content },
  ...more,
})

const assistant = (ms: number, id: string, more: Line = {}, message: Line = {}): Line => ({
  type: 'assistant',
  timestamp: time(ms),
  sessionId: 's1',
  requestId: `req_${id}`,
  requestedModel: 'opus',
  effort: 'medium',
  message: {
    id,
    model: 'opus-5',
    stop_reason: 'tool_use',
    usage: {
      input_tokens: 101,
      output_tokens: 41,
      cache_read_input_tokens: 3001,
      cache_creation_input_tokens: 201,
      cache_creation: { ephemeral_5m_input_tokens: 150, ephemeral_1h_input_tokens: 51 },
      output_tokens_details: { thinking_tokens: 7 },
      speed: 'standard',
    },
    content: [{ type: 'text', text: `I am ${id}` }],
    ...message,
  },
  ...more,
})

const cost = (usd: number): Line => ({
  type: 'cost-state',
  sessionId: 's1',
  totalCostUSD: usd,
  modelUsage: {
    'opus-5': {
      inputTokens: 1,
      outputTokens: 2,
      cacheReadInputTokens: 3,
      cacheCreationInputTokens: 4,
      thinkingTokens: 5,
      costUSD: usd,
    },
  },
})

const text = (lines: readonly Line[]): string => lines.map((line) => `${JSON.stringify(line)}\n`).join('')

function factsOf(lines: readonly Line[], options: Parameters<typeof reader>[0] = {}): TranscriptFact[] {
  writeFileSync(path, text(lines))
  return reader(options).read()
}

function detailsOf(lines: readonly Line[], options: Parameters<typeof reader>[0] = {}): TranscriptDetail[] {
  return factsOf(lines, options).map(({ detail }) => detail)
}

const types = (details: readonly TranscriptDetail[]): string[] => details.map(({ type }) => type)

describe('a message', () => {
  test('has its ids, models, usage and the time that its request can have begun', () => {
    const [fact] = factsOf([user(1, 'hello'), assistant(50, 'm1')])
    expect(fact).toMatchObject({ timeUnixMicro: start + 50_000, promptId: 'p1', claudeVersion: '2.1.329' })
    expect(fact?.detail).toEqual({
      type: 'message',
      messageId: 'm1',
      requestId: 'req_m1',
      model: 'opus-5',
      requestedModel: 'opus',
      usage: { input: 101, output: 41, cacheRead: 3001, cacheCreation: 201, cacheCreation1h: 51, thinking: 7 },
      stopReason: 'tool_use',
      startUnixMicro: start + 1000,
      text: { text: 'I am m1', bytes: 7, truncated: false },
      effort: 'medium',
      speed: 'standard',
    })
  })

  test('has the tool calls that it asks for', () => {
    const content = [
      { type: 'tool_use', id: 't1', name: 'mcp__m__e', input: { command: 'ls' } },
      { type: 'tool_use', id: 7 },
    ]
    const [detail] = detailsOf([assistant(5, 'm1', {}, { content })])
    expect(detail?.type === 'message' && detail.tools).toMatchObject([
      { name: 'mcp__m__e', useId: 't1', input: { text: 'ls' }, mcpServer: 'm' },
    ])
  })

  test('of several lines is told line by line, all of one beginning', () => {
    const details = detailsOf([user(1, 'x'), assistant(50, 'm1'), assistant(51, 'm1'), assistant(52, 'm1')])
    const begun = details.map((detail) => detail.type === 'message' && detail.startUnixMicro)
    expect(begun).toEqual([start + 1000, start + 1000, start + 1000])
  })

  test('without text has none', () => {
    const [detail] = detailsOf([assistant(5, 'm1', {}, { content: [{ type: 'thinking', thinking: 'hm' }] })])
    expect(detail).not.toHaveProperty('text')
  })

  test('that is synthetic is none', () => {
    expect(detailsOf([assistant(5, 'm1', {}, { model: '<synthetic>' })])).toEqual([])
  })

  test('has text that is masked and cut', () => {
    const token = `ghp_${'Ab1'.repeat(12)}`
    const [detail] = detailsOf([
      assistant(5, 'm1', {}, { content: [{ type: 'text', text: `${token} ${'x'.repeat(200)}` }] }),
    ])
    expect(JSON.stringify(detail)).not.toContain('Ab1')
    expect(detail?.type === 'message' && detail.text?.truncated).toBe(true)
  })

  test('without usage counts nothing rather than something wrong', () => {
    const [detail] = detailsOf([assistant(5, 'm1', {}, { usage: { input_tokens: 'many', output_tokens: null } })])
    expect(detail?.type === 'message' && detail.usage).toEqual({
      input: 0,
      output: 0,
      cacheRead: 0,
      cacheCreation: 0,
      cacheCreation1h: 0,
      thinking: 0,
    })
  })
})

describe('a prompt', () => {
  const prompt = (content: unknown, more: Line = {}) => detailsOf([user(5, content, { isMeta: false, ...more })])

  test('is told with its source, masked and cut', () => {
    expect(prompt('do it')).toEqual([
      { type: 'prompt', prompt: { text: 'do it', bytes: 5, truncated: false }, source: 'user' },
    ])
    expect(prompt([{ type: 'text', text: 'do' }])).toMatchObject([{ type: 'prompt', prompt: { text: 'do' } }])
    expect(prompt('<task-notification>\n…')).toMatchObject([{ type: 'prompt', source: 'task_notification' }])
    expect(JSON.stringify(prompt(`use ghp_${'Ab1'.repeat(12)}`))).not.toContain('Ab1')
  })

  test.each([
    ['Claude Code’s own', 'Caveat: …', { isMeta: true }],
    ['only written down', '<task-notification>\n…', { queueTranscriptOnly: true }],
    ['the summary of a compaction', 'This session continues …', { isCompactSummary: true }],
    ['without a prompt id', 'x', { promptId: undefined }],
    ['a slash command', '<command-name>/clear</command-name>', {}],
    ['a command of the terminal', '<bash-input>ls</bash-input>', {}],
    ['its output', '<local-command-stdout></local-command-stdout>', {}],
    ['empty', '', {}],
    ['a tool’s result', [{ type: 'tool_result', tool_use_id: 't1', content: 'x' }], {}],
  ])('is not what is %s', (_, content, more) => {
    expect(types(prompt(content, more))).not.toContain('prompt')
  })
})

describe('a failed request', () => {
  test('that claude gave up on has its kind, status and text, and the model of before', () => {
    const failure = assistant(
      90,
      'm2',
      { isApiErrorMessage: true, error: 'authentication_failed', apiErrorStatus: 401 },
      { model: '<synthetic>', content: [{ type: 'text', text: 'Invalid API key' }] },
    )
    expect(detailsOf([assistant(5, 'm1'), user(10, 'again'), failure])[1]).toEqual({
      type: 'api-failure',
      error: 'authentication_failed',
      status: 401,
      model: 'opus-5',
      message: { text: 'Invalid API key', bytes: 15, truncated: false },
      startUnixMicro: start + 10_000,
    })
  })

  test('that claude tries again has its attempt and delay, and does not begin the request anew', () => {
    const retry = {
      type: 'system',
      subtype: 'api_error',
      timestamp: time(30),
      error: { status: 529, formatted: '529 overloaded', message: '529 {...}' },
      retryInMs: 601,
      retryAttempt: 1,
    }
    const [told, message] = detailsOf([user(1, 'x'), retry, assistant(50, 'm1')])
    expect(told).toEqual({
      type: 'api-retry',
      status: 529,
      message: { text: '529 overloaded', bytes: 14, truncated: false },
      attempt: 1,
      retryInMs: 601,
    })
    expect(message?.type === 'message' && message.startUnixMicro).toBe(start + 1000)
  })
})

describe('a tool’s result', () => {
  const result = (more: Line, line: Line = {}): Line =>
    user(5, [{ type: 'tool_result', tool_use_id: 't1', ...more }], line)
  const [denied, rejected] = [{ toolDenialKind: 'rule' }, { permissionDecision: { decision: 'reject' } }]

  test.each([
    [
      'a success, without its text',
      result({ content: 'private', is_error: false }),
      { isError: false, message: { text: '' } },
    ],
    [
      'an error, with its text',
      result({ content: 'Exit code 3', is_error: true }),
      { isError: true, message: { text: 'Exit code 3' }, exitCode: 3 },
    ],
    [
      'out of time',
      result({ content: 'Exit code 143\nCommand timed out after 2m 0.0s', is_error: true }),
      { exitCode: 143, timedOut: true },
    ],
    [
      'an error in blocks',
      result({ content: [{ type: 'text', text: 'no' }], is_error: true }),
      { message: { text: 'no' } },
    ],
    ['denied by a rule', result({ is_error: true }, denied), { denial: 'rule' }],
    ['rejected by a person', result({ is_error: true }, rejected), { denial: 'rejected' }],
  ])('is %s', (_, line, expected) => {
    expect(detailsOf([line])[0]).toMatchObject({ type: 'tool-result', useId: 't1', ...expected })
  })
})

describe('an interrupt', () => {
  const [during, before] = ['[Request interrupted by user for tool use]', '[Request interrupted by user]']

  test('tells whether a tool was running', () => {
    const lines = [
      user(5, [{ type: 'text', text: during }], { interruptedMessageId: 'm1' }),
      user(9, [{ type: 'text', text: before }]),
    ]
    expect(detailsOf(lines)).toEqual([
      { type: 'interrupt', whileRunning: true },
      { type: 'interrupt', whileRunning: false },
    ])
  })

  test('is not what a prompt merely speaks of', () => {
    expect(detailsOf([user(5, `why ${before}?`), user(6, [{ type: 'text', text: `why ${before}?` }])])).toEqual([])
  })
})

test('a compaction has its trigger and its sizes', () => {
  const compactMetadata = { trigger: 'manual', preTokens: 3356, postTokens: 2867, durationMs: 79 }
  const line = { type: 'system', subtype: 'compact_boundary', timestamp: time(5), compactMetadata }
  expect(detailsOf([line])).toEqual([{ type: 'compaction', ...compactMetadata }])
})

describe('a session that was resumed', () => {
  const old = [user(-9000, 'old'), assistant(-8000, 'm0'), cost(1)]

  test('tells nothing of its former life but what it had cost', () => {
    const details = detailsOf([...old, cost(2), user(5, 'new'), assistant(20, 'm1'), cost(3)])
    expect(types(details)).toEqual(['cost', 'message', 'cost'])
    expect(details.map((detail) => detail.type === 'cost' && [detail.before, detail.cost.totalUsd])).toEqual([
      [true, 2],
      false,
      [false, 3],
    ])
  })

  test('that says nothing new tells nothing', () => {
    expect(detailsOf([...old, cost(2)])).toEqual([])
  })

  test('begins its first request with the session, not in its former life', () => {
    const [, message] = detailsOf([...old, assistant(20, 'm1')])
    expect(message?.type === 'message' && message.startUnixMicro).toBe(start)
  })
})

describe('a fork', () => {
  const copied = (ms: number, id: string): Line => assistant(ms, id, { sessionId: 's2', requestSessionId: 's1' })

  test('tells once whose lines it has copied, and counts none of them', () => {
    const details = detailsOf([
      copied(-900, 'm1'),
      copied(-800, 'm2'),
      user(5, 'new'),
      assistant(9, 'm3', { sessionId: 's2' }),
    ])
    expect(details.map((detail) => (detail.type === 'message' ? detail.messageId : detail))).toEqual([
      { type: 'copied', fromSessionId: 's1' },
      'm3',
    ])
  })

  test('costs what it has more than its origin had at that time', () => {
    writeFileSync(path, text([user(-900, 'x'), cost(1), user(-100, 'y'), cost(2), user(100, 'later'), cost(7)]))
    expect(readCostAt(path, start, keeperOf(100))?.totalUsd).toBe(2)
    expect(readCostAt(path, start - 500_000, keeperOf(100))?.totalUsd).toBe(1)
    expect(readCostAt(path, start + 900_000, keeperOf(100))?.totalUsd).toBe(7)
    expect(readCostAt(path, start, keeperOf(100))?.models['opus-5']).toEqual({
      usage: { input: 1, output: 2, cacheRead: 3, cacheCreation: 4, cacheCreation1h: 0, thinking: 5 },
      usd: 2,
    })
  })

  test('of a session without a file, or without a cost, costs from nothing', () => {
    expect(readCostAt(join(root, 'none'), start, keeperOf(100))).toBeUndefined()
    writeFileSync(path, text([user(-900, 'x')]))
    expect(readCostAt(path, start, keeperOf(100))).toBeUndefined()
  })

  test('finds its origin’s cost at the end of a large file', () => {
    writeFileSync(path, text([cost(1), user(-900, 'x'.repeat(3 << 20)), cost(2)]))
    expect(readCostAt(path, start, keeperOf(100))?.totalUsd).toBe(2)
  })
})

describe('a long file', () => {
  const filler = 'x'.repeat(50_000)
  const old = (count: number): Line[] =>
    Array.from({ length: count }, (_, index) => user(-9_000_000 + index, `${index} ${filler}`, { promptId: 'old' }))

  function allOf(long: TranscriptReader): TranscriptFact[] {
    const facts = long.read()
    while (long.reachedUnixMicro() !== Number.POSITIVE_INFINITY) facts.push(...long.read())
    return facts
  }

  /** What is read of the file, in bytes, by the system's own count. */
  function bytesRead(work: () => void): number {
    const count = (): number => Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
    const before = count()
    work()
    return count() - before
  }

  test('of a resumed session is read from about where this run begins', () => {
    const lines = [...old(600), cost(2), user(5, 'new'), assistant(20, 'm1'), cost(3)]
    writeFileSync(path, text(lines))
    const long = reader()
    let facts: TranscriptFact[] = []
    const read = bytesRead(() => {
      facts = allOf(long)
    })
    expect(facts.map(({ detail }) => detail.type)).toEqual(['cost', 'message', 'cost'])
    expect(facts.map(({ detail }) => detail.type === 'cost' && detail.cost.totalUsd)).toEqual([2, false, 3])
    expect(facts.at(-1)?.offset).toBe(readFileSync(path).length)
    if (process.platform === 'linux') expect(read).toBeLessThan(8_000_000)
  })

  test('knows what the session had cost, however far back that stands', () => {
    writeFileSync(path, text([...old(10), cost(2), ...old(400), user(5, 'new'), assistant(20, 'm1')]))
    expect(allOf(reader()).map(({ detail }) => detail.type === 'cost' && detail.cost.totalUsd)).toEqual([2, false])
  })

  test('is read in pieces, and says how far it was read', () => {
    const own = Array.from({ length: 60 }, (_, index) => assistant(index * 1000, `m${index}`, { filler }))
    writeFileSync(path, text([...old(300), ...own]))
    const growing = reader()
    const ids: string[] = []
    let calls = 0
    do {
      calls++
      ids.push(...growing.read().map(({ detail }) => (detail.type === 'message' ? detail.messageId : '')))
      const reached = growing.reachedUnixMicro()
      if (reached !== Number.POSITIVE_INFINITY && ids.length > 0) expect(reached).toBe(start + (ids.length - 1) * 1e6)
    } while (growing.reachedUnixMicro() !== Number.POSITIVE_INFINITY)
    expect(ids).toEqual(own.map((_, index) => `m${index}`))
    expect(calls).toBeGreaterThan(4)
    const nothing = bytesRead(() => expect(growing.read()).toEqual([]))
    if (process.platform === 'linux') expect(nothing).toBeLessThan(100_000)
  })

  test('loses no line where times are a little out of order, or begin in the middle of a long line', () => {
    const odd = [...old(400), user(-50, 'late'), user(2, 'early'), ...old(2), user(3, 'x'), assistant(4, 'm1')]
    writeFileSync(path, text(odd))
    const { offset } = findPlace(path, start)
    expect(readFileSync(path)[offset - 1]).toBe(0x0a)
    const all = factsOf(odd.slice(-4)).map(({ detail }) => detail)
    writeFileSync(path, text(odd))
    expect(allOf(reader()).map(({ detail }) => detail)).toEqual(all)
  })
})

describe('a file that grows', () => {
  const lines = [
    user(1, 'naïve 😀'),
    assistant(50, 'm1'),
    assistant(51, 'm1', {}, { content: [{ type: 'text', text: 'ünïcode 😀' }] }),
    user(60, [{ type: 'tool_result', tool_use_id: 't1', is_error: true, content: 'é' }]),
    cost(1),
  ]
  const whole = Buffer.from(text(lines))

  test('gives the same facts wherever it was cut when it was read', () => {
    const expected = factsOf(lines)
    expect(expected).toHaveLength(4)
    for (let cut = 0; cut <= whole.length; cut++) {
      writeFileSync(path, whole.subarray(0, cut))
      const growing = reader()
      const before = growing.read()
      appendFileSync(path, whole.subarray(cut))
      expect([...before, ...growing.read()]).toEqual(expected)
    }
  })

  test('gives the same facts when it grows by a byte at a time', () => {
    const expected = factsOf(lines)
    writeFileSync(path, '')
    const growing = reader()
    const facts: TranscriptFact[] = []
    for (const byte of whole) {
      appendFileSync(path, Uint8Array.of(byte))
      facts.push(...growing.read())
    }
    expect(facts).toEqual(expected)
  })

  test('by lines of many megabytes gives their facts', () => {
    const content = [{ type: 'text', text: `é${'x'.repeat(5 << 20)}` }]
    const facts = factsOf([user(1, 'x'), assistant(5, 'm1', {}, { content }), assistant(9, 'm2')])
    expect(facts.map(({ detail }) => detail.type === 'message' && detail.messageId)).toEqual(['m1', 'm2'])
    expect(facts.at(-1)?.offset).toBe(readFileSync(path).length)
  })

  test('that is not there yet gives nothing until it is', () => {
    const early = reader()
    expect(early.read()).toEqual([])
    writeFileSync(path, whole)
    expect(early.read()).toEqual(factsOf(lines))
    expect(early.read()).toEqual([])
  })

  test('with lines that are broken or no objects gives the facts of the others', () => {
    const facts = factsOf(lines)
    const mixed = `{"type":"assis\n\n[]\nnull\n"x"\n${whole}{"half`
    writeFileSync(path, mixed)
    expect(
      reader()
        .read()
        .map(({ detail }) => detail),
    ).toEqual(facts.map(({ detail }) => detail))
  })

  test('that was taken away and begun anew is read from its beginning', () => {
    writeFileSync(path, `${text([assistant(5, 'm1'), assistant(6, 'm2')])}{"half`)
    const growing = reader()
    expect(growing.read()).toHaveLength(2)
    rmSync(path)
    expect(growing.read()).toEqual([])
    writeFileSync(path, text([assistant(7, 'm3')]))
    expect(growing.read().map(({ detail }) => detail)).toMatchObject([{ type: 'message', messageId: 'm3' }])
    appendFileSync(path, text([assistant(8, 'm4')]))
    expect(growing.read().map(({ detail }) => detail)).toMatchObject([{ type: 'message', messageId: 'm4' }])
  })

  test('that is a folder gives nothing', () => {
    expect(createTranscriptReader({ path: root, sinceUnixMicro: start, keeper: keeperOf(10) }).read()).toEqual([])
    expect(createTranscriptReader({ path: 'nul\0byte', sinceUnixMicro: start, keeper: keeperOf(10) }).read()).toEqual(
      [],
    )
  })
})

describe('the recorded transcripts', () => {
  const fixtures = join(import.meta.dir, '../fixtures/hooks')
  const files = readdirSync(fixtures).flatMap((name) =>
    readdirSync(join(fixtures, name, 'transcripts'))
      .filter((file) => file.endsWith('.jsonl'))
      .map((file) => join(fixtures, name, 'transcripts', file)),
  )

  test.each(files)('%s gives the same facts read whole or in pieces', (file) => {
    const whole = readFileSync(file)
    const read = (pieces: number): TranscriptFact[] => {
      writeFileSync(path, '')
      const growing = createTranscriptReader({ path, sinceUnixMicro: 0, keeper: keeperOf(50) })
      const size = Math.ceil(whole.length / pieces)
      return Array.from({ length: pieces }, (_, index) => {
        appendFileSync(path, whole.subarray(index * size, (index + 1) * size))
        return growing.read()
      }).flat()
    }
    for (const pieces of [2, 7, 61]) expect(read(pieces)).toEqual(read(1))
  })
})

describe('a prompt that is not simply one', () => {
  test('is !command: what was typed, with the line of what it printed', () => {
    const lines = [
      user(1, '<bash-input>echo hi</bash-input>', { isMeta: false }),
      user(2, '<bash-stdout>hi</bash-stdout>', { isMeta: false, turnOrigin: 'human' }),
    ]
    const [fact, more] = factsOf(lines)
    expect(more).toBeUndefined()
    expect(fact).toMatchObject({
      timeUnixMicro: start + 2000,
      detail: { type: 'prompt', prompt: { text: '!echo hi' }, source: 'user' },
    })
  })

  test('is in the queue until claude takes it, or tells the model of it within the turn', () => {
    const queue = (ms: number, operation: string): Line => ({ type: 'queue-operation', operation, timestamp: time(ms) })
    const queued = (prompt: unknown): Line => ({
      type: 'attachment',
      timestamp: time(3),
      attachment: { type: 'queued_command', prompt },
    })
    const blocks = [{ type: 'text', text: 'and that' }]
    expect(detailsOf([queue(1, 'enqueue'), queue(2, 'dequeue'), queued('and this'), queued(blocks)])).toMatchObject([
      { type: 'dequeue' },
      { type: 'queued-prompt', prompt: { text: 'and this' }, source: 'user' },
      { type: 'queued-prompt', prompt: { text: 'and that' }, source: 'user' },
    ])
  })

  test('was typed before the lines around it: no request begins before the last of them', () => {
    const typed: Line = {
      type: 'attachment',
      timestamp: time(3),
      attachment: { type: 'queued_command', prompt: 'and this' },
    }
    const [, message] = detailsOf([user(10, 'hello'), typed, assistant(20, 'm1')])
    expect(message?.type === 'message' && message.startUnixMicro).toBe(start + 10_000)
  })
})

describe('a turn that is not to go on', () => {
  test('was blocked, stopped by a hook, or has used up its turns', () => {
    const blocked: Line = {
      type: 'system',
      subtype: 'informational',
      timestamp: time(1),
      content: 'blocked by hook:\nno\n\n\nOriginal prompt: hello',
      promptSubmitEnding: { ending: { kind: 'blocked_by_hook', reason: 'no' } },
    }
    const attachment = (fields: Line): Line => ({ type: 'attachment', timestamp: time(2), attachment: fields })
    const lines = [
      blocked,
      attachment({ type: 'hook_stopped_continuation', message: 'enough' }),
      attachment({ type: 'max_turns_reached', maxTurns: 3 }),
    ]
    expect(detailsOf(lines)).toMatchObject([
      { type: 'turn-stop', reason: 'blocked_by_hook', message: { text: 'no' }, prompt: { text: 'hello' } },
      { type: 'turn-stop', reason: 'stopped_by_hook', message: { text: 'enough' } },
      { type: 'turn-stop', reason: 'max_turns', message: { text: '3 turns' } },
    ])
  })
})

describe('a fork of a fork', () => {
  const copy = (ms: number, from: string): Line => assistant(ms, `m${ms}`, { sessionId: 's3', requestSessionId: from })
  const queue: Line = { type: 'queue-operation', operation: 'enqueue', timestamp: time(1) }

  test('comes from the last of the sessions whose lines it has, though fresh ones stand before them', () => {
    const details = detailsOf([queue, copy(-900, 's1'), copy(-800, 's2'), user(5, 'new')])
    expect(details).toEqual([{ type: 'copied', fromSessionId: 's2' }])
  })

  test('that is resumed, with answers of its own, comes from no other session', () => {
    expect(detailsOf([copy(-900, 's1'), assistant(-800, 'm2', { sessionId: 's3' }), user(5, 'new')])).toEqual([])
  })
})

describe('a request that failed for good', () => {
  test('has Claude Code’s word for it, or else its status', () => {
    const failed = (more: Line): Line => assistant(5, 'x', { isApiErrorMessage: true, ...more })
    const types = detailsOf([
      failed({ error: 'rate_limit', apiErrorStatus: 429 }),
      failed({ error: 'unknown', apiErrorStatus: 400 }),
      failed({}),
    ])
    expect(types.map((detail) => detail.type === 'api-failure' && detail.error)).toEqual([
      'rate_limit',
      '400',
      'unknown',
    ])
  })
})

describe('what is kept for messages', () => {
  const keeper = createKeeper({ rule: { previewLength: 5, whole: ['all'], wholeLength: 1000 } })
  const snapshot = (ms: number, ...systemPrompt: string[]): Line => ({
    type: 'attachment',
    timestamp: time(ms),
    attachment: { type: 'prompt_snapshot', systemPrompt },
  })
  const read = (...lines: Line[]): TranscriptDetail[] => {
    writeFileSync(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    return createTranscriptReader({ path, sinceUnixMicro: start, keeper })
      .read()
      .map(({ detail }) => detail)
  }

  test('is the system prompt, once until it changes', () => {
    const details = read(
      snapshot(1, 'Be kind.', ' '),
      snapshot(2, 'Be kind.', ' '),
      snapshot(3, 'Be kind.', 'Help.'),
      snapshot(4),
      snapshot(5, 'Be kind.'),
    )
    expect(details.map((detail) => detail.type === 'instructions' && detail.texts.map(({ text }) => text))).toEqual([
      ['Be kind.'],
      ['Be kind.', 'Help.'],
      ['Be kind.'],
    ])
  })

  test('is thinking, beside the answer', () => {
    const block = { type: 'thinking', thinking: 'let me look', signature: 'c2ln' }
    const [detail] = read(assistant(1, 'm1', {}, { content: [block] }))
    expect(detail).toMatchObject({ type: 'message', thinking: { text: 'let me look' } })
    expect(detail).not.toHaveProperty('text')
  })

  test('is nothing where nobody wants messages', () => {
    const block = { type: 'thinking', thinking: 'let me look' }
    writeFileSync(
      path,
      [snapshot(1, 'Be kind.'), assistant(1, 'm1', {}, { content: [block] })]
        .map((line) => JSON.stringify(line))
        .join('\n')
        .concat('\n'),
    )
    const [fact, ...more] = reader().read()
    expect(more).toEqual([])
    expect(fact?.detail).not.toHaveProperty('thinking')
    expect(fact?.kept).toBeUndefined()
  })
})
