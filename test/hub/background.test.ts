/** With no endpoint the wrapper uses the hub of this user: the one that runs, or one that it starts in the background. */
import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import { type HubPresence, readPresence } from '../../src/hub/presence.ts'
import { isProcessAlive } from '../../src/session/processes.ts'
import { openStore } from '../../src/store/store.ts'
import { type ClaudeHome, claudeBinary, claudeOtelBinary, type RunResult, run } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'
import { clear, openStage, type Stage } from '../sessions/play.ts'
import { manual, ready } from '../sessions/sittings.ts'
import { bash, subagent, unattended } from '../sessions/words.ts'

await buildIfStale()

/** The first command waits for a file where there is one to wait for. */
const script = ({ path }: ClaudeHome) => ({
  main: [
    tools(bash(`test ! -e ${path}/wait || until test -e ${path}/go-on; do sleep 0.05; done`), bash('exit 3')),
    tools(subagent('SUB-ONE', false)),
    text('Done.'),
  ],
  agents: { 'SUB-ONE': [tools(bash('echo two')), text('Sub done.')] },
})

/** With no subagent, which the TUI lets go on behind the answer. */
const brief = () => ({ main: [tools(bash('echo one')), text('Done.')] })

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) {
    await serve(stage, '--stop')
    await clear(stage)
  }
})

interface Home {
  readonly stage: Stage
  readonly env: Readonly<Record<string, string>>
}

async function openHome(
  more: Readonly<Record<string, string>> = {},
  played: (home: ClaudeHome) => Script = script,
): Promise<Home> {
  const stage = await openStage(played)
  stages.push(stage)
  const [grpcPort, httpPort] = [freePort(), freePort()]
  const ports = {
    CLAUDE_OTEL_HUB_GRPC_PORT: `${grpcPort}`,
    OTLP_RECEIVER_PORT: `${httpPort}`,
    CLAUDE_OTEL_HUB_PORT: '0',
  }
  return { stage, env: stage.home.environment(stage.api.url, { CLAUDE_OTEL_HUB: undefined, ...ports, ...more }) }
}

function freePort(): number {
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response() })
  const { port = 0 } = server
  server.stop(true)
  return port
}

function wrapped({ stage, env }: Home): Promise<RunResult> {
  return run({ command: [claudeOtelBinary, '-p', 'Go', ...unattended], cwd: stage.home.project, env })
}

function ourCommand({ home, api }: Stage, ...args: string[]): Promise<RunResult> {
  return run({ command: [claudeOtelBinary, ...args], cwd: home.project, env: home.environment(api.url) })
}

const serve = (stage: Stage, ...args: string[]) => ourCommand(stage, 'serve', ...args)

async function usage(stage: Stage, by = 'model') {
  const { stdout } = await ourCommand(stage, 'usage', by, '--json')
  return JSON.parse(stdout) as { totals: Record<string, number>; rows: { session?: string }[] }
}

function served({ api }: Stage) {
  const { input, output, cacheRead, cacheCreation } = api.servedTotals()
  return { inputTokens: input, outputTokens: output, cacheReadTokens: cacheRead, cacheCreationTokens: cacheCreation }
}

async function presenceOf({ home }: Stage): Promise<HubPresence> {
  const presence = await readPresence(join(home.state, 'hub', 'hub.json'))
  if (presence === undefined) throw new Error('no hub has said where it is')
  return presence
}

/** By what /proc says of processes that run the binary as a hub of this home. */
async function hubsOf({ home }: Stage): Promise<string[]> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const read = (pid: string, file: string) =>
    Bun.file(`/proc/${pid}/${file}`)
      .text()
      .catch(() => '')
  const told = await Promise.all(pids.map(async (pid) => [pid, await read(pid, 'cmdline'), await read(pid, 'environ')]))
  return told.flatMap(([pid = '', line = '', env = '']) =>
    line.split('\0')[1] === 'hub' && env.includes(home.state) ? [pid] : [],
  )
}

const isAlive = ({ pid, birth }: HubPresence) => isProcessAlive(pid, birth)

async function settled({ home }: Stage): Promise<void> {
  await until('every run to be delivered', () => {
    const runs = join(home.state, 'runs')
    return !existsSync(runs) || readdirSync(runs).length === 0
  })
}

