/** What surrounds a run by the Agent SDK: other ways to ask for it, what else tells of it, other lives of its session, its ends. */
import { describe, expect, test } from 'bun:test'
import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { metricTotals, type Span } from '../kit/otlp-sink.ts'
import { until } from '../kit/until.ts'
import {
  clear,
  expectExactTokens,
  expectSessions,
  expectWhole,
  openStage,
  outdent,
  runOn,
  type Stage,
  sessionId,
  sessionsOf,
  showingTree,
  tree,
} from '../sessions/play.ts'
import { expectTold } from '../sessions/told.ts'
import {
  bash,
  endless,
  model,
  oneAnswer,
  oneTool,
  registerByHand,
  sessionOf,
  subagent,
  unattended,
  userLine,
} from '../sessions/words.ts'

const timeoutMs = 60_000
const hello: Script = { main: [text('Hello.')] }
const toolThenDone: Script = { main: [tools(bash('echo hi')), text('Done.')] }
const fine = { exitCode: 0, signal: null, stderr: '' }

/** Opens a stage, plays on it, and clears it; a failure shows the spans. */
function onStage(title: string, script: Parameters<typeof openStage>[0], play: (stage: Stage) => Promise<void>): void {
  test(
    title,
    async () => {
      const stage = await openStage(script)
      try {
        await play(stage)
      } finally {
        await clear(stage)
      }
    },
    timeoutMs,
  )
}

describe('A run is asked for', () => {
  const ways: readonly (readonly [string, readonly string[]])[] = [
    ['by its command', ['run', 'Say hello']],
    ['with a -- before the prompt', ['run', '--', 'Say hello']],
    ['with flags of claude before the prompt', ['run', '--permission-mode', 'plan', 'Say hello']],
    ['with a flag that takes several', ['run', '--allowedTools', 'Bash', 'Read', '--', 'Say hello']],
    ['by --use-sdk before claude’s own arguments', ['--use-sdk', '-p', 'Say hello']],
    ['by --use-sdk behind the prompt', ['Say hello', '--use-sdk']],
    ['with settings as flags', ['run', 'Say hello', '--otel-service-name', 'mine']],
  ]
  for (const [title, args] of ways) {
    onStage(
      title,
      () => hello,
      async (stage) => {
        expect(await runOn(stage, claudeOtelBinary, args)).toMatchObject({ ...fine, stdout: 'Hello.\n' })
        showingTree(stage.sink.spans(), () => expectSessions(stage, [oneAnswer]))
        expect(sessionOf(stage).attributes['prompt.preview']).toBe('Say hello')
        if (args.includes('mine')) expect(sessionOf(stage).resource['service.name']).toBe('mine')
      },
    )
  }

  onStage(
    'as text while it is written',
    () => ({ main: [{ blocks: [{ type: 'text', text: 'First.' }, bash('echo hi')] }, text('Then.')] }),
    async (stage) => {
      const args = ['run', 'Say', '--include-partial-messages', ...unattended]
      expect(await runOn(stage, claudeOtelBinary, args)).toMatchObject({ ...fine, stdout: 'First.\n\nThen.\n' })
    },
  )

  const refused: readonly (readonly [readonly string[], string])[] = [
    [['run'], 'there is no prompt'],
    [['run', 'two', 'words'], 'one prompt, please, not "two" and "words"'],
    [['run', 'Hi', '--output-format', 'yaml'], '--output-format is "yaml"'],
    [['run', 'Hi', '--bg'], '--bg is not possible here'],
    [['run', 'Hi', '--version'], '--version is not possible here'],
  ]
  for (const [args, words] of refused) {
    onStage(
      `in vain: ${args.join(' ')}`,
      () => ({ main: [] }),
      async (stage) => {
        const result = await runOn(stage, claudeOtelBinary, args)
        expect(result).toMatchObject({ exitCode: 64, stdout: '' })
        expect(result.stderr).toStartWith(`claude-otel: ${words}`)
        expect(stage.api.requests()).toEqual([])
      },
    )
  }

  onStage(
    'in vain by a line of JSON that is none, behind one that is',
    () => ({ main: [text('One.')] }),
    async (stage) => {
      const options = { stdin: `${userLine('One')}nonsense\n${userLine('Two')}` }
      const result = await runOn(stage, claudeOtelBinary, ['run', '--input-format', 'stream-json'], options)
      expect(result).toMatchObject({ exitCode: 65, stdout: 'One.\n' })
      expect(result.stderr).toBe('claude-otel: a line of stdin is no message of a user: nonsense\n')
      showingTree(stage.sink.spans(), () => expectSessions(stage, [oneAnswer]))
    },
  )

  onStage(
    'where there is no claude',
    () => ({ main: [] }),
    async (stage) => {
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Hi'], { env: { CLAUDE_BIN: '/nowhere/claude' } })
      expect(result).toMatchObject({ exitCode: 127, stdout: '' })
    },
  )

  onStage(
    'with a flag that claude does not know: claude says so',
    () => ({ main: [] }),
    async (stage) => {
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Hi', '--no-such-flag'])
      expect(result).toMatchObject({ exitCode: 1, stdout: '', stderr: "error: unknown option '--no-such-flag'\n" })
      expect(readdirSync(join(stage.home.state, 'runs'))).toEqual([])
    },
  )
})

