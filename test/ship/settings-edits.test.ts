/** `claude-otel hooks` on settings files of every kind, by the compiled binary: byte for byte, and refusals that change nothing. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BINARY, buildIfStale } from '../../scripts/build.ts'
import { renderDiff } from '../../src/base/diff.ts'
import { registeredEvents } from '../../src/claude/hook-command.ts'
import { type HookSource, readHookSources } from '../../src/claude/settings-files.ts'
import { requireAllowed } from '../../src/commands/hooks.ts'
import { resolveConfig } from '../../src/config/config.ts'
import { readConfigFile } from '../../src/config/file.ts'

const root = realpathSync(mkdtempSync(join(tmpdir(), 'claude-otel-settings-')))
beforeAll(buildIfStale, 60_000)
afterAll(() => rmSync(root, { recursive: true }))

let home = ''
let user = ''
beforeEach(() => {
  home = mkdtempSync(join(root, 'home '))
  user = join(home, '.claude', 'settings.json')
  mkdirSync(join(home, 'project'))
})

/** The binary under a name on the PATH, as an installer leaves it. */
function installAt(folder: string): string {
  mkdirSync(folder, { recursive: true })
  const link = join(folder, 'claude-otel')
  symlinkSync(BINARY, link)
  return link
}

async function hooks(args: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const env = {
    PATH: '/usr/bin:/bin',
    HOME: home,
    CLAUDE_OTEL_HOME: join(home, 'state'),
    CLAUDE_BIN: '/bin/false',
    ...more,
  }
  const child = Bun.spawn([BINARY, 'hooks', ...args], {
    env,
    cwd: join(home, 'project'),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, stdout, stderr }
}

function write(text: string | Uint8Array, path = user): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}

const read = (path = user) => readFileSync(path, 'utf8')
const parsed = (path = user) => JSON.parse(read(path).replace('\uFEFF', ''))

const handlerOf = (event: string, path = user) => parsed(path).hooks[event].at(-1).hooks[0]

const manners: readonly (readonly [string, string])[] = [
  ['is written by hand', '{\n    "model" : "opus",\n    "hooks":{ "Stop" : [ { "hooks":[] } ] }\n  }'],
  [
    'is in one line, without a line break',
    '{"model":"opus","hooks":{"Stop":[{"hooks":[{"type":"command","command":"x"}]}]}}',
  ],
  ['has tabs, the line ends of Windows and a byte order mark', '\uFEFF{\r\n\t"model": "ö ü",\r\n\t"env": {}\r\n}\r\n'],
  ['is empty', ''],
  ['is an empty object', '{}'],
  ['has comments and trailing commas', '{\n  // mine\n  "model": "opus", /* so */\n}\n'],
]

