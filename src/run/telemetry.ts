/**
 * The telemetry beside a wrapped claude: begins when claude is started, loads the SDK while claude does the same with its own
 * things, and ends within a bound after claude has exited.
 */
import type { Log } from '../base/log.ts'
import { isBuilt } from '../base/version.ts'
import { sessionSource } from '../claude/arguments.ts'
import type { ChildEnd } from '../claude/launch.ts'
import { presetsInUse } from '../config/preset-choice.ts'
import { runVariable } from '../hook/run-folder.ts'
import type { HubKeeper } from '../hub/keeper.ts'
import type { Drop } from '../session/drops.ts'
import type { RunEntry } from '../session/entries.ts'
import type { Pump } from '../session/pump.ts'
import type { RunFolder } from '../session/run.ts'
import type { RunPlan } from './plan.ts'
import { configForRun, settingsEnvironment } from './settings.ts'

interface PreparedRun {
  readonly folder: RunFolder
  readonly entry: RunEntry
  readonly log: Log
}

/** Claude needs a few hundred milliseconds until its first hook; what ends sooner pays for nothing of this. */
const prepareDelayMs = 5
const pumpDelayMs = 100
/** Runs that others left behind are taken up when this one has got going, or else when it is done. */
const recoveryDelayMs = 1000
/** Of the time that exit may take; the rest is for the process itself to end. */
const exitShare = 0.9

export class Telemetry {
  private readonly ending = new AbortController()
  private readonly timers: readonly ReturnType<typeof setTimeout>[]
  private prepared: Promise<PreparedRun> | undefined
  private pump: Promise<Pump> | undefined
  private keeper: HubKeeper | undefined
  private recovery: Promise<unknown> | undefined
  private readonly drops: Drop[] = []

  constructor(
    private readonly run: RunPlan,
    private readonly pid: number,
  ) {
    globalThis.faultPoint?.('wrap.started')
    const steps: [() => Promise<unknown>, number][] = [
      [() => this.prepare(), prepareDelayMs],
      [() => this.start(), pumpDelayMs],
      [() => this.recover().then(() => this.tidy()), recoveryDelayMs],
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
    const { resolution, paths, folder: path } = this.run
    const { config } = resolution
    globalThis.faultPoint?.('wrap.ended')
    for (const timer of this.timers) clearTimeout(timer)
    if (this.prepared === undefined && Bun.file(path).size === 0) return undefined
    const { folder, log } = await this.prepare()
    log(`claude ended: ${JSON.stringify(exit)}`)
    const { hasRecords, removeRunFolder } = await import('../session/run.ts')
    if (this.pump === undefined && !hasRecords(folder)) {
      removeRunFolder(folder)
      return undefined
    }
    const ending = AbortSignal.timeout(config.exitTimeoutMs * exitShare)
    ending.addEventListener('abort', () => this.ending.abort())
    const pump = await this.start()
    globalThis.faultPoint?.('wrap.close')
    const report = await pump.close(() => [{ pid: this.pid, ...exit }], ending)
    if (report.settled) await this.recover()
    else this.ending.abort()
    await this.tidy()
    const { renderOutcome, renderLosses } = await import('./outcome.ts')
    const outcome = renderOutcome(report, path, config.debug ? { log: paths.log, signals: config.file } : undefined)
    const parts = [outcome, renderLosses(this.drops, pump.givenUp, config.storage), await this.firstWord()]
    return parts.filter((part) => part !== undefined).join('; ') || undefined
  }

  /** A session within another would tell it to the model, which reads what its commands print. */
  private async firstWord(): Promise<string | undefined> {
    const { env, paths, resolution } = this.run
    if (env[runVariable]) return undefined
    const word = await this.keeper?.firstWord()
    if (presetsInUse(resolution.config.signals).length === 0) return word
    const { firstWordOfPresets } = await import('./first-word.ts')
    const words = [word, firstWordOfPresets(paths.presetsTold, resolution)]
    return words.filter((each) => each !== undefined).join('; ') || undefined
  }

  private prepare(): Promise<PreparedRun> {
    this.prepared ??= this.makeFolder()
    return this.prepared
  }

  /** Makes the run's folder, and writes down what a process needs that takes the run over. */
  private async makeFolder(): Promise<PreparedRun> {
    const [{ createOwnRun, writeJsonFile }, { birthOf }, { createRunEntry }, { createLog, noLog }] = await Promise.all([
      import('../session/run.ts'),
      import('../session/processes.ts'),
      import('../session/begin.ts'),
      import('../base/log.ts'),
    ])
    const { paths, runId, startUnixMicro, root, parent, resolution, env, flags, args, hooks } = this.run
    const folder = createOwnRun(this.run.folder, paths.root)
    globalThis.faultPoint?.('wrap.folder')
    const log = resolution.config.debug ? createLog(paths.log) : noLog
    const begun = createRunEntry(resolution.config, runId, startUnixMicro)
    const callbacks = hooks === 'callbacks' ? { callbacks: true as const } : {}
    const wrapped = { root, pid: this.pid, birth: birthOf(this.pid), source: sessionSource(args), ...callbacks }
    const entry: RunEntry = { ...begun, wrapped, ...(parent === undefined ? {} : { parent }) }
    writeJsonFile(folder.context, { entry, env: settingsEnvironment(env, resolution.config), flags })
    globalThis.faultPoint?.('wrap.context')
    log(`process ${this.pid} is claude, its run ${folder.path}`)
    return { folder, entry, log }
  }

  private start(): Promise<Pump> {
    this.pump ??= this.openPump()
    return this.pump
  }

  private async openPump(): Promise<Pump> {
    const [{ startPump }, { folder, entry, log }] = await Promise.all([import('../session/pump.ts'), this.prepare()])
    const { paths, resolution, hub, env } = this.run
    if (hub !== undefined && isBuilt) {
      const { HubKeeper } = await import('../hub/keeper.ts')
      this.keeper = new HubKeeper({ paths, ports: hub, env, log })
    }
    const pump = startPump({ folder, paths, config: resolution.config, entry, log })
    globalThis.faultPoint?.('wrap.open')
    return pump
  }

  /** Others' runs, in the time that there is; a destination that failed for one of them is not tried for the next. */
  private recover(): Promise<unknown> {
    this.recovery ??= this.recoverOthers().catch(() => undefined)
    return this.recovery
  }

  /** Keeps what all runs take of the disk within the budget: once on the way and once at the end. */
  private async tidy(): Promise<void> {
    const { enforceBudget } = await import('../session/budget.ts')
    const { paths, resolution } = this.run
    this.drops.push(...enforceBudget({ paths, storage: resolution.config.storage }))
  }

  private async recoverOthers(): Promise<void> {
    const { resolution, paths, folder } = this.run
    const { listRuns } = await import('../session/run.ts')
    if (!listRuns(paths.runs).some(({ path }) => path !== folder)) return
    const { recoverRuns } = await import('../session/recover.ts')
    await recoverRuns({
      paths,
      configFor: (context) => configForRun(resolution, context),
      deadline: this.ending.signal,
      triesAll: false,
    })
  }
}