describe('Nothing is told twice', () => {
  onStage(
    'where our hooks stand in the user’s settings, too',
    () => ({ main: [tools(bash('cp $CLAUDE_OTEL_RUN/run.json run.json')), text('Done.')] }),
    async (stage) => {
      await registerByHand(stage)
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Go', ...unattended])
      expect(result).toMatchObject({ ...fine, stdout: 'Done.\n' })
      showingTree(stage.sink.spans(), () => expectSessions(stage, [oneTool]))
      expect(sessionOf(stage).attributes['session.source']).toBe('startup')
      // Whoever takes the run over knows it, too.
      const { entry } = await Bun.file(join(stage.home.project, 'run.json')).json()
      expect(entry.wrapped.callbacks).toBe(true)
    },
  )

  const inside: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['a run inside a wrapped claude', ['-p'], ['run']],
    ['a run inside a run', ['run'], ['run']],
    ['a wrapped claude inside a run', ['run'], ['-p']],
  ]
  for (const [title, outer, inner] of inside) {
    onStage(
      `${title}: two sessions in one trace, each whole`,
      () => ({ main: [tools(bash(`${claudeOtelBinary} ${inner.join(' ')} inner`)), text('Inner.'), text('Outer.')] }),
      async (stage) => {
        const result = await runOn(stage, claudeOtelBinary, [...outer, 'outer', ...unattended])
        expect(result).toMatchObject({ ...fine, stdout: 'Outer.\n' })
        const spans = stage.sink.spans()
        showingTree(spans, () => {
          const [first, second] = sessionsOf(spans) as [Span, Span]
          expect(second).toMatchObject({ traceId: first.traceId, parentSpanId: first.spanId })
          expect([first, second].map(({ attributes }) => attributes['prompt.preview'])).toEqual(['outer', 'inner'])
          expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length)
          expect(tree(spans)).toBe(
            outdent(`
              claude.session
                invoke_agent claude-code
                  chat ${model}
                  execute_tool Bash tool.status=success
                  chat ${model}
                claude.session
                  invoke_agent claude-code
                    chat ${model}
            `),
          )
          expectExactTokens(stage.sink, stage.api)
          expectTold(stage.sink)
        })
      },
    )
  }
})

