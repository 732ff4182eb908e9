/** install.sh from end to end: releases on loopback, in every shell, with every downloader; and from a checkout. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { releasesUrl } from '../../scripts/release/repository.ts'
import { must, playSession, ROOT, run, script } from './kit.ts'
import { copyNewSources, everywhere, NEW, OLD, useLab, usual } from './lab.ts'

const lab = useLab()

describe.each(everywhere)('%s', (_name, where) => {
  test('installs, upgrades, goes back, and takes off', async () => {
    const fresh = await lab.install(['--version', OLD], { in: where, piped: true })
    expect([fresh.code, fresh.stderr]).toEqual([0, ''])
    expect(fresh.stdout).toContain(`Installed claude-otel ${OLD}`)
    expect(fresh.stdout).toContain(`export PATH="${lab.dir}:$PATH"`)
    expect(await lab.versionIn()).toBe(OLD)

    const upgrade = await lab.install([], { in: where, env: { PATH: `${lab.path(where)}:${lab.dir}` } })
    expect(upgrade.stdout).toMatch(new RegExp(`Installed claude-otel ${NEW}.* in the place of claude-otel ${OLD}`))
    expect(upgrade.stdout).not.toContain('is not in PATH')
    expect(await lab.versionIn()).toBe(NEW)

    const back = await lab.install([`--version=v${OLD}`], { in: where })
    expect([back.code, await lab.versionIn()]).toEqual([0, OLD])

    const off = await lab.install(['--uninstall'], { in: where })
    expect([off.code, off.stdout]).toEqual([0, `Removed ${lab.dir}/claude-otel.\n`])
    expect(existsSync(join(lab.dir, 'claude-otel'))).toBe(false)
    const again = await lab.install(['--uninstall'], { in: where })
    expect([again.code, again.stdout]).toEqual([0, `There is no claude-otel in ${lab.dir}.\n`])
  })

  test.each(['cut', 'short', 'changed'] as const)('a download that is %s changes nothing', async (way) => {
    mkdirSync(lab.dir, { recursive: true })
    writeFileSync(join(lab.dir, 'claude-otel'), 'the one before')
    const { code, stderr } = await lab.install([], { in: where, way })
    expect([code, readFileSync(join(lab.dir, 'claude-otel'), 'utf8')]).toEqual([1, 'the one before'])
    expect(stderr).toMatch(
      way === 'cut' ? /could not download|is not what was published/ : /is not what was published: nothing was/,
    )
  })

  test('a release that does not exist is told from a network that fails', async () => {
    const missing = await lab.install(['--version', '1.2.3'], { in: where })
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('no release 1.2.3 is published there')])
    const away = await lab.install([], { in: where, env: { CLAUDE_OTEL_BASE_URL: 'http://127.0.0.1:1' } })
    expect([away.code, away.stderr]).toEqual([
      1,
      expect.stringMatching(/could not download .*\n.*(refused|connect to)/),
    ])
    const broken = await lab.install([], { in: where, way: 'broken' })
    expect([broken.code, broken.stderr]).toEqual([1, expect.stringMatching(/could not download .*\n.*500/)])
    expect(existsSync(lab.dir)).toBe(false)
  })
})

describe('what is installed', () => {
  test('runs: a session goes through it', async () => {
    await lab.install([])
    const { code, signals } = await playSession(join(lab.home, 'session'), [join(lab.dir, 'claude-otel')])
    expect([code, signals]).toEqual([7, expect.stringContaining('"name":"claude.session"')])
  })

  test('may lie in a folder with spaces and quotes, relative to where one is, and already hold a link', async () => {
    const folder = join(lab.home, `Mia's "own" tools`)
    mkdirSync(folder)
    await must(['ln', '-s', '/bin/true', join(folder, 'claude-otel')])
    const { code, stderr } = await lab.install(['--dir', `./Mia's "own" tools/`])
    expect([code, stderr, await lab.versionIn(folder)]).toEqual([0, '', NEW])
    expect(await must([join(folder, 'claude-otel'), '--version'])).toContain(NEW)
    expect(readFileSync('/bin/true').length).toBeLessThan(1e6)
  })

  test('takes the place of one that runs, which runs on, and there is one at every moment', async () => {
    await lab.installedBefore()
    const installed = join(lab.dir, 'claude-otel')
    const claude = script(join(lab.home, 'claude'), 'echo ready', 'read line', 'exit 7')
    const running = Bun.spawn([installed, 'hello'], {
      env: {
        PATH: '/usr/bin:/bin',
        CLAUDE_OTEL_HOME: join(lab.home, 'state'),
        CLAUDE_BIN: claude,
        OTEL_SDK_DISABLED: 'true',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const reader = running.stdout.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('ready\n')

    const upgrade = lab.install([])
    let isDone = false
    void upgrade.finally(() => {
      isDone = true
    })
    const seen: (string | undefined)[] = []
    while (!isDone) seen.push(await lab.versionIn())
    expect((await upgrade).code).toBe(0)
    expect([...new Set([...seen, await lab.versionIn()])]).toEqual([OLD, NEW])

    running.stdin.write('go\n')
    await running.stdin.end()
    expect(await running.exited).toBe(7)
  })

  test('a second one in PATH is told of', async () => {
    const other = join(lab.home, 'other')
    script(join(other, 'claude-otel'), 'exit 0')
    const { stdout } = await lab.install([], { env: { PATH: `${other}:${lab.path(usual)}:${lab.dir}` } })
    expect(stdout).toContain(`Before it in PATH stands ${other}/claude-otel`)
  })

  test.each([
    ['/usr/bin/fish', 'fish_add_path'],
    ['/bin/zsh', '~/.zshrc'],
    ['/bin/sh', '~/.profile'],
  ])('people with %s are told what to add where', async (shell, words) => {
    expect((await lab.install([], { env: { SHELL: shell } })).stdout).toContain(words)
  })

  test('taking it off leaves settings and telemetry, and says where they are', async () => {
    await lab.installedBefore()
    const kept = ['.local/state/claude-otel', '.config/claude-otel', '.claude'].map((path) => join(lab.home, path))
    for (const folder of kept) mkdirSync(folder, { recursive: true })
    writeFileSync(join(lab.home, '.claude/settings.json'), '{"command": "claude-otel"}')
    const { stdout } = await lab.install(['--uninstall'])
    expect(stdout.trim().split('\n').sort()).toEqual(
      [
        `Removed ${lab.dir}/claude-otel.`,
        `Words in ${lab.home}/.claude/settings.json still name it: take that out.`,
        `Left as it is, yours to remove: ${kept[0]}`,
        `Left as it is, yours to remove: ${kept[1]}`,
      ].sort(),
    )
    for (const folder of kept) expect(existsSync(folder)).toBe(true)
  })

  test('taking it off takes its hooks along, and nobody else’s', async () => {
    const settings = join(lab.home, '.claude/settings.json')
    mkdirSync(join(lab.home, '.claude'), { recursive: true })
    writeFileSync(settings, '{ "model": "opus" }\n')
    await lab.install([])
    const added = Bun.spawnSync([join(lab.dir, 'claude-otel'), 'hooks', 'add'], { env: { HOME: lab.home } })
    expect(added.exitCode).toBe(0)
    expect(readFileSync(settings, 'utf8')).toContain('claude-otel')
    const { stdout } = await lab.install(['--uninstall'])
    expect(readFileSync(settings, 'utf8')).toBe('{ "model": "opus" }\n')
    expect(stdout).not.toContain('still name it')
  })
})

describe('in a checkout', () => {
  let sources = ''
  beforeAll(async () => {
    sources = join(lab.root, 'sources')
    await copyNewSources(sources)
  })
  const env = () => ({ PATH: process.env.PATH ?? '', HOME: lab.home, TMPDIR: lab.temporary })

  test('it builds from the sources there', async () => {
    const { code, stdout, stderr } = await run([join(sources, 'install.sh')], { env: env(), cwd: '/' })
    expect([code, await lab.versionIn()]).toEqual([0, NEW])
    expect(stdout).toContain(`Building claude-otel in ${sources}`)
    expect(stderr).toContain('built in')
    expect(lab.server.asked).toEqual([])
  })

  test.each([
    [['--version', OLD], OLD],
    [['--download'], NEW],
    [[], NEW],
  ])('it takes a release when asked to, or where one is named: %j', async (args, version) => {
    const more = { ...env(), CLAUDE_OTEL_BASE_URL: lab.server.url() }
    // Without the option only the variable asks for it.
    expect((await run(['sh', join(sources, 'install.sh'), ...args], { env: more })).code).toBe(0)
    expect([await lab.versionIn(), lab.server.asked.length]).toEqual([version, args.length === 2 ? 2 : 3])
  })

  test('it takes a release when it comes through a pipe', async () => {
    const text = readFileSync(lab.installer, 'utf8').replace(`releases=${releasesUrl}`, `releases=${lab.server.url()}`)
    const { code, stdout } = await run(['sh'], { env: env(), cwd: sources, stdin: text })
    expect([code, stdout, lab.server.asked.length]).toEqual([0, expect.stringContaining('Downloading'), 3])
  })

  test('without Node it says what is missing and what else there is', async () => {
    const { code, stderr } = await run([...usual.shell, join(sources, 'install.sh')], {
      env: { ...env(), PATH: lab.path(usual) },
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/Node 20 or newer is needed\n.*--download/)])
  })
})

describe('the scripts', () => {
  test('are clean for shellcheck', async () => {
    expect(await must(['shellcheck', '--shell=sh', join(ROOT, 'install.sh')])).toBe('')
  })

  test('and the README name the repository of package.json', () => {
    for (const file of ['install.sh', 'install.ps1', 'README.md'])
      expect([file, readFileSync(join(ROOT, file), 'utf8').includes(`${releasesUrl}/latest/download/install`)]).toEqual(
        [file, true],
      )
    for (const file of ['install.sh', 'install.ps1'])
      expect(readFileSync(join(ROOT, file), 'utf8')).toMatch(new RegExp(`releases ?= ?'?${releasesUrl}'?\n`))
  })
})
