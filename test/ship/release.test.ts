/** What a release consists of, and that the same commit makes the same bytes. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import packageJson from '../../package.json' with { type: 'json' }
import { checkExecutable, inspectExecutable } from '../../scripts/release/executable.ts'
import { releasesUrl } from '../../scripts/release/repository.ts'
import { signAdHoc } from '../../scripts/release/signature.ts'
import { checkGates } from '../../scripts/release/sizes.ts'
import { archiveName, executableName, targets } from '../../scripts/release/targets.ts'
import { releaseIfStale } from '../../scripts/release.ts'
import { readRevision } from '../../scripts/revision.ts'
import { copySources, must, ROOT, run } from './kit.ts'

const { version } = packageJson
const root = mkdtempSync(join(tmpdir(), 'claude-otel-release-test-'))
let folder = ''
/** Where each target's archive is unpacked: the folder in it. */
const unpacked = new Map<string, string>()

beforeAll(async () => {
  folder = await releaseIfStale()
  for (const target of targets) {
    const archive = join(folder, archiveName(target, version))
    const into = join(root, target.name)
    await must(['mkdir', '-p', into])
    if (archive.endsWith('.zip')) await must(['unzip', '-q', archive, '-d', into])
    else await must(['tar', '-xzf', archive, '-C', into])
    unpacked.set(target.name, join(into, `claude-otel-${version}-${target.name}`))
  }
}, 240_000)
afterAll(() => rmSync(root, { recursive: true }))

function sumsIn(release: string): Map<string, string> {
  const lines = readFileSync(join(release, 'SHA256SUMS'), 'utf8').trim().split('\n')
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]))
}

describe('a release', () => {
  test('has an archive for every target, install scripts and a bill of materials, all in SHA256SUMS', async () => {
    const archives = targets.map((target) => archiveName(target, version))
    const listed = [...archives, `claude-otel-${version}.cdx.json`, 'install.ps1', 'install.sh'].sort()
    expect([...sumsIn(folder).keys()].sort()).toEqual(listed)
    expect(readdirSync(folder).sort()).toEqual([...listed, 'Formula', 'SHA256SUMS'].sort())
    await must(['sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder })
  })

  test.each(targets.map((target) => [target.name, target] as const))(
    'for %s holds licences and a whole executable',
    (name, target) => {
      const home = unpacked.get(name) ?? ''
      const program = join(home, executableName(target))
      expect(readdirSync(home).sort()).toEqual(['LICENSE', 'THIRD-PARTY-NOTICES', executableName(target)].sort())
      expect(statSync(program).mode & 0o777).toBe(0o755)
      expect(statSync(join(home, 'LICENSE')).mode & 0o777).toBe(0o644)
      // A zip tells the time in a zone that it does not name.
      if (target.format !== 'PE') expect(statSync(program).mtimeMs / 1000).toBe(readRevision(ROOT)?.committedAt ?? -1)
      checkExecutable(readFileSync(program), target)
      for (const leak of ['faultPoint', ROOT]) expect(readFileSync(program).includes(leak)).toBe(false)
    },
  )

  test('names no user, group or machine in its archives', async () => {
    const archive = join(folder, archiveName(targets[0] ?? expect.unreachable(), version))
    const listing = await must(['tar', '--numeric-owner', '-tvzf', archive])
    expect(
      listing
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/)[1]),
    ).toEqual(['0/0', '0/0', '0/0'])
    expect([...readFileSync(archive).subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255])
  })
})

