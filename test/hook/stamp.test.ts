/** The hook as claude runs it: the compiled binary, with pipes, in somebody else's folder. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { isProcessAlive } from '../../src/session/processes.ts'
import { until } from '../kit/until.ts'

const root = mkdtempSync(join(tmpdir(), 'claude-otel-stamp-'))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'))
})

const children: Bun.Subprocess[] = []
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL')
    await child.exited
  }
})

type Environment = Readonly<Record<string, string>>

/** Nothing of what it finds is ever sent. */
const silent = { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', OTEL_METRICS_EXPORTER: 'none' }

interface Result {
  readonly code: number
  readonly output: string
}

async function hook(
  payload: string | Uint8Array,
  env: Environment,
  { label = 'PreToolUse', cwd = root } = {},
): Promise<Result> {
  const child = Bun.spawn([BINARY, 'hook', label], { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] })
  // A hook that has nowhere to put its record leaves without reading, at whatever moment.
  await Promise.try(() => child.stdin.write(payload)).catch(() => undefined)
  await Promise.try(() => child.stdin.end()).catch(() => undefined)
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, output: stdout + stderr }
}

/** A run folder that this process owns, so that no hook starts anybody. */
function ownedRun(): { path: string; spool: string; env: Environment } {
  const path = join(home, 'run')
  const spool = join(path, 'spool')
  mkdirSync(spool, { recursive: true })
  writeFileSync(join(path, 'owner'), `${process.pid}\n`)
  return { path, spool, env: { CLAUDE_OTEL_RUN: path, CLAUDE_OTEL_HOME: home, CLAUDE_PID: '4711', ...silent } }
}

interface StampedRecord {
  readonly header: { v: number; t: number; pid: number; tp?: string; n: number }
  readonly payload: string
}

function readRecord(path: string): StampedRecord {
  const data = readFileSync(path)
  const end = data.indexOf(0x0a)
  const header = JSON.parse(data.toString('utf8', 0, end)) as StampedRecord['header']
  const payload = data.toString('utf8', end + 1, data.length - 1)
  expect(payload.length).toBe(header.n)
  expect(data.at(-1)).toBe(0x0a)
  return { header, payload }
}

function onlyRecord(spool: string): StampedRecord {
  const names = readdirSync(spool)
  expect(names).toHaveLength(1)
  return readRecord(join(spool, names[0] ?? ''))
}

const quiet = { code: 0, output: '' }

