/** What `claude-otel stack init` lays down, and what it never does to a person's files. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderVariables } from '../../src/base/shells.ts'
import { describeCollector } from '../../src/stack/collector.ts'
import { describeCompose } from '../../src/stack/compose.ts'
import { stackVariables } from '../../src/stack/env-files.ts'
import { renderStack } from '../../src/stack/files.ts'
import { initStack, openStack } from '../../src/stack/folder.ts'
import { describeAlerts, describeDataSources } from '../../src/stack/grafana.ts'
import { images } from '../../src/stack/images.ts'
import { describeLoki } from '../../src/stack/loki.ts'
import { readStackSettings, renderStackSettings } from '../../src/stack/settings.ts'
import { claudeOtelBinary } from '../kit/claude-home.ts'
import { temporaryFolder } from './kit.ts'
import { readAssignments } from './powershell.ts'

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())

const plain = { force: false, dryRun: false, nowMs: Date.UTC(2026, 10, 21, 18, 35) }
const everything = { ...plain, withLoki: true, withGrafana: true }
const outcomes = (changes: ReturnType<typeof initStack>) => new Set(changes.map(({ outcome }) => outcome))
const read = (path: string) => readFileSync(join(folder.path, path), 'utf8')

describe('The files of a stack', () => {
  test('are there once they are asked for, and are left as they are when they are asked for again', () => {
    expect(outcomes(initStack(folder.path, everything))).toEqual(new Set(['created']))
    const before = readTree()
    expect(outcomes(initStack(folder.path, plain))).toEqual(new Set(['unchanged']))
    expect(readTree()).toEqual(before)
  })

  test('hold passwords where nobody else can read them, and nowhere else', () => {
    initStack(folder.path, everything)
    const secrets = Object.values(openStack(folder.path).secrets)
    expect(new Set(secrets).size).toBe(4)
    for (const [path, text] of Object.entries(readTree())) {
      const isPrivate = (statSync(join(folder.path, path)).mode & 0o077) === 0
      const tellsOne = secrets.some((secret) => text.includes(secret))
      expect({ path, tellsOne: tellsOne && !isPrivate }).toEqual({ path, tellsOne: false })
    }
    expect(statSync(join(folder.path, '.env')).mode & 0o777).toBe(0o600)
    expect(statSync(folder.path).mode & 0o777).toBe(0o700)
  })

  test('are all made anew from what .env says, whose secrets stay', () => {
    initStack(folder.path, everything)
    const { secrets } = openStack(folder.path)
    writeFileSync(join(folder.path, '.env'), read('.env').replace('OTLP_GRPC_PORT=4317', 'OTLP_GRPC_PORT=14317'))
    const changed = initStack(folder.path, plain).filter(({ outcome }) => outcome !== 'unchanged')
    expect(changed.map(({ path, outcome }) => `${outcome} ${path}`)).toEqual([
      'updated telemetry-env.sh',
      'updated telemetry-env.ps1',
    ])
    expect(openStack(folder.path)).toMatchObject({ secrets, withLoki: true, ports: { otlpGrpc: 14317 } })
    expect(read('telemetry-env.sh')).toContain('http://127.0.0.1:14317')
  })

  test('that a person has changed stay, with what is different', () => {
    initStack(folder.path, everything)
    const mine = read('collector.yaml').replace('verbosity: basic', 'verbosity: detailed')
    writeFileSync(join(folder.path, 'collector.yaml'), mine)
    const [change, ...others] = initStack(folder.path, plain).filter(({ outcome }) => outcome !== 'unchanged')
    expect(others).toEqual([])
    expect(change).toMatchObject({ path: 'collector.yaml', outcome: 'kept' })
    expect(change?.difference).toContain('\n-    verbosity: detailed\n')
    expect(change?.difference).toContain('\n+    verbosity: basic\n')
    expect(read('collector.yaml')).toBe(mine)
  })

  test('that a person has changed are replaced when it is forced, and kept as a copy', () => {
    initStack(folder.path, everything)
    const ours = read('loki.yaml')
    writeFileSync(join(folder.path, 'loki.yaml'), 'mine')
    const [change] = initStack(folder.path, { ...plain, force: true }).filter(({ outcome }) => outcome !== 'unchanged')
    expect(change).toMatchObject({ path: 'loki.yaml', outcome: 'replaced', backup: 'loki.yaml.backup-20261121-183500' })
    expect(read('loki.yaml')).toBe(ours)
    expect(read('loki.yaml.backup-20261121-183500')).toBe('mine')
  })

  test('that a later version writes otherwise are brought up to date where nobody touched them', () => {
    initStack(folder.path, everything)
    const written = JSON.parse(read('.written.json'))
    writeFileSync(join(folder.path, 'loki.yaml'), 'of an earlier version')
    const hash = new Bun.CryptoHasher('sha256').update('of an earlier version').digest('hex')
    writeFileSync(join(folder.path, '.written.json'), JSON.stringify({ ...written, 'loki.yaml': hash }))
    const [change] = initStack(folder.path, plain).filter(({ outcome }) => outcome !== 'unchanged')
    expect(change).toMatchObject({ path: 'loki.yaml', outcome: 'updated' })
  })

  test('are only told of in a dry run', () => {
    const changes = initStack(join(folder.path, 'none'), { ...everything, dryRun: true })
    expect(outcomes(changes)).toEqual(new Set(['created']))
    expect(existsSync(join(folder.path, 'none'))).toBe(false)
  })

  test('are made by the command too, which says what comes next', () => {
    const run = (...args: string[]) =>
      Bun.spawnSync([claudeOtelBinary, 'stack', 'init', '--dir', folder.path, ...args], { env: { HOME: folder.path } })
    const first = run('--with-grafana')
    expect(first.stdout.toString()).toContain('claude-otel stack up')
    expect(first.exitCode).toBe(0)
    writeFileSync(join(folder.path, 'docker-compose.yml'), 'mine: 1\n')
    const second = run()
    expect(second.stdout.toString()).toContain('kept, because you have changed it')
    expect(second.stdout.toString()).toContain('-mine: 1')
    expect(run('--force').stdout.toString()).toMatch(/yours is now docker-compose\.yml\.backup-\d{8}-\d{6}/)
    expect(read('docker-compose.yml')).toContain('claude-otel')
  })

  function readTree(): Record<string, string> {
    const paths = readdirSync(folder.path, { recursive: true, withFileTypes: true }).filter((each) => each.isFile())
    return Object.fromEntries(
      paths.map(({ parentPath, name }) => {
        const path = join(parentPath, name).slice(folder.path.length + 1)
        return [path, read(path)]
      }),
    )
  }
})

describe('The settings of a stack', () => {
  test('read back as they were written', () => {
    const settings = readStackSettings('WITH_LOKI=1\nexport GRAFANA_PORT="3001"\nKEEP_LOGS_DAYS=7\n')
    expect(settings).toMatchObject({
      withLoki: true,
      withGrafana: false,
      ports: { grafana: 3001 },
      keptDays: { logs: 7 },
    })
    expect(readStackSettings(renderStackSettings(settings))).toEqual(settings)
  })

  test.each([
    ['LOKI_PORT=70000', /LOKI_PORT in \.env is "70000"/],
    ['LOKI_PORT=x', /LOKI_PORT/],
    ['KEEP_TRACES_DAYS=0', /KEEP_TRACES_DAYS/],
    ['LOKI_PORT=3000', /LOKI_PORT and GRAFANA_PORT in \.env are both 3000/],
  ])('that cannot be meant are refused: %s', (text, message) => {
    expect(() => readStackSettings(text)).toThrow(message)
  })
})

describe.each([
  ['ClickHouse and the Collector', {}],
  ['Loki too', { withLoki: true }],
  ['Grafana too', { withGrafana: true }],
  ['everything', { withLoki: true, withGrafana: true }],
])('A stack of %s', (_, parts) => {
  const settings = { ...readStackSettings(''), ...parts }
  const files = new Map(renderStack(settings).map(({ path, text }) => [path, text]))
  const parsed = (path: string) => Bun.YAML.parse(files.get(path) ?? '')
  const asData = (data: object) => JSON.parse(JSON.stringify(data))

  test('has YAML that says what was meant', () => {
    expect(parsed('docker-compose.yml')).toEqual(asData(describeCompose(settings)))
    expect(parsed('collector.yaml')).toEqual(asData(describeCollector(settings)))
    if (settings.withLoki) expect(parsed('loki.yaml')).toEqual(asData(describeLoki(settings)))
    if (settings.withGrafana) {
      expect(parsed('grafana/provisioning/datasources/claude-otel.yaml')).toEqual(asData(describeDataSources(settings)))
      expect(parsed('grafana/provisioning/alerting/claude-otel.yaml')).toEqual(asData(describeAlerts()))
    }
    for (const path of ['loki.yaml', 'grafana/dashboards/overview.json'])
      expect(files.has(path)).toBe(path === 'loki.yaml' ? settings.withLoki : settings.withGrafana)
  })

  test('mounts only files that it has, at loopback ports, with pinned images and bounded memory', () => {
    const { services } = parsed('docker-compose.yml') as { services: Record<string, Service> }
    for (const [name, service] of Object.entries(services)) {
      expect(Object.values(images) as string[]).toContain(service.image)
      // In full, for Podman; and of a version.
      expect(service.image).toMatch(/^docker\.io\/[\w-]+\/[\w-]+:\d+\.\d+/)
      for (const port of service.ports ?? []) expect(port).toStartWith('127.0.0.1:')
      if (name !== 'volumes') expect(service.mem_limit).toMatch(/^\dg$/)
      for (const mount of service.volumes ?? []) {
        const [from = ''] = mount.split(':')
        if (!from.startsWith('./')) continue
        const path = from.slice(2)
        expect([...files.keys()].filter((file) => file === path || file.startsWith(`${path}/`))).not.toEqual([])
      }
    }
  })

  test('has well-formed XML', () => {
    for (const path of ['clickhouse-users.xml', 'clickhouse-config.xml'])
      expect(openTags(files.get(path) ?? '')).toEqual([])
  })
})

interface Service {
  readonly image: string
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly mem_limit?: string
}

/** Tags that are not closed, or closed and not open. */
function openTags(xml: string): readonly string[] {
  const open: string[] = []
  for (const [, slash, name = '', rest = ''] of xml.matchAll(/<(\/?)([\w]+)([^>]*)>/g)) {
    if (rest.endsWith('/')) continue
    if (slash === '') open.push(name)
    else if (open.at(-1) === name) open.pop()
    else open.push(`/${name}`)
  }
  return open
}

