/** What install.sh takes for which machine. */
import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { script } from './kit.ts'
import { OLD, useLab, usual } from './lab.ts'

const lab = useLab()

describe('what it runs on', () => {
  interface Machine {
    readonly system: string
    readonly machine: string
    readonly more?: Readonly<Record<string, string>>
  }

  /** A machine of another kind, as uname and others would tell of it. */
  function pretend({ system, machine, more = {} }: Machine): Readonly<Record<string, string>> {
    const folder = join(lab.home, 'pretend')
    script(join(folder, 'uname'), `case $1 in -s) echo ${system} ;; -m) echo ${machine} ;; esac`)
    for (const [name, lines] of Object.entries(more)) script(join(folder, name), lines)
    return { PATH: `${folder}:${lab.path(usual)}` }
  }
  const alpine = { getconf: '[ "$1" = LONG_BIT ] && echo 64', ldd: 'echo "musl libc (x86_64)" >&2; exit 1' }

  test.each([
    ['FreeBSD', 'amd64', 'there is no build for FreeBSD amd64'],
    ['Linux', 'ppc64le', 'there is no build for linux ppc64le'],
    ['Linux', 'i686', 'there is no build for linux i686'],
    ['MINGW64_NT-10.0', 'x86_64', 'install.ps1'],
  ])('%s on %s: says what there is', async (system, machine, words) => {
    const { code, stderr } = await lab.install([], { env: pretend({ system, machine }) })
    expect([code, stderr, lab.server.asked]).toEqual([1, expect.stringContaining(words), []])
  })

  test('Linux of 32 bits on a processor of 64 has none', async () => {
    const env = pretend({ system: 'Linux', machine: 'aarch64', more: { getconf: 'echo 32' } })
    expect((await lab.install([], { env })).stderr).toContain('no build for Linux of 32 bits')
  })

  test.each([
    ['Darwin', 'arm64', {}, 'darwin-arm64'],
    ['Darwin', 'x86_64', { sysctl: 'exit 1' }, 'darwin-x64'],
    ['Darwin', 'x86_64', { sysctl: 'echo 1' }, 'darwin-arm64'],
    ['Linux', 'aarch64', {}, 'linux-arm64'],
    ['Linux', 'x86_64', alpine, 'linux-x64-musl'],
    ['Linux', 'aarch64', alpine, 'linux-arm64-musl'],
  ])(
    '%s on %s with %j takes %s, and does not put in place what does not run',
    async (system, machine, more, target) => {
      // Foreign executables may start here by an emulator that is registered: their loader then says that it is missing.
      const { code, stderr } = await lab.install(['--version', OLD], { env: pretend({ system, machine, more }) })
      expect(lab.server.asked).toEqual([
        `download/v${OLD}/SHA256SUMS`,
        `download/v${OLD}/claude-otel-${OLD}-${target}.tar.gz`,
      ])
      expect([code, await lab.versionIn()]).toEqual([1, undefined])
      if (target !== 'linux-x64-musl') expect(stderr).toContain('does not run on it; nothing was changed')
      else expect(stderr).toMatch(/apk add libstdc\+\+|not found/)
    },
  )

  test('a release that is another one than was asked for is not taken', async () => {
    const { code, stderr } = await lab.install(['--version', '5.5.5'])
    expect([code, stderr]).toEqual([1, expect.stringContaining(`asked for 5.5.5, found ${OLD}`)])
  })

  test('a release without a build for it is told from a broken list', async () => {
    expect((await lab.install([], { way: 'partial' })).stderr).toContain('this release has no build for linux-x64')
    expect((await lab.install([], { way: 'portal' })).stderr).toContain('this release has no build for linux-x64')
    expect(existsSync(lab.dir)).toBe(false)
  })
})
