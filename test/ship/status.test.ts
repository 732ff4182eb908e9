/** `claude-otel status` on destinations and settings of every kind, by the compiled binary: what is wrong, and what to do about it. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttp, type Server } from 'node:http'
import { createServer as createHttp2, type Http2Server } from 'node:http2'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { type Finding, proxyOf } from '../../src/commands/findings.ts'
import type { Probe } from '../../src/export/probe.ts'
import { type Certificates, createCertificates } from '../kit/certificates.ts'
import { claudeBinary } from '../kit/claude-home.ts'
import { type OtlpSink, startOtlpSink } from '../kit/otlp-sink.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-status-'))
let certificates: Certificates
beforeAll(async () => {
  certificates = createCertificates(root)
  await buildIfStale()
}, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
let sink: OtlpSink
const servers: { close(): unknown }[] = []
beforeEach(async () => {
  home = mkdtempSync(join(root, 'home-'))
  sink = await startOtlpSink()
})
afterEach(async () => {
  await sink.close()
  for (const server of servers.splice(0)) server.close()
})

async function status(args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: home,
    CLAUDE_OTEL_HOME: join(home, 'state'),
    CLAUDE_BIN: claudeBinary,
    ...sink.environment(),
    ...more,
  }
  const began = performance.now()
  const child = Bun.spawn([BINARY, 'status', ...args], { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr, ms: performance.now() - began }
}

interface Told {
  readonly findings: readonly Finding[]
  readonly probes: readonly Probe[]
  readonly claude: object
  readonly sources: readonly object[]
  readonly settings: readonly object[]
}

async function told(more: Readonly<Record<string, string>> = {}): Promise<Told> {
  const { stdout, stderr, code } = await status(['--json'], more)
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 })
  return JSON.parse(stdout)
}

/** All findings as one text each. */
async function findings(more: Readonly<Record<string, string>> = {}): Promise<string[]> {
  return (await told(more)).findings.map(({ what, mend }) => `${what} → ${mend}`)
}

function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

async function listen(server: Server | Http2Server): Promise<number> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  servers.push(server)
  return (server.address() as AddressInfo).port
}

const to = (url: string, protocol: string) => ({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
})

