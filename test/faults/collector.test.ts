/**
 * Every fault of a collector, with the compiled binary and the real claude, by HTTP and by gRPC: claude's output and exit are
 * its own, one line says what was not delivered and what to do, what can be sent later arrives exactly once, and what was
 * refused is not sent again.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Behaviour } from '../export/collectors.ts'
import { type Certificates, createCertificates } from '../kit/certificates.ts'
import { claudeBinary, claudeOtelBinary, type RunResult } from '../kit/claude-home.ts'
import { startMessagesApi, text, tools } from '../kit/messages-api.ts'
import { until } from '../kit/until.ts'
import { bash } from '../sessions/words.ts'
import { startProxy } from './proxy.ts'
import { contentOf } from './received.ts'
import { type CollectorStage, openCollectorStage, restart, runOn, runSession, type TimedResult } from './stage.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-otel-collector-'))
let certificates: Certificates
let strangers: Certificates
/** The same session under bare claude: how long it takes to end, and what it prints. */
let bare: TimedResult

beforeAll(async () => {
  for (const name of ['ours', 'theirs']) mkdirSync(join(folder, name))
  certificates = createCertificates(join(folder, 'ours'))
  strangers = createCertificates(join(folder, 'theirs'))
  const stage = await openCollectorStage('http/json')
  bare = await runSession(stage, claudeBinary)
  await stage.clear()
}, 30_000)
afterAll(() => rmSync(folder, { recursive: true }))

const protocols = ['http/json', 'grpc'] as const

/** What exit may take with a collector that is in trouble, and what a busy machine takes beside it. */
const [boundMs, noiseMs] = [1000, 400]

/** What a session of one turn is told in, and what each call of a tool adds. */
const names = ['chat claude-opus-5-5', 'claude.session', 'invoke_agent claude-code']
const events = ['claude.assistant_response', 'claude.turn.end', 'claude.user_prompt', 'session.end', 'session.start']
const call = { spans: ['chat claude-opus-5-5', 'execute_tool Bash'], logs: ['claude.tool.end', 'claude.tool.start'] }

/** All of the session, once; `twice`: the same id may have come again. */
function expectWhole(
  { collector, api }: CollectorStage,
  taken: readonly Behaviour[],
  { twice = false, calls = 1 }: { readonly twice?: boolean; readonly calls?: number } = {},
): void {
  const content = contentOf(collector.received.filter(({ behaviour }) => taken.includes(behaviour)))
  for (const [all, expected] of [
    [content.spans, [...names, ...Array.from({ length: calls }, () => call.spans).flat()]],
    [content.logs, [...events, ...Array.from({ length: calls }, () => call.logs).flat()]],
  ] as const) {
    const known = new Map(all.map(({ id, name }) => [id, name]))
    expect([...known.values()].sort()).toEqual(expected.toSorted())
    if (!twice) expect(all).toHaveLength(known.size)
  }
  const { input, output, cacheRead, cacheCreation } = api.servedTotals()
  expect(content.sums['claude.tokens_total']).toBe(input + output + cacheRead + cacheCreation)
  expect(content.sums['claude.sessions_total']).toBe(1)
  expect(content.sums['claude.tool_calls_total']).toBe(calls)
}

/** Nothing was asked of the collector again that it had answered. */
function expectNoRepeats({ collector }: CollectorStage): void {
  const { spans, logs } = contentOf(collector.received)
  for (const all of [spans, logs]) expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  expect(collector.received.filter(({ type }) => type === 'metrics').length).toBeLessThanOrEqual(1)
}

function expectUndisturbed(result: TimedResult): void {
  const outside = ({ stdout, exitCode, signal }: RunResult) => ({ stdout, exitCode, signal })
  expect(outside(result)).toEqual(outside(bare))
  expect(result.exitMs - bare.exitMs).toBeLessThan(boundMs + noiseMs)
}

function expectOneLine(stderr: string, says: RegExp): void {
  expect(stderr).toMatch(/^claude-otel: [^\n]+\n$/)
  expect(stderr).toMatch(says)
}

