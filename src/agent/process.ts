/**
 * claude as the Agent SDK's process: in a process group of its own, so that a terminal's Ctrl-C reaches it through us alone, and
 * ended in steps, each with a bound, so that nothing of it stays behind.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { SpawnedProcess, SpawnOptions } from '@anthropic-ai/claude-agent-sdk/core'
import { Failure } from '../base/errors.ts'
import type { ChildEnd } from '../claude/launch.ts'

/** How long an end may take. */
interface Bounds {
  /** By a signal: claude gives its tools and its SessionEnd hooks a second or two. */
  readonly politeMs: number
  /** Each further step. */
  readonly stepMs: number
}

export class ClaudeProcess {
  readonly ended: Promise<ChildEnd>
  private readonly child: ChildProcess
  private isRunning = true

  /** `args` go behind those of the SDK. Where `onStderr` is missing, claude writes to our stderr. */
  constructor(
    options: SpawnOptions,
    args: readonly string[],
    onStderr: ((text: string) => void) | undefined,
    private readonly bounds: Bounds = { politeMs: 5000, stepMs: 1000 },
  ) {
    const { command, cwd, env } = options
    this.child = spawn(command, [...options.args, ...args], {
      ...(cwd === undefined ? {} : { cwd }),
      env,
      stdio: ['pipe', 'pipe', onStderr === undefined ? 'inherit' : 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => onStderr?.(text))
    this.ended = new Promise<ChildEnd>((resolve, reject) => {
      this.child.once('error', (error) => {
        reject(new Failure('notExecutable', `claude cannot be started: ${command}: ${error.message}`))
      })
      this.child.once('exit', (code, signal) => resolve(signal === null ? { code: code ?? 0 } : { signal }))
    }).finally(() => {
      this.isRunning = false
    })
    // Whoever waits for it is told; nobody needs to.
    this.ended.catch(() => {})
  }

  /** 0 where it could not be started. */
  get pid(): number {
    return this.child.pid ?? 0
  }

  /** What the SDK talks to. */
  get pipes(): SpawnedProcess {
    const { child } = this
    if (child.stdin === null || child.stdout === null) throw new Error('claude has no pipes')
    return child as ChildProcess & SpawnedProcess
  }

  /**
   * Ends claude and waits for it: by the end of its input, and where it is at work by `signal`, which it answers by ending what it
   * runs; then by SIGTERM, and then, with all of its group, by SIGKILL.
   */
  async end(signal: NodeJS.Signals | undefined): Promise<void> {
    if (signal !== undefined) this.kill(signal)
    this.child.stdin?.end()
    const { politeMs, stepMs } = this.bounds
    if (await this.endsWithin(politeMs)) return
    this.kill('SIGTERM')
    if (await this.endsWithin(stepMs)) return
    this.killGroup()
    await this.endsWithin(stepMs)
  }

  private async endsWithin(ms: number): Promise<boolean> {
    if (!this.isRunning) return true
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, ms)
    await Promise.race([this.ended.catch(() => {}), promise])
    clearTimeout(timer)
    return !this.isRunning
  }

  private kill(signal: NodeJS.Signals): void {
    if (this.isRunning) this.child.kill(signal)
  }

  killGroup(): void {
    if (!this.isRunning) return
    try {
      process.kill(process.platform === 'win32' ? this.pid : -this.pid, 'SIGKILL')
    } catch {
      // It ended in the meantime.
    }
  }
}
