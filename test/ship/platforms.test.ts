/** The executables that can be run here: the machine's own, those for musl by its loader, those for arm64 by an emulator. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { archiveName, targets } from '../../scripts/release/targets.ts'
import { releaseIfStale } from '../../scripts/release.ts'
import { must, playSession, run } from './kit.ts'

/**
 * libstdc++ as Alpine has it, which Debian does not: the Python package brings a copy, for Python's users of musl.
 * Its digest is pinned.
 */
const WHEEL = {
  requirement: 'kiwisolver==1.5.1',
  sha256: 'b03af77d77e50edba2030fd5f7c352ff209314b09030a3cba7c14edf9a09a444',
  tags: ['--platform=musllinux_1_2_x86_64', '--python-version=3.12', '--implementation=cp', '--abi=cp312'],
}

const root = mkdtempSync(join(tmpdir(), 'claude-otel-platforms-'))
let release = ''
beforeAll(async () => {
  release = await releaseIfStale()
}, 240_000)
afterAll(() => rmSync(root, { recursive: true }))

async function unpack(name: string): Promise<string> {
  const target = targets.find((each) => each.name === name) ?? expect.unreachable()
  const archive = archiveName(target, packageJson.version)
  mkdirSync(join(root, name), { recursive: true })
  await must(['tar', '-xzf', join(release, archive), '-C', join(root, name)])
  return join(root, name, archive.replace('.tar.gz', ''), 'claude-otel')
}

/** A folder with the two libraries that Alpine's package libstdc++ brings, from the user's cache or by pip. */
async function muslLibraries(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'claude-otel')
  const folder = join(cache, `musl-libstdc++-${WHEEL.sha256.slice(0, 12)}`)
  if (existsSync(folder)) return folder
  const work = mkdtempSync(join(root, 'wheel-'))
  writeFileSync(join(work, 'requirements'), `${WHEEL.requirement} --hash=sha256:${WHEEL.sha256}\n`)
  const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes', ...WHEEL.tags]
  const env = { ...process.env, PATH: process.env.PATH ?? '' }
  await must(['python3', '-m', 'pip', 'download', ...options, '-r', 'requirements', '-d', '.'], { cwd: work, env })
  await must(['sh', '-c', 'python3 -m zipfile -e *.whl . && mv *.libs libs'], { cwd: work, env })
  const libraries = readdirSync(join(work, 'libs')).sort()
  // Its name is mangled, so that it meets no other; the one of libgcc_s stays as libstdc++ asks for it.
  const library = libraries.find((name) => name.startsWith('libstdc++')) ?? expect.unreachable()
  renameSync(join(work, 'libs', library), join(work, 'libs', 'libstdc++.so.6'))
  mkdirSync(dirname(folder), { recursive: true })
  await must(['cp', '-r', join(work, 'libs'), `${folder}.new`])
  renameSync(`${folder}.new`, folder)
  return folder
}

/** What a program for musl needs in its environment to run here, where musl may be older than Alpine's libraries. */
async function muslEnvironment(): Promise<Record<string, string>> {
  const libraries = { LD_LIBRARY_PATH: await muslLibraries() }
  const { stderr } = await run(['/lib/ld-musl-x86_64.so.1'])
  const version = /^Version ([\d.]+)$/m.exec(stderr)?.[1] ?? expect.unreachable()
  if (Bun.semver.order(version, '1.2.4') >= 0) return libraries
  const shim = join(root, 'relr.so')
  await must(['cc', '-shared', '-fPIC', '-nostdlib', '-O1', '-o', shim, join(import.meta.dir, 'relr.c')])
  return { ...libraries, LD_PRELOAD: shim }
}

/** Its version, its settings, and a session with hooks, whose span comes out. */
async function proves(
  name: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const more = { PATH: '/usr/bin:/bin', HOME: root, ...env }
  expect(await must([...command, '--version'], { env: more })).toStartWith(`claude-otel ${packageJson.version}`)
  expect(await must([...command, '--config'], { env: more })).toContain('Destinations')
  const { code, signals, stderr } = await playSession(join(root, `session-${name}`), command, env)
  expect([code, stderr, signals]).toEqual([7, '', expect.stringContaining('"name":"claude.session"')])
}

describe.if(process.platform === 'linux' && process.arch === 'x64')('on Linux x64', () => {
  test('the executable for glibc runs', async () => {
    await proves('glibc', [await unpack('linux-x64')])
  })

  test('the executable for musl runs with the libstdc++ of Alpine, and names it where it is missing', async () => {
    const executable = await unpack('linux-x64-musl')
    await proves('musl', [executable], await muslEnvironment())
    expect((await run([executable, '--version'], { env: { LD_LIBRARY_PATH: '/nowhere' } })).stderr).toContain(
      'libstdc++.so.6',
    )
  })

  test('the executable for arm64 runs in an emulator', async () => {
    const emulator = ['/usr/bin/qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu']
    await proves('arm64', [...emulator, await unpack('linux-arm64')])
  })
})
