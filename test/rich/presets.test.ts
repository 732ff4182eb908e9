/**
 * Presets, end to end: the real claude under the compiled binary, and receivers on loopback that refuse what the products' documents
 * say that they refuse. Nothing but the products' own variables makes it send there.
 */
import { afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { buildIfStale } from '../../scripts/build.ts'
import type { Finding } from '../../src/commands/findings.ts'
import { type PresetName, presetNames } from '../../src/config/presets.ts'
import type { Probe } from '../../src/export/probe.ts'
import type { OtlpSpan } from '../../src/telemetry/otlp.ts'
import { claudeBinary, claudeOtelBinary, type RunResult, run } from '../kit/claude-home.ts'
import { type Script, text, tools } from '../kit/messages-api.ts'
import { chatTokens } from '../kit/otlp-sink.ts'
import { credentials, type Product, startProduct } from '../kit/products.ts'
import { until } from '../kit/until.ts'
import { clear, openStage, runOn, type Stage } from '../sessions/play.ts'
import { bash, subagent } from '../sessions/words.ts'

beforeAll(buildIfStale, 60_000)

const script: Script = {
  main: [tools(bash('echo out'), bash('exit 3')), tools(subagent('SUB-ONE', false)), text('All is done.')],
  agents: { 'SUB-ONE': [tools(bash('echo sub')), text('Sub is done.')] },
}
const prompt = ['-p', 'Find the parrot', '--permission-mode', 'bypassPermissions']
const patient = { CLAUDE_OTEL_EXIT_TIMEOUT: '20000' }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function stage(of: Script = script): Promise<Stage> {
  const opened = await openStage(() => of)
  ends.push(() => clear(opened))
  return opened
}

function product(name: PresetName): Product {
  const started = startProduct(name)
  ends.push(() => started.stop())
  return started
}

const accountsOf = (products: readonly Product[]): Record<string, string> =>
  Object.assign({}, ...products.map(({ environment }) => environment))

/** What another command says in the surroundings of a run. */
const ask = (
  { home, api }: Stage,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<RunResult> =>
  run({ command: [claudeOtelBinary, ...args], cwd: home.project, env: home.environment(api.url, env) })

const refusals = (products: readonly Product[]) =>
  products.flatMap(({ name, refused }) => refused.map((words) => `${name}: ${words}`))

function named(product: Product, name: string): OtlpSpan {
  const found = product.spans().find((span) => span.name === name)
  if (found === undefined)
    throw new Error(`${product.name} has no ${name}: ${product.spans().map((each) => each.name)}`)
  return found
}

const shape = (spans: readonly { readonly name: string }[]) => spans.map(({ name }) => name).sort()

/** Every file below a folder that has the words; one that goes meanwhile has none. */
function filesWith(folder: string, words: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map((entry) => join(entry.parentPath, entry.name))
  return paths.filter((path) => {
    try {
      return readFileSync(path).includes(words)
    } catch {
      return false
    }
  })
}

describe('a session with accounts in its environment', () => {
  test('is told to every product as its documents ask, and to the collector beside them', async () => {
    const products = presetNames.map(product)
    const on = await stage()
    const { stderr, exitCode } = await runOn(on, claudeOtelBinary, prompt, {
      env: { ...patient, ...accountsOf(products) },
    })
    expect(exitCode).toBe(0)
    expect(refusals(products)).toEqual([])
    const names = shape(on.sink.spans())
    expect(names).toHaveLength(12)
    for (const each of products) expect([each.name, ...shape(each.spans())]).toEqual([each.name, ...names])
    expect(stderr).toContain(
      'telemetry goes to Logfire, since LOGFIRE_TOKEN is set, to Sentry, since SENTRY_DSN is set',
    )
    expect(stderr).toEndWith('(CLAUDE_OTEL_PRESETS=none: it does not)\n')
    expect(stderr.trim().split('\n')).toHaveLength(1)

    const [logfire, sentry, , , datadog, langfuse, braintrust] = products as [...Product[]]
    if (!logfire || !sentry || !datadog || !langfuse || !braintrust) throw new Error('not all were started')
    const told = (of: Product, name: string) => named(of, name).attributes
    const agent = 'invoke_agent claude-code'
    expect(told(logfire, agent)['logfire.msg']).toBe(`${agent}: Find the parrot`)
    expect(told(logfire, agent)['gen_ai.input.messages']).toContain('Find the parrot')
    expect(told(sentry, agent)).toMatchObject({
      'sentry.op': 'gen_ai.invoke_agent',
      'sentry.environment': 'production',
    })
    expect(told(datadog, agent)['gen_ai.input.messages']).toContain('Find the parrot')
    expect(told(langfuse, agent)).toMatchObject({
      'langfuse.observation.type': 'agent',
      'langfuse.observation.input': 'Find the parrot',
    })
    expect(told(braintrust, 'execute_tool Agent')['braintrust.span_attributes']).toBe('{"type":"tool"}')

    // Whoever adds up all that he finds comes to what the API has served.
    const { input, output, cacheRead, cacheCreation } = on.api.servedTotals()
    expect(chatTokens(on.sink.spans())).toEqual({ input, output, cacheRead, cacheCreation })
    const sum = (of: Product, attribute: string, field: string) =>
      of
        .spans()
        .map(({ attributes }) => JSON.parse(String(attributes[attribute] ?? '{}'))[field] ?? 0)
        .reduce((a: number, b: number) => a + b, 0)
    const usage = 'langfuse.observation.usage_details'
    expect(sum(langfuse, usage, 'input')).toBe(input)
    expect(sum(langfuse, usage, 'input_cached_tokens')).toBe(cacheRead)
    expect(sum(langfuse, usage, 'input_cache_creation')).toBe(cacheCreation)
    expect(sum(langfuse, usage, 'output') + sum(langfuse, usage, 'output_reasoning_tokens')).toBe(output)
    expect(sum(braintrust, 'braintrust.metrics', 'tokens')).toBe(input + output + cacheRead + cacheCreation)
    const counted = logfire.spans().map(({ attributes }) => Number(attributes['gen_ai.usage.input_tokens'] ?? 0))
    expect(counted.reduce((a, b) => a + b, 0)).toBe(input + cacheRead + cacheCreation)

    const strange = /^(?:logfire|sentry|langfuse|braintrust)\./
    const plain = [...on.sink.spans(), ...on.sink.logs()].flatMap(({ attributes }) => Object.keys(attributes))
    expect(plain.filter((name) => strange.test(name))).toEqual([])
    for (const name of presetNames) expect(filesWith(on.home.state, credentials[name])).toEqual([])
  }, 120_000)

  test('is told once to the user, who can name the products or leave them out', async () => {
    const logfire = product('logfire')
    const on = await stage({ main: [text('One.'), text('Two.'), text('Three.'), text('Four.'), text('Five.')] })
    const play = (env: Record<string, string>) =>
      runOn(on, claudeOtelBinary, prompt, { env: { ...patient, ...logfire.environment, ...env } })
    expect((await play({ CLAUDE_OTEL_PRESETS: 'none' })).stderr).toBe('')
    expect(logfire.accepted).toEqual([])
    expect((await play({ CLAUDE_OTEL_PRESETS: 'logfire' })).stderr).toBe('')
    const once = logfire.accepted.length
    expect(once).toBeGreaterThan(0)
    expect((await play({ CLAUDE_OTEL_DESTINATIONS: '{"preset": "logfire"}' })).stderr).toBe('')
    expect(logfire.accepted.length).toBeGreaterThan(once)
    expect((await play({})).stderr).toContain('telemetry goes to Logfire, since LOGFIRE_TOKEN is set')
    expect((await play({})).stderr).toBe('')
    expect(refusals([logfire])).toEqual([])
  }, 120_000)

  test('is told the same where the Agent SDK runs it', async () => {
    const products = presetNames.map(product)
    const on = await stage()
    const args = ['run', '--permission-mode', 'bypassPermissions', 'Find the parrot']
    const { exitCode, stderr } = await runOn(on, claudeOtelBinary, args, {
      env: { ...patient, ...accountsOf(products) },
    })
    expect(exitCode).toBe(0)
    expect(refusals(products)).toEqual([])
    for (const each of products)
      expect([each.name, ...shape(each.spans())]).toEqual([each.name, ...shape(on.sink.spans())])
    expect(shape(on.sink.spans())).toHaveLength(12)
    expect(stderr).toContain('telemetry goes to Logfire, since LOGFIRE_TOKEN is set')
  }, 120_000)

  test('is told with whole messages where content may leave, to each once', async () => {
    const products = presetNames.map(product)
    const on = await stage()
    const env = { ...patient, ...accountsOf(products), CLAUDE_OTEL_CONTENT: 'all' }
    await runOn(on, claudeOtelBinary, prompt, { env })
    expect(refusals(products)).toEqual([])
    const answers: Readonly<Partial<Record<PresetName, string>>> = {
      langfuse: 'langfuse.observation.output',
      braintrust: 'braintrust.output_json',
    }
    for (const each of products) {
      const name = answers[each.name] ?? 'gen_ai.output.messages'
      const { attributes } = named(each, 'invoke_agent claude-code')
      expect(JSON.parse(String(attributes[name]))).toMatchObject([
        { role: 'assistant', parts: [{ type: 'text', content: 'All is done.' }] },
      ])
      const whole = Object.entries(attributes).filter(([, value]) => String(value).includes('All is done.'))
      expect([each.name, ...whole.map(([key]) => key)]).toEqual([each.name, name])
    }
  }, 120_000)

  test('has no words for anybody where no content may leave', async () => {
    const products = presetNames.map(product)
    const on = await stage()
    const env = { ...patient, ...accountsOf(products), CLAUDE_OTEL_PREVIEW_LENGTH: '0' }
    await runOn(on, claudeOtelBinary, prompt, { env })
    expect(refusals(products)).toEqual([])
    for (const { accepted } of products) {
      const sent = Buffer.concat(accepted.map(({ body }) => body)).toString('latin1')
      expect(sent).toContain('invoke_agent')
      for (const words of ['Find the parrot', 'echo out', 'is done.', 'SUB-ONE']) expect(sent).not.toContain(words)
    }
  }, 120_000)

  test('is told later to the accounts that it had, whatever the environment is then', async () => {
    const [mine, others, sentry] = [product('logfire'), product('logfire'), product('sentry')]
    const on = await stage()
    mine.isDown = true
    sentry.isDown = true
    const env = { ...mine.environment, ...sentry.environment, CLAUDE_OTEL_EXIT_TIMEOUT: '3000' }
    const { stderr } = await runOn(on, claudeOtelBinary, prompt, { env })
    expect(stderr).toContain('not everything was delivered')
    const kept = filesWith(on.home.state, credentials.logfire)
    expect(kept.map((path) => path.split('/').at(-1))).toEqual(['run.json'])
    for (const path of kept) expect(statSync(path).mode & 0o777).toBe(0o600)
    mine.isDown = false
    sentry.isDown = false
    // As in another project: other accounts, and an endpoint.
    const then = { ...others.environment, ...on.sink.environment() }
    const drained = await ask(on, ['drain'], then)
    expect(drained.stderr).toBe('')
    expect(drained.stdout).toStartWith('1 of 1 runs done')
    expect(refusals([mine, sentry, others])).toEqual([])
    expect(shape(mine.spans())).toEqual(shape(on.sink.spans()))
    expect(shape(sentry.spans())).toHaveLength(12)
    expect(others.accepted).toEqual([])
    expect(filesWith(on.home.state, credentials.logfire)).toEqual([])
  }, 120_000)

  test('is told by whoever takes it over from a wrapper that was killed, as the wrapper was told', async () => {
    const [logfire, sentry] = [product('logfire'), product('sentry')]
    const on = await stage({
      main: [tools(bash('touch started; until [ -e go ]; do sleep 0.05; done')), text('Done.')],
    })
    const started = async () => {
      if (!(await Bun.file(join(on.home.project, 'started')).exists())) return false
      await Bun.write(join(on.home.project, 'go'), '')
      return true
    }
    const env = { LOGFIRE_BASE_URL: logfire.url, ...sentry.environment, SENTRY_ENVIRONMENT: 'dev' }
    const args = ['--otel-logfire-token', credentials.logfire, ...prompt]
    const signal = { name: 'SIGKILL', to: 'process', when: started } as const
    expect((await runOn(on, claudeOtelBinary, args, { env, signal })).signal).toBe('SIGKILL')
    for (const each of [logfire, sentry]) {
      await until(`the session at ${each.name}`, () => each.spans().some(({ name }) => name === 'claude.session'))
      expect(named(each, 'execute_tool Bash').attributes['tool.status']).toBe('success')
    }
    expect(named(sentry, 'claude.session').attributes['sentry.environment']).toBe('dev')
    expect(refusals([logfire, sentry])).toEqual([])
    await until('the end of the run', () => filesWith(on.home.state, credentials.logfire).length === 0)
  }, 120_000)

  test('is told by hooks alone too: Claude Code leaves the products’ variables to them', async () => {
    const products = presetNames.map(product)
    const on = await stage()
    expect((await ask(on, ['hooks', 'add'], {})).exitCode).toBe(0)
    const env = on.home.environment(on.api.url, accountsOf(products))
    expect((await run({ command: [claudeBinary, ...prompt], cwd: on.home.project, env })).exitCode).toBe(0)
    for (const each of products) {
      await until(`the session at ${each.name}`, () => each.spans().some(({ name }) => name === 'claude.session'))
      expect(shape(each.spans())).toHaveLength(12)
    }
    expect(refusals(products)).toEqual([])
    await until('the end of the run', () => filesWith(on.home.state, 'Find the parrot').length === 0)
  }, 120_000)

  test('keeps no variables of products that are no destinations', async () => {
    const sentry = product('sentry')
    const on = await stage()
    on.sink.mode = 'refuse'
    await runOn(on, claudeOtelBinary, prompt, { env: { ...sentry.environment, CLAUDE_OTEL_PRESETS: 'none' } })
    expect(filesWith(on.home.state, on.sink.url)).not.toEqual([])
    expect(filesWith(on.home.state, credentials.sentry)).toEqual([])
    expect(sentry.accepted).toEqual([])
  }, 120_000)

  test('takes Logfire’s token from a flag, of which claude and its commands know nothing', async () => {
    const logfire = product('logfire')
    const on = await stage({ main: [tools(bash('env > all-variables')), text('Done.')] })
    const env = { ...patient, LOGFIRE_BASE_URL: logfire.url }
    const args = ['--otel-logfire-token', credentials.logfire, ...prompt]
    await runOn(on, claudeOtelBinary, args, { env })
    expect(refusals([logfire])).toEqual([])
    expect(shape(logfire.spans())).toEqual(shape(on.sink.spans()))
    const variables = readFileSync(join(on.home.project, 'all-variables'), 'utf8')
    expect(variables).toContain('CLAUDE_OTEL_RUN=')
    expect(variables).not.toContain(credentials.logfire)
  }, 120_000)
})

describe('status', () => {
  test('tries every product out, tells which are in use, and names the variable of one that does not know us', async () => {
    const products = presetNames.map(product)
    const on = await stage({ main: [] })
    const env = { ...accountsOf(products), ...on.sink.environment() }
    const sent = JSON.parse((await ask(on, ['status', '--send', '--json'], env)).stdout) as {
      readonly probes: readonly Probe[]
      readonly settings: readonly { readonly key: string; readonly shown: string }[]
    }
    expect(refusals(products)).toEqual([])
    expect(sent.probes.filter(({ status }) => status !== 'accepted')).toEqual([])
    expect(new Set(sent.probes.map(({ destination }) => destination)).size).toBe(presetNames.length + 1)
    const keys = sent.settings.map(({ key }) => key)
    expect(keys).toEqual(expect.arrayContaining(presetNames.map((name) => `presets.${name}`)))
    for (const name of presetNames) expect(JSON.stringify(sent)).not.toContain(credentials[name])

    const wrong = { ...env, LANGFUSE_SECRET_KEY: 'sk-lf-other' }
    const { stdout } = await ask(on, ['status', '--json'], wrong)
    const { findings } = JSON.parse(stdout) as { readonly findings: readonly Finding[] }
    expect(findings.filter(({ what }) => what.startsWith('langfuse: HTTP 401'))).toMatchObject([
      { mend: 'check LANGFUSE_SECRET_KEY, LANGFUSE_PUBLIC_KEY' },
    ])
  }, 60_000)

  test('and --config say what is in use in words, without credentials', async () => {
    const products = presetNames.map(product)
    const on = await stage({ main: [] })
    for (const args of [['status'], ['--config']]) {
      const { stdout } = await ask(on, args, { ...accountsOf(products), ...on.sink.environment() })
      expect(stdout).toMatch(/presets\.sentry +\*{4}4242 +from SENTRY_DSN/)
      for (const name of presetNames) expect(stdout).not.toContain(credentials[name])
    }
  }, 60_000)
})