function runs({ home }: CollectorStage): string[] {
  return readdirSync(join(home.state, 'runs'))
}

interface Fault {
  readonly title: string
  readonly tls?: () => Certificates['server']
  begin(stage: CollectorStage): void | Promise<void>
  /** What the line says beside what to do. */
  readonly says: RegExp
}

interface MendedFault extends Fault {
  mend(stage: CollectorStage): void | Promise<void>
}

const behaving = (behaviour: Behaviour, title: string, says: RegExp): MendedFault => ({
  title,
  begin: ({ collector }) => collector.behave(behaviour),
  mend: ({ collector }) => collector.behave('accept'),
  says,
})

const clientFiles = () => ({
  OTEL_EXPORTER_OTLP_CLIENT_KEY: certificates.clientKey,
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: certificates.client,
})

const secure = ({ collector, env }: CollectorStage, ca: Certificates) => {
  const endpoint = collector.url.replace('http:', 'https:').replace('127.0.0.1', 'localhost')
  Object.assign(env, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_CERTIFICATE: ca.ca, ...clientFiles() })
}

const kept: readonly MendedFault[] = [
  {
    title: 'is not there',
    begin: ({ collector }) => collector.stop(),
    mend: restart,
    says: /ECONNREFUSED.*nobody listens there/,
  },
  behaving('hang', 'never answers', /no answer/),
  behaving('throttled', 'has too many requests and says when to come again', /429|RESOURCE_EXHAUSTED/),
  behaving('overloaded', 'is overloaded and says when to come again', /503|UNAVAILABLE/),
  behaving('unauthorized', 'does not know us', /who are you\?; check the headers of this destination/),
  behaving('forbidden', 'knows us and does not let us in', /check the headers of this destination/),
  { ...behaving('cut', 'goes away in the middle of a request', /./), mend: restart },
  {
    title: 'shows a certificate of an authority that we do not know',
    tls: () => certificates.server,
    begin: (stage) => secure(stage, strangers),
    mend: (stage) => secure(stage, certificates),
    says: /certificate.*check the certificates of this destination/i,
  },
  {
    title: 'has a name that nobody knows',
    begin: ({ env, protocol }) => {
      env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://collector.invalid:${protocol === 'grpc' ? 4317 : 4318}`
    },
    mend: ({ env }) => {
      delete env.OTEL_EXPORTER_OTLP_ENDPOINT
    },
    says: /check the host of the endpoint|no answer/,
  },
]

const refused: readonly Fault[] = [
  behaving('bad', 'says that it is bad', /no such field/),
  behaving('broken', 'breaks of it', /500|INTERNAL/),
  behaving('missing', 'has no such place', /404|UNIMPLEMENTED/),
]

