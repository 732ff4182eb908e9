import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ConfigSources,
  type Environment,
  type HubPorts,
  type OtlpTarget,
  resolveConfig,
  type SignalConfig,
} from '../../src/config/config.ts'
import { readConfigFile } from '../../src/config/file.ts'
import { settingKeys, settings, variablesOf } from '../../src/config/settings.ts'

const folder = mkdtempSync(join(tmpdir(), 'claude-otel-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

function resolve(env: Environment, more: Partial<ConfigSources> = {}) {
  return resolveConfig({ env: { HOME: '/home/me', ...env }, ...more })
}

function fileOf(content: Record<string, unknown>) {
  return { path: '/etc/me.json', content, problems: [] }
}

function origin(resolution: ReturnType<typeof resolve>, key: string): string | undefined {
  return resolution.settings.find((setting) => setting.key === key)?.origin
}

function kindsOf({ destinations }: SignalConfig): string[] {
  return destinations.map(({ kind }) => kind)
}

/** Where the one OTLP destination of a signal is. */
function targetOf({ destinations }: SignalConfig): OtlpTarget {
  const [otlp, ...more] = destinations.filter((each) => each.kind === 'otlp')
  if (otlp === undefined || more.length > 0) throw new Error('not one OTLP destination')
  return otlp.target
}

describe('defaults', () => {
  const { config, problems, notes } = resolve({})

  test('are the hub on this machine over gRPC for all three signals, and nothing to complain about', () => {
    for (const type of ['traces', 'logs', 'metrics'] as const) {
      expect(kindsOf(config.signals[type])).toEqual(['otlp'])
      expect(targetOf(config.signals[type])).toEqual({
        protocol: 'grpc',
        url: 'http://127.0.0.1:4317',
        headers: {},
        timeoutMs: 10_000,
        compression: 'none',
        tls: {},
      })
    }
    expect([...problems, ...notes]).toEqual([])
    expect(config.usesHub).toEqual({ host: '127.0.0.1', grpcPort: 4317, httpPort: 4318 })
  })

  test('are those of the specification for batches, limits, metrics and sampling', () => {
    const { batch } = resolve({ CLAUDE_OTEL_HUB: 'off' }).config.signals.traces
    expect(batch).toEqual({ scheduleDelayMs: 5000, exportTimeoutMs: 30_000, maxQueueSize: 2048, maxBatchSize: 512 })
    const { logs, metrics } = resolve({ CLAUDE_OTEL_HUB: 'off' }).config.signals
    expect(logs.batch.scheduleDelayMs).toBe(1000)
    expect(metrics.batch.scheduleDelayMs).toBe(60_000)
    expect(config.limits.log).toEqual({ valueLength: Number.POSITIVE_INFINITY, count: 128 })
    expect(config.limits.span).toMatchObject({ count: 128, events: 128, links: 128, eventAttributes: 128 })
    expect(config.metrics).toEqual({ temporality: 'cumulative', histogram: 'explicit_bucket_histogram' })
    expect(config.sampler).toEqual({ kind: 'always_on', parentBased: true, ratio: 1 })
  })

  test('name the service and keep the file exporter below the state folder', () => {
    expect(config.resource).toEqual({ 'service.name': 'claude-code', 'service.namespace': 'claude-otel' })
    expect(config.file).toBe('/home/me/.local/state/claude-otel/signals.jsonl')
    expect(resolve({ CLAUDE_OTEL_HOME: '/x' }).config.file).toBe('/x/signals.jsonl')
  })

  test('cannot be changed by whoever reads them', () => {
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(targetOf(config.signals.logs).headers)).toBe(true)
  })
})

describe('precedence', () => {
  const name = 'OTEL_EXPORTER_OTLP_TIMEOUT'
  const file = fileOf({ export: { timeout: 1 }, 'metrics.interval': 5 })

  test('is flag, own variable, standard variable, file, default, each with its origin', () => {
    const flags = { 'otel-service-name': 'flag' }
    const all = { CLAUDE_OTEL_SERVICE_NAME: 'own', OTEL_SERVICE_NAME: 'standard' }
    const low = fileOf({ service: { name: 'file' } })
    const steps: [Partial<ConfigSources>, Environment, string, string][] = [
      [{ flags, file: low }, all, 'flag', '--otel-service-name'],
      [{ file: low }, all, 'own', 'CLAUDE_OTEL_SERVICE_NAME'],
      [{ file: low }, { OTEL_SERVICE_NAME: 'standard' }, 'standard', 'OTEL_SERVICE_NAME'],
      [{ file: low }, {}, 'file', '/etc/me.json (service.name)'],
    ]
    for (const [more, env, value, from] of steps) {
      const resolution = resolve(env, more)
      expect(resolution.config.resource['service.name']).toBe(value)
      expect(origin(resolution, 'service.name')).toBe(from)
    }
    expect(origin(resolve({}), 'service.name')).toBe('default')
  })

  test('gives a signal its own setting over the general one of the same strength', () => {
    const { signals } = resolve({ [name]: '7', OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: '8' }, { file }).config
    expect([targetOf(signals.traces).timeoutMs, targetOf(signals.logs).timeoutMs]).toEqual([7, 8])
  })

  test('gives a stronger general setting the word over a weaker special one', () => {
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://env:1' }
    const { signals } = resolve(env, { flags: { 'otel-endpoint': 'http://flag:2' } }).config
    expect(targetOf(signals.traces).url).toBe('http://flag:2')
  })

  test('takes an empty value for none', () => {
    const resolution = resolve({ [name]: ' ', OTEL_METRIC_EXPORT_INTERVAL: '' }, { file })
    expect(origin(resolution, 'export.timeout')).toBe('/etc/me.json (export.timeout)')
    expect(resolution.config.signals.metrics.batch.scheduleDelayMs).toBe(5)
  })

  test('lets every standard variable be given as CLAUDE_OTEL_*, because claude strips OTEL_* from hooks', () => {
    for (const key of settingKeys) {
      for (const standard of settings[key].env.filter((each) => each.startsWith('OTEL_'))) {
        expect(variablesOf(settings[key])).toContain(`CLAUDE_${standard}`)
      }
    }
  })

  test('merges headers of equal strength and replaces weaker ones, which may be for another endpoint', () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'a=1,b=2', OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'b=3' }
    expect(targetOf(resolve(env).config.signals.logs).headers).toEqual({ a: '1', b: '3' })
    const { signals } = resolve(env, { flags: { 'otel-headers': 'c=4' } }).config
    expect(targetOf(signals.logs).headers).toEqual({ c: '4' })
    const own = resolve({ ...env, CLAUDE_OTEL_EXPORTER_OTLP_LOGS_HEADERS: 'd=5' }).config
    expect(targetOf(own.signals.logs).headers).toEqual({ d: '5' })
    expect(targetOf(own.signals.traces).headers).toEqual({ a: '1', b: '2' })
  })
})