describe('an executable for another system', () => {
  const read = (name: string) => {
    const target = targets.find((each) => each.name === name) ?? expect.unreachable()
    return { target, bytes: readFileSync(join(unpacked.get(name) ?? '', executableName(target))) }
  }

  test.each(['darwin-arm64', 'darwin-x64'])(
    'for %s is signed, and a changed byte anywhere breaks the signature',
    (name) => {
      const { target, bytes } = read(name)
      expect(inspectExecutable(bytes).signature).toBe('valid')
      for (const at of [4096, Math.floor(bytes.length / 2)]) {
        const changed = Buffer.from(bytes)
        changed[at] = (changed[at] ?? 0) ^ 1
        expect(() => checkExecutable(changed, target)).toThrow('signature is broken')
      }
      expect(() => checkExecutable(bytes.subarray(0, -1), target)).toThrow('signature is broken')
    },
  )

  test('is signed by us as Bun signs it where it does: the same digests', () => {
    const { bytes } = read('darwin-arm64')
    const digests = (signed: Buffer, identifier: string) => {
      const identifierAt = signed.lastIndexOf(`${identifier}\0`)
      // The first page has the load commands, which tell the size of the signature.
      return signed.subarray(identifierAt + identifier.length + 1 + 32)
    }
    expect(inspectExecutable(signAdHoc(bytes)).signature).toBe('valid')
    expect(digests(signAdHoc(bytes), 'claude-otel').equals(digests(bytes, 'a.out'))).toBe(true)
  })

  test('is refused in the place of another', () => {
    const { bytes } = read('linux-x64')
    for (const target of targets.filter(({ name }) => name !== 'linux-x64'))
      expect(() => checkExecutable(bytes, target)).toThrow(`the executable for ${target.name}: it`)
    expect(() => inspectExecutable(Buffer.from('#!/bin/sh\nexit 0\n'))).toThrow('not an executable')
  })
})

describe('what it is made of', () => {
  interface Component {
    readonly name: string
    readonly version?: string
    readonly licenses: readonly unknown[]
  }
  let components: readonly Component[] = []
  let bundled: ReadonlySet<string> = new Set()

  beforeAll(async () => {
    components = JSON.parse(readFileSync(join(folder, `claude-otel-${version}.cdx.json`), 'utf8')).components
    const entries = ['src/main.ts', 'src/dashboard/page/main.tsx']
    const inputs = await Promise.all(
      entries.map(async (entry, index) => {
        const metafile = join(root, `meta-${index}.json`)
        const flags = [
          '--target=bun',
          '--conditions=require',
          `--metafile=${metafile}`,
          `--outdir=${join(root, 'bundle')}`,
        ]
        await must([process.execPath, 'build', ...flags, entry], { cwd: ROOT })
        return Object.keys(JSON.parse(readFileSync(metafile, 'utf8')).inputs)
      }),
    )
    const packages = inputs.flat().map((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1])
    bundled = new Set(packages.filter((name) => name !== undefined))
  })

  test('the bill of materials names every package that is bundled, and the runtime', () => {
    expect(bundled.size).toBeGreaterThan(15)
    const named = new Set(components.map(({ name }) => name))
    expect([...bundled].filter((name) => !named.has(name))).toEqual([])
    expect(components).toContainEqual(
      expect.objectContaining({ name: 'bun', version: packageJson.devDependencies.bun }),
    )
    expect(components.filter(({ licenses }) => licenses.length === 0)).toEqual([])
    // What only tests use is no part of it.
    for (const name of ['fast-check', 'typescript', '@anthropic-ai/claude-code']) expect(named.has(name)).toBe(false)
  })

  test('the notices have the licence of each of them', () => {
    const notices = readFileSync(join(unpacked.get('linux-x64') ?? '', 'THIRD-PARTY-NOTICES'), 'utf8')
    expect(
      components.filter(({ name, version }) => !notices.includes(`${name} ${version} (`)).map(({ name }) => name),
    ).toEqual(['bun'])
    for (const words of ['Bun 1.', 'JavaScriptCore', 'LGPL', 'Permission is hereby granted', 'Redistribution and use'])
      expect(notices).toContain(words)
  })

  test('a Bun that is not the pinned one is refused and thrown away', async () => {
    const cache = join(root, 'cache', 'claude-otel', `bun-${packageJson.devDependencies.bun}`)
    const tarball = join(cache, `oven-bun-linux-x64-${packageJson.devDependencies.bun}.tgz`)
    mkdirSync(cache, { recursive: true })
    writeFileSync(tarball, 'something else')
    const env = { ...process.env, PATH: process.env.PATH ?? '', XDG_CACHE_HOME: join(root, 'cache') }
    const options = ['--target=linux-x64', `--out=${join(root, 'none')}`]
    const { code, stderr } = await run([process.execPath, join(ROOT, 'scripts/release.ts'), ...options], { env })
    expect([code, stderr]).toEqual([1, expect.stringContaining('is not what package-lock.json pins')])
    expect([existsSync(tarball), existsSync(join(root, 'none'))]).toEqual([false, false])
  })

  test('what weighs more than its gate is no release', () => {
    const [target] = targets
    if (target === undefined) return expect.unreachable()
    const weighing = (executable: number, archive: number) => [
      { target, executable: Buffer.alloc(executable * 1e6), archive: Buffer.alloc(archive * 1e6) },
    ]
    const { executable, archive } = target.gates
    checkGates(weighing(executable, archive))
    expect(() => checkGates(weighing(executable + 1, archive))).toThrow('over their gates: darwin-arm64')
    expect(() => checkGates(weighing(executable, archive + 1))).toThrow('over their gates: darwin-arm64')
  })
})

