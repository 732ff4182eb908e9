/** `claude-otel env`, `completion` and `help`: what they print does what it should, in the shells themselves. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { renderVariables, type Shell, shellNamed } from '../../src/base/shells.ts'
import { commandNames } from '../../src/commands/route.ts'
import { topicNames } from '../../src/commands/topics.ts'
import { claudeBinary, createClaudeHome, run } from '../kit/claude-home.ts'
import { startMessagesApi, text } from '../kit/messages-api.ts'
import { startOtlpSink } from '../kit/otlp-sink.ts'
import { startTerminal } from '../kit/terminal.ts'
import { until } from '../kit/until.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-env-'))
const bin = join(root, 'bin')
beforeAll(async () => {
  await buildIfStale()
  Bun.spawnSync(['mkdir', bin])
  symlinkSync(BINARY, join(bin, 'claude-otel'))
}, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
})

function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: `${bin}:/usr/bin:/bin`, HOME: home, LANG: 'C.UTF-8', CLAUDE_OTEL_HOME: join(home, 'state'), ...more }
}

async function cli(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([BINARY, ...args], { env: environment(more), cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

const json = async (args: readonly string[], more: Readonly<Record<string, string>>) =>
  JSON.parse((await cli(['env', '--json', ...args], more)).stdout)

/** Programs that understand what is printed for a shell. */
const programs: readonly (readonly [Shell, readonly string[]])[] = [
  ['sh', ['dash']],
  ['bash', ['bash', '--norc']],
  ['zsh', ['zsh', '-f']],
  ['fish', ['fish', '--no-config']],
]