describe('where all is well, the status', () => {
  test('says so: which claude, which settings and whence, and that each destination answers', async () => {
    const { claude, settings, probes, findings } = await told({ OTEL_SERVICE_NAME: 'mine' })
    expect(findings).toEqual([])
    expect(claude).toEqual({ path: claudeBinary, version: expect.stringMatching(/^2\.\d+\.\d+$/) })
    expect(settings).toContainEqual(
      expect.objectContaining({ key: 'service.name', shown: 'mine', origin: 'OTEL_SERVICE_NAME' }),
    )
    expect(probes.map(({ signal, status, place }) => [signal, status, place])).toEqual(
      ['traces', 'logs', 'metrics'].map((signal) => [signal, 'accepted', `${sink.url}/v1/${signal}`]),
    )
    expect([sink.spans(), sink.logs(), sink.points()]).toEqual([[], [], []])
    const { stdout } = await status()
    expect(stdout).toMatch(/answers in \d+ ms +0 delivered/)
    expect(stdout).toEndWith('Nothing is wrong that can be seen from here.\n')
    expect(existsSync(join(home, 'state'))).toBe(false)
  })

  test('shows no secret', async () => {
    const more = { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2hunter2' }
    expect((await status([], more)).stdout + (await status(['--json'], more)).stdout).not.toContain('hunter2')
  })
})

describe('a destination', () => {
  test('where nobody listens is told with its mend', async () => {
    expect(await findings(to('http://127.0.0.1:1', 'http/json'))).toEqual([
      expect.stringMatching(/http:\/\/127\.0\.0\.1:1: .* → nobody listens there$/),
    ])
    expect((await status([], to('http://127.0.0.1:1', 'grpc'))).stdout).toContain('What is wrong')
  })

  test('that never answers holds the status up no longer than it is told to wait', async () => {
    sink.mode = 'hang'
    const { ms, stdout } = await status(['--timeout', '0.5'])
    expect(stdout).toMatch(/no answer (before the deadline|within)/)
    expect(ms).toBeLessThan(2500)
  })

  test('that speaks gRPC where HTTP is meant, or the other way round, is known', async () => {
    const grpc = await listen(createHttp2())
    expect((await findings(to(`http://127.0.0.1:${grpc}`, 'http/protobuf'))).join()).toContain(
      'set the protocol to grpc',
    )
    const http = await listen(createHttp((_, response) => response.end()))
    expect((await findings(to(`http://127.0.0.1:${http}`, 'grpc'))).join()).toContain(
      'set the protocol to http/protobuf',
    )
  })

  test('at the port of the other protocol is told before anything is tried', async () => {
    expect((await findings(to('http://127.0.0.1:4317', 'http/json'))).join()).toContain('or use port 4318')
  })

  test('with TLS where none is meant, without where it is, and with a certificate of an unknown authority, is known', async () => {
    const secure = await listen(createHttps({ key: certificates.server.key, cert: certificates.server.cert }))
    expect((await findings(to(`http://localhost:${secure}`, 'http/json'))).join()).toContain('with https://')
    expect((await findings(to(`https://localhost:${secure}`, 'http/json'))).join()).toContain(
      'OTEL_EXPORTER_OTLP_CERTIFICATE',
    )
    expect((await findings(to(sink.url.replace('http:', 'https:'), 'http/json'))).join()).toContain('with http://')
  })

  test('that wants credentials says so', async () => {
    const port = await listen(createHttp((_, response) => response.writeHead(401).end()))
    expect((await findings(to(`http://127.0.0.1:${port}`, 'http/json'))).join()).toContain(
      'HTTP 401 Unauthorized → check the headers',
    )
  })

  test('whose clock is off is told', async () => {
    const anHourAgo = new Date(Date.now() - 3_600_000).toUTCString()
    const port = await listen(createHttp((_, response) => response.writeHead(200, { date: anHourAgo }).end()))
    expect(await findings(to(`http://127.0.0.1:${port}`, 'http/json'))).toEqual([
      expect.stringMatching(/clock of http:.* is 3[56]\d\d s behind this machine's → set the clock/),
    ])
  })

  test('that is asked through a proxy which is not there names it, without its password', async () => {
    const more = { ...to('http://collector.invalid:4318', 'http/json'), HTTP_PROXY: 'http://me:pw@127.0.0.1:1' }
    const [first = ''] = await findings(more)
    expect(first).toContain('through the proxy http://****@127.0.0.1:1')
    expect(first).toContain('or name collector.invalid in NO_PROXY')
  })

  test('that is a file is looked at and not written to', async () => {
    const exporters = Object.fromEntries(['TRACES', 'LOGS', 'METRICS'].map((each) => [`OTEL_${each}_EXPORTER`, 'file']))
    const path = join(home, 'deep/signals.jsonl')
    expect(await findings({ ...exporters, CLAUDE_OTEL_FILE: path })).toEqual([])
    expect(existsSync(dirname(path))).toBe(false)
    const wrong = [write(join(home, 'file'), ''), home].map((each, at) =>
      at === 0 ? join(each, 'signals.jsonl') : each,
    )
    for (const CLAUDE_OTEL_FILE of wrong)
      expect((await findings({ ...exporters, CLAUDE_OTEL_FILE })).join()).toMatch(
        /is (not )?a folder → give another path/,
      )
  })
})

test.each([
  ['http://collector.example.com:4318', { http_proxy: 'p' }, 'p'],
  ['https://collector.example.com', { http_proxy: 'p' }, undefined],
  ['https://collector.example.com', { HTTPS_PROXY: 'p', NO_PROXY: 'example.org, example.com' }, undefined],
  ['https://collector.example.com', { HTTPS_PROXY: 'p', NO_PROXY: '.ample.com' }, 'p'],
  ['https://collector.example.com', { HTTPS_PROXY: 'p', no_proxy: '*' }, undefined],
  ['http://localhost:4318', { http_proxy: 'p' }, undefined],
])('the proxy to %s by %j is %p', (place, env, proxy) => {
  expect(proxyOf(place, env)).toBe(proxy)
})

describe('what keeps sessions from being recorded is told:', () => {
  test('telemetry that is switched off, and by what', async () => {
    const { findings, probes } = await told({ OTEL_SDK_DISABLED: 'true' })
    expect(findings[0]?.what).toBe('telemetry is switched off by OTEL_SDK_DISABLED')
    expect(probes).toEqual([])
    expect(sink.requests()).toEqual({})
  })

  test('no claude, or one that is too old for our hooks', async () => {
    expect((await findings({ CLAUDE_BIN: '/nowhere/claude' })).join()).toContain('CLAUDE_BIN is "/nowhere/claude"')
    const old = write(join(home, 'claude'), '#!/bin/sh\necho 2.0.1\n')
    Bun.spawnSync(['chmod', '+x', old])
    write(join(home, '.claude/settings.json'), JSON.stringify({ hooks: { Stop: [{ hooks: [ours(BINARY)] }] } }))
    expect((await findings({ CLAUDE_BIN: old })).join()).toContain('Claude Code 2.0.1 may run our hooks without')
  })

  test('hooks that are switched off, by settings, by a file that is not loaded, by a variable', async () => {
    const user = join(home, '.claude/settings.json')
    write(user, '{"disableAllHooks": true}')
    expect(await findings()).toEqual([
      `${user} says disableAllHooks: no hook runs, ours neither → take disableAllHooks out of ${user}`,
    ])
    write(user, '{} // words')
    expect((await findings()).join()).toContain('it has comments')
    write(user, '{')
    expect((await findings()).join()).toContain(`${user}: line 1: close brace expected → mend the file`)
    write(user, '{}')
    expect((await findings({ CLAUDE_CODE_SIMPLE: '1' })).join()).toContain('CLAUDE_CODE_SIMPLE')
  })

  test('hooks that call what is not there any more', async () => {
    const local = write(
      join(home, '.claude/settings.local.json'),
      JSON.stringify({ hooks: { Stop: [{ hooks: [ours('/gone/claude-otel')] }] } }),
    )
    expect(await findings({ CLAUDE_OTEL_HUB: 'off' })).toContain(
      `${local} calls /gone/claude-otel, which is not there → claude-otel hooks add --local`,
    )
  })

  test('settings of the environment that hooks will not see, until they are in the file', async () => {
    const add = (...more: string[]) =>
      Bun.spawnSync([BINARY, 'hooks', 'add', ...more], {
        cwd: home,
        env: { HOME: home, CLAUDE_OTEL_HOME: join(home, 'state'), CLAUDE_BIN: '/bin/false', ...sink.environment() },
      })
    add()
    expect((await findings()).join()).toContain('hooks add --save-config')
    add('--save-config')
    expect(await findings()).toEqual([])
  })
})

const ours = (program: string) => ({ type: 'command', command: program, args: ['hook', 'Stop'] })

describe('--send', () => {
  test('sends a test span, log record and metric to each destination, and says that they were accepted', async () => {
    const file = join(home, 'signals.jsonl')
    const list = [
      { name: 'team', endpoint: sink.url, protocol: 'http/json' },
      { name: 'disk', exporter: 'file', file },
    ]
    const { code, stdout, stderr } = await status(['--send'], { CLAUDE_OTEL_DESTINATIONS: JSON.stringify(list) })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const name of ['team', 'disk'])
      for (const signal of ['traces', 'logs', 'metrics'])
        expect(stdout).toMatch(new RegExp(`test of ${signal} +accepted in \\d+ ms +${name}`))
    const [span] = sink.spans()
    expect(span).toMatchObject({ name: 'claude_otel.test', resource: { 'service.name': 'claude-code' } })
    expect(stdout).toContain(`in trace ${span?.traceId}`)
    expect(sink.logs()).toMatchObject([{ eventName: 'claude_otel.test', traceId: span?.traceId, spanId: span?.spanId }])
    expect(sink.points()).toMatchObject([{ name: 'claude_otel.tests_total', value: 1 }])
    expect((await Bun.file(file).text()).trim().split('\n')).toHaveLength(3)
  })

  test('fails where one of them was not accepted, and says why', async () => {
    sink.mode = 'refuse'
    const { code, stdout, stderr } = await status(['--send'])
    expect(code).toBe(69)
    expect(stderr).toContain('a test was not accepted: HTTP 503')
    expect(stdout).toContain('What is wrong')
  })
})

test('a wrong --timeout is refused', async () => {
  expect((await status(['--timeout', 'soon'])).code).toBe(64)
})
