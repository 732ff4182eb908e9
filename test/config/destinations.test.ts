/** Several destinations at once: what each is, what it takes from the general settings, and all that can be wrong. */
import { describe, expect, test } from 'bun:test'
import { renderConfig } from '../../src/commands/config.ts'
import { type ConfigSources, type Destination, resolveConfig } from '../../src/config/config.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'

const path = '/etc/me.json'

function resolve(list: unknown, env: Record<string, string> = {}, more: Partial<ConfigSources> = {}) {
  const written =
    list === undefined ? {} : { CLAUDE_OTEL_DESTINATIONS: typeof list === 'string' ? list : JSON.stringify(list) }
  return resolveConfig({ env: { HOME: '/home/me', ...written, ...env }, ...more })
}

const inFile = (content: Record<string, unknown>) => ({ file: { path, content, problems: [] } })
const of = ({ config }: ReturnType<typeof resolve>, type: SignalType = 'traces') => config.signals[type].destinations
const names = (resolution: ReturnType<typeof resolve>, type?: SignalType) =>
  of(resolution, type).map(({ name }) => name)
const target = (destination: Destination | undefined) => {
  if (destination?.kind !== 'otlp') throw new Error('not OTLP')
  return destination.target
}
const messages = ({ problems }: ReturnType<typeof resolve>) =>
  problems.map(({ message, hint }) => `${message} | ${hint}`)

