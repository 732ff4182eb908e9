/** What the suite of installing and releasing shares: a copy of the sources, a world of few programs, a session. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const ROOT = join(import.meta.dir, '../..')

/** What the suite drives and this machine has not; what its executables need to run is told by their tests. */
export const missingPrograms = [
  ...['bash', 'busybox', 'cc', 'curl', 'dash', 'fish', 'git', 'python3', 'ruby', 'setpriv', 'setsid', 'sha256sum'],
  ...['shellcheck', 'tar', 'tmux', 'unshare', 'unzip', 'wget', 'zsh'],
].filter((name) => Bun.which(name) === null)

export interface Ended {
  readonly code: number
  readonly signal: string | number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly stdin?: string
}

/** Runs a command to its end, with the given environment and nothing else. */
export async function run(command: readonly string[], { env = {}, cwd, stdin }: RunOptions = {}): Promise<Ended> {
  const child = Bun.spawn([...command], {
    env: { ...env },
    ...(cwd === undefined ? {} : { cwd }),
    stdin: stdin === undefined ? 'ignore' : Buffer.from(stdin),
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, signal: child.signalCode, stdout, stderr }
}

/** The same, and its stdout; throws with its stderr unless it exits with 0. */
export async function must(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, { env: { PATH: process.env.PATH ?? '' }, ...options })
  if (code !== 0) throw new Error(`${command.join(' ')} exited with ${code}\n${stdout}${stderr}`)
  return stdout
}

/** A copy of the sources as they stand, with the repository they are in and the packages they need. */
export async function copySources(folder: string): Promise<void> {
  const listed = await must(['git', '-C', ROOT, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'])
  for (const path of listed.split('\0').filter((name) => name !== '' && existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    copyFileSync(join(ROOT, path), join(folder, path))
  }
  await must(['cp', '-a', join(ROOT, '.git'), join(folder, '.git')])
  // By links, unless it is another file system.
  const copy = 'cp -al "$1" "$2" 2> /dev/null || { rm -rf "$2" && cp -a "$1" "$2"; }'
  await must(['sh', '-c', copy, 'sh', join(ROOT, 'node_modules'), join(folder, 'node_modules')])
}

/** The path of a program of this machine; throws where it is missing. */
export function program(name: string): string {
  const path = Bun.which(name)
  if (path === null) throw new Error(`${name} is missing: apt-get install it`)
  return path
}

/** A folder for PATH in which only these programs are, each by the path it is linked to. */
export function binFolder(folder: string, programs: Readonly<Record<string, string>>): string {
  mkdirSync(folder, { recursive: true })
  for (const [name, path] of Object.entries(programs)) symlinkSync(path, join(folder, name))
  return folder
}

/** Writes a shell script that can be run, and returns its path. */
export function script(path: string, ...lines: readonly string[]): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`)
  chmodSync(path, 0o755)
  return path
}

/**
 * Runs a session under a claude-otel, started by `command` (its path, or an emulator and its path): a stand-in for
 * claude tells of it through the hooks. Returns the signals that came out as text, and how it ended: with claude's 7.
 */
export async function playSession(
  folder: string,
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  mkdirSync(folder, { recursive: true })
  const quoted = command.map((word) => `'${word}'`).join(' ')
  const claude = script(
    join(folder, 'claude'),
    'for event in SessionStart SessionEnd; do',
    `  printf '{"session_id":"s-1","hook_event_name":"%s"}' $event | ${quoted} hook $event`,
    'done',
    'exit 7',
  )
  const signals = join(folder, 'signals.jsonl')
  const ended = await run([...command, 'hello'], {
    env: {
      PATH: '/usr/bin:/bin',
      ...env,
      CLAUDE_OTEL_HOME: join(folder, 'state'),
      CLAUDE_OTEL_FILE: signals,
      CLAUDE_BIN: claude,
      OTEL_TRACES_EXPORTER: 'file',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'none',
    },
  })
  return { ...ended, signals: readFileSync(signals, 'utf8') }
}
