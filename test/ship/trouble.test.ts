/** install.sh refusing, out of room and stopped: nothing is changed and nothing left behind. */
import { describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../kit/until.ts'
import { must, program, run } from './kit.ts'
import { everywhere, gnu, NEW, small, useLab, usual } from './lab.ts'

const NOBODY = 65534
const isRoot = process.getuid?.() === 0

const lab = useLab()

describe('what it refuses, before it fetches anything', () => {
  const without = (name: string, tools = gnu('curl')) => {
    const { [name]: _, ...others } = tools
    return { shell: [program('dash')], tools: others }
  }

  test.each([
    ['no curl and no wget', without('curl'), 'neither curl nor wget'],
    ['no way to verify', without('sha256sum'), 'no download can be verified'],
    ['no tar', without('tar'), 'tar is missing'],
  ])('%s', async (_name, where, words) => {
    const { code, stderr } = await lab.install([], { in: where })
    expect([code, stderr, lab.server.asked]).toEqual([1, expect.stringContaining(words), []])
  })

  test.each([
    [['--colour'], 'there is no option --colour'],
    [['--dir'], '--dir needs a value'],
    [['--version', '../../evil'], 'is no version'],
  ])('%j', async (args, words) => {
    const { code, stderr } = await lab.install(args)
    expect([code, stderr, lab.server.asked]).toEqual([1, expect.stringContaining(words), []])
  })

  test('no home and no folder named', async () => {
    const { code, stderr } = await lab.install([], { env: { HOME: '' } })
    expect([code, stderr, lab.server.asked]).toEqual([1, expect.stringContaining('HOME is not set'), []])
  })

  test('a folder that is none, or one in the place of the program', async () => {
    writeFileSync(join(lab.home, 'file'), '')
    mkdirSync(join(lab.home, 'taken', 'claude-otel'), { recursive: true })
    expect((await lab.install(['--dir', join(lab.home, 'file', 'bin')])).stderr).toContain('is not a folder')
    expect((await lab.install(['--dir', join(lab.home, 'taken')])).stderr).toContain('taken/claude-otel is a folder')
    expect(lab.server.asked).toEqual([])
  })

  test('a folder that one may not write to', async () => {
    const folder = join(lab.home, 'theirs')
    mkdirSync(folder)
    chmodSync(folder, 0o555)
    chmodSync(lab.home, 0o755)
    if (isRoot) chownSync(lab.temporary, NOBODY, NOBODY)
    const under = isRoot ? [program('setpriv'), `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : []
    const { code, stderr } = await lab.install(['--dir', join(folder, 'bin')], { under })
    expect([code, lab.server.asked]).toEqual([1, []])
    expect(stderr).toContain(`you may not write to ${folder}${isRoot ? ', which root owns' : ''}`)
    expect(stderr).toContain('there is no need for root')
  })

  const asRoot = isRoot ? [] : ['sudo', '--preserve-env']
  test('root in the home of somebody else, and sudo, unless a folder is named', async () => {
    const mine = isRoot ? NOBODY : (process.getuid?.() ?? NOBODY)
    chownSync(lab.home, mine, mine)
    const away = await lab.install([], { under: asRoot })
    expect([away.code, away.stderr]).toEqual([
      1,
      expect.stringContaining(`you are root, but ${lab.home} is not root's`),
    ])
    const roots = join(lab.root, 'roots')
    await must([...asRoot, 'mkdir', '-p', roots])
    const sudo = await lab.install([], { under: asRoot, env: { HOME: roots, SUDO_USER: 'mia' } })
    expect([sudo.code, sudo.stderr]).toEqual([1, expect.stringContaining('would install for root, not for mia')])
    expect(lab.server.asked).toEqual([])
    const named = await lab.install(['--dir', join(roots, 'bin')], { under: asRoot, env: { SUDO_USER: 'mia' } })
    expect([named.code, await lab.versionIn(join(roots, 'bin'))]).toEqual([0, NEW])
  })
})

describe('when there is no room', () => {
  const limited = (blocks: number) => [program('dash'), '-c', `ulimit -f ${blocks}; exec "$@"`, 'dash']
  // A file system of that size in the place of a folder, seen by nobody else and gone with the last process.
  const mounted = (folder: string, size: string) => [
    ...[program('unshare'), ...(isRoot ? [] : ['--map-root-user']), '--mount', program('dash'), '-c'],
    `${program('mount')} -t tmpfs -o size=${size} none "$0" && exec "$@"`,
    folder,
  ]

  test.each(everywhere)('for a download, with %s', async (_name, where) => {
    mkdirSync(lab.dir, { recursive: true })
    const { code, stderr } = await lab.install([], { in: where, under: limited(20_000) })
    expect([code, stderr, readdirSync(lab.dir)]).toEqual([1, expect.stringContaining('there is no space in'), []])
  })

  test('for the program', async () => {
    mkdirSync(lab.dir, { recursive: true })
    writeFileSync(join(lab.dir, 'claude-otel'), 'the one before')
    const { code, stderr } = await lab.install([], { under: limited(150_000) })
    expect([code, stderr]).toEqual([1, expect.stringContaining(`there is no space in ${lab.dir}/.claude-otel.`)])
    expect(readFileSync(join(lab.dir, 'claude-otel'), 'utf8')).toBe('the one before')
  })

  test('on a small disk', async () => {
    mkdirSync(lab.dir, { recursive: true })
    for (const [folder, where] of [
      [lab.temporary, usual],
      [lab.dir, usual],
      [lab.temporary, small],
      [lab.dir, small],
    ] as const) {
      const { code, stderr } = await lab.install([], { in: where, under: mounted(folder, '40m') })
      expect([code, stderr]).toEqual([1, expect.stringMatching(/there is no space in .* \(\d+ MB free\)/)])
    }
  })
})

describe('when it is stopped', () => {
  test.each(everywhere)('in the middle of a download, with %s, nothing is left', async (_name, where) => {
    const child = Bun.spawn([program('setsid'), ...where.shell, lab.installer], {
      env: {
        PATH: lab.path(where),
        HOME: lab.home,
        TMPDIR: lab.temporary,
        CLAUDE_OTEL_BASE_URL: lab.server.url('hold'),
      },
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    await until('the download', () => lab.server.asked.some((path) => path.endsWith('.tar.gz')))
    process.kill(-child.pid, 'SIGTERM')
    expect(await child.exited).toBe(143)
    expect(existsSync(lab.dir)).toBe(false)
  })

  test('half of the script does nothing', async () => {
    const text = readFileSync(lab.installer, 'utf8')
    for (const share of [0.3, 0.6, 0.9, 0.999]) {
      const { stdout } = await run([...usual.shell, '-s'], {
        env: { PATH: lab.path(usual), HOME: lab.home, TMPDIR: lab.temporary, CLAUDE_OTEL_BASE_URL: lab.server.url() },
        stdin: text.slice(0, Math.floor(text.length * share)),
      })
      expect(stdout).toBe('')
    }
    expect(lab.server.asked).toEqual([])
  })
})
