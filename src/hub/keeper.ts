/**
 * Keeps a hub running for those who send to it: finds the one that lives, starts one in the background where there is none, and
 * again when it is gone. What was sent meanwhile waits with its senders.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { StatePaths } from '../base/paths.ts'
import { version } from '../base/version.ts'
import type { HubPorts } from '../config/config.ts'
import { isProcessAlive } from '../session/processes.ts'
import { type HubPresence, readPresence } from './presence.ts'

export interface HubKeeperOptions {
  readonly paths: StatePaths
  /** Where senders were told that it is: one that is started listens there. */
  readonly ports: HubPorts
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

const checkMs = 1000
/** A hub that cannot start (a port is taken, no disk) is not asked for again and again. */
const longestWaitMs = 60_000
/** What belongs to one run of claude, or would change how the runtime behaves; the guard's commands inherit the rest. */
const notInherited = new Set([
  'BUN_BE_BUN',
  'BUN_OPTIONS',
  'CLAUDECODE',
  'CLAUDE_CODE_CHILD_NOTES_DIR',
  'CLAUDE_CODE_CHILD_SESSION',
  'CLAUDE_CODE_ENTRYPOINT',
  'CLAUDE_CODE_MESSAGING_SOCKET',
  'CLAUDE_CODE_MESSAGING_TOKEN',
  'CLAUDE_CODE_SESSION_ID',
  'CLAUDE_OTEL_RUN',
  'CLAUDE_PID',
  'TRACEPARENT',
  'TRACESTATE',
])

export class HubKeeper {
  private readonly timer
  private presence: HubPresence | undefined
  private waitMs = checkMs
  private notBeforeMs = 0
  private checking: Promise<void> | undefined

  constructor(private readonly options: HubKeeperOptions) {
    this.timer = setInterval(() => void this.check(), checkMs)
    this.timer.unref()
    void this.check()
  }

  /** What to tell the user of a hub in the background that they do not know of yet: once in the life of a state folder. */
  async firstWord(): Promise<string | undefined> {
    await this.check()
    const told = join(this.options.paths.hub, 'told')
    if (!this.presence?.isBackground || existsSync(told)) return undefined
    try {
      writeFileSync(told, '', { mode: 0o600 })
    } catch {
      // It would be said again and again.
      return undefined
    }
    return `a hub in the background keeps your sessions: ${this.presence.url} shows them (CLAUDE_OTEL_HUB=off: none)`
  }

  stop(): void {
    clearInterval(this.timer)
  }

  /** Never rejects: nobody listens to the timer's, and what nobody catches the runtime prints on claude's terminal. */
  private check(): Promise<void> {
    this.checking ??= this.ensure()
      .catch((error) => this.options.log(`the hub could not be looked after: ${describeError(error)}`))
      .finally(() => {
        this.checking = undefined
      })
    return this.checking
  }

  private async ensure(): Promise<void> {
    if (isAlive(this.presence)) return
    const told = await readPresence(this.options.paths.hubPresence)
    if (isAlive(told) && isOutdated(told)) {
      // It ends as on any other day: what it has answered is kept, and what comes meanwhile waits with its senders.
      this.options.log(`the hub, process ${told.pid}, is of version ${told.version}: asked to make way`)
      askToEnd(told)
      return
    }
    if (isAlive(told)) {
      this.presence = told
      this.waitMs = checkMs
      return
    }
    // The other clock may be put back.
    if (performance.now() < this.notBeforeMs) return
    this.notBeforeMs = performance.now() + this.waitMs
    this.waitMs = Math.min(2 * this.waitMs, longestWaitMs)
    this.start()
  }

  /** In a session of its own: it ends neither with claude nor with the terminal. Of several that start, one stays. */
  private start(): void {
    const { paths, ports, env, log } = this.options
    const command = ['hub', '--grpc-port', `${ports.grpcPort}`, '--http-port', `${ports.httpPort}`]
    const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !notInherited.has(name)))
    // It may be written as a relative path.
    if (kept.CLAUDE_OTEL_HOME) kept.CLAUDE_OTEL_HOME = paths.root
    try {
      const options = { env: kept, cwd: '/', stdio: ['ignore', 'ignore', 'ignore'], detached: true } as const
      const hub = Bun.spawn([process.execPath, ...command], { ...options, stdio: [...options.stdio] })
      hub.unref()
      log(`started a hub, process ${hub.pid}`)
    } catch (error) {
      log(`a hub could not be started: ${describeError(error)}`)
    }
  }
}

function isAlive(presence: HubPresence | undefined): presence is HubPresence {
  return presence !== undefined && isProcessAlive(presence.pid, presence.birth)
}

function askToEnd({ pid }: HubPresence): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It has just ended, or is not this user's.
  }
}

function isOutdated({ isBackground, version: its }: HubPresence): boolean {
  return isBackground && Bun.semver.order(its, version) < 0
}