describe('a hook', () => {
  test('puts its payload byte for byte into the spool, with the time, claude and the trace context', async () => {
    const { spool, env } = ownedRun()
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`
    const before = Date.now() * 1000
    const payload = '{"prompt":"naïve 😀\\n"}\n\n'
    expect(await hook(payload, { ...env, TRACEPARENT: traceparent })).toEqual(quiet)
    const { header, payload: kept } = onlyRecord(spool)
    expect(kept).toBe(payload)
    expect(header).toMatchObject({ v: 1, pid: 4711, tp: traceparent, n: payload.length })
    expect(header.t).toBeGreaterThanOrEqual(before)
    expect(header.t).toBeLessThanOrEqual(Date.now() * 1000)
    const [name = ''] = readdirSync(spool)
    expect(name).toStartWith(`${header.t}-`)
  })

  test.each(['pre', 'post', 'Anything', '', '--help', '--version', 'a b\n"c"'])(
    'takes the event word %j',
    async (label) => {
      const { spool, env } = ownedRun()
      expect(await hook('{}', env, { label })).toEqual(quiet)
      expect(onlyRecord(spool).payload).toBe('{}')
    },
  )

  test('takes what is no JSON, and no text, as one whole record', async () => {
    const { spool, env } = ownedRun()
    const garbage = Buffer.concat([Buffer.from([0, 10, 255, 254, 10]), randomBytes(100_000)])
    expect(await hook(garbage, env)).toEqual(quiet)
    expect(onlyRecord(spool).payload).toBe(garbage.toString())
  })

  test('makes files and folders that nobody else can read', async () => {
    const claude = sleeper()
    expect(await hook('{}', { CLAUDE_OTEL_HOME: join(home, 'new'), CLAUDE_PID: String(claude), ...silent })).toEqual(
      quiet,
    )
    const run = join(home, 'new/runs', `claude-${claude}`)
    for (const path of [join(home, 'new'), join(home, 'new/runs'), run, join(run, 'spool')]) {
      expect(statSync(path).mode & 0o777).toBe(0o700)
    }
    const { spool, env } = ownedRun()
    await hook('{}', env)
    expect(statSync(join(spool, readdirSync(spool)[0] ?? '')).mode & 0o777).toBe(0o600)
  })
})

describe('two hundred hooks at once', () => {
  test('lose nothing and mix nothing up, from no bytes to ten megabytes', async () => {
    const { spool, env } = ownedRun()
    const sizes = Array.from({ length: 200 }, (_, index) => {
      if (index % 100 === 0) return 10 << 20
      if (index % 20 === 1) return 1 << 20
      return [0, 1, 511, 4096, 65_536, 65_537][index % 6] ?? 0
    })
    const payloads = sizes.map((size, index) => `${index}: ${'naïve\n'.repeat(size / 6)}`.slice(0, size))
    const results = await Promise.all(payloads.map((payload) => hook(payload, env)))
    expect(results.filter(({ code, output }) => code !== 0 || output !== '')).toEqual([])
    const kept = readdirSync(spool).map((name) => readRecord(join(spool, name)).payload)
    const sums = (texts: readonly string[]): unknown[] => texts.map((text) => Bun.hash(text)).sort()
    expect(kept).toHaveLength(200)
    expect(sums(kept)).toEqual(sums(payloads))
  }, 30_000)
})

describe('a hook that can keep nothing', () => {
  test('is silent without any home', async () => {
    expect(await hook('{}', {})).toEqual(quiet)
  })

  test('is silent where its home is a file, or the spool is', async () => {
    writeFileSync(join(home, 'file'), '')
    expect(await hook('{}', { CLAUDE_OTEL_HOME: join(home, 'file'), CLAUDE_PID: '4711' })).toEqual(quiet)
    const run = join(home, 'run')
    mkdirSync(run)
    writeFileSync(join(run, 'spool'), '')
    expect(await hook('{}', { CLAUDE_OTEL_RUN: run })).toEqual(quiet)
  })

  test('is silent where the kernel refuses to write', async () => {
    expect(await hook('{}', { CLAUDE_OTEL_RUN: '/proc/self' })).toEqual(quiet)
  })

  test('makes no new folder for a wrapped run that is over', async () => {
    const run = join(home, 'runs/gone')
    expect(await hook('{}', { CLAUDE_OTEL_RUN: run, CLAUDE_OTEL_HOME: home })).toEqual(quiet)
    expect(readdirSync(home)).toEqual([])
  })

  test('leaves when its stdin is never closed', async () => {
    const { spool, env } = ownedRun()
    const child = Bun.spawn([BINARY, 'hook', 'Stop'], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    children.push(child)
    child.stdin.write('{')
    child.stdin.flush()
    expect(await child.exited).toBe(0)
    expect(readdirSync(spool)).toEqual([])
  }, 15_000)
})

describe('what lies about where a hook runs', () => {
  test('does nothing: bunfig.toml, .env, tsconfig.json and package.json', async () => {
    const { spool, env } = ownedRun()
    const cwd = mkdtempSync(join(root, 'hostile-'))
    const proof = join(cwd, 'i-was-here')
    writeFileSync(
      join(cwd, 'evil.ts'),
      `require('node:fs').writeFileSync(${JSON.stringify(proof)}, '')\nconsole.log('loud')`,
    )
    writeFileSync(join(cwd, 'bunfig.toml'), `preload = ["./evil.ts"]\n[run]\npreload = ["./evil.ts"]\n`)
    writeFileSync(join(cwd, '.env'), `CLAUDE_OTEL_RUN=${cwd}/nowhere\nCLAUDE_PID=1\nTRACEPARENT=evil\n`)
    writeFileSync(join(cwd, 'tsconfig.json'), '{"compilerOptions":{')
    writeFileSync(join(cwd, 'package.json'), '{"name":')
    expect(await hook('{}', env, { cwd })).toEqual(quiet)
    expect(existsSync(proof)).toBe(false)
    const { header } = onlyRecord(spool)
    expect([header.pid, header.tp]).toEqual([4711, undefined])
  })
})

function sleeper(): number {
  const child = Bun.spawn(['sleep', '60'], { stdio: ['ignore', 'ignore', 'ignore'] })
  children.push(child)
  return child.pid
}

describe('the pump of a claude that nobody wrapped', () => {
  const ownerOf = (run: string): number | undefined => {
    const path = join(run, 'owner')
    const pid = existsSync(path) ? Number.parseInt(readFileSync(path, 'utf8'), 10) : 0
    return isProcessAlive(pid) ? pid : undefined
  }

  test('is started by the first hook, once, empties the spool, and ends after claude', async () => {
    const claude = sleeper()
    const env = { CLAUDE_OTEL_HOME: home, CLAUDE_PID: String(claude), ...silent }
    const run = join(home, 'runs', `claude-${claude}`)
    const payload = (event: string) => JSON.stringify({ hook_event_name: event, session_id: 's1', cwd: '/' })
    await hook(payload('SessionStart'), env)
    const owner = await until('a pump', () => ownerOf(run))
    await Promise.all(Array.from({ length: 5 }, (_, index) => hook(payload(`Event${index}`), env)))
    await until('the pump to empty the spool', () => readdirSync(join(run, 'spool')).length === 0)
    expect(ownerOf(run)).toBe(owner)
    expect(readFileSync(join(run, 'journal.jsonl'), 'utf8')).toContain('"Event4"')
    await hook(payload('SessionEnd'), env)
    process.kill(claude, 'SIGKILL')
    await until('the pump to end', () => !isProcessAlive(owner))
    expect(existsSync(run)).toBe(false)
  }, 20_000)

  test('is not taken over by the BUN_OPTIONS and BUN_BE_BUN that the hook was run with', async () => {
    const claude = sleeper()
    const seen = join(home, 'seen')
    const evil = join(home, 'evil.ts')
    writeFileSync(
      evil,
      `require('node:fs').appendFileSync(${JSON.stringify(seen)}, process.argv.slice(2).join(' ') + '\\n')`,
    )
    const run = join(home, 'runs', `claude-${claude}`)
    // Bun obeys it in every program that it compiled, so the hook itself does; what it starts must not.
    await hook('{}', {
      CLAUDE_OTEL_HOME: home,
      CLAUDE_PID: String(claude),
      BUN_OPTIONS: `--preload ${evil}`,
      ...silent,
    })
    const owner = await until('a pump', () => ownerOf(run))
    await until('the pump to work', () => existsSync(join(run, 'journal.jsonl')))
    expect(readFileSync(seen, 'utf8')).toBe('hook PreToolUse\n')
    process.kill(claude, 'SIGKILL')
    await until('the pump to end', () => !isProcessAlive(owner))
  }, 20_000)

  test('is not started where a living process owns the run, and is where that one is dead', async () => {
    const { path, env } = ownedRun()
    await hook('{}', env)
    await Bun.sleep(400)
    expect(readFileSync(join(path, 'owner'), 'utf8')).toBe(`${process.pid}\n`)
    expect(existsSync(join(path, 'journal.jsonl'))).toBe(false)

    const dead = Bun.spawn(['true'])
    await dead.exited
    writeFileSync(join(path, 'owner'), `${dead.pid}\n`)
    await hook('{}', env)
    await until('the run to be taken up and done', () => !existsSync(path))
  }, 20_000)

  test.skipIf(process.platform !== 'linux')(
    'is started where the owner has ended and its parent never asks',
    async () => {
      const { path, env } = ownedRun()
      // The shell starts one and becomes another program before that ends, which does not know that it has a child.
      const parent = Bun.spawn(['sh', '-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      children.push(parent)
      const { value } = await parent.stdout.getReader().read()
      const pid = Number(new TextDecoder().decode(value))
      await until('it to have ended', () => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '))
      writeFileSync(join(path, 'owner'), `${pid}\n`)
      await hook('{}', env)
      await until('the run to be taken up and done', () => !existsSync(path))
    },
    20_000,
  )

  test('is not started twice by hooks that find nobody at the same time', async () => {
    const claude = sleeper()
    const env = { CLAUDE_OTEL_HOME: home, CLAUDE_PID: String(claude), ...silent }
    const run = join(home, 'runs', `claude-${claude}`)
    const count = 12
    await Promise.all(
      Array.from({ length: count }, (_, index) =>
        hook(JSON.stringify({ hook_event_name: `Event${index}`, session_id: 's1' }), env),
      ),
    )
    const owner = await until('a pump', () => ownerOf(run))
    await until('all records', () => {
      const journal = join(run, 'journal.jsonl')
      return existsSync(journal) && readFileSync(journal, 'utf8').split('"Event').length > count
    })
    const journaled = readFileSync(join(run, 'journal.jsonl'), 'utf8')
    for (let index = 0; index < count; index++) expect(journaled.split(`"name":"Event${index}"`)).toHaveLength(2)
    process.kill(claude, 'SIGKILL')
    await until('the pump to end', () => !isProcessAlive(owner))
  }, 20_000)
})