describe('A session has several lives', () => {
  const lives = [
    { first: 'run', second: 'run', args: ['--resume', sessionId], source: 'resume' },
    { first: 'run', second: 'run', args: ['--continue'], source: 'resume' },
    { first: 'run', second: 'run', args: ['--resume', sessionId, '--fork-session'], source: 'fork' },
    { first: '-p', second: 'run', args: ['--resume', sessionId], source: 'resume' },
    { first: 'run', second: '-p', args: ['--resume', sessionId], source: 'resume' },
  ]
  for (const { first, second, args, source } of lives) {
    onStage(
      `${first}, then ${second} ${args.join(' ')}`,
      () => ({ main: [text('First.'), text('Second.')] }),
      async (stage) => {
        const began = await runOn(stage, claudeOtelBinary, [first, 'One', '--session-id', sessionId])
        const went = await runOn(stage, claudeOtelBinary, [second, 'Two', ...args])
        expect([began.stdout, went.stdout, began.stderr + went.stderr]).toEqual(['First.\n', 'Second.\n', ''])
        showingTree(stage.sink.spans(), () => {
          expectSessions(stage, [oneAnswer, oneAnswer])
          const [one, two] = sessionsOf(stage.sink.spans()) as [Span, Span]
          expect([one, two].map(({ attributes }) => attributes['session.source'])).toEqual(['startup', source])
          expect(two.links.map(({ spanId }) => spanId)).toEqual([one.spanId])
          expect(two.attributes['gen_ai.conversation.id']).toBe(sessionId)
        })
      },
    )
  }
})

describe('A run that ends early', () => {
  onStage(
    'by kill -9 leaves claude its turn, and drain tells all of it',
    ({ path }) => ({ main: [tools(bash(`touch ${join(path, 'running')}; sleep 0.6`)), text('Done.')] }),
    async (stage) => {
      const runs = endless(stage.home).runs
      const signal = { name: 'SIGKILL', to: 'process', when: runs } as const
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Go', ...unattended], { signal })
      expect(result).toMatchObject({ signal: 'SIGKILL' })
      await until('the end of claude', () => processesOf(stage.home.path).length === 0)
      await runOn(stage, claudeOtelBinary, ['drain'])
      showingTree(stage.sink.spans(), () => {
        expect(tree(stage.sink.spans())).toBe(
          outdent(`
            claude.session !
              invoke_agent claude-code !
                chat ${model}
                execute_tool Bash tool.status=success
                chat ${model}
          `),
        )
        expect(sessionOf(stage).attributes['session.end_reason']).toBe('crashed')
        expectWhole(stage.sink.spans())
        expectExactTokens(stage.sink, stage.api)
      })
      expect(readdirSync(join(stage.home.state, 'runs'))).toEqual([])
    },
  )

  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    onStage(
      `by ${name} to its group leaves nothing of claude running`,
      (home) => ({ main: [endless(home).call] }),
      async (stage) => {
        const { runs } = endless(stage.home)
        await runOn(stage, claudeOtelBinary, ['run', 'Go', ...unattended], {
          signal: { name, to: 'group', when: runs },
        })
        expect(processesOf(stage.home.path)).toEqual([])
        expect(tree(stage.sink.spans())).toContain('execute_tool Bash tool.status=interrupted !')
      },
    )
  }

  onStage(
    'by a second Ctrl-C does not wait for a claude that does not answer the first one',
    () => ({ main: [] }),
    async ({ home, api }) => {
      const [deaf, marker] = [join(home.path, 'deaf'), join(home.path, 'running')]
      await Bun.write(deaf, `#!/bin/sh\ntrap '' INT TERM\ntouch ${marker}\nwhile :; do sleep 0.1; done\n`)
      chmodSync(deaf, 0o755)
      const run = Bun.spawn([claudeOtelBinary, 'run', 'Hi'], {
        env: home.environment(api.url, { CLAUDE_BIN: deaf }),
        stdio: ['ignore', 'ignore', 'ignore'],
      })
      await until('a claude that does not listen', () => Bun.file(marker).exists())
      run.kill('SIGINT')
      // It is given five seconds to answer.
      expect(await Promise.race([run.exited, Bun.sleep(1000).then(() => 'still there')])).toBe('still there')
      run.kill('SIGINT')
      expect(await Promise.race([run.exited, Bun.sleep(3000).then(() => 'still there')])).not.toBe('still there')
      expect(run.signalCode).toBe('SIGINT')
      expect(processesOf(home.path)).toEqual([])
    },
  )

  onStage(
    'with its reader gone ends claude, too',
    () => hello,
    async (stage) => {
      const shell = `${claudeOtelBinary} run Hi --output-format stream-json | true`
      const result = await runOn(stage, '/bin/sh', ['-c', shell])
      expect(result).toMatchObject({ exitCode: 0, stderr: '' })
      expect(processesOf(stage.home.path)).toEqual([])
    },
  )
})

