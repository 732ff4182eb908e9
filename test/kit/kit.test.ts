/** The kit itself, against the bare claude: what it says was served is what claude counted, what it receives is read. */

import { describe, expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { claudeBinary, createClaudeHome, run } from './claude-home.ts'
import { error, startMessagesApi, text, thinking, tools, toolUse } from './messages-api.ts'
import { chatTokens, metricTotals, renderTree, startOtlpSink } from './otlp-sink.ts'
import { startTerminal } from './terminal.ts'

const bash = (command: string) => toolUse('Bash', { command, description: 'Run it' })

describe('the scripted Messages API', () => {
  test('serves exactly the tokens that claude counts, through retries, parallel calls and subagents', async () => {
    const home = await createClaudeHome()
    const agent = {
      description: 'sub',
      prompt: 'SUB-ONE: go',
      subagent_type: 'general-purpose',
      run_in_background: false,
    }
    const api = await startMessagesApi({
      main: [
        thinking('Hm.', { type: 'text', text: 'I try.' }, bash('echo one'), bash('exit 2')),
        error(529),
        tools(toolUse('Agent', agent)),
        text('Done.'),
      ],
      agents: { 'SUB-ONE': [tools(bash('echo sub')), text('Sub done.')] },
    })
    try {
      const { stdout, exitCode } = await run({
        command: [claudeBinary, '-p', 'Go', '--permission-mode', 'bypassPermissions'],
        cwd: home.project,
        env: home.environment(api.url),
      })
      expect({ stdout, exitCode }).toEqual({ stdout: 'Done.\n', exitCode: 0 })
      expect(api.surprises()).toEqual([])
      expect(api.served().map(({ lane }) => lane)).toEqual(['main', 'main', 'agent', 'agent', 'main'])
      expect(await countedByClaude(home.path)).toEqual(api.servedTotals())
    } finally {
      await Promise.all([api.close(), home.remove()])
    }
  }, 30_000)

  test('says what was asked beyond the script, and what was never asked for', async () => {
    const api = await startMessagesApi({ main: [text('One.')], agents: { 'SUB-ONE': [text('Never.')] } })
    const ask = () =>
      fetch(`${api.url}/v1/messages`, {
        method: 'POST',
        body: JSON.stringify({ model: 'm', tools: [{}], messages: [{ role: 'user', content: 'Go' }] }),
      }).then((response) => response.text())
    try {
      expect(await ask()).toContain('"stop_reason":"end_turn"')
      await ask()
      expect(api.surprises()).toEqual([
        'beyond the script: request 2 of main',
        expect.stringContaining('never asked for in SUB-ONE'),
      ])
    } finally {
      await api.close()
    }
  })
})

/** The sums of claude's own last word, the transcript's cost-state. */
async function countedByClaude(home: string): Promise<unknown> {
  const [path] = new Bun.Glob('.claude/projects/*/*.jsonl').scanSync({ cwd: home, dot: true, absolute: true })
  const lines = (await Bun.file(path ?? '').text()).trim().split('\n')
  const state = lines.map((line) => JSON.parse(line)).findLast((line) => line.type === 'cost-state')
  const [usage] = Object.values<Record<string, number>>(state.modelUsage)
  return {
    input: usage?.inputTokens,
    output: usage?.outputTokens,
    cacheRead: usage?.cacheReadInputTokens,
    cacheCreation: usage?.cacheCreationInputTokens,
    thinking: usage?.thinkingTokens,
  }
}

describe('the receiver', () => {
  const attribute = (key: string, value: object) => ({ key, value })
  const span = (spanId: string, parentSpanId: string, name: string, start: number, more: object = {}) => ({
    traceId: 't',
    spanId,
    parentSpanId,
    name,
    startTimeUnixNano: String(start * 1000),
    endTimeUnixNano: String(start * 1000 + 5000),
    ...more,
  })
  const tool = (id: string, start: number, more: object = {}) =>
    span(id, 'a', `execute_tool ${id}`, start, { attributes: [attribute('tool.use_id', { stringValue: id })], ...more })
  const post = (url: string, signal: string, body: object, gzip: boolean) =>
    fetch(`${url}/v1/${signal}`, {
      method: 'POST',
      headers: gzip ? { 'content-encoding': 'gzip' } : {},
      body: gzip ? gzipSync(JSON.stringify(body)) : JSON.stringify(body),
    })

  test('reads spans, plain and gzipped, and draws calls of one message in the order of their ids', async () => {
    const sink = await startOtlpSink()
    const tokens = [attribute('tokens.input', { intValue: '7' }), attribute('tokens.output', { intValue: 2 })]
    const batches = [
      [tool('two', 30), tool('one', 31, { status: { code: 2 } })],
      [span('a', '', 'claude.session', 10), span('c', 'a', 'chat m', 20, { attributes: tokens })],
    ]
    try {
      for (const [index, spans] of batches.entries()) {
        const body = { resourceSpans: [{ scopeSpans: [{ spans }] }] }
        expect((await post(sink.url, 'traces', body, index === 0)).status).toBe(200)
      }
      const drawn = ['claude.session', '  chat m', '  execute_tool one !', '  execute_tool two']
      expect(renderTree(sink.spans())).toBe(drawn.join('\n'))
      expect(chatTokens(sink.spans())).toEqual({ input: 7, output: 2, cacheRead: 0, cacheCreation: 0 })
    } finally {
      await sink.close()
    }
  })

  test('takes the last value of each cumulative stream, and adds the streams', async () => {
    const sink = await startOtlpSink()
    const point = (time: number, value: number, model: string) => ({
      asInt: String(value),
      startTimeUnixNano: '1000',
      timeUnixNano: String(time * 1000),
      attributes: [attribute('model', { stringValue: model })],
    })
    const sum = (...dataPoints: object[]) => ({ name: 'n', sum: { aggregationTemporality: 2, dataPoints } })
    try {
      for (const metrics of [[sum(point(2, 5, 'a'))], [sum(point(3, 8, 'a'), point(3, 1, 'b'))]])
        await post(sink.url, 'metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }, false)
      expect(metricTotals(sink.points(), 'n')).toEqual({ '': 9 })
      expect(metricTotals(sink.points(), 'n', 'model')).toEqual({ a: 8, b: 1 })
    } finally {
      await sink.close()
    }
  })

  test('refuses and hangs up when it is told to, and keeps nothing', async () => {
    const sink = await startOtlpSink()
    const body = { resourceSpans: [{ scopeSpans: [{ spans: [span('a', '', 'claude.session', 1)] }] }] }
    try {
      sink.mode = 'refuse'
      expect((await post(sink.url, 'traces', body, false)).status).toBe(503)
      sink.mode = 'close'
      await expect(post(sink.url, 'traces', body, false)).rejects.toThrow()
      expect(sink.spans()).toEqual([])
    } finally {
      await sink.close()
    }
  })
})

describe('a run', () => {
  const shell = (script: string) => ({ command: ['sh', '-c', script], cwd: '/', env: { PATH: process.env.PATH ?? '' } })

  test('gives both streams and the exit code', async () => {
    expect(await run({ ...shell('cat; echo bad >&2; exit 3'), stdin: 'in' })).toMatchObject({
      stdout: 'in',
      stderr: 'bad\n',
      exitCode: 3,
      signal: null,
    })
  })

  test('sends its signal when the condition holds, and tells a death by signal from an exit', async () => {
    const signal = { name: 'SIGTERM', to: 'process', when: () => true } as const
    expect(await run({ ...shell('exec sleep 20'), signal })).toMatchObject({ exitCode: null, signal: 'SIGTERM' })
  })

  test('that does not end is ended with its whole group, and is an error', async () => {
    await expect(run({ ...shell('sleep 20; true'), timeoutMs: 200 })).rejects.toThrow('no end after 200 ms')
  })
})

test('a terminal shows what the program writes, types, presses keys and gives the exit code', async () => {
  const home = await createClaudeHome()
  const terminal = await startTerminal({
    command: ['sh', '-c', 'trap "echo trapped; exit 4" INT; read line; echo "got $line"; while :; do sleep 0.05; done'],
    cwd: home.project,
    env: { PATH: process.env.PATH ?? '', TERM: 'xterm-256color' },
    folder: home.path,
  })
  try {
    await terminal.enter('some words')
    await terminal.shows('got some words')
    terminal.press('C-c')
    expect(await terminal.exited()).toBe(4)
    expect(terminal.screen()).toContain('trapped')
  } finally {
    terminal.close()
    await home.remove()
  }
})
