/**
 * A home of its own for one run of the real claude: onboarding done, a trusted project that is a git repository,
 * an environment built from nothing. Nothing of the machine's user is read or written.
 */

import { mkdir, mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { until } from './until.ts'

const root = resolve(import.meta.dir, '../..')

/** The real claude that the tests drive, and the binary they test; CLAUDE_OTEL_BINARY names another build of it. */
export const claudeBinary = join(root, 'node_modules/.bin/claude')
export const claudeOtelBinary = process.env.CLAUDE_OTEL_BINARY ?? join(root, 'dist/claude-otel')

// Of the usual form, so that claude takes it for a key, and plainly not one.
const fakeApiKey = 'sk-ant-api03-not-a-key-not-a-key-not-a-key-not-a-key-not-a-key-not-a-key-not-a-key-not-a-key-AA'

export interface ClaudeHome {
  /** The folder that holds everything below, and HOME itself. */
  readonly path: string
  readonly project: string
  /** CLAUDE_OTEL_HOME: state and configuration of claude-otel. */
  readonly state: string
  /** The whole environment of a run against this API; undefined values of `more` take a variable away. */
  environment(apiUrl: string, more?: Readonly<Record<string, string | undefined>>): Record<string, string>
  remove(): Promise<void>
}

export interface RunOptions {
  readonly command: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly stdin?: string
  /** Sent once the condition holds: to the process alone, or, like a terminal's Ctrl-C, to its whole group. */
  readonly signal?: {
    readonly name: NodeJS.Signals
    readonly to: 'process' | 'group'
    readonly when: () => boolean | Promise<boolean>
  }
  readonly timeoutMs?: number
}

export interface RunResult {
  readonly stdout: string
  readonly stderr: string
  /** Null when a signal ended the process. */
  readonly exitCode: number | null
  readonly signal: string | null
  readonly wallMs: number
}

/** Creates the home under the system's temporary folder. */
export async function createClaudeHome(): Promise<ClaudeHome> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'claude-otel-test-')))
  const project = join(path, 'project')
  const state = join(path, 'claude-otel')
  await writeClaudeConfig(path, project)
  await createRepository(project, path)
  return {
    path,
    project,
    state,
    environment: (apiUrl, more = {}) => createEnvironment({ path, state, apiUrl, more }),
    // claude's last helpers may still write here for a moment after it has exited.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }),
  }
}

/** Runs a command to its end in a process group of its own; throws when it takes longer than `timeoutMs`. */
export async function run({ command, cwd, env, stdin, signal, timeoutMs = 60_000 }: RunOptions): Promise<RunResult> {
  const started = performance.now()
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env },
    stdin: stdin === undefined ? 'ignore' : Buffer.from(stdin),
    stdout: 'pipe',
    stderr: 'pipe',
    detached: true,
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    kill(-child.pid, 'SIGKILL')
  }, timeoutMs)
  const signalled = signal && sendWhenReady(child, signal, timeoutMs)
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  await child.exited
  const wallMs = performance.now() - started
  const [stdout, stderr] = await output
  clearTimeout(timer)
  await signalled
  if (timedOut) throw new Error(`${command.join(' ')}: no end after ${timeoutMs} ms\n${stdout}\n${stderr}`)
  const signalName = child.signalCode === null ? null : String(child.signalCode)
  return { stdout, stderr, exitCode: signalName === null ? child.exitCode : null, signal: signalName, wallMs }
}

async function sendWhenReady(child: Bun.Subprocess, signal: NonNullable<RunOptions['signal']>, timeoutMs: number) {
  const { name, to, when } = signal
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  await until(`the moment for ${name}`, async () => hasEnded() || (await when()), { timeoutMs })
  if (!hasEnded()) kill(to === 'group' ? -child.pid : child.pid, name)
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended in the meantime.
  }
}

async function writeClaudeConfig(home: string, project: string): Promise<void> {
  const config = {
    hasCompletedOnboarding: true,
    theme: 'dark',
    customApiKeyResponses: { approved: [fakeApiKey.slice(-20)], rejected: [] },
    projects: { [project]: { hasTrustDialogAccepted: true, hasCompletedProjectOnboarding: true } },
  }
  await Bun.write(join(home, '.claude.json'), JSON.stringify(config))
}

async function createRepository(project: string, home: string): Promise<void> {
  await mkdir(project, { recursive: true })
  await Bun.write(join(project, 'README.md'), '# A project\n\nWith two lines.\n')
  const identity = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com']
  // Claude tells the model the commit's hash, so every home has the same.
  const dates = { GIT_AUTHOR_DATE: '2026-01-01T00:00:00Z', GIT_COMMITTER_DATE: '2026-01-01T00:00:00Z' }
  const steps = [
    ['init', '--quiet', '--initial-branch=main'],
    ['remote', 'add', 'origin', 'https://github.com/example/project.git'],
    ['add', '--all'],
    [...identity, 'commit', '--quiet', '--message', 'First'],
  ]
  for (const step of steps) {
    const git = Bun.spawnSync(['git', ...step], {
      cwd: project,
      env: { PATH: process.env.PATH ?? '', HOME: home, GIT_CONFIG_NOSYSTEM: '1', ...dates },
    })
    if (git.exitCode !== 0) throw new Error(`git ${step.join(' ')}: ${git.stderr.toString()}`)
  }
}

interface EnvironmentOptions {
  readonly path: string
  readonly state: string
  readonly apiUrl: string
  readonly more: Readonly<Record<string, string | undefined>>
}

function createEnvironment({ path, state, apiUrl, more }: EnvironmentOptions): Record<string, string> {
  const environment: Record<string, string | undefined> = {
    PATH: `${dirname(claudeBinary)}:${process.env.PATH ?? '/usr/bin:/bin'}`,
    HOME: path,
    TERM: 'xterm-256color',
    LANG: 'C.UTF-8',
    ANTHROPIC_BASE_URL: apiUrl,
    ANTHROPIC_API_KEY: fakeApiKey,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    CLAUDE_BIN: claudeBinary,
    CLAUDE_OTEL_HOME: state,
    // Claude refuses to bypass permissions as root unless it is told that it runs in a sandbox.
    IS_SANDBOX: '1',
    GIT_CONFIG_NOSYSTEM: '1',
    // A session without an endpoint would start a hub at the usual ports, which outlives it.
    CLAUDE_OTEL_HUB: 'off',
    ...more,
  }
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
}
