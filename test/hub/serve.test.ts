/** The hub by the compiled binary: the real claude and the wrapper send to it, and every token that was served is told. */
import { afterAll, describe, expect, test } from 'bun:test'
import { buildIfStale } from '../../scripts/build.ts'
import { claudeBinary, claudeOtelBinary } from '../kit/claude-home.ts'
import { text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { clear, openStage, runOn, type Stage } from '../sessions/play.ts'
import { bash, subagent, unattended } from '../sessions/words.ts'
import { createHubHome, type HubProcess } from './kit.ts'

await buildIfStale()

const homes = [createHubHome()]
afterAll(() => {
  for (const home of homes) home.remove()
})

function hubHome() {
  const home = createHubHome()
  homes.push(home)
  return home
}

const script = () => ({
  main: [tools(bash('echo one'), bash('exit 3')), tools(subagent('SUB-ONE', false)), text('Done.')],
  agents: { 'SUB-ONE': [tools(bash('echo two')), text('Sub done.')] },
})

/** What makes Claude Code send its own telemetry there, often enough for a test. */
function native(hub: HubProcess, protocol: string): Record<string, string> {
  const port = protocol === 'grpc' ? hub.grpcPort : hub.httpPort
  return {
    CLAUDE_CODE_ENABLE_TELEMETRY: '1',
    OTEL_METRICS_EXPORTER: 'otlp',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_METRIC_EXPORT_INTERVAL: '500',
    OTEL_LOGS_EXPORT_INTERVAL: '500',
  }
}

function served({ api }: Stage) {
  const { input, output, cacheRead, cacheCreation } = api.servedTotals()
  return { inputTokens: input, outputTokens: output, cacheReadTokens: cacheRead, cacheCreationTokens: cacheCreation }
}

async function play(
  program: string,
  env: Record<string, string>,
  check: (stage: Stage) => Promise<void>,
): Promise<void> {
  const stage = await openStage(script)
  try {
    const result = await runOn(stage, program, ['-p', 'Go', ...unattended], { env })
    expect({ exitCode: result.exitCode, stdout: result.stdout }).toEqual({ exitCode: 0, stdout: 'Done.\n' })
    await check(stage)
  } finally {
    await clear(stage)
  }
}

describe.each(['grpc', 'http/protobuf', 'http/json'])('a hub that claude itself tells by %s', (protocol) => {
  test.each(['none', 'gzip'])(
    'has every token, with compression %s',
    async (compression) => {
      const hub = await hubHome().start()
      try {
        const env = { ...native(hub, protocol), OTEL_EXPORTER_OTLP_COMPRESSION: compression }
        await play(claudeBinary, env, async (stage) => {
          await until('all of it', async () => (await hub.usage()).totals.outputTokens === served(stage).outputTokens)
          const { totals, rows } = await hub.usage()
          expect(totals).toMatchObject(served(stage))
          expect(totals.costUsd).toBeGreaterThan(0)
          expect(rows).toHaveLength(1)
        })
        expect(hub.stderr()).toBe('')
      } finally {
        expect(await hub.end()).toBe(0)
      }
    },
    60_000,
  )
})

describe('a hub that the wrapper tells', () => {
  const wrapper = (hub: HubProcess) => ({
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hub.httpPort}`,
  })

  test('has every token', async () => {
    const hub = await hubHome().start()
    try {
      await play(claudeOtelBinary, wrapper(hub), async (stage) => {
        expect((await hub.usage()).totals).toMatchObject(served(stage))
      })
    } finally {
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)

  test('and claude itself too, counts each token once', async () => {
    const hub = await hubHome().start()
    try {
      await play(claudeOtelBinary, { ...native(hub, 'http/protobuf'), ...wrapper(hub) }, async (stage) => {
        await until('all of it', async () => (await hub.usage()).totals.outputTokens === served(stage).outputTokens)
        const sessions = (await hub.usage('session')).rows
        expect(sessions).toHaveLength(1)
        expect((await hub.usage()).totals).toMatchObject(served(stage))
        // Session, turn, five calls of the model, three of Bash, one of Agent, its subagent: each once, told by both.
        const path = `http://127.0.0.1:${hub.port}/api/sessions/${sessions[0]?.session}/rows`
        const { rows } = (await (await fetch(path)).json()) as { rows: { teller: string; also?: object[] }[] }
        expect(rows.map(({ teller }) => teller)).toEqual(Array(12).fill('claude-otel'))
        expect(rows.filter(({ also = [] }) => also.length > 0)).toHaveLength(11)
      })
    } finally {
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)

  test('and is killed and begins again, loses nothing and counts nothing twice', async () => {
    const home = hubHome()
    const first = await home.start()
    await play(claudeOtelBinary, wrapper(first), async (stage) => {
      await first.end('SIGKILL')
      const again = await home.start()
      try {
        expect((await again.usage()).totals).toMatchObject(served(stage))
      } finally {
        expect(await again.end()).toBe(0)
      }
    })
  }, 60_000)
})

