/**
 * A run before it begins: its id, its folder's name, its session span, and the environment in which claude is started for it.
 * Loaded before claude starts, so it is light; the folder is made while claude starts.
 */
import { join } from 'node:path'
import { resolveStatePaths, type StatePaths } from '../base/paths.ts'
import { childEnvironment, nativeTelemetry } from '../claude/environment.ts'
import type { Environment, HubAddress, Resolution } from '../config/config.ts'
import { wrappedRunName } from '../hook/run-folder.ts'
import { isForHub } from '../hub/presence.ts'
import { rootRef } from '../session/root.ts'
import type { SpanRef } from '../telemetry/signal.ts'
import { parseTraceparent } from '../telemetry/trace-context.ts'
import type { Flags } from './settings.ts'

export interface RunPlan {
  /** Path of the run's folder, which is made after claude was started. */
  readonly folder: string
  readonly paths: StatePaths
  readonly runId: string
  readonly startUnixMicro: number
  /** The session span that claude's environment names. */
  readonly root: SpanRef
  readonly parent: SpanRef | undefined
  /** That of this user, where signals go to it. */
  readonly hub: HubAddress | undefined
  readonly resolution: Resolution
  readonly env: Environment
  readonly flags: Flags
  /** Claude's, as the user gave them. */
  readonly args: readonly string[]
  /** Which hooks tell of claude: processes, or this process's own callbacks. */
  readonly hooks: 'processes' | 'callbacks'
}

/** Fails where no folder is known to keep records in. */
export async function planRun(
  resolution: Resolution,
  told: Pick<RunPlan, 'args' | 'env' | 'flags' | 'hooks'>,
): Promise<RunPlan> {
  const { config } = resolution
  const { env } = told
  const paths = resolveStatePaths(env)
  if (paths === undefined) throw new Error('no home folder is known (HOME is not set) to keep records in')
  const startUnixMicro = Math.floor((performance.timeOrigin + performance.now()) * 1000)
  const runId = wrappedRunName(startUnixMicro, process.pid, Math.random().toString(36).slice(2, 10))
  const parent = handsOn(resolution) ? parseTraceparent(env.TRACEPARENT, env.TRACESTATE) : undefined
  const root = rootRef(runId, config.sampler, parent)
  const { usesHub } = config
  const hub = usesHub !== undefined && (await isForHub(usesHub, paths.hubPresence)) ? usesHub : undefined
  return { ...told, folder: join(paths.runs, runId), paths, runId, startUnixMicro, root, parent, hub, resolution }
}

/**
 * `env` with what our hooks and the commands that claude runs need; and, where signals go to the hub, with claude's own
 * telemetry, unless its settings tell where that goes.
 */
export function claudeEnvironment(run: RunPlan, env: Environment, isTold: boolean): Record<string, string | undefined> {
  const root = handsOn(run.resolution) ? run.root : undefined
  const native = run.hub === undefined || isTold ? {} : nativeTelemetry(env, run.hub)
  return { ...childEnvironment(env, run.folder, root), ...native }
}

function handsOn({ config }: Resolution): boolean {
  return config.propagators.includes('tracecontext')
}