describe('values', () => {
  const cases: [string, Environment, (config: ReturnType<typeof resolve>['config']) => unknown, unknown][] = [
    [
      'http means http/protobuf',
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'HTTP' },
      (c) => targetOf(c.signals.logs).protocol,
      'http/protobuf',
    ],
    [
      'headers are percent-decoded',
      { OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20x%2Cy==' },
      (c) => targetOf(c.signals.logs).headers,
      { authorization: 'Bearer x,y==' },
    ],
    [
      'exporters are a list',
      { OTEL_LOGS_EXPORTER: 'otlp, file,otlp' },
      (c) => kindsOf(c.signals.logs),
      ['otlp', 'file'],
    ],
    ['none is no exporter', { OTEL_METRICS_EXPORTER: 'none' }, (c) => kindsOf(c.signals.metrics), []],
    ['booleans are read in any case', { OTEL_SDK_DISABLED: 'TRUE' }, (c) => c.disabled, true],
    [
      'own booleans may be 1',
      { CLAUDE_OTEL_DEBUG: '1', CLAUDE_OTEL_DISABLED: '0' },
      (c) => [c.debug, c.disabled],
      [true, false],
    ],
    [
      'own off wins over the standard on',
      { CLAUDE_OTEL_DISABLED: '0', OTEL_SDK_DISABLED: 'true' },
      (c) => c.disabled,
      false,
    ],
    [
      'resource attributes add to the defaults',
      { OTEL_RESOURCE_ATTRIBUTES: 'team=a%20b,service.name=x' },
      (c) => c.resource,
      { 'service.name': 'x', 'service.namespace': 'claude-otel', team: 'a b' },
    ],
    [
      'the service name wins over the attributes',
      { OTEL_RESOURCE_ATTRIBUTES: 'service.name=x', OTEL_SERVICE_NAME: 'y' },
      (c) => c.resource['service.name'],
      'y',
    ],
    [
      'samplers are taken apart',
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.25' },
      (c) => c.sampler,
      { kind: 'traceidratio', parentBased: false, ratio: 0.25 },
    ],
    [
      'general limits hold where there are no special ones',
      {
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '9',
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT: '5',
        OTEL_ATTRIBUTE_COUNT_LIMIT: '3',
      },
      (c) => [c.limits.span.valueLength, c.limits.log],
      [5, { valueLength: 9, count: 3 }],
    ],
    [
      'a batch is never larger than the queue',
      { OTEL_BSP_MAX_QUEUE_SIZE: '10' },
      (c) => c.signals.traces.batch.maxBatchSize,
      10,
    ],
    ['the disk may take 256 MB', {}, (c) => c.storage.maxBytes, 256_000_000],
    ['a size may have a unit', { CLAUDE_OTEL_STORAGE_SIZE: '1.5 GB' }, (c) => c.storage.maxBytes, 1_500_000_000],
    ['or one of 1024', { CLAUDE_OTEL_STORAGE_SIZE: '2mib' }, (c) => c.storage.maxBytes, 2 << 20],
    ['or none', { CLAUDE_OTEL_STORAGE_SIZE: '5000000' }, (c) => c.storage.maxBytes, 5_000_000],
    ['for seven days', {}, (c) => c.storage.maxAgeMs, 604_800_000],
    ['or another time', { CLAUDE_OTEL_STORAGE_AGE: '12h' }, (c) => c.storage.maxAgeMs, 43_200_000],
    ['previews can be turned off', { CLAUDE_OTEL_PREVIEW_LENGTH: '0' }, (c) => c.content.previewLength, 0],
    [
      'temporality and histograms',
      {
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'Delta',
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION: 'base2_exponential_bucket_histogram',
      },
      (c) => c.metrics,
      { temporality: 'delta', histogram: 'base2_exponential_bucket_histogram' },
    ],
  ]
  for (const [title, env, pick, expected] of cases) {
    test(title, () => {
      const { config, problems } = resolve(env)
      expect(problems).toEqual([])
      expect(pick(config)).toEqual(expected as never)
    })
  }
})

