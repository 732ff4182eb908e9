/** claude behind the compiled wrapper: its end, its signals, its streams and its arguments are what they would be alone. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { until } from '../kit/until.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-launch-'))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

const children: Bun.Subprocess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
})

const home = join(root, 'home')
const silent = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }
let count = 0

/** A claude that is a shell script. */
function claude(script: string, interpreter = '/bin/sh'): string {
  const path = join(root, `claude-${count++}`)
  writeFileSync(path, `#!${interpreter}\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

function environment(program: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: '/usr/bin:/bin', CLAUDE_OTEL_HOME: home, CLAUDE_BIN: program, ...silent, ...more }
}

function run(program: string, args: readonly string[] = [], more: Readonly<Record<string, string>> = {}) {
  const env = environment(program, more)
  const child = Bun.spawn([BINARY, ...args], { env, cwd: root, stdio: ['pipe', 'pipe', 'pipe'] })
  children.push(child)
  return child
}

async function outcome(child: ReturnType<typeof run>, input: Uint8Array | string = '') {
  child.stdin.write(input)
  child.stdin.end()
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).bytes(),
    child.exited,
  ])
  return { code: child.exitCode, signal: child.signalCode, stdout: Buffer.from(stdout), stderr: Buffer.from(stderr) }
}

const sessionOrNot: readonly (readonly [string, readonly string[]])[] = [
  ['in a session', ['hello']],
  ['in a command of claude’s', ['mcp', 'list']],
]

describe('the exit code', () => {
  const exiting = (): string => claude('exit "$CODE"')

  test('is claude’s, whichever of the 256 it is', async () => {
    const program = exiting()
    const codes = Array.from({ length: 256 }, (_, code) => code)
    const got: (number | null)[] = []
    for (let at = 0; at < codes.length; at += 16) {
      const batch = codes
        .slice(at, at + 16)
        .map(async (code) => (await outcome(run(program, ['mcp'], { CODE: String(code) }))).code)
      got.push(...(await Promise.all(batch)))
    }
    expect(got).toEqual(codes)
  }, 30_000)

  test('is claude’s with telemetry, too', async () => {
    const program = exiting()
    const codes = [0, 1, 2, 42, 126, 127, 128, 130, 143, 255]
    const got = await Promise.all(
      codes.map(async (code) => (await outcome(run(program, ['hi'], { CODE: String(code) }))).code),
    )
    expect(got).toEqual(codes)
  })
})

describe.each(sessionOrNot)('a death by signal %s', (_, args) => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL', 'SIGSEGV', 'SIGUSR1'] as const)(
    'of %s is ours as well',
    async (name) => {
      const { signal, code } = await outcome(run(claude(`kill -${name.slice(3)} $$; sleep 5`), args))
      expect([signal, code]).toEqual([name, null])
    },
  )

  test.each([
    ['SIGPIPE', 13],
    ['SIGXFSZ', 25],
    ['SIG40', 40],
  ] as const)(
    'of %s, which the runtime cannot die of, is the exit code that a shell shows for it',
    async (name, number) => {
      const { code } = await outcome(run(claude(`ulimit -c 0; kill -${name.slice(3)} $$; sleep 5`), args))
      expect(code).toBe(128 + number)
    },
  )
})

describe.each(sessionOrNot)('a signal to the wrapper %s', (_, args) => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const)(
    'reaches claude, which decides: %s',
    async (name) => {
      const ready = join(root, `ready-${count++}`)
      // The shell waits in pieces, as it answers a signal only between commands; and ends by itself, whatever becomes of us.
      const script = `trap 'echo got; exit 7' ${name.slice(3)}; : > "${ready}"; for i in $(seq 100); do sleep 0.05; done`
      const child = run(claude(script), args)
      const result = outcome(child)
      await until('claude to be ready', () => existsSync(ready))
      child.kill(name)
      const { code, stdout } = await result
      expect([code, stdout.toString()]).toEqual([7, 'got\n'])
    },
  )

  test('that claude does not mind does not end us', async () => {
    const ready = join(root, `ready-${count++}`)
    const child = run(claude(`trap '' TERM; : > "${ready}"; sleep 0.4; exit 3`), args)
    const result = outcome(child)
    await until('claude to be ready', () => existsSync(ready))
    child.kill('SIGTERM')
    expect((await result).code).toBe(3)
  })
})

describe.each(sessionOrNot)('the streams %s', (_, args) => {
  test('pass byte for byte, each on its own', async () => {
    const input = randomBytes(3 << 20)
    const { stdout, stderr, code } = await outcome(run(claude('head -c 1000000 >&2; cat'), args), input)
    expect(code).toBe(0)
    expect(stderr.equals(input.subarray(0, 1_000_000))).toBe(true)
    expect(stdout.equals(input.subarray(1_000_000))).toBe(true)
  })

  test('that nobody reads any more end claude as they would alone', async () => {
    const env = environment(claude('yes'))
    const child = Bun.spawn(['sh', '-c', '"$0" "$@" | head -n 1', BINARY, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    expect(await new Response(child.stdout).text()).toBe('y\n')
    expect(await new Response(child.stderr).text()).toBe('')
    expect(await child.exited).toBe(0)
  })
})

describe('the arguments', () => {
  const shown = (): string => claude(`for a in "$@"; do printf '%s\\0' "$a"; done`)
  const odd = [
    '-p',
    'naïve 😀 “x”',
    '',
    ' ',
    'a\nb\n',
    '-',
    '--model',
    '--otel-endpoint',
    "it's",
    '$HOME `id` \\',
    '*',
    '--x=y z',
  ]

  test('of a session pass as they are, behind our plugin folder', async () => {
    const { stdout, code } = await outcome(run(shown(), odd))
    expect(code).toBe(0)
    expect(stdout.toString().split('\0').slice(0, -1)).toEqual(['--plugin-dir', join(home, 'plugin'), ...odd])
  })

  test('behind a first -- are all claude’s, even those with our names', async () => {
    const { stdout } = await outcome(run(shown(), ['--', 'drain', '--otel-endpoint', 'x', '--']))
    const args = stdout.toString().split('\0').slice(0, -1)
    expect(args).toEqual(['--plugin-dir', join(home, 'plugin'), 'drain', '--otel-endpoint', 'x', '--'])
  })

  test('of a later -- stay where they are', async () => {
    const { stdout } = await outcome(run(shown(), ['-p', '--', '--help']))
    expect(stdout.toString().split('\0').slice(2, -1)).toEqual(['-p', '--', '--help'])
  })

  test('of a command of claude’s pass alone', async () => {
    const { stdout } = await outcome(run(shown(), ['mcp', 'add', 'x', '--', 'npx', '-y']))
    expect(stdout.toString().split('\0').slice(0, -1)).toEqual(['mcp', 'add', 'x', '--', 'npx', '-y'])
  })

  test('that are ours are taken out', async () => {
    const { stdout } = await outcome(
      run(shown(), ['-p', '--otel-endpoint', 'http://127.0.0.1:1', 'hi', '--claude-otel-debug']),
    )
    expect(stdout.toString().split('\0').slice(2, -1)).toEqual(['-p', 'hi'])
  })
})

describe('the environment', () => {
  test('is the user’s own and what is added', async () => {
    const program = claude('env -0')
    const user = { FOO: 'a\nb=c', EMPTY: '', OTEL_SERVICE_NAME: 'mine' }
    const { stdout } = await outcome(run(program, ['hi'], user))
    const entries = stdout.toString().split('\0').slice(0, -1)
    const got = Object.fromEntries(
      entries.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
    )
    const added = ['CLAUDE_OTEL_RUN', 'CLAUDE_CODE_SESSIONEND_HOOKS_TIMEOUT_MS', 'TRACEPARENT']
    const shells = ['PWD', 'SHLVL', '_', 'OLDPWD']
    const theirs = Object.entries(got).filter(([name]) => !added.includes(name) && !shells.includes(name))
    expect(Object.fromEntries(theirs)).toEqual(environment(program, user))
    expect(Object.keys(got)).toEqual(expect.arrayContaining(added))
    expect(got.CLAUDE_OTEL_RUN).toStartWith(join(home, 'runs'))
    expect(got.TRACEPARENT).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
  })

  test('of a command of claude’s is the user’s own alone', async () => {
    const { stdout } = await outcome(run(claude('env'), ['mcp', 'list']))
    expect(stdout.toString()).not.toMatch(/CLAUDE_OTEL_RUN|TRACEPARENT|SESSIONEND/)
  })

  test('continues the trace that the wrapper was run under', async () => {
    const inbound = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const { stdout } = await outcome(
      run(claude('echo $TRACEPARENT $TRACESTATE'), ['hi'], { TRACEPARENT: inbound, TRACESTATE: 'x=1' }),
    )
    expect(stdout.toString()).toMatch(new RegExp(`^00-${'a'.repeat(32)}-(?!b{16})[0-9a-f]{16}-01 x=1\n$`))
  })
})

describe('what a session without a record leaves', () => {
  test('is no run and no word', async () => {
    const { stderr } = await outcome(run(claude('exit 0'), ['hi']))
    expect(stderr.toString()).toBe('')
    expect(readdirSync(join(home, 'runs'))).toEqual([])
  })
})

describe('a claude that cannot be run', () => {
  test('is told as the shell would, with 127 and 126', async () => {
    const gone = await outcome(run(join(root, 'nowhere')))
    expect([gone.code, gone.stdout.length]).toEqual([127, 0])
    expect(gone.stderr.toString()).toStartWith(`claude-otel: CLAUDE_BIN is "${join(root, 'nowhere')}"`)
    const plain = join(root, 'plain')
    writeFileSync(plain, '')
    expect((await outcome(run(plain))).code).toBe(126)
    expect((await outcome(run(BINARY))).code).toBe(127)
  })

  test('because its interpreter is missing is told as 126 or 127, not as a crash of ours', async () => {
    const { code, stderr } = await outcome(run(claude('', '/no/such/interpreter'), ['hi']))
    expect([126, 127]).toContain(code as number)
    expect(stderr.toString().split('\n').length).toBeLessThan(5)
  })
})

describe('telemetry that cannot be', () => {
  test('does not keep claude from running, and is told in one line after it', async () => {
    writeFileSync(join(root, 'file'), '')
    const program = claude('echo ran; exit 5')
    for (const more of [
      { CLAUDE_OTEL_HOME: join(root, 'file') },
      { CLAUDE_OTEL_HOME: '/proc/nowhere' },
      { OTEL_EXPORTER_OTLP_PROTOCOL: 'gprc' },
    ]) {
      const { code, stdout, stderr } = await outcome(run(program, ['hi'], more))
      expect([code, stdout.toString()]).toEqual([5, 'ran\n'])
      expect(stderr.toString()).toMatch(/^claude-otel: telemetry was off: [^\n]+\n$/)
    }
  })

  test('because it is switched off leaves no trace of us', async () => {
    const off = join(root, 'off')
    const { stdout } = await outcome(
      run(claude('env; echo "$@"'), ['hi'], { CLAUDE_OTEL_HOME: off, OTEL_SDK_DISABLED: 'true' }),
    )
    expect(stdout.toString()).not.toMatch(/CLAUDE_OTEL_RUN|TRACEPARENT|plugin-dir/)
    expect(existsSync(off)).toBe(false)
  })
})

test('the plugin that claude is given names this binary', async () => {
  const { stdout } = await outcome(run(claude('cat "$2/hooks/hooks.json"'), ['hi']))
  expect(stdout.toString()).toBe(readFileSync(join(home, 'plugin/hooks/hooks.json'), 'utf8'))
  expect(JSON.parse(stdout.toString()).hooks.SessionStart[0].hooks[0].command).toBe(BINARY)
})