describe('The environment files', () => {
  const settings = readStackSettings('')
  const variables = stackVariables(settings)
  const files = new Map(renderStack(settings).map(({ path, text }) => [path, text]))

  test.each(['sh', 'dash', 'bash', 'zsh'])('set every variable of the telemetry in %s', (shell) => {
    const path = join(folder.path, 'env.sh')
    writeFileSync(path, files.get('telemetry-env.sh') ?? '')
    const { stdout, stderr } = Bun.spawnSync([shell, '-c', `. ${path} && env`], {
      env: { PATH: process.env.PATH ?? '' },
    })
    expect(stderr.toString()).toBe('')
    const lines = stdout.toString().split('\n')
    for (const [name, value] of Object.entries(variables)) expect(lines).toContain(`${name}=${value}`)
  })

  test('say what claude-otel env says of the same destination, and that claude-otel sends spans', () => {
    const env = { HOME: folder.path, CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317' }
    const headers = { CLAUDE_OTEL_EXPORTER_OTLP_HEADERS: `Authorization=Bearer ${settings.secrets.otlpToken}` }
    const { stdout } = Bun.spawnSync([claudeOtelBinary, 'env', '--json'], { env: { ...env, ...headers } })
    expect(variables).toEqual({ ...JSON.parse(stdout.toString()), OTEL_TRACES_EXPORTER: 'otlp' })
    expect(variables).toMatchObject({ OTEL_METRIC_EXPORT_INTERVAL: '10000', OTEL_LOGS_EXPORT_INTERVAL: '5000' })
  })

  test('for PowerShell are, by its grammar, assignments of literal texts, and the same variables', async () => {
    expect(await readAssignments(files.get('telemetry-env.ps1') ?? '')).toEqual(Object.entries(variables))
  })

  test('for PowerShell keep what a value has of PowerShell’s own signs', async () => {
    const values = { A: "it's", B: '‘$(id)’ `n $env:A', C: '"; rm x; "', D: '', E: '#' }
    expect(await readAssignments(renderVariables('powershell', values))).toEqual(Object.entries(values))
  })

  test.each(["$env:A = 'it's'", '$env:A = $(id)', "$env:A = 'x' + 'y'", "$a = 'x'", "$env:A = 'x"])(
    'would not pass as PowerShell as %s',
    async (script) => {
      expect(await readAssignments(script).catch((error: unknown) => error)).toBeInstanceOf(Error)
    },
  )

  test('are one-liners in the README too', async () => {
    const readme = await Bun.file(join(import.meta.dir, '../../README.md')).text()
    const [, block = ''] = /<!-- stack-env:begin -->([\s\S]*)<!-- stack-env:end -->/.exec(readme) ?? []
    const [sh = '', powershell = ''] = [...block.matchAll(/```\w+\n(.*)\n```/g)].map(([, line = '']) => line)
    const placed = { ...variables, OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer <OTLP_TOKEN>' }
    const { stdout } = Bun.spawnSync(['sh', '-c', sh.replace(/claude-otel$/, 'env')], {
      env: { PATH: process.env.PATH ?? '' },
    })
    for (const [name, value] of Object.entries(placed))
      expect(stdout.toString().split('\n')).toContain(`${name}=${value}`)
    expect(await readAssignments(powershell)).toEqual(Object.entries(placed))
  })
})
