/** Who keeps a hub running: finds one, and asks one of an earlier version to make way. */
import { afterEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { resolveStatePaths, type StatePaths } from '../../src/base/paths.ts'
import { version } from '../../src/base/version.ts'
import { HubKeeper } from '../../src/hub/keeper.ts'
import { type HubPresence, isForHub, readPresence } from '../../src/hub/presence.ts'
import { registerHub } from '../../src/hub/registration.ts'
import { birthOf } from '../../src/session/processes.ts'
import { until } from '../kit/until.ts'

const open: (() => unknown)[] = []
afterEach(() => {
  for (const close of open.splice(0).reverse()) close()
})

function state(): StatePaths {
  const root = mkdtempSync(join(tmpdir(), 'claude-otel-keeper-'))
  open.push(() => rmSync(root, { recursive: true }))
  const paths = resolveStatePaths({ CLAUDE_OTEL_HOME: root })
  if (paths === undefined) throw new Error('no paths')
  mkdirSync(paths.hub)
  return paths
}

/** A process that stands for a hub: it listens to nothing. */
function standIn(paths: StatePaths, more: Partial<HubPresence>) {
  const child = Bun.spawn(['sleep', '60'])
  open.push(() => child.kill())
  const ports = { grpcPort: 1, httpPort: 2 }
  const place = { host: '127.0.0.1', url: 'http://127.0.0.1:3', store: 'sqlite:///nowhere' }
  const presence = {
    pid: child.pid,
    birth: birthOf(child.pid),
    version,
    isBackground: true,
    ...ports,
    ...place,
    ...more,
  }
  writeFileSync(paths.hubPresence, JSON.stringify(presence))
  return child
}

function keep(paths: StatePaths) {
  const said: string[] = []
  // Whatever it starts is this program, which knows no hub and ends at once.
  const env = { PATH: process.env.PATH }
  const keeper = new HubKeeper({ paths, ports: { grpcPort: 1, httpPort: 2 }, env, log: (line) => said.push(line) })
  open.push(() => keeper.stop())
  return { keeper, said }
}

describe('a keeper', () => {
  test('leaves a hub that lives alone, and tells of it once', async () => {
    const paths = state()
    const hub = standIn(paths, {})
    const { keeper, said } = keep(paths)
    expect(await keeper.firstWord()).toContain('http://127.0.0.1:3')
    expect(await keeper.firstWord()).toBeUndefined()
    expect({ said, code: hub.exitCode, signal: hub.signalCode }).toEqual({ said: [], code: null, signal: null })
  })

  test.each([
    ['an earlier version', { version: '0.0.0-a' }, true, false],
    ['an earlier version that somebody has started by hand', { version: '0.0.0-a', isBackground: false }, false, false],
    ['a later version', { version: '999.0.0' }, false, true],
  ])('meets %s', async (_, presence, makesWay, isToldOf) => {
    const paths = state()
    const hub = standIn(paths, presence)
    const { keeper, said } = keep(paths)
    const word = await keeper.firstWord()
    expect(word !== undefined).toBe(isToldOf)
    if (!makesWay) return expect(hub.killed).toBe(false)
    await hub.exited
    await until('another', () => said.some((line) => line.startsWith('started a hub')), { timeoutMs: 5000 })
    expect(said[0]).toContain('0.0.0-a')
  })

  test('leaves one whose version cannot be read, and goes on', async () => {
    const paths = state()
    const hub = standIn(paths, { version: 'ours' })
    const { keeper, said } = keep(paths)
    expect(await keeper.firstWord()).toBeUndefined()
    expect(said).toEqual([expect.stringContaining('ours')])
    expect(hub.killed).toBe(false)
  })

  test('starts one where the number that is written down belongs to another process by now', async () => {
    const paths = state()
    standIn(paths, { birth: 1 })
    const { keeper, said } = keep(paths)
    expect(await keeper.firstWord()).toBeUndefined()
    expect(said).toEqual([expect.stringMatching(/^started a hub, process \d+$/)])
  })
})

test('a keeper says nothing where it cannot remember that it was said', async () => {
  const paths = state()
  standIn(paths, {})
  // A link to nowhere is not there and cannot be made.
  symlinkSync(join(paths.root, 'nowhere', 'told'), join(paths.hub, 'told'))
  expect(await keep(paths).keeper.firstWord()).toBeUndefined()
})

describe('the address of the hub', () => {
  test.each(['grpcPort', 'httpPort'] as const)('is not for it where somebody else has its %s', async (port) => {
    const { hubPresence } = state()
    const free = { host: '127.0.0.1', grpcPort: 1, httpPort: 1 }
    const listener = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    open.push(() => listener.stop(true))
    expect(await isForHub(free, hubPresence)).toBe(true)
    expect(await isForHub({ ...free, [port]: listener.port }, hubPresence)).toBe(false)
  })
})

describe('what a hub writes down', () => {
  test('is read as it was written, and nothing else is taken for it', async () => {
    const paths = state()
    expect(await readPresence(paths.hubPresence)).toBeUndefined()
    const place = { grpcPort: 1, httpPort: 2, host: '::1', url: 'http://[::1]:3', store: 'sqlite:///a b' }
    const registration = registerHub(paths)
    registration?.announce(place, false)
    const own = { pid: process.pid, birth: birthOf(process.pid), version, isBackground: false }
    expect(await readPresence(paths.hubPresence)).toEqual({ ...own, ...place })
    for (const foreign of ['', '{', 'null', '[]', '{"pid":"1"}', JSON.stringify({ ...own, ...place, grpcPort: '1' })]) {
      writeFileSync(paths.hubPresence, foreign)
      expect(await readPresence(paths.hubPresence)).toBeUndefined()
    }
  })

  test('is one hub’s at a time, and gone with it', async () => {
    const paths = state()
    const first = registerHub(paths)
    expect(first?.isValid()).toBe(true)
    expect(registerHub(paths)).toBeUndefined()
    const place = { grpcPort: 1, httpPort: 2, host: '127.0.0.1', url: 'http://127.0.0.1:3', store: 'sqlite:///a' }
    first?.announce(place, true)
    first?.release()
    expect(await readPresence(paths.hubPresence)).toBeUndefined()
    expect(registerHub(paths)?.isValid()).toBe(true)
    rmSync(paths.hub, { recursive: true })
    expect(first?.isValid()).toBe(false)
  })
})