describe('add and remove', () => {
  for (const [what, text] of manners) {
    test(`leave a file that ${what} as it was, byte for byte`, async () => {
      write(text)
      expect(await hooks(['add'])).toMatchObject({ code: 0, stderr: '' })
      const added = read()
      expect(added).not.toBe(text)
      expect((await hooks(['add'])).stdout).toContain('already')
      expect(read()).toBe(added)
      expect(await hooks(['add', '--events', 'Stop,SessionEnd'])).toMatchObject({ code: 0, stderr: '' })
      expect(await hooks(['remove'])).toMatchObject({ code: 0, stderr: '' })
      expect(read()).toBe(text)
      expect((await hooks(['remove'])).stdout).toContain('no hook of ours')
      expect(read()).toBe(text)
    })
  }

  test('make a file where there is none, with its folder, and take both away again', async () => {
    for (const [flag, path] of [
      ['--user', user],
      ['--project', join(home, 'project/.claude/settings.json')],
      ['--local', join(home, 'project/.claude/settings.local.json')],
    ] as const) {
      await hooks(['add', flag])
      expect(Object.keys(parsed(path).hooks).sort()).toEqual([...registeredEvents].sort())
      await hooks(['remove', flag])
      expect(existsSync(dirname(path))).toBe(false)
    }
  })

  test('keep what was found, and the rights of the file', async () => {
    write('{"model":"opus"}')
    chmodSync(user, 0o640)
    const { stdout } = await hooks(['add'])
    expect(read(/kept in (.*)\n/.exec(stdout)?.[1])).toBe('{"model":"opus"}')
    expect(statSync(user).mode & 0o777).toBe(0o640)
  })

  test('touch nothing but ours where somebody has changed the file meanwhile', async () => {
    write('{\n  "model": "opus"\n}\n')
    await hooks(['add'])
    write(read().replace('"opus"', '"sonnet"'))
    await hooks(['remove'])
    expect(read()).toBe('{\n  "model": "sonnet"\n}\n')
    // And what was found the first time is forgotten with that.
    await hooks(['add'])
    await hooks(['remove'])
    expect(read()).toBe('{\n  "model": "sonnet"\n}\n')
  })

  test('leave a link a link, to the file that it led to', async () => {
    const target = write('{"model":"opus"}', join(home, 'dotfiles/claude.json'))
    mkdirSync(dirname(user))
    symlinkSync(target, user)
    await hooks(['add'])
    expect(lstatSync(user).isSymbolicLink()).toBe(true)
    expect(Object.keys(parsed(target).hooks)).toHaveLength(registeredEvents.length)
    await hooks(['remove'])
    expect(lstatSync(user).isSymbolicLink()).toBe(true)
    expect(read(target)).toBe('{"model":"opus"}')
  })

  test('name the program as it is called on the PATH, spaces and all, and mend it after a move', async () => {
    const before = installAt(join(home, 'my tools'))
    const other = dirname(write('another program of that name', join(home, 'other/claude-otel')))
    await hooks(['add'], { PATH: `${other}:${dirname(before)}:/usr/bin:/bin` })
    expect(handlerOf('Stop')).toEqual({ type: 'command', command: before, args: ['hook', 'Stop'], timeout: 10 })
    expect(handlerOf('PreToolUse')).toMatchObject({ async: true })
    const after = installAt(join(home, 'bin'))
    const text = read()
    await hooks(['add'], { PATH: `${dirname(after)}:/usr/bin:/bin` })
    expect(read()).toBe(text.replaceAll(before, after))
  })

  test('call the shell where the claude that is there knows no arguments of hooks', async () => {
    const link = installAt(join(home, "it's here"))
    const claude = join(home, 'claude')
    writeFileSync(claude, '#!/bin/sh\necho "2.1.138 (Claude Code)"\n', { mode: 0o755 })
    await hooks(['add'], { PATH: `${dirname(link)}:/usr/bin:/bin`, CLAUDE_BIN: claude })
    const { command, args } = handlerOf('Stop')
    expect(args).toBeUndefined()
    const said = Bun.spawnSync(['sh', '-c', `set -- ${command}; printf '%s|' "$@"`]).stdout.toString()
    expect(said).toBe(`${link}|hook|Stop|`)
  })

  test('with --dry-run show what would change, and change nothing', async () => {
    const text = '{\n  "model": "opus"\n}\n'
    write(text)
    const { stdout } = await hooks(['add', '--dry-run', '--events', 'Stop'])
    expect(stdout).toContain(`--- ${user}\n+++ ${user}\n@@ -1,3 +1,`)
    expect(stdout).toContain('-  "model": "opus"\n+  "model": "opus",\n')
    expect(read()).toBe(text)
    expect(existsSync(join(home, 'state'))).toBe(false)
    // What is shown is what happens.
    await hooks(['add', '--events', 'Stop'])
    const added = read()
    expect(stdout).toBe(renderDiff(user, text, added))
    expect((await hooks(['remove', '--dry-run'])).stdout).toBe(renderDiff(user, added, text))
    expect(read()).toBe(added)
  })
})

function linkToNowhere(): void {
  mkdirSync(dirname(user))
  symlinkSync('/nowhere', user)
}

describe('a settings file is refused, and left as it is, that', () => {
  const cases: readonly (readonly [string, number, string, () => void])[] = [
    ['is cut', 65, 'line 1', () => write('{"model": ')],
    ['is not UTF-8', 65, 'UTF-8', () => write(new Uint8Array([0x7b, 0xff, 0x7d]))],
    ['is a list', 65, 'not a JSON object', () => write('[]')],
    ['has hooks of another kind', 65, '"hooks" is not an object', () => write('{"hooks": []}')],
    ['is read-only', 74, 'read-only', () => chmodSync(write('{}'), 0o444)],
    ['is a folder', 74, 'is not a file', () => mkdirSync(user, { recursive: true })],
    ['is a link to nowhere', 74, 'leads nowhere', linkToNowhere],
    ['is in something that is no folder', 74, 'not a folder', () => write('', join(home, '.claude'))],
  ]
  for (const [what, exit, words, prepare] of cases) {
    test(what, async () => {
      prepare()
      const before = existsSync(user) && statSync(user).isFile() ? readFileSync(user) : undefined
      const { code, stdout, stderr } = await hooks(['add'])
      expect([code, stdout]).toEqual([exit, ''])
      expect(stderr).toContain(words)
      expect(stderr).toContain(what === 'is in something that is no folder' ? home : user)
      if (before !== undefined) expect(readFileSync(user)).toEqual(before)
    })
  }

  test('belongs to a machine whose administrator allows no hooks', () => {
    const managed = join(home, 'etc')
    const places = { env: { HOME: home }, cwd: home, managed }
    requireAllowed(readHookSources(places))
    write('{"allowManagedHooksOnly": true}', join(managed, 'managed-settings.d/10-hooks.json'))
    expect(() => requireAllowed(readHookSources(places))).toThrow('allowManagedHooksOnly')
    write('{"disableAllHooks": true}', join(managed, 'managed-settings.json'))
    expect(() => requireAllowed(readHookSources(places))).toThrow('disableAllHooks')
    expect(readHookSources(places).map(({ scope }) => scope)).toEqual(['managed', 'managed'])
  })
})