describe('its dashboard', () => {
  test('shows the session, its waterfall and its tokens, to this machine alone', async () => {
    const hub = await hubHome().start()
    const at = (path: string, headers: Record<string, string> = {}) =>
      fetch(`http://127.0.0.1:${hub.port}${path}`, { headers })
    const env = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${hub.httpPort}`,
    }
    try {
      await play(claudeOtelBinary, env, async (stage) => {
        const page = await at('/')
        expect(page.status).toBe(200)
        expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
        const { rows } = await hub.usage('session')
        const waterfall = await (await at(`/api/sessions/${rows[0]?.session}/rows`)).json()
        // Session, turn, five calls of the model, three of Bash, one of Agent, its subagent.
        expect(waterfall).toMatchObject({ rowCount: 12 })
        const history = await (await at('/api/history?by=model')).text()
        expect(history).toContain(String(served(stage).cacheReadTokens))
        expect((await at('/', { host: 'evil.example.com' })).status).toBeGreaterThanOrEqual(400)
      })
    } finally {
      expect(await hub.end()).toBe(0)
    }
  }, 60_000)
})

test('a hub that is asked again while it ends takes the time that it needs', async () => {
  const hub = await hubHome().start()
  const at = { hostname: '127.0.0.1', port: hub.httpPort, socket: { data() {} } }
  const listens = async () =>
    Bun.connect(at).then(
      (socket) => socket.end() === undefined,
      () => false,
    )
  // Somebody sends slowly, and is waited for.
  const sender = await Bun.connect(at)
  sender.write(
    'POST /v1/logs HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{',
  )
  // Whoever comes later has an answer: the beginning is there.
  expect((await fetch(`http://127.0.0.1:${hub.httpPort}/v1/logs`)).status).toBe(405)
  hub.child.kill('SIGTERM')
  await until('it to take nothing new', async () => !(await listens()))
  expect(hub.child.exitCode).toBeNull()
  hub.child.kill('SIGTERM')
  await hub.child.exited
  expect({ code: hub.child.exitCode, signal: hub.child.signalCode }).toEqual({ code: 0, signal: null })
}, 20_000)

describe('a hub that cannot begin', () => {
  test('says which port is taken, and what to do', async () => {
    const home = hubHome()
    const hub = await home.start()
    try {
      expect(home.start(['--http-port', String(hub.httpPort), '--store', `${home.path}/other.db`])).rejects.toThrow(
        `port ${hub.httpPort} of 127.0.0.1, for OTLP over HTTP, is taken`,
      )
    } finally {
      await hub.end()
    }
  })

  test('does not open itself to others without a token', async () => {
    expect(hubHome().start(['--host', '0.0.0.0'])).rejects.toThrow('hub.token is not set')
  })
})
