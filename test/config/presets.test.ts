/** Presets: which are chosen by which variables, where they send, and what is said of it. */
import { describe, expect, test } from 'bun:test'
import { renderConfig } from '../../src/commands/config.ts'
import { type ConfigSources, type Environment, resolveConfig } from '../../src/config/config.ts'
import { presetsInUse } from '../../src/config/preset-choice.ts'
import { type PresetName, presetNames, presets } from '../../src/config/presets.ts'
import type { SignalType } from '../../src/telemetry/signal.ts'

const resolve = (env: Environment, more: Partial<ConfigSources> = {}) =>
  resolveConfig({ env: { HOME: '/home/me', ...env }, ...more })
type Resolution = ReturnType<typeof resolve>

const names = ({ config }: Resolution, type: SignalType = 'traces') =>
  config.signals[type].destinations.map(({ name }) => name)
const inUse = ({ config }: Resolution) => presetsInUse(config.signals)
const messages = ({ problems }: Resolution) => problems.map(({ message, hint }) => `${message} | ${hint}`)

function found(resolution: Resolution, name: PresetName, type: SignalType = 'traces') {
  const destination = resolution.config.signals[type].destinations.find((each) => each.name === name)
  if (destination?.kind !== 'otlp') throw new Error(`no ${name} among ${names(resolution, type)}`)
  return destination
}
const target = (env: Environment, name: PresetName, type?: SignalType) => found(resolve(env), name, type).target

const accounts = {
  logfire: { LOGFIRE_TOKEN: 'pylf_v1_us_secret0000' },
  sentry: { SENTRY_DSN: 'https://public0000key@o1.ingest.us.sentry.io/42' },
  honeycomb: { HONEYCOMB_API_KEY: 'hcaik_0123456789' },
  grafana: {
    GRAFANA_CLOUD_API_KEY: 'glc_0123456789',
    GRAFANA_CLOUD_INSTANCE_ID: '77',
    GRAFANA_CLOUD_ZONE: 'prod-eu-west-2',
  },
  datadog: { DD_API_KEY: 'dd-0123456789abcd' },
  langfuse: { LANGFUSE_PUBLIC_KEY: 'pk-lf-1', LANGFUSE_SECRET_KEY: 'sk-lf-0123456789' },
  braintrust: { BRAINTRUST_API_KEY: 'sk-bt-0123456789' },
} as const satisfies Record<PresetName, Environment>
const all: Environment = Object.assign({}, ...Object.values(accounts))

const urls: Readonly<Record<PresetName, string>> = {
  logfire: 'https://logfire-us.pydantic.dev/v1/traces',
  sentry: 'https://o1.ingest.us.sentry.io/api/42/integration/otlp/v1/traces',
  honeycomb: 'https://api.honeycomb.io/v1/traces',
  grafana: 'https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/traces',
  datadog: 'https://otlp.datadoghq.com/v1/traces',
  langfuse: 'https://cloud.langfuse.com/api/public/otel/v1/traces',
  braintrust: 'https://api.braintrust.dev/otel/v1/traces',
}