describe('a list of destinations', () => {
  test('of endpoints alone takes everything else from the general settings', () => {
    const general = {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_TIMEOUT: '7',
      OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: 'gzip',
    }
    const resolution = resolve('http://a:4318, https://b/base', general)
    expect(messages(resolution)).toEqual([])
    expect(names(resolution)).toEqual(['http/json http://a:4318', 'http/json https://b/base'])
    expect(of(resolution).map((each) => target(each).url)).toEqual([
      'http://a:4318/v1/traces',
      'https://b/base/v1/traces',
    ])
    expect(of(resolution, 'logs').map((each) => target(each))).toMatchObject([
      { timeoutMs: 7, compression: 'gzip' },
      { timeoutMs: 7, compression: 'gzip' },
    ])
    expect(target(of(resolution)[0]).compression).toBe('none')
  })

  test('gives each its own name, protocol, headers, limits and kinds of signals', () => {
    const resolution = resolve([
      {
        name: 'team',
        endpoint: 'https://team:4317',
        headers: { 'X-Key': 'a b' },
        timeout: 5,
        compression: 'gzip',
        signals: ['traces', 'metrics'],
      },
      {
        name: 'mine',
        endpoint: 'http://localhost:4318',
        protocol: 'http',
        headers: 'x-key=c%20d',
        signals: 'logs,traces',
      },
      { exporter: 'file', file: '/tmp/signals' },
      { exporter: 'console', signals: ['logs'] },
    ])
    expect(messages(resolution)).toEqual([])
    expect(names(resolution)).toEqual(['team', 'mine', 'file /tmp/signals'])
    expect(names(resolution, 'logs')).toEqual(['mine', 'file /tmp/signals', 'console'])
    expect(names(resolution, 'metrics')).toEqual(['team', 'file /tmp/signals'])
    expect(of(resolution)).toMatchObject([
      {
        kind: 'otlp',
        target: {
          protocol: 'grpc',
          url: 'https://team:4317',
          headers: { 'X-Key': 'a b' },
          timeoutMs: 5,
          compression: 'gzip',
        },
      },
      {
        kind: 'otlp',
        target: { protocol: 'http/protobuf', url: 'http://localhost:4318/v1/traces', headers: { 'x-key': 'c d' } },
      },
      { kind: 'file', path: '/tmp/signals' },
    ])
  })

  test('is the same in the user’s file, as objects or as text', () => {
    const list = [{ name: 'team', endpoint: 'https://team:4317', insecure: false }, 'http://b:4317']
    for (const destinations of [list, JSON.stringify(list)]) {
      const resolution = resolve(undefined, {}, inFile({ destinations }))
      expect(messages(resolution)).toEqual([])
      expect(names(resolution)).toEqual(['team', 'grpc http://b:4317'])
    }
  })

  test('of one object needs no brackets', () => {
    expect(names(resolve({ name: 'team', endpoint: 'https://team:4317' }))).toEqual(['team'])
  })

  test('takes the place of the one OTLP destination, and of no other exporter', () => {
    const list = [{ name: 'team', endpoint: 'https://team:4317' }]
    expect(names(resolve(list, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://other:4317' }))).toEqual(['team'])
    expect(names(resolve(list, { OTEL_TRACES_EXPORTER: 'console,otlp' }))).toEqual(['console', 'team'])
    expect(names(resolve(list, { OTEL_TRACES_EXPORTER: 'none' }))).toEqual([])
    expect(names(resolve(list, { CLAUDE_OTEL_DEBUG: '1' }))).toEqual([
      'team',
      'file /home/me/.local/state/claude-otel/signals.jsonl',
    ])
  })

  test('gives way to an endpoint from a stronger source, and says so', () => {
    const file = inFile({ destinations: ['http://b:4317'] })
    const general = resolve(undefined, { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' }, file)
    expect(names(general)).toEqual(['grpc http://c:4317'])
    expect(general.notes).toEqual([
      `destinations (from ${path} (destinations)) give way to export.endpoint (from OTEL_EXPORTER_OTLP_ENDPOINT), which is the stronger source`,
    ])
    const special = resolve(undefined, { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://c:4317' }, file)
    expect([names(special), names(special, 'logs')]).toEqual([['grpc http://b:4317'], ['grpc http://c:4317']])
    const flag = resolve('http://b:4317', {}, { flags: { 'otel-endpoint': 'http://c:4317' } })
    expect(names(flag)).toEqual(['grpc http://c:4317'])
    const weaker = resolve('http://b:4317', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' })
    expect([names(weaker), weaker.notes]).toEqual([['grpc http://b:4317'], []])
    const equal = resolve('http://b:4317', { CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' })
    expect([names(equal), equal.notes]).toEqual([['grpc http://b:4317'], []])
    // What is not used cannot be wrong.
    expect(messages(resolve('ftp://b', {}, { flags: { 'otel-endpoint': 'http://c:4317' } }))).toEqual([])
  })

  test('gets general headers only from the source it stands in itself: they are credentials', () => {
    const list = [{ endpoint: 'https://a:4317', headers: 'b=2' }, 'https://b:4317']
    const headers = (resolution: ReturnType<typeof resolve>) => of(resolution).map((each) => target(each).headers)
    expect(headers(resolve(list, { OTEL_EXPORTER_OTLP_HEADERS: 'a=1' }))).toEqual([{ b: '2' }, {}])
    const own = { CLAUDE_OTEL_EXPORTER_OTLP_HEADERS: 'a=1' }
    expect(headers(resolve(list, own))).toEqual([{ a: '1', b: '2' }, { a: '1' }])
    const file = inFile({ destinations: list, export: { headers: { a: '1' } } })
    expect(headers(resolve(undefined, {}, file))).toEqual([{ a: '1', b: '2' }, { a: '1' }])
    expect(headers(resolve(undefined, own, file))).toEqual([{ b: '2' }, {}])
  })
})

describe('a mistake in a list', () => {
  test('is told with the entry, the value, the source and the mend, all of them at once', () => {
    const list = [
      { name: 'team', endpoint: 'http://team:4318' },
      { name: 'typo', endpiont: 'http://a:4317' },
      { endpoint: 'http://b:4317', compression: 'zip', timeout: '5s', signals: ['trace'], headers: 'nonsense' },
      { name: 'half', endpoint: 'https://c:4317', clientKey: '/k' },
      { exporter: 'fil' },
    ]
    const from = '(from CLAUDE_OTEL_DESTINATIONS)'
    const told = messages(resolve(list))
    expect(told.toSorted()).toEqual(
      [
        `destination "team": endpoint is "http://team:4318" ${from}: the protocol is grpc, and port 4318 is the one for HTTP | set "protocol": "http/protobuf" in it, or use port 4317`,
        `destination "typo": "endpiont" is no setting of a destination ${from} | did you mean endpoint?`,
        `destination "typo" has no endpoint ${from} | say where to send: "endpoint"`,
        `destination "http://b:4317": compression is "zip" ${from} | use one of: gzip, none (did you mean gzip?)`,
        `destination "http://b:4317": timeout is "5s" ${from} | use a whole number of milliseconds from 1 to 86400000, here 5000`,
        `destination "http://b:4317": signals is "["trace"]" ${from} | use one of: traces, logs, metrics (did you mean traces?)`,
        `destination "http://b:4317": headers is unreadable ${from} | use key=value pairs with commas between them`,
        `destination "half": clientKey is "/k" ${from}: a client key and a client certificate go together | set "clientCertificate" in it too, or neither`,
        `destination number 5: exporter is "fil" ${from} | use one of: otlp, file, console (did you mean file?)`,
        `destination number 5 has no endpoint ${from} | say where to send: "endpoint"`,
      ].toSorted(),
    )
  })

  test('is a name that stands twice, given or derived', () => {
    const twice = ['http://b:4317', { endpoint: 'http://b:4317', headers: 'a=1' }]
    expect(messages(resolve(twice))).toEqual([
      '2 destinations are called "grpc http://b:4317" (from CLAUDE_OTEL_DESTINATIONS) | give each a "name" of its own',
    ])
    expect(
      messages(
        resolve([
          { name: 'a', endpoint: 'http://b:4317' },
          { name: 'a', exporter: 'console' },
        ]),
      ),
    ).toHaveLength(1)
  })

  test('is a list that is none, and its secrets are not shown', () => {
    for (const list of [
      '[{"endpoint": "http://a", "headers": "key=hunter2"',
      '[]',
      '[1, "hunter2"]',
      '[null]',
      ' , ',
    ]) {
      const [told, ...more] = messages(resolve(list))
      expect(more).toEqual([])
      expect(told).toStartWith('destinations is unreadable (from CLAUDE_OTEL_DESTINATIONS) | use a list of objects')
    }
    expect(messages(resolve(undefined, {}, inFile({ destinations: { endpoint: 'x' } })))).toHaveLength(1)
  })

  test('is one that is on, and none where telemetry is off', () => {
    expect(messages(resolve('ftp://b'))).toHaveLength(1)
    expect(messages(resolve('ftp://b', { CLAUDE_OTEL_DISABLED: '1' }))).toEqual([])
  })
})

test('--config shows each destination, and no secret of any', () => {
  const text = renderConfig(
    resolve([
      {
        name: 'team',
        endpoint: 'https://me:hunter2@team:4317',
        headers: { 'api-key': 'hunter2' },
        signals: ['traces'],
      },
      { endpoint: 'http://localhost:4318', protocol: 'http/json', headers: 'x=hunter2' },
    ]),
  )
  expect(text.split('\n').slice(0, 5)).toEqual([
    'Destinations',
    '  traces   otlp  team: grpc https://team:4317',
    '  traces   otlp  http/json http://localhost:4318/v1/traces',
    '  logs     otlp  http/json http://localhost:4318/v1/logs',
    '  metrics  otlp  http/json http://localhost:4318/v1/metrics',
  ])
  expect(text).toMatch(/destinations +team, http:\/\/localhost:4318 +from CLAUDE_OTEL_DESTINATIONS/)
  expect(text).not.toContain('hunter2')
})