describe('Telemetry', () => {
  onStage(
    'without a collector is kept, said in one line, and sent by the next run',
    () => ({ main: [text('One.'), text('Two.')] }),
    async (stage) => {
      const nowhere = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' }
      const first = await runOn(stage, claudeOtelBinary, ['run', 'One'], { env: nowhere })
      expect(first).toMatchObject({ exitCode: 0, stdout: 'One.\n' })
      expect(first.stderr).toMatch(/^claude-otel: \d+ spans.*not delivered.*kept in .*\n$/)
      expect(await runOn(stage, claudeOtelBinary, ['run', 'Two'])).toMatchObject({ ...fine, stdout: 'Two.\n' })
      showingTree(stage.sink.spans(), () => expectSessions(stage, [oneAnswer, oneAnswer]))
    },
  )

  onStage(
    'that is switched off leaves nothing, and the answer is the same',
    () => hello,
    async (stage) => {
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Hi'], { env: { OTEL_SDK_DISABLED: 'true' } })
      expect(result).toMatchObject({ ...fine, stdout: 'Hello.\n' })
      expect(stage.sink.spans()).toEqual([])
      expect(await Bun.file(join(stage.home.state, 'reports.jsonl')).exists()).toBe(false)
    },
  )

  onStage(
    'with a wrong setting is off, which is told in one line',
    () => hello,
    async (stage) => {
      const env = { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' }
      const result = await runOn(stage, claudeOtelBinary, ['run', 'Hi'], { env })
      expect(result).toMatchObject({ exitCode: 0, stdout: 'Hello.\n' })
      expect(result.stderr).toMatch(/^claude-otel: telemetry was off: .*gprc.*\n$/)
    },
  )

  onStage(
    'comes to a hub',
    () => toolThenDone,
    async (stage) => {
      const hub = startHub(stage)
      try {
        const presence = join(stage.home.state, 'hub/hub.json')
        await until('the hub', () => Bun.file(presence).exists())
        const { grpcPort } = await Bun.file(presence).json()
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${grpcPort}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }
        expect(await runOn(stage, claudeOtelBinary, ['run', 'Hi', ...unattended], { env })).toMatchObject({
          ...fine,
          stdout: 'Done.\n',
        })
        const usage = await runOn(stage, claudeOtelBinary, ['usage', '--json', '--by', 'session'])
        const { totals } = JSON.parse(usage.stdout)
        const { input, output, cacheRead, cacheCreation } = stage.api.servedTotals()
        expect(totals).toMatchObject({
          inputTokens: input,
          outputTokens: output,
          cacheReadTokens: cacheRead,
          cacheCreationTokens: cacheCreation,
        })
      } finally {
        hub.kill('SIGTERM')
        await hub.exited
      }
    },
  )
})