describe.each(programs)('for %s', (shell, command) => {
  const isThere = Bun.which(command[0] ?? '') !== null

  test.skipIf(!isThere)('whatever stands in a value arrives as it is', () => {
    // What shells, or only some of them, take for something else.
    const piece = fc.constantFrom(
      "'",
      '"',
      '\\',
      '$HOME',
      '`id`',
      '$(id)',
      '!',
      '%41',
      '\n',
      ' ',
      '*',
      '~',
      ';',
      '#',
      'ö',
      '{a,b}',
      'a',
    )
    const values = fc.sample(fc.array(piece, { maxLength: 12 }), { numRuns: 60, seed: 1 }).map((all) => all.join(''))
    const variables = Object.fromEntries(values.map((value, at) => [`V${at}`, value]))
    const script = `${renderVariables(shell, variables)}env -0\n`
    const { stdout, stderr, exitCode } = Bun.spawnSync([...command], { stdin: Buffer.from(script), env: environment() })
    expect([stderr.toString(), exitCode]).toEqual(['', 0])
    const seen = new Map(
      stdout
        .toString()
        .split('\0')
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
    for (const [name, value] of Object.entries(variables)) expect(seen.get(name)).toBe(value)
  })

  test.skipIf(!isThere)('what the binary prints is set in the shell that asks for it', () => {
    const say = shell === 'fish' ? 'claude-otel env fish | source' : `eval "$(claude-otel env ${shell})"`
    const env = environment({
      CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      CLAUDE_OTEL_EXPORTER_OTLP_HEADERS: "a=it's",
    })
    const script = `${say}\nprintf '%s|%s' "$CLAUDE_CODE_ENABLE_TELEMETRY" "$OTEL_EXPORTER_OTLP_HEADERS"\n`
    const { stdout } = Bun.spawnSync([...command], { stdin: Buffer.from(script), env })
    expect(stdout.toString()).toBe("1|a=it's")
  })
})

describe('for shells of Windows', () => {
  test('PowerShell takes single quotes twice, of every kind', () => {
    expect(renderVariables('powershell', { A: "it's $env:B `n ‘x’" })).toBe("$env:A = 'it''s $env:B `n ‘‘x’’'\n")
  })

  test('cmd takes percent signs twice, and what it cannot take is refused', () => {
    expect(renderVariables('cmd', { A: 'Bearer 100% & more' })).toBe('set "A=Bearer 100%% & more"\n')
    for (const value of ['a\nb', 'a"b'])
      expect(() => renderVariables('cmd', { A: value })).toThrow('which cmd cannot set')
  })
})

test.each([
  ['/usr/bin/zsh', 'zsh'],
  ['/bin/dash', 'sh'],
  ['C:\\Program Files\\PowerShell\\pwsh.exe', 'powershell'],
  ['CMD.EXE', 'cmd'],
  ['tcsh', undefined],
] as const)('%s is the shell %p', (name, shell) => {
  expect(shellNamed(name)).toBe(shell as never)
})

describe('the variables', () => {
  const general = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://c.example.com/base',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
  }

  test('are one set where all signals go to one place', async () => {
    expect(
      await json([], { ...general, OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip', OTEL_EXPORTER_OTLP_HEADERS: 'a=b%20c,d=e' }),
    ).toEqual({
      CLAUDE_CODE_ENABLE_TELEMETRY: '1',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      ...general,
      OTEL_EXPORTER_OTLP_HEADERS: 'a=b c,d=e',
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
      OTEL_METRIC_EXPORT_INTERVAL: '10000',
      OTEL_LOGS_EXPORT_INTERVAL: '5000',
    })
    expect(await json(['--traces'], general)).toMatchObject({
      OTEL_TRACES_EXPORTER: 'otlp',
      CLAUDE_CODE_ENHANCED_TELEMETRY_BETA: '1',
    })
  })

  test('are a set for each signal where these go to several places', async () => {
    const own = { OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://127.0.0.1:9/logs' }
    expect(await json([], { ...general, ...own })).toEqual({
      CLAUDE_CODE_ENABLE_TELEMETRY: '1',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'https://c.example.com/base',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'http://127.0.0.1:9/logs',
      OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/protobuf',
      OTEL_METRIC_EXPORT_INTERVAL: '10000',
      OTEL_LOGS_EXPORT_INTERVAL: '5000',
    })
    expect(await json([], { ...general, OTEL_METRICS_EXPORTER: 'none' })).not.toHaveProperty(
      'OTEL_METRIC_EXPORT_INTERVAL',
    )
  })

  test('tell the runtime of Claude Code whom to trust', async () => {
    const ca = join(home, 'ca.pem')
    writeFileSync(ca, 'not read')
    expect(await json([], { ...general, OTEL_EXPORTER_OTLP_CERTIFICATE: ca })).toMatchObject({
      OTEL_EXPORTER_OTLP_CERTIFICATE: ca,
      NODE_EXTRA_CA_CERTS: ca,
    })
  })

  test('are those of the hub where nothing else is said', async () => {
    expect(await json([], { CLAUDE_OTEL_HUB_HTTP_PORT: '14318' })).toMatchObject({
      CLAUDE_CODE_ENABLE_TELEMETRY: '1',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:14318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'cumulative',
      OTEL_METRIC_EXPORT_INTERVAL: '5000',
      OTEL_LOGS_EXPORT_INTERVAL: '1000',
    })
  })

  test('are those of the destination that is named', async () => {
    const CLAUDE_OTEL_DESTINATIONS = JSON.stringify([
      { name: 'one', endpoint: 'http://one:4317' },
      { name: 'two', endpoint: 'http://two:4317' },
    ])
    for (const [args, endpoint] of [
      [[], 'http://one:4317'],
      [['--destination', 'two'], 'http://two:4317'],
    ] as const) {
      expect(await json(args, { CLAUDE_OTEL_DESTINATIONS })).toMatchObject({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
    }
    const { code, stderr } = await cli(['env', '--destination', 'three'], { CLAUDE_OTEL_DESTINATIONS })
    expect([code, stderr]).toEqual([78, 'claude-otel: there is no destination "three"\n  there are: one, two\n'])
  })

  test.each([
    [['env', 'tcsh'], {}, 64],
    [['env'], { OTEL_SDK_DISABLED: 'true' }, 78],
    [['env'], { OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_TRACES_EXPORTER: 'none' }, 78],
    [['env'], { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' }, 78],
  ] as const)('are none for %j in %j', async (args, env, exit) => {
    expect(await cli(args, env as Record<string, string>)).toMatchObject({ code: exit, stdout: '' })
  })

  test('make a plain claude send its own telemetry', async () => {
    const claude = await createClaudeHome()
    const [api, sink] = await Promise.all([startMessagesApi({ main: [text('Hello.')] }), startOtlpSink()])
    try {
      const script = `eval "$('${BINARY}' env sh)"; unset CLAUDE_OTEL_EXPORTER_OTLP_ENDPOINT; exec '${claudeBinary}' -p Go`
      const ours = Object.fromEntries(
        Object.entries(sink.environment()).map(([name, value]) => [`CLAUDE_${name}`, value]),
      )
      const result = await run({
        command: ['sh', '-c', script],
        cwd: claude.project,
        env: claude.environment(api.url, ours),
      })
      expect(result).toMatchObject({ stdout: 'Hello.\n', exitCode: 0 })
      await until('its metrics', () => sink.points().some(({ name }) => name === 'claude_code.token.usage'))
      await until('its events', () => sink.logs().length > 0)
    } finally {
      await Promise.all([api.close(), sink.close(), claude.remove()])
    }
  }, 60_000)
})

describe('completions', () => {
  const ours = commandNames.filter((name) => !['hub', 'pump'].includes(name))

  test('in bash are our commands, their words and options, flags and their values; else files', () => {
    const complete = (...words: string[]) => {
      const script = `
        source <(claude-otel completion bash)
        COMP_WORDS=(claude-otel "$@"); COMP_CWORD=$#
        _claude_otel; printf '%s\\n' "\${COMPREPLY[@]}"; complete -p claude-otel`
      const { stdout } = Bun.spawnSync(['bash', '--norc', '-c', script, 'bash', ...words], { env: environment() })
      const lines = stdout.toString().trim().split('\n')
      expect(lines.pop()).toBe('complete -o default -F _claude_otel claude-otel')
      return lines.filter((line) => line !== '')
    }
    expect(complete('').filter((word) => !word.startsWith('-'))).toEqual([...ours].sort())
    expect(complete('hook')).toEqual(['hook', 'hooks'])
    expect(complete('hooks', 'r')).toEqual(['remove'])
    expect(complete('status', '--s')).toEqual(['--send'])
    expect(complete('--otel-protocol', 'http')).toEqual(['http/protobuf', 'http/json'])
    expect(complete('--claude-otel-d')).toEqual(['--claude-otel-debug'])
    expect(complete('help', '')).toEqual([...topicNames, '--help'])
    expect(complete('fix the README')).toEqual([])
  })

  test.skipIf(Bun.which('fish') === null)('in fish are the same, with what they are for', () => {
    const complete = (line: string) => {
      const script = `claude-otel completion fish | source; complete -C '${line}'`
      const { stdout } = Bun.spawnSync(['fish', '--no-config', '-c', script], { cwd: home, env: environment() })
      return new Map(
        stdout
          .toString()
          .trim()
          .split('\n')
          .map((each) => each.split('\t') as [string, string]),
      )
    }
    expect([...complete('claude-otel ').keys()].filter((word) => ours.includes(word as never)).sort()).toEqual(
      [...ours].sort(),
    )
    expect(complete('claude-otel dra').get('drain')).toBe('send what earlier runs could not')
    expect([...complete('claude-otel hooks re').keys()]).toEqual(['remove'])
    expect([...complete('claude-otel status --se').keys()]).toEqual(['--send'])
    expect([...complete('claude-otel --otel-protocol http/p').keys()]).toEqual(['http/protobuf'])
  })

  test.skipIf(Bun.which('zsh') === null)(
    'in zsh complete what is typed',
    async () => {
      const terminal = await startTerminal({
        command: ['zsh', '-f'],
        cwd: home,
        env: environment({ TERM: 'xterm-256color', PS1: '> ' }),
        folder: home,
      })
      try {
        await terminal.enter(
          'autoload -Uz compinit && compinit -u && eval "$(claude-otel completion zsh)" && echo re""ady',
        )
        await terminal.shows('\nready', 5000)
        for (const [typed, wanted] of [
          ['claude-otel comp', 'claude-otel completion '],
          ['claude-otel hooks rem', 'claude-otel hooks remove '],
          ['claude-otel status --se', 'claude-otel status --send '],
          ['claude-otel --otel-protocol gr', 'claude-otel --otel-protocol grpc '],
        ] as const) {
          terminal.press('C-u')
          terminal.press(...typed.split(' ').flatMap((word, at) => (at === 0 ? [word] : ['Space', word])), 'Tab', 'XX')
          await terminal.shows(`${wanted}XX`, 5000)
        }
      } finally {
        terminal.close()
      }
    },
    30_000,
  )

  test('for another shell are refused', async () => {
    expect(await cli(['completion', 'tcsh'])).toMatchObject({ code: 64, stdout: '' })
  })
})

describe('help', () => {
  test('without a topic is that of --help', async () => {
    expect(await cli(['help'])).toEqual(await cli(['--help']))
  })

  test.each(topicNames)(
    'on %s fits a terminal, and names only commands, flags and variables that there are',
    async (topic) => {
      const { stdout, code } = await cli(['help', topic])
      expect(code).toBe(0)
      const lines = stdout.trimEnd().split('\n')
      expect(lines.length).toBeLessThan(20)
      for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(132)
      for (const [, name = ''] of stdout.matchAll(/claude-otel ([a-z]+)/g))
        expect(commandNames as readonly string[]).toContain(name)
      const config = (await cli(['--help'])).stdout + (await Bun.file(join(import.meta.dir, '../../README.md')).text())
      for (const [name] of stdout.matchAll(/--(?:otel|claude-otel)-[a-z-]+|CLAUDE_OTEL_[A-Z_]+/g))
        expect(config).toContain(name)
    },
  )

  test('on what there is none says what there is', async () => {
    expect(await cli(['help', 'privcy'])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('did you mean privacy?'),
    })
    expect(await cli(['help', 'me'])).toMatchObject({ code: 64, stderr: expect.stringContaining('settings') })
  })

  test('--help names every command that people use, and its topics', async () => {
    const { stdout } = await cli(['--help'])
    for (const name of commandNames)
      expect(new RegExp(`^  ${name} `, 'm').test(stdout)).toBe(!['hub', 'pump'].includes(name))
    for (const topic of topicNames) expect(stdout).toContain(topic)
  })
})