describe('what is asked wrongly', () => {
  for (const [args, words] of [
    [['install'], 'use add, remove or list'],
    [['add', '--user', '--local'], 'exclude each other'],
    [['add', '--events', 'Stopp'], 'did you mean Stop?'],
    [['add', '--events', 'WorktreeCreate'], 'no event "WorktreeCreate"'],
  ] as const) {
    test(`is told: ${args.join(' ')}`, async () => {
      const { code, stderr } = await hooks(args)
      expect(code).toBe(64)
      expect(stderr).toContain(words)
      expect(existsSync(user)).toBe(false)
    })
  }
})

test('add says that hooks do not see the environment, and writes it into the file of the user when asked', async () => {
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example.com:4318',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20not-a-secret',
    CLAUDE_OTEL_PREVIEW_LENGTH: '10',
  }
  const config = write('{\n  // of mine\n  "previewLength": 99\n}\n', join(home, 'state/config.json'))
  const told = await hooks(['add'], env)
  for (const name of Object.keys(env)) expect(told.stdout).toContain(name)
  expect(told.stdout).toContain('--save-config')
  expect(told.stdout).not.toContain('not-a-secret')
  expect(read(config)).toContain('99')
  const shown = await hooks(['add', '--save-config', '--dry-run'], env)
  expect(shown.stdout).toContain('+    "headers": "****"')
  expect(shown.stdout + shown.stderr).not.toContain('not-a-secret')
  expect(read(config)).toContain('99')
  await hooks(['add', '--save-config', '--otel-service-name', 'mine'], env)
  const file = readConfigFile(config)
  const [saved, meant] = [
    { env: {}, file },
    { env, flags: { 'otel-service-name': 'mine' } },
  ].map(resolveConfig)
  expect(saved?.problems).toEqual([])
  expect(saved?.config).toEqual(meant?.config as never)
  expect(read(config)).toContain('// of mine')
})

describe('list', () => {
  test('tells where hooks of ours are, and what keeps them from running', async () => {
    write('{"disableAllHooks": true, // no\n}')
    await hooks(['add', '--local'])
    write(
      JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: 'command', command: '/gone/claude-otel hook Stop' }] }] } }),
      join(home, 'project/.claude/settings.json'),
    )
    const plugin = join(home, 'plugin')
    write(
      JSON.stringify({ plugins: { 'claude-otel@x': [{ installPath: plugin }] } }),
      join(home, '.claude/plugins/installed_plugins.json'),
    )
    write(
      JSON.stringify({ hooks: { Stop: [{ hooks: [{ type: 'command', command: BINARY, args: ['hook', 'Stop'] }] }] } }),
      join(plugin, 'hooks/hooks.json'),
    )
    const sources: HookSource[] = JSON.parse((await hooks(['list', '--json'])).stdout)
    expect(sources).toMatchObject([
      { scope: 'user', path: user, hooks: {}, disableAllHooks: true, problem: expect.stringContaining('comments') },
      { scope: 'project', hooks: { Stop: ['/gone/claude-otel'] } },
      { scope: 'local', hooks: { SessionStart: [realpathSync(BINARY)] } },
      { scope: 'plugin', path: join(plugin, 'hooks/hooks.json'), hooks: { Stop: [BINARY] } },
    ])
    const { stdout } = await hooks(['list'])
    expect(stdout).toMatch(/^ {2}project +1 event to \/gone\/claude-otel; \/gone\/claude-otel is not there/m)
    expect(stdout).toMatch(/^ {2}user +no hook of ours; disableAllHooks; it has comments/m)
  })
})