describe('The wrapper and the run say the same', () => {
  const script = (): Script => ({
    main: [
      tools(bash('echo out; exit 3'), bash('echo hi')),
      tools(subagent('SUB', false)),
      {
        blocks: [
          { type: 'thinking', thinking: 'Enough.' },
          { type: 'text', text: 'Done.' },
        ],
      },
    ],
    agents: { SUB: [tools(bash('echo sub')), text('Sub done.')] },
  })

  test(
    'of every span, attribute by attribute, of every log record and of every metric',
    async () => {
      const args = ['Try', '--session-id', sessionId, ...unattended]
      const play = async (stage: Stage, command: string): Promise<Stage> => {
        await runOn(stage, claudeOtelBinary, [command, ...args])
        return stage
      }
      const ran = await play(await openStage(script), 'run')
      let wrapped = await play(await openStage(script), '-p')
      try {
        expect(lostHooks(ran)).toBe(0)
        // Claude may end an asynchronous hook of the wrapper's on a busy machine; what stands in for it knows less.
        for (let tries = 1; lostHooks(wrapped) > 0 && tries < 5; tries++) {
          await clear(wrapped)
          wrapped = await play(await openStage(script), '-p')
        }
        expect(everything(ran)).toEqual(everything(wrapped))
      } finally {
        await Promise.all([clear(wrapped), clear(ran)])
      }
    },
    timeoutMs,
  )
})

function lostHooks({ sink }: Stage): number {
  return metricTotals(sink.points(), 'claude_otel.hooks_lost_total')[''] ?? 0
}

/** What was told, without what is drawn or measured; what is told of our own hooks differs, since these are no processes. */
function everything({ sink, home }: Stage): unknown {
  const plain = (attributes: Span['attributes']) => {
    // A subagent's answer holds how long it took.
    const isTimed = 'tool.response.totalDurationMs' in attributes
    const entries = Object.entries(attributes).map(([name, value]) => {
      const isMeasured = isTimed && name === 'response_bytes'
      return [name, isMeasured ? '<measured>' : plainValue(name, value, home.path)] as const
    })
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  const spans = sink.spans()
  const path = (span: Span): string => {
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId)
    return `${parent === undefined ? '' : `${path(parent)} / `}${span.name}`
  }
  const told = spans.map((span) => ({
    path: path(span),
    kind: span.kind,
    status: span.status,
    message: span.statusMessage,
    attributes: plain(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: plain(attributes) })),
    resource: plain(span.resource),
  }))
  const logs = sink.logs().map(({ eventName, severity, body, attributes }) => {
    return { eventName, severity, body: plainValue('body', body, home.path), attributes: plain(attributes) }
  })
  const points = new Set(
    sink
      .points()
      .map(({ name, unit, kind, attributes }) => JSON.stringify({ name, unit, kind, attributes: plain(attributes) })),
  )
  const isOurs = (text: string): boolean => text.includes('claude_otel.')
  return {
    spans: inOrder(told),
    logs: inOrder(logs),
    points: [...points].filter((point) => !isOurs(point)).sort(),
  }
}

function inOrder(values: readonly unknown[]): unknown[] {
  const texts = values.map((value) => JSON.stringify(value)).sort()
  return texts.map((text) => JSON.parse(text))
}

function plainValue(name: string, value: Span['attributes'][string], home: string): unknown {
  if (typeof value === 'number') return /duration|_ms$|pid$|time/i.test(name) ? '<measured>' : value
  if (typeof value !== 'string') return value
  return value
    .replaceAll(home, '<home>')
    .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, (id) => (id === sessionId ? id : '<uuid>'))
    .replace(/\ba[0-9a-f]{16}\b/g, '<agent>')
    .replace(/\b[0-9A-HJKMNP-TV-Z]{26}\b/g, '<ulid>')
    .replace(/duration_ms: \d+/g, 'duration_ms: <measured>')
}

function startHub({ home, api }: Stage): Bun.Subprocess {
  return Bun.spawn([claudeOtelBinary, 'serve', '--grpc-port', '0', '--http-port', '0', '--port', '0'], {
    env: home.environment(api.url),
    stdio: ['ignore', 'ignore', 'ignore'],
  })
}

/** Ids of processes whose environment names the home. */
function processesOf(home: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`HOME=${home}\0`)
    } catch {
      return false
    }
  })
}
