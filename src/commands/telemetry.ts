/**
 * The telemetry beside a wrapped claude: begins when claude is started, loads the SDK while claude does the same with its own
 * things, and ends within a bound after claude has exited.
 */
import { readdirSync } from 'node:fs'
import type { Log } from '../base/log.ts'
import type { StatePaths } from '../base/paths.ts'
import type { ChildEnd } from '../claude/launch.ts'
import type { Resolution } from '../config/config.ts'
import type { RunEntry } from '../session/entries.ts'
import type { Pump } from '../session/pump.ts'
import { type RunFolder, removeRunFolder, writeJsonFile } from '../session/run.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { configForRun, type Flags, settingsEnvironment } from './settings.ts'

export interface WrappedRun {
  readonly folder: RunFolder
  readonly paths: StatePaths
  readonly log: Log
  readonly runId: string
  readonly startUnixMicro: number
  /** The session span that claude's environment names. */
  readonly root: SpanRef
  readonly parent: SpanRef | undefined
  readonly resolution: Resolution
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags: Flags
}

/** Claude needs a few hundred milliseconds until its first hook; what ends sooner never pays for the SDK. */
const contextDelayMs = 20
const pumpDelayMs = 100
/** Runs that others left behind are taken up when this one has got going. */
const recoveryDelayMs = 2000

export class Telemetry {
  private readonly ending = new AbortController()
  private readonly timers: readonly ReturnType<typeof setTimeout>[]
  private entry: Promise<RunEntry> | undefined
  private pump: Promise<Pump> | undefined
  private recovery: Promise<unknown> | undefined

  constructor(
    private readonly run: WrappedRun,
    private readonly pid: number,
  ) {
    const steps: [() => Promise<unknown>, number][] = [
      [() => this.introduce(), contextDelayMs],
      [() => this.start(), pumpDelayMs],
      [() => this.recover(), recoveryDelayMs],
    ]
    this.timers = steps.map(([step, delayMs]) => {
      // What fails here fails again in `finish`, where it is told.
      const timer = setTimeout(() => void step().catch(() => {}), delayMs)
      timer.unref()
      return timer
    })
  }

  /** What to tell the user, if anything was not delivered (or diagnostics are on). */
  async finish(exit: ChildEnd): Promise<string | undefined> {
    const { folder, resolution, paths, log } = this.run
    const { config } = resolution
    for (const timer of this.timers) clearTimeout(timer)
    this.ending.abort()
    log(`claude ended: ${JSON.stringify(exit)}`)
    if (this.pump === undefined && readdirSync(folder.spool).length === 0) {
      removeRunFolder(folder)
      return undefined
    }
    const deadline = AbortSignal.timeout(config.exitTimeoutMs)
    const pump = await this.start()
    const report = await pump.close(() => [{ pid: this.pid, ...exit }], deadline)
    await this.recovery
    const { renderOutcome } = await import('./outcome.ts')
    return renderOutcome(report, folder.path, config.debug ? { log: paths.log, signals: config.file } : undefined)
  }

  /** Writes down what a process needs that takes this run over. */
  private introduce(): Promise<RunEntry> {
    this.entry ??= this.createEntry()
    return this.entry
  }

  private async createEntry(): Promise<RunEntry> {
    const { createRunEntry } = await import('../session/begin.ts')
    const { folder, runId, startUnixMicro, root, parent, resolution, env, flags, log } = this.run
    const begun = createRunEntry(resolution.config, runId, startUnixMicro)
    const entry: RunEntry = { ...begun, wrapped: { root, pid: this.pid }, ...(parent === undefined ? {} : { parent }) }
    writeJsonFile(folder.context, { entry, env: settingsEnvironment(env), flags })
    log(`process ${this.pid} is claude, its run ${folder.path}`)
    return entry
  }

  private start(): Promise<Pump> {
    this.pump ??= this.openPump()
    return this.pump
  }

  private async openPump(): Promise<Pump> {
    const [{ startPump }, entry] = await Promise.all([import('../session/pump.ts'), this.introduce()])
    const { folder, paths, resolution, log } = this.run
    return startPump({ folder, sessions: paths.sessions, config: resolution.config, entry, log })
  }

  private async recover(): Promise<void> {
    const { resolution, paths } = this.run
    const { recoverRuns } = await import('../session/recover.ts')
    this.recovery = recoverRuns({
      runs: paths.runs,
      sessions: paths.sessions,
      configFor: (context) => configForRun(resolution, context),
      deadline: this.ending.signal,
      stopAtFailure: true,
    }).catch(() => undefined)
  }
}