describe('a bad value', () => {
  const cases: [Environment, string, RegExp][] = [
    [
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' },
      'export.protocol is "gprc" (from OTEL_EXPORTER_OTLP_PROTOCOL)',
      /use one of: grpc, http\/protobuf, http\/json \(did you mean grpc\?\)/,
    ],
    [
      { OTEL_TRACES_EXPORTER: 'otlp,jaeger' },
      'traces.exporter is "otlp,jaeger" (from OTEL_TRACES_EXPORTER)',
      /otlp, console, file, none/,
    ],
    [{ OTEL_TRACES_EXPORTER: 'none,otlp' }, 'traces.exporter is "none,otlp" (from OTEL_TRACES_EXPORTER)', /none alone/],
    [{ OTEL_SDK_DISABLED: '1' }, 'disabled is "1" (from OTEL_SDK_DISABLED)', /true or false/],
    [
      { OTEL_BSP_SCHEDULE_DELAY: '5s' },
      'traces.batch.delay is "5s" (from OTEL_BSP_SCHEDULE_DELAY)',
      /milliseconds.*here 5000/,
    ],
    [{ OTEL_BLRP_MAX_QUEUE_SIZE: '-1' }, 'logs.batch.queue is "-1" (from OTEL_BLRP_MAX_QUEUE_SIZE)', /from 1 to/],
    [
      { OTEL_TRACES_SAMPLER_ARG: '1.5', OTEL_TRACES_SAMPLER: 'traceidratio' },
      'traces.samplerRatio is "1.5" (from OTEL_TRACES_SAMPLER_ARG)',
      /0 to 1/,
    ],
    [
      { OTEL_RESOURCE_ATTRIBUTES: 'a=b,c' },
      'resource.attributes is "a=b,c" (from OTEL_RESOURCE_ATTRIBUTES)',
      /key=value/,
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: 'x y=secret' },
      'export.headers is unreadable (from OTEL_EXPORTER_OTLP_HEADERS)',
      /key=value/,
    ],
    [
      { OTEL_EXPORTER_OTLP_HEADERS: 'x=a%0Ab' },
      'export.headers is unreadable (from OTEL_EXPORTER_OTLP_HEADERS)',
      /line breaks/,
    ],
    [
      { CLAUDE_OTEL_EXIT_TIMEOUT: 'soon' },
      'exitTimeout is "soon" (from CLAUDE_OTEL_EXIT_TIMEOUT)',
      /whole number of milliseconds/,
    ],
    [{ CLAUDE_OTEL_STORAGE_SIZE: '1 MBit' }, 'storage.size is "1 MBit" (from CLAUDE_OTEL_STORAGE_SIZE)', /256MB, 1GB/],
    [{ CLAUDE_OTEL_STORAGE_SIZE: '10' }, 'storage.size is "10" (from CLAUDE_OTEL_STORAGE_SIZE)', /256MB/],
    [{ CLAUDE_OTEL_STORAGE_AGE: '7' }, 'storage.age is "7" (from CLAUDE_OTEL_STORAGE_AGE)', /12h or 7d/],
  ]
  for (const [env, message, hint] of cases) {
    test(`${JSON.stringify(env)} is told with its name, value, source and mend`, () => {
      const { problems } = resolve(env)
      expect(problems.map((problem) => problem.message)).toEqual([message])
      expect(problems[0]?.hint).toMatch(hint)
      expect(problems[0]?.kind).toBe('config')
    })
  }

  test('does not hide another one', () => {
    const { problems } = resolve({ OTEL_TRACES_SAMPLER: 'x', OTEL_LOGS_EXPORTER: 'y', CLAUDE_OTEL_DEBUG: 'z' })
    expect(problems).toHaveLength(3)
  })

  test('never shows a secret', () => {
    const env = { OTEL_EXPORTER_OTLP_HEADERS: 'api-key=hunter2', OTEL_EXPORTER_OTLP_ENDPOINT: 'ftp://me:hunter2@h' }
    const { settings, problems } = resolve(env)
    expect(JSON.stringify([settings, problems.map((each) => [each.message, each.hint])])).not.toContain('hunter2')
    expect(settings.find(({ key }) => key === 'export.headers')?.shown).toBe('api-key=****')
  })
})