for (const protocol of protocols) {
  describe(`over ${protocol}, what a collector did not take that`, () => {
    for (const { title, tls, begin, mend, says } of kept) {
      test(`${title} is kept, and delivered once by drain`, async () => {
        const stage = await openCollectorStage(protocol, tls?.())
        try {
          await begin(stage)
          const result = await runSession(stage, claudeOtelBinary)
          expectUndisturbed(result)
          expectOneLine(result.stderr, says)
          expect(result.stderr).toMatch(/not delivered.*kept in .*`claude-otel drain`/)
          expect(runs(stage)).toHaveLength(1)
          expect(stage.collector.received.length).toBeLessThan(12)

          await mend(stage)
          expect(await runOn(stage, claudeOtelBinary, 'drain')).toMatchObject({ exitCode: 0, stderr: '' })
          expectWhole(stage, ['accept'])
          const before = stage.collector.received.length
          expect((await runOn(stage, claudeOtelBinary, 'drain')).stdout).toStartWith('0 of 0 runs')
          expect(stage.collector.received).toHaveLength(before)
        } finally {
          await stage.clear()
        }
      })
    }
  })

  describe(`over ${protocol}, what a collector refuses because it`, () => {
    for (const { title, begin, says } of refused) {
      test(`${title} is counted and not sent again`, async () => {
        const stage = await openCollectorStage(protocol)
        try {
          await begin(stage)
          const result = await runSession(stage, claudeOtelBinary)
          expectUndisturbed(result)
          expectOneLine(result.stderr, says)
          expect(result.stderr).toMatch(/^claude-otel: [1-9]\d* .* refused by the collector for good/)
          expect(runs(stage)).toEqual([])
          stage.collector.behave('accept')
          expect((await runOn(stage, claudeOtelBinary, 'drain')).stdout).toStartWith('0 of 0 runs')
          expectNoRepeats(stage)
        } finally {
          await stage.clear()
        }
      })
    }

    test('takes only a part of it is counted, and that part is not sent again', async () => {
      const stage = await openCollectorStage(protocol)
      try {
        stage.collector.behave('partial')
        const result = await runSession(stage, claudeOtelBinary)
        expectUndisturbed(result)
        expectOneLine(result.stderr, /^claude-otel: [1-9]\d* .* refused by the collector for good \(too old/)
        expect(runs(stage)).toEqual([])
        expectWhole(stage, ['partial'])
        expectNoRepeats(stage)
      } finally {
        await stage.clear()
      }
    })
  })

  describe(`over ${protocol}, a collector`, () => {
    test('that is slow holds nothing up beyond the bound, and gets everything', async () => {
      const stage = await openCollectorStage(protocol)
      try {
        stage.collector.behave('slow')
        const result = await runSession(stage, claudeOtelBinary)
        expectUndisturbed(result)
        if (runs(stage).length > 0) await runOn(stage, claudeOtelBinary, 'drain')
        expectWhole(stage, ['slow'], { twice: true })
      } finally {
        await stage.clear()
      }
    })

    test('on this machine is asked directly, whatever proxy is set', async () => {
      const [stage, proxy] = await Promise.all([openCollectorStage(protocol), startProxy()])
      try {
        for (const name of ['HTTP_PROXY', 'http_proxy', 'grpc_proxy']) stage.env[name] = proxy.url
        const result = await runSession(stage, claudeOtelBinary)
        expectUndisturbed(result)
        expect(result.stderr).toBe('')
        expectWhole(stage, ['accept'])
        const { host } = new URL(stage.collector.url)
        expect(proxy.asked()).toContain(new URL(stage.api.url).host)
        expect(proxy.asked()).not.toContain(host)
        expect(proxy.asked()).not.toContain(host.replace('127.0.0.1', 'localhost'))
      } finally {
        await Promise.all([stage.clear(), proxy.close()])
      }
    })

    test('that comes back while the session goes on gets what there is, without its end', async () => {
      const stage = await openCollectorStage(protocol)
      const go = join(stage.home.path, 'go')
      await stage.api.close()
      const wait = bash(`until test -e ${go}; do sleep 0.05; done`)
      const api = await startMessagesApi({ main: [tools(bash('echo hi')), tools(wait), text('Done.')] })
      const live = { ...stage, api, env: { OTEL_BLRP_SCHEDULE_DELAY: '100', OTEL_BSP_SCHEDULE_DELAY: '100' } }
      try {
        live.collector.behave('cut')
        const session = runSession(live, claudeOtelBinary)
        await until('an attempt that fails', () => live.collector.received.length > 0)
        await restart(live)
        const content = () => contentOf(live.collector.received)
        await until('the prompt', () => content().logs.some(({ name }) => name === 'claude.user_prompt'))
        await until('the first call', () => content().spans.some(({ name }) => name === 'execute_tool Bash'))
        await Bun.write(go, '')
        const result = await session
        expect(result).toMatchObject({ stdout: 'Done.\n', stderr: '', exitCode: 0 })
        expectWhole(live, ['accept'], { calls: 2 })
        expect(runs(live)).toEqual([])
      } finally {
        await Promise.all([api.close(), stage.clear()])
        live.collector.stop()
      }
    })
  })
}
