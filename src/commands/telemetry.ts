/**
 * The telemetry beside a wrapped claude: begins when claude is started, loads the SDK while claude does the same with its own
 * things, and ends within a bound after claude has exited.
 */
import { readdirSync } from 'node:fs'
import type { Log } from '../base/log.ts'
import type { StatePaths } from '../base/paths.ts'
import { sessionSource } from '../claude/arguments.ts'
import type { ChildEnd } from '../claude/launch.ts'
import type { Resolution } from '../config/config.ts'
import type { RunEntry } from '../session/entries.ts'
import type { Pump } from '../session/pump.ts'
import { listRuns, type RunFolder, removeEmptyRun, removeRunFolder, writeJsonFile } from '../session/run.ts'
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
  /** Claude's, as the user gave them. */
  readonly args: readonly string[]
}

/** Claude needs a few hundred milliseconds until its first hook; what ends sooner never pays for the SDK. */
const contextDelayMs = 20
const pumpDelayMs = 100
/** Runs that others left behind are taken up when this one has got going, or else when it is done. */
const recoveryDelayMs = 1000
/** Of the time that exit may take; the rest is for the process itself to end. */
const exitShare = 0.9

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
    log(`claude ended: ${JSON.stringify(exit)}`)
    if (this.pump === undefined && readdirSync(folder.spool).length === 0) {
      this.entry === undefined ? removeEmptyRun(folder) : removeRunFolder(folder)
      return undefined
    }
    const ending = AbortSignal.timeout(config.exitTimeoutMs * exitShare)
    ending.addEventListener('abort', () => this.ending.abort())
    const pump = await this.start()
    const report = await pump.close(() => [{ pid: this.pid, ...exit }], ending)
    if (report.settled) await this.recover()
    else this.ending.abort()
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
    const wrapped = { root, pid: this.pid, source: sessionSource(this.run.args) }
    const entry: RunEntry = { ...begun, wrapped, ...(parent === undefined ? {} : { parent }) }
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

  /** Others' runs, in the time that there is; where the first cannot be delivered, the rest is not tried. */
  private recover(): Promise<unknown> {
    this.recovery ??= this.recoverOthers().catch(() => undefined)
    return this.recovery
  }

  private async recoverOthers(): Promise<void> {
    const { resolution, paths, folder } = this.run
    if (!listRuns(paths.runs).some(({ path }) => path !== folder.path)) return
    const { recoverRuns } = await import('../session/recover.ts')
    await recoverRuns({
      runs: paths.runs,
      sessions: paths.sessions,
      configFor: (context) => configForRun(resolution, context),
      deadline: this.ending.signal,
      stopAtFailure: true,
    })
  }
}