/** What a hub's store has of a session, read as a later hub would read it. */
async function kept({ home }: Stage) {
  const store = await openStore(join(home.state, 'hub.db'))
  try {
    const [session] = store.sessions({ sinceUnixMicro: 0, untilUnixMicro: Number.MAX_SAFE_INTEGER }, 10)
    if (session === undefined) throw new Error('the hub knows of no session')
    const logs = store.sessionLogs(session.id, { limit: 1000, offset: 0 })
    return {
      source: store.sessionUsage(session.id)?.source,
      spans: store.sessionSpans(session.id),
      words: JSON.stringify(logs),
      logs: logs.map(({ eventName, body }) => eventName ?? String(body)),
    }
  } finally {
    store.close()
  }
}

describe('a session with no endpoint', () => {
  test('starts a hub, which has all of it by our spans and by claude’s own telemetry, and says so once', async () => {
    const home = await openHome()
    const first = await wrapped(home)
    expect({ exitCode: first.exitCode, stdout: first.stdout }).toEqual({ exitCode: 0, stdout: 'Done.\n' })
    const hub = await presenceOf(home.stage)
    expect(first.stderr).toContain(hub.url)
    expect(first.stderr.trim().split('\n')).toHaveLength(1)
    expect(isAlive(hub)).toBe(true)
    expect((await ourCommand(home.stage, 'status')).stdout).toContain(`dashboard at ${hub.url}`)
    await settled(home.stage)
    const { totals } = await usage(home.stage)
    expect(totals).toMatchObject(served(home.stage))

    const second = await wrapped(home)
    expect(second).toMatchObject({ exitCode: 0, stderr: '' })
    expect((await presenceOf(home.stage)).pid).toBe(hub.pid)
    await settled(home.stage)
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
    const [row] = (await usage(home.stage, 'session')).rows
    expect((await fetch(`${hub.url}/api/sessions/${row?.session}`)).status).toBe(200)
  }, 60_000)

  test('finds a hub that was killed started again at the same ports, and loses nothing', async () => {
    const home = await openHome()
    await wrapped(home)
    const hub = await presenceOf(home.stage)
    process.kill(hub.pid, 'SIGKILL')
    await until('its end', () => !isAlive(hub))
    await wrapped(home)
    const again = await presenceOf(home.stage)
    expect(again).toMatchObject({ grpcPort: hub.grpcPort, httpPort: hub.httpPort })
    expect(again.pid).not.toBe(hub.pid)
    await ourCommand(home.stage, 'drain')
    await until(
      'all of it',
      async () => (await usage(home.stage)).totals.outputTokens === served(home.stage).outputTokens,
    )
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
  }, 60_000)

  test('has claude tell the hub, which wants a token, of its requests and of its totals', async () => {
    const home = await openHome({ CLAUDE_OTEL_HUB_TOKEN: 'to.ken==' })
    await wrapped(home)
    await settled(home.stage)
    const { logs, spans, source } = await kept(home.stage)
    expect(logs.filter((name) => name.includes('api_request'))).not.toBeEmpty()
    expect(spans.map(({ name }) => name)).toContain('claude.session')
    expect(source).toBe('metrics')
  }, 60_000)

  test('starts a hub also when a plain claude is recorded by hooks alone', async () => {
    const home = await openHome()
    await ourCommand(home.stage, 'hooks', 'add')
    const command = [claudeBinary, '-p', 'Go', ...unattended]
    const { stdout, stderr, exitCode } = await run({ command, cwd: home.stage.home.project, env: home.env })
    expect({ stdout, stderr, exitCode }).toEqual({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
    await settled(home.stage)
    expect(isAlive(await presenceOf(home.stage))).toBe(true)
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
  }, 60_000)

  test('leaves claude’s own telemetry off where the user has switched it off', async () => {
    const home = await openHome({ CLAUDE_CODE_ENABLE_TELEMETRY: '0' })
    await wrapped(home)
    await settled(home.stage)
    expect((await kept(home.stage)).logs.filter((name) => name.includes('api_request'))).toEqual([])
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
  }, 60_000)

  test('tells nobody else of it where claude’s settings name a collector', async () => {
    const home = await openHome({ CLAUDE_OTEL_HUB_TOKEN: 'hub.token' })
    let asked = 0
    const collector = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      fetch: () => {
        asked += 1
        return new Response()
      },
    })
    const settings = { env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url.origin } }
    await Bun.write(join(home.stage.home.path, '.claude/settings.json'), JSON.stringify(settings))
    try {
      expect(await wrapped(home)).toMatchObject({ exitCode: 0, stdout: 'Done.\n' })
      await settled(home.stage)
      expect(asked).toBe(0)
      expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
    } finally {
      await collector.stop(true)
    }
  }, 60_000)

  test('prints nothing between claude’s words where a console exporter is set for others', async () => {
    const home = await openHome({ OTEL_METRICS_EXPORTER: 'otlp,console', OTEL_LOGS_EXPORTER: 'otlp' })
    expect(await wrapped(home)).toMatchObject({ exitCode: 0, stdout: 'Done.\n' })
  }, 60_000)

  test('keeps no secret of what the user lets claude tell', async () => {
    const token = `ghp_${'Ab1'.repeat(12)}`
    const leaking = () => ({ main: [tools(bash(`echo ${token}`)), text('Done.')] })
    const { stage, env } = await openHome({ OTEL_LOG_TOOL_DETAILS: '1', OTEL_LOG_ASSISTANT_RESPONSES: '1' }, leaking)
    await wrapped({ stage, env })
    await settled(stage)
    const { logs, words } = await kept(stage)
    expect(logs.filter((name) => name.includes('tool_result'))).not.toBeEmpty()
    expect([words.includes('echo [REDACTED:'), words.includes(token)]).toEqual([true, false])
  }, 60_000)

  test('has one tree, also with the spans that the user lets claude send', async () => {
    const home = await openHome({ CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: '1', OTEL_TRACES_EXPORTER: 'otlp' })
    await wrapped(home)
    await settled(home.stage)
    const { spans } = await kept(home.stage)
    expect(spans.map(({ name }) => name)).toContain('claude_code.interaction')
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
    const known = new Set(spans.map(({ spanId }) => spanId))
    expect(spans.filter(({ parentSpanId }) => !known.has(parentSpanId ?? '')).map(({ name }) => name)).toEqual([
      'claude.session',
    ])
  }, 60_000)

  test('shares the hub with another that begins at the same time', async () => {
    const home = await openHome()
    const ended = await Promise.all([wrapped(home), wrapped(home)])
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 0])
    await settled(home.stage)
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
    expect(await hubsOf(home.stage)).toHaveLength(1)
  }, 60_000)

  test('leaves the hub running when its terminal is closed, which has all of it', async () => {
    const { stage, env } = await openHome({}, brief)
    const terminal = await startTerminal({
      command: [claudeOtelBinary, ...manual, '--allowedTools=Bash'],
      cwd: stage.home.project,
      env,
      folder: stage.home.path,
    })
    try {
      await ready(terminal)
      await terminal.enter('Go')
      await terminal.shows('Done.')
    } finally {
      terminal.close()
    }
    await settled(stage)
    expect(isAlive(await presenceOf(stage))).toBe(true)
    await until('all of it', async () => (await usage(stage)).totals.outputTokens === served(stage).outputTokens)
    expect((await usage(stage)).totals).toMatchObject(served(stage))
    await until('claude’s own word', async () => (await kept(stage)).source === 'metrics')
  }, 60_000)

  test('has a hub that dies meanwhile started again, and nothing is lost', async () => {
    const home = await openHome()
    const mark = join(home.stage.home.path, 'go-on')
    writeFileSync(join(home.stage.home.path, 'wait'), '')
    const running = wrapped(home)
    await until(
      'the hub',
      async () => (await readPresence(join(home.stage.home.state, 'hub', 'hub.json'))) !== undefined,
    )
    const hub = await presenceOf(home.stage)
    process.kill(hub.pid, 'SIGKILL')
    await until('another hub', async () => (await presenceOf(home.stage)).pid !== hub.pid)
    writeFileSync(mark, '')
    expect((await running).exitCode).toBe(0)
    await settled(home.stage)
    expect((await usage(home.stage)).totals).toMatchObject(served(home.stage))
    expect((await kept(home.stage)).spans.map(({ name }) => name)).toContain('claude.session')
  }, 60_000)
})