describe('the hub', () => {
  const used = (env: Environment, runningHub?: HubPorts) =>
    resolveConfig({ env: { HOME: '/home/me', ...env }, runningHub }).config
  const running = { grpcPort: 5317, httpPort: 5318 }

  test('is where the one that runs listens, unless a port is set', () => {
    expect(used({}, running).usesHub).toEqual({ host: '127.0.0.1', ...running })
    expect(used({ OTLP_RECEIVER_PORT: '4999' }, running).usesHub).toEqual({
      host: '127.0.0.1',
      grpcPort: 5317,
      httpPort: 4999,
    })
    expect(used({ OTLP_RECEIVER_PORT: '0' }, running).usesHub?.httpPort).toBe(5318)
    expect(used({ OTLP_RECEIVER_PORT: '0' }).usesHub?.httpPort).toBe(4318)
  })

  test.each([
    ['0.0.0.0', '127.0.0.1'],
    ['::', '127.0.0.1'],
    ['::1', '[::1]'],
    ['10.0.0.7', '10.0.0.7'],
  ])('that listens at %s is reached at %s', (host, reached) => {
    expect(used({ CLAUDE_OTEL_HUB_HOST: host }).usesHub?.host).toBe(reached)
  })

  test('gets its token', () => {
    const { usesHub, signals } = used({ CLAUDE_OTEL_HUB_TOKEN: 'hunter2', OTEL_EXPORTER_OTLP_HEADERS: 'x=1' })
    expect(usesHub?.token).toBe('hunter2')
    expect(targetOf(signals.logs).headers).toEqual({ x: '1', authorization: 'Bearer hunter2' })
  })

  test.each(['a b', 'a,b', 'a%41'])('refuses the token %j, which not every sender would write alike', (token) => {
    const { problems } = resolve({ CLAUDE_OTEL_HUB_TOKEN: token })
    expect(problems.map(({ message, hint }) => `${message}: ${hint}`)).toEqual([expect.stringContaining('hub.token')])
    expect(JSON.stringify(problems.map(({ message }) => message))).not.toContain(token)
  })

  test('is told soon, unless the user says when', () => {
    const { signals } = used({ OTEL_BLRP_SCHEDULE_DELAY: '4000' })
    const delays = Object.values(signals).map(({ destinations: [hub], batch }) => hub?.delayMs ?? batch.scheduleDelayMs)
    expect(delays).toEqual([300, 4000, 5000])
  })

  test.each<[string, Environment]>([
    ['an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://h:4317' }],
    ['the endpoint of one signal', { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://h:4317' }],
    ['a list of destinations', { CLAUDE_OTEL_DESTINATIONS: 'http://h:4317' }],
    [
      'no exporter of OTLP',
      { OTEL_TRACES_EXPORTER: 'console', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'file' },
    ],
    ['its switch', { CLAUDE_OTEL_HUB: 'off' }],
  ])('is not used with %s', (_, env) => {
    expect(used(env, running).usesHub).toBeUndefined()
  })
})

describe('endpoints', () => {
  const http = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }
  const endpoint = (url: string) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url })

  const good: [Environment, string][] = [
    [http, 'http://127.0.0.1:4318/v1/traces'],
    [{ ...http, CLAUDE_OTEL_HUB: 'off' }, 'http://localhost:4318/v1/traces'],
    [{ ...http, ...endpoint('http://h:4318') }, 'http://h:4318/v1/traces'],
    [{ ...http, ...endpoint('https://h/base/?k=1') }, 'https://h/base/v1/traces?k=1'],
    [{ ...http, ...endpoint('h:4318') }, 'http://h:4318/v1/traces'],
    [{ ...http, ...endpoint('h:443/otlp') }, 'https://h/otlp/v1/traces'],
    [{ ...http, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://h/v1/traces/' }, 'https://h/v1/traces/'],
    [{ ...http, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://h:4318' }, 'http://h:4318/'],
    [endpoint('https://h:4317'), 'https://h:4317'],
    [endpoint('https://h'), 'https://h:443'],
    [endpoint('h:4317'), 'https://h:4317'],
    [{ ...endpoint('h:4317'), OTEL_EXPORTER_OTLP_INSECURE: 'true' }, 'http://h:4317'],
    [endpoint('localhost:4317'), 'http://localhost:4317'],
    [{ ...endpoint('localhost:4317'), OTEL_EXPORTER_OTLP_INSECURE: 'false' }, 'https://localhost:4317'],
    [endpoint('http://[::1]:4317/'), 'http://[::1]:4317'],
  ]
  for (const [env, url] of good) {
    test(`${JSON.stringify(env)} sends traces to ${url}`, () => {
      const { config, problems } = resolve(env)
      expect(problems).toEqual([])
      expect(targetOf(config.signals.traces).url).toBe(url)
    })
  }

  const bad: [string, Environment, RegExp, RegExp][] = [
    [
      'gRPC on the HTTP port',
      endpoint('http://h:4318'),
      /protocol is grpc, and port 4318/,
      /OTEL_EXPORTER_OTLP_PROTOCOL=http\/protobuf, or use port 4317/,
    ],
    [
      'HTTP on the gRPC port',
      { ...http, ...endpoint('http://h:4317') },
      /http\/protobuf, and port 4317/,
      /OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use port 4318/,
    ],
    [
      'a path on a gRPC endpoint',
      endpoint('http://h:4317/v1/traces'),
      /gRPC endpoints have no path/,
      /leave "\/v1\/traces" out/,
    ],
    [
      'gRPC with TLS to an address',
      endpoint('https://10.0.0.1:4317'),
      /needs a name/,
      /name of the host, or set OTEL_EXPORTER_OTLP_PROTOCOL=http\/protobuf/,
    ],
    [
      'a signal path on the general endpoint',
      { ...http, ...endpoint('http://h:4318/v1/traces') },
      /path of one signal/,
      /leave "\/v1\/traces" out/,
    ],
    ['an unknown scheme', endpoint('grpc://h:4317'), /unknown scheme grpc:\/\//, /http:\/\/ or https:\/\//],
    ['no host', { ...http, ...endpoint('http://') }, /export\.endpoint is "http:\/\/"/, /http:\/\/host:port/],
    [
      'https that is to be insecure',
      { ...endpoint('https://h:4317'), OTEL_EXPORTER_OTLP_INSECURE: 'true' },
      /exclude each other/,
      /unset OTEL_EXPORTER_OTLP_INSECURE/,
    ],
    [
      'half a client certificate',
      { ...endpoint('https://h'), OTEL_EXPORTER_OTLP_CLIENT_KEY: '/k' },
      /go together/,
      /OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE/,
    ],
  ]
  for (const [title, env, message, hint] of bad) {
    test(`${title} is told once, with the mend`, () => {
      const { problems } = resolve(env)
      expect(problems).toHaveLength(1)
      expect(problems[0]?.message).toMatch(message)
      expect(problems[0]?.hint).toMatch(hint)
    })
  }

  test('a certificate that is not there is told', () => {
    const env = { ...endpoint('https://h'), OTEL_EXPORTER_OTLP_CERTIFICATE: '/no/ca.pem' }
    expect(resolve(env, { fileExists: () => true }).problems).toEqual([])
    expect(resolve(env, { fileExists: () => false }).problems.map((each) => each.message)).toEqual([
      'export.certificate is "/no/ca.pem" (from OTEL_EXPORTER_OTLP_CERTIFICATE): there is no such file',
    ])
  })

  test('are not looked at where nothing is sent to them', () => {
    const off = { OTEL_TRACES_EXPORTER: 'file', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'console' }
    expect(resolve({ ...endpoint('http://h:4318'), ...off }).problems).toEqual([])
    expect(resolve({ ...endpoint('http://h:4318'), OTEL_SDK_DISABLED: 'true' }).problems).toEqual([])
  })

  test('that were mended or look odd are noted', () => {
    expect(resolve(endpoint('localhost:4317')).notes).toEqual([
      'localhost:4317 has no scheme and is on this machine: taken as http://localhost:4317 (no TLS)',
    ])
    const odd = resolve({ ...http, OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://h:4318' })
    expect(odd.notes).toEqual([
      "logs go to http://h:4318/ as written: nothing is added to a signal's own endpoint (/v1/logs?)",
    ])
  })
})

describe('notes', () => {
  test('tell what is not supported', () => {
    expect(resolve({ OTEL_CONFIG_FILE: '/x.yaml' }).notes[0]).toContain('OTEL_CONFIG_FILE is not read')
    const { config, notes } = resolve({ OTEL_PROPAGATORS: 'tracecontext,b3' })
    expect(config.propagators).toEqual(['tracecontext'])
    expect(notes).toEqual(['propagators b3 are not supported and are left out'])
    expect(resolve({ OTEL_TRACES_SAMPLER_ARG: '0.5' }).notes[0]).toContain('samplerRatio is not used')
  })
})

describe('the user file', () => {
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }

  test('holds the same settings, nested or dotted, as text or as JSON values, with comments', () => {
    const path = write(
      'good.json',
      `{
      // where to
      "export": { "endpoint": "http://h:4317", "headers": { "api-key": "s,=" }, "logs": { "timeout": 5 } },
      "traces.exporter": ["otlp", "file"],
      "disabled": false,
    }`,
    )
    const { config, problems } = resolve({}, { file: readConfigFile(path) })
    expect(problems).toEqual([])
    expect(targetOf(config.signals.logs)).toMatchObject({
      url: 'http://h:4317',
      headers: { 'api-key': 's,=' },
      timeoutMs: 5,
    })
    expect(kindsOf(config.signals.traces)).toEqual(['otlp', 'file'])
  })

  test('need not be there', () => {
    expect(readConfigFile(join(folder, 'missing.json'))).toBeUndefined()
  })

  test('that is no JSON is told with its place', () => {
    for (const [name, content, message] of [
      ['broken.json', '{"a": ', /broken\.json cannot be read: /],
      ['list.json', '[1]', /list\.json is not a JSON object/],
    ] as const) {
      const { problems } = resolve({}, { file: readConfigFile(write(name, content)) })
      expect(problems.map((each) => each.message)).toEqual([expect.stringMatching(message)])
    }
  })

  test('with an unknown key is told with the key that was meant', () => {
    const { problems } = resolve({}, { file: fileOf({ export: { endpont: 'x', logs: { foo: 1 } }, zzz: {} }) })
    expect(problems.map(({ message, hint }) => `${message}: ${hint}`)).toEqual([
      '"export.endpont" is no setting (from /etc/me.json): did you mean export.endpoint?',
      '"export.logs.foo" is no setting (from /etc/me.json): "claude-otel --config" lists every setting',
      '"zzz" is no setting (from /etc/me.json): "claude-otel --config" lists every setting',
    ])
  })

  test('with a bad value is told with file and key', () => {
    const { problems } = resolve({}, { file: fileOf({ metrics: { interval: 'often' }, export: { endpoint: 5 } }) })
    expect(problems.map((each) => each.message)).toEqual([
      'export.endpoint is "5" (from /etc/me.json (export.endpoint))',
      'metrics.interval is "often" (from /etc/me.json (metrics.interval))',
    ])
  })
})