describe('the Homebrew formula', () => {
  const formula = () => join(folder, 'Formula', 'claude-otel.rb')

  test('is Ruby', async () => {
    expect(await must(['ruby', '-wc', formula()])).toBe('Syntax OK\n')
  })

  test.each([
    ['macos', 'arm', 'darwin-arm64'],
    ['macos', 'intel', 'darwin-x64'],
    ['linux', 'arm', 'linux-arm64'],
    ['linux', 'intel', 'linux-x64'],
  ])('on %s, %s takes the archive for %s by its checksum', async (system, machine, name) => {
    const said = JSON.parse(await must(['ruby', join(import.meta.dir, 'homebrew.rb'), formula(), system, machine]))
    const archive = `claude-otel-${version}-${name}.tar.gz`
    expect(said).toMatchObject({
      version,
      license: packageJson.license,
      url: `${releasesUrl}/download/v${version}/${archive}`,
      sha256: sumsIn(folder).get(archive) ?? '',
    })
    expect(said.desc.length).toBeLessThanOrEqual(80)
  })

  test('installs what is in the archive, and its own test passes', async () => {
    const prefix = join(root, 'cellar')
    const machine = process.arch === 'arm64' ? ['arm', 'linux-arm64'] : ['intel', 'linux-x64']
    const archive = unpacked.get(machine[1] ?? '') ?? ''
    await must(['ruby', join(import.meta.dir, 'homebrew.rb'), formula(), 'linux', machine[0] ?? '', archive, prefix])
    expect(statSync(join(prefix, 'bin', 'claude-otel')).size).toBe(statSync(join(archive, 'claude-otel')).size)
  })
})

describe('the same commit', () => {
  test('makes the same bytes in another folder, at another time, in another zone, for another user', async () => {
    const copy = join(root, 'some where', 'else')
    await must(['mkdir', '-p', copy, join(root, 'tmp')])
    await copySources(copy)
    const env = {
      ...process.env,
      PATH: process.env.PATH ?? '',
      TZ: 'Pacific/Auckland',
      LC_ALL: 'C',
      TMPDIR: join(root, 'tmp'),
      USER: 'nobody',
    }
    const build = '"$@" > /dev/null'
    // One of each kind: archived by tar and by zip, signed by us and not.
    const names = ['linux-x64', 'darwin-x64', 'windows-x64']
    const chosen = names.map((name) => `--target=${name}`)
    const command = [process.execPath, join(copy, 'scripts/release.ts'), `--out=${join(root, 'again')}`, ...chosen]
    await must(['sh', '-c', `umask 077; ${build}`, 'sh', ...command], { env, cwd: '/' })
    const again = sumsIn(join(root, 'again'))
    expect(again.size).toBe(names.length + 3)
    for (const [file, sum] of again) expect([file, sumsIn(folder).get(file)]).toEqual([file, sum])
  }, 240_000)
})