describe('a preset', () => {
  test.each(presetNames)('is chosen by its variables alone: %s', (name) => {
    const resolution = resolve(accounts[name])
    expect(messages(resolution)).toEqual([])
    expect(inUse(resolution)).toEqual([name])
    expect(found(resolution, name).target).toMatchObject({ protocol: 'http/protobuf', url: urls[name], tls: {} })
    for (const type of ['traces', 'logs', 'metrics'] as const) {
      const takes: readonly SignalType[] = presets[name].signals
      expect(names(resolution, type).includes(name)).toBe(takes.includes(type))
    }
  })

  test('is none where there are no variables, and none of half an account, which is noted', () => {
    expect(inUse(resolve({}))).toEqual([])
    expect(inUse(resolve({ LOGFIRE_TOKEN: ' ' }))).toEqual([])
    const half = resolve({ LANGFUSE_PUBLIC_KEY: 'pk-lf-1', GRAFANA_CLOUD_API_KEY: 'glc_1' })
    expect(inUse(half)).toEqual([])
    expect(messages(half)).toEqual([])
    expect(half.notes).toEqual([
      'Grafana Cloud has no account, so nothing is sent there: set GRAFANA_CLOUD_INSTANCE_ID and GRAFANA_CLOUD_OTLP_ENDPOINT or GRAFANA_CLOUD_ZONE',
      'Langfuse has no account, so nothing is sent there: set LANGFUSE_SECRET_KEY',
    ])
  })

  test('stands beside others, beside an endpoint, a list and the hub', () => {
    expect(inUse(resolve(all))).toEqual([...presetNames])
    const { LOGFIRE_TOKEN } = accounts.logfire
    const hub = 'grpc http://127.0.0.1:4317'
    expect(names(resolve({ LOGFIRE_TOKEN }))).toEqual([hub, 'logfire'])
    expect(resolve({ LOGFIRE_TOKEN }).config.usesHub).toBeDefined()
    const endpoint = { LOGFIRE_TOKEN, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' }
    expect(names(resolve(endpoint))).toEqual(['grpc http://c:4317', 'logfire'])
    expect(resolve(endpoint).config.usesHub).toBeUndefined()
    expect(names(resolve({ LOGFIRE_TOKEN, CLAUDE_OTEL_DESTINATIONS: 'http://d:4317' }))).toEqual([
      'grpc http://d:4317',
      'logfire',
    ])
  })

  test('waits as long as the settings say, where the hub is told soon', () => {
    const [hub, logfire] = resolve(accounts.logfire).config.signals.metrics.destinations
    expect([hub?.delayMs, logfire?.delayMs]).toEqual([5000, undefined])
    expect(resolve(accounts.logfire).config.signals.metrics.batch.scheduleDelayMs).toBe(60_000)
  })

  test('is all there is where there is no hub and nobody has named a collector', () => {
    const off = { CLAUDE_OTEL_HUB: 'off', ...accounts.langfuse }
    expect(names(resolve(off))).toEqual(['langfuse'])
    expect(names(resolve(off), 'logs')).toEqual([])
    expect(names(resolve({ CLAUDE_OTEL_HUB: 'off' }))).toEqual(['grpc http://localhost:4317'])
    expect(names(resolve({ ...off, OTEL_TRACES_EXPORTER: 'otlp' }))).toEqual(['grpc http://localhost:4317', 'langfuse'])
    expect(names(resolve({ ...off, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' }))).toEqual([
      'grpc http://c:4317',
      'langfuse',
    ])
  })

  test('gets no kind of signal that the user sends nowhere, or to the console alone', () => {
    const env = { ...accounts.logfire, OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'console' }
    const resolution = resolve(env)
    expect([names(resolution), names(resolution, 'logs')]).toEqual([[], ['console']])
    expect(names(resolution, 'metrics')).toContain('logfire')
  })

  test('gets none of the headers that are meant for a collector', () => {
    const env = { ...all, OTEL_EXPORTER_OTLP_HEADERS: 'x-mine=1', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' }
    for (const name of presetNames) expect(target(env, name).headers).not.toHaveProperty('x-mine')
  })

  test('takes time-out and compression from the general settings', () => {
    const env = { ...accounts.logfire, OTEL_EXPORTER_OTLP_TIMEOUT: '7', OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' }
    expect(target(env, 'logfire')).toMatchObject({ timeoutMs: 7, compression: 'gzip' })
  })

  test('is not sent to twice where the user’s own endpoint is the same place', () => {
    const env = { ...accounts.honeycomb, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://api.honeycomb.io:443' }
    const resolution = resolve({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4317' })
    expect(names(resolution)).toEqual(['grpc https://api.honeycomb.io'])
    expect(names(resolution, 'logs')).toEqual(['grpc http://c:4317', 'honeycomb'])
    expect(resolution.notes).toEqual([
      'traces go to Honeycomb as grpc https://api.honeycomb.io already: its preset adds nothing',
    ])
  })

  test('gives way to an entry of the list that has its name', () => {
    const list = JSON.stringify([{ name: 'logfire', endpoint: 'http://mine:4317' }])
    const { config } = resolve({ ...accounts.logfire, CLAUDE_OTEL_DESTINATIONS: list })
    expect(config.signals.traces.destinations).toMatchObject([{ target: { url: 'http://mine:4317' } }])
  })
})

describe('the setting of presets', () => {
  test('none leaves all of them out, also as a flag and in the user’s file', () => {
    expect(inUse(resolve({ ...all, CLAUDE_OTEL_PRESETS: 'none' }))).toEqual([])
    expect(inUse(resolve(all, { flags: { 'otel-presets': 'none' } }))).toEqual([])
    const file = { path: '/c.json', content: { presets: ['none'] }, problems: [] }
    expect(inUse(resolve(all, { file }))).toEqual([])
  })

  test('names choose those alone, and auto all that have their variables', () => {
    expect(inUse(resolve({ ...all, CLAUDE_OTEL_PRESETS: 'sentry,logfire' }))).toEqual(['logfire', 'sentry'])
    expect(inUse(resolve({ ...all, CLAUDE_OTEL_PRESETS: 'auto' }))).toEqual([...presetNames])
  })

  test('makes a problem of what is missing or wrong in one that is named, and a note of one that was only found', () => {
    const named = resolve({ CLAUDE_OTEL_PRESETS: 'grafana', GRAFANA_CLOUD_ZONE: 'z' })
    expect(messages(named)).toEqual([
      'Grafana Cloud has no account (presets, from CLAUDE_OTEL_PRESETS) | set GRAFANA_CLOUD_API_KEY or GRAFANA_CLOUD_API_TOKEN and GRAFANA_CLOUD_INSTANCE_ID',
    ])
    const broken = { SENTRY_DSN: 'https://sentry.io/nothing-secret' }
    expect(messages(resolve({ ...broken, CLAUDE_OTEL_PRESETS: 'sentry' }))).toEqual([
      'Sentry: SENTRY_DSN cannot be used (presets, from CLAUDE_OTEL_PRESETS) | use the DSN as the project’s settings show it: https://key@host/project',
    ])
    expect(messages(resolve(broken))).toEqual([])
    expect(resolve(broken).notes).toEqual([
      'Sentry: SENTRY_DSN cannot be used, so nothing is sent there: use the DSN as the project’s settings show it: https://key@host/project',
    ])
  })

  test('with a word that is none is refused with what is meant', () => {
    expect(messages(resolve({ CLAUDE_OTEL_PRESETS: 'logfier' }))[0]).toContain('did you mean logfire?')
  })

  test.each([
    ['SENTRY_DSN', 'not a url', accounts.sentry],
    ['SENTRY_DSN', 'https://key@host', accounts.sentry],
    ['SENTRY_DSN', 'ftp://key@host/1', accounts.sentry],
    ['SENTRY_TRACES_SAMPLE_RATE', '2', accounts.sentry],
    ['SENTRY_TRACES_SAMPLE_RATE', 'often', accounts.sentry],
    ['LOGFIRE_BASE_URL', 'logfire', accounts.logfire],
    ['HONEYCOMB_API_ENDPOINT', 'api.honeycomb.io:443', accounts.honeycomb],
    ['GRAFANA_CLOUD_OTLP_ENDPOINT', 'grpc://g', accounts.grafana],
    ['DD_SITE', 'ddog-gov.com', accounts.datadog],
    ['DD_SITE', 'evil.example/x', accounts.datadog],
    ['LANGFUSE_HOST', 'file:///etc', accounts.langfuse],
    ['BRAINTRUST_API_URL', 'x', accounts.braintrust],
  ])('finds fault with %s=%s', (variable, value, account) => {
    const [name = 'logfire'] = inUse(resolve(account))
    const resolution = resolve({ ...account, [variable]: value, CLAUDE_OTEL_PRESETS: name })
    expect(messages(resolution)).toHaveLength(1)
    expect(messages(resolution)[0]).toContain(`${variable} cannot be used`)
    expect(inUse(resolution)).toEqual([])
  })
})

describe('Logfire', () => {
  test('is in the region that the token names, or where LOGFIRE_BASE_URL says', () => {
    const at = (env: Environment) => target(env, 'logfire', 'logs').url
    expect(at({ LOGFIRE_TOKEN: 'pylf_v1_eu_abc' })).toBe('https://logfire-eu.pydantic.dev/v1/logs')
    expect(at({ LOGFIRE_TOKEN: 'pylf_v2_us_abc' })).toBe('https://logfire-us.pydantic.dev/v1/logs')
    expect(at({ LOGFIRE_TOKEN: 'an-old-token' })).toBe('https://logfire-us.pydantic.dev/v1/logs')
    expect(at({ LOGFIRE_TOKEN: 'x', LOGFIRE_BASE_URL: 'https://mine/base/' })).toBe('https://mine/base/v1/logs')
  })

  test('gets the token as it is', () => {
    expect(target(accounts.logfire, 'logfire').headers).toEqual({ authorization: 'pylf_v1_us_secret0000' })
  })

  test('takes the token of a flag before that of the environment', () => {
    const resolution = resolve(accounts.logfire, { flags: { 'otel-logfire-token': 'pylf_v1_eu_other' } })
    expect(found(resolution, 'logfire').target).toMatchObject({
      url: 'https://logfire-eu.pydantic.dev/v1/traces',
      headers: { authorization: 'pylf_v1_eu_other' },
    })
    expect(resolution.settings.find(({ key }) => key === 'presets.logfire')?.origin).toBe('--otel-logfire-token')
  })

  test('is left alone by its own switch, unless it is named', () => {
    const env = { ...accounts.logfire, LOGFIRE_SEND_TO_LOGFIRE: 'false' }
    expect(inUse(resolve(env))).toEqual([])
    expect(inUse(resolve({ ...env, CLAUDE_OTEL_PRESETS: 'logfire' }))).toEqual(['logfire'])
  })
})

describe('Sentry', () => {
  test('has the way in of the project that the DSN names, on any host and path', () => {
    const { url, headers } = target({ SENTRY_DSN: 'http://key:old@sentry.example:9000/below/7/' }, 'sentry', 'logs')
    expect(url).toBe('http://sentry.example:9000/below/api/7/integration/otlp/v1/logs')
    expect(headers).toEqual({ 'x-sentry-auth': 'sentry sentry_key=key' })
  })

  test('goes by SENTRY_ENVIRONMENT and SENTRY_TRACES_SAMPLE_RATE', () => {
    expect(found(resolve(accounts.sentry), 'sentry').preset).toEqual({
      name: 'sentry',
      environment: 'production',
      traceRatio: 1,
    })
    const more = { ...accounts.sentry, SENTRY_ENVIRONMENT: 'dev', SENTRY_TRACES_SAMPLE_RATE: '0.25' }
    expect(found(resolve(more), 'sentry').preset).toMatchObject({ environment: 'dev', traceRatio: 0.25 })
  })
})

describe('Honeycomb', () => {
  const headers = (env: Environment, type: SignalType) =>
    target({ ...accounts.honeycomb, ...env }, 'honeycomb', type).headers

  test('has a dataset for metrics, and for the rest only with a classic key', () => {
    const team = { 'x-honeycomb-team': 'hcaik_0123456789' }
    expect(headers({}, 'metrics')).toEqual({ ...team, 'x-honeycomb-dataset': 'claude-code-metrics' })
    expect(headers({ HONEYCOMB_DATASET: 'd' }, 'metrics')).toEqual({ ...team, 'x-honeycomb-dataset': 'd' })
    expect(headers({ HONEYCOMB_DATASET: 'd', HONEYCOMB_METRICS_DATASET: 'm' }, 'metrics')).toMatchObject({
      'x-honeycomb-dataset': 'm',
    })
    expect(headers({ HONEYCOMB_DATASET: 'd' }, 'traces')).toEqual(team)
    const classic = { HONEYCOMB_API_KEY: '0'.repeat(32), HONEYCOMB_DATASET: 'd' }
    expect(headers(classic, 'traces')).toMatchObject({ 'x-honeycomb-dataset': 'd' })
    expect(headers(classic, 'logs')).toMatchObject({ 'x-honeycomb-dataset': 'd' })
  })

  test('is where HONEYCOMB_API_ENDPOINT says', () => {
    const env = { ...accounts.honeycomb, HONEYCOMB_API_ENDPOINT: 'https://api.eu1.honeycomb.io/' }
    expect(target(env, 'honeycomb').url).toBe('https://api.eu1.honeycomb.io/v1/traces')
  })
})

test('Grafana Cloud gets instance and token, by either name, at its zone or endpoint', () => {
  const authorization = `Basic ${Buffer.from('77:glc_0123456789').toString('base64')}`
  expect(target(accounts.grafana, 'grafana').headers).toEqual({ authorization })
  const other = {
    GRAFANA_CLOUD_API_TOKEN: 'glc_0123456789',
    GRAFANA_CLOUD_INSTANCE_ID: '77',
    GRAFANA_CLOUD_OTLP_ENDPOINT: 'https://g/otlp/',
  }
  expect(target(other, 'grafana', 'metrics')).toMatchObject({
    url: 'https://g/otlp/v1/metrics',
    headers: { authorization },
  })
})

test('Datadog is at its site, with its key, and tells its agent view from others by a header of spans', () => {
  const env = { ...accounts.datadog, DD_SITE: 'us5.datadoghq.com' }
  const headers = { 'dd-api-key': 'dd-0123456789abcd' }
  expect(target(env, 'datadog')).toMatchObject({
    url: 'https://otlp.us5.datadoghq.com/v1/traces',
    headers: { ...headers, 'dd-otlp-source': 'llmobs' },
  })
  expect(target(env, 'datadog', 'metrics').headers).toEqual(headers)
  expect(target({ ...env, DD_SITE: 'datadoghq.eu' }, 'datadog').url).toBe('https://otlp.datadoghq.eu/v1/traces')
})

test('Langfuse is at its host, by either name, and goes by its own switch', () => {
  const at = (env: Environment) => target({ ...accounts.langfuse, ...env }, 'langfuse').url
  expect(at({ LANGFUSE_HOST: 'https://us.cloud.langfuse.com/' })).toBe(
    'https://us.cloud.langfuse.com/api/public/otel/v1/traces',
  )
  expect(at({ LANGFUSE_HOST: 'https://old', LANGFUSE_BASE_URL: 'https://new' })).toStartWith('https://new/')
  const authorization = `Basic ${Buffer.from('pk-lf-1:sk-lf-0123456789').toString('base64')}`
  expect(target(accounts.langfuse, 'langfuse').headers).toEqual({ authorization, 'x-langfuse-ingestion-version': '4' })
  expect(inUse(resolve({ ...accounts.langfuse, LANGFUSE_TRACING_ENABLED: 'False' }))).toEqual([])
  const more = { ...accounts.langfuse, LANGFUSE_TRACING_ENVIRONMENT: 'dev' }
  expect(found(resolve(more), 'langfuse').preset).toEqual({ name: 'langfuse', environment: 'dev' })
})

test('Braintrust gets a parent: the one that is set, the project, or claude-code', () => {
  const parent = (env: Environment) => target({ ...accounts.braintrust, ...env }, 'braintrust').headers['x-bt-parent']
  expect(parent({})).toBe('project_name:claude-code')
  expect(parent({ BRAINTRUST_DEFAULT_PROJECT: 'p' })).toBe('project_name:p')
  expect(parent({ BRAINTRUST_DEFAULT_PROJECT: 'p', BRAINTRUST_PARENT: 'project_id:1' })).toBe('project_id:1')
  expect(target({ ...accounts.braintrust, BRAINTRUST_API_URL: 'https://mine' }, 'braintrust')).toMatchObject({
    url: 'https://mine/otel/v1/traces',
    headers: { authorization: 'Bearer sk-bt-0123456789' },
  })
})

test('--config tells each, its variable, and of its credential no more than the last characters', () => {
  const text = renderConfig(resolve(all))
  expect(text).toMatch(/^ {2}traces +otlp +logfire: http\/protobuf https:\/\/logfire-us.pydantic.dev\/v1\/traces$/m)
  expect(text).toMatch(/^ {2}presets\.logfire +\*{4}0000 +from LOGFIRE_TOKEN$/m)
  expect(text).toMatch(/^ {2}presets\.langfuse +\*{4}6789 +from LANGFUSE_SECRET_KEY, LANGFUSE_PUBLIC_KEY$/m)
  const secrets = Object.entries(all).filter(([variable]) => /KEY|TOKEN|DSN/.test(variable))
  expect(secrets).toHaveLength(8)
  for (const [, value] of secrets) expect(text).not.toContain(value ?? '')
  expect(renderConfig(resolve({ DD_API_KEY: 'short' }))).toMatch(/presets\.datadog +\*{4} +from DD_API_KEY/)
  expect(
    JSON.stringify(resolve(all, { flags: { 'otel-logfire-token': 'pylf_v1_eu_flagged00' } }).settings),
  ).not.toContain('pylf_v1_eu_flagged00')
})

describe('an entry of the list of destinations with a preset', () => {
  const listed = (entry: unknown, env: Environment = {}) =>
    resolve({ ...env, CLAUDE_OTEL_DESTINATIONS: JSON.stringify([entry]), CLAUDE_OTEL_PRESETS: 'none' })

  test('is the product with its account, and has rules of its own', () => {
    const entry = { preset: 'langfuse', content: 'all', previewLength: 10, timeout: 7, signals: 'traces,logs,metrics' }
    const resolution = listed(entry, { ...accounts.langfuse, CLAUDE_OTEL_EXPORTER_OTLP_HEADERS: 'x-mine=1' })
    expect(messages(resolution)).toEqual([])
    expect([names(resolution), names(resolution, 'logs'), names(resolution, 'metrics')]).toEqual([['langfuse'], [], []])
    expect(found(resolution, 'langfuse')).toMatchObject({
      target: { protocol: 'http/protobuf', url: urls.langfuse, timeoutMs: 7 },
      content: { whole: ['all'], previewLength: 10 },
      preset: { name: 'langfuse' },
    })
    const { headers } = target(accounts.langfuse, 'langfuse')
    expect(found(resolution, 'langfuse').target.headers).toEqual(headers)
  })

  test('has the headers of each kind of signal, and those that it says itself', () => {
    const entry = { preset: 'datadog', signals: ['traces', 'logs'], headers: { 'dd-otlp-source': 'datadog' } }
    const resolution = listed(entry, accounts.datadog)
    const key = { 'dd-api-key': 'dd-0123456789abcd' }
    expect(found(resolution, 'datadog').target.headers).toEqual({ ...key, 'dd-otlp-source': 'datadog' })
    expect(names(resolution, 'metrics')).toEqual([])
  })

  test('is told the product’s way at a place of its own, without the credentials of the account', () => {
    const entry = { name: 'proxy', preset: 'sentry', endpoint: 'http://proxy:9/base', headers: { 'x-key': '1' } }
    const resolution = listed(entry, accounts.sentry)
    expect(messages(resolution)).toEqual([])
    expect(resolution.config.signals.traces.destinations).toMatchObject([
      { name: 'proxy', target: { url: 'http://proxy:9/base/v1/traces' }, preset: { name: 'sentry' } },
    ])
    expect(resolution.config.signals.traces.destinations).toHaveLength(1)
    expect(JSON.stringify(resolution.config.signals)).not.toContain('public0000key')
  })

  test('without an account is a problem, and of no known product as well', () => {
    expect(messages(listed({ preset: 'langfuse' }, { LANGFUSE_PUBLIC_KEY: 'pk' }))).toEqual([
      'destination "langfuse": Langfuse has no account (from CLAUDE_OTEL_DESTINATIONS) | set LANGFUSE_SECRET_KEY',
    ])
    expect(messages(listed({ preset: 'langfuze' }))[0]).toContain('did you mean langfuse?')
  })

  test('stands in the place of the one that would be found', () => {
    const list = JSON.stringify([{ preset: 'logfire', previewLength: 0 }, 'http://c:4317'])
    const resolution = resolve({ ...all, CLAUDE_OTEL_DESTINATIONS: list })
    expect(names(resolution).filter((name) => name === 'logfire')).toHaveLength(1)
    expect(found(resolution, 'logfire').content?.previewLength).toBe(0)
    expect(resolution.settings.map(({ key }) => key)).not.toContain('presets.logfire')
    expect(inUse(resolution)).toEqual([...presetNames])
  })
})