describe('a session with a hub', () => {
  test('is where it belongs with a state folder relative to the project and an address in brackets', async () => {
    const { stage, env } = await openHome({ CLAUDE_OTEL_HOME: 'my state', CLAUDE_OTEL_HUB_HOST: '[::1]' })
    const moved = { ...stage, home: { ...stage.home, state: join(stage.home.project, 'my state') } }
    const command = (...args: string[]) => run({ command: [claudeOtelBinary, ...args], cwd: stage.home.project, env })
    try {
      expect(await wrapped({ stage, env })).toMatchObject({ exitCode: 0, stdout: 'Done.\n' })
      await settled(moved)
      expect((await kept(moved)).source).toBe('metrics')
      const { totals } = JSON.parse((await command('usage', '--json')).stdout)
      expect(totals).toMatchObject(served(stage))
    } finally {
      await command('serve', '--stop')
    }
  }, 60_000)

  test('says nothing of the hub where a model would read it', async () => {
    const home = await openHome({ CLAUDE_OTEL_RUN: '/nowhere' })
    expect(await wrapped(home)).toMatchObject({ exitCode: 0, stdout: 'Done.\n', stderr: '' })
    expect(isAlive(await presenceOf(home.stage))).toBe(true)
  }, 60_000)
})

describe('no hub is started', () => {
  test('for a claude that nobody has wrapped, where somebody else listens', async () => {
    const stage = await openStage(script)
    stages.push(stage)
    const { OTEL_EXPORTER_OTLP_ENDPOINT: url = '' } = stage.sink.environment()
    const ports = { OTLP_RECEIVER_PORT: new URL(url).port, CLAUDE_OTEL_HUB_GRPC_PORT: `${freePort()}` }
    const more = { CLAUDE_OTEL_HUB: undefined, CLAUDE_OTEL_DEBUG: '1', ...ports }
    const env = stage.home.environment(stage.api.url, more)
    const folder = join(stage.home.state, 'runs', 'claude-999999999')
    const pump = await run({ command: [claudeOtelBinary, 'pump', folder], cwd: '/', env })
    expect(pump).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await Bun.file(join(stage.home.state, 'log')).text()).not.toContain('started a hub')
  })

  test.each([
    ['an endpoint is configured', (url: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url })],
    ['somebody else listens where it would', (url: string) => ({ OTLP_RECEIVER_PORT: new URL(url).port })],
    [
      'the user wants none',
      (url: string) => ({ CLAUDE_OTEL_HUB: 'off', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/v1/traces` }),
    ],
  ])(
    'where %s',
    async (_, more) => {
      const stage = await openStage(script)
      stages.push(stage)
      const { OTEL_EXPORTER_OTLP_ENDPOINT: url = '', ...sink } = stage.sink.environment()
      const env = stage.home.environment(stage.api.url, { ...sink, CLAUDE_OTEL_HUB: undefined, ...more(url) })
      const result = await wrapped({ stage, env })
      expect(result).toMatchObject({ exitCode: 0, stdout: 'Done.\n' })
      expect(stage.sink.spans().map(({ name }) => name)).toContain('claude.session')
      expect(stage.sink.logs().filter(({ body }) => String(body).startsWith('claude_code.'))).toEqual([])
      expect(existsSync(join(stage.home.state, 'hub'))).toBe(false)
    },
    60_000,
  )
})

describe('a hub in the background', () => {
  test('ends when nobody has needed it for long enough', async () => {
    const home = await openHome({ CLAUDE_OTEL_HUB_IDLE: '1s' })
    await wrapped(home)
    const { state } = home.stage.home
    await until('its end', async () => (await hubsOf(home.stage)).length === 0)
    expect(existsSync(join(state, 'hub.db'))).toBe(true)
    expect(await readPresence(join(state, 'hub', 'hub.json'))).toBeUndefined()
  }, 60_000)

  test('ends when its folder is taken away', async () => {
    const home = await openHome()
    await wrapped(home)
    const hub = await presenceOf(home.stage)
    rmSync(home.stage.home.state, { recursive: true })
    await until('its end', () => !isAlive(hub))
  }, 60_000)

  test('is ended by serve --stop, and keeps a second from its store', async () => {
    const { stage, env } = await openHome()
    await wrapped({ stage, env })
    const hub = await presenceOf(stage)
    const second = await run({ command: [claudeOtelBinary, 'serve', '--grpc-port', '0'], cwd: '/', env })
    expect(second.exitCode).not.toBe(0)
    expect(second.stderr).toContain(`process ${hub.pid}`)
    const stopped = await serve(stage, '--stop')
    expect(stopped.stdout).toBe(`the hub, process ${hub.pid}, has ended\n`)
    expect(isAlive(hub)).toBe(false)
    expect((await serve(stage, '--stop')).stdout).toBe('no hub runs\n')
  }, 60_000)
})
