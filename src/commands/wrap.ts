/**
 * The wrapper: claude on the user's terminal, as it would run alone, and telemetry beside it. Whatever is wrong with the
 * telemetry, claude runs; what there is to say about it is one line on stderr after claude has exited.
 */
import { join } from 'node:path'
import { describeError } from '../base/errors.ts'
import { createLog, type Log, noLog } from '../base/log.ts'
import { ensurePrivateFolder, resolveStatePaths, type StatePaths } from '../base/paths.ts'
import { startsSession } from '../claude/arguments.ts'
import { findClaude } from '../claude/binary.ts'
import { childEnvironment } from '../claude/environment.ts'
import { type ChildEnd, startChild } from '../claude/launch.ts'
import { ensurePlugin } from '../claude/plugin.ts'
import type { Config, Environment, Resolution } from '../config/config.ts'
import { createRunEntry, rootRef } from '../session/begin.ts'
import type { RunEntry } from '../session/entries.ts'
import { claimRun, createRunFolder, type RunFolder, removeRunFolder, writeJsonFile } from '../session/run.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import { configForRun, type Flags, resolveSettings, settingsEnvironment } from './settings.ts'

export interface WrapOptions {
  readonly args: readonly string[]
  readonly env: Environment
  readonly flags: Flags
}

/** What the wrapper has to say when claude has exited, and how it ended. */
export interface WrapEnd {
  readonly end: ChildEnd
  readonly line?: string
}

interface Run {
  readonly log: Log
  readonly folder: RunFolder
  readonly entry: RunEntry
  readonly paths: StatePaths
  readonly env: Record<string, string | undefined>
}

/** A session needs longer to begin; anything that ends sooner never pays for the SDK. */
const pumpDelayMs = 100
/** Runs that others left behind are taken up when this one has got going. */
const recoveryDelayMs = 2000

/** Fails, before anything was started, only when there is no claude to run. */
export async function wrap(options: WrapOptions): Promise<WrapEnd> {
  const { args, env, flags } = options
  const claude = findClaude(env, process.execPath)
  const resolution = resolveSettings(env, flags)
  const { config, problems } = resolution
  const plain = async (line?: string): Promise<WrapEnd> => {
    const end = await startChild([claude, ...args], { ...env }).ended
    return line === undefined ? { end } : { end, line }
  }
  if (config.disabled || !startsSession(args)) return plain()
  const [problem] = problems
  if (problem !== undefined) {
    const hint = problem.hint === undefined ? '' : `; ${problem.hint.replaceAll('\n', ', ')}`
    return plain(`telemetry was off: ${problem.message}${hint} (claude-otel --config shows all settings)`)
  }
  try {
    const run = prepareRun(config, env)
    const command = [claude, '--plugin-dir', run.paths.plugin, ...args]
    return await runWithTelemetry(command, run, resolution, options)
  } catch (error) {
    return plain(`telemetry was off: ${describeError(error)}`)
  }
}

function prepareRun(config: Config, env: Environment): Run {
  const paths = resolveStatePaths(env)
  if (paths === undefined) throw new Error('no home folder is known (HOME is not set) to keep records in')
  const at = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  const runId = `${at}-${process.pid}-${crypto.randomUUID().slice(0, 8)}`
  ensurePrivateFolder(paths.root)
  const folder = createRunFolder(join(paths.runs, runId))
  if (!claimRun(folder)) throw new Error(`the folder of this run cannot be written: ${folder.path}`)
  ensurePlugin(paths.plugin, process.execPath)
  const handsOn = config.propagators.includes('tracecontext')
  const parent = handsOn ? parseTraceparent(env.TRACEPARENT, env.TRACESTATE) : undefined
  const begun = createRunEntry(config, runId, at)
  const root = rootRef(begun, parent)
  const entry = { ...begun, ...(parent === undefined ? {} : { parent }), wrapped: { root, pid: 0 } }
  const log = config.debug ? createLog(paths.log) : noLog
  return { log, folder, entry, paths, env: childEnvironment(env, folder.path, handsOn ? root : undefined) }
}

async function runWithTelemetry(
  command: readonly string[],
  run: Run,
  resolution: Resolution,
  { env, flags }: WrapOptions,
): Promise<WrapEnd> {
  const child = startChild(command, run.env)
  const root = run.entry.wrapped?.root
  const entry: RunEntry = { ...run.entry, ...(root === undefined ? {} : { wrapped: { root, pid: child.pid } }) }
  try {
    writeJsonFile(run.folder.context, { entry, env: settingsEnvironment(env), flags })
    const telemetry = new Telemetry({ ...run, entry }, resolution)
    run.log(`started ${command[0]} as process ${child.pid}, run ${run.folder.path}`)
    const end = await child.ended
    run.log(`claude ended: ${JSON.stringify(end)}`)
    const line = await telemetry.finish({ pid: child.pid, ...end })
    return line === undefined ? { end } : { end, line }
  } catch (error) {
    return {
      end: await child.ended,
      line: `telemetry failed: ${describeError(error)}; records are kept in ${run.folder.path}`,
    }
  }
}

/** The pump of this run and the recovery of others, loaded and started while claude works. */
class Telemetry {
  private readonly ending = new AbortController()
  private readonly starting = setTimeout(() => void this.pump(), pumpDelayMs)
  private readonly recovering = setTimeout(() => void this.recover(), recoveryDelayMs)
  private loaded: ReturnType<typeof this.load> | undefined
  private recovery: Promise<unknown> | undefined

  constructor(
    private readonly run: Run,
    private readonly resolution: Resolution,
  ) {
    this.starting.unref()
    this.recovering.unref()
  }

  /** What to tell the user, if anything was not delivered (or debug is on). */
  async finish(exit: { pid: number } & ChildEnd): Promise<string | undefined> {
    clearTimeout(this.starting)
    clearTimeout(this.recovering)
    this.ending.abort()
    const { folder } = this.run
    if (this.loaded === undefined && !(await hasRecords(folder))) {
      removeRunFolder(folder)
      return undefined
    }
    const pump = await this.pump()
    const { pid, code, signal } = exit
    const ended = { pid, ...(code === undefined ? {} : { code }), ...(signal === undefined ? {} : { signal }) }
    const report = await pump.close(() => [ended], AbortSignal.timeout(this.resolution.config.exitTimeoutMs))
    await this.recovery
    const { renderOutcome } = await import('./outcome.ts')
    const { config } = this.resolution
    return renderOutcome(
      report,
      folder.path,
      config.debug ? { log: this.run.paths.log, signals: config.file } : undefined,
    )
  }

  private pump(): ReturnType<typeof this.load> {
    this.loaded ??= this.load()
    return this.loaded
  }

  private async load(): Promise<import('../session/pump.ts').Pump> {
    const { startPump } = await import('../session/pump.ts')
    const { folder, entry, paths, log } = this.run
    return startPump({ folder, sessions: paths.sessions, config: this.resolution.config, entry, log })
  }

  private async recover(): Promise<void> {
    const { runs, sessions } = this.run.paths
    const { recoverRuns } = await import('../session/recover.ts')
    this.recovery = recoverRuns({
      runs,
      sessions,
      configFor: (context) => configForRun(this.resolution, context),
      deadline: this.ending.signal,
      stopAtFailure: true,
    }).catch(() => undefined)
  }
}

async function hasRecords(folder: RunFolder): Promise<boolean> {
  const { readdir } = await import('node:fs/promises')
  const names = await readdir(folder.spool).catch(() => [])
  return names.length > 0
}
